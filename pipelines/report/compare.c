/* Runs side by side: paired differences on the problems that two runs share.
 *
 * A problem is the same where both have the same row of the same data set with the same gold; one
 * with another gold is left out, and how many is said. Models of one name or one role are compared,
 * or, where the two runs have none such, each with each. What else is not the same for both (the
 * prompt, how they were sampled, the token limit, the grader) does not keep a pair out, but stands
 * beside it as a note: the difference may be of that. */
#include "pipelines/report/replies_internal.h"

#include <string.h>

/* One result, and where its model stands. */
struct side {
    const struct ps_report_evaluation *evaluation;
    const struct ps_result *result;
    const char *plain; /* the model's name without the run's */
    uint32_t model, set;
    bool found;
};

struct shared {
    struct ps_result_problem *a, *b;
    const struct ps_reply_entry *first_a, *first_b; /* of the first shared problem */
    size_t count, only_a, only_b, other_gold, other_prompt;
};

static uint32_t index_of(const char *const *names, size_t count, const char *name, bool *found) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return (uint32_t)i;
    *found = false;
    return 0;
}

static struct side side_of(const struct ps_report *report, const struct ps_replies *replies,
                           const struct ps_report_evaluation *evaluation, size_t result) {
    struct side side = {
        .evaluation = evaluation, .result = &evaluation->results[result], .found = true};
    side.plain = side.result->model + strlen(report->names[evaluation->run]) + 1;
    side.model = index_of(replies->models, replies->model_count, side.result->model, &side.found);
    side.set = index_of(replies->sets, replies->set_count, side.result->dataset, &side.found);
    return side;
}

/* ---- the problems two results share ---- */

static bool same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void add_problem(const struct ps_scored *a, const struct ps_scored *b,
                        struct shared *shared) {
    if (!a || !b) {
        shared->only_a += a != NULL;
        shared->only_b += b != NULL;
        return;
    }
    if (!same_text(a->first->gold, b->first->gold)) {
        shared->other_gold++;
        return;
    }
    shared->other_prompt +=
        memcmp(&a->first->prompt_hash, &b->first->prompt_hash, sizeof a->first->prompt_hash) != 0;
    if (shared->count == 0) {
        shared->first_a = a->first;
        shared->first_b = b->first;
    }
    shared->a[shared->count] = a->problem;
    shared->b[shared->count++] = b->problem;
}

static void find_shared(const struct ps_scored *scored, size_t count, const struct side *a,
                        const struct side *b, struct shared *shared) {
    for (size_t i = 0, end; i < count; i = end) {
        const struct ps_scored *of_a = NULL, *of_b = NULL;
        for (end = i;
             end < count && ps_replies_compare_problem(scored[end].first, scored[i].first) == 0;
             end++) {
            if (scored[end].first->model == a->model) of_a = &scored[end];
            if (scored[end].first->model == b->model) of_b = &scored[end];
        }
        if (scored[i].first->set == a->set) add_problem(of_a, of_b, shared);
    }
}

/* ---- what is not the same ---- */

static const char *value_text(struct ps_arena *arena, const json_t *value) {
    struct ps_buffer text;
    if (!value) return "unset";
    ps_buffer_init(&text, 4096);
    bool fits = ps_json_dump(value, &text, NULL) == PS_OK;
    const char *copy = fits ? ps_arena_strndup(arena, text.data, text.size) : "?";
    ps_buffer_release(&text);
    return copy;
}

/* Appends ", KEY A and B" for each key that differs; the keys of `a`, then what only `b` has. */
static const char *list_differences(struct ps_arena *arena, const json_t *a, const json_t *b) {
    const json_t *samplers[2] = {a, b};
    const char *text = "", *key;
    json_t *value;
    for (size_t i = 0; i < 2; i++) {
        json_object_foreach((json_t *)samplers[i], key, value) {
            const json_t *other = json_object_get(samplers[!i], key);
            if (strcmp(key, "seed") == 0 || (other && (i || json_equal(value, other)))) continue;
            const char *of_a = value_text(arena, i ? other : value);
            const char *of_b = value_text(arena, i ? value : other);
            text = text && of_a && of_b ? ps_arena_format(arena, "%s%s%s %s and %s", text,
                                                          *text ? ", " : "", key, of_a, of_b)
                                        : NULL;
        }
    }
    return text;
}

/* How both were sampled, but for the seed: "temperature 0.6 and 0", or "" for the same. */
static enum ps_status sampler_difference(struct ps_report *report, const struct shared *shared,
                                         const char **text, struct ps_error *error) {
    const struct ps_reply_entry *first[2] = {shared->first_a, shared->first_b};
    json_t *samplers[2] = {NULL, NULL};
    enum ps_status status = PS_OK;
    *text = NULL;
    for (size_t i = 0; i < 2 && status == PS_OK; i++) {
        const char *json;
        status =
            ps_store_read_sampler(first[i]->store, first[i]->sampler, &report->arena, &json, error);
        if (status == PS_OK)
            status = ps_json_parse("sampler", json, strlen(json), &samplers[i], error);
    }
    if (status == PS_OK) *text = list_differences(&report->arena, samplers[0], samplers[1]);
    json_decref(samplers[0]);
    json_decref(samplers[1]);
    PS_TRY(status);
    PS_FAIL_IF_NULL(*text, error);
    return PS_OK;
}

static enum ps_status add_notes(struct ps_report *report, const struct side *a,
                                const struct side *b, const struct shared *shared,
                                struct ps_error *error) {
    struct ps_arena *arena = &report->arena;
    struct ps_report_note note = {a->result->dataset, NULL, a->result->model, b->result->model};
    const char *sampler;
    if (shared->only_a || shared->only_b || shared->other_gold) {
        note.text = ps_arena_format(
            arena,
            "compared on the %zu problems that both have with the same gold; left out: %zu "
            "of the first alone, %zu of the second alone, %zu with another gold",
            shared->count, shared->only_a, shared->only_b, shared->other_gold);
        PS_TRY(ps_report_note(report, note, error));
    }
    if (shared->other_prompt) {
        note.text = ps_arena_format(arena, "the prompts of %zu of %zu problems are not the same",
                                    shared->other_prompt, shared->count);
        PS_TRY(ps_report_note(report, note, error));
    }
    if (a->result->max_tokens != b->result->max_tokens) {
        note.text =
            ps_arena_format(arena, "max_tokens %lld and %lld", (long long)a->result->max_tokens,
                            (long long)b->result->max_tokens);
        PS_TRY(ps_report_note(report, note, error));
    }
    if (a->result->samples != b->result->samples) {
        note.text = ps_arena_format(arena, "%lld and %lld samples of a problem",
                                    (long long)a->result->samples, (long long)b->result->samples);
        PS_TRY(ps_report_note(report, note, error));
    }
    if (!same_text(shared->first_a->grader, shared->first_b->grader)) {
        note.text = ps_arena_format(arena,
                                    "judged by the graders \"%s\" and \"%s\"; 'potstill grade' "
                                    "brings both to the present one",
                                    shared->first_a->grader ? shared->first_a->grader : "?",
                                    shared->first_b->grader ? shared->first_b->grader : "?");
        PS_TRY(ps_report_note(report, note, error));
    }
    PS_TRY(sampler_difference(report, shared, &sampler, error));
    if (!*sampler) return PS_OK;
    note.text = ps_arena_format(arena, "sampled with %s", sampler);
    return ps_report_note(report, note, error);
}

/* ---- pairs ---- */

static enum ps_status add_pair(struct ps_report *report, const struct side *a, const struct side *b,
                               const struct ps_scored *scored, size_t count,
                               struct ps_error *error) {
    struct shared shared = {.a = ps_calloc(count + 1, sizeof *shared.a),
                            .b = ps_calloc(count + 1, sizeof *shared.b)};
    struct ps_result_pair pair = {
        .a = a->result->model, .b = b->result->model, .dataset = a->result->dataset};
    enum ps_status status = PS_OK;
    PS_FAIL_DONE_IF(!shared.a || !shared.b, error, PS_MEMORY, "out of memory");
    find_shared(scored, count, a, b, &shared);
    if (shared.count == 0) goto done;
    status = ps_result_compare(shared.a, shared.b, shared.count, &pair, error);
    if (status == PS_OK) status = add_notes(report, a, b, &shared, error);
    if (status == PS_OK) report->pairs[report->pair_count++] = pair;
done:
    ps_free(shared.a);
    ps_free(shared.b);
    return status;
}

static bool alike(const struct side *a, const struct side *b) {
    return strcmp(a->plain, b->plain) == 0 ||
           (strcmp(a->result->role, b->result->role) == 0 && strcmp(a->result->role, "other") != 0);
}

/* The later evaluation against the earlier: the sign says what the later run gained. */
static enum ps_status compare_evaluations(struct ps_report *report,
                                          const struct ps_replies *replies,
                                          const struct ps_report_evaluation *earlier,
                                          const struct ps_report_evaluation *later,
                                          const struct ps_scored *scored, size_t count,
                                          struct ps_error *error) {
    bool any = false;
    for (int pass = 0; pass < 2 && !any; pass++)
        for (size_t i = 0; i < later->result_count; i++)
            for (size_t j = 0; j < earlier->result_count; j++) {
                struct side a = side_of(report, replies, later, i);
                struct side b = side_of(report, replies, earlier, j);
                if (!a.found || !b.found || a.set != b.set || (pass == 0 && !alike(&a, &b)))
                    continue;
                any = true;
                PS_TRY(add_pair(report, &a, &b, scored, count, error));
            }
    return PS_OK;
}

enum ps_status ps_report_compare(struct ps_report *report, const struct ps_replies *replies,
                                 const struct ps_scored *scored, size_t count,
                                 struct ps_error *error) {
    size_t results = report->result_count;
    report->pair_count = 0;
    report->pairs = ps_arena_array(&report->arena, results * results + 1, sizeof *report->pairs);
    PS_FAIL_IF_NULL(report->pairs, error);
    for (size_t i = 0; i < report->evaluation_count; i++)
        for (size_t j = i + 1; j < report->evaluation_count; j++)
            if (report->evaluations[i].run != report->evaluations[j].run)
                PS_TRY(compare_evaluations(report, replies, &report->evaluations[i],
                                           &report->evaluations[j], scored, count, error));
    PS_FAIL_IF(report->pair_count == 0, error, PS_ARGUMENT,
               "%s have no problem in common: no data set with the same rows and golds that both "
               "keep replies to",
               report->name);
    return PS_OK;
}
