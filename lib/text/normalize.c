/* Unicode normalization form C (UAX #15): decompose, order marks by their combining class, compose.
 *
 * utf8proc has the data and composes, but its ordering is an insertion sort, quadratic in a run of
 * marks that a hostile text may make a megabyte long; a counting sort over the 255 classes does it
 * here. And utf8proc 2.8 takes U+11A7, which comes just before the trailing consonants of Hangul,
 * for one of them and loses it; it composes with nothing, so texts are composed in parts that end
 * before it. */
#include "text/text_internal.h"

#include <string.h>
#include <utf8proc.h>

enum { HANGUL_BEFORE_TRAILING = 0x11A7 };

/* Sorts marks[0 .. count) by combining class, keeping the order within a class. */
static bool sort_marks(int32_t *marks, size_t count) {
    size_t start[257] = {0};
    bool sorted = true;
    int previous = 0;
    for (size_t i = 0; i < count; i++) {
        int class = utf8proc_get_property(marks[i])->combining_class & 0xFF;
        sorted &= class >= previous;
        previous = class;
        start[class + 1]++;
    }
    if (sorted) return true;
    for (int class = 0; class < 256; class ++) start[class + 1] += start[class];
    int32_t *copy = ps_malloc(count * sizeof *copy);
    if (!copy) return false;
    memcpy(copy, marks, count * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        marks[start[utf8proc_get_property(copy[i])->combining_class & 0xFF]++] = copy[i];
    ps_free(copy);
    return true;
}

static bool order_marks(int32_t *code_points, size_t count) {
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && utf8proc_get_property(code_points[end])->combining_class) end++;
        if (end > i + 1 && !sort_marks(code_points + i, end - i)) return false;
        i = end + 1;
    }
    return true;
}

/* Composes code points whose marks are in order and appends them. */
static enum ps_status compose(int32_t *code_points, size_t count, struct ps_buffer *normalized,
                              struct ps_error *error) {
    utf8proc_ssize_t composed = utf8proc_normalize_utf32(code_points, (utf8proc_ssize_t)count,
                                                         UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    PS_FAIL_IF(composed < 0, error, PS_INTERNAL, "%s", utf8proc_errmsg(composed));
    for (utf8proc_ssize_t i = 0; i < composed; i++) {
        char bytes[4];
        size_t length = ps_utf8_put(code_points[i], bytes);
        PS_FAIL_IF(!ps_buffer_append(normalized, bytes, length), error, PS_MEMORY, "out of memory");
    }
    return PS_OK;
}

enum ps_status ps_normalize_nfc(const char *text, size_t size, struct ps_buffer *normalized,
                                bool *changed, struct ps_error *error) {
    enum { MOST = 4 }; /* code points in the longest canonical decomposition */
    *changed = false;
    size_t plain = 0; /* nothing below U+0300, whose first byte is 0xCC, ever changes */
    while (plain < size && (unsigned char)text[plain] < 0xCC) plain++;
    if (plain == size) return PS_OK;

    enum ps_status status = PS_OK;
    size_t count = 0, capacity = size + MOST, before = normalized->size;
    int32_t *code_points = ps_malloc(capacity * sizeof *code_points);
    PS_FAIL_DONE_IF_NULL(code_points, error);
    for (size_t i = 0; i < size;) {
        int32_t code_point;
        i += ps_utf8_next(text + i, size - i, &code_point, NULL);
        if (capacity - count < MOST) {
            capacity += capacity / 2;
            int32_t *larger = ps_realloc(code_points, capacity * sizeof *larger);
            PS_FAIL_DONE_IF_NULL(larger, error);
            code_points = larger;
        }
        utf8proc_ssize_t got =
            code_point < 0xC0 ? (code_points[count] = code_point, 1)
                              : utf8proc_decompose_char(code_point, code_points + count, MOST,
                                                        UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, NULL);
        PS_FAIL_DONE_IF(got < 0 || got > MOST, error, PS_INTERNAL, "U+%04X does not decompose",
                        (unsigned)code_point);
        count += (size_t)got;
    }
    PS_FAIL_DONE_IF(!order_marks(code_points, count), error, PS_MEMORY, "out of memory");
    for (size_t begin = 0; begin < count;) {
        size_t end = begin + 1;
        while (end < count && code_points[end] != HANGUL_BEFORE_TRAILING) end++;
        PS_TRY_DONE(compose(code_points + begin, end - begin, normalized, error));
        begin = end;
    }
    *changed =
        normalized->size - before != size || memcmp(normalized->data + before, text, size) != 0;
    if (!*changed) normalized->size = before;
done:
    ps_free(code_points);
    return status;
}
