/* Weights in packed form. A tensor that is the whole weight is packed from where it lies. Tensors
 * that are stacked (q, k, v) meet in a row-major copy, which is packed and freed when all rows are
 * there; a tensor that replaces rows later begins with the packed values put back into rows. */

#include "compute/cpu/weight_internal.h"

#include "base/memory.h"

#include <string.h>

static bool is_bf16(const struct ps_weight *weight) {
    return weight->description.format == PS_WEIGHT_BF16;
}

static size_t packed_bytes(const struct ps_weight *weight, bool transposed) {
    int64_t rows = weight->description.outputs, k = weight->description.inputs;
    return ps_cpu_packed_b_bytes(weight->kernels, transposed ? k : rows, transposed ? rows : k,
                                 is_bf16(weight));
}

enum ps_status ps_cpu_weight_create(struct ps_compute *compute,
                                    const struct ps_weight_description *description,
                                    struct ps_weight **weight, struct ps_error *error) {
    struct ps_weight *made = ps_calloc(1, sizeof *made);
    PS_FAIL_IF_NULL(made, error);
    made->description = *description;
    made->kernels = ((struct ps_cpu *)compute)->kernels;
    if (description->format == PS_WEIGHT_FP8) {
        enum ps_status status =
            ps_reference_linear.create(compute, description, &made->reference, error);
        if (status != PS_OK) {
            ps_free(made);
            return status;
        }
    }
    *weight = made;
    return PS_OK;
}

void ps_cpu_weight_evict(struct ps_stream *stream, struct ps_weight *weight) {
    if (weight->reference) {
        ps_reference_linear.evict(stream, weight->reference);
        return;
    }
    ps_free(weight->packed);
    ps_free(weight->packed_transposed);
    ps_free(weight->staging);
    weight->packed = weight->packed_transposed = weight->staging = NULL;
    weight->rows_staged = 0;
}

void ps_cpu_weight_release(struct ps_weight *weight) {
    if (!weight) return;
    if (weight->reference)
        ps_reference_linear.release(weight->reference);
    else
        ps_cpu_weight_evict(NULL, weight);
    ps_free(weight);
}

size_t ps_cpu_weight_bytes(const struct ps_weight *weight) {
    if (weight->reference) return ps_reference_linear.bytes(weight->reference);
    return (weight->packed ? packed_bytes(weight, false) : 0) +
           (weight->packed_transposed ? packed_bytes(weight, true) : 0);
}

/* ---- packing ------------------------------------------------------------------------------ */

/* Memory for `size` bytes unless *memory has it; false, with an error in the stream, when there is
 * none. */
static bool obtain(struct ps_stream *stream, void **memory, size_t size) {
    if (!*memory) *memory = ps_aligned_alloc(64, (size + 63) / 64 * 64);
    if (!*memory && stream->error.status == PS_OK)
        ps_error_set(&stream->error, PS_MEMORY, "out of memory for a weight of %zu bytes", size);
    return *memory != NULL;
}

static void pack(struct ps_stream *stream, struct ps_weight *weight, struct ps_matrix values) {
    if (!obtain(stream, &weight->packed, packed_bytes(weight, false))) return;
    ps_cpu_pack(stream, ps_cpu_source(values), is_bf16(weight), weight->packed);
    if (!(weight->description.uses & PS_USE_INPUT_GRADIENT)) return;
    if (!obtain(stream, &weight->packed_transposed, packed_bytes(weight, true))) return;
    ps_cpu_pack(stream, ps_cpu_transposed(values), is_bf16(weight), weight->packed_transposed);
}

static void unpack(const struct ps_weight *weight) {
    const int64_t inputs = weight->description.inputs;
    const int64_t blocks = (inputs + PS_CPU_BLOCK - 1) / PS_CPU_BLOCK;
    for (int64_t r = 0; r < weight->description.outputs; r++) {
        for (int64_t k = 0; k < inputs; k++) {
            size_t from = ps_cpu_packed_place(weight->kernels, r, k, blocks, is_bf16(weight));
            size_t to = (size_t)(r * inputs + k);
            if (is_bf16(weight))
                ((uint16_t *)weight->staging)[to] = ((const uint16_t *)weight->packed)[from];
            else
                ((float *)weight->staging)[to] = ((const float *)weight->packed)[from];
        }
    }
}

/* ---- loading ------------------------------------------------------------------------------ */

static void stage(struct ps_stream *stream, struct ps_weight *weight, int64_t first_row,
                  struct ps_matrix values, const float *scales) {
    const struct ps_weight_description *d = &weight->description;
    const enum ps_dtype dtype = is_bf16(weight) ? PS_DTYPE_BF16 : PS_DTYPE_F32;
    const size_t size = ps_dtype_size(dtype);
    if (!weight->staging) {
        if (!obtain(stream, &weight->staging, (size_t)(d->outputs * d->inputs) * size)) return;
        if (weight->packed) {
            unpack(weight);
            weight->rows_staged = d->outputs - values.rows;
        }
    }
    void *row = NULL;
    if (!obtain(stream, &row, (size_t)d->inputs * sizeof(float))) return;
    struct ps_float_mode mode = ps_float_mode_enter();
    for (int64_t r = 0; r < values.rows; r++) {
        float *x = row;
        ps_reference_checkpoint_row(x, values, r, scales);
        ps_tensor_from_f32((char *)weight->staging + (size_t)((first_row + r) * d->inputs) * size,
                           dtype, x, (size_t)d->inputs, NULL);
    }
    ps_float_mode_leave(mode);
    ps_free(row);
    weight->rows_staged += values.rows;
    if (weight->rows_staged < d->outputs) return;
    pack(stream, weight, ps_matrix(weight->staging, dtype, d->outputs, d->inputs));
    ps_free(weight->staging);
    weight->staging = NULL;
    weight->rows_staged = 0;
}

void ps_cpu_weight_load(struct ps_stream *stream, struct ps_weight *weight, int64_t first_row,
                        struct ps_matrix values, const float *scales) {
    const struct ps_weight_description *d = &weight->description;
    if (weight->reference) {
        ps_reference_linear.load(stream, weight->reference, first_row, values, scales);
        return;
    }
    assert(values.columns == d->inputs && values.rows <= d->outputs - first_row);
    bool direct =
        values.dtype == PS_DTYPE_F32 || (values.dtype == PS_DTYPE_BF16 && is_bf16(weight));
    if (direct && values.rows == d->outputs)
        pack(stream, weight, values);
    else
        stage(stream, weight, first_row, values, scales);
}

void ps_cpu_weight_map(struct ps_stream *stream, struct ps_weight *weight, struct ps_matrix values,
                       const float *scales) {
    assert(values.rows == weight->description.outputs);
    if (weight->reference)
        ps_reference_linear.map(stream, weight->reference, values, scales);
    else
        ps_cpu_weight_load(stream, weight, 0, values, scales);
}

void ps_cpu_weight_update(struct ps_stream *stream, struct ps_weight *weight, const float *master) {
    const struct ps_weight_description *d = &weight->description;
    if (weight->reference) {
        ps_reference_linear.update(stream, weight->reference, master);
        return;
    }
    ps_cpu_weight_load(stream, weight, 0,
                       ps_matrix((float *)(uintptr_t)master, PS_DTYPE_F32, d->outputs, d->inputs),
                       NULL);
}
