#pragma once
/* What the forward and the backward of attention share. */

#include "compute/reference/reference_internal.h"

enum { PS_BLOCK = PS_PAGE_POSITIONS };

/* A range of positions of one block that a query sees: [first, end), empty when first >= end. */
struct ps_seen {
    int64_t first, end;
};

/* What the query at `position` sees of the block that begins at `block`, counted from there. */
static inline struct ps_seen ps_seen(const struct ps_attention_shape *shape, int64_t position,
                                     int64_t block) {
    int64_t oldest = shape->window > 0 ? position - shape->window + 1 : 0;
    return (struct ps_seen){
        .first = oldest > block ? oldest - block : 0,
        .end = ps_min(PS_BLOCK, position + 1 - block),
    };
}
