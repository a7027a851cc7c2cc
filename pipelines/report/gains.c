/* Difficulty against gain: problems binned by the share of correct replies that a judge of their
 * difficulty gave, and in each bin the student's accuracy less the base's.
 *
 * The judge is the teacher where there is one. Binning by the base itself would show what chance
 * alone makes: problems that the base got right by luck look like losses, and those it missed by
 * bad luck like gains (regression to the mean); that is done only where there is no teacher, and
 * the page says so. Intervals are those of paired differences (results.h). */
#include "pipelines/report/replies_internal.h"

#include <string.h>

enum { BINS = 6 };

/* Shares at the ends are bins of their own: solved never, and always. */
static const struct {
    double low, high;
} bounds[BINS] = {{0, 0}, {0, .25}, {.25, .5}, {.5, .75}, {.75, 1}, {1, 1}};

static size_t bin_of(const struct ps_result_problem *problem) {
    double share = (double)problem->correct / (double)problem->samples;
    if (problem->correct == 0) return 0;
    if (problem->correct == problem->samples) return BINS - 1;
    return share <= .25 ? 1 : share <= .5 ? 2 : share <= .75 ? 3 : 4;
}

/* The model of this role on a data set; -1: none. */
static int64_t model_of(const struct ps_report *report, const struct ps_replies *replies,
                        const char *set, const char *role) {
    for (size_t i = 0; i < report->result_count; i++) {
        const struct ps_result *result = &report->results[i];
        if (strcmp(result->dataset, set) != 0 || strcmp(result->role, role) != 0) continue;
        for (size_t m = 0; m < replies->model_count; m++)
            if (strcmp(replies->models[m], result->model) == 0) return (int64_t)m;
    }
    return -1;
}

struct bins {
    struct ps_result_problem *student[BINS], *base[BINS];
    size_t count[BINS];
};

/* Problems that all three have, by the judge's bin. */
static void fill(const struct ps_scored *scored, size_t count, uint32_t set,
                 const int64_t models[3], struct bins *bins) {
    for (size_t i = 0, end; i < count; i = end) {
        const struct ps_result_problem *found[3] = {0};
        for (end = i;
             end < count && ps_replies_compare_problem(scored[end].first, scored[i].first) == 0;
             end++)
            for (size_t m = 0; m < 3; m++)
                if (scored[end].first->model == models[m]) found[m] = &scored[end].problem;
        if (scored[i].first->set != set || !found[0] || !found[1] || !found[2]) continue;
        size_t bin = bin_of(found[0]), at = bins->count[bin]++;
        bins->student[bin][at] = *found[1];
        bins->base[bin][at] = *found[2];
    }
}

static double mean_rate(const struct ps_result_problem *problems, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)problems[i].correct / (double)problems[i].samples;
    return sum / (double)count;
}

static enum ps_status write_bin(const struct bins *bins, size_t bin, struct ps_json_writer *writer,
                                struct ps_error *error) {
    struct ps_result_pair pair;
    size_t count = bins->count[bin];
    if (count == 0) return PS_OK;
    PS_TRY(ps_result_compare(bins->student[bin], bins->base[bin], count, &pair, error));
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"student_rate", mean_rate(bins->student[bin], count)},
                   {"base_rate", mean_rate(bins->base[bin], count)},
                   {"difference", pair.difference},
                   {"difference_low", pair.low},
                   {"difference_high", pair.high}};
    ps_json_write_begin_object(writer);
    ps_json_put_number(writer, "low", bounds[bin].low);
    ps_json_put_number(writer, "high", bounds[bin].high);
    ps_json_put_integer(writer, "problems", (int64_t)count);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        ps_json_put_number(writer, numbers[i].key, numbers[i].value);
    ps_json_write_end_object(writer);
    return PS_OK;
}

/* models: judge, student, base. */
static enum ps_status write_set(const struct ps_replies *replies, const struct ps_scored *scored,
                                size_t count, uint32_t set, const int64_t models[3],
                                struct ps_json_writer *writer, struct ps_error *error) {
    struct bins bins = {0};
    struct ps_result_problem *room = ps_calloc(2 * BINS * (count + 1), sizeof *room);
    PS_FAIL_IF_NULL(room, error);
    for (size_t i = 0; i < BINS; i++) {
        bins.student[i] = room + 2 * i * (count + 1);
        bins.base[i] = room + (2 * i + 1) * (count + 1);
    }
    fill(scored, count, set, models, &bins);
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "dataset", replies->sets[set]);
    ps_json_put_string(writer, "by", replies->models[models[0]]);
    ps_json_put_string(writer, "student", replies->models[models[1]]);
    ps_json_put_string(writer, "base", replies->models[models[2]]);
    ps_json_write_key(writer, "bins");
    ps_json_write_begin_array(writer);
    enum ps_status status = PS_OK;
    for (size_t i = 0; i < BINS && status == PS_OK; i++)
        status = write_bin(&bins, i, writer, error);
    ps_json_write_end_array(writer);
    ps_json_write_end_object(writer);
    ps_free(room);
    return status;
}

enum ps_status ps_report_write_gains(const struct ps_report *report,
                                     const struct ps_replies *replies,
                                     const struct ps_scored *scored, size_t count,
                                     struct ps_json_writer *writer, struct ps_error *error) {
    ps_json_write_key(writer, "gains");
    ps_json_write_begin_array(writer);
    for (uint32_t set = 0; set < replies->set_count && report->run_count == 1; set++) {
        const char *name = replies->sets[set];
        int64_t models[3] = {model_of(report, replies, name, "teacher"),
                             model_of(report, replies, name, "student"),
                             model_of(report, replies, name, "base")};
        if (models[0] < 0) models[0] = models[2];
        if (models[1] < 0 || models[2] < 0) continue;
        PS_TRY(write_set(replies, scored, count, set, models, writer, error));
    }
    ps_json_write_end_array(writer);
    return PS_OK;
}
