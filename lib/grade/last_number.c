/* The last number of a text, for the policy of that name: digits with separators, a point, a sign,
 * a currency sign, a percent sign or a fraction. No list mark ("2." or "2)" at the start of a
 * line), no end of a range ("3-5"), no number of a step, and no digits inside a word ("x2"). */
#include "grade/extract_internal.h"

#include <string.h>
#include <strings.h>

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

static bool word_byte(char c) {
    return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '\\';
}

/* The end of the digits, groups and decimals at `at`. */
static size_t number_end(const char *text, size_t at, size_t to) {
    while (at < to && digit(text[at])) at++;
    while (at + 3 < to && text[at] == ',' && digit(text[at + 1]) && digit(text[at + 2]) &&
           digit(text[at + 3]) && (at + 4 == to || !digit(text[at + 4])))
        at += 4;
    if (at + 1 < to && text[at] == '.' && digit(text[at + 1]))
        for (at++; at < to && digit(text[at]);) at++;
    return at;
}

/* The word before `at` says that the number is a reference. */
static bool is_reference(const char *text, size_t from, size_t at) {
    static const char *const words[] = {"step",    "case",   "part",     "equation", "problem",
                                        "figure",  "page",   "question", "example",  "section",
                                        "chapter", "number", "line",     "option"};
    while (at > from && (text[at - 1] == ' ' || text[at - 1] == '(' || text[at - 1] == '#')) at--;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        if (at - from < size || strncasecmp(text + at - size, words[i], size) != 0) continue;
        if (at - size == from || !word_byte(text[at - size - 1])) return true;
    }
    return false;
}

static bool is_list_mark(const char *text, size_t from, size_t begin, size_t end, size_t to) {
    size_t at = begin;
    while (at > from && strchr(" \t*#(", text[at - 1]) && text[at - 1]) at--;
    if (at > from && text[at - 1] != '\n') return false;
    if (end == to || (text[end] != '.' && text[end] != ')')) return false;
    return end + 1 < to && (text[end + 1] == ' ' || text[end + 1] == '*'); /* "42." is an answer */
}

static bool is_range(const char *text, size_t begin, size_t end, size_t from, size_t to) {
    size_t behind = end + (end < to && text[end] == '-');
    if (behind > end && behind < to && digit(text[behind])) return true;
    return begin > from + 1 && text[begin - 1] == '-' && digit(text[begin - 2]);
}

bool ps_extract_last_number(const char *text, size_t from, size_t to, size_t *begin, size_t *end) {
    bool found = false;
    for (size_t i = from; i < to;) {
        bool point = text[i] == '.' && i + 1 < to && digit(text[i + 1]);
        if (!digit(text[i]) && !point) {
            i++;
            continue;
        }
        size_t start = i, stop = number_end(text, i, to);
        i = stop;
        if (start > from && word_byte(text[start - 1])) continue;
        if (stop < to && word_byte(text[stop]) && text[stop] != '\\') {
            while (i < to && word_byte(text[i])) i++;
            continue;
        }
        if (is_range(text, start, stop, from, to) || is_reference(text, from, start) ||
            is_list_mark(text, from, start, stop, to))
            continue;
        if (stop + 1 < to && text[stop] == '/' && digit(text[stop + 1]))
            i = stop = number_end(text, stop + 1, to);
        if (stop < to && text[stop] == '%') i = ++stop;
        if (start > from && text[start - 1] == '$') start--;
        if (start > from && text[start - 1] == '-' &&
            (start - 1 == from || !word_byte(text[start - 2])))
            start--;
        *begin = start;
        *end = stop;
        found = true;
    }
    return found;
}
