/* The texts of one problem: its prompts and every reply, with the extracted answer marked.
 *
 * A verdict keeps what was extracted, not where it stood. The place is found by extracting again
 * under the profile that the verdict names, or another that gives the stored answer: then the span
 * is the one that was judged. Where none does (the grader has changed since) nothing is marked. */
#include "pipelines/report/replies_internal.h"

#include "grade/grade.h"

#include <string.h>

struct texts {
    struct ps_json_writer writer;
    struct ps_arena *arena;
    size_t limit, *shortened;
    const struct ps_reply_entry *prompts[64]; /* the first reply to each prompt */
    size_t prompt_count;
};

/* ---- shortened text ---- */

size_t ps_reply_cut(const char *text, size_t at) {
    size_t start = at;
    while (start > 0 && at - start < 4 && ((unsigned char)text[start] & 0xC0) == 0x80) start--;
    return start;
}

static void write_shortened(struct texts *texts, const char *text, size_t size) {
    if (size <= texts->limit) {
        ps_json_write_text(&texts->writer, size ? text : "", size);
        return;
    }
    size_t head = ps_reply_cut(text, texts->limit / 3);
    size_t tail = ps_reply_cut(text, size - (texts->limit - texts->limit / 3));
    struct ps_buffer buffer;
    ps_buffer_init(&buffer, 2 * texts->limit + 256);
    bool fits = ps_buffer_append(&buffer, text, head) &&
                ps_buffer_format(&buffer, "\n\n[... %zu bytes left out ...]\n\n", tail - head) &&
                ps_buffer_append(&buffer, text + tail, size - tail);
    if (fits)
        ps_json_write_text(&texts->writer, buffer.data, buffer.size);
    else
        texts->writer.status = PS_MEMORY;
    ps_buffer_release(&buffer);
    ++*texts->shortened;
}

/* ---- prompts ---- */

static const char *last_user_message(const json_t *prompt, struct ps_arena *arena) {
    const json_t *messages = ps_json_get(prompt, "messages"), *last = NULL, *message;
    size_t i;
    json_array_foreach(messages, i, message) {
        const char *role = json_string_value(ps_json_get(message, "role"));
        if (role && strcmp(role, "user") == 0) last = ps_json_get(message, "content");
    }
    const char *text = json_string_value(last);
    return text ? ps_arena_strndup(arena, text, strlen(text)) : NULL;
}

static enum ps_status write_prompt(struct texts *texts, const struct ps_reply_entry *entry,
                                   const char **question, struct ps_error *error) {
    const char *json;
    json_t *prompt;
    PS_TRY(ps_store_read_prompt(entry->store, entry->prompt, texts->arena, &json, error));
    PS_TRY(ps_json_parse("prompt", json, strlen(json), &prompt, error));
    ps_json_write_value(&texts->writer, prompt);
    if (!**question) {
        const char *text = last_user_message(prompt, texts->arena);
        if (text) *question = text;
    }
    json_decref(prompt);
    return PS_OK;
}

static size_t prompt_index(const struct texts *texts, const struct ps_reply_entry *entry) {
    size_t i = 0;
    while (i < texts->prompt_count &&
           (texts->prompts[i]->store != entry->store || texts->prompts[i]->prompt != entry->prompt))
        i++;
    return i;
}

static enum ps_status write_prompts(struct texts *texts, const struct ps_reply_entry *items,
                                    size_t count, const char **question, struct ps_error *error) {
    ps_json_write_key(&texts->writer, "prompts");
    ps_json_write_begin_array(&texts->writer);
    for (size_t i = 0; i < count; i++) {
        if (prompt_index(texts, &items[i]) < texts->prompt_count) continue;
        if (texts->prompt_count == sizeof texts->prompts / sizeof *texts->prompts) break;
        PS_TRY(write_prompt(texts, &items[i], question, error));
        texts->prompts[texts->prompt_count++] = &items[i];
    }
    ps_json_write_end_array(&texts->writer);
    return PS_OK;
}

/* ---- replies ---- */

static enum ps_status try_profile(const struct ps_reply_entry *entry,
                                  const struct ps_store_trace *trace, const char *name,
                                  struct ps_grade *grade, bool *found, struct ps_error *error) {
    struct ps_grade_profile profile;
    const struct ps_grade_input input = {.gold = ps_grade_text(entry->gold),
                                         .output = {trace->content, trace->content_size}};
    if (!ps_grade_profile(name, &profile)) return PS_OK;
    PS_TRY(ps_grade(&input, &profile, grade, NULL, error));
    *found = grade->extracted && strcmp(grade->extracted, entry->extracted) == 0 &&
             ps_verdict_letter(grade->verdict) == entry->verdict;
    if (!*found) ps_grade_release(grade);
    return PS_OK;
}

static enum ps_status find_answer(const struct ps_reply_entry *entry,
                                  const struct ps_store_trace *trace, struct ps_grade *grade,
                                  bool *found, struct ps_error *error) {
    static const char *const profiles[] = {
        "math", "gsm8k", "aime", "choice", "plain", "math+last_number", "gsm8k+last_number", NULL};
    char named[64];
    *found = false;
    if (!entry->extracted || !trace->content_size) return PS_OK;
    snprintf(named, sizeof named, "%s", entry->grader ? entry->grader : "");
    named[strcspn(named, " ")] = 0; /* "math 2" is the profile math, version 2 */
    PS_TRY(try_profile(entry, trace, named, grade, found, error));
    for (size_t i = 0; !*found && profiles[i]; i++)
        PS_TRY(try_profile(entry, trace, profiles[i], grade, found, error));
    return PS_OK;
}

static void write_content(struct texts *texts, const struct ps_store_trace *trace,
                          const struct ps_extraction *span) {
    ps_json_write_key(&texts->writer, "c");
    ps_json_write_begin_array(&texts->writer);
    if (!span) {
        write_shortened(texts, trace->content, trace->content_size);
    } else {
        write_shortened(texts, trace->content, span->begin);
        write_shortened(texts, trace->content + span->begin, span->end - span->begin);
        write_shortened(texts, trace->content + span->end, trace->content_size - span->end);
    }
    ps_json_write_end_array(&texts->writer);
}

static enum ps_status write_reply(struct texts *texts, const struct ps_reply_entry *entry,
                                  bool samples, struct ps_error *error) {
    struct ps_json_writer *writer = &texts->writer;
    struct ps_store_trace trace;
    struct ps_grade grade;
    bool found;
    PS_TRY(ps_store_read_trace(entry->store, entry->trace, texts->arena, &trace, error));
    PS_TRY(find_answer(entry, &trace, &grade, &found, error));
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"m", entry->model},
                   {"s", entry->sample},
                   {"n", samples},
                   {"p", (int64_t)prompt_index(texts, entry)},
                   {"t", entry->tokens}};
    const char letter[] = {entry->verdict, 0};
    const struct {
        const char *key, *value;
    } strings[] = {{"v", letter},
                   {"f", entry->cut ? "length" : "stop"},
                   {"x", entry->extracted},
                   {"u", found ? ps_grade_rule_name(grade.extraction.rule) : NULL},
                   {"w", found ? grade.reason : NULL}};
    ps_json_write_begin_object(writer);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ps_json_write_key(writer, numbers[i].key);
        ps_json_write_integer(writer, numbers[i].value);
    }
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        if (!strings[i].value) continue;
        ps_json_write_key(writer, strings[i].key);
        ps_json_write_string(writer, strings[i].value);
    }
    ps_json_write_key(writer, "r");
    write_shortened(texts, trace.reasoning, trace.reasoning_size);
    write_content(texts, &trace, found ? &grade.extraction : NULL);
    ps_json_write_end_object(writer);
    if (found) ps_grade_release(&grade);
    return PS_OK;
}

enum ps_status ps_reply_write_problem(const struct ps_reply_entry *items, size_t count,
                                      size_t limit, struct ps_buffer *lines, size_t *shortened,
                                      struct ps_arena *arena, const char **question,
                                      struct ps_error *error) {
    struct texts texts = {.arena = arena, .limit = limit, .shortened = shortened};
    ps_json_writer_begin(&texts.writer, lines);
    ps_json_write_begin_object(&texts.writer);
    PS_TRY(write_prompts(&texts, items, count, question, error));
    ps_json_write_key(&texts.writer, "replies");
    ps_json_write_begin_array(&texts.writer);
    for (size_t i = 0; i < count; i++) {
        bool samples = (i > 0 && items[i - 1].model == items[i].model) ||
                       (i + 1 < count && items[i + 1].model == items[i].model);
        PS_TRY(write_reply(&texts, &items[i], samples, error));
    }
    ps_json_write_end_array(&texts.writer);
    ps_json_write_end_object(&texts.writer);
    PS_TRY(ps_json_writer_end(&texts.writer, error));
    PS_FAIL_IF(!ps_buffer_puts(lines, "\n"), error, PS_LIMIT, "the replies do not fit a report");
    return PS_OK;
}
