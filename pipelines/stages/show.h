#pragma once
/* What `potstill check` shows of text as a model sees it. Control tokens stand in angle quotes,
 * which tells them from text that only looks like one. */

#include "student/packing.h"
#include "text/text.h"

#include <stdio.h>

/* A prompt, and where the reply begins. */
void ps_show_prompt(FILE *out, const struct ps_tokenizer *tokenizer, const struct ps_token_ids *ids,
                    enum ps_thought thought);

/* A training example, a line for each token: id, whether it is learnt, text. Of a long one the
 * ends are shown, and what is around the first target. */
void ps_show_example(FILE *out, const struct ps_tokenizer *tokenizer,
                     const struct ps_example *example);
