#pragma once
/* Squares of 16 x 16 words in registers: four stages exchange what lies `step` off the diagonal. */

#include "compute/cpu/vector_internal.h"

#define UNPACK(...) __VA_ARGS__
#define TRANSPOSE_STAGE(step, low, high)                                                           \
    for (int i = 0; i < 16; i++) {                                                                 \
        if (i & step) continue;                                                                    \
        ps_v16u a = square[i], b = square[i | step];                                               \
        square[i] = __builtin_shufflevector(a, b, UNPACK low);                                     \
        square[i | step] = __builtin_shufflevector(a, b, UNPACK high);                             \
    }

/* Rows become columns. */
PS_INLINE void ps_transpose(ps_v16u square[16]) {
    TRANSPOSE_STAGE(1, (0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
                    (1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
    TRANSPOSE_STAGE(2, (0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
                    (2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    TRANSPOSE_STAGE(4, (0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
                    (4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    TRANSPOSE_STAGE(8, (0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
                    (8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
}

#undef UNPACK
#undef TRANSPOSE_STAGE
