/* Finding the committed answer in a model's output.
 *
 * Reasoning is no commitment: only text behind the last </think> counts, and nothing at all when a
 * <think> is still open. There the last box is the answer (boxes.c), or the last few that are one.
 * Without a box it is the last explicit answer line:
 *
 *     the answer is X     the final answer, in cm, is: X     Answer: X     **Answer:** X
 *     the correct option is (C)
 *     #### X              a number, or anything in the last line (elsewhere it is a heading)
 *     **X**               a number or a choice, alone of all bold text in the last line
 *     X                   a number, a choice or maths that is the whole reply
 *
 * No commitment are questions ("the answer is 5?") and clauses with "if", "suppose", "not" and the
 * like before the word. The span ends where the sentence does; maths in delimiters is taken alone.
 * The last number of the text is no commitment: it is a policy with a name, for those who want it,
 * and leaves out list marks, ranges and numbers of steps. */
#include "grade/answer_internal.h"
#include "grade/extract_internal.h"

#include <string.h>
#include <strings.h>

struct span {
    size_t begin, end;
};

struct reader {
    const struct ps_grade_profile *profile;
    enum ps_status status; /* of reading numbers, the one thing that allocates */
    struct ps_error *error;
};

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
    return end - at >= size && strncasecmp(text + at, word, size) == 0;
}

static struct span trimmed(const char *text, struct span span) {
    while (span.begin < span.end && blank(text[span.begin])) span.begin++;
    while (span.end > span.begin && blank(text[span.end - 1])) span.end--;
    return span;
}

/* Behind the last </think>, up to a <think> that is still open. */
static struct span committed(const char *text, size_t size) {
    struct span span = {0, size};
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '<') continue;
        if (starts(text, i, size, "</think>"))
            span = (struct span){i + 8, size};
        else if (starts(text, i, size, "<think>") && span.end == size)
            span.end = i;
    }
    return span;
}

/* An answer line is looked at no further than this, which keeps extraction linear. */
enum { LINE_BYTES = 1024 };

static size_t line_end(const char *text, size_t at, size_t end) {
    if (end - at > LINE_BYTES) end = at + LINE_BYTES;
    const char *newline = memchr(text + at, '\n', end - at);
    return newline ? (size_t)(newline - text) : end;
}

/* The end of the maths that opens at `at` with a delimiter, and its inside; false if it does not.
 */
static bool delimited(const char *text, size_t at, size_t end, struct span *inside) {
    static const char *const pairs[][2] = {
        {"$$", "$$"}, {"\\(", "\\)"}, {"\\[", "\\]"}, {"**", "**"}, {"$", "$"}};
    for (int i = 0; i < 5; i++) {
        size_t size = strlen(pairs[i][0]);
        if (!starts(text, at, end, pairs[i][0])) continue;
        bool dollar = i == 4;
        if (dollar && (at + 1 == end || blank(text[at + 1]))) return false;
        for (size_t p = at + size; p + size <= end; p++) {
            if (text[p] == '\\' && p + 1 < end && text[p + 1] != pairs[i][1][1]) {
                p++;
                continue;
            }
            if (!starts(text, p, end, pairs[i][1])) continue;
            /* "$18 and $20" is money: a closing "$" has no space before and no digit behind it */
            if (dollar && (blank(text[p - 1]) || (p + 1 < end && digit(text[p + 1])))) continue;
            *inside = (struct span){at + size, p};
            return p > at + size;
        }
        return false;
    }
    return false;
}

/* Where the sentence that begins at `at` ends: a full stop before a space or the end, or a comma
 * before a word. Nothing ends inside braces or brackets. */
static size_t sentence_end(const char *text, size_t at, size_t end) {
    int depth = 0;
    for (size_t i = at; i < end; i++) {
        char c = text[i];
        if (strchr("({[", c) && c) depth++;
        if (strchr(")}]", c) && c && depth) depth--;
        if (depth) continue;
        size_t next = i + 1;
        while (next < end && text[next] == ' ') next++;
        bool spaced = next > i + 1 || next == end;
        if ((c == '.' || c == '!' || c == '?') && spaced && next < end) {
            if (c != '!' || letter(text[next])) return i; /* "5! + 1" */
        }
        if ((c == ',' || c == ';') && spaced && next < end && letter(text[next])) return i;
        if (c == '.' && next == end) return i;
        if (c == '<' && starts(text, i, end, "<|")) return i; /* a control token's text */
    }
    return end;
}

static bool is_question(const char *text, size_t at, size_t end) {
    while (at < end && strchr(" $*)\\]", text[at])) at++;
    return at < end && text[at] == '?';
}

/* The answer that begins at `at`: the rest of the line, or of the next one that has something. */
static bool content(const char *text, size_t at, struct span in, struct span *found) {
    static const char *const marks = " \t\r*_:=";
    for (;;) {
        size_t end = line_end(text, at, in.end);
        struct span inside;
        while (at < end && text[at] && strchr(marks, text[at])) {
            if (text[at] == '*' && delimited(text, at, end, &inside)) break;
            at++;
        }
        if (at < end) {
            struct span rest = {at, sentence_end(text, at, end)};
            if (starts(text, at, end, "\\[") || starts(text, at, end, "$$")) /* several lines */
                end = in.end - at > LINE_BYTES ? at + LINE_BYTES : in.end;
            if (delimited(text, at, end, &inside))
                rest = inside;
            else if (starts(text, at, end, "\\["))
                return false;
            if (is_question(text, rest.end, end)) return false;
            *found = trimmed(text, rest);
            while (found->end > found->begin && strchr("*_", text[found->end - 1])) found->end--;
            return found->begin < found->end && !starts(text, found->begin, in.end, "not ");
        }
        if (end == in.end || text[end] != '\n') return false;
        at = end + 1;
        while (at < in.end && blank(text[at])) at++;
        if (at == in.end || starts(text, at, in.end, "####")) return false;
    }
}

static bool line_start(const char *text, size_t at, size_t begin) {
    while (at > begin && (text[at - 1] == ' ' || text[at - 1] == '*')) at--;
    return at == begin || text[at - 1] == '\n';
}

/* "### Answer" or "**Final answer**" alone in a line: [at, end) is what follows the word. */
static bool is_heading(const char *text, size_t begin, size_t at, size_t end) {
    size_t start = at;
    while (start > begin && text[start - 1] != '\n' && at - start < 40) start--;
    if (start == at || (text[start] != '#' && text[start] != '*')) return false;
    while (at < end && strchr(" *_\r", text[at])) at++;
    return at == end;
}

/* Behind the word "answer": where what it is begins, or 0. At most 60 bytes of the same sentence
 * stand between ("the answer to the first part is"). */
static size_t behind_answer(const char *text, size_t begin, size_t at, size_t end) {
    size_t limit = end - at > 60 ? at + 60 : end;
    for (size_t i = at; i < limit; i++) {
        char c = text[i];
        if (c == '=' && i + 1 < end && text[i + 1] == '>') return i + 2;
        if (c == ':' || c == '=') return i + 1;
        if (c == '\n') return is_heading(text, begin, at, i) ? i : 0;
        if (strchr(".?!;\"", c)) return 0;
        bool boundary = i == at || !letter(text[i - 1]);
        if (boundary && starts(text, i, end, "is") && (i + 2 == end || !letter(text[i + 2])))
            return i + 2;
    }
    return 0;
}

/* Whether the clause before the word "answer" at `at` keeps it from being one: "if the answer is",
 * "I do not think the answer is", "a wrong answer is". */
static bool is_doubted(const char *text, size_t begin, size_t at) {
    static const char *const words[] = {
        "if",    "suppose", "supposing", "assume", "assuming", "whether", "unless",
        "wrong", "doubt",   "incorrect", "not",    "never",    "cannot",  "don't",
        "can't", "didn't",  "doesn't",   "isn't",  "imagine",  "false",   "some"};
    enum { LONGEST = 80 };
    size_t clause = at;
    while (clause > begin && at - clause < LONGEST && !strchr(".,;:!?\n", text[clause - 1]))
        clause--;
    bool doubted = false;
    for (size_t i = clause; i < at; i++) {
        if (!letter(text[i]) || (i > clause && (letter(text[i - 1]) || text[i - 1] == '\'')))
            continue;
        size_t size = 0;
        while (i + size < at && (letter(text[i + size]) || text[i + size] == '\'')) size++;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (strlen(words[k]) == size && strncasecmp(words[k], text + i, size) == 0)
                doubted = true;
        bool fresh = (size == 4 && strncasecmp(text + i, "then", 4) == 0) ||
                     (size == 3 && strncasecmp(text + i, "but", 3) == 0);
        if (fresh) doubted = false;
    }
    return doubted;
}

static bool reads_as_number(const char *text, struct span span, struct reader *reader) {
    bool is = false;
    struct ps_grade_text part = {text + span.begin, span.end - span.begin};
    enum ps_status status = ps_extract_is_number(part, reader->profile, &is, reader->error);
    if (status != PS_OK) reader->status = status;
    return is;
}

static bool blank_behind(const char *text, size_t at, size_t end) {
    while (at < end && blank(text[at])) at++;
    return at == end;
}

static bool hashes(const char *text, size_t at, struct span in, struct reader *reader,
                   struct span *found) {
    size_t end = line_end(text, at, in.end);
    *found = trimmed(text, (struct span){at + 4, end});
    if (found->begin == found->end || text[found->begin] == '#') return false;
    return reads_as_number(text, *found, reader) || blank_behind(text, end, in.end);
}

static bool is_choice(const char *text, struct span span) {
    return ps_extract_is_choice((struct ps_grade_text){text + span.begin, span.end - span.begin});
}

/* The last explicit line of `in`. Later ones win, so each hit replaces the one before. */
static enum ps_grade_rule last_line(const char *text, struct span in, struct reader *reader,
                                    struct span *found) {
    enum ps_grade_rule rule = PS_GRADE_RULE_NONE;
    for (size_t i = in.begin; i < in.end; i++) {
        struct span span;
        if (text[i] == '#' && starts(text, i, in.end, "####") && line_start(text, i, in.begin)) {
            if (hashes(text, i, in, reader, &span)) {
                *found = span;
                rule = PS_GRADE_RULE_HASHES;
            }
            i += 3;
            continue;
        }
        if (!text[i] || !strchr("aAoOcC", text[i])) continue;
        if (i > in.begin && letter(text[i - 1])) continue;
        size_t at = 0;
        bool choice = starts(text, i, in.end, "option") || starts(text, i, in.end, "choice");
        if (reader->profile->letter_a_line && starts(text, i, in.end, "A:") &&
            line_start(text, i, in.begin))
            at = i + 2;
        if (starts(text, i, in.end, "answer") && (i + 6 == in.end || !letter(text[i + 6])))
            at = behind_answer(text, in.begin, i + 6, in.end);
        if (choice && starts(text, i + 6, in.end, " is ")) at = i + 10;
        if (at && is_doubted(text, in.begin, i)) continue;
        if (at && content(text, at, in, &span) && (!choice || is_choice(text, span))) {
            *found = span;
            rule = PS_GRADE_RULE_ANSWER_LINE;
        }
    }
    return rule;
}

/* The only bold text of the last line, where it is a number. */
static bool bold(const char *text, struct span in, struct reader *reader, struct span *found) {
    in = trimmed(text, in);
    size_t begin = in.end;
    while (begin > in.begin && text[begin - 1] != '\n') begin--;
    bool any = false;
    for (size_t i = begin; i + 1 < in.end; i++) {
        struct span inside;
        if (text[i] != '*' || text[i + 1] != '*') continue;
        if (any || !delimited(text, i, in.end, &inside)) return false;
        *found = trimmed(text, inside);
        any = true;
        i = inside.end + 1;
    }
    return any && (is_choice(text, *found) || reads_as_number(text, *found, reader));
}

/* A reply that says nothing but the answer: one line with a number, a choice, or maths alone. */
static bool whole(const char *text, struct span in, struct reader *reader, struct span *found) {
    enum { LONGEST = 200 };
    struct span inside;
    in = trimmed(text, in);
    if (in.begin == in.end || in.end - in.begin > LONGEST ||
        memchr(text + in.begin, '\n', in.end - in.begin))
        return false;
    *found = in;
    size_t end = in.end;
    while (end > in.begin && text[end - 1] == '.') end--;
    bool maths = delimited(text, in.begin, end, &inside) && inside.end + 2 >= end &&
                 !memchr(text + inside.begin, '$', inside.end - inside.begin);
    char label;
    char line[LONGEST + 1] = {0};
    memcpy(line, text + in.begin, in.end - in.begin);
    return maths || is_choice(text, in) || ps_answer_labelled(line, &label) > 0 ||
           reads_as_number(text, in, reader);
}

/* A choice letter behind the box beats it, another line does not. */
static struct ps_extraction box_or_choice(const char *text, struct span in,
                                          const struct ps_boxes *boxes, struct reader *reader) {
    const struct ps_box *last = &boxes->items[boxes->count - 1];
    struct span line, rest = {last->stop, in.end};
    enum ps_grade_rule rule = last_line(text, rest, reader, &line);
    if (rule != PS_GRADE_RULE_NONE && is_choice(text, line))
        return (struct ps_extraction){rule, line.begin, line.end, 0};
    size_t count = ps_extract_run(text, boxes);
    const struct ps_box *first = &boxes->items[boxes->count - count];
    if (count == 1) return (struct ps_extraction){PS_GRADE_RULE_BOX, last->begin, last->end, 1};
    return (struct ps_extraction){PS_GRADE_RULE_BOX, first->outer, last->stop, (int)count};
}

static struct ps_extraction unboxed(const char *text, struct span in, struct reader *reader) {
    struct span line, found;
    enum ps_grade_rule rule = last_line(text, in, reader, &line);
    struct span rest = {rule ? line.end : in.begin, in.end};
    while (rule && rest.begin < rest.end && strchr("*_", text[rest.begin])) rest.begin++;
    if (bold(text, rest, reader, &found)) {
        rule = PS_GRADE_RULE_BOLD;
        line = found;
    }
    if (!rule && whole(text, in, reader, &line)) rule = PS_GRADE_RULE_WHOLE;
    if (!rule && reader->profile->last_number &&
        ps_extract_last_number(text, in.begin, in.end, &line.begin, &line.end))
        rule = PS_GRADE_RULE_LAST_NUMBER;
    if (!rule) return (struct ps_extraction){PS_GRADE_RULE_NONE, 0, 0, 0};
    return (struct ps_extraction){rule, line.begin, line.end, 0};
}

enum ps_status ps_grade_extract(struct ps_grade_text output, const struct ps_grade_profile *profile,
                                struct ps_extraction *result, struct ps_error *error) {
    struct reader reader = {profile, PS_OK, error};
    struct span in = committed(output.data, output.size);
    struct ps_boxes boxes;
    ps_extract_boxes(output.data, in.begin, in.end, &boxes);
    *result = boxes.count ? box_or_choice(output.data, in, &boxes, &reader)
                          : unboxed(output.data, in, &reader);
    return reader.status;
}

void ps_extract_committed(struct ps_grade_text output, size_t *from, size_t *to) {
    struct span in = committed(output.data, output.size);
    *from = in.begin;
    *to = in.end;
}

enum ps_status ps_extract_line_behind(struct ps_grade_text output,
                                      const struct ps_grade_profile *profile, size_t from,
                                      struct ps_extraction *result, struct ps_error *error) {
    struct reader reader = {profile, PS_OK, error};
    struct span in = committed(output.data, output.size), line;
    in.begin = from;
    *result = (struct ps_extraction){PS_GRADE_RULE_NONE, 0, 0, 0};
    enum ps_grade_rule rule = last_line(output.data, in, &reader, &line);
    if (rule) *result = (struct ps_extraction){rule, line.begin, line.end, 0};
    return reader.status;
}
