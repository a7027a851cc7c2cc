/* Accuracy by level, where rows have one. */
#include "pipelines/report/replies_internal.h"

#include "grade/grade.h"

#include <stdlib.h>
#include <string.h>

/* One problem of one model. */
struct scored {
    uint32_t set, model;
    int level;
    struct ps_result_problem problem;
};

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

static int by_group(const void *left, const void *right) {
    const struct scored *a = left, *b = right;
    int order = COMPARE(a->set, b->set);
    if (!order) order = COMPARE(a->level, b->level);
    return order ? order : COMPARE(a->model, b->model);
}

static enum ps_verdict verdict_of(char letter) {
    for (int i = 0; i < PS_VERDICT_COUNT; i++)
        if (ps_verdict_letter(ps_verdict_name((enum ps_verdict)i)) == letter)
            return (enum ps_verdict)i;
    return PS_VERDICT_UNDECIDED;
}

static size_t score_problems(const struct ps_replies *replies, struct scored *scored) {
    size_t count = 0;
    for (size_t i = 0; i < replies->count; i++) {
        const struct ps_reply_entry *entry = &replies->items[i], *before = entry - 1;
        if (entry->level == 0) continue;
        bool same = i > 0 && count > 0 && before->set == entry->set && before->row == entry->row &&
                    before->model == entry->model;
        if (!same) scored[count++] = (struct scored){entry->set, entry->model, entry->level, {0}};
        ps_result_add(&scored[count - 1].problem, verdict_of(entry->verdict), entry->tokens);
    }
    return count;
}

/* Problems of one (set, level, model); those with another number of samples than the first cannot
 * be averaged with it and leave the group out. */
static void write_group(const struct ps_replies *replies, const struct scored *group, size_t count,
                        struct ps_result_problem *problems, struct ps_json_writer *writer) {
    struct ps_result result = {.model = replies->models[group->model],
                               .role = "",
                               .dataset = replies->sets[group->set].label,
                               .samples = group->problem.samples};
    for (size_t i = 0; i < count; i++) problems[i] = group[i].problem;
    if (ps_result_compute(problems, count, &result, NULL) != PS_OK) return;
    ps_json_write_begin_object(writer);
    ps_json_write_key(writer, "model");
    ps_json_write_string(writer, result.model);
    ps_json_write_key(writer, "dataset");
    ps_json_write_string(writer, result.dataset);
    const struct {
        const char *key;
        int64_t value;
    } integers[] = {
        {"level", group->level}, {"problems", (int64_t)count}, {"samples", result.samples}};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        ps_json_write_key(writer, integers[i].key);
        ps_json_write_integer(writer, integers[i].value);
    }
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"pass_at_1", result.pass_at_1}, {"low", result.low}, {"high", result.high}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ps_json_write_key(writer, numbers[i].key);
        ps_json_write_number(writer, numbers[i].value);
    }
    ps_json_write_end_object(writer);
}

enum ps_status ps_replies_write_levels(const struct ps_replies *replies, struct ps_buffer *text,
                                       struct ps_error *error) {
    struct ps_json_writer writer;
    struct scored *scored = ps_calloc(replies->count + 1, sizeof *scored);
    struct ps_result_problem *problems = ps_calloc(replies->count + 1, sizeof *problems);
    enum ps_status status = PS_OK;
    PS_FAIL_DONE_IF(!scored || !problems, error, PS_MEMORY, "out of memory");
    size_t count = score_problems(replies, scored);
    qsort(scored, count, sizeof *scored, by_group);
    ps_json_writer_begin(&writer, text);
    ps_json_write_begin_array(&writer);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && by_group(&scored[i], &scored[end]) == 0; end++) continue;
        write_group(replies, scored + i, end - i, problems, &writer);
    }
    ps_json_write_end_array(&writer);
    status = ps_json_writer_end(&writer, error);
done:
    ps_free(scored);
    ps_free(problems);
    return status;
}
