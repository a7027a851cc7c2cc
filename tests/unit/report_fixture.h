#pragma once
/* A run's directory as the stages of a quickstart leave it behind, with texts that attack the
 * page: models teacher, base and student on `problems` problems of arith/test. */

#include "unit.h"

#include "base/file.h"
#include "store/store.h"

#include <string.h>

#define REPORT_HOSTILE "</script><img src=x onerror=\"document.title='owned'\"><!--<script>"

struct report_run {
    char folder[64];
    char stage[8][128]; /* the stages' directories */
};

static struct ps_error error;

static const struct {
    const char *id, *kind, *fingerprint, *inputs, *result;
} report_stages[] = {
    {"sample", "sample", "111111111111aa", "{}",
     "{\"models\":[],\"prompts\":1500,\"replies\":3000,\"present\":2990,\"truncated\":40,"
     "\"failed\":10,\"prompt_tokens\":90000,\"output_tokens\":800000}"},
    {"grade", "grade", "222222222222bb", "{\"sample\":\"111111111111aa\"}",
     "{\"grader\":\"1\",\"verdicts\":{\"correct\":2800,\"wrong\":130,\"no_answer\":20,"
     "\"truncated\":40,\"gold_unreadable\":0,\"undecided\":0,\"no_gold\":0},\"traces\":2990,"
     "\"graded\":2990,\"changes\":[]}"},
    {"select", "select", "333333333333cc",
     "{\"sample\":\"111111111111aa\",\"grade\":\"222222222222bb\"}",
     "{\"considered\":2990,\"dropped\":{\"test_split\":0,\"verdict\":190,\"repetition\":310,"
     "\"per_question\":90},\"kept\":2400,\"questions\":1420}"},
    {"student", "train", "444444444444dd", "{\"select\":\"333333333333cc\"}",
     "{\"examples\":2380,\"validation_examples\":100,\"cut\":0,\"overlong\":20,\"tokens\":820000,"
     "\"targets\":640000,\"steps\":400,\"best_step\":380,\"parameters\":853000,\"loss\":0.08,"
     "\"validation_loss\":0.1,\"best_loss\":0.1}"},
    {"evaluate", "evaluate", "555555555555ee", "{\"student\":\"444444444444dd\"}", NULL},
    {"later", "evaluate", "666666666666ff", "{}", ""}, /* not done */
};

static inline void report_put(const char *folder, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(ps_file_write_atomic(path, text, strlen(text), &error));
}

/* problem p is solved by the teacher always, by the base seldom, by the student mostly. */
static inline bool report_solves(int model, int problem) {
    unsigned draw = ((unsigned)problem * 2654435761u + (unsigned)model * 40503u) >> 16 & 1023;
    return draw < (unsigned[]){1004, 90, 830}[model];
}

static inline int64_t report_put_reply(struct ps_store *store, struct ps_store_key key,
                                       int64_t provenance, int model, int problem,
                                       const char *gold) {
    static const char bad[] = "A NUL \0, a byte \xff, " REPORT_HOSTILE ", \xe2\x80\xae turned.\n";
    char content[1024], answer[32];
    bool right = report_solves(model, problem), none = !right && problem % 5 == 0;
    size_t size = 0;
    if (problem == 2) memcpy(content, bad, size = sizeof bad - 1);
    snprintf(answer, sizeof answer, "%d", right ? 40 + problem : 3 + problem / 2);
    size +=
        (size_t)snprintf(content + size, sizeof content - size,
                         "Nina starts with %d apples. She then buys %d more, which makes %d + %d "
                         "= %d.\n%s%s%s",
                         problem, 40, problem, 40, 40 + problem,
                         none ? "So there are some." : "The answer is \\boxed{", none ? "" : answer,
                         none ? "" : "}.");
    struct ps_store_trace trace = {.key = key,
                                   .provenance = provenance,
                                   .reasoning = "\nFirst count, then add.\n",
                                   .reasoning_size = model == 0 ? 24 : 0,
                                   .content = content,
                                   .content_size = size,
                                   .output_tokens = 40 + problem % 23 + 9 * model,
                                   .finish = none && problem % 2 ? PS_STORE_LENGTH : PS_STORE_STOP};
    struct ps_store_verdict verdict = {.grader = "plain 1",
                                       .verdict = right         ? "correct"
                                                  : !none       ? "wrong"
                                                  : problem % 2 ? "truncated"
                                                                : "no_answer",
                                       .gold = gold,
                                       .extracted = none ? NULL : answer};
    int64_t id;
    assert_ok(ps_store_put_trace(store, &trace, &id, NULL, &error));
    assert_ok(ps_store_put_verdict(store, id, &verdict, &error));
    return id;
}

enum { REPORT_PROBLEMS = 64 };

/* Rows of the replies, [model][problem], and of the items. */
typedef int64_t report_traces[4][REPORT_PROBLEMS];

static inline void report_put_evals(const char *folder, int problems, report_traces traces) {
    static const char *const models[] = {"teacher", "base", "student"};
    char path[256], text[1024];
    struct ps_store *store;
    struct ps_store_key key = {0};
    int64_t source[3], provenance;
    snprintf(path, sizeof path, "%s/evals.db", folder);
    assert_ok(ps_store_open(&store, path, PS_STORE_CREATE, &error));
    assert_ok(ps_store_put_sampler(store, "{\"temperature\":0}", &key.sampler, NULL, &error));
    assert_ok(ps_store_put_provenance(store, "{\"engine\":\"test\"}", &provenance, &error));
    for (int m = 0; m < 3; m++) {
        snprintf(text, sizeof text, "{\"weights\":\"%d\"}", m);
        assert_ok(ps_store_put_source(store, models[m], text, &source[m], NULL, &error));
    }
    for (int p = 0; p < problems; p++) {
        char gold[32];
        snprintf(
            text, sizeof text,
            "{\"messages\":[{\"content\":\"Nina has %d apples%s and buys 40 more at the market "
            "on her way home. How many apples does she have?\",\"role\":\"user\"}]}",
            p, p == 3 ? " </script><b onclick=alert(1)>" : "");
        snprintf(gold, sizeof gold, "%d", 40 + p);
        assert_ok(ps_store_put_prompt(store, text, &key.prompt, NULL, &error));
        struct ps_store_item item = {
            .prompt = key.prompt,
            .dataset = "arith",
            .split = "test",
            .row = p + 1,
            .gold = gold,
            .extra = (const char *[]){"{\"level\":2,\"subject\":\"fruit\"}",
                                      "{\"level\":3,\"subject\":\"fruit\"}",
                                      "{\"level\":4,\"subject\":\"<i>\"}"}[p % 3]};
        assert_ok(ps_store_put_item(store, &item, &traces[3][p], &error));
        for (int m = 0; m < 3; m++) {
            key.source = source[m];
            traces[m][p] = report_put_reply(store, key, provenance, m, p, gold);
        }
    }
    assert_ok(ps_store_flush(store, &error));
    ps_store_close(store);
}

/* A result.json that lists the replies, of which the report makes the scores itself. */
static inline void report_put_result(const char *folder, int problems, report_traces traces) {
    static const char *const models[] = {"teacher", "base", "student"};
    struct ps_buffer text;
    ps_buffer_init(&text, 1 << 20);
    assert_true(ps_buffer_puts(&text, "{\"results\":["));
    for (int m = 0; m < 3; m++)
        assert_true(ps_buffer_format(
            &text,
            "%s{\"model\":\"%s\",\"role\":\"%s\",\"dataset\":\"arith/test\",\"problems\":%d,"
            "\"samples\":1,\"max_tokens\":160,\"pass_at_1\":0,\"low\":0,\"high\":0,\"truncated\":0,"
            "\"no_answer\":0,\"mean_tokens\":0}",
            m ? "," : "", models[m], models[m], problems));
    assert_true(ps_buffer_puts(&text, "],\"pairs\":[],\"traces\":["));
    for (int list = 0; list < 6; list++) {
        const char *open = list == 3 ? "],\"items\":[[" : list ? ",[" : "[";
        assert_true(ps_buffer_puts(&text, open));
        for (int p = 0; p < problems; p++)
            assert_true(ps_buffer_format(&text, "%s%lld", p ? "," : "",
                                         (long long)traces[list < 3 ? list : 3][p]));
        assert_true(ps_buffer_puts(&text, "]"));
    }
    assert_true(ps_buffer_puts(&text, "]}"));
    report_put(folder, "result.json", text.data);
    ps_buffer_release(&text);
}

static inline void report_put_metrics(const char *folder) {
    struct ps_buffer text;
    ps_buffer_init(&text, 1 << 20);
    for (int step = 1; step <= 400; step++) {
        bool validated = step % 20 == 0;
        double noise = (double)(((unsigned)step * 2654435761u >> 20) & 255) / 255 - 0.5;
        double loss = 0.08 + 2.4 * 20 / (step + 20) + 0.2 * noise / (1 + step / 80.0);
        assert_true(ps_buffer_format(
            &text,
            "{\"time\":1,\"stage\":\"student\",\"fingerprint\":\"444444444444\",\"kind\":\"train\","
            "\"step\":%d,\"loss\":%g,\"lr\":0.001,\"gradient_norm\":0.5,\"tokens_per_second\":15000",
            step, loss));
        if (validated)
            assert_true(ps_buffer_format(&text, ",\"validation_loss\":%g", loss - 0.2 * noise));
        assert_true(ps_buffer_puts(&text, "}\n"));
        if (step == 200) /* written again after a resume; and a line that was cut off */
            assert_true(ps_buffer_puts(
                &text, "{\"stage\":\"student\",\"fingerprint\":\"444444444444\",\"kind\":\"train\","
                       "\"step\":199,\"loss\":0.29}\n{\"stage\":\"stu\n"));
    }
    report_put(folder, "metrics.jsonl", text.data);
    ps_buffer_release(&text);
}

/* results: the result.json of the evaluation; NULL: one that lists its replies. */
static inline void report_run_make(struct report_run *run, int problems, const char *results) {
    report_traces traces;
    char text[4096] = "";
    strcpy(run->folder, "/tmp/potstill-report-XXXXXX");
    assert_non_null(mkdtemp(run->folder));
    for (size_t i = 0; i < sizeof report_stages / sizeof *report_stages; i++) {
        snprintf(run->stage[i], sizeof run->stage[i], "%s/%s-%.12s", run->folder,
                 report_stages[i].id, report_stages[i].fingerprint);
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "%s{\"id\":\"%s\",\"kind\":\"%s\",\"fingerprint\":\"%s\"}", i ? "," : "",
                 report_stages[i].id, report_stages[i].kind, report_stages[i].fingerprint);
        assert_ok(ps_directory_create(run->stage[i], &error));
        char identity[512];
        snprintf(identity, sizeof identity,
                 "{\"kind\":\"%s\",\"inputs\":%s,\"references\":{\"model base\":\"9f8e7d\"},"
                 "\"settings\":{\"temperature\":0.6,\"note\":\""
                 "<b>\"}}",
                 report_stages[i].kind, report_stages[i].inputs);
        report_put(run->stage[i], "stage.json", identity);
        const char *result = report_stages[i].result;
        if (result || results) report_put(run->stage[i], "result.json", result ? result : results);
        if (i != 5) report_put(run->stage[i], "done", "{\"seconds\":12.5,\"finished\":1763800000}");
    }
    char *whole = NULL;
    assert_true(asprintf(&whole,
                         "{\"potstill\":\"0.1.0\",\"name\":\"quick & <start>\",\"pipeline\":"
                         "\"pipelines/quickstart.yaml\",\"limit\":0,\"seed\":17,\"date\":"
                         "\"2026-11-21\",\"store\":\"%s/none.db\",\"started\":1763799000,"
                         "\"machine\":{\"cpu\":\"A processor\",\"processors\":2},\"stages\":[%s]}",
                         run->folder, text) > 0);
    report_put(run->folder, "run.json", whole);
    free(whole);
    report_put(run->folder, "pipeline.resolved.yaml", "name: quick\nstages:\n");
    report_put_metrics(run->folder);
    report_put_evals(run->stage[4], problems, traces);
    if (!results) report_put_result(run->stage[4], problems, traces);
}
