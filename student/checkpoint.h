#pragma once
/* Checkpoints: all that a training run needs to go on to the same bits.
 *
 *   FOLDER/step-00000500/state.safetensors    master, m, v: one vector each, in parameter order
 *   FOLDER/step-00000500/manifest.json        format, job, step, seen, best; bytes and SHA-256 of
 *                                             state.safetensors
 *
 * A checkpoint is written into step-N.tmp, each file synced, the manifest last; then the folder is
 * renamed and its parent synced. So one that has its name is whole, unless the disk damaged it
 * later: loading checks sizes and hashes, and goes back to the one before. What a killed run left
 * of one goes when the next is written. One process at a time uses a folder. The order of examples
 * and the learning rate follow from the step and the settings; nothing else has state. */

#include "base/status.h"
#include "compute/compute.h"

#include <stdint.h>

struct ps_checkpoint {
    const char *job;        /* what is being trained: 64 hex digits; another job's is refused */
    int64_t step;           /* steps done */
    int64_t seen_tokens;    /* target tokens trained on so far */
    double loss;            /* of that step */
    int64_t validated_step; /* the last one that was validated, 0: none yet */
    double validation_loss; /* of it */
    int64_t best_step;      /* the validated step with the lowest loss, 0: none yet */
    double best_loss;
    /* The three vectors, device memory of `compute`, each of `parameters` elements. */
    const struct ps_compute *compute;
    struct ps_stream *stream;
    uint64_t parameters;
    enum ps_dtype moments;
    float *master;
    void *first_moment, *second_moment; /* in the type `moments` */
};

/* Writes step-N and removes all but it and the newest one before it: a later one is of a run that
 * went back. PS_FULL leaves what was there untouched. */
enum ps_status ps_checkpoint_save(const char *folder, const struct ps_checkpoint *checkpoint,
                                  struct ps_error *error);

/* Fills step .. best_loss and the vectors from the newest sound checkpoint of step `latest` or
 * before; all else is set by the caller. step 0: there is none, and the vectors are as they were.
 * note (of note_size bytes) gets a line about a damaged one that was passed over, or "".
 * PS_ARGUMENT when the newest belongs to another job. */
enum ps_status ps_checkpoint_load(const char *folder, int64_t latest,
                                  struct ps_checkpoint *checkpoint, char *note, size_t note_size,
                                  struct ps_error *error);
