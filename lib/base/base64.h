#pragma once
/* Base64 (RFC 4648, section 4): the standard alphabet, padded, on one line. */

#include "base/memory.h"

/* Appends the text of size bytes; false when the buffer is full. */
bool ps_base64_append(struct ps_buffer *buffer, const void *data, size_t size)
    __attribute__((warn_unused_result));
