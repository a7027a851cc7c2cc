#pragma once
#include <stddef.h>

/* Length in bytes of the well-formed UTF-8 sequence at text, of which size > 0 bytes are there; 0
 * if it is none (Unicode 15, table 3-7). */
size_t ps_utf8_length(const char *text, size_t size);
