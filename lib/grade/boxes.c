/* The boxes of an output: every balanced \boxed{} and \fbox{} that holds something.
 *
 * One pass with a stack of open boxes finds them, so that an unclosed box costs nothing and hides
 * nothing; of nested ones the outermost counts. A box inside code (`...`, or a fence of three) is a
 * mention of a box, unless the code is the box.
 *
 * Boxes with nothing but "and", "or", commas and names ("x = ") between them are one answer, their
 * list: "\boxed{1} or \boxed{2}" commits to neither of the two alone. */
#include "grade/extract_internal.h"

#include <string.h>
#include <strings.h>

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

static bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

static bool starts(const char *text, size_t at, size_t end, const char *word) {
    size_t size = strlen(word);
    return end - at >= size && memcmp(text + at, word, size) == 0;
}

/* ---- code ---- */

struct code {
    size_t no_inline; /* no backtick closes before here */
    bool no_fence;
};

static bool is_box(const char *text, size_t at, size_t end) {
    while (at < end && (blank(text[at]) || text[at] == '$')) at++;
    if (starts(text, at, end, "\\[") || starts(text, at, end, "\\(")) at += 2;
    while (at < end && blank(text[at])) at++;
    return starts(text, at, end, "\\boxed") || starts(text, at, end, "\\fbox");
}

enum { LONGEST_INLINE = 1024 };

/* Behind the code that begins with the backtick at `at`, or `at` where it is to be read. */
static size_t behind_code(const char *text, size_t at, size_t end, struct code *code) {
    size_t ticks = 0;
    while (at + ticks < end && text[at + ticks] == '`') ticks++;
    if (ticks >= 3 && !code->no_fence) {
        size_t begin = at + ticks;
        const char *close = memmem(text + begin, end - begin, "```", 3);
        code->no_fence = !close;
        if (!close) return at;
        size_t stop = (size_t)(close - text);
        const char *line = memchr(text + begin, '\n', stop - begin); /* "```latex" */
        return is_box(text, line ? (size_t)(line - text) : begin, stop) ? at : stop + 3;
    }
    if (ticks != 1 || at < code->no_inline) return at;
    if (end - at > LONGEST_INLINE) end = at + LONGEST_INLINE;
    const char *line = memchr(text + at, '\n', end - at);
    size_t stop = line ? (size_t)(line - text) : end;
    const char *close = memchr(text + at + 1, '`', stop - at - 1);
    if (!close) code->no_inline = stop;
    if (!close || is_box(text, at + 1, (size_t)(close - text))) return at;
    return (size_t)(close - text) + 1;
}

/* ---- boxes ---- */

enum { OPEN_BOXES = 64 };

struct open_boxes {
    size_t outer[OPEN_BOXES], begin[OPEN_BOXES], depth[OPEN_BOXES];
    int count;
};

static void open_box(struct open_boxes *open, size_t outer, size_t begin, size_t depth) {
    if (open->count == OPEN_BOXES) { /* the outermost is given up */
        size_t size = (OPEN_BOXES - 1) * sizeof open->begin[0];
        memmove(open->outer, open->outer + 1, size);
        memmove(open->begin, open->begin + 1, size);
        memmove(open->depth, open->depth + 1, size);
        open->count--;
    }
    open->outer[open->count] = outer;
    open->begin[open->count] = begin;
    open->depth[open->count++] = depth;
}

/* Inner boxes make place for the one around them, old ones for new ones. */
static void add_box(struct ps_boxes *boxes, struct ps_box box) {
    while (boxes->count && boxes->items[boxes->count - 1].outer >= box.outer) {
        boxes->count--;
        boxes->total--;
    }
    if (boxes->count == PS_BOXES) {
        memmove(boxes->items, boxes->items + 1, (PS_BOXES - 1) * sizeof boxes->items[0]);
        boxes->count--;
    }
    boxes->items[boxes->count++] = box;
    boxes->total++;
}

/* The bytes of "\boxed", "\fbox", or of these escaped too often or too little, at `at`; or 0. */
static size_t box_command(const char *text, size_t at, size_t end) {
    static const char *const names[] = {"\\boxed", "\\\\boxed", "\\fbox", "\\\\fbox", "\boxed"};
    for (int i = 0; i < 5; i++) {
        size_t size = strlen(names[i]);
        if (starts(text, at, end, names[i]) && (at + size == end || !letter(text[at + size])))
            return size;
    }
    return 0;
}

/* "\boxed 7": a digit, a lone letter or a command; the end of it, or 0. */
static size_t boxed_token(const char *text, size_t at, size_t end) {
    if (at == end) return 0;
    if (digit(text[at])) return at + 1;
    size_t size = text[at] == '\\';
    while (at + size < end && letter(text[at + size])) size++;
    if (box_command(text, at, end)) return 0;
    if (text[at] == '\\') return size > 1 ? at + size : 0;
    return size == 1 ? at + 1 : 0;
}

static void close_box(const char *text, struct open_boxes *open, size_t at,
                      struct ps_boxes *boxes) {
    struct ps_box box = {open->outer[open->count - 1], open->begin[open->count - 1], at, at + 1};
    open->count--;
    while (box.begin < box.end && blank(text[box.begin])) box.begin++;
    while (box.end > box.begin && blank(text[box.end - 1])) box.end--;
    if (box.begin < box.end) add_box(boxes, box);
}

void ps_extract_boxes(const char *text, size_t from, size_t to, struct ps_boxes *boxes) {
    struct open_boxes open = {.count = 0};
    struct code code = {0, false};
    size_t depth = 0, size;
    boxes->count = boxes->total = 0;
    for (size_t i = from; i < to; i++) {
        if (text[i] == '`') {
            size_t behind = behind_code(text, i, to, &code);
            if (behind > i) i = behind - 1;
            while (behind == i && i + 1 < to && text[i + 1] == '`') i = ++behind;
        } else if ((size = box_command(text, i, to)) > 0) {
            size_t at = i + size;
            while (at < to && blank(text[at])) at++;
            if (at < to && text[at] == '{') {
                open_box(&open, i, at + 1, ++depth);
                i = at;
                continue;
            }
            size_t end = boxed_token(text, at, to);
            if (end) add_box(boxes, (struct ps_box){i, at, end, end});
            i += size - 1;
        } else if (text[i] == '\\') {
            i += i + 1 < to && !letter(text[i + 1]); /* \{ and \} are no braces */
        } else if (text[i] == '{') {
            depth++;
        } else if (text[i] == '}' && depth) {
            if (open.count && open.depth[open.count - 1] == depth) close_box(text, &open, i, boxes);
            depth--;
        }
    }
}

/* ---- several boxes ---- */

/* Where "x =" before a box begins, or the box. */
static size_t label_begin(const char *text, size_t from, size_t outer) {
    enum { LONGEST = 16 };
    size_t at = outer;
    while (at > from && (blank(text[at - 1]) || text[at - 1] == '$')) at--;
    if (at == from || text[at - 1] != '=') return outer;
    at--;
    while (at > from && text[at - 1] == ' ') at--;
    size_t begin = at;
    while (begin > from && at - begin < LONGEST &&
           (letter(text[begin - 1]) || digit(text[begin - 1]) ||
            (text[begin - 1] && strchr("_{}\\", text[begin - 1]))))
        begin--;
    bool apart = begin == from || !letter(text[begin - 1]);
    return begin < at && apart && !digit(text[begin]) ? begin : outer;
}

/* What stands between two boxes of one answer: *word "and", "or", or a comma. */
static bool is_joint(const char *text, size_t from, size_t to, const char **word) {
    static const char *const ignored[] = {"\\text{", "\\mbox{", "\\quad", "\\qquad", "\\(", "\\)",
                                          "\\[",     "\\]",     "\\,",    "\\;",     "\\ ", "**"};
    *word = ", ";
    if (to - from > 80) return false;
    for (size_t i = from; i < to;) {
        size_t size = 0;
        for (size_t k = 0; k < sizeof ignored / sizeof *ignored && !size; k++)
            if (starts(text, i, to, ignored[k])) size = strlen(ignored[k]);
        if (!size && (starts(text, i, to, "and") || starts(text, i, to, "or"))) {
            size = text[i] == 'a' ? 3 : 2;
            if (i + size < to && letter(text[i + size])) return false;
            *word = size == 3 ? " and " : " or ";
        }
        if (!size && (blank(text[i]) || strchr("$,;&}", text[i]))) size = 1;
        if (!size || !text[i]) return false;
        i += size;
    }
    return true;
}

static bool is_same(const char *text, const struct ps_box *a, const struct ps_box *b) {
    return a->end - a->begin == b->end - b->begin &&
           memcmp(text + a->begin, text + b->begin, a->end - a->begin) == 0;
}

size_t ps_extract_run(const char *text, const struct ps_boxes *boxes) {
    size_t count = boxes->count ? 1 : 0;
    const char *word;
    bool all_same = true;
    while (count && count < boxes->count) {
        const struct ps_box *next = &boxes->items[boxes->count - count], *last = next - 1;
        if (!is_joint(text, last->stop, label_begin(text, last->stop, next->outer), &word)) break;
        all_same &= is_same(text, last, next);
        count++;
    }
    return all_same ? (count ? 1 : 0) : count;
}

/* Words that take back what was boxed before them. */
static bool takes_back(const char *text, size_t from, size_t to) {
    static const char *const words[] = {"wait",  "no",      "not",   "instead", "actually",
                                        "wrong", "mistake", "sorry", "oops",    "incorrect",
                                        "error", "rather",  "but",   "however", "correction"};
    for (size_t i = from; i < to; i++) {
        if (i > from && letter(text[i - 1])) continue;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
            size_t size = strlen(words[k]);
            if (to - i >= size && strncasecmp(text + i, words[k], size) == 0 &&
                (i + size == to || !letter(text[i + size])))
                return true;
        }
    }
    return false;
}

bool ps_extract_are_parts(const char *text, const struct ps_boxes *boxes, size_t count) {
    if (boxes->total != count || boxes->count != count) return false;
    for (size_t i = 1; i < count; i++)
        if (takes_back(text, boxes->items[i - 1].stop, boxes->items[i].outer)) return false;
    return true;
}

bool ps_extract_join(const char *text, const struct ps_box *boxes, size_t count,
                     struct ps_buffer *out) {
    bool fits = true;
    for (size_t i = 0; i < count; i++) {
        const char *word = ", ";
        size_t from = i ? boxes[i - 1].stop : boxes[i].outer > 40 ? boxes[i].outer - 40 : 0;
        size_t label = label_begin(text, from, boxes[i].outer);
        if (i) {
            if (!is_joint(text, from, label, &word)) word = ", ";
            fits = fits && ps_buffer_puts(out, word);
        }
        size_t name = 0;
        while (label + name < boxes[i].outer && text[label + name] != '=') name++;
        if (label < boxes[i].outer)
            fits = fits && ps_buffer_append(out, text + label, name) && ps_buffer_puts(out, "= ");
        fits = fits && ps_buffer_append(out, text + boxes[i].begin, boxes[i].end - boxes[i].begin);
    }
    return fits;
}
