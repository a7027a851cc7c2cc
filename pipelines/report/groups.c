/* Accuracy by level and by subject, where rows of a data set have them. A data set with hundreds of
 * subjects names its problems rather than groups them, and is passed over. */
#include "pipelines/report/replies_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 40 };

/* One problem of one model under one heading. */
struct grouped {
    const char *value;
    const struct ps_scored *scored;
};

#define COMPARE(a, b) ((a) < (b) ? -1 : (a) > (b))

/* Data set, value ("Level 2" before "Level 10"), model; then the order of the replies. */
static int by_group(const struct grouped *a, const struct grouped *b) {
    int order = COMPARE(a->scored->first->set, b->scored->first->set);
    if (!order) order = strverscmp(a->value, b->value);
    return order ? order : COMPARE(a->scored->first->model, b->scored->first->model);
}

static int by_group_stable(const void *left, const void *right) {
    const struct grouped *a = left, *b = right;
    int order = by_group(a, b);
    return order ? order : COMPARE(a->scored, b->scored);
}

/* [begin, end) is one data set; how many values it has. */
static size_t count_values(const struct grouped *grouped, size_t begin, size_t size, size_t *end) {
    size_t values = 0;
    for (*end = begin; *end < size; ++*end) {
        if (grouped[*end].scored->first->set != grouped[begin].scored->first->set) break;
        values += *end == begin || strcmp(grouped[*end].value, grouped[*end - 1].value) != 0;
    }
    return values;
}

static void write_group(const struct ps_replies *replies, const char *by,
                        const struct grouped *group, size_t count,
                        struct ps_result_problem *problems, struct ps_json_writer *writer) {
    const struct ps_reply_entry *first = group->scored->first;
    struct ps_result result = {.model = replies->models[first->model],
                               .role = "",
                               .dataset = replies->sets[first->set],
                               .samples = group->scored->problem.samples};
    for (size_t i = 0; i < count; i++) problems[i] = group[i].scored->problem;
    if (ps_result_compute(problems, count, &result, NULL) != PS_OK) return;
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "by", by);
    ps_json_put_string(writer, "value", group->value);
    ps_json_put_string(writer, "model", result.model);
    ps_json_put_string(writer, "dataset", result.dataset);
    ps_json_put_integer(writer, "problems", (int64_t)count);
    ps_json_put_integer(writer, "samples", result.samples);
    ps_json_put_number(writer, "pass_at_1", result.pass_at_1);
    ps_json_put_number(writer, "low", result.low);
    ps_json_put_number(writer, "high", result.high);
    ps_json_write_end_object(writer);
}

enum ps_status ps_report_write_groups(const struct ps_replies *replies,
                                      const struct ps_scored *scored, size_t count,
                                      struct ps_json_writer *writer, struct ps_error *error) {
    static const char *const headings[] = {"level", "subject"};
    struct grouped *grouped = ps_calloc(count + 1, sizeof *grouped);
    struct ps_result_problem *problems = ps_calloc(count + 1, sizeof *problems);
    enum ps_status status = PS_OK;
    PS_FAIL_DONE_IF(!grouped || !problems, error, PS_MEMORY, "out of memory");
    ps_json_write_key(writer, "groups");
    ps_json_write_begin_array(writer);
    for (size_t h = 0; h < 2; h++) {
        size_t size = 0;
        for (size_t i = 0; i < count; i++) {
            const struct ps_reply_entry *first = scored[i].first;
            const char *value = h ? first->subject : first->level;
            if (value) grouped[size++] = (struct grouped){value, &scored[i]};
        }
        if (size) qsort(grouped, size, sizeof *grouped, by_group_stable);
        for (size_t i = 0, set_end; i < size; i = set_end) {
            if (count_values(grouped, i, size, &set_end) > MOST_VALUES) continue;
            for (size_t j = i, end; j < set_end; j = end) {
                for (end = j; end < set_end && by_group(&grouped[j], &grouped[end]) == 0;) end++;
                write_group(replies, headings[h], grouped + j, end - j, problems, writer);
            }
        }
    }
    ps_json_write_end_array(writer);
done:
    ps_free(grouped);
    ps_free(problems);
    return status;
}
