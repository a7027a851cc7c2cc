/* Byte-level names. GPT-2's vocabulary writes each byte as a printable character: bytes that are
 * printable in Latin-1 as themselves, the other 68, in order, as U+0100 and up. A vocabulary of
 * such names is turned back into bytes when it is loaded, so that encoding never maps anything. */
#include "text/tokenizer/tokenizer_internal.h"

static bool printable(int byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

int32_t ps_byte_level_code_point(unsigned char byte) {
    if (printable(byte)) return byte;
    int32_t code_point = 0x100;
    for (int b = 0; b < byte; b++) code_point += !printable(b);
    return code_point;
}

/* The byte that a character stands for, or -1. */
static int byte_of(int32_t code_point) {
    if (code_point >= 0 && code_point < 0x100) return printable(code_point) ? code_point : -1;
    int32_t left = code_point - 0x100;
    if (left < 0 || left >= 68) return -1;
    for (int b = 0;; b++)
        if (!printable(b) && left-- == 0) return b;
}

bool ps_byte_level_decode(const char *name, size_t size, char *bytes, size_t *byte_count) {
    size_t count = 0;
    for (size_t i = 0; i < size;) {
        int32_t code_point;
        i += ps_utf8_next(name + i, size - i, &code_point, NULL);
        int byte = byte_of(code_point);
        if (byte < 0) return false;
        bytes[count++] = (char)byte;
    }
    *byte_count = count;
    return true;
}

size_t ps_byte_level_put(unsigned char byte, char out[4]) {
    return ps_utf8_put(ps_byte_level_code_point(byte), out);
}
