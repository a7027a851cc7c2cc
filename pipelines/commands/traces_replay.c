/* potstill traces replay: traces of a local teacher, generated again and compared to the bit. */
#include "pipelines/commands/replay_causes.h"
#include "pipelines/commands/traces_internal.h"

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "hub/hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- flags ---- */

struct replay_flags {
    struct ps_strings model, template;
    int64_t sample, seed, threads, sequences;
    const char *backend;
};
#define AT(member) offsetof(struct replay_flags, member)
static const struct ps_setting items[] = {
    {"model", PS_SETTING_STRINGS, AT(model), .argument = "MODEL",
     .help = "the teacher's folder, or the id of a model in the Hugging Face cache; by default the "
             "folder that the store names"},
    {"sample", PS_SETTING_INTEGER, AT(sample), .minimum = 1, .maximum = 1e9, .unit = "traces",
     .help = "so many of the traces, chosen by lot; by default all"},
    {"seed", PS_SETTING_INTEGER, AT(seed), "0", .minimum = 0, .maximum = 0x1p53,
     .help = "of that choice"},
    {"template", PS_SETTING_STRINGS, AT(template), .argument = "FILE",
     .help = "a template that prompts chose by file: the store knows its hash alone"},
    {"sequences", PS_SETTING_INTEGER, AT(sequences), "64", .minimum = 1, .maximum = 65536,
     .help = "most replies that are generated at one time"},
    {"threads", PS_SETTING_INTEGER, AT(threads), "0", .minimum = 0, .maximum = 4096,
     .help = "0: one for each core"},
    {"backend", PS_SETTING_STRING, AT(backend),
     .help = "reference or cpu; by default the best one"},
};
#undef AT
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("traces replay", "For potstill traces replay.", items, struct replay_flags);

/* ---- which traces ---- */

struct chosen {
    int64_t id, source;
    const char *name, *place; /* of the source; "arith/test:3, sample 0" */
};

struct source {
    int64_t id;
    const char *name;
    json_t *identity;
    bool local, forged;
};

struct replay {
    struct ps_call *call;
    struct ps_store *store;
    struct ps_progress progress;
    struct chosen *chosen;
    size_t count, capacity;
    struct source *sources;
    size_t source_count;
    size_t left_out; /* traces that were not generated here */
    const char *left_out_name;
    size_t equal, different, impossible, done; /* done: of the sources before */
    struct ps_replay_causes told;              /* of the trace before */
    struct ps_json_writer json;
};

static enum ps_status find_source(struct replay *replay, const struct ps_store_row *row,
                                  const struct source **found, struct ps_error *error) {
    struct ps_arena *arena = replay->call->arena;
    struct ps_hash hash;
    const char *json;
    for (size_t i = 0; i < replay->source_count; i++)
        if (replay->sources[i].id == row->key.source) return *found = &replay->sources[i], PS_OK;
    struct source *more =
        ps_realloc(replay->sources, (replay->source_count + 1) * sizeof *replay->sources);
    PS_FAIL_IF_NULL(more, error);
    replay->sources = more;
    struct source *source = &more[replay->source_count];
    *source = (struct source){.id = row->key.source,
                              .name = ps_arena_strndup(arena, row->source, strlen(row->source))};
    PS_FAIL_IF_NULL(source->name, error);
    PS_TRY(ps_store_read_source(replay->store, source->id, arena, &json, error));
    PS_TRY(ps_json_parse("source", json, strlen(json), &source->identity, error));
    replay->source_count++;
    source->local = ps_json_get(source->identity, "weights") != NULL;
    PS_TRY(ps_store_identity(json, &hash, error));
    source->forged = memcmp(&hash, &row->source_hash, sizeof hash) != 0;
    *found = source;
    return PS_OK;
}

static enum ps_status take(struct replay *replay, const struct ps_store_row *row,
                           struct ps_error *error) {
    struct ps_arena *arena = replay->call->arena;
    const struct source *source = NULL;
    PS_TRY(find_source(replay, row, &source, error));
    if (!source->local) {
        replay->left_out++;
        replay->left_out_name = source->name;
        return PS_OK;
    }
    if (replay->count == replay->capacity) {
        size_t capacity = replay->capacity ? 2 * replay->capacity : 256;
        struct chosen *more = ps_realloc(replay->chosen, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        replay->chosen = more;
        replay->capacity = capacity;
    }
    const char *place =
        row->dataset ? ps_arena_format(arena, "%s/%s:%lld, sample %lld", row->dataset, row->split,
                                       (long long)row->row, (long long)row->key.sample)
                     : ps_arena_format(arena, "sample %lld", (long long)row->key.sample);
    PS_FAIL_IF_NULL(place, error);
    replay->chosen[replay->count++] =
        (struct chosen){row->id, row->key.source, source->name, place};
    return PS_OK;
}

static enum ps_status find_traces(struct replay *replay, const struct ps_store_filter *filter,
                                  struct ps_error *error) {
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more = true;
    PS_TRY(ps_store_query(replay->store, filter, &cursor, error));
    enum ps_status status = PS_OK;
    while (status == PS_OK && more) {
        status = ps_store_next(cursor, &row, &more, error);
        if (status == PS_OK && more) status = take(replay, &row, error);
    }
    ps_store_cursor_close(cursor);
    PS_TRY(status);
    PS_FAIL_IF(replay->count == 0 && replay->left_out == 0, error, PS_NOT_FOUND,
               "there is no such trace; potstill traces list shows them");
    PS_FAIL_IF(replay->count == 0, error, PS_ARGUMENT,
               "the traces of '%s' were not generated here: only what potstill itself generated, "
               "from weights that it knows the hash of, can be generated again to the bit",
               replay->left_out_name);
    if (replay->left_out)
        ps_log_warning("left out: %zu traces of '%s', which were served or imported",
                       replay->left_out, replay->left_out_name);
    return PS_OK;
}

static int by_place(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* By lot, left in the order of the list, in which the samples of a prompt stand together. */
static enum ps_status draw(struct replay *replay, int64_t wanted, uint64_t seed,
                           struct ps_error *error) {
    if (wanted >= (int64_t)replay->count) return PS_OK;
    PS_FAIL_IF(replay->count > UINT32_MAX, error, PS_LIMIT, "too many traces to draw from");
    uint32_t *order = ps_arena_array(replay->call->arena, replay->count, sizeof *order);
    PS_FAIL_IF_NULL(order, error);
    ps_random_permutation(ps_random_key(seed, "replay"), order, (uint32_t)replay->count);
    qsort(order, (size_t)wanted, sizeof *order, by_place);
    for (size_t i = 0; i < (size_t)wanted; i++) replay->chosen[i] = replay->chosen[order[i]];
    replay->count = (size_t)wanted;
    return PS_OK;
}

/* ---- which model ---- */

/* What the store would call this folder's model if it computed in the source's precision. */
static enum ps_status identity_of(const struct source *source, const char *folder,
                                  enum ps_local_precision *precision, json_t **identity,
                                  struct ps_error *error) {
    struct ps_buffer json;
    const char *name = json_string_value(ps_json_get(source->identity, "precision"));
    *precision = name && strcmp(name, "f32") == 0 ? PS_LOCAL_F32 : PS_LOCAL_BF16;
    ps_buffer_init(&json, 1 << 20);
    enum ps_status status = ps_local_source(folder, *precision, &json, error);
    if (status == PS_OK) status = ps_json_parse("source", json.data, json.size, identity, error);
    ps_buffer_release(&json);
    return status;
}

static enum ps_status has_weights(const struct source *source, const char *folder, bool *fits,
                                  struct ps_error *error) {
    enum ps_local_precision precision;
    json_t *identity;
    PS_TRY(identity_of(source, folder, &precision, &identity, error));
    *fits = json_equal(ps_json_get(identity, "weights"), ps_json_get(source->identity, "weights"));
    json_decref(identity);
    return PS_OK;
}

/* The folder that the provenance of the trace names, if it is there; else NULL. */
static enum ps_status folder_of_trace(struct replay *replay, int64_t id, const char **folder,
                                      struct ps_error *error) {
    struct ps_arena *arena = replay->call->arena;
    struct ps_store_trace trace;
    const char *facts;
    json_t *value;
    PS_TRY(ps_store_read_trace(replay->store, id, arena, &trace, error));
    PS_TRY(ps_store_read_provenance(replay->store, trace.provenance, arena, &facts, error));
    PS_TRY(ps_json_parse("provenance", facts, strlen(facts), &value, error));
    const char *model = json_string_value(ps_json_get(value, "model"));
    *folder = model ? ps_arena_strndup(arena, model, strlen(model)) : NULL;
    bool lacks = model && !*folder;
    json_decref(value);
    PS_FAIL_IF(lacks, error, PS_MEMORY, "out of memory");
    PS_FAIL_IF(!*folder, error, PS_ARGUMENT,
               "the store does not say where the model lies; name its folder with --model");
    PS_FAIL_IF(!ps_directory_exists(*folder), error, PS_ARGUMENT,
               "the model was in %s, which is gone; name its folder with --model", *folder);
    return PS_OK;
}

/* Of several folders the one with the source's weights; a single one is taken as it is, and what
 * differs is said where traces differ. */
static enum ps_status find_folder(struct replay *replay, const struct source *source, int64_t trace,
                                  const char **folder, struct ps_error *error) {
    const struct ps_strings *models =
        &((const struct replay_flags *)replay->call->settings[0].values)->model;
    if (models->count == 0) return folder_of_trace(replay, trace, folder, error);
    for (size_t i = 0; i < models->count; i++) {
        bool fits = models->count == 1;
        PS_TRY(ps_hub_find(models->items[i], replay->call->arena, folder, error));
        if (!fits) PS_TRY(has_weights(source, *folder, &fits, error));
        if (fits) return PS_OK;
    }
    return ps_error_set(error, PS_ARGUMENT, "none of the models has the weights of '%s', %.12s...",
                        source->name, json_string_value(ps_json_get(source->identity, "weights")));
}

/* ---- what comes out ---- */

static bool same_causes(const struct ps_replay_causes *a, const struct ps_replay_causes *b) {
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

/* For people the causes stand once for a run of traces that share them. */
static enum ps_status tell(struct replay *replay, const struct ps_replay_model *model,
                           const struct chosen *chosen, const struct ps_replay_trace *trace,
                           struct ps_error *error) {
    struct ps_replay_causes causes = {.count = 0};
    if (ps_replay_differs(trace) || trace->outcome == PS_REPLAY_EQUAL) {
        PS_TRY(ps_replay_causes(model, trace, replay->call->arena, &causes, error));
    } else if (trace->why[0]) {
        causes.items[causes.count++] = trace->why;
    }
    replay->equal += trace->outcome == PS_REPLAY_EQUAL;
    replay->different += ps_replay_differs(trace);
    replay->impossible += trace->why[0] != 0;
    if (replay->call->json)
        ps_replay_write(trace, &causes, &replay->json);
    else
        ps_replay_print(trace, chosen->place, chosen->name, model->local->tokenizer, &causes,
                        !same_causes(&causes, &replay->told));
    replay->told = causes;
    return PS_OK;
}

/* ---- the run ---- */

static void progress(void *context, size_t done) {
    struct replay *replay = context;
    ps_progress_update(&replay->progress, replay->done + done, NULL);
}

static enum ps_status replay_with(struct replay *replay, const struct ps_replay_model *model,
                                  struct ps_local *local, const char *folder,
                                  const struct chosen *chosen, struct ps_replay_trace *traces,
                                  size_t count, struct ps_error *error) {
    const struct replay_flags *flags = replay->call->settings[0].values;
    const struct ps_replay_job job = {
        .store = replay->store,
        .local = local,
        .folder = folder,
        .options = {.backend = flags->backend,
                    .threads = (int)flags->threads,
                    .sequences = flags->sequences},
        .templates = flags->template.items,
        .template_count = flags->template.count,
        .progress = progress,
        .context = replay,
    };
    enum ps_status status = ps_replay_run(&job, traces, count, error);
    if (status != PS_OK && status != PS_STOPPED) return status;
    for (size_t i = 0; i < count; i++)
        PS_TRY(tell(replay, model, &chosen[i], &traces[i], status == PS_OK ? error : NULL));
    return status;
}

/* chosen[0 .. count) are of one source. */
static enum ps_status replay_source(struct replay *replay, const struct source *source,
                                    const struct chosen *chosen, size_t count,
                                    struct ps_error *error) {
    const char *folder;
    enum ps_local_precision precision;
    json_t *identity;
    struct ps_local local = {0};
    struct ps_replay_trace *traces = ps_arena_array(replay->call->arena, count, sizeof *traces);
    PS_FAIL_IF_NULL(traces, error);
    for (size_t i = 0; i < count; i++) traces[i].id = chosen[i].id;
    PS_TRY(find_folder(replay, source, chosen[0].id, &folder, error));
    PS_TRY(identity_of(source, folder, &precision, &identity, error));
    const struct ps_replay_model model = {replay->store, &local, source->identity, identity,
                                          source->forged};
    enum ps_status status = ps_local_open(&local, folder, precision, error);
    if (status == PS_OK)
        status = replay_with(replay, &model, &local, folder, chosen, traces, count, error);
    ps_local_close(&local);
    json_decref(identity);
    replay->done += count;
    return status;
}

static enum ps_status replay_sources(struct replay *replay, struct ps_error *error) {
    struct chosen *group =
        ps_arena_array(replay->call->arena, replay->count, sizeof *replay->chosen);
    PS_FAIL_IF_NULL(group, error);
    ps_progress_begin(&replay->progress, "replay", "traces", 0, replay->count);
    enum ps_status status = PS_OK;
    for (size_t s = 0; s < replay->source_count && status == PS_OK; s++) {
        size_t count = 0;
        for (size_t i = 0; i < replay->count; i++)
            if (replay->chosen[i].source == replay->sources[s].id)
                group[count++] = replay->chosen[i];
        if (count) status = replay_source(replay, &replay->sources[s], group, count, error);
    }
    ps_progress_end(&replay->progress);
    return status;
}

static enum ps_status print(struct replay *replay, struct ps_error *error) {
    struct ps_json_writer *json = &replay->json;
    if (!replay->call->json) {
        printf("%zu of %zu traces are the same to the bit", replay->equal, replay->count);
        if (replay->different) printf(", %zu differ", replay->different);
        if (replay->impossible) printf(", %zu could not be compared", replay->impossible);
        puts("");
        return PS_OK;
    }
    ps_json_write_end_array(json);
    ps_json_put_integer(json, "traces", (int64_t)replay->count);
    ps_json_put_integer(json, "equal", (int64_t)replay->equal);
    ps_json_put_integer(json, "different", (int64_t)replay->different);
    ps_json_put_integer(json, "impossible", (int64_t)replay->impossible);
    ps_json_put_integer(json, "left_out", (int64_t)replay->left_out);
    ps_json_write_end_object(json);
    PS_TRY(ps_json_writer_end(json, error));
    puts(json->buffer->data);
    return PS_OK;
}

static enum ps_status replay_all(struct replay *replay, const struct ps_store_filter *filter,
                                 struct ps_error *error) {
    const struct replay_flags *flags = replay->call->settings[0].values;
    int64_t wanted = ps_integer_or(flags->sample, INT64_MAX);
    PS_TRY(find_traces(replay, filter, error));
    PS_TRY(draw(replay, wanted, (uint64_t)flags->seed, error));
    ps_json_write_begin_object(&replay->json);
    ps_json_write_key(&replay->json, "results");
    ps_json_write_begin_array(&replay->json);
    enum ps_status status = replay_sources(replay, error);
    if (status != PS_OK && status != PS_STOPPED) return status;
    enum ps_status printed = print(replay, status == PS_OK ? error : NULL);
    PS_TRY(status == PS_OK ? printed : status);
    PS_FAIL_IF(replay->equal < replay->count, error, PS_CORRUPT,
               "not all traces are what was generated now");
    return PS_OK;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct replay_flags *flags = call->settings[0].values;
    struct replay replay = {.call = call};
    struct ps_store_filter filter;
    struct ps_buffer text;
    PS_TRY(ps_traces_make_filter(call, call->settings[1].values, &filter, error));
    if (call->arguments.count > 1)
        PS_TRY(ps_traces_read_id(call->arguments.items[1], &filter.trace_id, error));
    PS_FAIL_IF(filter.trace_id && ps_integer_or(flags->sample, 0), error, PS_ARGUMENT,
               "--sample: there is only one trace of that id");
    PS_TRY(ps_traces_open(call, &replay.store, error));
    ps_buffer_init(&text, SIZE_MAX / 2);
    ps_json_writer_begin(&replay.json, &text);
    enum ps_status status = replay_all(&replay, &filter, error);
    for (size_t i = 0; i < replay.source_count; i++) json_decref(replay.sources[i].identity);
    ps_free(replay.sources);
    ps_free(replay.chosen);
    ps_buffer_release(&text);
    ps_store_close(replay.store);
    return status;
}

const struct ps_command ps_command_traces_replay = {
    .name = "traces replay",
    .synopsis = "STORE [ID] [--sample N] [--model MODEL]",
    .help = "generate traces of a local teacher again, and compare them to the bit",
    .details =
        "Token ids and log-probabilities are compared. Where a trace differs, the place is named, "
        "and what\nis not as it was: weights, tokenizer, template, settings, version, kernels. "
        "Ends with exit code 1\nunless all are the same. Traces that were served or imported are "
        "left out.",
    .tables = {&table, &ps_traces_filter_table},
    .minimum_arguments = 1,
    .maximum_arguments = 2,
    .run = run,
};
