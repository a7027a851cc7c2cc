/* The sampling run: what it asks for, keeps, goes on with, and refuses. */
#include "teacher_fixture.h"

#include "base/stop.h"
#include "teacher/local.h"
#include "teacher/teacher.h"

enum { PROMPTS = 5, SAMPLES = 4, MAX_TOKENS = 60, POSITIONS = 256, END = 275 };

static char folder[] = "/tmp/potstill-teacher-XXXXXX";
static char model[64];
static int stores;

/* ---- set-up ---- */

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return 1;
    snprintf(model, sizeof model, "%s/model", folder);
    teacher_make(model, 288, POSITIONS, "275");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return ps_path_remove(folder, &error) == PS_OK ? 0 : 1;
}

static uint32_t ids[PROMPTS][POSITIONS];
static char conversations[PROMPTS][128];
static struct ps_store_item items[PROMPTS];
static struct ps_sample_prompt prompts[PROMPTS];

static void make_prompts(int64_t samples) {
    for (int p = 0; p < PROMPTS; p++) {
        size_t count = (size_t)(3 + 17 * p);
        for (size_t i = 0; i < count; i++) ids[p][i] = (uint32_t)((i * 7 + (size_t)p * 31) % 250);
        snprintf(conversations[p], sizeof conversations[p],
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"question %d\"}]}", p);
        items[p] = (struct ps_store_item){
            .dataset = "arith", .split = "train", .row = p, .gold = "5", .extra = "{}"};
        prompts[p] =
            (struct ps_sample_prompt){.conversation = conversations[p],
                                      .ids = ids[p],
                                      .count = count,
                                      .thought = p == 1 ? PS_THOUGHT_OPENED : PS_THOUGHT_NONE,
                                      .samples = samples,
                                      .items = &items[p],
                                      .item_count = 1};
    }
}

static struct ps_store *open_store(void) {
    struct ps_store *store;
    char path[128];
    snprintf(path, sizeof path, "%s/%d.db", folder, stores++);
    assert_ok(ps_store_open(&store, path, PS_STORE_CREATE, &error));
    return store;
}

static struct ps_sample_sampler sampler = {.temperature = 1, .top_p = 1, .seed = 11};

/* How a run is made; zero: as usual. */
struct options {
    int64_t sequences, rows, max_tokens;
    double keep_seconds;
    int stop_after; /* times that progress is told */
};

static int told;
static void stop_later(void *context, const struct ps_sample_report *so_far) {
    const struct options *options = context;
    assert_true(so_far->done <= so_far->replies);
    if (++told == options->stop_after) ps_stop_request(true);
}

static enum ps_status run(struct ps_store *store, struct options options, size_t prompt_count,
                          struct ps_sample_report *report) {
    struct ps_local local;
    struct ps_buffer source, provenance;
    struct ps_local_options engine = {.backend = "reference",
                                      .threads = 1,
                                      .sequences = options.sequences ? options.sequences : 8,
                                      .rows = options.rows ? options.rows : 32};
    ps_buffer_init(&source, 1 << 16);
    ps_buffer_init(&provenance, 1 << 16);
    assert_ok(ps_local_open(&local, model, PS_LOCAL_AUTO, &error));
    assert_ok(ps_local_start(&local, &engine, &error));
    assert_ok(ps_local_source(model, PS_LOCAL_AUTO, &source, &error));
    assert_ok(ps_local_provenance(&local, PS_THOUGHT_NONE, &provenance, &error));
    struct ps_sample_job job = {
        .store = store,
        .source_name = "teacher",
        .source = source.data,
        .provenance = provenance.data,
        .sampler = sampler,
        .prompts = prompts,
        .prompt_count = prompt_count,
        .max_tokens = options.max_tokens ? options.max_tokens : MAX_TOKENS,
        .generator = local.generator,
        .positions = POSITIONS,
        .tokenizer = local.tokenizer,
        .keep_seconds = options.keep_seconds,
        .progress = stop_later,
        .context = &options,
    };
    told = 0;
    enum ps_status status = ps_sample_run(&job, report, &error);
    ps_stop_request(false);
    ps_buffer_release(&source);
    ps_buffer_release(&provenance);
    ps_local_close(&local);
    return status;
}

static struct ps_sample_report run_well(struct ps_store *store, struct options options) {
    struct ps_sample_report report;
    assert_ok(run(store, options, PROMPTS, &report));
    assert_int_equal(report.done, report.replies);
    return report;
}

static struct ps_hash hash_of(struct ps_store *store) {
    struct ps_hash hash;
    assert_ok(ps_store_hash(store, &hash, &error));
    return hash;
}

static struct ps_hash expected; /* of all prompts, samples and tokens */

/* ---- tests ---- */

static void opens_only_what_fits(void **state) {
    (void)state;
    struct ps_local local;
    char other[96];
    snprintf(other, sizeof other, "%s/small", folder);
    teacher_make(other, 270, POSITIONS, "2");
    assert_fails(ps_local_open(&local, other, PS_LOCAL_AUTO, &error), PS_FORMAT,
                 "ids up to 277, the model's vocabulary ends at 269");
    snprintf(other, sizeof other, "%s/endless", folder);
    teacher_make(other, 288, POSITIONS, "285");
    assert_fails(ps_local_open(&local, other, PS_LOCAL_AUTO, &error), PS_FORMAT, "no end token");
    snprintf(other, sizeof other, "%s/nothing", folder);
    assert_fails(ps_local_open(&local, other, PS_LOCAL_AUTO, &error), PS_NOT_FOUND, "nothing");
    ps_local_close(&local);
}

static void keeps_whole_traces(void **state) {
    (void)state;
    struct ps_store *store = open_store();
    make_prompts(SAMPLES);
    struct ps_sample_report report = run_well(store, (struct options){0});
    assert_int_equal(report.prompts, PROMPTS);
    assert_int_equal(report.sampled, PROMPTS * SAMPLES);
    assert_true(report.truncated > 0 && report.truncated < report.sampled);

    struct ps_tokenizer *tokenizer;
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    struct ps_store_filter filter = {.dataset = "arith", .source = "teacher"};
    assert_ok(ps_tokenizer_open(model, &tokenizer, &error));
    assert_ok(ps_store_query(store, &filter, &cursor, &error));
    int64_t count = 0, cut = 0, tokens = 0;
    for (bool more = true; more;) {
        struct ps_arena arena;
        struct ps_store_trace trace;
        struct ps_buffer text;
        assert_ok(ps_store_next(cursor, &row, &more, &error));
        if (!more) break;
        ps_arena_init(&arena, 1 << 20);
        ps_buffer_init(&text, 1 << 20);
        assert_ok(ps_store_read_trace(store, row.id, &arena, &trace, &error));
        bool stop = trace.finish == PS_STORE_STOP;
        assert_int_equal(trace.ids[trace.output_tokens - 1] == END, stop);
        assert_int_equal(trace.output_tokens == MAX_TOKENS || stop, true);
        assert_int_equal(trace.prompt_tokens, 3 + 17 * row.row);
        assert_int_equal(trace.max_tokens, MAX_TOKENS);
        for (int64_t i = 0; i < trace.output_tokens; i++) assert_true(trace.logprobs[i] <= 0);
        assert_ok(ps_tokenizer_decode(tokenizer, (const uint32_t *)trace.ids,
                                      (size_t)(trace.output_tokens - stop), true, &text, &error));
        struct ps_reply parts = ps_reply_split(text.data, text.size,
                                               row.row == 1 ? PS_THOUGHT_OPENED : PS_THOUGHT_NONE);
        assert_int_equal(trace.reasoning_size, parts.reasoning_size);
        assert_int_equal(trace.content_size, parts.content_size);
        assert_memory_equal(trace.content, parts.content, parts.content_size);
        assert_memory_equal(trace.reasoning, parts.reasoning, parts.reasoning_size);
        assert_string_equal(row.gold, "5");
        count++, cut += !stop, tokens += trace.output_tokens;
        ps_buffer_release(&text);
        ps_arena_release(&arena);
    }
    assert_int_equal(count, PROMPTS * SAMPLES);
    assert_int_equal(cut, report.truncated);
    assert_int_equal(tokens, report.output_tokens);
    expected = hash_of(store);
    ps_store_cursor_close(cursor);
    ps_tokenizer_close(tokenizer);
    ps_store_close(store);
}

static void samples_what_is_missing(void **state) {
    (void)state;
    struct ps_store *store = open_store();
    make_prompts(1);
    assert_int_equal(run_well(store, (struct options){.sequences = 3}).sampled, PROMPTS);
    make_prompts(SAMPLES);
    prompts[2].samples = 2;
    assert_int_equal(run_well(store, (struct options){.sequences = 2, .rows = 5}).sampled,
                     PROMPTS * (SAMPLES - 1) - 2);
    prompts[2].samples = SAMPLES;
    assert_int_equal(run_well(store, (struct options){.sequences = 40, .rows = 100}).sampled, 2);
    struct ps_hash hash = hash_of(store);
    assert_memory_equal(&hash, &expected, sizeof hash);
    assert_int_equal(run_well(store, (struct options){0}).sampled, 0);
    ps_store_close(store);
}

static void continues_what_was_cut(void **state) {
    (void)state;
    struct ps_store *store = open_store();
    make_prompts(SAMPLES);
    struct ps_sample_report report = run_well(store, (struct options){.max_tokens = 7});
    struct ps_buffer source;
    struct ps_sample_survey survey;
    ps_buffer_init(&source, 1 << 16);
    assert_ok(ps_local_source(model, PS_LOCAL_AUTO, &source, &error));
    assert_ok(ps_sample_survey(store, source.data, &sampler, prompts, PROMPTS, MAX_TOKENS, &survey,
                               &error));
    assert_int_equal(survey.cut, report.truncated);
    assert_int_equal(survey.done + survey.cut, PROMPTS * SAMPLES);
    assert_int_equal(run_well(store, (struct options){0}).sampled, report.truncated);
    struct ps_hash hash = hash_of(store);
    assert_memory_equal(&hash, &expected, sizeof hash);
    /* A smaller limit afterwards leaves them alone. */
    assert_int_equal(run_well(store, (struct options){.max_tokens = 9}).sampled, 0);
    ps_buffer_release(&source);
    ps_store_close(store);
}

static int64_t partials(struct ps_store *store) {
    struct ps_store_stats stats;
    assert_ok(ps_store_stats(store, NULL, &stats, &error));
    return stats.partials;
}

static void stops_and_goes_on(void **state) {
    (void)state;
    make_prompts(SAMPLES);
    for (int stop_after = 1; stop_after < 60; stop_after = stop_after * 4 + 3) {
        struct ps_store *store = open_store();
        struct ps_sample_report report;
        int64_t stops = 0, flying = 0;
        for (;;) {
            struct options options = {.sequences = 3 + stops % 4, .stop_after = stop_after};
            enum ps_status status = run(store, options, PROMPTS, &report);
            if (status == PS_OK) break;
            assert_int_equal(status, PS_STOPPED);
            flying += partials(store);
            /* Stopped at once it gets nowhere; then it is let run a little. */
            stop_after += ++stops;
        }
        assert_true(stops > 0 && (flying > 0 || stop_after < 10));
        assert_int_equal(partials(store), 0);
        struct ps_hash hash = hash_of(store);
        assert_memory_equal(&hash, &expected, sizeof hash);
        ps_store_close(store);
    }
}

static void partial_longer_than_wanted(void **state) {
    (void)state;
    struct ps_store *store = open_store(), *other = open_store();
    struct ps_sample_report report;
    make_prompts(SAMPLES);
    assert_int_equal(run(store, (struct options){.stop_after = 30}, PROMPTS, &report), PS_STOPPED);
    assert_true(partials(store) > 0);
    run_well(store, (struct options){.max_tokens = 7});
    run_well(other, (struct options){.max_tokens = 7});
    struct ps_sample_traces traces[2];
    struct ps_arena arena;
    struct ps_buffer source;
    ps_arena_init(&arena, 1 << 22);
    ps_buffer_init(&source, 1 << 16);
    assert_ok(ps_local_source(model, PS_LOCAL_AUTO, &source, &error));
    for (int s = 0; s < 2; s++) {
        assert_ok(ps_sample_traces(s ? other : store, source.data, &sampler, prompts, PROMPTS,
                                   &arena, &traces[s], &error));
        assert_int_equal(traces[s].count, PROMPTS * SAMPLES);
        assert_int_equal(traces[s].present, PROMPTS * SAMPLES);
    }
    for (size_t i = 0; i < traces[0].count; i++) {
        struct ps_store_trace begun, plain;
        assert_ok(ps_store_read_trace(store, traces[0].ids[i], &arena, &begun, &error));
        assert_ok(ps_store_read_trace(other, traces[1].ids[i], &arena, &plain, &error));
        assert_true(begun.output_tokens >= plain.output_tokens); /* done before the stop */
        assert_memory_equal(begun.ids, plain.ids, (size_t)plain.output_tokens * sizeof(int32_t));
        if (begun.max_tokens == 7) assert_int_equal(begun.output_tokens, plain.output_tokens);
    }
    assert_int_equal(partials(store), 0);
    ps_buffer_release(&source);
    ps_arena_release(&arena);
    ps_store_close(store);
    ps_store_close(other);
}

static void failures_are_attempts(void **state) {
    (void)state;
    struct ps_store *store = open_store();
    struct ps_sample_report report;
    struct ps_store_stats stats;
    make_prompts(SAMPLES);
    prompts[3].count = POSITIONS;
    assert_ok(run(store, (struct options){0}, PROMPTS, &report));
    assert_int_equal(report.failed, SAMPLES);
    assert_int_equal(report.done, (PROMPTS - 1) * SAMPLES);
    assert_ok(ps_store_stats(store, NULL, &stats, &error));
    assert_int_equal(stats.attempts, SAMPLES);
    /* Where only a few positions are left, the reply is cut there, for good. */
    prompts[3].count = POSITIONS - 2;
    assert_ok(run(store, (struct options){0}, PROMPTS, &report));
    assert_int_equal(report.done, report.replies);
    ps_store_close(store);
}

static void equal_prompts_are_sampled_once(void **state) {
    (void)state;
    struct ps_store *store = open_store();
    struct ps_sample_report report;
    struct ps_store_stats stats;
    make_prompts(2);
    prompts[4].conversation = prompts[0].conversation;
    prompts[4].ids = prompts[0].ids;
    prompts[4].count = prompts[0].count;
    prompts[4].samples = 3;
    assert_ok(run(store, (struct options){0}, PROMPTS, &report));
    assert_int_equal(report.prompts, PROMPTS - 1);
    assert_int_equal(report.sampled, 3 + 2 * (PROMPTS - 2));
    assert_ok(ps_store_stats(store, NULL, &stats, &error));
    assert_int_equal(stats.items, PROMPTS);
    ps_store_close(store);
}

/* ---- budgets ---- */

static void budgets_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t least, most;
    } good[] = {{"none", 0, -1}, {"0", 0, 0}, {"512", 0, 512}, {"512-", 512, -1}, {"7-7", 7, 7}};
    static const char *const bad[] = {"",     "-",   "-5",   "5-4",         "5 ",
                                      "0-5x", "all", "0x10", "99999999999", "0-"};
    struct ps_sample_thinking thinking;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(ps_sample_thinking_read(good[i].text, &thinking));
        assert_int_equal(thinking.least, good[i].least);
        assert_int_equal(thinking.most, good[i].most);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ps_sample_thinking_read(bad[i], &thinking)) fail_msg("'%s' was read", bad[i]);
}

/* A sampler is known by the bounds that bind, and by no others. */
static void budgets_are_identity(void **state) {
    (void)state;
    static const struct {
        struct ps_sample_thinking thinking;
        const char *json;
    } cases[] = {
        {{.most = -1, .end = "e", .wait = "w", .waits = 4}, "\"seed\":11}"},
        {{.most = 5, .end = "e", .wait = "w", .waits = 4},
         "\"seed\":11,\"thinking\":{\"most\":5,\"end\":\"e\"}}"},
        {{.most = -1, .least = 3, .end = "e", .wait = "w", .waits = 4},
         "\"seed\":11,\"thinking\":{\"least\":3,\"waits\":4,\"wait\":\"w\"}}"},
        {{.most = -1, .least = 3, .end = "e", .wait = "w"}, "\"seed\":11}"},
    };
    struct ps_buffer json;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ps_sample_sampler bounded = {.seed = 11, .thinking = &cases[i].thinking};
        ps_buffer_init(&json, 1 << 12);
        assert_ok(ps_sample_sampler_json(&bounded, &json, &error));
        assert_string_equal(strstr(json.data, "\"seed\""), cases[i].json);
        ps_buffer_release(&json);
    }
}

static void budgets_need_their_tokens(void **state) {
    (void)state;
    static const struct {
        const char *end, *wait, *message;
    } cases[] = {
        {"then", "Wait", "thinking_end: 'then' must have </think> once"},
        {"</think></think>", "Wait", "must have </think> once"},
        {"</think><|im_end|>", "Wait", "a control token other than </think>"},
        {"</think>", "", "thinking_wait: the text has no tokens"},
        {"</think>", "</think>", "thinking_wait: '</think>' must not have </think>"},
    };
    struct ps_generate_thinking bounds;
    struct ps_tokenizer *tokenizer;
    struct ps_arena arena;
    assert_ok(ps_tokenizer_open(model, &tokenizer, &error));
    ps_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ps_sample_thinking thinking = {
            .most = 5, .least = 5, .waits = 1, .end = cases[i].end, .wait = cases[i].wait};
        assert_fails(ps_sample_thinking_encode(&thinking, tokenizer, &arena, &bounds, &error),
                     PS_ARGUMENT, cases[i].message);
    }
    ps_arena_release(&arena);
    ps_tokenizer_close(tokenizer);
}

/* Where the prompt opens the thought (row 1) it has 9 to 17 tokens, of which 17 are forced; where a
 * wait is forced it stands in the text. */
static void thoughts_are_within(struct ps_store *store, int32_t close) {
    struct ps_store_cursor *cursor;
    struct ps_store_row row;
    struct ps_arena arena;
    int forced = 0;
    ps_arena_init(&arena, 1 << 24);
    assert_ok(ps_store_query(store, NULL, &cursor, &error));
    for (bool more = true; more;) {
        struct ps_store_trace trace;
        int64_t thought = 0;
        assert_ok(ps_store_next(cursor, &row, &more, &error));
        if (!more || row.row != 1) continue;
        assert_ok(ps_store_read_trace(store, row.id, &arena, &trace, &error));
        while (thought < trace.output_tokens && trace.ids[thought] != close) thought++;
        assert_in_range(thought, 9, 17);
        assert_true(thought < trace.output_tokens && trace.logprobs[thought] < 0);
        forced += thought == 17;
    }
    assert_true(forced > 0);
    ps_store_cursor_close(cursor);
    ps_arena_release(&arena);
}

static void budgets_bind(void **state) {
    (void)state;
    static const struct ps_sample_thinking thinking = {
        .most = 17, .least = 9, .waits = 100, .end = "</think>\n\n", .wait = "the cat"};
    struct ps_store *store = open_store(), *alone = open_store();
    struct ps_tokenizer *tokenizer;
    struct ps_sample_report report;
    assert_ok(ps_tokenizer_open(model, &tokenizer, &error));
    int32_t close = (int32_t)ps_tokenizer_find(tokenizer, "</think>", 8);
    ps_tokenizer_close(tokenizer);
    make_prompts(SAMPLES);
    sampler.temperature = 3; /* so that tags and ends are drawn early and often */
    sampler.thinking = &thinking;
    run_well(store, (struct options){0});
    thoughts_are_within(store, close);
    /* One at a time, cut at 14 tokens first, then stopped again and again: the same traces. */
    run_well(alone, (struct options){.sequences = 1, .rows = 1, .max_tokens = 14});
    for (int stop_after = 2;; stop_after += 3) {
        struct options options = {.sequences = 1 + stop_after % 3, .stop_after = stop_after};
        enum ps_status status = run(alone, options, PROMPTS, &report);
        if (status == PS_OK) break;
        assert_int_equal(status, PS_STOPPED);
    }
    struct ps_hash one = hash_of(store), other = hash_of(alone);
    assert_memory_equal(&one, &other, sizeof one);
    /* Without bounds nothing of it is taken for one's own. */
    sampler.thinking = NULL;
    assert_int_equal(run_well(store, (struct options){0}).sampled, PROMPTS * SAMPLES);
    sampler.temperature = 1;
    ps_store_close(alone);
    ps_store_close(store);
}

static void keys_differ(void **state) {
    (void)state;
    struct ps_hash a = ps_hash_bytes("a", 1), b = ps_hash_bytes("b", 1);
    uint64_t key = ps_sample_key(1, &a, 0);
    assert_true(key != ps_sample_key(2, &a, 0) && key != ps_sample_key(1, &b, 0) &&
                key != ps_sample_key(1, &a, 1));
    assert_true(key == ps_sample_key(1, &a, 0));
}

static void estimates_the_disk(void **state) {
    (void)state;
    struct ps_sample_survey survey = {.replies = 1100, .done = 100};
    ps_sample_estimate_disk(&survey, NULL, 1000);
    assert_int_equal(survey.disk.most, 9000000);
    assert_int_equal(survey.disk.likely, 4500000);
    struct ps_store_stats stats = {.traces = 99, .tokens = 9900, .file_bytes = 990000};
    ps_sample_estimate_disk(&survey, &stats, 1000); /* too few to go by */
    assert_int_equal(survey.disk.likely, 4500000);
    stats.traces = 100;
    stats.tokens = 10000;
    stats.file_bytes = 120000;
    ps_sample_estimate_disk(&survey, &stats, 1000);
    assert_int_equal(survey.disk.likely, 1200000); /* 100 tokens of 12 bytes */
    assert_int_equal(survey.disk.most, 12000000);
    stats.file_bytes = 30000; /* packed */
    ps_sample_estimate_disk(&survey, &stats, 50);
    assert_int_equal(survey.disk.likely, 450000);
    assert_int_equal(survey.disk.most, 450000);
    survey.done = survey.replies;
    ps_sample_estimate_disk(&survey, &stats, 1000);
    assert_int_equal(survey.disk.most, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_only_what_fits),
        cmocka_unit_test(keeps_whole_traces), /* sets `expected` for those below */
        cmocka_unit_test(samples_what_is_missing),
        cmocka_unit_test(continues_what_was_cut),
        cmocka_unit_test(stops_and_goes_on),
        cmocka_unit_test(partial_longer_than_wanted),
        cmocka_unit_test(failures_are_attempts),
        cmocka_unit_test(equal_prompts_are_sampled_once),
        cmocka_unit_test(budgets_are_read),
        cmocka_unit_test(budgets_are_identity),
        cmocka_unit_test(budgets_need_their_tokens),
        cmocka_unit_test(budgets_bind),
        cmocka_unit_test(keys_differ),
        cmocka_unit_test(estimates_the_disk),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
