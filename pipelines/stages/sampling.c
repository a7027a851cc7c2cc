#include "pipelines/stages/sampling.h"

#include "base/file.h"
#include "base/log.h"
#include "pipelines/stages/show.h"
#include "pipelines/stages/training.h"

#include <string.h>

const char *const ps_sampling_precisions[] = {"auto", "f32", "bf16", NULL};

static struct ps_sample_sampler sampler_of(const struct ps_sampling *sampling) {
    const struct ps_sampling_settings *settings = sampling->settings;
    return (struct ps_sample_sampler){.temperature = settings->temperature,
                                      .top_p = settings->top_p,
                                      .min_p = settings->min_p,
                                      .top_k = settings->top_k,
                                      .seed = sampling->prompter->context->seed,
                                      .thinking =
                                          sampling->budget ? &sampling->budget->thinking : NULL};
}

/* ---- names ---- */

/* A stage's model that is made carries its own template; one that is not will carry what its
 * training says, or what it starts from has. */
static enum ps_status stage_model(const struct ps_stage_context *context,
                                  const struct ps_model_reference *reference,
                                  struct ps_sampling_model *model, struct ps_error *error) {
    const struct ps_stage *stage = reference->stage;
    const struct ps_train_settings *settings = stage->settings;
    if (ps_stage_is_done(stage)) { /* else the folder may be half of one: the stage was killed */
        *model = (struct ps_sampling_model){reference->path, {reference->path, NULL, -1}};
    } else {
        PS_TRY(ps_sampling_model(context, settings->model, model, error));
        model->folder = NULL;
        if (settings->template) model->reader.template = settings->template;
    }
    model->reader.thinking = settings->thinking;
    return PS_OK;
}

enum ps_status ps_sampling_model(const struct ps_stage_context *context, const char *name,
                                 struct ps_sampling_model *model, struct ps_error *error) {
    struct ps_model_reference reference;
    PS_TRY(ps_pipeline_resolve_model(context->pipeline, name, context->arena, &reference, error));
    if (reference.stage) return stage_model(context, &reference, model, error);
    PS_FAIL_IF(reference.model->url, error, PS_UNSUPPORTED,
               "the model '%s' is served: sampling from a server is not built yet", name);
    PS_FAIL_IF(!reference.model->path, error, PS_UNSUPPORTED,
               "the model '%s' has random weights; write them to a folder with 'potstill model "
               "init' and put its tokenizer beside them",
               name);
    *model = (struct ps_sampling_model){reference.path,
                                        {reference.path, NULL, reference.model->thinking}};
    return PS_OK;
}

const char *ps_string_map_get(const struct ps_string_map *map, const char *key) {
    const char *fallback = NULL;
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->items[i].key, key) == 0) return map->items[i].value;
        if (strcmp(map->items[i].key, "default") == 0) fallback = map->items[i].value;
    }
    return fallback;
}

/* ---- before the run ---- */

/* The first row of each set, with ids. */
static enum ps_status check_first(const struct ps_sampling *sampling, const struct ps_local *local,
                                  struct ps_error *error) {
    struct ps_sampling_prompts prompts;
    PS_TRY(ps_sampling_render_first(sampling, local->tokenizer, 1, &prompts, error));
    for (size_t i = 0; i < prompts.count; i++)
        PS_FAIL_IF(prompts.items[i].count >= (size_t)local->config->max_positions, error,
                   PS_ARGUMENT,
                   "%s: the first prompt has %zu tokens; the model's %lld positions leave no room "
                   "for a reply",
                   sampling->name, prompts.items[i].count, (long long)local->config->max_positions);
    return ps_sampling_check_budget(sampling, local->tokenizer, &prompts, error);
}

enum ps_status ps_sampling_check(const struct ps_sampling *sampling, struct ps_error *error) {
    struct ps_sampling_prompts prompts;
    PS_TRY(ps_sampling_render(sampling, NULL, &prompts, error));
    for (size_t i = 0; i < sampling->set_count; i++)
        PS_FAIL_IF(prompts.starts[i + 1] == prompts.starts[i], error, PS_ARGUMENT,
                   "the data set '%s' has no rows", sampling->sets[i].dataset);
    if (!sampling->model.folder) return PS_OK;
    struct ps_local local;
    enum ps_local_precision precision = (enum ps_local_precision)sampling->settings->precision;
    enum ps_status status = ps_local_open(&local, sampling->model.folder, precision, error);
    if (status == PS_OK) status = check_first(sampling, &local, error);
    ps_local_close(&local);
    return status;
}

static enum ps_status show_first(const struct ps_sampling *sampling, size_t set,
                                 const struct ps_tokenizer *tokenizer, FILE *out,
                                 struct ps_error *error) {
    const struct ps_prompter *prompter = sampling->prompter;
    const struct ps_dataset *dataset;
    struct ps_rendered_prompt rendered;
    struct ps_token_ids ids = {0};
    bool ignored = false;
    size_t count;
    PS_TRY(
        ps_sampling_rows(sampling, set, (size_t)prompter->context->limit, &dataset, &count, error));
    const struct ps_dataset_row *row = &dataset->rows[0];
    struct ps_prompt words = ps_prompter_prompt(prompter, row);
    enum ps_status status = ps_prompter_render(prompter, row, &rendered, error);
    if (status == PS_OK) status = ps_prompt_encode(&words, &rendered, tokenizer, &ids, error);
    if (status == PS_OK && words.thinking != PS_THINKING_UNSET)
        status = ps_prompter_ignores_thinking(prompter, row, &ignored, error);
    if (status == PS_OK) {
        long long samples = sampling->sets[set].samples;
        fprintf(out, "%s, %s: %zu prompts, %lld %s each; the first has %zu tokens:\n",
                sampling->name, sampling->sets[set].dataset, count, samples,
                samples == 1 ? "reply" : "replies", ids.size);
        ps_show_prompt(out, tokenizer, &ids, rendered.thought);
        if (ignored)
            fprintf(out, "thinking is %s, but the template takes no notice of it\n",
                    words.thinking == PS_THINKING_ON ? "on" : "off");
    }
    ps_token_ids_release(&ids);
    ps_rendered_prompt_release(&rendered);
    return status;
}

enum ps_status ps_sampling_show(const struct ps_sampling *sampling, FILE *out,
                                struct ps_error *error) {
    struct ps_tokenizer *tokenizer;
    PS_TRY(ps_tokenizer_open(sampling->model.reader.folder, &tokenizer, error));
    enum ps_status status = PS_OK;
    for (size_t i = 0; status == PS_OK && i < sampling->set_count; i++)
        status = show_first(sampling, i, tokenizer, out, error);
    ps_tokenizer_close(tokenizer);
    return status;
}

static enum ps_status source_of(const struct ps_sampling *sampling, struct ps_buffer *json,
                                struct ps_error *error) {
    enum ps_local_precision precision = (enum ps_local_precision)sampling->settings->precision;
    ps_buffer_init(json, 1 << 16);
    return ps_local_source(sampling->model.folder, precision, json, error);
}

static enum ps_status survey_store(const struct ps_sampling *sampling, struct ps_store *store,
                                   const struct ps_sampling_prompts *prompts,
                                   struct ps_sample_survey *survey, struct ps_error *error) {
    struct ps_buffer source;
    struct ps_sample_sampler sampler = sampler_of(sampling);
    enum ps_status status = source_of(sampling, &source, error);
    if (status == PS_OK)
        status = ps_sample_survey(store, source.data, &sampler, prompts->items, prompts->count,
                                  sampling->settings->max_tokens, survey, error);
    ps_buffer_release(&source);
    return status;
}

enum ps_status ps_sampling_survey(const struct ps_sampling *sampling, const char *path,
                                  struct ps_sample_survey *survey, struct ps_error *error) {
    struct ps_sampling_prompts prompts;
    struct ps_store *store;
    *survey = (struct ps_sample_survey){0};
    PS_TRY(ps_sampling_render(sampling, NULL, &prompts, error));
    if (!ps_file_exists(path)) {
        survey->prompts = (int64_t)prompts.count;
        for (size_t i = 0; i < prompts.count; i++) survey->replies += prompts.items[i].samples;
        ps_sample_estimate_disk(survey, NULL, sampling->settings->max_tokens);
        return PS_OK;
    }
    PS_TRY(ps_store_open(&store, path, PS_STORE_READ, error));
    enum ps_status status = survey_store(sampling, store, &prompts, survey, error);
    ps_store_close(store);
    return status;
}

/* ---- the run ---- */

struct telling {
    struct ps_progress *progress;
    const char *name;
    bool begun;
};

static void tell(void *context, const struct ps_sample_report *report) {
    struct telling *telling = context;
    const struct ps_generate_rates *rates = &report->rates;
    double seconds = rates->seconds > 0 ? rates->seconds : 1;
    if (!telling->begun)
        ps_progress_begin(telling->progress, telling->name, "replies", (uint64_t)report->done,
                          (uint64_t)report->replies);
    telling->begun = true;
    ps_progress_update(telling->progress, (uint64_t)report->done,
                       "%.0f tokens/s, prompts %.0f/s; %lld truncated%s",
                       (double)rates->decode_tokens / seconds,
                       (double)rates->prefill_tokens / seconds, (long long)report->truncated,
                       report->failed ? ", some failed" : "");
}

/* As many positions as the longest prompt and a whole reply need. */
static int64_t positions_of(const struct ps_sampling *sampling, const struct ps_local *local,
                            const struct ps_sampling_prompts *prompts) {
    int64_t longest = 0, most = local->config->max_positions;
    for (size_t i = 0; i < prompts->count; i++)
        if ((int64_t)prompts->items[i].count > longest) longest = (int64_t)prompts->items[i].count;
    return longest + sampling->settings->max_tokens < most
               ? longest + sampling->settings->max_tokens
               : most;
}

static enum ps_status start(const struct ps_sampling *sampling, struct ps_local *local,
                            int64_t positions, struct ps_error *error) {
    const struct ps_sampling_settings *settings = sampling->settings;
    struct ps_local_options options = {.backend = settings->backend,
                                       .threads = (int)settings->threads,
                                       .sequences = settings->sequences,
                                       .rows = settings->rows,
                                       .positions = positions,
                                       .cache_bytes = settings->cache_bytes};
    return ps_local_start(local, &options, error);
}

/* Only if something is missing are the weights loaded. */
static enum ps_status sample_missing(const struct ps_sampling *sampling, struct ps_store *store,
                                     struct ps_progress *progress,
                                     const struct ps_sampling_prompts *prompts,
                                     struct ps_local *local, const char *source,
                                     struct ps_sample_report *report, struct ps_error *error) {
    struct ps_sample_survey survey;
    struct ps_buffer provenance;
    struct ps_arena *arena = sampling->prompter->context->arena;
    const char *budget = sampling->budget ? sampling->budget->text : NULL;
    const char *label =
        budget ? ps_arena_format(arena, "%s, thinking %s", sampling->name, budget) : NULL;
    struct telling telling = {progress, label ? label : sampling->name, false};
    struct ps_sample_job job = {
        .store = store,
        .source_name = sampling->name,
        .source = source,
        .sampler = sampler_of(sampling),
        .prompts = prompts->items,
        .prompt_count = prompts->count,
        .max_tokens = sampling->settings->max_tokens,
        .positions = positions_of(sampling, local, prompts),
        .tokenizer = local->tokenizer,
        .keep_seconds = sampling->settings->keep,
        .progress = tell,
        .context = &telling,
    };
    ps_buffer_init(&provenance, 1 << 16);
    enum ps_status status = ps_sample_survey(store, source, &job.sampler, prompts->items,
                                             prompts->count, job.max_tokens, &survey, error);
    if (status == PS_OK && survey.done < survey.replies) {
        PS_TRY_DONE(ps_stage_check_disk(ps_store_path(store), survey.disk, error));
        PS_TRY_DONE(start(sampling, local, job.positions, error));
        PS_TRY_DONE(ps_local_provenance(local, prompts->thought, &provenance, error));
        job.generator = local->generator;
        job.provenance = provenance.data;
    }
    if (status == PS_OK) status = ps_sample_run(&job, report, error);
    if (telling.begun) ps_progress_end(progress);
done:
    ps_buffer_release(&provenance);
    return status;
}

enum ps_status ps_sampling_run(const struct ps_sampling *sampling, struct ps_store *store,
                               struct ps_progress *progress, struct ps_sampling_prompts *prompts,
                               struct ps_sample_report *report, struct ps_sample_traces *traces,
                               struct ps_error *error) {
    struct ps_local local;
    struct ps_buffer source;
    struct ps_sample_sampler sampler = sampler_of(sampling);
    enum ps_local_precision precision = (enum ps_local_precision)sampling->settings->precision;
    *report = (struct ps_sample_report){0};
    PS_TRY(ps_local_open(&local, sampling->model.folder, precision, error));
    enum ps_status status = source_of(sampling, &source, error);
    if (status != PS_OK) goto done;
    PS_TRY_DONE(ps_sampling_render(sampling, local.tokenizer, prompts, error));
    PS_TRY_DONE(
        sample_missing(sampling, store, progress, prompts, &local, source.data, report, error));
    PS_TRY_DONE(ps_sample_traces(store, source.data, &sampler, prompts->items, prompts->count,
                                 sampling->prompter->context->arena, traces, error));
    if (sampling->budget && sampling->budget->text && sampling->budget->thinking.most != 0 &&
        traces->present && !traces->thoughts)
        ps_log_warning("%s: no reply has a thought between <think> and </think>; the thinking "
                       "budget %s has bounded nothing",
                       sampling->name, sampling->budget->text);
done:
    ps_buffer_release(&source);
    ps_local_close(&local);
    return status;
}

/* ---- what it made ---- */

void ps_sampling_write_report(struct ps_json_writer *writer, const struct ps_sample_report *report,
                              const struct ps_sample_traces *traces) {
    const struct ps_generate_rates *rates = &report->rates;
    double seconds = rates->seconds > 0 ? rates->seconds : 1;
    ps_json_put_integer(writer, "prompts", report->prompts);
    ps_json_put_integer(writer, "replies", report->replies);
    ps_json_put_integer(writer, "present", traces->present);
    ps_json_put_integer(writer, "truncated", traces->truncated);
    ps_json_put_integer(writer, "failed", report->failed);
    ps_json_put_integer(writer, "prompt_tokens", traces->prompt_tokens);
    ps_json_put_integer(writer, "output_tokens", traces->output_tokens);
    ps_json_write_key(writer, "this_run");
    ps_json_write_begin_object(writer);
    ps_json_put_integer(writer, "sampled", report->sampled);
    ps_json_put_integer(writer, "truncated", report->truncated);
    ps_json_put_integer(writer, "output_tokens", report->output_tokens);
    ps_json_put_integer(writer, "decode_tokens", rates->decode_tokens);
    ps_json_put_integer(writer, "prefill_tokens", rates->prefill_tokens);
    ps_json_put_number(writer, "seconds", report->seconds);
    ps_json_put_number(writer, "decode_tokens_per_second", (double)rates->decode_tokens / seconds);
    ps_json_put_number(writer, "prefill_tokens_per_second",
                       (double)rates->prefill_tokens / seconds);
    ps_json_write_end_object(writer);
}
