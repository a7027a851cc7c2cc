/* Strings as Python has them: indexed by character, white space and letter case by Unicode. */
#include "text/jinja/render_internal.h"

#include "text/text_internal.h"

#include <string.h>
#include <utf8proc.h>

/* ---- characters ---- */

bool ps_jinja_is_space(int32_t c) {
    return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

size_t ps_jinja_space(const char *text, size_t size) {
    int32_t code_point;
    if (size == 0) return 0;
    size_t length = ps_utf8_next(text, size, &code_point, NULL);
    return ps_jinja_is_space(code_point) ? length : 0;
}

bool ps_jinja_is_word_character(int32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
    int category = utf8proc_category(c);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO);
}

static bool is_continuation(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

size_t ps_jinja_count(const struct string *string) {
    size_t count = 0;
    for (size_t i = 0; i < string->size; i++) count += !is_continuation(string->text[i]);
    return count;
}

size_t ps_jinja_offset(const struct string *string, size_t character) {
    for (size_t i = 0; i < string->size; i++)
        if (!is_continuation(string->text[i]) && character-- == 0) return i;
    return string->size;
}

/* ---- parts ---- */

enum ps_status ps_jinja_own(struct render *render, const char *text, struct value *result) {
    struct string *string;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *string, &string));
    *string = (struct string){.text = text, .size = strlen(text)};
    *result = STRING(string);
    return PS_OK;
}

enum ps_status ps_jinja_slice(struct render *render, const struct string *string, size_t begin,
                              size_t end, struct value *result) {
    struct string *part;
    *result = STRING(string);
    if (begin == 0 && end == string->size) return PS_OK;
    PS_TRY(ps_jinja_alloc(render, 1, sizeof *part, &part));
    *part = (struct string){.text = string->text + begin,
                            .marks = string->marks ? string->marks + begin : NULL,
                            .size = end - begin,
                            .data = string->data,
                            .markup = string->markup};
    *result = STRING(part);
    return PS_OK;
}

ptrdiff_t ps_jinja_find(const struct string *string, const struct string *needle, size_t from) {
    if (from > string->size) return -1;
    if (needle->size == 0) return (ptrdiff_t)from;
    const char *found =
        memmem(string->text + from, string->size - from, needle->text, needle->size);
    return found ? found - string->text : -1;
}

enum ps_status ps_jinja_find_last(struct render *render, const struct string *string,
                                  const struct string *needle, size_t end, ptrdiff_t *at) {
    *at = needle->size > end ? -1 : (ptrdiff_t)(end - needle->size);
    for (; *at >= 0; --*at) {
        const char *text = string->text + *at;
        if (needle->size == 0) return PS_OK;
        if (text[0] != needle->text[0]) continue;
        PS_TRY(ps_jinja_charge(render, 1 + needle->size / 64));
        if (memcmp(text, needle->text, needle->size) == 0) return PS_OK;
    }
    return ps_jinja_charge(render, end / 64);
}

bool ps_jinja_is(const struct string *string, const char *text) {
    return strlen(text) == string->size && memcmp(string->text, text, string->size) == 0;
}

enum ps_status ps_jinja_c_string(struct render *render, const struct string *string,
                                 const char **text) {
    char *copy;
    PS_TRY(ps_jinja_alloc(render, string->size + 1, 1, &copy));
    memcpy(copy, string->text, string->size);
    *text = copy;
    return PS_OK;
}

/* Whether the character at text is one to strip. */
static size_t strippable(const char *text, size_t size, const struct string *characters) {
    if (!characters) return ps_jinja_space(text, size);
    int32_t code_point;
    size_t length = ps_utf8_next(text, size, &code_point, NULL);
    return memmem(characters->text, characters->size, text, length) ? length : 0;
}

enum ps_status ps_jinja_strip(struct render *render, const struct string *string,
                              const struct string *characters, enum strip sides,
                              struct value *result) {
    size_t begin = 0, end = string->size, length;
    size_t cost = characters ? 1 + characters->size / 64 : 1; /* of each character */
    while ((sides & STRIP_LEFT) && begin < end &&
           (length = strippable(string->text + begin, end - begin, characters)) > 0) {
        PS_TRY(ps_jinja_charge(render, cost));
        begin += length;
    }
    while ((sides & STRIP_RIGHT) && begin < end) {
        size_t at = end - 1;
        PS_TRY(ps_jinja_charge(render, cost));
        while (is_continuation(string->text[at])) at--;
        if (!strippable(string->text + at, end - at, characters)) break;
        end = at;
    }
    return ps_jinja_slice(render, string, begin, end, result);
}

/* ---- letter case ---- */

/* Characters whose upper or title case is more than one character (SpecialCasing.txt), in part; the
 * rest of these, Greek with iota subscript and Armenian ligatures, keep their simple case. */
static const char *special_upper(int32_t c) {
    switch (c) {
    case 0xDF: return "SS";
    case 0x149: return "\u02BCN";
    case 0x1F0: return "J\u030C";
    case 0xFB00: return "FF";
    case 0xFB01: return "FI";
    case 0xFB02: return "FL";
    case 0xFB03: return "FFI";
    case 0xFB04: return "FFL";
    case 0xFB05:
    case 0xFB06: return "ST";
    default: return NULL;
    }
}

static bool is_cased(int32_t c) {
    if (c < 0x80) return (c | 32) >= 'a' && (c | 32) <= 'z';
    int category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT;
}

/* A sigma is final behind a letter with none after it. */
static bool is_final_sigma(const struct string *string, size_t at, bool after_letter) {
    int32_t next = 0;
    if (at + 2 < string->size)
        ps_utf8_next(string->text + at + 2, string->size - at - 2, &next, NULL);
    return after_letter && !is_cased(next);
}

enum ps_status ps_jinja_change_case(struct render *render, const struct string *string,
                                    enum letter_case to, struct value *result) {
    struct builder builder;
    bool in_word = false;
    ps_jinja_begin(render, &builder);
    PS_TRY(ps_jinja_charge(render, string->size / 8));
    for (size_t at = 0; at < string->size;) {
        int32_t c;
        size_t length = ps_utf8_next(string->text + at, string->size - at, &c, NULL);
        bool data = ps_jinja_is_data(string, at), cased = is_cased(c);
        bool first = to == CASE_CAPITAL ? at == 0 : !in_word;
        bool upper = to == CASE_UPPER || (to == CASE_SWAP && utf8proc_tolower(c) == c);
        bool title = (to == CASE_TITLE || to == CASE_CAPITAL) && first;
        const char *special = upper || title ? special_upper(c) : NULL;
        if (special)
            PS_TRY(ps_jinja_put(&builder, special, title ? 1 + (special[0] < 0) : strlen(special),
                                data));
        if (special && title) /* only the first is large: "Ss", "Ffi" */
            for (const char *rest = special + 1 + (special[0] < 0); *rest; rest++) {
                char small = *rest >= 'A' && *rest <= 'Z' && c != 0x149 ? *rest | 32 : *rest;
                PS_TRY(ps_jinja_put(&builder, &small, 1, data));
            }
        else if (special)
            ;
        else if (!upper && !title && c == 0x130)
            PS_TRY(ps_jinja_put(&builder, "i\u0307", 3, data));
        else if (!upper && !title && c == 0x3A3 && is_final_sigma(string, at, in_word))
            PS_TRY(ps_jinja_put(&builder, "\u03C2", 2, data));
        else
            PS_TRY(ps_jinja_put_character(&builder,
                                          title   ? utf8proc_totitle(c)
                                          : upper ? utf8proc_toupper(c)
                                                  : utf8proc_tolower(c),
                                          data));
        in_word = cased;
        at += length;
    }
    PS_TRY(ps_jinja_end(&builder, result));
    ((struct string *)result->string)->markup = string->markup;
    return PS_OK;
}
