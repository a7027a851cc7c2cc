/* Examples are made in batches: the calling thread reads traces, which a store allows to one thread
 * alone, all threads encode them, the calling thread takes them in their order. */
#include "student/examples.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/stop.h"

#include <string.h>

enum { BATCH_TRACES = 256, BATCH_BYTES = 32 << 20 };

void ps_examples_init(struct ps_examples *examples) {
    *examples = (struct ps_examples){0};
    ps_arena_init(&examples->arena, SIZE_MAX);
}

void ps_examples_release(struct ps_examples *examples) {
    ps_free(examples->items);
    ps_arena_release(&examples->arena);
    ps_examples_init(examples);
}

/* One trace on its way to an example. */
struct draft {
    int64_t row;
    const char *conversation;
    struct ps_store_trace trace;
    bool same; /* the teacher's token ids mean the same to the student */
    /* Filled by encode. */
    struct ps_token_ids ids;
    size_t prompt_size; /* how many of them are the prompt's */
    bool own_ids;       /* those of the reply are the teacher's */
    enum ps_status status;
    struct ps_error error;
};

/* What one call of ps_examples_add works with. */
struct builder {
    struct ps_examples *examples;
    struct ps_store *store;
    const struct ps_tokenizer *tokenizer;
    const struct ps_example_options *options;
    int64_t source; /* whose tokenizer `same` speaks of; 0: none yet */
    bool same;
    struct draft *drafts; /* BATCH_TRACES */
    size_t count;
    struct ps_arena arena; /* the texts of the drafts */
};

/* ---- a draft's ids ---- */

static enum ps_status append_token(struct draft *draft, int32_t token, struct ps_error *error) {
    uint32_t id = (uint32_t)token;
    return ps_token_ids_append(&draft->ids, &id, 1, error);
}

/* How many ids of the reply are its text: the teacher's end token is not. */
static size_t text_ids(const struct ps_store_trace *trace) {
    return (size_t)(trace->output_tokens - (trace->finish == PS_STORE_STOP));
}

/* Whether the teacher's ids go on from where the student's prompt leaves the thought: a tag that
 * the prompt has written must not come again, one that it lacks must be there. */
static enum ps_status ids_fit(const struct builder *builder, const struct draft *draft,
                              enum ps_thought thought, bool *fit, struct ps_error *error) {
    const struct ps_store_trace *trace = &draft->trace;
    struct ps_buffer text;
    *fit = false;
    if (!draft->same || !trace->ids) return PS_OK;
    ps_buffer_init(&text, SIZE_MAX);
    enum ps_status status = ps_reply_decode(builder->tokenizer, (const uint32_t *)trace->ids,
                                            text_ids(trace), &text, error);
    const char *reply = text.data ? text.data : "";
    const char *begin = reply + strspn(reply, " \t\r\n");
    bool opens = strncmp(begin, "<think>", strlen("<think>")) == 0;
    bool thinks = trace->reasoning_size > 0 || strstr(reply, "</think>");
    if (thought == PS_THOUGHT_OPENED)
        *fit = thinks && !opens;
    else if (thought == PS_THOUGHT_CLOSED)
        *fit = !thinks && !opens;
    else
        *fit = opens || !thinks;
    ps_buffer_release(&text);
    return status;
}

static enum ps_status append_ids(struct draft *draft, struct ps_error *error) {
    for (size_t i = 0; i < text_ids(&draft->trace); i++)
        PS_TRY(append_token(draft, draft->trace.ids[i], error));
    return PS_OK;
}

static enum ps_status append_piece(struct ps_marked_text *text, const char *piece, size_t size,
                                   bool data, struct ps_error *error) {
    return size ? ps_marked_text_append(text, piece, size, data, error) : PS_OK;
}

static void trim_newlines(const char **text, size_t *size) {
    while (*size && **text == '\n') ++*text, --*size;
    while (*size && (*text)[*size - 1] == '\n') --*size;
}

/* Whether the prompt, which is all that there is so far, does. */
static bool ends_in_newline(const struct builder *builder, const struct draft *draft) {
    size_t size;
    uint32_t last = draft->ids.data[draft->ids.size - 1];
    const char *bytes = ps_tokenizer_bytes(builder->tokenizer, last, &size);
    return size > 0 && bytes[size - 1] == '\n';
}

/* "<think>\nR\n</think>\n\nC", without what the prompt has opened already; a prompt that ends in
 * the bare tag wants the new line too. */
static enum ps_status append_text(const struct builder *builder, struct draft *draft,
                                  enum ps_thought thought, struct ps_error *error) {
    const struct ps_store_trace *trace = &draft->trace;
    struct ps_marked_text text;
    const char *reasoning = trace->reasoning, *content = trace->content;
    size_t reasoning_size = trace->reasoning_size, content_size = trace->content_size;
    bool thinks = reasoning_size > 0 || thought == PS_THOUGHT_OPENED;
    bool closed = trace->finish == PS_STORE_STOP || content_size > 0;
    enum ps_status status = PS_OK;
    ps_marked_text_init(&text);
    if (thinks) {
        trim_newlines(&reasoning, &reasoning_size);
        trim_newlines(&content, &content_size);
        if (thought == PS_THOUGHT_NONE)
            PS_TRY_DONE(append_piece(&text, "<think>\n", 8, false, error));
        else if (!ends_in_newline(builder, draft))
            PS_TRY_DONE(append_piece(&text, "\n", 1, false, error));
        PS_TRY_DONE(append_piece(&text, reasoning, reasoning_size, true, error));
        if (closed) PS_TRY_DONE(append_piece(&text, "\n</think>\n\n", 11, false, error));
    }
    PS_TRY_DONE(append_piece(&text, content, content_size, true, error));
    status = ps_tokenizer_encode_marked(builder->tokenizer, &text, 0, &draft->ids, error);
done:
    ps_marked_text_release(&text);
    return status;
}

static enum ps_status encode(const struct builder *builder, struct draft *draft,
                             struct ps_error *error) {
    const struct ps_example_options *options = builder->options;
    enum ps_thought thought;
    PS_TRY(ps_conversation_encode(draft->conversation, options->template, options->thinking,
                                  builder->tokenizer, &draft->ids, &thought, error));
    draft->prompt_size = draft->ids.size;
    PS_FAIL_IF(draft->prompt_size == 0, error, PS_FORMAT, "prompt %lld has no tokens",
               (long long)draft->trace.key.prompt);
    PS_FAIL_IF(thought == PS_THOUGHT_CLOSED && draft->trace.reasoning_size > 0, error, PS_ARGUMENT,
               "trace %lld has reasoning, but the student's prompt ends behind </think>; train "
               "with 'thinking: true', or with another template",
               (long long)draft->row);
    PS_TRY(ids_fit(builder, draft, thought, &draft->own_ids, error));
    if (draft->own_ids)
        PS_TRY(append_ids(draft, error));
    else
        PS_TRY(append_text(builder, draft, thought, error));
    if (draft->trace.finish == PS_STORE_STOP)
        PS_TRY(append_token(draft, options->end_token, error));
    return PS_OK;
}

static void encode_all(struct builder *builder) {
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < builder->count; i++) {
        struct draft *draft = &builder->drafts[i];
        draft->status = encode(builder, draft, &draft->error);
    }
}

/* ---- reading ---- */

/* Whether a source's token ids mean the same to the student. */
static enum ps_status compare_tokenizers(struct builder *builder, int64_t source,
                                         struct ps_error *error) {
    const char *text, *hash;
    char own[PS_HASH_HEX_SIZE];
    json_t *json;
    if (source == builder->source) return PS_OK;
    PS_TRY(ps_store_read_source(builder->store, source, &builder->arena, &text, error));
    PS_TRY(ps_json_parse("source", text, strlen(text), &json, error));
    enum ps_status status = ps_json_string_or(json, "tokenizer", "", &hash, error);
    if (status == PS_OK) {
        ps_hash_hex(ps_tokenizer_hash(builder->tokenizer), own);
        builder->same = strcmp(hash, own) == 0;
        builder->source = source;
    }
    json_decref(json);
    return status;
}

static enum ps_status add_draft(struct builder *builder, const struct ps_store_row *row,
                                struct ps_error *error) {
    struct draft *draft = &builder->drafts[builder->count];
    draft->row = row->id;
    draft->ids.size = 0;
    PS_TRY(ps_store_read_trace(builder->store, row->id, &builder->arena, &draft->trace, error));
    PS_TRY(ps_store_read_prompt(builder->store, row->key.prompt, &builder->arena,
                                &draft->conversation, error));
    PS_TRY(compare_tokenizers(builder, row->key.source, error));
    draft->same = builder->same;
    builder->count++;
    return PS_OK;
}

static enum ps_status fill(struct builder *builder, struct ps_store_cursor *cursor, bool *more,
                           struct ps_error *error) {
    const struct ps_example_options *options = builder->options;
    struct ps_store_row row;
    builder->count = 0;
    ps_arena_release(&builder->arena);
    while (builder->count < BATCH_TRACES && builder->arena.used < BATCH_BYTES) {
        bool chosen = true;
        PS_TRY(ps_store_next(cursor, &row, more, error));
        if (!*more) return PS_OK;
        if (options->choose) PS_TRY(options->choose(options->context, &row, &chosen, error));
        if (chosen) PS_TRY(add_draft(builder, &row, error));
    }
    return PS_OK;
}

/* ---- the set ---- */

/* Copies ids into the set, unless they are too long. */
static enum ps_status keep(struct builder *builder, const struct draft *draft,
                           struct ps_error *error) {
    struct ps_examples *examples = builder->examples;
    size_t size = draft->ids.size, prompt_size = draft->prompt_size;
    size_t longest = (size_t)builder->options->row_tokens;
    if (size > longest) {
        PS_FAIL_IF(builder->options->overlong == PS_OVERLONG_ERROR, error, PS_LIMIT,
                   "trace %lld has %zu tokens with its prompt, more than sequence_length %zu; "
                   "raise it, or say overlong: drop",
                   (long long)draft->row, size, longest);
        examples->counts.overlong++;
        if (builder->options->overlong == PS_OVERLONG_DROP || prompt_size >= longest) return PS_OK;
        size = longest;
    }
    if (examples->count == examples->capacity) {
        uint32_t capacity = examples->capacity ? 2 * examples->capacity : 256;
        struct ps_example *more = ps_realloc(examples->items, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        examples->items = more;
        examples->capacity = capacity;
    }
    int32_t *ids = ps_arena_array(&examples->arena, size, sizeof *ids);
    PS_FAIL_IF_NULL(ids, error);
    memcpy(ids, draft->ids.data, size * sizeof *ids);
    examples->items[examples->count++] = (struct ps_example){
        .ids = ids, .size = (int32_t)size, .first_target = (int32_t)prompt_size};
    examples->counts.tokens += (int64_t)size;
    examples->counts.targets += (int64_t)(size - prompt_size);
    return PS_OK;
}

static enum ps_status keep_all(struct builder *builder, struct ps_error *error) {
    struct ps_example_counts *counts = &builder->examples->counts;
    for (size_t i = 0; i < builder->count; i++) {
        const struct draft *draft = &builder->drafts[i];
        PS_FAIL_IF(draft->status != PS_OK, error, draft->status, "%s", draft->error.message);
        counts->traces++;
        counts->cut += draft->trace.finish == PS_STORE_LENGTH;
        counts->same_ids += draft->own_ids;
        if (draft->ids.size == draft->prompt_size) continue; /* cut before its first token */
        PS_TRY(keep(builder, draft, error));
    }
    return PS_OK;
}

enum ps_status ps_examples_add(struct ps_examples *examples, struct ps_store *store,
                               const struct ps_store_filter *filter,
                               const struct ps_tokenizer *tokenizer,
                               const struct ps_example_options *options, struct ps_error *error) {
    struct builder builder = {
        .examples = examples, .store = store, .tokenizer = tokenizer, .options = options};
    struct ps_store_cursor *cursor = NULL;
    bool more = true;
    ps_arena_init(&builder.arena, SIZE_MAX);
    enum ps_status status = PS_OK;
    builder.drafts = ps_calloc(BATCH_TRACES, sizeof *builder.drafts);
    PS_FAIL_DONE_IF_NULL(builder.drafts, error);
    PS_TRY_DONE(ps_store_query(store, filter, &cursor, error));
    while (more) {
        PS_TRY_DONE(ps_stop_check(error));
        PS_TRY_DONE(fill(&builder, cursor, &more, error));
        encode_all(&builder);
        PS_TRY_DONE(keep_all(&builder, error));
    }
done:
    ps_store_cursor_close(cursor);
    for (size_t i = 0; builder.drafts && i < BATCH_TRACES; i++)
        ps_token_ids_release(&builder.drafts[i].ids);
    ps_free(builder.drafts);
    ps_arena_release(&builder.arena);
    return status;
}
