/* How long replies are: for each model and data set the number of replies in bins of their tokens,
 * correct, wrong and cut ones apart. All models of a data set share the bins. These have equal
 * widths, or, where the longest reply is many times the median, equal ratios: half an octave. */
#include "pipelines/report/replies_internal.h"

#include <math.h>
#include <stdlib.h>

enum { BINS = 24, MOST_BINS = 64, LOGARITHMIC = 6 };

enum kind { CORRECT, WRONG, TRUNCATED, KINDS };

static enum kind kind_of(const struct ps_reply_entry *entry) {
    return entry->verdict == 'c' ? CORRECT : entry->verdict == 't' ? TRUNCATED : WRONG;
}

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Of sorted values. */
static double median(const int64_t *values, size_t count) {
    if (count == 0) return NAN;
    return ((double)values[(count - 1) / 2] + (double)values[count / 2]) / 2;
}

/* Fills edges[0 .. bins], of sorted tokens; returns bins. */
static size_t choose_edges(const int64_t *tokens, size_t count, double edges[MOST_BINS + 1]) {
    double least = (double)(tokens[0] > 0 ? tokens[0] : 1), most = (double)tokens[count - 1];
    size_t bins = 0;
    if (most > LOGARITHMIC * fmax(1, median(tokens, count))) {
        double first = floor(2 * log2(least));
        for (edges[0] = round(exp2(first / 2)); edges[bins] <= most && bins < MOST_BINS; bins++)
            edges[bins + 1] = fmax(edges[bins] + 1, round(exp2((first + (double)bins + 1) / 2)));
        return bins;
    }
    double rough = fmax(1, most / BINS), power = pow(10, floor(log10(rough))), width = power;
    static const double steps[] = {1, 2, 5, 10};
    for (size_t i = 0; i < 4 && width < rough; i++) width = steps[i] * power;
    edges[0] = floor(least / width) * width;
    for (; edges[bins] <= most && bins < MOST_BINS; bins++) edges[bins + 1] = edges[bins] + width;
    return bins;
}

static void write_counts(const char *key, const int64_t *counts, size_t bins,
                         struct ps_json_writer *writer) {
    ps_json_write_key(writer, key);
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < bins; i++) ps_json_write_integer(writer, counts[i]);
    ps_json_write_end_array(writer);
}

static void write_model(const struct ps_replies *replies, uint32_t set, uint32_t model,
                        const double *edges, size_t bins, int64_t *scratch,
                        struct ps_json_writer *writer) {
    int64_t counts[KINDS][MOST_BINS] = {0};
    double medians[KINDS];
    size_t all = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        size_t size = 0;
        for (size_t i = 0; i < replies->count; i++) {
            const struct ps_reply_entry *entry = &replies->items[i];
            if (entry->set != set || entry->model != model || kind_of(entry) != (enum kind)kind)
                continue;
            size_t bin = 0;
            while (bin + 1 < bins && (double)entry->tokens >= edges[bin + 1]) bin++;
            counts[kind][bin]++;
            scratch[size++] = entry->tokens;
        }
        if (size) qsort(scratch, size, sizeof *scratch, ascending);
        medians[kind] = median(scratch, size);
        all += size;
    }
    if (all == 0) return;
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "model", replies->models[model]);
    ps_json_put_string(writer, "dataset", replies->sets[set]);
    ps_json_write_key(writer, "edges");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i <= bins; i++) ps_json_write_integer(writer, (int64_t)edges[i]);
    ps_json_write_end_array(writer);
    write_counts("correct", counts[CORRECT], bins, writer);
    write_counts("wrong", counts[WRONG], bins, writer);
    write_counts("truncated", counts[TRUNCATED], bins, writer);
    ps_json_put_number(writer, "median_correct", medians[CORRECT]);
    ps_json_put_number(writer, "median_wrong", medians[WRONG]);
    ps_json_write_end_object(writer);
}

enum ps_status ps_report_write_lengths(const struct ps_replies *replies,
                                       struct ps_json_writer *writer, struct ps_error *error) {
    int64_t *scratch = ps_calloc(replies->count + 1, sizeof *scratch);
    PS_FAIL_IF_NULL(scratch, error);
    ps_json_write_key(writer, "lengths");
    ps_json_write_begin_array(writer);
    for (uint32_t set = 0; set < replies->set_count; set++) {
        double edges[MOST_BINS + 1];
        size_t size = 0;
        for (size_t i = 0; i < replies->count; i++)
            if (replies->items[i].set == set) scratch[size++] = replies->items[i].tokens;
        if (size == 0) continue;
        qsort(scratch, size, sizeof *scratch, ascending);
        size_t bins = choose_edges(scratch, size, edges);
        for (uint32_t model = 0; model < replies->model_count; model++)
            write_model(replies, set, model, edges, bins, scratch, writer);
    }
    ps_json_write_end_array(writer);
    ps_free(scratch);
    return PS_OK;
}
