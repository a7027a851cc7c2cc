#include "base/base64.h"

#include <stdint.h>

bool ps_base64_append(struct ps_buffer *buffer, const void *data, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *bytes = data;
    size_t groups = size / 3 + (size % 3 != 0);
    if (groups > (buffer->limit - buffer->size) / 4 || !ps_buffer_reserve(buffer, 4 * groups))
        return false;
    for (size_t i = 0; i < size; i += 3) {
        size_t here = size - i < 3 ? size - i : 3;
        uint32_t group = (uint32_t)bytes[i] << 16;
        if (here > 1) group |= (uint32_t)bytes[i + 1] << 8;
        if (here > 2) group |= bytes[i + 2];
        char text[4] = {'=', '=', '=', '='};
        for (size_t j = 0; j <= here; j++) text[j] = digits[group >> (18 - 6 * j) & 63];
        if (!ps_buffer_append(buffer, text, 4)) return false;
    }
    return true;
}
