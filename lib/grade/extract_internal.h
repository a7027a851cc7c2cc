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

/* ---- boxes (boxes.c) ---- */

struct ps_box {
    size_t outer, begin, end, stop; /* "\boxed{" at outer, what it holds, behind it */
};

enum { PS_BOXES = 64 };

struct ps_boxes {
    struct ps_box items[PS_BOXES]; /* the last ones, in order */
    size_t count, total;
};

/* The boxes of [from, to). */
void ps_extract_boxes(const char *text, size_t from, size_t to, struct ps_boxes *boxes);
/* How many of the last boxes are one answer. */
size_t ps_extract_run(const char *text, const struct ps_boxes *boxes);
/* Whether the boxes are exactly count, and none is taken back by the words behind it. */
bool ps_extract_are_parts(const char *text, const struct ps_boxes *boxes, size_t count);
/* What boxes hold as a list, with the names before them; false without memory. */
bool ps_extract_join(const char *text, const struct ps_box *boxes, size_t count,
                     struct ps_buffer *out);

/* The part of the output in which answers count, and its boxes. */
void ps_extract_committed(struct ps_grade_text output, size_t *from, size_t *to);
/* The last answer line behind `from`; rule NONE when there is none. */
enum ps_status ps_extract_line_behind(struct ps_grade_text output,
                                      const struct ps_grade_profile *profile, size_t from,
                                      struct ps_extraction *result, struct ps_error *error);
