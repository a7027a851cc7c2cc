#pragma once
/* The gradient of the loss on one row of packed sequences, by hand, layer by layer. */

#include "compute/compute.h"
#include "model/forward.h"

/* Scratch of the backward pass for up to `rows` tokens, device memory. */
struct ps_backward;
enum ps_status ps_backward_create(const struct ps_model *model, int64_t rows,
                                  struct ps_backward **backward, struct ps_error *error);
/* Device bytes that ps_backward_create will ask for; of the model only config and act are read. */
size_t ps_backward_bytes(const struct ps_model *model, int64_t rows);
void ps_backward_release(struct ps_backward *backward); /* NULL is fine */

/* One row of packed sequences. All arrays are device memory. */
struct ps_packed_row {
    int64_t rows, sequences, targets;  /* tokens, sequences, tokens that are predicted */
    const int32_t *tokens, *positions; /* [rows] */
    const int32_t *starts;             /* [sequences + 1] */
    const int32_t *predictors;         /* [targets]: the rows that predict, each once */
    const int32_t *target_tokens;      /* [targets]: what they should predict */
};

/* After ps_model_forward_packed on the same row: losses [targets] float, and into gradient (float,
 * device, in parameter order), accumulating, the gradient of
 *
 *     loss->scale * (sum of losses) + balance * E * sum over e of f_e P_e
 *
 * f_e the share of assignments and P_e the mean score of expert e over this row's tokens and all
 * layers (load balancing as in Switch Transformer, arXiv 2101.03961, equation 4, the way
 * transformers computes it). loss->targets is filled here; loss->k is 0.
 *
 * Both functions enqueue, and look between layers at a wish to stop (base/stop.h): PS_STOPPED
 * leaves nothing that may be read. */
enum ps_status ps_backward_run(struct ps_backward *backward, struct ps_stream *stream,
                               const struct ps_activations *activations,
                               const struct ps_packed_row *row, const struct ps_loss *loss,
                               float balance, float *losses, float *gradient,
                               struct ps_error *error);

/* The losses alone, of a validation row. */
enum ps_status ps_backward_losses(struct ps_backward *backward, struct ps_stream *stream,
                                  const struct ps_activations *activations,
                                  const struct ps_packed_row *row, float *losses,
                                  struct ps_error *error);
