#pragma once
/* What the files of the cpu backend share: the table of inner kernels that every family fills. */

#include "compute/compute.h"
#include "compute/reference/reference_internal.h"

/* Operands of the matrix kernels are packed first.
 *
 * Both are cut along K into blocks of 32, padded with zeros. In a block the even elements come
 * first, then the odd ones, because each half is a chain of its own (docs/numerics.md, "Dot
 * product").
 *  - B, the operand whose rows become lanes: panels of `lanes` rows, [panel][block][32][lane].
 *  - A, whose elements are broadcast: tiles of up to `tile_rows` rows, [tile][block][row][32].
 * An element is a float (F32), or a BF16 in B and, where the family has the BF16 dot instruction,
 * in A. BF16 elements lie in pairs of 32 bits, the earlier one in the upper half: slot 0 holds the
 * elements 0 and 2, slot 7 holds 28 and 30, slot 8 holds 1 and 3. */
enum { PS_CPU_BLOCK = 32 };

/* A matrix to be packed, seen as [rows, k]: element (r, i) lies at r * stride + i, or, where
 * `transposed`, at i * stride + r. */
struct ps_cpu_source {
    const void *data;
    enum ps_dtype dtype; /* F32 or BF16 */
    int64_t rows, k, stride;
    bool transposed;
};

/* Where a finished tile of sums goes: y = round(old? + (total + bias)). */
struct ps_cpu_target {
    void *data; /* element (0, 0) of the tile */
    enum ps_dtype dtype;
    int64_t stride;
    const float *bias; /* for the first lane, or NULL */
    bool accumulate;
};

/* Does items [first, end) of an operation on one thread: rows, or what its comment says. */
typedef void ps_cpu_task(const void *arguments, int64_t first, int64_t end);

enum { PS_CPU_SQUARE_CHUNK = 65536 };

/* Arguments: tasks_internal.h. */
struct ps_cpu_tasks {
    ps_cpu_task *rms_norm, *rms_norm_input_gradient;
    ps_cpu_task *rms_norm_weight_gradient, *column_sums; /* items: 16 columns */
    ps_cpu_task *rope, *swiglu, *swiglu_backward, *add, *convert;
    ps_cpu_task *embedding_backward; /* items: 16 columns */
    ps_cpu_task *adamw;              /* items: 16 elements */
    ps_cpu_task *square_sum;         /* items: chunks of PS_CPU_SQUARE_CHUNK */
    ps_cpu_task *combine, *combine_backward;
};

/* The most rows * lanes of a tile in any family. */
enum { PS_CPU_MOST_TOTALS = 6 * 32 };

struct ps_cpu_kernels {
    const char *name;
    const struct ps_cpu_tasks *tasks;
    const struct ps_cpu_attention_kernels *attention;
    const struct ps_cpu_vocabulary_kernels *vocabulary;
    int tile_rows, lanes;
    bool pairs; /* BF16 in A is kept in pairs, else as floats */

    /* Packs rows [first, first + count), count <= tile_rows for A and <= lanes for B (a whole
     * number of tiles or panels with several); bf16: elements of the product are BF16. */
    void (*pack_a)(const struct ps_cpu_source *source, int64_t first, int64_t count, bool bf16,
                   void *to);
    void (*pack_b)(const struct ps_cpu_source *source, int64_t first, int64_t count, bool bf16,
                   void *to);
    /* totals [rows][lanes] of one A tile and one B panel over `blocks` blocks. */
    void (*multiply)(int rows, bool bf16, const void *a, const void *b, int64_t blocks,
                     float *totals);
    /* Rows of totals to the target; columns <= lanes. */
    void (*finish)(const float *totals, int rows, int64_t columns,
                   const struct ps_cpu_target *target);
    /* Multiply-adds on registers, returns how many floating point operations; and bytes read. */
    double (*peak)(bool bf16, int64_t rounds);
    void (*read)(const void *from, size_t size);
};

extern const struct ps_cpu_kernels ps_cpu_kernels_avx512bf16, ps_cpu_kernels_avx512,
    ps_cpu_kernels_avx2, ps_cpu_kernels_plain;

/* ---- products of matrices (gemm.c) -------------------------------------------------------- */

/* y = a b^T, with b packed by pack_b. */
struct ps_cpu_product {
    struct ps_cpu_source a; /* [M, K] */
    const void *b;          /* packed [N, K] */
    bool bf16;              /* the elements that meet are BF16 */
    struct ps_matrix y;     /* [M, N] */
    const float *bias;      /* [N], or NULL */
    bool accumulate;
};

static inline struct ps_cpu_source ps_cpu_source(struct ps_matrix m) {
    return (struct ps_cpu_source){m.data, m.dtype, m.rows, m.columns, m.stride, false};
}

/* The same matrix seen as its transpose. */
static inline struct ps_cpu_source ps_cpu_transposed(struct ps_matrix m) {
    return (struct ps_cpu_source){m.data, m.dtype, m.columns, m.rows, m.stride, true};
}

/* Where element (row, k) of a packed B operand stands, in elements; blocks: of 32 in a row. */
static inline size_t ps_cpu_packed_place(const struct ps_cpu_kernels *kernels, int64_t row,
                                         int64_t k, int64_t blocks, bool bf16) {
    const int64_t lanes = kernels->lanes, block = PS_CPU_BLOCK, i = k % block;
    int64_t base = (row / lanes * blocks + k / block) * block * lanes;
    int64_t slot = i / 2 + i % 2 * (block / 2);
    if (!bf16) return (size_t)(base + slot * lanes + row % lanes);
    /* The earlier one of a pair stands in its upper half, which comes second in memory. */
    return (size_t)(base + (slot / 2 * lanes + row % lanes) * 2 + 1 - slot % 2);
}

/* Bytes of packed operands. */
size_t ps_cpu_packed_b_bytes(const struct ps_cpu_kernels *kernels, int64_t rows, int64_t k,
                             bool bf16);
/* Bytes of scratch that one thread needs for products with up to k elements. */
size_t ps_cpu_product_scratch(int64_t k);

/* Rows [row, row + rows) of y in the columns of panels [panel, panel_end), on this thread. */
void ps_cpu_product_part(const struct ps_cpu_kernels *kernels, const struct ps_cpu_product *product,
                         int64_t row, int64_t rows, int64_t panel, int64_t panel_end,
                         void *scratch);

/* ---- the backend -------------------------------------------------------------------------- */

struct ps_cpu_team;

struct ps_cpu {
    struct ps_compute compute; /* first: it is what callers hold */
    const struct ps_cpu_kernels *kernels;
    struct ps_cpu_team *team;
};

struct ps_cpu_stream {
    struct ps_stream stream; /* first; also what operations of the reference take */
    const struct ps_cpu_kernels *kernels;
    int threads;
    struct ps_cpu_team *team; /* the backend's */
    size_t thread_bytes;      /* of scratch that each thread has */
    char *thread_scratch;
    size_t shared_bytes; /* of scratch that all threads see */
    char *shared_scratch;
};

static inline struct ps_cpu_stream *ps_cpu_stream(struct ps_stream *stream) {
    return (struct ps_cpu_stream *)stream;
}

static inline void *ps_cpu_thread_scratch(struct ps_cpu_stream *stream, int thread) {
    return stream->thread_scratch + (size_t)thread * stream->thread_bytes;
}

/* ---- threads (parallel.c) ----------------------------------------------------------------- */

/* The caller and threads - 1 workers; NULL when out of memory. */
struct ps_cpu_team *ps_cpu_team_create(int threads);
void ps_cpu_team_release(struct ps_cpu_team *team); /* NULL is fine */

/* Does items [0, count) in this many pieces, whoever is free the next one. */
void ps_cpu_team_run(struct ps_cpu_team *team, ps_cpu_task *task, const void *arguments,
                     int64_t count, int64_t pieces);

/* Number of the thread that runs a task, for its scratch: 0 .. threads - 1. */
int ps_cpu_thread(void);

/* Spreads items [0, count) over threads; each item takes about so many nanoseconds. */
void ps_cpu_run(struct ps_stream *stream, ps_cpu_task *task, const void *arguments, int64_t count,
                double nanoseconds);
/* The same where each piece has a cost of its own: not more of them than threads. */
void ps_cpu_run_whole(struct ps_stream *stream, ps_cpu_task *task, const void *arguments,
                      int64_t count, double nanoseconds);

/* Tests only: what a thread must have to do, so that small work is spread as well. */
void ps_cpu_set_least_work(double nanoseconds);

/* ---- products over threads (linear.c) ----------------------------------------------------- */

enum { PS_CPU_GRADIENT_ROWS = 1024 }; /* of one dot product of a weight gradient */

void ps_cpu_multiply(struct ps_stream *stream, const struct ps_cpu_product *product);
/* The whole of a source as B. */
void ps_cpu_pack(struct ps_stream *stream, struct ps_cpu_source source, bool bf16, void *to);
/* dw += dy^T x, each `chunk` rows a dot product of their own. */
void ps_cpu_weight_gradient(struct ps_stream *stream, int64_t chunk, bool bf16, struct ps_matrix dy,
                            struct ps_matrix x, float *dw);

/* ---- attention (attention.c, attention_backward.c) ---------------------------------------- */

struct ps_cpu_attention_kernels;

/* Bytes of scratch: of a thread in the forward and in the backward, and of all together. */
size_t ps_cpu_attention_scratch(const struct ps_compute_limits *limits);
size_t ps_cpu_attention_backward_scratch(const struct ps_cpu_kernels *kernels,
                                         const struct ps_compute_limits *limits);
size_t ps_cpu_attention_shared(const struct ps_cpu_kernels *kernels,
                               const struct ps_compute_limits *limits);

/* Bytes of scratch of a thread for sampling and for the loss (sampling.c). */
struct ps_cpu_vocabulary_kernels;
size_t ps_cpu_sampling_scratch(int64_t vocabulary);

extern const struct ps_head_operations ps_cpu_head;
extern const struct ps_sampling_operations ps_cpu_sampling;
extern const struct ps_attention_operations ps_cpu_attention;
extern const struct ps_linear_operations ps_cpu_linear;
extern const struct ps_row_operations ps_cpu_rows;
extern const struct ps_expert_operations ps_cpu_experts;
extern const struct ps_optimizer_operations ps_cpu_optimizer;

enum ps_status ps_cpu_open(int threads, struct ps_compute **compute, struct ps_error *error);
