/* Unicode's normalization forms (UAX #15): decompose, order marks by their combining class,
 * compose.
 *
 * utf8proc has the data and composes, but its ordering is an insertion sort, quadratic in a run of
 * marks that a hostile text may make a megabyte long; a counting sort over the 255 classes does it
 * here. Two more things differ from utf8proc 2.8:
 *   - it takes U+11A7, which comes just before the trailing consonants of Hangul, for one of them
 *     and loses it;
 *   - the `tokenizers` library has the tables of Unicode 9: marks that came later are letters like
 *     any other to it, neither put in order nor composed, and ids must be the same.
 * Nothing composes across either, so texts are composed in parts that begin with them.
 *
 * NFC leaves most texts as they are. A table of the characters that it never changes, wherever they
 * stand, finds what there may be to do: runs of other characters, each with the character before.
 */
#include "text/tokenizer/tokenizer_internal.h"

#include <pthread.h>
#include <string.h>
#include <utf8proc.h>

enum { HANGUL_BEFORE_TRAILING = 0x11A7 };

/* Marks, and one letter with its mark, that came after Unicode 9, up to 15.1. */
static const struct range {
    int32_t first, last;
} newer[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
    {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0xECE, 0xECE},
    {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},
    {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50},
    {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E},
    {0x11839, 0x1183A}, {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193D, 0x1193E},
    {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34}, {0x11A47, 0x11A47},
    {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97},
    {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF},
};

/* Characters that came after Unicode 9 and stand for others. */
static const struct range newer_compatible[] = {
    {0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xAB69, 0xAB69},   {0x10781, 0x107BA},
    {0x1E030, 0x1E06D}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9},
};

static bool is_in(const struct range *ranges, size_t count, int32_t code_point) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code_point > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && code_point >= ranges[low].first;
}

static bool is_newer(int32_t code_point) {
    return is_in(newer, sizeof newer / sizeof *newer, code_point);
}

static bool is_newer_compatible(int32_t code_point) {
    return is_in(newer_compatible, sizeof newer_compatible / sizeof *newer_compatible, code_point);
}

/* The combining class of a mark that is not newer, else 0. */
static int class_of(int32_t code_point) {
    int class = utf8proc_get_property(code_point)->combining_class & 0xFF;
    return class && is_newer(code_point) ? 0 : class;
}

/* Sorts marks[0 .. count) by combining class, keeping the order within a class. */
static bool sort_marks(int32_t *marks, size_t count) {
    size_t start[257] = {0};
    bool sorted = true;
    int previous = 0;
    for (size_t i = 0; i < count; i++) {
        int class = class_of(marks[i]);
        sorted &= class >= previous;
        previous = class;
        start[class + 1]++;
    }
    if (sorted) return true;
    for (int class = 0; class < 256; class ++) start[class + 1] += start[class];
    int32_t *copy = ps_malloc(count * sizeof *copy);
    if (!copy) return false;
    memcpy(copy, marks, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) marks[start[class_of(copy[i])]++] = copy[i];
    ps_free(copy);
    return true;
}

static bool order_marks(int32_t *code_points, size_t count) {
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && class_of(code_points[end])) end++;
        if (end > i + 1 && !sort_marks(code_points + i, end - i)) return false;
        i = end + 1;
    }
    return true;
}

/* Whether nothing before this code point can compose with it or with what follows it. */
static bool begins_part(int32_t code_point) {
    return code_point == HANGUL_BEFORE_TRAILING || is_newer(code_point);
}

/* Appends code points whose marks are in order, composed if asked for. */
static enum ps_status append_part(int32_t *code_points, size_t count, bool compose,
                                  struct ps_buffer *normalized, struct ps_error *error) {
    utf8proc_ssize_t left = (utf8proc_ssize_t)count;
    if (compose)
        left = utf8proc_normalize_utf32(code_points, left, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    PS_FAIL_IF(left < 0, error, PS_INTERNAL, "%s", utf8proc_errmsg(left));
    for (utf8proc_ssize_t i = 0; i < left; i++) {
        char bytes[4];
        size_t length = ps_utf8_put(code_points[i], bytes);
        PS_FAIL_IF(!ps_buffer_append(normalized, bytes, length), error, PS_MEMORY, "out of memory");
    }
    return PS_OK;
}

/* Appends the form of a whole text. */
static enum ps_status append_form(const char *text, size_t size, bool compose, bool compatible,
                                  struct ps_buffer *normalized, struct ps_error *error) {
    enum { MOST = 18 }; /* code points in the longest decomposition, that of U+FDFA */
    utf8proc_option_t options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE;
    if (compatible) options |= UTF8PROC_COMPAT;

    enum ps_status status = PS_OK;
    size_t count = 0, capacity = size + MOST;
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
        utf8proc_ssize_t got = 1;
        if (code_point < 0xA0 || is_newer(code_point) ||
            (compatible && is_newer_compatible(code_point)))
            code_points[count] = code_point;
        else
            got = utf8proc_decompose_char(code_point, code_points + count, MOST, options, NULL);
        PS_FAIL_DONE_IF(got < 0 || got > MOST, error, PS_INTERNAL, "U+%04X does not decompose",
                        (unsigned)code_point);
        count += (size_t)got;
    }
    PS_FAIL_DONE_IF(!order_marks(code_points, count), error, PS_MEMORY, "out of memory");
    for (size_t begin = 0; begin < count;) {
        size_t end = begin + 1;
        while (end < count && !begins_part(code_points[end])) end++;
        PS_TRY_DONE(append_part(code_points + begin, end - begin, compose, normalized, error));
        begin = end;
    }
done:
    ps_free(code_points);
    return status;
}

/* ---- what NFC leaves alone ---- */

/* A bit for each character that may change, or change its neighbours: marks, what does not compose
 * back to itself, and what composes with a character before it. */
static unsigned char restless[0x110000 / 8];
static pthread_once_t restless_once = PTHREAD_ONCE_INIT;

static void set_restless(int32_t code_point) {
    restless[code_point >> 3] |= (unsigned char)(1 << (code_point & 7));
}

static bool is_restless(int32_t code_point) {
    return restless[code_point >> 3] >> (code_point & 7) & 1;
}

static void find_restless(void) {
    for (int32_t c = 0xC0; c < 0x110000; c++) {
        const utf8proc_property_t *property = utf8proc_get_property(c);
        if (property->combining_class) set_restless(c);
        if (property->decomp_seqindex == UINT16_MAX || property->decomp_type) continue;
        int32_t parts[8];
        utf8proc_ssize_t count =
            utf8proc_decompose_char(c, parts, 8, UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, NULL);
        for (utf8proc_ssize_t i = 1; i < count; i++) set_restless(parts[i]);
        count = utf8proc_normalize_utf32(parts, count, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
        if (count != 1 || *parts != c) set_restless(c);
    }
    for (int32_t c = 0x1160; c < 0x1200; c++) set_restless(c); /* of Hangul syllables */
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++)
        for (int32_t c = newer[i].first; c <= newer[i].last; c++) set_restless(c);
}

/* The first restless character of text[from .. size), or size; *before: where the character before
 * it begins, or from. */
static size_t next_restless(const char *text, size_t size, size_t from, size_t *before) {
    *before = from;
    for (size_t i = from; i < size;) {
        int32_t code_point;
        size_t length = ps_utf8_next(text + i, size - i, &code_point, NULL);
        if (is_restless(code_point)) return i;
        *before = i;
        i += length;
    }
    return size;
}

static enum ps_status append_composed(const char *text, size_t size, struct ps_buffer *normalized,
                                      struct ps_error *error) {
    size_t done = 0, begin, end;
    pthread_once(&restless_once, find_restless);
    while ((end = next_restless(text, size, done, &begin)) < size) {
        int32_t code_point;
        size_t length = 0;
        do {
            end += length;
            length = end < size ? ps_utf8_next(text + end, size - end, &code_point, NULL) : 0;
        } while (length > 0 && is_restless(code_point));
        PS_FAIL_IF(!ps_buffer_append(normalized, text + done, begin - done), error, PS_MEMORY,
                   "out of memory");
        PS_TRY(append_form(text + begin, end - begin, true, false, normalized, error));
        done = end;
    }
    PS_FAIL_IF(!ps_buffer_append(normalized, text + done, size - done), error, PS_MEMORY,
               "out of memory");
    return PS_OK;
}

enum ps_status ps_normalize_unicode(const char *text, size_t size, bool compose, bool compatible,
                                    struct ps_buffer *normalized, bool *changed,
                                    struct ps_error *error) {
    size_t before = normalized->size;
    *changed = false;
    if (ps_ascii_size(text, size) == size) return PS_OK;
    PS_TRY(compose && !compatible
               ? append_composed(text, size, normalized, error)
               : append_form(text, size, compose, compatible, normalized, error));
    *changed =
        normalized->size - before != size || memcmp(normalized->data + before, text, size) != 0;
    if (!*changed) normalized->size = before;
    return PS_OK;
}
