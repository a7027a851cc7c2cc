/* The import stage: replies that one has already. Those of files, or a data set's worked solutions,
 * or its bare answers as a control, become traces of a source of their own, so that everything
 * behind sampling works on them. They are kept as a selection under the stage's fingerprint, as
 * those of select are. */

#include "pipelines/stages/prompts.h"
#include "pipelines/stages/stages_internal.h"

#include "base/file.h"
#include "base/log.h"
#include "base/stop.h"
#include "pipelines/stages/import_file.h"

#include <string.h>

enum target { TARGET_SOLUTION, TARGET_ANSWER };

struct import_settings {
    struct ps_strings dataset, file;
    const char *prompt, *source, *name, *requests, *prompt_key, *completion_key;
    int target;
};
#define AT(member) offsetof(struct import_settings, member)
static const char *const targets[] = {"solution", "answer", NULL};
static const struct ps_setting items[] = {
    {"dataset", PS_SETTING_STRINGS, AT(dataset), .refers = "dataset", .identity = true,
     .help = "the sets whose own solutions or answers become replies"},
    {"target", PS_SETTING_ENUM, AT(target), "solution", .names = targets, .identity = true,
     .help = "the worked solution, or the bare answer as \\boxed{answer}"},
    {"prompt", PS_SETTING_STRING, AT(prompt), .refers = "prompt", .identity = true,
     .help = "how a set's questions are put; by default as the data set says"},
    {"file", PS_SETTING_STRINGS, AT(file), .refers = "file", .identity = true,
     .help = "instead of sets: files of replies, as potstill traces import takes them"},
    {"source", PS_SETTING_STRING, AT(source), .identity = true,
     .help = "who replied in the files; by default each line's \"model\", else import"},
    {"name", PS_SETTING_STRING, AT(name), .identity = true, .argument = "NAME[/SPLIT]",
     .help = "the data set of their lines that name none"},
    {"requests", PS_SETTING_STRING, AT(requests), .refers = "file", .identity = true,
     .help = "what a batch was asked, where the files are its results"},
    {"prompt_key", PS_SETTING_STRING, AT(prompt_key), .identity = true,
     .help = "the key that holds the prompt, in files of one's own form"},
    {"completion_key", PS_SETTING_STRING, AT(completion_key), .identity = true,
     .help = "the key that holds the reply"},
};
static const struct ps_settings_table import_table = PS_SETTINGS_TABLE(
    "import", "Takes replies that are there already.", items, struct import_settings);

/* What a run works with. */
struct import {
    const struct ps_stage_context *context;
    const struct import_settings *settings;
    struct ps_store *store;
    int64_t source, sampler, provenance;
    int64_t *traces; /* of the selection */
    size_t count, capacity;
    int64_t added, without;   /* without: rows that have no such target */
    int64_t rejected, failed; /* of files */
};

static enum ps_status put_identities(struct import *import, const char *what,
                                     struct ps_error *error) {
    char source[256];
    snprintf(source, sizeof source, "{\"imported\":\"%s\"}", what);
    PS_TRY(ps_store_put_source(import->store, "import", source, &import->source, NULL, error));
    PS_TRY(ps_store_put_sampler(import->store, "{}", &import->sampler, NULL, error));
    return ps_store_put_provenance(import->store,
                                   "{\"engine\":\"import\",\"version\":\"" PS_VERSION "\"}",
                                   &import->provenance, error);
}

static enum ps_status add_to_selection(void *context, int64_t trace, struct ps_error *error) {
    struct import *import = context;
    if (import->count == import->capacity) {
        size_t capacity = import->capacity ? 2 * import->capacity : 1024;
        int64_t *more = ps_realloc(import->traces, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        import->traces = more;
        import->capacity = capacity;
    }
    import->traces[import->count++] = trace;
    return PS_OK;
}

static enum ps_status put_reply(struct import *import, int64_t prompt, int64_t sample,
                                struct ps_reply reply, struct ps_error *error) {
    struct ps_store_trace trace = {.key = {prompt, import->source, import->sampler, sample},
                                   .provenance = import->provenance,
                                   .reasoning = reply.reasoning,
                                   .reasoning_size = reply.reasoning_size,
                                   .content = reply.content,
                                   .content_size = reply.content_size,
                                   .finish = PS_STORE_STOP};
    enum ps_store_put outcome;
    int64_t id;
    PS_TRY(ps_store_put_trace(import->store, &trace, &id, &outcome, error));
    PS_TRY(add_to_selection(import, id, error));
    import->added += outcome != PS_STORE_ALREADY;
    return ps_store_flush_due(import->store, error);
}

static enum ps_status import_row(struct import *import, const struct ps_prompter *prompter,
                                 const struct ps_dataset_row *row, struct ps_error *error) {
    bool bare = import->settings->target == TARGET_ANSWER;
    const char *target = bare ? row->gold : row->solution;
    struct ps_rendered_prompt rendered;
    struct ps_store_item item;
    struct ps_arena arena;
    if (!target) {
        import->without++;
        return PS_OK;
    }
    ps_arena_init(&arena, 64 << 20);
    enum ps_status status = ps_prompter_render(prompter, row, &rendered, error);
    if (status == PS_OK) status = ps_stage_item(row, &arena, &item, error);
    if (status == PS_OK)
        status = ps_store_put_prompt(import->store, rendered.conversation.data, &item.prompt, NULL,
                                     error);
    if (status == PS_OK) status = ps_store_put_item(import->store, &item, NULL, error);
    const char *reply = bare ? ps_arena_format(&arena, "\\boxed{%s}", target) : target;
    if (status == PS_OK && !reply) status = ps_error_set(error, PS_MEMORY, "out of memory");
    if (status == PS_OK)
        status = put_reply(import, item.prompt, 0,
                           ps_reply_split(reply, strlen(reply), rendered.thought), error);
    ps_rendered_prompt_release(&rendered);
    ps_arena_release(&arena);
    return status;
}

/* Rows of a set that a run takes. */
static enum ps_status rows_of(const struct ps_stage_context *context, const char *name,
                              const struct ps_dataset **dataset, size_t *rows,
                              struct ps_error *error) {
    PS_TRY(ps_dataset_get(context->catalog, name, dataset, error));
    *rows = (*dataset)->count;
    if (context->limit && *rows > (size_t)context->limit) *rows = (size_t)context->limit;
    return PS_OK;
}

static enum ps_status import_rows(struct import *import, const struct ps_prompter *prompter,
                                  struct ps_error *error) {
    const struct ps_stage_context *context = import->context;
    const struct ps_strings *names = &import->settings->dataset;
    const struct ps_dataset *dataset;
    size_t rows, total = 0, done = 0;
    for (size_t d = 0; d < names->count; d++) {
        PS_TRY(rows_of(context, names->items[d], &dataset, &rows, error));
        total += rows;
    }
    ps_progress_begin(context->progress, context->stage->id, "rows", 0, total);
    for (size_t d = 0; d < names->count; d++) {
        PS_TRY(rows_of(context, names->items[d], &dataset, &rows, error));
        for (size_t i = 0; i < rows; i++) {
            PS_TRY(ps_stop_check(error));
            PS_TRY(import_row(import, prompter, &dataset->rows[i], error));
            ps_progress_update(context->progress, ++done, "%s", names->items[d]);
        }
    }
    return PS_OK;
}

/* Close it, also after a failure. */
static enum ps_status open_prompter(struct ps_prompter *prompter,
                                    const struct ps_stage_context *context,
                                    struct ps_error *error) {
    const struct import_settings *settings = context->settings;
    return ps_prompter_open(
        prompter, context,
        settings->prompt ? ps_pipeline_prompt(context->pipeline, settings->prompt) : NULL, NULL,
        error);
}

static enum ps_status import_datasets(struct import *import, struct ps_error *error) {
    struct ps_prompter prompter;
    PS_TRY(put_identities(import, targets[import->settings->target], error));
    enum ps_status status = open_prompter(&prompter, import->context, error);
    if (status == PS_OK) status = import_rows(import, &prompter, error);
    ps_prompter_close(&prompter);
    PS_TRY(status);
    PS_FAIL_IF(import->count == 0, error, PS_ARGUMENT, "the data sets have no %s to import",
               targets[import->settings->target]);
    return PS_OK;
}

/* ---- files ---- */

static void warn(void *context, const char *why) {
    (void)context;
    ps_log_warning("%s", why);
}

static void tell(void *context, size_t lines) {
    struct import *import = context;
    ps_progress_update(import->context->progress, lines, NULL);
}

static enum ps_status import_files(struct import *import, struct ps_error *error) {
    const struct import_settings *settings = import->settings;
    struct ps_import_counts counts = {0};
    struct ps_import job = {
        .store = import->store,
        .catalog = import->context->catalog,
        .format = {settings->prompt_key, settings->completion_key, settings->requests},
        .source = settings->source,
        .dataset = settings->name,
        .rejected = warn,
        .imported = add_to_selection,
        .progress = tell,
        .context = import};
    for (size_t i = 0; i < settings->file.count; i++) {
        ps_progress_begin(import->context->progress, import->context->stage->id, "lines", 0, 0);
        PS_TRY(ps_import_file(&job, settings->file.items[i], &counts, error));
    }
    import->added = counts.added;
    import->rejected = counts.rejected;
    import->failed = counts.failed;
    PS_FAIL_IF(import->count == 0, error, PS_ARGUMENT, "the files have no reply to import");
    return PS_OK;
}

/* ---- the stage ---- */

/* What the stage's selection has in the store; two rows can have led to one trace. */
static enum ps_status count_kept(const struct ps_stage_context *context, struct ps_store *store,
                                 struct ps_store_stats *kept, struct ps_error *error) {
    struct ps_store_filter filter = {.selection = context->stage->fingerprint};
    return ps_store_stats(store, &filter, kept, error);
}

static enum ps_status finish(struct import *import, struct ps_error *error) {
    const struct ps_stage_context *context = import->context;
    struct ps_stage_result file;
    struct ps_store_stats kept;
    PS_TRY(ps_store_put_selection(import->store, context->stage->fingerprint, "{}", import->traces,
                                  import->count, error));
    PS_TRY(ps_store_flush(import->store, error));
    PS_TRY(count_kept(context, import->store, &kept, error));
    ps_stage_result_begin(&file);
    ps_json_put_integer(&file.writer, "prompts", kept.prompts);
    ps_json_put_integer(&file.writer, "traces", kept.traces);
    ps_json_put_integer(&file.writer, "added", import->added);
    if (import->settings->file.count) {
        ps_json_put_integer(&file.writer, "rejected", import->rejected);
        ps_json_put_integer(&file.writer, "failed", import->failed);
    } else {
        ps_json_put_integer(&file.writer, "without_target", import->without);
    }
    return ps_stage_result_end(&file, context, error);
}

static enum ps_status run(const struct ps_stage_context *context, struct ps_error *error) {
    struct import import = {.context = context, .settings = context->settings};
    PS_TRY(ps_store_open(&import.store, context->pipeline->values.store, PS_STORE_CREATE, error));
    enum ps_status status = import.settings->file.count ? import_files(&import, error)
                                                        : import_datasets(&import, error);
    if (status == PS_OK) status = finish(&import, error);
    ps_store_close(import.store);
    ps_free(import.traces);
    return status;
}

static enum ps_status check_rows(const struct ps_stage_context *context,
                                 const struct ps_prompter *prompter, struct ps_error *error) {
    const struct import_settings *settings = context->settings;
    PS_FAIL_IF((settings->file.count > 0) == (settings->dataset.count > 0), error, PS_ARGUMENT,
               "it wants either 'file' or 'dataset'");
    for (size_t i = 0; i < settings->file.count; i++)
        PS_FAIL_IF(!ps_file_exists(settings->file.items[i]), error, PS_NOT_FOUND,
                   "there is no file '%s'", settings->file.items[i]);
    for (size_t d = 0; d < settings->dataset.count; d++) {
        const struct ps_dataset *dataset;
        struct ps_rendered_prompt rendered;
        PS_TRY(ps_dataset_get(context->catalog, settings->dataset.items[d], &dataset, error));
        PS_FAIL_IF(dataset->count == 0, error, PS_ARGUMENT, "data set '%s' is empty",
                   dataset->name);
        enum ps_status status = ps_prompter_render(prompter, &dataset->rows[0], &rendered, error);
        ps_rendered_prompt_release(&rendered);
        PS_TRY(status);
    }
    return PS_OK;
}

static enum ps_status check(const struct ps_stage_context *context, struct ps_error *error) {
    struct ps_prompter prompter;
    enum ps_status status = open_prompter(&prompter, context, error);
    if (status == PS_OK) status = check_rows(context, &prompter, error);
    ps_prompter_close(&prompter);
    return status;
}

/* The traces that the last run kept; 0 when its result cannot be read. */
static int64_t last_kept(const struct ps_stage_context *context) {
    const char *path = ps_path_join(context->arena, context->directory, "result.json");
    json_t *json = NULL;
    int64_t traces = 0;
    if (!path || ps_json_read_file(path, 1 << 20, &json, NULL) != PS_OK) return 0;
    ps_json_integer_or(json, "traces", 0, INT64_MAX, 0, &traces, NULL);
    json_decref(json);
    return traces;
}

static enum ps_status plan(const struct ps_stage_context *context, struct ps_stage_plan *plan,
                           struct ps_error *error) {
    const char *path = context->pipeline->values.store;
    struct ps_store *store;
    struct ps_store_stats kept;
    int64_t before;
    if (!plan->up_to_date) return PS_OK;
    plan->up_to_date = false;
    if (!ps_file_exists(path)) {
        ps_stage_plan_why(plan, "the store is gone");
        return PS_OK;
    }
    PS_TRY(ps_store_open(&store, path, PS_STORE_READ, error));
    enum ps_status status = count_kept(context, store, &kept, error);
    ps_store_close(store);
    PS_TRY(status);
    before = last_kept(context);
    plan->up_to_date = before > 0 && kept.traces >= before;
    if (!plan->up_to_date)
        ps_stage_plan_why(plan, "the store has %lld of %lld traces", (long long)kept.traces,
                          (long long)before);
    return PS_OK;
}

const struct ps_stage_kind ps_stage_import = {
    .name = "import",
    .help = "takes replies of files, or a data set's own solutions or answers",
    .settings = &import_table,
    .check = check,
    .plan = plan,
    .run = run,
};
