#pragma once
/* Texts side by side on a terminal, each wrapped in a column of its own. */

#include <stddef.h>
#include <stdio.h>

struct ps_column {
    const char *title;
    const char *text;
    size_t size;
};

/* Prints titles and texts of count columns, each `width` cells wide: wrapped between words where
 * that is possible, what could steer a terminal as '?'. */
void ps_columns_print(FILE *out, const struct ps_column *columns, size_t count, size_t width);

/* Cells of the terminal that out is; $COLUMNS, else 160, where it is none. */
size_t ps_terminal_width(FILE *out);
