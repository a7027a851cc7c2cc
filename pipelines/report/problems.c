/* The table of problems as the page reads it: an index with one small entry a problem, which is
 * parsed at once, and the texts apart, so that a page with thousands of problems opens at once.
 *
 * The texts of a problem are one JSON object, compressed as zlib does (RFC 1950: what a browser's
 * DecompressionStream calls "deflate") and written in base64 on a line of their own. Replies to one
 * problem repeat the problem and each other: 2,000 problems x 3 models x 8 replies take a fifth. */
#include "pipelines/report/replies_internal.h"

#include "base/base64.h"

#include <string.h>
#include <zlib.h>

/* Bytes of texts on a page: more would not open on a phone. Each text gets its share. */
enum { TEXT_BUDGET = 128 << 20, TEXT_MINIMUM = 2000, TEXT_MAXIMUM = 200000 };
enum { QUESTION_BYTES = 160, LETTERS = 256, LEVEL = 6 };

/* A model's replies to a problem: [verdict letters, extracted of the first, mean tokens]. */
static void write_cell(const struct ps_reply_entry *items, size_t count,
                       struct ps_json_writer *writer) {
    char letters[LETTERS];
    int64_t tokens = 0;
    size_t shown = count < LETTERS ? count : LETTERS;
    for (size_t i = 0; i < shown; i++) letters[i] = items[i].verdict;
    for (size_t i = 0; i < count; i++) tokens += items[i].tokens;
    ps_json_write_begin_array(writer);
    ps_json_write_text(writer, letters, shown);
    ps_json_write_string(writer, items->extracted);
    ps_json_write_integer(writer, tokens / (int64_t)count);
    ps_json_write_end_array(writer);
}

static void write_entry(const struct ps_replies *replies, const struct ps_reply_entry *items,
                        size_t count, const char *question, struct ps_json_writer *writer) {
    size_t size = strlen(question);
    ps_json_write_begin_object(writer);
    ps_json_put_integer(writer, "d", items->set);
    ps_json_put_integer(writer, "n", items->row);
    if (items->level) ps_json_put_string(writer, "l", items->level);
    if (items->subject) ps_json_put_string(writer, "s", items->subject);
    ps_json_write_key(writer, "q");
    ps_json_write_text(writer, question,
                       size > QUESTION_BYTES ? ps_reply_cut(question, QUESTION_BYTES) : size);
    ps_json_put_string(writer, "g", items->gold);
    ps_json_write_key(writer, "m");
    ps_json_write_begin_array(writer);
    for (size_t m = 0, i = 0; m < replies->model_count; m++) {
        size_t first = i;
        while (i < count && items[i].model == m) i++;
        if (i > first)
            write_cell(items + first, i - first, writer);
        else
            ps_json_write_null(writer);
    }
    ps_json_write_end_array(writer);
    ps_json_write_end_object(writer);
}

static size_t text_limit(const struct ps_replies *replies) {
    size_t share = replies->count ? TEXT_BUDGET / replies->count : TEXT_MAXIMUM;
    return share < TEXT_MINIMUM ? TEXT_MINIMUM : share > TEXT_MAXIMUM ? TEXT_MAXIMUM : share;
}

static enum ps_status write_line(const struct ps_buffer *text, struct ps_buffer *scratch,
                                 struct ps_buffer *lines, struct ps_error *error) {
    uLongf size = compressBound(text->size);
    scratch->size = 0;
    PS_FAIL_IF(!ps_buffer_reserve(scratch, size), error, PS_MEMORY, "out of memory");
    PS_FAIL_IF(compress2((Bytef *)scratch->data, &size, (const Bytef *)text->data, text->size,
                         LEVEL) != Z_OK,
               error, PS_MEMORY, "out of memory");
    PS_FAIL_IF(!ps_base64_append(lines, scratch->data, size) || !ps_buffer_puts(lines, "\n"), error,
               PS_LIMIT, "the replies do not fit a report");
    return PS_OK;
}

static enum ps_status write_problems(struct ps_report *report, const struct ps_replies *replies,
                                     struct ps_buffer *text, struct ps_buffer *scratch,
                                     struct ps_json_writer *writer, size_t *shortened,
                                     struct ps_error *error) {
    for (size_t i = 0, end; i < replies->count; i = end) {
        struct ps_arena arena;
        const char *question = "";
        end = ps_replies_problem_end(replies, i);
        ps_arena_init(&arena, (size_t)1 << 30);
        text->size = 0;
        enum ps_status status =
            ps_reply_write_problem(replies->items + i, end - i, text_limit(replies), text,
                                   shortened, &arena, &question, error);
        if (status == PS_OK) status = write_line(text, scratch, &report->replies, error);
        if (status == PS_OK) write_entry(replies, replies->items + i, end - i, question, writer);
        ps_arena_release(&arena);
        PS_TRY(status);
    }
    return PS_OK;
}

static void write_names(const char *key, const char *const *names, size_t count,
                        struct ps_json_writer *writer) {
    ps_json_write_key(writer, key);
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < count; i++) ps_json_write_string(writer, names[i]);
    ps_json_write_end_array(writer);
}

enum ps_status ps_replies_write(struct ps_report *report, const struct ps_replies *replies,
                                struct ps_error *error) {
    struct ps_json_writer writer;
    struct ps_buffer text, scratch;
    size_t shortened = 0;
    ps_buffer_init(&text, (size_t)1 << 30);
    ps_buffer_init(&scratch, (size_t)1 << 30);
    ps_json_writer_begin(&writer, &report->problems);
    ps_json_write_begin_object(&writer);
    write_names("datasets", replies->sets, replies->set_count, &writer);
    write_names("models", replies->models, replies->model_count, &writer);
    ps_json_put_bool(&writer, "levels", replies->levels);
    ps_json_put_bool(&writer, "subjects", replies->subjects);
    ps_json_write_key(&writer, "problems");
    ps_json_write_begin_array(&writer);
    enum ps_status status =
        write_problems(report, replies, &text, &scratch, &writer, &shortened, error);
    ps_json_write_end_array(&writer);
    ps_json_put_integer(&writer, "shortened", (int64_t)shortened);
    ps_json_write_end_object(&writer);
    ps_buffer_release(&text);
    ps_buffer_release(&scratch);
    return status == PS_OK ? ps_json_writer_end(&writer, error) : status;
}
