#pragma once
/* What json.c and json_lines.c share. */

#include "base/json.h"

/* Parses one text; a failure is "name:line:column: why", by the text's own line when line is 0. */
enum ps_status ps_json_load(const char *name, size_t line, const char *text, size_t size,
                            json_t **value, struct ps_error *error);
