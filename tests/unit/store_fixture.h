#pragma once
/* A store in a new folder, and traces that look like a teacher's. */

#include "unit.h"

#include "base/file.h"
#include "store/store_internal.h"

#include <math.h>
#include <string.h>

static struct ps_error error;

struct fixture {
    char folder[64], path[96];
    struct ps_store *store;
    int64_t source, sampler, provenance;
};

static inline void fixture_identities(struct fixture *f) {
    assert_ok(
        ps_store_put_source(f->store, "teacher", "{\"weights\": \"w\"}", &f->source, NULL, &error));
    assert_ok(ps_store_put_sampler(f->store, "{\"temperature\": 0.6, \"seed\": 17}", &f->sampler,
                                   NULL, &error));
    assert_ok(ps_store_put_provenance(f->store, "{\"engine\": \"local\"}", &f->provenance, &error));
}

static inline void fixture_open(struct fixture *f) {
    unit_folder(f->folder);
    snprintf(f->path, sizeof f->path, "%s/t.db", f->folder);
    assert_ok(ps_store_open(&f->store, f->path, PS_STORE_CREATE, &error));
    fixture_identities(f);
}

static inline void fixture_close(struct fixture *f) {
    ps_store_close(f->store);
    assert_ok(ps_path_remove(f->folder, &error));
}

static inline void fixture_reopen(struct fixture *f, enum ps_store_mode mode) {
    ps_store_close(f->store);
    assert_ok(ps_store_open(&f->store, f->path, mode, &error));
}

static inline int64_t fixture_prompt(struct fixture *f, int number) {
    char json[200];
    int64_t id;
    snprintf(json, sizeof json,
             "{\"messages\": [{\"role\": \"user\", \"content\": \"What is %d + 1?\"}]}", number);
    assert_ok(ps_store_put_prompt(f->store, json, &id, NULL, &error));
    return id;
}

/* A trace of (prompt, sample) whose text and tokens depend on both. Its buffers live until the next
 * call. */
static inline struct ps_store_trace fixture_trace(struct fixture *f, int64_t prompt,
                                                  int64_t sample) {
    static char reasoning[2000], content[100];
    static int32_t ids[40];
    static float logprobs[40];
    int size = 0;
    for (int i = 0; i < 12; i++)
        size += snprintf(reasoning + size, sizeof reasoning - (size_t)size,
                         "Step %d: we add %d and look at the result again.\n", i,
                         (int)(prompt * 3 + (i == 5 ? sample : 0)));
    snprintf(content, sizeof content, "The answer is \\boxed{%d}.", (int)prompt + 1);
    for (int i = 0; i < 40; i++) {
        ids[i] = (int32_t)(prompt * 1000 + sample * 7 + i * i * 90);
        logprobs[i] = -0.01f * (float)(i + sample);
    }
    return (struct ps_store_trace){
        .key = {prompt, f->source, f->sampler, sample},
        .provenance = f->provenance,
        .reasoning = reasoning,
        .content = content,
        .reasoning_size = strlen(reasoning),
        .content_size = strlen(content),
        .ids = ids,
        .logprobs = logprobs,
        .output_tokens = 40,
        .prompt_tokens = 9,
        .max_tokens = 64,
        .finish = PS_STORE_STOP,
        .time = 1700000000000,
        .duration = 1200,
    };
}

static inline int64_t fixture_put(struct fixture *f, int64_t prompt, int64_t sample) {
    struct ps_store_trace trace = fixture_trace(f, prompt, sample);
    int64_t id;
    assert_ok(ps_store_put_trace(f->store, &trace, &id, NULL, &error));
    return id;
}

static inline void fixture_hash(struct fixture *f, char hex[PS_HASH_HEX_SIZE]) {
    struct ps_hash hash;
    assert_ok(ps_store_hash(f->store, &hash, &error));
    ps_hash_hex(&hash, hex);
}

/* Runs SQL of the test's own on the open store's file. */
static inline void fixture_sql(struct fixture *f, const char *sql) {
    sqlite3 *database;
    assert_int_equal(sqlite3_open(f->path, &database), SQLITE_OK);
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(database));
    sqlite3_close(database);
}
