/* potstill grade-pair: one gold and one answer, or a stream of them as JSON lines. */
#include "pipelines/commands/commands_internal.h"
#include "pipelines/commands/filter.h"

#include "grade/grade.h"

#include <stdio.h>
#include <string.h>

struct pair_flags {
    bool explain, jsonl, output;
    const char *profile, *question;
};
#define AT(member) offsetof(struct pair_flags, member)
static const struct ps_setting pair_items[] = {
    {"explain", PS_SETTING_BOOL, AT(explain), .help = "show each step"},
    {"jsonl", PS_SETTING_BOOL, AT(jsonl), .help = "read JSON lines on stdin, write one for each"},
    {"output", PS_SETTING_BOOL, AT(output),
     .help = "ANSWER is a model's whole output: find the answer in it"},
    {"profile", PS_SETTING_STRING, AT(profile), .fallback = "plain", .argument = "NAME",
     .help = "gsm8k, math, aime, choice or plain, or one of these with +last_number behind it"},
    {"question", PS_SETTING_STRING, AT(question), .argument = "TEXT",
     .help = "the question; a percent sign in it lets a percentage answer a fraction"},
};
static const struct ps_settings_table pair_table =
    PS_SETTINGS_TABLE("grade-pair", "For grade-pair.", pair_items, struct pair_flags);

enum { EXPLAIN_LIMIT = 64 << 10 };

static void write_grade(struct ps_json_writer *writer, const struct ps_grade *grade,
                        const char *explain) {
    const struct ps_extraction *e = &grade->extraction;
    ps_json_write_begin_object(writer);
    ps_json_write_key(writer, "verdict");
    ps_json_write_string(writer, ps_verdict_name(grade->verdict));
    ps_json_write_key(writer, "extracted");
    ps_json_write_string(writer, grade->extracted);
    ps_json_write_key(writer, "rule");
    ps_json_write_string(writer, ps_grade_rule_name(e->rule));
    ps_json_write_key(writer, "reason");
    ps_json_write_string(writer, grade->reason);
    ps_json_write_key(writer, "span");
    ps_json_write_begin_array(writer);
    ps_json_write_integer(writer, (int64_t)e->begin);
    ps_json_write_integer(writer, (int64_t)e->end);
    ps_json_write_end_array(writer);
    if (explain) {
        ps_json_write_key(writer, "explain");
        ps_json_write_string(writer, explain);
    }
    ps_json_write_end_object(writer);
}

/* Grades, and writes the result as an object. */
static enum ps_status grade_to_json(const struct ps_grade_input *input,
                                    const struct ps_grade_profile *profile, bool explain,
                                    struct ps_json_writer *writer, struct ps_error *error) {
    struct ps_grade grade;
    struct ps_buffer steps;
    ps_buffer_init(&steps, EXPLAIN_LIMIT);
    enum ps_status status = ps_grade(input, profile, &grade, explain ? &steps : NULL, error);
    if (status == PS_OK) write_grade(writer, &grade, steps.data);
    ps_grade_release(&grade);
    ps_buffer_release(&steps);
    return status;
}

/* A text of the line, or with scratch also a number; a missing or null one is absent. */
static enum ps_status member(const json_t *line, const char *key, struct ps_buffer *scratch,
                             struct ps_grade_text *text, struct ps_error *error) {
    json_t *value = ps_json_get(line, key);
    *text = (struct ps_grade_text){NULL, 0};
    if (!value) return PS_OK;
    if (json_is_string(value)) {
        *text = (struct ps_grade_text){json_string_value(value), json_string_length(value)};
        return PS_OK;
    }
    PS_FAIL_IF(!scratch, error, PS_FORMAT, "'%s' is not a text", key);
    PS_FAIL_IF(!json_is_number(value), error, PS_FORMAT, "'%s' is neither a text nor a number",
               key);
    PS_TRY(ps_json_dump(value, scratch, error));
    *text = (struct ps_grade_text){scratch->data, scratch->size};
    return PS_OK;
}

static enum ps_status grade_line(void *context, const json_t *line, struct ps_json_writer *writer,
                                 struct ps_error *error) {
    const struct pair_flags *flags = context;
    struct ps_grade_input input = {.gold = {NULL, 0}};
    struct ps_grade_profile profile;
    struct ps_grade_text answer;
    struct ps_buffer scratch[2];
    const char *name;
    enum ps_status status = PS_OK;
    for (int i = 0; i < 2; i++) ps_buffer_init(&scratch[i], 4096);
    PS_FAIL_DONE_IF(!json_object_get(line, "gold"), error, PS_FORMAT,
                    "'gold' is missing (null if there is none)");
    PS_TRY_DONE(ps_json_string_or(line, "profile", flags->profile, &name, error));
    PS_FAIL_DONE_IF(!ps_grade_profile(name, &profile), error, PS_FORMAT, "no profile '%s'", name);
    PS_TRY_DONE(ps_json_string_or(line, "finish_reason", NULL, &input.finish_reason, error));
    PS_TRY_DONE(member(line, "gold", &scratch[0], &input.gold, error));
    PS_TRY_DONE(member(line, "question", NULL, &input.question, error));
    PS_TRY_DONE(member(line, "output", NULL, &input.output, error));
    PS_TRY_DONE(member(line, "answer", &scratch[1], &answer, error));
    PS_FAIL_DONE_IF(!input.output.data == !answer.data, error, PS_FORMAT,
                    "a line has either an 'output' or an 'answer'");
    if (answer.data) {
        input.output = answer;
        input.answer_given = true;
    }
    PS_TRY_DONE(grade_to_json(&input, &profile, flags->explain, writer, error));
done:
    for (int i = 0; i < 2; i++) ps_buffer_release(&scratch[i]);
    return status;
}

static enum ps_status grade_one(const struct ps_call *call, const struct pair_flags *flags,
                                const struct ps_grade_profile *profile, struct ps_error *error) {
    struct ps_grade_input input = {.gold = ps_grade_text(call->arguments.items[0]),
                                   .output = ps_grade_text(call->arguments.items[1]),
                                   .question = ps_grade_text(flags->question),
                                   .answer_given = !flags->output};
    struct ps_grade grade;
    struct ps_buffer out;
    struct ps_json_writer writer;
    enum ps_status status;
    ps_buffer_init(&out, 1 << 20);
    if (call->json) {
        ps_json_writer_begin(&writer, &out);
        status = grade_to_json(&input, profile, flags->explain, &writer, error);
        if (status == PS_OK) status = ps_json_writer_end(&writer, error);
        if (status == PS_OK) puts(out.data);
        out.size = 0;
    } else {
        status = ps_grade(&input, profile, &grade, flags->explain ? &out : NULL, error);
        if (status == PS_OK && !flags->explain)
            printf("%s: %s\n", ps_verdict_name(grade.verdict), grade.reason);
        ps_grade_release(&grade);
    }
    if (status == PS_OK && out.size) fwrite(out.data, 1, out.size, stdout);
    ps_buffer_release(&out);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct pair_flags *flags = call->settings[0].values;
    struct ps_grade_profile profile;
    PS_FAIL_IF(
        !ps_grade_profile(flags->profile, &profile), error, PS_ARGUMENT,
        "--profile %s: there are gsm8k, math, aime, choice and plain, and each with +last_number "
        "behind it",
        flags->profile);
    if (flags->jsonl) {
        PS_FAIL_IF(call->arguments.count, error, PS_ARGUMENT,
                   "grade-pair --jsonl reads stdin and takes no GOLD and ANSWER");
        return ps_filter_lines(grade_line, (void *)flags, true, error);
    }
    PS_FAIL_IF(call->arguments.count != 2, error, PS_ARGUMENT,
               "usage: potstill grade-pair [--explain] GOLD ANSWER, or --jsonl");
    return grade_one(call, flags, &profile, error);
}

const struct ps_command ps_command_grade_pair = {
    .name = "grade-pair",
    .synopsis = "[--explain] GOLD ANSWER",
    .help = "grade an answer against a gold",
    .details = "With --jsonl a line is {\"gold\", \"output\"} with a model's whole text, or "
               "{\"gold\", \"answer\"};\n\"profile\", \"question\" and \"finish_reason\" may "
               "stand beside them. The answer to a line is\n{\"verdict\", \"extracted\", "
               "\"rule\", \"reason\", \"span\"}, or {\"error\"} and the rest goes on.\nAn ANSWER "
               "that begins with a minus sign stands behind --.",
    .tables = {&pair_table},
    .maximum_arguments = 2,
    .run = run,
};
