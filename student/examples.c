#include "student/examples.h"

#include "base/hash.h"
#include "base/json.h"

#include <string.h>

void ps_examples_init(struct ps_examples *examples) {
    *examples = (struct ps_examples){0};
    ps_arena_init(&examples->arena, SIZE_MAX);
}

void ps_examples_release(struct ps_examples *examples) {
    ps_free(examples->items);
    ps_arena_release(&examples->arena);
    ps_examples_init(examples);
}

/* What one call of ps_examples_add works with. */
struct builder {
    struct ps_examples *examples;
    struct ps_store *store;
    const struct ps_tokenizer *tokenizer;
    const struct ps_example_options *options;
    int64_t source; /* whose tokenizer `same` speaks of; 0: none yet */
    bool same;
    struct ps_token_ids ids;
    struct ps_arena trace; /* of the trace at hand */
};

/* Whether a source's token ids mean the same to the student. */
static enum ps_status compare_tokenizers(struct builder *builder, int64_t source,
                                         struct ps_error *error) {
    const char *text, *hash;
    char own[PS_HASH_HEX_SIZE];
    json_t *json;
    if (source == builder->source) return PS_OK;
    PS_TRY(ps_store_read_source(builder->store, source, &builder->trace, &text, error));
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

static enum ps_status append_token(struct builder *builder, int32_t token, struct ps_error *error) {
    uint32_t id = (uint32_t)token;
    return ps_token_ids_append(&builder->ids, &id, 1, error);
}

/* How many ids of the reply are its text: the teacher's end token is not. */
static size_t text_ids(const struct ps_store_trace *trace) {
    return (size_t)(trace->output_tokens - (trace->finish == PS_STORE_STOP));
}

/* Whether the teacher's ids go on from where the student's prompt leaves the thought: a tag that
 * the prompt has written must not come again, one that it lacks must be there. */
static enum ps_status ids_fit(struct builder *builder, const struct ps_store_trace *trace,
                              enum ps_thought thought, bool *fit, struct ps_error *error) {
    struct ps_buffer text;
    *fit = false;
    if (!builder->same || !trace->ids) return PS_OK;
    ps_buffer_init(&text, SIZE_MAX);
    PS_TRY(ps_reply_decode(builder->tokenizer, (const uint32_t *)trace->ids, text_ids(trace), &text,
                           error));
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
    return PS_OK;
}

static enum ps_status append_ids(struct builder *builder, const struct ps_store_trace *trace,
                                 struct ps_error *error) {
    for (size_t i = 0; i < text_ids(trace); i++)
        PS_TRY(append_token(builder, trace->ids[i], error));
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
static bool ends_in_newline(const struct builder *builder) {
    size_t size;
    uint32_t last = builder->ids.data[builder->ids.size - 1];
    const char *bytes = ps_tokenizer_bytes(builder->tokenizer, last, &size);
    return size > 0 && bytes[size - 1] == '\n';
}

/* "<think>\nR\n</think>\n\nC", without what the prompt has opened already; a prompt that ends in
 * the bare tag wants the new line too. */
static enum ps_status append_text(struct builder *builder, const struct ps_store_trace *trace,
                                  enum ps_thought thought, struct ps_error *error) {
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
        else if (!ends_in_newline(builder))
            PS_TRY_DONE(append_piece(&text, "\n", 1, false, error));
        PS_TRY_DONE(append_piece(&text, reasoning, reasoning_size, true, error));
        if (closed) PS_TRY_DONE(append_piece(&text, "\n</think>\n\n", 11, false, error));
    }
    PS_TRY_DONE(append_piece(&text, content, content_size, true, error));
    status = ps_tokenizer_encode_marked(builder->tokenizer, &text, 0, &builder->ids, error);
done:
    ps_marked_text_release(&text);
    return status;
}

/* Copies ids into the set, unless they are too long. */
static enum ps_status keep(struct builder *builder, int64_t row, size_t prompt_size,
                           struct ps_error *error) {
    struct ps_examples *examples = builder->examples;
    size_t size = builder->ids.size, longest = (size_t)builder->options->row_tokens;
    if (size > longest) {
        PS_FAIL_IF(builder->options->overlong == PS_OVERLONG_ERROR, error, PS_LIMIT,
                   "trace %lld has %zu tokens with its prompt, more than sequence_length %zu; "
                   "raise it, or say overlong: drop",
                   (long long)row, size, longest);
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
    memcpy(ids, builder->ids.data, size * sizeof *ids);
    examples->items[examples->count++] = (struct ps_example){
        .ids = ids, .size = (int32_t)size, .first_target = (int32_t)prompt_size};
    examples->counts.tokens += (int64_t)size;
    examples->counts.targets += (int64_t)(size - prompt_size);
    return PS_OK;
}

static enum ps_status add_trace(struct builder *builder, const struct ps_store_row *row,
                                struct ps_error *error) {
    struct ps_store_trace trace;
    const char *conversation;
    enum ps_thought thought;
    bool own_ids;
    builder->ids.size = 0;
    PS_TRY(ps_store_read_trace(builder->store, row->id, &builder->trace, &trace, error));
    PS_TRY(ps_store_read_prompt(builder->store, row->key.prompt, &builder->trace, &conversation,
                                error));
    PS_TRY(compare_tokenizers(builder, row->key.source, error));
    PS_TRY(ps_conversation_encode(conversation, builder->options->template,
                                  builder->options->thinking, builder->tokenizer, &builder->ids,
                                  &thought, error));
    size_t prompt_size = builder->ids.size;
    PS_FAIL_IF(prompt_size == 0, error, PS_FORMAT, "prompt %lld has no tokens",
               (long long)row->key.prompt);
    PS_FAIL_IF(thought == PS_THOUGHT_CLOSED && trace.reasoning_size > 0, error, PS_ARGUMENT,
               "trace %lld has reasoning, but the student's prompt ends behind </think>; train "
               "with 'thinking: true', or with another template",
               (long long)row->id);
    PS_TRY(ids_fit(builder, &trace, thought, &own_ids, error));
    if (own_ids)
        PS_TRY(append_ids(builder, &trace, error));
    else
        PS_TRY(append_text(builder, &trace, thought, error));
    if (trace.finish == PS_STORE_STOP)
        PS_TRY(append_token(builder, builder->options->end_token, error));
    builder->examples->counts.traces++;
    builder->examples->counts.cut += trace.finish == PS_STORE_LENGTH;
    builder->examples->counts.same_ids += own_ids;
    if (builder->ids.size == prompt_size) return PS_OK; /* cut before its first token */
    return keep(builder, row->id, prompt_size, error);
}

enum ps_status ps_examples_add(struct ps_examples *examples, struct ps_store *store,
                               const struct ps_store_filter *filter,
                               const struct ps_tokenizer *tokenizer,
                               const struct ps_example_options *options, struct ps_error *error) {
    struct builder builder = {
        .examples = examples, .store = store, .tokenizer = tokenizer, .options = options};
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more;
    ps_arena_init(&builder.trace, SIZE_MAX);
    PS_TRY(ps_store_query(store, filter, &cursor, error));
    enum ps_status status;
    for (;;) {
        status = ps_store_next(cursor, &row, &more, error);
        if (status != PS_OK || !more) break;
        bool chosen = true;
        if (options->choose) status = options->choose(options->context, &row, &chosen, error);
        if (status == PS_OK && chosen) status = add_trace(&builder, &row, error);
        if (status != PS_OK) break;
        ps_arena_release(&builder.trace);
    }
    ps_store_cursor_close(cursor);
    ps_arena_release(&builder.trace);
    ps_token_ids_release(&builder.ids);
    return status;
}
