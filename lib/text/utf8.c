/* UTF-8 as Unicode 15 section 3.9 has it: no surrogates, nothing above U+10FFFF, shortest forms
 * only. Invalid input is replaced by one U+FFFD per maximal subpart (Table 3-8), which is what
 * Rust's from_utf8_lossy, and so the `tokenizers` library, does. */
#include "text/text_internal.h"

#include <string.h>

size_t ps_utf8_next(const char *text, size_t size, int32_t *code_point, bool *incomplete) {
    const unsigned char *bytes = (const unsigned char *)text;
    if (incomplete) *incomplete = false;
    unsigned char lead = bytes[0];
    if (lead < 0x80) {
        *code_point = lead;
        return 1;
    }
    *code_point = -1;
    size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                    : lead >= 0xE0 && lead <= 0xEF ? 3
                    : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                   : 0;
    if (length == 0) return 1;
    /* The second byte's range excludes overlong forms, surrogates and what lies too high. */
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    int32_t value = lead & (0xFF >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (i == size) {
            if (incomplete) *incomplete = true;
            return i;
        }
        if (bytes[i] < low || bytes[i] > high) return i;
        low = 0x80;
        high = 0xBF;
        value = value << 6 | (bytes[i] & 0x3F);
    }
    *code_point = value;
    return length;
}

size_t ps_utf8_put(int32_t code_point, char out[4]) {
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; code_point >>= 6) out[i] = (char)(0x80 | (code_point & 0x3F));
    out[0] = (char)((0xF00 >> length & 0xFF) | code_point);
    return length;
}

size_t ps_ascii_size(const char *text, size_t size) {
    size_t i = 0;
    for (uint64_t word; size - i >= sizeof word; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        if (word & 0x8080808080808080u) break;
    }
    while (i < size && (unsigned char)text[i] < 0x80) i++;
    return i;
}

bool ps_utf8_append_valid(struct ps_buffer *buffer, const char *text, size_t size) {
    size_t before = buffer->size, good = 0, i = 0;
    if (size == 0) return true; /* text may be NULL */
    while ((i += ps_ascii_size(text + i, size - i)) < size) {
        int32_t code_point;
        size_t length = ps_utf8_next(text + i, size - i, &code_point, NULL);
        if (code_point < 0) {
            if (!ps_buffer_append(buffer, text + good, i - good) ||
                !ps_buffer_append(buffer, "\xEF\xBF\xBD", 3))
                goto full;
            good = i + length;
        }
        i += length;
    }
    if (ps_buffer_append(buffer, text + good, size - good)) return true;
full:
    buffer->size = before;
    if (buffer->data) buffer->data[before] = 0;
    return false;
}
