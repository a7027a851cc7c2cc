#pragma once
/* Days as text: YYYY-MM-DD. */

#include <stdbool.h>

enum { PS_DATE_SIZE = 11 };

/* A day that there is, written so. */
bool ps_date_is_valid(const char *text);

/* The local day of now. Returns text. */
const char *ps_date_today(char text[PS_DATE_SIZE]);
