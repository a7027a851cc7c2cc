/* Runs the cases of tests/cases/grade, whose README describes their format: each is a gold, an
 * answer or a whole output, the verdict, and why. Cases with a plain answer are also graded the
 * other way round and with themselves. */
#include "grade/grade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 16384 };

struct runner {
    struct ps_grade_profile profile;
    bool output, oneway;
    char question[LINE], finish[32];
    const char *file;
    int cases, failures, line;
};

static void replace(char *text, const char *mark, char by) {
    size_t size = strlen(mark);
    for (char *at; (at = strstr(text, mark));) {
        *at = by;
        memmove(at + 1, at + size, strlen(at + size) + 1);
    }
}

static void copy(char *to, size_t size, const char *from) {
    size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    to[length] = 0;
}

static bool directive(struct runner *r, const char *line) {
    if (strncmp(line, "%profile ", 9) == 0) return ps_grade_profile(line + 9, &r->profile);
    if (strncmp(line, "%question ", 10) == 0)
        copy(r->question, sizeof r->question, line + 10);
    else if (strncmp(line, "%finish ", 8) == 0)
        copy(r->finish, sizeof r->finish, line + 8);
    else if (strcmp(line, "%output") == 0)
        r->output = true;
    else if (strcmp(line, "%answer") == 0)
        r->output = false;
    else if (strcmp(line, "%oneway") == 0)
        r->oneway = true;
    else
        return line[1] == '%';
    return true;
}

static struct ps_grade grade(const struct runner *r, const char *gold, const char *answer,
                             bool output, char *what, size_t size) {
    struct ps_grade_input input = {
        .gold = ps_grade_text(strcmp(gold, "<none>") ? gold : NULL),
        .output = ps_grade_text(answer),
        .question = ps_grade_text(r->question[0] ? r->question : NULL),
        .finish_reason = r->finish[0] ? r->finish : NULL,
        .answer_given = !output,
    };
    struct ps_grade result;
    struct ps_error error;
    if (ps_grade(&input, &r->profile, &result, NULL, &error) != PS_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    snprintf(what, size, "%s %s = %s", ps_verdict_name(result.verdict),
             ps_grade_rule_name(result.extraction.rule), result.extracted ? result.extracted : "");
    return result;
}

static void fail(struct runner *r, const char *kind, const char *gold, const char *answer,
                 const char *expected, const char *got, const char *reason) {
    r->failures++;
    printf("%s:%d: %s\n  gold:     %s\n  answer:   %s\n  expected: %s\n  got:      %s (%s)\n",
           r->file, r->line, kind, gold, answer, expected, got, reason);
}

static void run(struct runner *r, char *gold, char *answer, char *expected) {
    char what[LINE], back[LINE], self[LINE];
    replace(answer, "⏎", '\n');
    replace(gold, "⏎", '\n');
    struct ps_grade result = grade(r, gold, answer, r->output, what, sizeof what);
    size_t words = 1;
    char shown[LINE];
    snprintf(shown, sizeof shown, "%s", what);
    for (const char *p = expected; *p; p++) words += *p == ' ';
    if (words == 1)
        shown[strcspn(shown, " ")] = 0;
    else if (!strchr(expected, '='))
        *strstr(shown, " = ") = 0;
    if (strcmp(shown, expected) != 0)
        fail(r, "verdict", gold, answer, expected, what, result.reason);
    bool comparison = result.verdict == PS_VERDICT_CORRECT || result.verdict == PS_VERDICT_WRONG;
    if (!r->output && !r->oneway && comparison) {
        struct ps_grade other = grade(r, answer, gold, false, back, sizeof back);
        if (other.verdict != result.verdict && other.verdict != PS_VERDICT_GOLD_UNREADABLE)
            fail(r, "the other way round", answer, gold, expected, back, other.reason);
        ps_grade_release(&other);
    }
    if (!r->output && result.verdict <= PS_VERDICT_WRONG) {
        struct ps_grade same = grade(r, gold, gold, false, self, sizeof self);
        if (same.verdict != PS_VERDICT_CORRECT)
            fail(r, "gold with itself", gold, gold, "correct", self, same.reason);
        ps_grade_release(&same);
    }
    ps_grade_release(&result);
    r->cases++;
    r->question[0] = r->finish[0] = 0;
    r->oneway = false;
}

/* Reads and runs the cases of a file; false where it is no such file. */
static bool run_file(struct runner *r, const char *path) {
    static char lines[4][LINE];
    int have = 0;
    FILE *file = fopen(path, "r");
    if (!file || !ps_grade_profile("math", &r->profile)) {
        perror(path);
        return false;
    }
    const char *name = strrchr(path, '/');
    r->file = name ? name + 1 : path;
    r->line = 0;
    r->output = false;
    while (fgets(lines[have], LINE, file)) {
        char *line = lines[have];
        r->line++;
        line[strcspn(line, "\n")] = 0;
        if (have == 0 && line[0] == '%') {
            if (directive(r, line)) continue;
            printf("%s:%d: unknown directive %s\n", r->file, r->line, line);
            fclose(file);
            return false;
        }
        if (have == 3) { /* why, up to an empty line */
            have = line[0] ? 3 : 0;
            continue;
        }
        if (have == 0 && !line[0]) continue;
        if (++have == 3) run(r, lines[0], lines[1], lines[2]);
    }
    fclose(file);
    return have == 0 || have == 3;
}

int main(int count, char **arguments) {
    static struct runner r;
    for (int i = 1; i < count; i++)
        if (!run_file(&r, arguments[i])) return 2;
    printf("%d cases, %d failures\n", r.cases, r.failures);
    return r.failures || !r.cases;
}
