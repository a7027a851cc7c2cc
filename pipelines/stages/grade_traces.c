/* Grading in batches: the calling thread reads traces, which a store allows to one thread alone,
 * all threads grade them, the calling thread writes the verdicts. Each data set is a pass of its
 * own, because its profile is part of the grader's name. */
#include "pipelines/stages/grade_traces.h"

#include "base/stop.h"

#include <stdio.h>
#include <string.h>

enum { BATCH_TRACES = 256, BATCH_BYTES = 16 << 20, NAME_SIZE = 160 };

/* ---- data sets and their graders ---- */

struct set {
    char dataset[NAME_SIZE], split[NAME_SIZE]; /* "": traces that no item asks for */
    struct ps_grade_profile profile;
    char grader[NAME_SIZE]; /* "gsm8k 1" */
};

struct sets {
    struct set *items;
    size_t count;
};

/* The profile that the data set says: a pipeline's own set by its name, a shipped one by name and
 * split. A store can hold sets that are known here no more; they get the default of own files. */
static enum ps_status find_profile(const struct ps_grading *grading, const struct set *set,
                                   const char **profile, struct ps_error *error) {
    const struct ps_pipeline *pipeline = grading->pipeline;
    const struct ps_dataset_listing *listing;
    char name[2 * NAME_SIZE];
    *profile = set->dataset[0] ? "math" : "plain";
    if (!set->dataset[0]) return PS_OK;
    for (size_t i = 0; pipeline && i < pipeline->values.datasets.count; i++) {
        const struct ps_dataset *own;
        if (strcmp(pipeline->values.datasets.items[i].key, set->dataset) != 0) continue;
        PS_TRY(ps_dataset_get(grading->catalog, set->dataset, &own, error));
        for (size_t s = 0; s < own->source_count; s++)
            if (strcmp(own->sources[s]->split, set->split) == 0)
                *profile = own->sources[s]->profile;
        return PS_OK;
    }
    snprintf(name, sizeof name, "%s/%s", set->dataset, set->split);
    enum ps_status status = ps_dataset_find(grading->catalog, name, &listing, error);
    if (status == PS_OK) *profile = listing->source.profile;
    return status == PS_NOT_FOUND ? PS_OK : status;
}

static enum ps_status resolve(const struct ps_grading *grading, struct set *set,
                              struct ps_error *error) {
    const char *name = grading->profile;
    if (!name) PS_TRY(find_profile(grading, set, &name, error));
    PS_FAIL_IF(
        !ps_grade_profile(name, &set->profile), error, PS_ARGUMENT,
        "%s: there is no grading profile '%s'; there are gsm8k, math, aime, choice and plain, and "
        "each with +last_number behind it",
        set->dataset[0] ? set->dataset : "profile", name);
    snprintf(set->grader, sizeof set->grader, "%s %s", name, ps_grade_version());
    return PS_OK;
}

static enum ps_status add_set(const struct ps_grading *grading, struct sets *sets,
                              const struct ps_store_row *row, struct ps_error *error) {
    const char *dataset = row->dataset ? row->dataset : "", *split = row->dataset ? row->split : "";
    for (size_t i = 0; i < sets->count; i++)
        if (strcmp(sets->items[i].dataset, dataset) == 0 &&
            strcmp(sets->items[i].split, split) == 0)
            return PS_OK;
    PS_FAIL_IF(strlen(dataset) >= NAME_SIZE || strlen(split) >= NAME_SIZE, error, PS_LIMIT,
               "the data set name '%.40s...' is too long", dataset);
    struct set *more = ps_realloc(sets->items, (sets->count + 1) * sizeof *more);
    PS_FAIL_IF_NULL(more, error);
    sets->items = more;
    struct set *set = &more[sets->count++];
    snprintf(set->dataset, sizeof set->dataset, "%s", dataset);
    snprintf(set->split, sizeof set->split, "%s", split);
    return resolve(grading, set, error);
}

static enum ps_status find_sets(const struct ps_grading *grading, struct sets *sets,
                                struct ps_error *error) {
    struct ps_store_filter filter = grading->filter;
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    bool more;
    *sets = (struct sets){0};
    filter.per = PS_STORE_PER_ITEM;
    PS_TRY(ps_store_query(grading->store, &filter, &cursor, error));
    enum ps_status status;
    do {
        status = ps_store_next(cursor, &row, &more, error);
        if (status == PS_OK && more) status = add_set(grading, sets, &row, error);
    } while (status == PS_OK && more);
    ps_store_cursor_close(cursor);
    if (status != PS_OK) ps_free(sets->items);
    return status;
}

/* The traces of a set with the golds that they lack a verdict on. Those that no item asks for are
 * found by skipping the others. */
static enum ps_status query_set(const struct ps_grading *grading, const struct set *set,
                                struct ps_store_cursor **cursor, struct ps_error *error) {
    struct ps_store_filter filter = grading->filter;
    filter.per = PS_STORE_PER_GOLD;
    filter.ungraded = set->grader;
    if (set->dataset[0]) {
        filter.dataset = set->dataset;
        filter.split = set->split;
    }
    return ps_store_query(grading->store, &filter, cursor, error);
}

static enum ps_status next_of_set(const struct set *set, struct ps_store_cursor *cursor,
                                  struct ps_store_row *row, bool *more, struct ps_error *error) {
    do PS_TRY(ps_store_next(cursor, row, more, error));
    while (*more && !set->dataset[0] && row->dataset);
    return PS_OK;
}

static enum ps_status count_pending(const struct ps_grading *grading, const struct sets *sets,
                                    int64_t *traces, struct ps_error *error) {
    *traces = 0;
    for (size_t i = 0; i < sets->count; i++) {
        struct ps_store_cursor *cursor;
        struct ps_store_row row;
        bool more = true;
        PS_TRY(query_set(grading, &sets->items[i], &cursor, error));
        enum ps_status status = PS_OK;
        while (status == PS_OK && more) {
            status = next_of_set(&sets->items[i], cursor, &row, &more, error);
            *traces += status == PS_OK && more;
        }
        ps_store_cursor_close(cursor);
        PS_TRY(status);
    }
    return PS_OK;
}

enum ps_status ps_grade_traces_pending(const struct ps_grading *grading, int64_t *traces,
                                       struct ps_error *error) {
    struct sets sets;
    PS_TRY(find_sets(grading, &sets, error));
    enum ps_status status = count_pending(grading, &sets, traces, error);
    ps_free(sets.items);
    return status;
}

/* ---- a batch ---- */

struct job {
    int64_t trace;
    struct ps_grade_input input;
    const char *gold;
    int before; /* verdict that counted, or PS_GRADING_NEW */
    struct ps_grade grade;
    enum ps_status status;
};

struct batch {
    const struct ps_grading *grading;
    const struct set *set;
    struct ps_grading_counts *counts;
    struct job *jobs; /* BATCH_TRACES */
    size_t count;
    struct ps_arena arena; /* the texts of the jobs */
    int64_t prompt;        /* whose question `question` is; 0: none */
    struct ps_grade_text question;
};

/* The last message of the user: what is asked, behind whatever examples. */
static enum ps_status read_question(struct batch *batch, int64_t prompt, struct ps_error *error) {
    const char *text;
    json_t *conversation, *messages, *message;
    size_t i;
    if (batch->prompt == prompt) return PS_OK;
    batch->prompt = prompt;
    batch->question = (struct ps_grade_text){NULL, 0};
    PS_TRY(ps_store_read_prompt(batch->grading->store, prompt, &batch->arena, &text, error));
    PS_TRY(ps_json_parse("prompt", text, strlen(text), &conversation, error));
    const char *question = NULL;
    enum ps_status status = ps_json_array_or(conversation, "messages", &messages, error);
    json_array_foreach(messages, i, message) {
        const char *role = json_string_value(ps_json_get(message, "role"));
        const char *content = json_string_value(ps_json_get(message, "content"));
        if (role && content && strcmp(role, "user") == 0) question = content;
    }
    if (status == PS_OK && question) {
        question = ps_arena_strndup(&batch->arena, question, strlen(question));
        if (!question) status = ps_error_set(error, PS_MEMORY, "out of memory");
        batch->question = ps_grade_text(question);
    }
    json_decref(conversation);
    return status;
}

/* What is graded is the content: nothing inside the think markers is an answer. */
static enum ps_status add_job(struct batch *batch, const struct ps_store_row *row,
                              struct ps_error *error) {
    struct job *job = &batch->jobs[batch->count];
    struct ps_store_trace trace;
    enum ps_verdict before;
    PS_TRY(read_question(batch, row->key.prompt, error));
    PS_TRY(ps_store_read_trace(batch->grading->store, row->id, &batch->arena, &trace, error));
    *job = (struct job){.trace = row->id, .before = PS_GRADING_NEW};
    if (row->verdict && ps_verdict_from_name(row->verdict, &before)) job->before = (int)before;
    if (row->gold) {
        job->gold = ps_arena_strndup(&batch->arena, row->gold, strlen(row->gold));
        PS_FAIL_IF_NULL(job->gold, error);
    }
    job->input = (struct ps_grade_input){
        .gold = ps_grade_text(job->gold),
        .output = {trace.content ? trace.content : "", trace.content_size},
        .question = batch->question,
        .finish_reason = ps_store_finish_name(trace.finish),
    };
    batch->count++;
    return PS_OK;
}

static enum ps_status fill(struct batch *batch, struct ps_store_cursor *cursor, bool *more,
                           struct ps_error *error) {
    struct ps_store_row row;
    batch->count = 0;
    batch->prompt = 0;
    ps_arena_release(&batch->arena);
    while (batch->count < BATCH_TRACES && batch->arena.used < BATCH_BYTES) {
        PS_TRY(next_of_set(batch->set, cursor, &row, more, error));
        if (!*more) return PS_OK;
        PS_TRY(add_job(batch, &row, error));
    }
    return PS_OK;
}

static void grade(struct batch *batch) {
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t i = 0; i < batch->count; i++) {
        struct job *job = &batch->jobs[i];
        job->status = ps_grade(&job->input, &batch->set->profile, &job->grade, NULL, NULL);
    }
}

static enum ps_status tell_change(const struct ps_grading *grading, const struct job *job,
                                  struct ps_error *error) {
    bool same = job->before == PS_GRADING_NEW || job->before == (int)job->grade.verdict;
    if (same || !grading->changed) return PS_OK;
    return grading->changed(grading->context, job->trace, (enum ps_verdict)job->before, &job->grade,
                            error);
}

static enum ps_status put(struct batch *batch, struct ps_error *error) {
    struct ps_store *store = batch->grading->store;
    for (size_t i = 0; i < batch->count; i++) {
        struct job *job = &batch->jobs[i];
        PS_FAIL_IF(job->status != PS_OK, error, job->status, "trace %lld cannot be graded: %s",
                   (long long)job->trace, ps_status_text(job->status));
        struct ps_store_verdict verdict = {
            .grader = batch->set->grader,
            .verdict = ps_verdict_name(job->grade.verdict),
            .gold = job->gold,
            .extracted = job->grade.extracted,
            .rule = ps_grade_rule_name(job->grade.extraction.rule),
            .reason = job->grade.reason,
        };
        PS_TRY(ps_store_put_verdict(store, job->trace, &verdict, error));
        batch->counts->graded++;
        batch->counts->changes[job->before][job->grade.verdict]++;
        PS_TRY(tell_change(batch->grading, job, error));
    }
    return ps_store_flush_due(store, error);
}

static enum ps_status grade_set(struct batch *batch, struct ps_error *error) {
    struct ps_store_cursor *cursor;
    bool more = true;
    PS_TRY(query_set(batch->grading, batch->set, &cursor, error));
    enum ps_status status = PS_OK;
    while (status == PS_OK && more) {
        status = ps_stop_check(error);
        if (status == PS_OK) status = fill(batch, cursor, &more, error);
        if (status != PS_OK) break;
        grade(batch);
        status = put(batch, error);
        for (size_t i = 0; i < batch->count; i++) ps_grade_release(&batch->jobs[i].grade);
        ps_progress_update(batch->grading->progress, (uint64_t)batch->counts->graded, "%s",
                           batch->set->dataset);
    }
    ps_store_cursor_close(cursor);
    return status;
}

enum ps_status ps_grade_traces(const struct ps_grading *grading, struct ps_grading_counts *counts,
                               struct ps_error *error) {
    struct batch batch = {.grading = grading, .counts = counts};
    struct sets sets;
    int64_t pending;
    PS_TRY(find_sets(grading, &sets, error));
    ps_arena_init(&batch.arena, SIZE_MAX);
    enum ps_status status = PS_OK;
    batch.jobs = ps_calloc(BATCH_TRACES, sizeof *batch.jobs);
    PS_FAIL_DONE_IF_NULL(batch.jobs, error);
    PS_TRY_DONE(count_pending(grading, &sets, &pending, error));
    ps_progress_begin(grading->progress, "grade", "traces", (uint64_t)counts->graded,
                      (uint64_t)(counts->graded + pending));
    for (size_t i = 0; status == PS_OK && i < sets.count; i++) {
        batch.set = &sets.items[i];
        status = grade_set(&batch, error);
    }
    if (status == PS_OK || status == PS_STOPPED) {
        enum ps_status flushed = ps_store_flush(grading->store, status == PS_OK ? error : NULL);
        if (status == PS_OK) status = flushed;
    }
    ps_progress_end(grading->progress);
done:
    ps_free(batch.jobs);
    ps_free(sets.items);
    ps_arena_release(&batch.arena);
    return status;
}

void ps_grading_write(const struct ps_grading_counts *counts, struct ps_json_writer *writer) {
    ps_json_write_key(writer, "graded");
    ps_json_write_integer(writer, counts->graded);
    ps_json_write_key(writer, "changes");
    ps_json_write_begin_array(writer);
    for (int from = 0; from < PS_VERDICT_COUNT; from++)
        for (int to = 0; to < PS_VERDICT_COUNT; to++) {
            if (from == to || counts->changes[from][to] == 0) continue;
            ps_json_write_begin_object(writer);
            ps_json_write_key(writer, "from");
            ps_json_write_string(writer, ps_verdict_name((enum ps_verdict)from));
            ps_json_write_key(writer, "to");
            ps_json_write_string(writer, ps_verdict_name((enum ps_verdict)to));
            ps_json_write_key(writer, "traces");
            ps_json_write_integer(writer, counts->changes[from][to]);
            ps_json_write_end_object(writer);
        }
    ps_json_write_end_array(writer);
}

void ps_grading_print_changes(const struct ps_grading_counts *counts) {
    for (int from = 0; from < PS_VERDICT_COUNT; from++)
        for (int to = 0; to < PS_VERDICT_COUNT; to++)
            if (from != to && counts->changes[from][to])
                printf("%lld were %s, are %s\n", (long long)counts->changes[from][to],
                       ps_verdict_name((enum ps_verdict)from),
                       ps_verdict_name((enum ps_verdict)to));
}
