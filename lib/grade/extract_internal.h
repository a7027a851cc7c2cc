#pragma once
/* Inside lib/grade: small questions of extraction. */

#include "grade/grade.h"

/* Whether a short text is a number and nothing else. */
enum ps_status ps_extract_is_number(struct ps_grade_text text,
                                    const struct ps_grade_profile *profile, bool *is,
                                    struct ps_error *error);

/* "B", "(B)", "B.", "**B**", "B)": one capital letter from A to J. */
bool ps_extract_is_choice(struct ps_grade_text text);

/* The last number in [from, to) that is written as one; false when there is none. */
bool ps_extract_last_number(const char *text, size_t from, size_t to, size_t *begin, size_t *end);
