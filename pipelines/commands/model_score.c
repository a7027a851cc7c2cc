/* potstill model score PATH --jsonl: log-probabilities of token ids, one JSON line for each. */
#include "pipelines/commands/commands_internal.h"
#include "pipelines/commands/filter.h"

#include "hub/hub.h"
#include "model/score.h"

#include <stdio.h>

struct score_settings {
    bool jsonl;
    int64_t threads, max_tokens;
    int compute;
    const char *backend;
};
#define AT(member) offsetof(struct score_settings, member)

enum { COMPUTE_AUTO, COMPUTE_F32, COMPUTE_BF16 };
static const char *const compute_names[] = {"auto", "f32", "bf16", NULL};

static const struct ps_setting items[] = {
    {"jsonl", PS_SETTING_BOOL, AT(jsonl),
     .help = "read {\"ids\": [...], \"top\": 5} lines from stdin (the only way there is)"},
    {"max_tokens", PS_SETTING_INTEGER, AT(max_tokens), .fallback = "8192", .minimum = 1,
     .maximum = 1 << 26, .unit = "tokens",
     .help = "longest line of ids, at most what config.json allows; sizes the KV cache"},
    {"compute", PS_SETTING_ENUM, AT(compute), .fallback = "auto", .names = compute_names,
     .help = "type computed with; auto is f32 for weights in F32, else bf16"},
    {"threads", PS_SETTING_INTEGER, AT(threads), .fallback = "0", .minimum = 0, .maximum = 4096,
     .help = "0: one for each core"},
    {"backend", PS_SETTING_STRING, AT(backend),
     .help = "reference or cpu; by default the best one"},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("model score", "For potstill model score.", items, struct score_settings);

/* The model, ready to score, and room for one text. */
struct session {
    struct ps_model_files *files;
    struct ps_compute *compute;
    struct ps_stream *stream;
    struct ps_model *model;
    struct ps_scorer *scorer;
    int64_t positions;
    int32_t *ids, *top_ids; /* [positions], [positions, PS_SCORE_MOST] */
    float *scores, *top;    /* likewise */
};

static enum ps_status open_session(struct session *session, const struct ps_call *call,
                                   struct ps_error *error) {
    const struct score_settings *settings = call->settings[0].values;
    const char *folder;
    PS_TRY(ps_hub_find(call->arguments.items[0], call->arena, &folder, error));
    PS_TRY(ps_model_files_open(&session->files, folder, error));
    const struct ps_model_config *config = ps_model_files_config(session->files);
    session->positions = settings->max_tokens;
    if (session->positions > config->max_positions) session->positions = config->max_positions;
    PS_TRY(ps_compute_open(settings->backend, (int)settings->threads, &session->compute, error));
    struct ps_compute_limits limits = ps_score_limits(config, session->positions);
    PS_TRY(
        session->compute->memory.stream_create(session->compute, &limits, &session->stream, error));
    bool f32 = settings->compute == COMPUTE_F32 ||
               (settings->compute == COMPUTE_AUTO && config->dtype == PS_DTYPE_F32);
    struct ps_model_options options = {.format = f32 ? PS_WEIGHT_F32 : PS_WEIGHT_BF16,
                                       .positions = session->positions};
    PS_TRY(ps_model_create(session->compute, session->stream, config, &options, &session->model,
                           error));
    PS_TRY(ps_model_load(session->model, session->stream, session->files, error));
    PS_TRY(ps_scorer_create(&session->scorer, session->model, error));
    size_t positions = (size_t)session->positions;
    session->ids = ps_calloc(positions, sizeof *session->ids);
    session->scores = ps_calloc(positions, sizeof *session->scores);
    PS_FAIL_IF_NULL(session->ids && session->scores, error);
    return PS_OK;
}

static void close_session(struct session *session) {
    ps_scorer_release(session->scorer);
    ps_model_close(session->model);
    if (session->stream) session->compute->memory.stream_release(session->stream);
    ps_compute_close(session->compute);
    ps_model_files_close(session->files);
    ps_free(session->ids);
    ps_free(session->scores);
    ps_free(session->top_ids);
    ps_free(session->top);
}

static enum ps_status read_ids(const struct session *session, const json_t *list, int64_t *count,
                               struct ps_error *error) {
    PS_FAIL_IF(json_array_size(list) > (size_t)session->positions, error, PS_ARGUMENT,
               "%zu ids; the limit is %lld (--max-tokens)", json_array_size(list),
               (long long)session->positions);
    *count = (int64_t)json_array_size(list);
    for (int64_t i = 0; i < *count; i++) {
        const json_t *id = json_array_get(list, (size_t)i);
        PS_FAIL_IF(!json_is_integer(id) || json_integer_value(id) < 0 ||
                       json_integer_value(id) > INT32_MAX,
                   error, PS_FORMAT, "'ids' has an item that is no token id");
        session->ids[i] = (int32_t)json_integer_value(id);
    }
    return PS_OK;
}

static void write_scores(struct ps_json_writer *json, const struct session *session, int64_t count,
                         int64_t most) {
    ps_json_write_begin_object(json);
    ps_json_write_key(json, "logprobs");
    ps_json_write_begin_array(json);
    for (int64_t i = 0; i < count; i++) {
        if (i == 0)
            ps_json_write_null(json);
        else
            ps_json_write_number(json, session->scores[i]);
    }
    ps_json_write_end_array(json);
    if (most > 0) {
        ps_json_write_key(json, "top");
        ps_json_write_begin_array(json);
        for (int64_t i = 0; i < count; i++) {
            if (i == 0) {
                ps_json_write_null(json);
                continue;
            }
            ps_json_write_begin_array(json);
            for (int64_t j = 0; j < most; j++) {
                ps_json_write_begin_array(json);
                ps_json_write_integer(json, session->top_ids[i * most + j]);
                ps_json_write_number(json, session->top[i * most + j]);
                ps_json_write_end_array(json);
            }
            ps_json_write_end_array(json);
        }
        ps_json_write_end_array(json);
    }
    ps_json_write_end_object(json);
}

/* Room for the alternatives of `count` positions. */
static enum ps_status reserve_top(struct session *session, int64_t count, int64_t most,
                                  struct ps_error *error) {
    size_t bytes = (size_t)(count * most) * sizeof(float);
    int32_t *ids = ps_realloc(session->top_ids, bytes);
    if (ids) session->top_ids = ids;
    float *top = ps_realloc(session->top, bytes);
    if (top) session->top = top;
    PS_FAIL_IF_NULL(ids && top, error);
    return PS_OK;
}

static enum ps_status score_line(void *context, const json_t *line, struct ps_json_writer *json,
                                 struct ps_error *error) {
    struct session *session = context;
    json_t *ids;
    int64_t count = 0, most = 0;
    PS_TRY(ps_json_array(line, "ids", &ids, error));
    PS_TRY(ps_json_integer_or(line, "top", 0, PS_SCORE_MOST, 0, &most, error));
    PS_TRY(read_ids(session, ids, &count, error));
    PS_TRY(reserve_top(session, count, most, error));
    PS_TRY(ps_score(session->scorer, session->stream, session->ids, count, most, session->scores,
                    session->top_ids, session->top, error));
    write_scores(json, session, count, most);
    return PS_OK;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct score_settings *settings = call->settings[0].values;
    PS_FAIL_IF(!settings->jsonl, error, PS_ARGUMENT,
               "model score reads JSON lines from stdin; say --jsonl");
    struct session session = {0};
    enum ps_status status = open_session(&session, call, error);
    if (status == PS_OK) status = ps_filter_lines(score_line, &session, false, error);
    close_session(&session);
    return status;
}

const struct ps_command ps_command_model_score = {
    .name = "model score",
    .synopsis = "PATH --jsonl",
    .help = "log-probabilities of token ids",
    .details = "Reads {\"ids\": [...], \"top\": 5} lines and answers {\"logprobs\": [null, -0.3, "
               "...],\n\"top\": [null, [[id, logprob], ...], ...]}: for each id its "
               "log-probability after those before\nit, and the best ones there. The first has "
               "none before it, hence null.",
    .tables = {&table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
