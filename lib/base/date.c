#include "base/date.h"

#include <string.h>
#include <time.h>

bool ps_date_is_valid(const char *text) {
    struct tm day = {0};
    char again[PS_DATE_SIZE];
    const char *end = strptime(text, "%Y-%m-%d", &day);
    if (!end || *end) return false;
    timegm(&day); /* turns 30 February into 2 March */
    return strftime(again, sizeof again, "%Y-%m-%d", &day) == 10 && strcmp(again, text) == 0;
}

const char *ps_date_today(char text[PS_DATE_SIZE]) {
    time_t now = time(NULL);
    struct tm day;
    if (!localtime_r(&now, &day) || strftime(text, PS_DATE_SIZE, "%Y-%m-%d", &day) == 0)
        strcpy(text, "1970-01-01");
    return text;
}
