/* The head and its loss. Rows go in chunks of 256, each of them one dot product of dw: logits by
 * the forward, loss and gradient row by row, then input and weight gradient. */

#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/tasks_internal.h"
#include "compute/cpu/vocabulary_internal.h"

enum { CHUNK = 256 };

struct rows {
    struct ps_cpu_stream *stream;
    const struct ps_loss *loss;
    int64_t first; /* of the chunk among all rows */
    struct ps_matrix logits, gradient;
    float *losses;
};

static void row_losses(const void *arguments, int64_t first, int64_t end) {
    const struct rows *a = arguments;
    const struct ps_cpu_kernels *kernels = a->stream->kernels;
    float *room = ps_cpu_thread_scratch(a->stream, ps_cpu_thread());
    struct ps_cpu_convert convert = {a->logits, a->gradient};
    for (int64_t r = first; r < end; r++) {
        a->losses[a->first + r] = kernels->vocabulary->row_loss(
            a->loss, a->first + r, (float *)a->logits.data + r * a->logits.stride,
            a->logits.columns, room);
        kernels->tasks->convert(&convert, r, r + 1);
    }
}

static void loss(struct ps_stream *stream, const struct ps_weight *head, struct ps_matrix x,
                 const struct ps_loss *loss, float *losses, struct ps_matrix dx, float *dw) {
    const struct ps_linear_operations *linear = &stream->compute->linear;
    const int64_t chunk = ps_min(CHUNK, x.rows), n = ps_weight_description(head)->outputs;
    const enum ps_weight_format format = x.dtype == PS_DTYPE_F32 ? PS_WEIGHT_F32 : PS_WEIGHT_BF16;
    struct ps_operation operation = ps_begin(stream);
    float *logits = ps_scratch(stream, chunk * n);
    void *gradient = ps_scratch(stream, chunk * n);
    assert(n <= stream->limits.vocabulary && loss->k <= n);
    for (int64_t first = 0; first < x.rows; first += CHUNK) {
        int64_t count = ps_min(CHUNK, x.rows - first);
        struct ps_matrix rows = ps_matrix_rows(x, first, count);
        struct rows arguments = {
            .stream = ps_cpu_stream(stream),
            .loss = loss,
            .first = first,
            .logits = ps_matrix(logits, PS_DTYPE_F32, count, n),
            .gradient = ps_matrix(gradient, x.dtype, count, n),
            .losses = losses,
        };
        linear->forward(stream, head, rows, NULL, arguments.logits);
        ps_cpu_run(stream, row_losses, &arguments, count, 1.5 * (double)n);
        if (!dx.data) continue;
        linear->input_gradient(stream, head, arguments.gradient, ps_matrix_rows(dx, first, count),
                               false);
        linear->weight_gradient(stream, format, arguments.gradient, rows, dw, NULL);
    }
    ps_end(stream, operation);
}

const struct ps_head_operations ps_cpu_head = {.loss = loss};
