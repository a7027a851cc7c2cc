/* What each stage took: its time by the clock, its tokens, and money where a stage records some.
 *
 * "done" has the seconds of the last call, which a resumed stage did only a part of its work in;
 * rates are those that the stages measured themselves over what they did in that call. */
#include "pipelines/report/report_internal.h"

#include <math.h>
#include <string.h>

struct cost {
    double seconds, prompt_tokens, output_tokens, rate, money; /* NAN: not known */
};

static double number(const json_t *object, const char *key) {
    json_t *value = ps_json_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Replies of the evaluation in this folder. */
static double evaluated_tokens(const struct ps_report *report, const char *directory) {
    double tokens = 0;
    for (size_t i = 0; i < report->evaluation_count; i++) {
        const struct ps_report_evaluation *evaluation = &report->evaluations[i];
        if (evaluation->place != directory) continue;
        for (size_t j = 0; j < evaluation->result_count; j++) {
            const struct ps_result *result = &evaluation->results[j];
            tokens += round(result->mean_tokens * (double)(result->problems * result->samples));
        }
    }
    return tokens;
}

static void fill(const struct ps_report *report, const struct ps_report_stage *stage,
                 const json_t *result, struct cost *cost) {
    const json_t *now = ps_json_get(result, "this_run");
    if (strcmp(stage->kind, "sample") == 0) {
        cost->prompt_tokens = number(result, "prompt_tokens");
        cost->output_tokens = number(result, "output_tokens");
        cost->rate = number(now, "output_tokens") / number(now, "seconds");
    } else if (strcmp(stage->kind, "train") == 0) {
        cost->prompt_tokens = number(result, "tokens");
    } else if (strcmp(stage->kind, "evaluate") == 0) {
        cost->output_tokens = evaluated_tokens(report, stage->directory);
    }
    cost->money = number(result, "money");
}

enum ps_status ps_report_write_costs(struct ps_report *report, const struct ps_report_run *run,
                                     struct ps_json_writer *writer, struct ps_error *error) {
    ps_json_write_key(writer, "costs");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < run->stage_count; i++) {
        const struct ps_report_stage *stage = &run->stages[i];
        struct cost cost = {NAN, NAN, NAN, NAN, NAN};
        json_t *done, *result = NULL;
        if (strcmp(stage->kind, "report") == 0) continue;
        PS_TRY(ps_report_read(report, stage->directory, "done", &done, error));
        enum ps_status status =
            ps_report_read(report, stage->directory, "result.json", &result, error);
        cost.seconds = number(done, "seconds");
        fill(report, stage, result, &cost);
        ps_json_write_begin_object(writer);
        ps_json_put_string(writer, "stage", stage->id);
        ps_json_put_string(writer, "kind", stage->kind);
        ps_json_put_number(writer, "seconds", cost.seconds);
        ps_json_put_number(writer, "prompt_tokens", cost.prompt_tokens);
        ps_json_put_number(writer, "output_tokens", cost.output_tokens);
        ps_json_put_number(writer, "tokens_per_second", cost.rate);
        ps_json_put_number(writer, "money", cost.money);
        ps_json_write_end_object(writer);
        json_decref(done);
        json_decref(result);
        PS_TRY(status);
    }
    ps_json_write_end_array(writer);
    return PS_OK;
}
