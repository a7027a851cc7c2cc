/* The select stage: chooses the traces that are trained on and keeps them in the store, as a
 * selection under the stage's fingerprint. */

#include "pipelines/stages/select_traces.h"
#include "pipelines/stages/stages_internal.h"

#include "base/file.h"
#include "base/log.h"

#include <string.h>

static const char *const consumes[] = {"sample", "import", "grade", NULL};

static enum ps_status check(const struct ps_stage_context *context, struct ps_error *error) {
    struct ps_store_filter *filters;
    size_t count;
    PS_TRY(ps_select_check(context->settings, error));
    return ps_stage_trace_filters(context, &filters, &count, error);
}

/* ---- up to date? ---- */

/* What the last run was made from, as result.json says; "" when there is none. */
static enum ps_status read_state(const struct ps_stage_context *context,
                                 char state[PS_HASH_HEX_SIZE], struct ps_error *error) {
    json_t *result;
    const char *text;
    char *path = ps_path_join(context->arena, context->directory, "result.json");
    PS_FAIL_IF_NULL(path, error);
    state[0] = 0;
    if (!ps_file_exists(path)) return PS_OK;
    PS_TRY(ps_json_read_file(path, 1 << 20, &result, error));
    enum ps_status status = ps_json_string_or(result, "state", "", &text, error);
    if (status == PS_OK) snprintf(state, PS_HASH_HEX_SIZE, "%s", text);
    json_decref(result);
    return status;
}

static enum ps_status present_state(const struct ps_stage_context *context, struct ps_store *store,
                                    char state[PS_HASH_HEX_SIZE], struct ps_error *error) {
    struct ps_store_filter *filters;
    struct ps_hash hash;
    size_t count;
    PS_TRY(ps_stage_trace_filters(context, &filters, &count, error));
    PS_TRY(ps_select_state(store, filters, count, &hash, error));
    ps_hash_hex(&hash, state);
    return PS_OK;
}

static enum ps_status plan(const struct ps_stage_context *context, struct ps_stage_plan *plan,
                           struct ps_error *error) {
    struct ps_store *store;
    char before[PS_HASH_HEX_SIZE], now[PS_HASH_HEX_SIZE] = "";
    if (!plan->up_to_date) return PS_OK;
    plan->up_to_date = false;
    if (!ps_file_exists(context->pipeline->values.store)) {
        ps_stage_plan_why(plan, "the store is gone");
        return PS_OK;
    }
    PS_TRY(read_state(context, before, error));
    PS_TRY(ps_store_open(&store, context->pipeline->values.store, PS_STORE_READ, error));
    enum ps_status status = present_state(context, store, now, error);
    ps_store_close(store);
    PS_TRY(status);
    plan->up_to_date = strcmp(before, now) == 0;
    if (!plan->up_to_date) ps_stage_plan_why(plan, "traces or verdicts have changed");
    return PS_OK;
}

/* ---- run ---- */

static enum ps_status settings_text(const struct ps_stage_context *context, struct ps_buffer *text,
                                    struct ps_error *error) {
    struct ps_settings part = {&ps_select_table, (void *)context->settings};
    struct ps_json_writer writer;
    ps_json_writer_begin(&writer, text);
    ps_settings_write(&part, 1, true, &writer);
    return ps_json_writer_end(&writer, error);
}

static enum ps_status keep(const struct ps_stage_context *context, struct ps_store *store,
                           const struct ps_selection *selection, struct ps_error *error) {
    struct ps_buffer settings;
    ps_buffer_init(&settings, 1 << 20);
    enum ps_status status = settings_text(context, &settings, error);
    if (status == PS_OK)
        status = ps_store_put_selection(store, context->stage->fingerprint, settings.data,
                                        selection->traces, (size_t)selection->kept, error);
    if (status == PS_OK) status = ps_store_flush(store, error);
    ps_buffer_release(&settings);
    return status;
}

static enum ps_status write_result(const struct ps_stage_context *context,
                                   const struct ps_selection *selection, const char *state,
                                   struct ps_error *error) {
    struct ps_stage_result file;
    char hash[PS_HASH_HEX_SIZE];
    ps_stage_result_begin(&file);
    ps_selection_write(selection, &file.writer);
    ps_json_put_string(&file.writer, "selection", context->stage->fingerprint);
    ps_json_put_string(&file.writer, "state", state);
    ps_json_put_string(&file.writer, "hash", ps_hash_hex(&selection->hash, hash));
    return ps_stage_result_end(&file, context, error);
}

static enum ps_status run(const struct ps_stage_context *context, struct ps_error *error) {
    struct ps_store *store;
    struct ps_store_filter *filters;
    struct ps_selection selection = {0};
    size_t count;
    char state[PS_HASH_HEX_SIZE];
    PS_TRY(ps_stage_trace_filters(context, &filters, &count, error));
    PS_TRY(ps_store_open(&store, context->pipeline->values.store, PS_STORE_WRITE, error));
    enum ps_status status = ps_select_traces(store, context->settings, filters, count,
                                             context->seed, &selection, error);
    if (status == PS_OK) status = present_state(context, store, state, error);
    if (status == PS_OK) status = keep(context, store, &selection, error);
    ps_store_close(store);
    if (status == PS_OK) status = write_result(context, &selection, state, error);
    if (status == PS_OK)
        ps_log_note("%s: keeps %lld of %lld traces, of %lld questions", context->stage->id,
                    (long long)selection.kept, (long long)selection.considered,
                    (long long)selection.questions);
    ps_selection_release(&selection);
    return status;
}

const struct ps_stage_kind ps_stage_select = {
    .name = "select",
    .help = "chooses the traces that are trained on",
    .settings = &ps_select_table,
    .consumes = consumes,
    .check = check,
    .plan = plan,
    .run = run,
};
