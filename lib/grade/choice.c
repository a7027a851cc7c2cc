/* Letters of multiple choice: "(C)", "C", "C.", "\text{c}", "Option C", and with what they stand
 * for, "(C) 12". */
#include "grade/answer_internal.h"

#include <string.h>
#include <strings.h>

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static const char *skip_marks(const char *s) {
    while (*s == ' ' || *s == PS_TEXT_BEGIN || *s == PS_TEXT_END) s++;
    return s;
}

static const char *skip_title(const char *s) {
    static const char *const titles[] = {"option", "choice", "answer"};
    const char *p = skip_marks(s);
    for (int i = 0; i < 3; i++)
        if (strncasecmp(p, titles[i], 6) == 0 && !letter(p[6])) return p + 6;
    return s;
}

/* A bare small letter is a variable, unless letters are all that is asked for. */
char ps_answer_choice(const char *s, bool small) {
    const char *start = s;
    bool text = false, bracket = false;
    char found = 0, open = 0;
    s = skip_title(s);
    bool titled = s != start;
    for (; *s; s++) {
        if (*s == PS_TEXT_BEGIN)
            text = true;
        else if (strchr("([", *s)) {
            bracket = true;
            open = *s;
        } else if (strchr(")]", *s)) {
            if (open && (open == '(') != (*s == ')')) return 0; /* "(C]" */
            bracket = true;
        } else if (letter(*s) && !found && lower(*s) <= 'j')
            found = *s;
        else if (*s != ' ' && *s != PS_TEXT_END && *s != '.' && *s != ':')
            return 0;
    }
    if (found >= 'a' && found <= 'j' && !text && !bracket && !titled && !small) return 0;
    return lower(found);
}

static bool is_mark(const char *s) {
    return *s == '(' && s[1] >= 'A' && s[1] <= 'J' && s[2] == ')';
}

/* What may not follow the letter: more choices, operators, and words that take it back. */
static bool is_continued(const char *rest) {
    static const char *const words[] = {"and", "or",  "nor",   "not",   "is",  "isn't",
                                        "but", "are", "can't", "never", "was", "cannot"};
    static const char *const commands[] = {"\\cdot", "\\times", "\\cup", "\\le", "\\ge",
                                           "\\ne",   "\\in",    "\\div", "\\pm"};
    if (strchr("+*=,;/^_!<>|)]&", *rest)) return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        if (strncasecmp(rest, words[i], size) == 0 && !letter(rest[size])) return true;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strncmp(rest, commands[i], strlen(commands[i])) == 0) return true;
    for (const char *p = rest; *p; p++)
        if (is_mark(p)) return true;
    return false;
}

size_t ps_answer_labelled(const char *s, char *label) {
    const char *p = skip_marks(skip_title(s));
    size_t size = is_mark(p) ? 3 : 0;
    char found = size ? p[1] : p[0];
    if (!size && found >= 'A' && found <= 'J') {
        bool spaced = p[1] && (p[2] == ' ' || p[2] == PS_TEXT_END);
        if (p[1] == ')' || ((p[1] == '.' || p[1] == ':') && spaced)) size = 2;
    }
    if (!size) return 0;
    const char *rest = skip_marks(p + size);
    if (*rest == ':' || *rest == '.') rest = skip_marks(rest + 1);
    if (!*rest || is_continued(rest)) return 0;
    *label = lower(found);
    /* a text mark that was open goes on: "\text{(B) east}" */
    if (rest > s && rest[-1] == PS_TEXT_BEGIN) rest--;
    return (size_t)(rest - s);
}
