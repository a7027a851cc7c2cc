/* Stories: multi-step word problems put together from clauses.
 *
 * First the plot is drawn: a theme, an opening, middle clauses that are all different, and an
 * ending that either asks for the quantity or makes one more step of it. The keys of these clauses
 * in their order are the story's skeleton, whatever the wordings, names, objects and numbers. A
 * hash of the skeleton decides whether such stories are for tests or for training and validation,
 * so that no story of arith/test can be solved by recalling one of the same build; stories of one
 * step are exempt, as arith/test has none and a student should have met every clause. Only then
 * numbers are drawn, several times if need be (a value to be halved must be even), and the text is
 * written: one wording of each clause, and in the working one line for each sum. */
#include "base/random.h"
#include "datasets/arith/arith_internal.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST_STEPS = 8,
    MOST_CLAUSES = MOST_STEPS + 2,
    NUMBER_TRIES = 60, /* draws of the numbers of one plot before it is given up */
    PLOT_TRIES = 2000, /* a plot of the right side comes up within a few */
    HELD_OUT_OF = 5    /* one skeleton in five is for tests */
};

static const struct {
    const char *name;
    bool she;
} names[] = {{"Mia", true},   {"Leo", false},  {"Ana", true},   {"Ben", false},  {"Eva", true},
             {"Tom", false},  {"Lily", true},  {"Max", false},  {"Nora", true},  {"Sam", false},
             {"Ruth", true},  {"Omar", false}, {"Ines", true},  {"Paul", false}, {"Zoe", true},
             {"Ivan", false}, {"Mei", true},   {"Jack", false}, {"Dina", true},  {"Hugo", false}};
enum { NAME_COUNT = sizeof names / sizeof names[0] };

struct story {
    const struct ps_arith_theme *theme;
    const struct ps_arith_clause *clauses[MOST_CLAUSES];
    struct ps_arith_step steps[MOST_CLAUSES];
    size_t count;
    uint32_t name, object, thing;
    uint32_t others; /* names used so far, one bit each */
};

bool ps_arith_held_out(const char *skeleton) {
    return ps_random_key(0, skeleton) % HELD_OUT_OF == 0;
}

static size_t clause_count(const struct ps_arith_clause *clauses) {
    size_t count = 0;
    while (clauses[count].key) count++;
    return count;
}

/* Draws theme and clauses for so many sums; writes the skeleton. False: it does not fit. */
static bool draw_plot(struct ps_arith_draw *draw, uint32_t steps, struct story *story,
                      struct ps_buffer *skeleton) {
    const struct ps_arith_theme *theme =
        &ps_arith_themes[ps_arith_below(draw, (uint32_t)ps_arith_theme_count)];
    uint32_t kind = ps_arith_below(draw, 20);
    bool groups = steps == 1 ? kind < 2 : kind % 4 == 0;
    bool closing = steps == 1 ? kind >= 14 : kind % 5 < 2;
    if (steps < (uint32_t)groups + closing) return false;
    uint32_t middles = steps - groups - closing, available = clause_count(theme->middles);
    if (middles > available || middles > MOST_STEPS) return false;

    story->theme = theme;
    story->count = 0;
    story->clauses[story->count++] = groups ? theme->groups : theme->opening;
    uint32_t used = 0;
    for (uint32_t i = 0; i < middles; i++) {
        uint32_t pick = ps_arith_below(draw, available);
        while (used >> pick & 1) pick = (pick + 1) % available;
        used |= 1u << pick;
        story->clauses[story->count++] = &theme->middles[pick];
    }
    story->clauses[story->count++] =
        closing ? &theme->closings[ps_arith_below(draw, (uint32_t)clause_count(theme->closings))]
                : theme->ask;

    skeleton->size = 0;
    bool fits = ps_buffer_puts(skeleton, theme->name);
    for (size_t i = 0; i < story->count; i++)
        fits = fits && ps_buffer_format(skeleton, "%c%s", i ? ',' : ':', story->clauses[i]->key);
    return fits;
}

static bool draw_numbers(struct ps_arith_draw *draw, struct story *story) {
    for (int attempt = 0; attempt < NUMBER_TRIES; attempt++) {
        uint32_t value = 0;
        size_t i = 0;
        for (; i < story->count; i++) {
            bool closing = i + 1 == story->count;
            if (!ps_arith_step(draw, story->clauses[i]->operation, value, closing,
                               &story->steps[i]))
                break;
            value = story->steps[i].after;
        }
        if (i == story->count) return true;
    }
    return false;
}

/* The text for one placeholder; number holds the digits of one. */
static const char *placeholder(char letter, struct story *story, const struct ps_arith_step *step,
                               uint32_t other, char number[16]) {
    bool she = names[story->name].she;
    switch (letter) {
    case 'N': return names[story->name].name;
    case 'M': return names[other].name;
    case 'p': return she ? "she" : "he";
    case 'P': return she ? "She" : "He";
    case 'h': return she ? "her" : "his";
    case 'm': return she ? "her" : "him";
    case 'o': return story->theme->objects[story->object];
    case 't': return story->theme->things[story->thing];
    default: snprintf(number, 16, "%u", letter == 'a' ? step->a : step->b); return number;
    }
}

static bool write_text(struct ps_buffer *buffer, const char *text, struct story *story,
                       const struct ps_arith_step *step, uint32_t other) {
    char number[16];
    bool fits = true;
    while (*text && fits) {
        size_t plain = strcspn(text, "{");
        fits = ps_buffer_append(buffer, text, plain);
        text += plain;
        if (*text != '{') break;
        fits = fits && ps_buffer_puts(buffer, placeholder(text[1], story, step, other, number));
        text += 3;
    }
    return fits;
}

/* Draws names, objects and wordings, and writes question and working. */
static bool write_story(struct ps_arith_draw *draw, struct story *story, struct ps_buffer *question,
                        struct ps_buffer *solution) {
    const char *const *things = story->theme->things;
    uint32_t objects = 0, thing_count = 0;
    while (story->theme->objects[objects]) objects++;
    while (things && things[thing_count]) thing_count++;
    story->name = ps_arith_below(draw, NAME_COUNT);
    story->object = ps_arith_below(draw, objects);
    story->thing = thing_count ? ps_arith_below(draw, thing_count) : 0;
    story->others = 1u << story->name;
    bool fits = true;
    for (size_t i = 0; i < story->count && fits; i++) {
        const struct ps_arith_clause *clause = story->clauses[i];
        const struct ps_arith_step *step = &story->steps[i];
        uint32_t wordings = 1;
        while (wordings < PS_ARITH_WORDINGS && clause->wordings[wordings].text) wordings++;
        uint32_t pick = ps_arith_below(draw, wordings), other = ps_arith_below(draw, NAME_COUNT);
        while (story->others >> other & 1) other = (other + 1) % NAME_COUNT;
        story->others |= 1u << other;
        fits = (i == 0 || ps_buffer_puts(question, " ")) &&
               write_text(question, clause->wordings[pick].text, story, step, other);
        if (clause->operation == PS_ARITH_SET || clause->operation == PS_ARITH_ASK) continue;
        fits = fits && write_text(solution, clause->wordings[pick].note, story, step, other) &&
               ps_buffer_puts(solution, ": ") && ps_arith_equation(solution, step) &&
               ps_buffer_puts(solution, "\n");
    }
    return fits;
}

bool ps_arith_story(struct ps_arith_draw *draw, uint32_t steps, bool held_out,
                    struct ps_buffer *question, struct ps_buffer *solution,
                    struct ps_buffer *skeleton, uint32_t *gold) {
    struct story story;
    for (int attempt = 0; attempt < PLOT_TRIES; attempt++) {
        if (!draw_plot(draw, steps, &story, skeleton)) continue;
        if (steps > 1 && ps_arith_held_out(skeleton->data) != held_out) continue;
        if (!draw_numbers(draw, &story)) continue;
        *gold = story.steps[story.count - 1].after;
        return write_story(draw, &story, question, solution) &&
               ps_buffer_format(solution, "Answer: \\boxed{%u}", *gold);
    }
    return false;
}

/* "12, + 7, * 3 ?": the operations of stories without their words, from left to right. */
bool ps_arith_chain(struct ps_arith_draw *draw, uint32_t steps, struct ps_buffer *question,
                    struct ps_buffer *solution, struct ps_buffer *skeleton, uint32_t *gold) {
    static const enum ps_arith_operation operations[] = {
        PS_ARITH_ADD,      PS_ARITH_ADD,    PS_ARITH_SUBTRACT, PS_ARITH_SUBTRACT, PS_ARITH_MULTIPLY,
        PS_ARITH_MULTIPLY, PS_ARITH_DOUBLE, PS_ARITH_DIVIDE,   PS_ARITH_DIVIDE};
    enum { OPERATION_COUNT = sizeof operations / sizeof operations[0] };
    struct ps_arith_step step;
    if (!ps_arith_step(draw, PS_ARITH_SET, 0, false, &step)) return false;
    bool fits = ps_buffer_puts(skeleton, "chain:") && ps_buffer_format(question, "%u", step.a);
    for (uint32_t i = 0; i < steps && fits; i++) {
        uint32_t value = step.after;
        bool closing = i + 1 == steps;
        do {
            enum ps_arith_operation operation = operations[ps_arith_below(draw, OPERATION_COUNT)];
            fits = ps_arith_step(draw, operation, value, closing, &step);
        } while (!fits); /* adding or taking away always fits */
        char sign = step.operation == PS_ARITH_ADD        ? '+'
                    : step.operation == PS_ARITH_SUBTRACT ? '-'
                    : step.operation == PS_ARITH_DIVIDE   ? '/'
                                                          : '*';
        fits = ps_buffer_format(skeleton, "%c", sign) &&
               ps_buffer_format(question, ", %c %u", sign, step.a) &&
               ps_arith_equation(solution, &step) && ps_buffer_puts(solution, "\n");
    }
    *gold = step.after;
    return fits && ps_buffer_puts(question, " ?") &&
           ps_buffer_format(solution, "Answer: \\boxed{%u}", *gold);
}
