/* All samples of a prompt: what was asked once, a table, then the texts side by side. Where several
 * items ask the prompt and differ in their gold, the table has a line for each sample and gold. */
#include "pipelines/commands/columns.h"
#include "pipelines/commands/traces_show.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct samples {
    struct ps_call *call;
    struct ps_store *store;
    struct ps_store_row *rows; /* of one prompt, their texts in the call's arena */
    size_t count, capacity;
    struct ps_json_writer json;
};

/* ---- reading ---- */

static enum ps_status keep(struct samples *samples, const char **text, struct ps_error *error) {
    if (!*text) return PS_OK;
    *text = ps_arena_strndup(samples->call->arena, *text, strlen(*text));
    PS_FAIL_IF_NULL(*text, error);
    return PS_OK;
}

static enum ps_status add(struct samples *samples, const struct ps_store_row *row,
                          struct ps_error *error) {
    if (samples->count == samples->capacity) {
        size_t capacity = samples->capacity ? 2 * samples->capacity : 64;
        struct ps_store_row *more = ps_realloc(samples->rows, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        samples->rows = more;
        samples->capacity = capacity;
    }
    struct ps_store_row *kept = &samples->rows[samples->count++];
    *kept = *row;
    kept->extra = NULL;
    const char **const texts[] = {&kept->source,  &kept->dataset,   &kept->split, &kept->gold,
                                  &kept->verdict, &kept->extracted, NULL};
    for (int i = 0; texts[i]; i++) PS_TRY(keep(samples, texts[i], error));
    return PS_OK;
}

static bool is_new_trace(const struct samples *samples, size_t i) {
    return i == 0 || samples->rows[i].id != samples->rows[i - 1].id;
}

/* ---- for people ---- */

/* "arith/test:3" */
static const char *item_name(const struct ps_store_row *row, char text[200]) {
    if (row->dataset)
        snprintf(text, 200, "%s/%s:%lld", row->dataset, row->split, (long long)row->row);
    else
        snprintf(text, 200, "-");
    return text;
}

static void print_table(const struct samples *samples) {
    char item[200];
    printf("\n%8s %7s  %-16s %-6s %7s  %-20s %-12s %-15s %s\n", "id", "sample", "source", "finish",
           "tokens", "item", "gold", "verdict", "extracted");
    for (size_t i = 0; i < samples->count; i++) {
        const struct ps_store_row *row = &samples->rows[i];
        printf("%8lld %7lld  %-16s %-6s %7lld  %-20s %-12s %-15s %s\n", (long long)row->id,
               (long long)row->key.sample, row->source, ps_store_finish_name(row->finish),
               (long long)row->output_tokens, item_name(row, item), row->gold ? row->gold : "-",
               row->verdict ? row->verdict : "-", row->extracted ? row->extracted : "");
    }
}

/* As many as have room for lines that can be read. */
static size_t columns_of(const struct samples *samples) {
    enum { READABLE = 56, MOST = 4 };
    const struct ps_show_flags *flags = samples->call->settings[0].values;
    if (ps_integer_or(flags->columns, 0)) return (size_t)flags->columns;
    size_t room = isatty(STDOUT_FILENO) ? ps_terminal_width(stdout) / READABLE : 1;
    return room < 1 ? 1 : room > MOST ? MOST : room;
}

/* "trace 7, sample 0 of teacher: correct" */
static const char *title_of(const struct samples *samples, size_t i) {
    const struct ps_store_row *row = &samples->rows[i];
    return ps_arena_format(samples->call->arena, "trace %lld, sample %lld of %s: %s",
                           (long long)row->id, (long long)row->key.sample, row->source,
                           row->verdict ? row->verdict : "not graded");
}

static enum ps_status read_reply(struct samples *samples, size_t i, struct ps_column *column,
                                 struct ps_error *error) {
    struct ps_store_trace trace;
    struct ps_arena *arena = samples->call->arena;
    PS_TRY(ps_store_read_trace(samples->store, samples->rows[i].id, arena, &trace, error));
    size_t tags = trace.reasoning_size ? strlen("<think></think>") : 0;
    char *text = ps_arena_alloc(arena, trace.reasoning_size + trace.content_size + tags + 1), *end;
    const char *title = title_of(samples, i);
    PS_FAIL_IF(!text || !title, error, PS_MEMORY, "out of memory");
    end = text;
    if (tags) end = stpcpy(end, "<think>");
    memcpy(end, trace.reasoning, trace.reasoning_size);
    end += trace.reasoning_size;
    if (tags) end = stpcpy(end, "</think>");
    memcpy(end, trace.content, trace.content_size);
    end += trace.content_size;
    *column = (struct ps_column){title, text, (size_t)(end - text)};
    return PS_OK;
}

static enum ps_status print_texts(struct samples *samples, struct ps_error *error) {
    struct ps_column columns[16];
    size_t wanted = columns_of(samples), count = 0;
    size_t width = (ps_terminal_width(stdout) - 3 * (wanted - 1)) / wanted;
    for (size_t i = 0; i <= samples->count; i++) {
        if (count == wanted || (i == samples->count && count)) {
            puts("");
            if (wanted > 1) {
                ps_columns_print(stdout, columns, count, width);
            } else {
                printf("[%s]\n", columns->title);
                ps_show_text(columns->text, columns->size);
                puts("");
            }
            count = 0;
        }
        if (i < samples->count && is_new_trace(samples, i))
            PS_TRY(read_reply(samples, i, &columns[count++], error));
    }
    return PS_OK;
}

static enum ps_status print_prompt(struct samples *samples, const json_t *conversation,
                                   struct ps_error *error) {
    char hex[PS_HASH_HEX_SIZE];
    printf("prompt     %s\n", ps_hash_hex(&samples->rows->prompt_hash, hex));
    ps_show_messages(conversation);
    print_table(samples);
    return print_texts(samples, error);
}

/* ---- as JSON ---- */

static enum ps_status write_prompt(struct samples *samples, const json_t *conversation,
                                   struct ps_error *error) {
    struct ps_json_writer *json = &samples->json;
    char hex[PS_HASH_HEX_SIZE];
    ps_json_write_begin_object(json);
    ps_json_put_string(json, "prompt", ps_hash_hex(&samples->rows->prompt_hash, hex));
    ps_json_write_key(json, "conversation");
    ps_json_write_value(json, conversation);
    ps_json_write_key(json, "samples");
    ps_json_write_begin_array(json);
    for (size_t i = 0; i < samples->count; i++) {
        struct ps_store_trace trace;
        PS_TRY(ps_store_read_trace(samples->store, samples->rows[i].id, samples->call->arena,
                                   &trace, error));
        ps_json_write_begin_object(json);
        ps_traces_write_row(json, &samples->rows[i]);
        ps_json_write_key(json, "reasoning");
        ps_json_write_text(json, trace.reasoning, trace.reasoning_size);
        ps_json_write_key(json, "content");
        ps_json_write_text(json, trace.content, trace.content_size);
        ps_json_write_end_object(json);
    }
    ps_json_write_end_array(json);
    ps_json_write_end_object(json);
    return PS_OK;
}

/* ---- prompt by prompt ---- */

static enum ps_status show_prompt(struct samples *samples, struct ps_error *error) {
    const char *text;
    json_t *conversation;
    if (samples->count == 0) return PS_OK;
    PS_TRY(ps_store_read_prompt(samples->store, samples->rows->key.prompt, samples->call->arena,
                                &text, error));
    PS_TRY(ps_json_parse("prompt", text, strlen(text), &conversation, error));
    enum ps_status status = samples->call->json ? write_prompt(samples, conversation, error)
                                                : print_prompt(samples, conversation, error);
    json_decref(conversation);
    samples->count = 0;
    return status;
}

static enum ps_status show_all(struct samples *samples, const struct ps_store_filter *filter,
                               struct ps_error *error) {
    struct ps_store_filter golds = *filter;
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more, any = false;
    golds.per = PS_STORE_PER_GOLD;
    PS_TRY(ps_store_query(samples->store, &golds, &cursor, error));
    enum ps_status status = PS_OK;
    for (;;) {
        PS_TRY_DONE(ps_store_next(cursor, &row, &more, error));
        if (!more) break;
        any = true;
        if (samples->count && samples->rows->key.prompt != row.key.prompt) {
            PS_TRY_DONE(show_prompt(samples, error));
            if (!samples->call->json) puts("");
        }
        PS_TRY_DONE(add(samples, &row, error));
    }
    PS_FAIL_DONE_IF(!any, error, PS_NOT_FOUND,
                    "there is no trace of that prompt; potstill traces list shows what there is");
    status = show_prompt(samples, error);
done:
    ps_store_cursor_close(cursor);
    return status;
}

enum ps_status ps_show_samples(struct ps_call *call, struct ps_store *store,
                               const struct ps_store_filter *filter, struct ps_error *error) {
    struct samples samples = {.call = call, .store = store};
    struct ps_buffer text;
    ps_buffer_init(&text, SIZE_MAX / 2);
    ps_json_writer_begin(&samples.json, &text);
    ps_json_write_begin_array(&samples.json);
    enum ps_status status = show_all(&samples, filter, error);
    ps_json_write_end_array(&samples.json);
    if (status == PS_OK && call->json) status = ps_json_writer_end(&samples.json, error);
    if (status == PS_OK && call->json) puts(text.data);
    ps_buffer_release(&text);
    ps_free(samples.rows);
    return status;
}
