/* The generator arith: right answers, checked by a reader of the stories that shares nothing with
 * the generator; test skeletons that no other set has; the same rows for the same seed. */
#include "unit.h"

#include "datasets/datasets.h"

#include <ctype.h>
#include <string.h>

static const char *const all_sets[] = {"chains",        "dev",  "longer", "one-step",
                                       "teacher-train", "test", "train"};
enum { SET_COUNT = sizeof all_sets / sizeof all_sets[0] };

static struct ps_dataset_row make_row(struct ps_arena *arena, const char *set, uint64_t index) {
    struct ps_error error;
    struct ps_dataset_row row;
    assert_ok(ps_dataset_arith_row(set, 1, index, arena, &row, &error));
    return row;
}

static bool says(const char *sentence, const char *const *phrases) {
    for (; *phrases; phrases++)
        if (strstr(sentence, *phrases)) return true;
    return false;
}
#define SAYS(...) says(sentence, (const char *const[]){__VA_ARGS__, NULL})

/* Reads one sentence as a person would; false when it makes no sense of it. */
static bool read_sentence(const char *sentence, bool first, long *value, int *steps) {
    long n[2];
    int count = 0;
    for (const char *s = sentence; *s && count < 2; s++)
        if (isdigit((unsigned char)*s)) n[count++] = strtol(s, (char **)&s, 10), s--;
    if (first && count == 1) {
        *value = n[0];
        return true;
    }
    if (count == 0 && SAYS("How ")) return true;
    ++*steps;
    if (first) *value = n[0] * n[1];
    if (first) return count == 2;
    if (count == 2) return false;
    if (count == 0) {
        long by = SAYS("twice") ? 2 : SAYS(" half ", "Then half") ? -2 : SAYS(" third ") ? -3 : 0;
        if (by < 0 && *value % -by) return false;
        *value = by > 0 ? *value * by : by < 0 ? *value / -by : -1;
        return by != 0;
    }
    if (SAYS("times as", "dollars each", "Each of them", "Each one ")) {
        *value *= n[0];
    } else if (SAYS("equal", "boxes of", "ticket costs", "book costs")) {
        if (*value % n[0]) return false;
        *value /= n[0];
    } else if (SAYS("wants to", "bike costs", "needs", "seats", "room for")) {
        *value = n[0] - *value;
    } else if (SAYS("gives her", "gives him", "buys", "finds", "gets", "wins", " than", "earns",
                    "get on", "joins", "climb", "born", "brings", "bakes", "orders")) {
        *value += SAYS("fewer", "less than") ? -n[0] : n[0];
    } else if (SAYS("loses", "gives", "sells", "throws", "spends", "pays", "lends", "get off",
                    "leave", "walk away", "run away", "eat", "drops")) {
        *value -= n[0];
    } else {
        return false;
    }
    return *value >= 0;
}

static bool read_story(const char *question, long *value, int *steps) {
    char sentence[512];
    *steps = 0;
    for (bool first = true; *question; first = false) {
        size_t size = strcspn(question, ".?");
        snprintf(sentence, sizeof sentence, "%.*s ", (int)size, question);
        if (!read_sentence(sentence, first, value, steps)) return false;
        question += size + 1;
        while (*question == ' ') question++;
    }
    return true;
}

static bool apply(long *value, char sign, long n) {
    if (sign == '/' && (n == 0 || *value % n)) return false;
    *value = sign == '+'   ? *value + n
             : sign == '-' ? *value - n
             : sign == '*' ? *value * n
                           : *value / n;
    return *value >= 0;
}

static bool read_chain(const char *question, long *value, int *steps) {
    char *end;
    *value = strtol(question, &end, 10);
    for (*steps = 0; *end == ','; ++*steps) {
        char sign = end[2];
        if (!apply(value, sign, strtol(end + 4, &end, 10))) return false;
    }
    return strcmp(end, " ?") == 0;
}

/* Every line of the working is a right sum on the result of the line before; the last says so. */
static void check_working(const struct ps_dataset_row *row, long value) {
    long previous = -1;
    int lines = 0;
    const char *line = row->solution, *next;
    for (; (next = strchr(line, '\n')); line = next + 1, lines++) {
        const char *colon = memchr(line, ':', (size_t)(next - line));
        long a, b, c, result;
        char sign;
        if (sscanf(colon ? colon + 1 : line, "%ld %c %ld = %ld", &a, &sign, &b, &c) != 4)
            fail_msg("no sum: %s", row->solution);
        if (lines > 0 && a != previous && b != previous) fail_msg("broken: %s", row->solution);
        result = a;
        if (!apply(&result, sign, b) || result != c || c > 999)
            fail_msg("wrong sum: %s", row->solution);
        previous = c;
    }
    char last[64];
    snprintf(last, sizeof last, "Answer: \\boxed{%ld}", value);
    assert_string_equal(line, last);
    assert_int_equal(previous, value);
    assert_int_equal(lines, row->level);
}

static void answers_are_right(void **state) {
    (void)state;
    for (int s = 0; s < SET_COUNT; s++) {
        struct ps_arena arena;
        ps_arena_init(&arena, 1u << 28);
        for (uint64_t i = 0; i < 5000; i++) {
            struct ps_dataset_row row = make_row(&arena, all_sets[s], i);
            bool chain = strcmp(all_sets[s], "chains") == 0;
            long value;
            int steps;
            if (!(chain ? read_chain : read_story)(row.question, &value, &steps))
                fail_msg("cannot follow: %s", row.question);
            if (value != strtol(row.gold, NULL, 10) || steps != row.level)
                fail_msg("read %ld in %d steps, gold %s: %s", value, steps, row.gold, row.question);
            check_working(&row, value);
            assert_null(strchr(row.question, '{'));
            assert_null(strstr(row.question, "  "));
        }
        ps_arena_release(&arena);
    }
}

/* A sorted list of texts. */
struct texts {
    char **text;
    size_t count;
};

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Puts '#' for each number and 'N' for each word with a capital inside a sentence or that begins
 * one and is no word of the generator's sentence starts; what is left is the wording. */
static char *bare_wording(struct ps_arena *arena, const char *question) {
    static const char *const names[] = {"Mia", "Leo",  "Ana", "Ben",  "Eva",  "Tom",  "Lily",
                                        "Max", "Nora", "Sam", "Ruth", "Omar", "Ines", "Paul",
                                        "Zoe", "Ivan", "Mei", "Jack", "Dina", "Hugo"};
    char *text = ps_arena_strndup(arena, question, strlen(question)), *out = text;
    for (const char *s = text; *s;) {
        size_t skip = 0;
        if (isdigit((unsigned char)*s)) {
            skip = strspn(s, "0123456789");
            *out++ = '#';
        }
        for (size_t i = 0; !skip && i < sizeof names / sizeof names[0]; i++)
            if (strncmp(s, names[i], strlen(names[i])) == 0 &&
                !isalpha((unsigned char)s[strlen(names[i])]))
                skip = strlen(names[i]), *out++ = 'N';
        if (!skip) *out++ = *s, skip = 1;
        s += skip;
    }
    *out = 0;
    return text;
}

static struct texts collect(struct ps_arena *arena, const char *const *sets, size_t set_count,
                            size_t each, bool wording) {
    struct texts texts = {ps_arena_array(arena, set_count * each, sizeof(char *)), 0};
    for (size_t s = 0; s < set_count; s++)
        for (size_t i = 0; i < each; i++) {
            struct ps_dataset_row row = make_row(arena, sets[s], i);
            texts.text[texts.count++] =
                wording ? bare_wording(arena, row.question) : (char *)row.subject;
        }
    qsort(texts.text, texts.count, sizeof *texts.text, compare);
    return texts;
}

static size_t distinct(const struct texts *texts) {
    size_t count = texts->count > 0;
    for (size_t i = 1; i < texts->count; i++)
        count += strcmp(texts->text[i], texts->text[i - 1]) != 0;
    return count;
}

/* Neither the skeletons of test stories nor their wordings occur in any set for training or
 * validation. */
static void test_skeletons_are_new(void **state) {
    (void)state;
    static const char *const seen[] = {"train", "teacher-train", "dev", "one-step"},
                             *const tests[] = {"test"};
    for (int wording = 0; wording < 2; wording++) {
        struct ps_arena arena;
        ps_arena_init(&arena, 1u << 30);
        struct texts known = collect(&arena, seen, 4, 20000, wording);
        struct texts fresh = collect(&arena, tests, 1, 20000, wording);
        for (size_t i = 0; i < fresh.count; i++)
            if (bsearch(&fresh.text[i], known.text, known.count, sizeof(char *), compare))
                fail_msg("seen in training: %s", fresh.text[i]);
        if (!wording) assert_true(distinct(&known) > 5000 && distinct(&fresh) > 1500);
        ps_arena_release(&arena);
    }
}

static void dev_questions_are_not_trained_on(void **state) {
    (void)state;
    static const char *const seen[] = {"train", "teacher-train"};
    struct ps_arena arena;
    ps_arena_init(&arena, 1u << 30);
    char **known = ps_arena_array(&arena, 40000, sizeof *known);
    for (size_t i = 0; i < 40000; i++)
        known[i] = (char *)make_row(&arena, seen[i % 2], i / 2).question;
    qsort(known, 40000, sizeof *known, compare);
    for (size_t i = 0; i < 5000; i++) {
        char *question = (char *)make_row(&arena, "dev", i).question;
        assert_null(bsearch(&question, known, 40000, sizeof *known, compare));
    }
    ps_arena_release(&arena);
}

static void levels_are_what_the_sets_say(void **state) {
    (void)state;
    static const int range[SET_COUNT][2] = {{1, 4}, {2, 4}, {5, 5}, {1, 1}, {1, 4}, {2, 4}, {2, 4}};
    struct ps_arena arena;
    ps_arena_init(&arena, 1u << 28);
    for (int s = 0; s < SET_COUNT; s++) {
        int count[6] = {0};
        for (uint64_t i = 0; i < 1000; i++) {
            int level = make_row(&arena, all_sets[s], i).level;
            assert_in_range(level, range[s][0], range[s][1]);
            count[level]++;
        }
        for (int level = range[s][0]; level <= range[s][1]; level++)
            assert_true(count[level] >= 800 / (range[s][1] - range[s][0] + 1));
    }
    ps_arena_release(&arena);
}

/* Fixed: recipes and committed models were made from these very rows. */
static void rows_are_reproducible(void **state) {
    (void)state;
    struct ps_arena arena;
    struct ps_error error;
    struct ps_dataset_row row, again, other;
    ps_arena_init(&arena, 1u << 20);
    assert_ok(ps_dataset_arith_row("test", 1, 7, &arena, &row, &error));
    assert_ok(ps_dataset_arith_row("test", 1, 7, &arena, &again, &error));
    assert_ok(ps_dataset_arith_row("test", 2, 7, &arena, &other, &error));
    assert_string_equal(row.question, again.question);
    assert_string_equal(row.solution, again.solution);
    assert_string_not_equal(row.question, other.question);
    assert_string_equal(row.id, "1-7");
    assert_fails(ps_dataset_arith_row("tset", 1, 7, &arena, &row, &error), PS_NOT_FOUND,
                 "arith/tset: no such set; there are chains");
    ps_arena_release(&arena);
}

static void survives_failing_allocations(void **state) {
    (void)state;
    for (size_t n = 1; n < 64; n++) {
        struct ps_arena arena;
        struct ps_error error;
        struct ps_dataset_row row;
        ps_arena_init(&arena, 1u << 20);
        ps_memory_fail_at(n);
        enum ps_status status = ps_dataset_arith_row("train", 1, 3, &arena, &row, &error);
        ps_memory_fail_at(0);
        assert_true(status == PS_OK || status == PS_MEMORY);
        ps_arena_release(&arena);
        if (status == PS_OK && n > 8) break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_right),
        cmocka_unit_test(test_skeletons_are_new),
        cmocka_unit_test(dev_questions_are_not_trained_on),
        cmocka_unit_test(levels_are_what_the_sets_say),
        cmocka_unit_test(rows_are_reproducible),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
