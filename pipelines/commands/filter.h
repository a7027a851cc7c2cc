#pragma once
/* Commands that are filters: JSON lines on stdin, one JSON line on stdout for each, in order. */

#include "base/json.h"
#include "base/status.h"

/* Writes the answer to one line as one JSON object. */
typedef enum ps_status ps_filter_function(void *context, const json_t *line,
                                          struct ps_json_writer *answer, struct ps_error *error);

/* Runs until stdin ends. A line that is no JSON object, or whose answer fails with PS_FORMAT,
 * PS_ARGUMENT, PS_LIMIT or PS_NOT_FOUND, is answered {"error": "why"}, and the rest goes on; any
 * other failure ends it. parallel: lines that are there at once are answered at once, by all
 * threads, else one after the other. What is answered is flushed before more is waited for: the
 * other end may wait for it, too. */
enum ps_status ps_filter_lines(ps_filter_function *answer, void *context, bool parallel,
                               struct ps_error *error);
