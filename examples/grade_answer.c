/* grade_answer GOLD ANSWER: is the answer right? Exit code 0 when it is.
 *
 *     $ grade_answer 1/2 '\frac{2}{4}'
 *     correct: the same number */
#include "grade/grade.h"

#include <stdio.h>

int main(int count, char **arguments) {
    if (count != 3) return fprintf(stderr, "usage: grade_answer GOLD ANSWER\n"), 2;
    struct ps_grade_input input = {.gold = ps_grade_text(arguments[1]),
                                   .output = ps_grade_text(arguments[2]),
                                   .answer_given = true};
    struct ps_grade_profile profile;
    struct ps_grade grade;
    struct ps_error error;
    ps_grade_profile("plain", &profile);
    if (ps_grade(&input, &profile, &grade, NULL, &error) != PS_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    printf("%s: %s\n", ps_verdict_name(grade.verdict), grade.reason);
    bool correct = grade.verdict == PS_VERDICT_CORRECT;
    ps_grade_release(&grade);
    return correct ? 0 : 1;
}
