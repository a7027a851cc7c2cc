#pragma once
/* What the files of potstill traces show share. */

#include "base/json.h"
#include "pipelines/commands/traces_internal.h"
#include "text/text.h"

struct ps_show_flags {
    bool tokens, samples;
    const char *tokenizer, *prompt, *dataset;
    int64_t row, columns;
};

/* Text of a model as it is, but on a terminal without what could steer it. */
void ps_show_text(const char *text, size_t size);
/* Each message under its role. */
void ps_show_messages(const json_t *conversation);

/* ---- traces_show_tokens.c ---- */

/* The tokenizer that --tokenizer names or that the model's folder has, else NULL; *why says what is
 * to be known of that (it is another one, there is none), or is NULL. */
enum ps_status ps_show_open_tokenizer(struct ps_call *call, struct ps_store *store,
                                      const struct ps_store_trace *trace,
                                      struct ps_tokenizer **tokenizer, const char **why,
                                      struct ps_error *error);

/* ---- traces_show_samples.c ---- */

/* All samples of the prompts that the filter finds. */
enum ps_status ps_show_samples(struct ps_call *call, struct ps_store *store,
                               const struct ps_store_filter *filter, struct ps_error *error);
