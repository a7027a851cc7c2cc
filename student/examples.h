#pragma once
/* From traces to training examples.
 *
 * An example is the prompt as the student's template renders it, then the teacher's reply, then
 * the student's end token; the loss is on the reply and the end token. A reply is never rendered
 * through a template again (several delete the reasoning). Where teacher and student have the same
 * tokenizer, and their prompts leave the thought at the same place, the teacher's token ids are
 * used as they are. Else the text "<think>\nR\n</think>\n\nC", without what the prompt has of it
 * already, is encoded anew: the tags as control tokens where the student's tokenizer has them,
 * everything between them as ordinary text. */

#include "base/memory.h"
#include "base/status.h"
#include "store/store.h"
#include "student/packing.h"
#include "text/text.h"

enum ps_overlong { PS_OVERLONG_DROP, PS_OVERLONG_TRUNCATE, PS_OVERLONG_ERROR };

struct ps_example_options {
    const struct ps_template *template; /* the student's */
    enum ps_thinking thinking;          /* what it is told; unset: what the prompt said */
    int64_t row_tokens;                 /* the longest example */
    enum ps_overlong overlong; /* what happens to longer ones; truncated ones have no end token */
    int32_t end_token;
    /* Which of the rows are taken, NULL: all. */
    enum ps_status (*choose)(void *context, const struct ps_store_row *row, bool *chosen,
                             struct ps_error *error);
    void *context;
};

/* What became of the traces. */
struct ps_example_counts {
    int64_t traces, cut; /* cut: replies that ended by their token limit; they get no end token */
    int64_t overlong;    /* dropped or truncated */
    int64_t same_ids;    /* the teacher's own token ids */
    int64_t tokens, targets;
};

struct ps_examples {
    struct ps_example *items;
    uint32_t count, capacity;
    struct ps_arena arena;
    struct ps_example_counts counts;
};

void ps_examples_init(struct ps_examples *examples);
void ps_examples_release(struct ps_examples *examples);

/* Adds the traces that a filter finds, in the order of their identity. */
enum ps_status ps_examples_add(struct ps_examples *examples, struct ps_store *store,
                               const struct ps_store_filter *filter,
                               const struct ps_tokenizer *tokenizer,
                               const struct ps_example_options *options, struct ps_error *error);
