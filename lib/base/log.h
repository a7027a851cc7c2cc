#pragma once
/* Notes and warnings on stderr, one line each, in front of which a progress line is wiped. */

#include <stdbool.h>

/* "potstill: text"; nothing after ps_log_quiet(true). */
void ps_log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "potstill: warning: text", in yellow on a terminal unless NO_COLOR is set. */
void ps_log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "potstill: text", in red likewise: what a command fails with. */
void ps_log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

void ps_log_quiet(bool quiet);
