/* make_store PATH: a small store for the tests of the commands on traces: two problems, one of them
 * of a test split, three samples of each, the last of them cut while thinking. */

#include "store/store.h"

#include <stdio.h>
#include <string.h>

static struct ps_error error;

static enum ps_status put_sample(struct ps_store *store, struct ps_store_key key,
                                 int64_t provenance) {
    static const int32_t ids[] = {7, 1000, 3};
    static const float logprobs[] = {-0.5f, -1.25f, 0.0f};
    bool cut = key.sample == 2;
    struct ps_store_trace trace = {.key = key,
                                   .provenance = provenance,
                                   .reasoning = "\nOne and one.\n",
                                   .reasoning_size = 14,
                                   .content = "\n\n\\boxed{2}",
                                   .content_size = cut ? 0 : strlen("\n\n\\boxed{2}"),
                                   .ids = ids,
                                   .logprobs = logprobs,
                                   .output_tokens = 3,
                                   .max_tokens = cut ? 3 : 8,
                                   .finish = cut ? PS_STORE_LENGTH : PS_STORE_STOP};
    struct ps_store_verdict verdict = {
        .grader = "math 1", .verdict = cut ? "truncated" : "correct", .gold = "2"};
    int64_t id;
    PS_TRY(ps_store_put_trace(store, &trace, &id, NULL, &error));
    return ps_store_put_verdict(store, id, &verdict, &error);
}

static enum ps_status fill(struct ps_store *store) {
    static const char *const prompts[] = {
        "{\"messages\":[{\"role\":\"user\",\"content\":\"What is 1 + 1?\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"What is 4 - 2?\"}]}"};
    struct ps_store_key key;
    int64_t provenance;
    PS_TRY(ps_store_put_source(store, "tiny", "{\"served\":\"tiny\"}", &key.source, NULL, &error));
    PS_TRY(ps_store_put_sampler(store, "{\"seed\":1}", &key.sampler, NULL, &error));
    PS_TRY(ps_store_put_provenance(store, "{\"engine\":\"by hand\"}", &provenance, &error));
    for (int p = 0; p < 2; p++) {
        PS_TRY(ps_store_put_prompt(store, prompts[p], &key.prompt, NULL, &error));
        struct ps_store_item item = {.prompt = key.prompt,
                                     .dataset = "sums",
                                     .split = p ? "test" : "train",
                                     .row = 4,
                                     .gold = "2"};
        PS_TRY(ps_store_put_item(store, &item, NULL, &error));
        for (key.sample = 0; key.sample < 3; key.sample++)
            PS_TRY(put_sample(store, key, provenance));
    }
    return ps_store_flush(store, &error);
}

int main(int count, char **arguments) {
    struct ps_store *store;
    if (count != 2) return 2;
    enum ps_status status = ps_store_open(&store, arguments[1], PS_STORE_CREATE, &error);
    if (status == PS_OK) status = fill(store);
    if (status != PS_OK) fprintf(stderr, "%s\n", error.message);
    ps_store_close(store);
    return status != PS_OK;
}
