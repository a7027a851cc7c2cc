/* Two answers compared. Numbers are compared as fractions, words as text; what has equal text is
 * equal; expressions are parsed to trees (parse.c) and compared there (compare.c). */
#include "grade/answer_internal.h"
#include "grade/tree_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Whether x, longer or exact, rounds to a decimal of `places` places. At a tie both roundings in
 * use count: away from zero and to even. */
static bool rounds_to(const mpq_t decimal, int places, const mpq_t x) {
    mpq_t distance, half;
    mpq_inits(distance, half, NULL);
    mpz_ui_pow_ui(mpq_denref(half), 10, (unsigned long)places);
    mpz_mul_ui(mpq_denref(half), mpq_denref(half), 2);
    mpz_set_ui(mpq_numref(half), 1);
    mpq_sub(distance, x, decimal);
    mpq_abs(distance, distance);
    int order = mpq_cmp(distance, half);
    bool ok = order < 0;
    if (order == 0) {
        mpq_t unit; /* decimal in units of its last place: an integer */
        mpq_init(unit);
        mpz_ui_pow_ui(mpq_numref(unit), 10, (unsigned long)places);
        mpq_mul(unit, unit, decimal);
        mpz_t a, b;
        mpz_inits(a, b, NULL);
        mpz_mul(a, mpq_numref(decimal), mpq_denref(x));
        mpz_mul(b, mpq_numref(x), mpq_denref(decimal));
        ok = mpz_even_p(mpq_numref(unit)) || mpz_cmpabs(a, b) > 0;
        mpz_clears(a, b, NULL);
        mpq_clear(unit);
    }
    mpq_clears(distance, half, NULL);
    return ok;
}

static bool number_equal(const mpq_t gold, int decimals, const mpq_t x, int x_decimals,
                         const char **how) {
    *how = "the same number";
    if (mpq_equal(gold, x)) return true;
    *how = "rounds to the gold at its last digit";
    bool longer = x_decimals < 0 || x_decimals > decimals;
    return decimals >= 3 && longer && rounds_to(gold, decimals, x);
}

/* gold * power of 100, for percentages against fractions. */
static bool equal_scaled(const struct ps_answer *gold, const struct ps_answer *answer,
                         bool gold_down, const char **how) {
    mpq_t scaled, hundred;
    mpq_inits(scaled, hundred, NULL);
    mpq_set_ui(hundred, 100, 1);
    int decimals = gold->decimals;
    if (gold_down)
        mpq_div(scaled, gold->value, hundred);
    else
        mpq_mul(scaled, gold->value, hundred);
    if (decimals >= 0) decimals += gold_down ? 2 : -2;
    if (gold->decimals < 3) decimals = -1; /* only decimals written with three places are rounded */
    bool equal = number_equal(scaled, decimals, answer->value, answer->decimals, how);
    mpq_clears(scaled, hundred, NULL);
    return equal;
}

static enum ps_verdict compare_numbers(const struct ps_answer *gold, const struct ps_answer *answer,
                                       bool percent, char reason[256]) {
    const char *how;
    bool gold_percent = strcmp(gold->unit, "percent") == 0;
    bool answer_percent = strcmp(answer->unit, "percent") == 0;
    mpq_t converted;
    if (gold->unit[0] && answer->unit[0] && strcmp(gold->unit, answer->unit) != 0) {
        mpq_init(converted);
        mpq_set(converted, answer->value);
        bool same_kind = ps_answer_convert(answer->unit, gold->unit, converted);
        bool equal = same_kind && mpq_equal(gold->value, converted);
        mpq_clear(converted);
        if (same_kind) {
            snprintf(reason, 256, equal ? "the same quantity" : "different quantities");
            return equal ? PS_VERDICT_CORRECT : PS_VERDICT_WRONG;
        }
        snprintf(reason, 256, "the gold's unit is %s, the answer's %s", gold->unit, answer->unit);
        return PS_VERDICT_UNDECIDED;
    }
    if (number_equal(gold->value, gold->decimals, answer->value, answer->decimals, &how)) {
        snprintf(reason, 256, "%s%s", how,
                 strcmp(gold->unit, answer->unit) ? "; only one has a unit" : "");
        return PS_VERDICT_CORRECT;
    }
    if ((gold_percent && !answer->unit[0] && equal_scaled(gold, answer, true, &how)) ||
        (percent && !gold->unit[0] && answer_percent && equal_scaled(gold, answer, false, &how))) {
        snprintf(reason, 256, "%s, as a percentage and its fraction", how);
        return PS_VERDICT_CORRECT;
    }
    snprintf(reason, 256, "different numbers");
    return PS_VERDICT_WRONG;
}

static bool same_letters(const char *a, const char *b) {
    int count[256] = {0};
    for (; *a; a++) count[(unsigned char)*a]++;
    for (; *b; b++) count[(unsigned char)*b]--;
    for (int i = 0; i < 256; i++)
        if (count[i]) return false;
    return true;
}

/* Bytes of text to show: at most 90, no character cut. */
static int shown(const char *text) {
    size_t size = strnlen(text, 91);
    if (size <= 90) return (int)size;
    size = 90;
    while (size && ((unsigned char)text[size] & 0xC0) == 0x80) size--;
    return (int)size;
}

/* "5m" may be five metres or a product; inside \text{} it is a unit. */
static bool may_have_unit(const struct ps_answer *answer) {
    size_t size = strlen(answer->text);
    const char *unit, *last = answer->text + (size ? size - 1 : 0);
    const char *begin = strrchr(answer->source, PS_TEXT_BEGIN);
    bool text = begin && !strchr(begin, PS_TEXT_END);
    return answer->kind == PS_ANSWER_EXPRESSION && size > 1 && !text && letter(*last) &&
           !letter(last[-1]) && ps_answer_unit(last, true, &unit) == 1;
}

/* Words that are no product of letters are not. */
static bool are_both_maths(const struct ps_answer *a, const struct ps_answer *b) {
    return (a->kind != PS_ANSWER_WORDS || a->bare) && (b->kind != PS_ANSWER_WORDS || b->bare);
}

/* Both as trees; round as in ps_trees_equal. */
static enum ps_verdict compare_expressions(const struct ps_answer *gold,
                                           const struct ps_answer *answer, bool round,
                                           char reason[256]) {
    struct ps_arena arena;
    struct ps_tree trees[2];
    enum ps_truth truth = PS_TRUTH_UNKNOWN;
    ps_arena_init(&arena, 64 << 20);
    const char *problem = "out of memory";
    if (ps_answer_spells_number(gold->source) || ps_answer_spells_number(answer->source))
        problem = "a number in words";
    else if (ps_tree_parse(gold->source, &arena, &trees[0], NULL) != PS_OK ||
             ps_tree_parse(answer->source, &arena, &trees[1], NULL) != PS_OK)
        ;
    else if (!are_both_maths(gold, answer) && (trees[0].root || trees[1].root)) {
        truth = PS_TRUTH_NO;
        problem = "words and an expression";
    } else if (!trees[0].root || !trees[1].root)
        problem = trees[!!trees[0].root].problem;
    else if (may_have_unit(gold) != may_have_unit(answer))
        problem = "a letter that may be a unit";
    else if (trees[0].unit[0] && trees[1].unit[0] && strcmp(trees[0].unit, trees[1].unit) != 0)
        problem = "different units";
    else {
        truth = ps_trees_equal(&trees[0], &trees[1], round, &arena, &problem);
    }
    ps_arena_release(&arena);
    if (truth == PS_TRUTH_UNKNOWN)
        snprintf(reason, 256, "cannot tell whether \"%.*s\" is \"%.*s\": %s", shown(answer->text),
                 answer->text, shown(gold->text), gold->text, problem);
    else
        snprintf(reason, 256, "%s", problem);
    return truth == PS_TRUTH_YES  ? PS_VERDICT_CORRECT
           : truth == PS_TRUTH_NO ? PS_VERDICT_WRONG
                                  : PS_VERDICT_UNDECIDED;
}

/* "f(x)" */
static bool is_function(const char *name) {
    return letter(name[0]) && name[1] == '(' && letter(name[2]) && name[3] == ')' && !name[4];
}

/* "xy" */
static bool is_product(const char *name) {
    size_t size = 0;
    while (name[size] >= 'a' && name[size] <= 'z') size++;
    return !name[size] && (size == 2 || size == 3);
}

/* "f(x)" and "f(t)", "y" and "f(x)": the values decide. */
static bool may_be_one_name(const char *a, const char *b) {
    bool first = is_function(a), second = is_function(b);
    if (strcmp(a, b) == 0) return true;
    if (first && second) return a[0] == b[0];
    if (is_product(a) || is_product(b)) return true;
    return (first && strcmp(b, "y") == 0) || (second && strcmp(a, "y") == 0);
}

static enum ps_verdict compare_times(const struct ps_answer *gold, const struct ps_answer *answer,
                                     char reason[256]) {
    if (gold->kind != answer->kind) {
        snprintf(reason, 256, "a time and what is none");
        return PS_VERDICT_UNDECIDED;
    }
    bool same = ps_answer_same_time(&gold->time, &answer->time);
    snprintf(reason, 256, same ? "the same time" : "different times");
    return same ? PS_VERDICT_CORRECT : PS_VERDICT_WRONG;
}

static enum ps_verdict compare_plain(const struct ps_answer *gold, const struct ps_answer *answer,
                                     bool percent, char reason[256]) {
    enum ps_answer_kind g = gold->kind, a = answer->kind;
    if (a == PS_ANSWER_BROKEN || g == PS_ANSWER_BROKEN) {
        snprintf(reason, 256, "the answer cannot be read: %s",
                 a == PS_ANSWER_BROKEN ? answer->problem : gold->problem);
        return PS_VERDICT_UNDECIDED;
    }
    if (gold->name[0] && answer->name[0] && !may_be_one_name(gold->name, answer->name)) {
        /* "x = 2y" and "y = x/2" are one equation all the same */
        if (compare_expressions(gold, answer, true, reason) == PS_VERDICT_CORRECT)
            return PS_VERDICT_CORRECT;
        snprintf(reason, 256, "they name different things");
        return PS_VERDICT_UNDECIDED;
    }
    /* A gold "xy = 0" is an equation; an answer "xy = 12" may well say what xy is. */
    bool equation = is_product(gold->name) && !answer->name[0];
    bool named =
        !equation && (!gold->name[0] || !answer->name[0] || strcmp(gold->name, answer->name) == 0);
    if (!named) return compare_expressions(gold, answer, true, reason);
    if (g == PS_ANSWER_NUMBER && a == PS_ANSWER_NUMBER)
        return compare_numbers(gold, answer, percent, reason);
    if (g == PS_ANSWER_TIME || a == PS_ANSWER_TIME) return compare_times(gold, answer, reason);
    if (g == PS_ANSWER_EXPRESSION && a == PS_ANSWER_CHOICE && strchr("ei", answer->label)) {
        snprintf(reason, 256, "a constant and a choice");
        return PS_VERDICT_WRONG;
    }
    if (g != PS_ANSWER_NUMBER && a != PS_ANSWER_NUMBER && strcmp(gold->text, answer->text) == 0) {
        snprintf(reason, 256, "the same text");
        return PS_VERDICT_CORRECT;
    }
    if (g == PS_ANSWER_CHOICE && a == PS_ANSWER_EXPRESSION && strlen(answer->text) == 1 &&
        lower(answer->text[0]) == gold->text[0]) {
        snprintf(reason, 256, "the same choice");
        return PS_VERDICT_CORRECT;
    }
    if (g == PS_ANSWER_WORDS && a == PS_ANSWER_WORDS) {
        /* outside \text{} "abc" and "cab" may be one product */
        if (gold->bare && answer->bare && same_letters(gold->text, answer->text)) {
            snprintf(reason, 256, "the same letters in another order");
            return PS_VERDICT_UNDECIDED;
        }
        snprintf(reason, 256, "different words");
        return PS_VERDICT_WRONG;
    }
    if ((g == PS_ANSWER_WORDS && a == PS_ANSWER_NUMBER) ||
        (g == PS_ANSWER_NUMBER && a == PS_ANSWER_WORDS)) {
        snprintf(reason, 256, "a number and words");
        return PS_VERDICT_WRONG;
    }
    return compare_expressions(gold, answer, true, reason);
}

/* Letters of choices first: where both have one they decide, and what they stand for must agree
 * where both say it. */
static enum ps_verdict compare_labelled(const struct ps_answer *gold,
                                        const struct ps_answer *answer, bool percent,
                                        char reason[256]) {
    if (!gold->label || !answer->label) return compare_plain(gold, answer, percent, reason);
    if (gold->label != answer->label) {
        snprintf(reason, 256, "different choices");
        return PS_VERDICT_WRONG;
    }
    if (gold->kind == PS_ANSWER_CHOICE || answer->kind == PS_ANSWER_CHOICE) {
        snprintf(reason, 256, "the same choice");
        return PS_VERDICT_CORRECT;
    }
    return compare_plain(gold, answer, percent, reason);
}

/* Of "4\pi \approx 12.57" both count, as long as the second is the first, rounded. */
static bool is_rounded(const struct ps_answer *answer) {
    const struct ps_answer *rounded = answer->rounded;
    struct ps_arena arena;
    struct ps_tree exact, decimal;
    bool ok = false;
    if (rounded->kind != PS_ANSWER_NUMBER || answer->kind == PS_ANSWER_BROKEN) return false;
    ps_arena_init(&arena, 16 << 20);
    if (ps_tree_parse(answer->source, &arena, &exact, NULL) == PS_OK &&
        ps_tree_parse(rounded->source, &arena, &decimal, NULL) == PS_OK && exact.root &&
        decimal.root && rounded->decimals >= 0) {
        struct ps_node *root = exact.root;
        if (root->kind == PS_NODE_RELATION) root = root->items[root->count - 1];
        ok = ps_value_rounds_to(root, decimal.root, rounded->decimals);
    }
    ps_arena_release(&arena);
    return ok;
}

enum ps_verdict ps_answer_compare(const struct ps_answer *gold, const struct ps_answer *answer,
                                  bool percent, char reason[256]) {
    const struct ps_answer *golds[] = {gold, gold->rounded, gold->total};
    const struct ps_answer *answers[] = {answer, answer->rounded, answer->total};
    bool doubtful =
        (gold->rounded && !is_rounded(gold)) || (answer->rounded && !is_rounded(answer));
    enum ps_verdict verdict = compare_labelled(gold, answer, percent, reason);
    if (doubtful) {
        if (verdict == PS_VERDICT_WRONG) return verdict;
        snprintf(reason, 256, "what stands behind \\approx is not what stands before it, rounded");
        return PS_VERDICT_UNDECIDED;
    }
    for (int g = 0; g < 3; g++)
        for (int a = 0; a < 3 && verdict != PS_VERDICT_CORRECT; a++) {
            if (!golds[g] || !answers[a] || (g == 0 && a == 0)) continue;
            /* "m+n = 12" is 12 where a number is asked for, and no other equation */
            if ((g == 2 || a == 2) && golds[g]->kind != PS_ANSWER_NUMBER) continue;
            if (g == 2 && answer->kind != PS_ANSWER_NUMBER) continue;
            char other[256];
            enum ps_verdict one = compare_labelled(golds[g], answers[a], percent, other);
            bool better = one == PS_VERDICT_CORRECT || a == 2 || g == 2;
            if (!better) continue;
            verdict = one;
            memcpy(reason, other, sizeof other);
        }
    return verdict;
}

bool ps_answer_same(const struct ps_answer *a, const struct ps_answer *b) {
    char reason[256];
    if (a->kind == PS_ANSWER_BROKEN || b->kind == PS_ANSWER_BROKEN) return false;
    if (a->kind == PS_ANSWER_NUMBER && b->kind == PS_ANSWER_NUMBER)
        return mpq_equal(a->value, b->value);
    if (a->label || b->label) return a->label == b->label;
    if (a->kind == b->kind && strcmp(a->text, b->text) == 0) return true;
    bool expression = a->kind == PS_ANSWER_EXPRESSION || b->kind == PS_ANSWER_EXPRESSION;
    return expression && compare_expressions(a, b, false, reason) == PS_VERDICT_CORRECT;
}

size_t ps_answer_members(const struct ps_answer *answer) {
    struct ps_arena arena;
    struct ps_tree tree;
    size_t count = 1;
    if (answer->kind != PS_ANSWER_EXPRESSION) return 1;
    ps_arena_init(&arena, 16 << 20);
    if (ps_tree_parse(answer->source, &arena, &tree, NULL) == PS_OK && tree.root &&
        (tree.root->kind == PS_NODE_LIST || tree.root->kind == PS_NODE_SET))
        count = tree.root->count;
    ps_arena_release(&arena);
    return count;
}
