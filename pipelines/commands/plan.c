/* potstill plan: what a run would do, and why. */
#include "pipelines/commands/commands_internal.h"
#include "pipelines/commands/pipeline_options.h"

#include "base/progress.h"

#include <math.h>
#include <stdio.h>

static const char *bytes_text(int64_t bytes, char text[32]) {
    const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    snprintf(text, 32, "%.3g %s", value, units[unit]);
    return text;
}

static void print_plan(const struct ps_stage *stage, const struct ps_stage_plan *plan) {
    char text[32];
    printf("  %-16s %-10s", stage->id, plan->up_to_date ? "up to date" : "to run");
    if (!plan->up_to_date && plan->why[0]) printf("  %s", plan->why);
    if (!plan->up_to_date) {
        if (!isnan(plan->seconds)) printf("; time %s", ps_progress_duration(plan->seconds, text));
        if (plan->tokens != PS_UNSET_INTEGER) printf("; %lld tokens", (long long)plan->tokens);
        if (plan->memory != PS_UNSET_INTEGER) printf("; memory %s", bytes_text(plan->memory, text));
        if (plan->disk != PS_UNSET_INTEGER) printf("; disk %s", bytes_text(plan->disk, text));
        if (!isnan(plan->money)) printf("; $%.2f", plan->money);
    }
    printf("\n");
}

static void write_integer(struct ps_json_writer *writer, const char *key, int64_t value) {
    ps_json_write_key(writer, key);
    if (value == PS_UNSET_INTEGER)
        ps_json_write_null(writer);
    else
        ps_json_write_integer(writer, value);
}

static void write_plan(const struct ps_stage *stage, const struct ps_stage_plan *plan,
                       struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    ps_json_write_key(writer, "id");
    ps_json_write_string(writer, stage->id);
    ps_json_write_key(writer, "kind");
    ps_json_write_string(writer, stage->kind->name);
    ps_json_write_key(writer, "directory");
    ps_json_write_string(writer, stage->directory);
    ps_json_write_key(writer, "up_to_date");
    ps_json_write_bool(writer, plan->up_to_date);
    ps_json_write_key(writer, "why");
    ps_json_write_string(writer, plan->why);
    ps_json_write_key(writer, "seconds");
    ps_json_write_number(writer, plan->seconds);
    write_integer(writer, "tokens", plan->tokens);
    write_integer(writer, "memory", plan->memory);
    write_integer(writer, "disk", plan->disk);
    ps_json_write_key(writer, "money");
    ps_json_write_number(writer, plan->money);
    ps_json_write_end_object(writer);
}

static enum ps_status show(const struct ps_call *call, const struct ps_pipeline *pipeline,
                           const struct ps_stage_plan *plans, struct ps_error *error) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 16 << 20);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_array(&writer);
    if (!call->json) printf("%s\n", pipeline->run_directory);
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        if (!call->json) print_plan(&pipeline->stages[i], &plans[i]);
        write_plan(&pipeline->stages[i], &plans[i], &writer);
    }
    ps_json_write_end_array(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK && call->json) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct ps_pipeline pipeline;
    PS_TRY(ps_load_pipeline(call, &pipeline, error));
    struct ps_stage_plan *plans = ps_arena_array(call->arena, pipeline.stage_count, sizeof *plans);
    enum ps_status status = plans ? ps_pipeline_fingerprint(&pipeline, error)
                                  : ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK) status = ps_pipeline_plan(&pipeline, plans, error);
    if (status == PS_OK) status = show(call, &pipeline, plans, error);
    ps_pipeline_close(&pipeline);
    return status;
}

const struct ps_command ps_command_plan = {
    .name = "plan",
    .synopsis = "FILE",
    .help = "what would run and why, with estimated time, memory, disk, tokens and money",
    .tables = {&ps_pipeline_flags_table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
