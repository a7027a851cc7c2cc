/* Synthetic traces that compress much as real ones do.
 *
 * A vocabulary of 5,000 made-up words is drawn from by Zipf's law. A trace is a row of sentences of
 * 12 words: seven of ten are one of 24 that belong to its prompt (samples of one prompt restate
 * it), two of ten one of 400 that all traces share (phrases of a teacher), the others are new. A
 * word is one token. Of the traces 4 % are cut; how many of a prompt's samples are correct is drawn
 * for each prompt. Everything is a function of seed and index. */
#include "pipelines/commands/bench_store_traces.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    VOCABULARY = 5000,
    LONGEST = 12,    /* bytes of a word */
    SENTENCE = 12,   /* words */
    PROMPT_OWN = 24, /* sentences of a prompt */
    SHARED = 400,    /* sentences of all */
    SPREAD = 29,     /* ids of neighbouring words lie so far apart */
    DATASETS = 2,
};

/* What a key of random numbers is for. */
enum purpose { WORDS = 1, SHARED_SENTENCE, PROMPT_SENTENCE, SENTENCES, FRESH, LOGPROBS, CHANCE };

struct slot {
    struct ps_buffer text;
    int32_t *ids;
    float *logprobs;
};

struct ps_bench_traces {
    uint64_t seed;
    int64_t bytes, samples, most_tokens;
    char words[VOCABULARY][LONGEST + 1];
    int64_t source, sampler, provenance, prompt; /* prompt: the row of prompt_index */
    int64_t prompt_index;
    struct slot slots[PS_BENCH_SLOTS];
};

/* A key for each (seed, purpose, number). */
static uint64_t key(const struct ps_bench_traces *traces, enum purpose purpose, int64_t number) {
    struct ps_philox mixed = ps_philox(traces->seed * 16 + purpose, (uint64_t)number);
    return (uint64_t)mixed.word[0] << 32 | mixed.word[1];
}

static void make_words(struct ps_bench_traces *traces) {
    static const char consonants[] = "bcdfghklmnprstvw", vowels[] = "aeiou";
    for (int64_t i = 0; i < VOCABULARY; i++) {
        uint64_t own = key(traces, WORDS, i);
        uint32_t size = 2 + ps_random_below(own, 0, i < 200 ? 3 : LONGEST - 2);
        for (uint32_t j = 0; j < size; j++)
            traces->words[i][j] = j % 2 ? vowels[ps_random_below(own, j + 1, 5)]
                                        : consonants[ps_random_below(own, j + 1, 16)];
    }
}

struct ps_bench_traces *ps_bench_traces_new(uint64_t seed, int64_t bytes, int64_t samples) {
    struct ps_bench_traces *traces = ps_calloc(1, sizeof *traces);
    if (!traces) return NULL;
    *traces = (struct ps_bench_traces){.seed = seed,
                                       .bytes = bytes,
                                       .samples = samples,
                                       .most_tokens = 2 * bytes,
                                       .prompt_index = -1};
    make_words(traces);
    for (int i = 0; i < PS_BENCH_SLOTS; i++) {
        struct slot *slot = &traces->slots[i];
        ps_buffer_init(&slot->text, PS_STORE_BODY_LIMIT);
        slot->ids = ps_malloc((size_t)traces->most_tokens * sizeof *slot->ids);
        slot->logprobs = ps_malloc((size_t)traces->most_tokens * sizeof *slot->logprobs);
        if (slot->ids && slot->logprobs) continue;
        ps_bench_traces_release(traces);
        return NULL;
    }
    return traces;
}

void ps_bench_traces_release(struct ps_bench_traces *traces) {
    if (!traces) return;
    for (int i = 0; i < PS_BENCH_SLOTS; i++) {
        ps_buffer_release(&traces->slots[i].text);
        ps_free(traces->slots[i].ids);
        ps_free(traces->slots[i].logprobs);
    }
    ps_free(traces);
}

/* ---- text ---- */

/* The n-th word of a stream: rank r has a probability near 1 / r. */
static int32_t word_at(uint64_t stream, int n) {
    int32_t rank = (int32_t)powf(VOCABULARY, ps_random_uniform(stream, (uint64_t)n)) - 1;
    return rank < VOCABULARY ? rank : VOCABULARY - 1;
}

/* Appends a sentence; ids may be NULL. */
static bool sentence(const struct ps_bench_traces *traces, uint64_t stream, struct ps_buffer *text,
                     int32_t *ids) {
    for (int i = 0; i < SENTENCE; i++) {
        int32_t word = word_at(stream, i);
        if (ids) ids[i] = 200 + word * SPREAD;
        if (!ps_buffer_puts(text, traces->words[word]) ||
            !ps_buffer_puts(text, i < SENTENCE - 1 ? " " : ".\n"))
            return false;
    }
    return true;
}

static uint64_t choose_sentence(const struct ps_bench_traces *traces, int64_t index,
                                uint64_t number) {
    uint64_t own = key(traces, SENTENCES, index);
    uint32_t dice = ps_random_below(own, 2 * number, 10);
    if (dice < 7)
        return key(traces, PROMPT_SENTENCE,
                   index / traces->samples * PROMPT_OWN +
                       ps_random_below(own, 2 * number + 1, PROMPT_OWN));
    if (dice < 9) return key(traces, SHARED_SENTENCE, ps_random_below(own, 2 * number + 1, SHARED));
    return key(traces, FRESH, index * 4096 + (int64_t)number);
}

/* ---- puts ---- */

enum ps_status ps_bench_traces_begin(struct ps_bench_traces *traces, struct ps_store *store,
                                     struct ps_error *error) {
    PS_TRY(ps_store_put_source(store, "synthetic", "{\"weights\":\"synthetic\"}", &traces->source,
                               NULL, error));
    PS_TRY(ps_store_put_sampler(store, "{\"temperature\":0.6,\"seed\":17}", &traces->sampler, NULL,
                                error));
    return ps_store_put_provenance(store, "{\"engine\":\"bench store\"}", &traces->provenance,
                                   error);
}

static void write_gold(int64_t prompt, char gold[32]) {
    snprintf(gold, 32, "%lld", (long long)prompt * 7 % 1000);
}

static enum ps_status put_prompt(struct ps_bench_traces *traces, struct ps_store *store,
                                 int64_t prompt, struct ps_buffer *json, struct ps_error *error) {
    char gold[32];
    bool fits = ps_buffer_puts(json, "{\"messages\":[{\"role\":\"user\",\"content\":\"");
    struct ps_buffer question;
    ps_buffer_init(&question, 1 << 16);
    for (int i = 0; i < 2; i++)
        fits = fits && sentence(traces, key(traces, PROMPT_SENTENCE, prompt * PROMPT_OWN + i),
                                &question, NULL);
    for (size_t i = 0; i < question.size; i++)
        if (question.data[i] == '\n') question.data[i] = ' ';
    fits = fits && ps_buffer_format(json, "%lld: %s\"}]}", (long long)prompt, question.data);
    ps_buffer_release(&question);
    PS_FAIL_IF(!fits, error, PS_MEMORY, "out of memory");
    PS_TRY(ps_store_put_prompt(store, json->data, &traces->prompt, NULL, error));
    write_gold(prompt, gold);
    struct ps_store_item item = {.prompt = traces->prompt,
                                 .dataset = prompt % DATASETS ? "second" : "first",
                                 .split = "train",
                                 .row = prompt / DATASETS,
                                 .gold = gold};
    return ps_store_put_item(store, &item, NULL, error);
}

enum ps_status ps_bench_traces_prompt(struct ps_bench_traces *traces, struct ps_store *store,
                                      int64_t index, struct ps_error *error) {
    struct ps_buffer json;
    if (index / traces->samples == traces->prompt_index) return PS_OK;
    traces->prompt_index = index / traces->samples;
    ps_buffer_init(&json, 1 << 16);
    enum ps_status status = put_prompt(traces, store, traces->prompt_index, &json, error);
    ps_buffer_release(&json);
    return status;
}

enum ps_status ps_bench_traces_make(struct ps_bench_traces *traces, int64_t index, bool tokens,
                                    struct ps_store_trace *trace, struct ps_error *error) {
    struct slot *slot = &traces->slots[index % PS_BENCH_SLOTS];
    uint64_t chance = key(traces, CHANCE, index), stream = key(traces, LOGPROBS, index);
    size_t size =
        (size_t)(traces->bytes / 2 + ps_random_below(chance, 0, (uint32_t)traces->bytes + 1));
    int64_t count = 0;
    slot->text.size = 0;
    for (uint64_t i = 0; slot->text.size < size && count + SENTENCE <= traces->most_tokens; i++) {
        PS_FAIL_IF(
            !sentence(traces, choose_sentence(traces, index, i), &slot->text, slot->ids + count),
            error, PS_MEMORY, "out of memory");
        count += SENTENCE;
    }
    for (int64_t i = 0; tokens && i < count; i++) {
        float u = ps_random_uniform(stream, (uint64_t)i);
        slot->logprobs[i] = -4 * u * u * u * u; /* most tokens are near certain */
    }
    size_t content = slot->text.size / 8;
    *trace = (struct ps_store_trace){
        .key = {traces->prompt, traces->source, traces->sampler, index % traces->samples},
        .provenance = traces->provenance,
        .reasoning = slot->text.data,
        .reasoning_size = slot->text.size - content,
        .content = slot->text.data + slot->text.size - content,
        .content_size = content,
        .ids = tokens ? slot->ids : NULL,
        .logprobs = tokens ? slot->logprobs : NULL,
        .output_tokens = count,
        .prompt_tokens = 60,
        .max_tokens = 16384,
        .finish = ps_random_below(chance, 1, 25) ? PS_STORE_STOP : PS_STORE_LENGTH,
        .duration = 30000,
    };
    return PS_OK;
}

struct ps_store_verdict ps_bench_traces_verdict(struct ps_bench_traces *traces, int64_t index,
                                                char gold[32]) {
    uint64_t chance = key(traces, CHANCE, index);
    int64_t prompt = index / traces->samples;
    uint32_t share = ps_random_below(key(traces, CHANCE, -1 - prompt), 0, 101);
    bool cut = !ps_random_below(chance, 1, 25), right = ps_random_below(chance, 2, 100) < share;
    write_gold(prompt, gold);
    return (struct ps_store_verdict){.grader = "math 1",
                                     .verdict = cut     ? "truncated"
                                                : right ? "correct"
                                                        : "wrong",
                                     .gold = gold,
                                     .extracted = cut     ? NULL
                                                  : right ? gold
                                                          : "-1",
                                     .rule = cut ? NULL : "boxed"};
}
