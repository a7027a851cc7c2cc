#pragma once
/* What a running job keeps: trainer.c makes it and takes steps, train.c is the loop. */

#include "model/forward.h"
#include "student/backward.h"
#include "student/schedule.h"
#include "student/student.h"

struct trainer {
    const struct ps_train_job *job;
    struct ps_compute *compute;
    struct ps_stream *stream;
    struct ps_model *model;
    struct ps_activations *activations;
    struct ps_backward *backward;
    uint64_t parameters;
    void *memory;                       /* of everything below, device */
    float *master, *gradient;           /* [parameters] */
    void *first_moment, *second_moment; /* [parameters] in options.moments */
    int32_t *indices;                   /* tokens, positions, starts, predictors, targets */
    float *losses;                      /* [row_tokens] */
    double *square_sum;
    int32_t *host_indices;
    float *host_losses;
};

enum ps_status trainer_open(struct trainer *trainer, const struct ps_train_job *job,
                            struct ps_error *error);
void trainer_close(struct trainer *trainer);

/* One optimizer step on the chosen examples; fills loss, gradient_norm and the token counts. */
enum ps_status trainer_step(struct trainer *trainer, const uint32_t *chosen, uint32_t count,
                            int64_t step, double learning_rate, struct ps_train_progress *progress,
                            struct ps_error *error);

/* The last part of a step: AdamW on the gradient times gradient_scale, and the model's weights
 * from the masters. */
void trainer_optimize(struct trainer *trainer, int64_t step, double learning_rate,
                      double gradient_scale);

/* Mean loss over the targets of the validation examples. */
enum ps_status trainer_validate(struct trainer *trainer, double *loss, struct ps_error *error);

/* Writes a model folder from the masters. */
enum ps_status trainer_export(struct trainer *trainer, const char *folder, struct ps_error *error);
