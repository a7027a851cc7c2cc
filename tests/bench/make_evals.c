/* make_evals PATH [PROBLEMS [MODELS [SAMPLES [BYTES]]]]: a store of replies of the size of a large
 * evaluation (2,000 problems, 3 models, 8 samples, about 2,000 bytes a reply), for measuring the
 * report. The texts are made of sentences over a few hundred words; half of a reply's sentences are
 * those of the problem's other replies, as worked solutions repeat each other. The second problem
 * is answered with hostile text. */

#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ps_error error;
static uint64_t state = 88172645463325252;

static uint32_t draw(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

/* A sentence that `seed` alone decides. */
static int sentence(char *text, size_t room, uint64_t seed) {
    static const char *const syllables[] = {"an", "be", "co", "du", "el", "fo", "gi", "ha",  "in",
                                            "jo", "ka", "lo", "mi", "nu", "or", "pe", "qui", "ra",
                                            "so", "ti", "un", "ve", "wo", "xi", "ya", "zu"};
    uint64_t keep = state;
    int size = 0;
    state = seed * 2654435761 + 1;
    for (int word = 0, words = 6 + (int)draw(12); word < words; word++) {
        uint32_t which = draw(1 + draw(600));
        size += snprintf(text + size, room - (size_t)size, "%s%s%s", word ? " " : "",
                         syllables[which % 26], syllables[which / 26]);
    }
    size += snprintf(text + size, room - (size_t)size, " %u + %u = %u. ", draw(90), draw(90),
                     draw(180));
    state = keep;
    return size;
}

static void fill(char *text, size_t bytes, uint64_t problem) {
    size_t size = 0;
    while (size + 512 < bytes)
        size += (size_t)sentence(text + size, bytes - size,
                                 draw(2) ? problem * 64 + draw(24) : draw(1u << 30));
    text[size] = 0;
}

static const char hostile[] =
    "</script><script>window.owned = 1</script><img src=x onerror=\"window.owned = 1\"> \x07 "
    "\xe2\x80\xae \xff ";

static enum ps_status put_reply(struct ps_store *store, struct ps_store_key key, int64_t provenance,
                                int model, uint32_t problem, size_t bytes) {
    static const char *const verdicts[] = {"wrong", "correct", "truncated", "no_answer"};
    static char reasoning[1 << 20], content[1 << 20];
    uint32_t skill = 35 + 25 * (uint32_t)model, hard = (problem * 2654435761u >> 16) % 100;
    bool right = draw(100) < (skill + 100 - hard) / 2;
    const char *verdict = verdicts[right ? 1 : draw(10) == 0 ? 2 : draw(12) == 0 ? 3 : 0];
    char answer[32], gold[32];
    size_t long_ones = bytes / 2 + draw((uint32_t)bytes);
    snprintf(gold, sizeof gold, "%u", problem);
    snprintf(answer, sizeof answer, "%u", right ? problem : draw(1000));
    fill(reasoning, long_ones * 3 / 4 + 1024, problem);
    strcpy(content, problem == 1 ? hostile : "");
    fill(content + strlen(content), long_ones / 4 + 1024, problem);
    if (verdict[0] == 'c' || verdict[0] == 'w')
        sprintf(content + strlen(content), "The answer is \\boxed{%s}.", answer);
    struct ps_store_trace trace = {.key = key,
                                   .provenance = provenance,
                                   .reasoning = reasoning,
                                   .reasoning_size = strlen(reasoning),
                                   .content = content,
                                   .content_size = strlen(content),
                                   .output_tokens =
                                       (int64_t)(strlen(reasoning) + strlen(content)) / 4,
                                   .max_tokens = 32768,
                                   .finish = verdict[0] == 't' ? PS_STORE_LENGTH : PS_STORE_STOP};
    struct ps_store_verdict judged = {.grader = "math 2",
                                      .verdict = verdict,
                                      .gold = gold,
                                      .extracted =
                                          verdict[0] == 'c' || verdict[0] == 'w' ? answer : NULL};
    int64_t id;
    PS_TRY(ps_store_put_trace(store, &trace, &id, NULL, &error));
    return ps_store_put_verdict(store, id, &judged, &error);
}

static enum ps_status put_all(struct ps_store *store, const int numbers[4]) {
    static const char *const names[] = {"base", "student", "teacher", "other"};
    static const char *const subjects[] = {"Algebra", "Geometry", "Number Theory", "Precalculus"};
    char text[4096], question[2048], gold[32], extra[128];
    struct ps_store_key key = {0};
    int64_t provenance, sources[4];
    PS_TRY(ps_store_put_sampler(store, "{\"temperature\":0.6}", &key.sampler, NULL, &error));
    PS_TRY(ps_store_put_provenance(store, "{\"engine\":\"made\"}", &provenance, &error));
    for (int m = 0; m < numbers[1]; m++) {
        snprintf(text, sizeof text, "{\"weights\":\"%d\"}", m);
        PS_TRY(ps_store_put_source(store, names[m], text, &sources[m], NULL, &error));
    }
    for (int p = 0; p < numbers[0]; p++) {
        fill(question, 800, (uint64_t)p);
        snprintf(text, sizeof text, "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
                 question);
        snprintf(gold, sizeof gold, "%d", p);
        snprintf(extra, sizeof extra, "{\"level\":%d,\"subject\":\"%s\"}", 1 + p % 5,
                 subjects[p / 5 % 4]);
        PS_TRY(ps_store_put_prompt(store, text, &key.prompt, NULL, &error));
        struct ps_store_item item = {.prompt = key.prompt,
                                     .dataset = "made",
                                     .split = "test",
                                     .row = p + 1,
                                     .gold = gold,
                                     .extra = extra};
        PS_TRY(ps_store_put_item(store, &item, NULL, &error));
        for (int m = 0; m < numbers[1]; m++)
            for (key.source = sources[m], key.sample = 0; key.sample < numbers[2]; key.sample++)
                PS_TRY(put_reply(store, key, provenance, m, (uint32_t)p, (size_t)numbers[3]));
        if (p % 50 == 0) PS_TRY(ps_store_flush(store, &error));
    }
    return ps_store_flush(store, &error);
}

int main(int count, char **arguments) {
    int numbers[4] = {2000, 3, 8, 2000};
    struct ps_store *store;
    if (count < 2 || count > 6)
        return fprintf(stderr, "usage: make_evals PATH [PROBLEMS [MODELS [SAMPLES [BYTES]]]]\n"), 2;
    for (int i = 2; i < count; i++) numbers[i - 2] = atoi(arguments[i]);
    if (numbers[1] > 4 || numbers[3] > 500000)
        return fputs("at most 4 models, 500000 bytes\n", stderr), 2;
    enum ps_status status = ps_store_open(&store, arguments[1], PS_STORE_CREATE, &error);
    if (status == PS_OK) status = put_all(store, numbers);
    if (status != PS_OK) fprintf(stderr, "%s\n", error.message);
    ps_store_close(store);
    return status != PS_OK;
}
