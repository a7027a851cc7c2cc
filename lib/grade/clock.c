/* Times of the day ("3:30 p.m.", "15:30") and dates ("March 5th", "5 March 2020"). */
#include "grade/answer_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Without text marks and spaces; false where it is too long for a time or a date. */
static bool plain(const char *s, char out[48], bool spaces) {
    size_t size = 0;
    for (; *s; s++) {
        if (*s == PS_TEXT_BEGIN || *s == PS_TEXT_END || (*s == ' ' && !spaces)) continue;
        if (size == 47) return false;
        out[size++] = *s;
    }
    out[size] = 0;
    return true;
}

/* "am", "p.m", "PM": 1 or 2, and 0 for any other text. */
static int half_of_day(const char *s) {
    static const char *const names[] = {"am", "a.m", "a.m.", "pm", "p.m", "p.m."};
    for (int i = 0; i < 6; i++)
        if (strcasecmp(s, names[i]) == 0) return 1 + i / 3;
    return 0;
}

/* Two digits behind a colon. */
static bool sixtieth(const char **p, int *value) {
    if ((*p)[0] != ':' || !digit((*p)[1]) || !digit((*p)[2]) || digit((*p)[3])) return false;
    *value = 10 * ((*p)[1] - '0') + (*p)[2] - '0';
    *p += 3;
    return *value < 60;
}

bool ps_answer_time(const char *s, struct ps_time *time) {
    char text[48];
    *time = (struct ps_time){0};
    if (!plain(s, text, false)) return false;
    if (strcasecmp(text, "noon") == 0 || strcasecmp(text, "12noon") == 0 ||
        strcasecmp(text, "midnight") == 0) {
        *time = (struct ps_time){.hour = 12, .half = strcasecmp(text, "midnight") == 0 ? 1 : 2};
        return true;
    }
    const char *p = text;
    while (digit(*p) && p < text + 3) time->hour = 10 * time->hour + *p++ - '0';
    if (p == text || p == text + 3) return false;
    bool colon = *p == ':';
    if (colon && !sixtieth(&p, &time->minute)) return false;
    if (colon && *p == ':' && !sixtieth(&p, &time->second)) return false;
    time->half = half_of_day(p);
    if (*p && !time->half) return false;
    if (time->half) return time->hour >= 1 && time->hour <= 12;
    return colon;
}

/* Seconds from midnight of a time whose half of the day is known. */
static int seconds(const struct ps_time *t) {
    int hour = t->half ? t->hour % 12 + (t->half == 2 ? 12 : 0) : t->hour;
    return 3600 * hour + 60 * t->minute + t->second;
}

bool ps_answer_same_time(const struct ps_time *a, const struct ps_time *b) {
    if (seconds(a) == seconds(b)) return true;
    if (a->half && b->half) return false;
    return a->hour == b->hour && a->minute == b->minute && a->second == b->second;
}

void ps_answer_print_time(const struct ps_time *time, char text[32]) {
    static const char *const halves[] = {"", " a.m.", " p.m."};
    int size = snprintf(text, 32, "%d:%02d", time->hour, time->minute);
    if (time->second) size += snprintf(text + size, 32 - (size_t)size, ":%02d", time->second);
    snprintf(text + size, 32 - (size_t)size, "%s", halves[time->half]);
}

/* ---- dates ---- */

/* 1 to 12, and 0 for what is no month; of its first three letters on. */
static int month(const char *word, size_t size) {
    static const char *const names[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};
    for (int i = 0; i < 12; i++)
        if (size >= 3 && size <= strlen(names[i]) && strncasecmp(word, names[i], size) == 0 &&
            (size == 3 || size == strlen(names[i]) || (i == 8 && size == 4)))
            return i + 1;
    return 0;
}

bool ps_answer_date(const char *s, char text[32]) {
    char plain_text[48];
    int months = 0, days = 0, years = 0;
    if (!plain(s, plain_text, true)) return false;
    for (const char *p = plain_text; *p;) {
        size_t size = 0;
        if (digit(*p)) {
            int value = 0;
            while (digit(p[size]) && size < 4) value = 10 * value + p[size++] - '0';
            if (digit(p[size])) return false;
            int *slot = size == 4 ? &years : &days;
            if (*slot || value == 0 || (size < 4 && value > 31)) return false;
            *slot = value;
            p += size;
            static const char *const ordinals[] = {"st", "nd", "rd", "th"};
            for (int i = 0; i < 4 && size < 3; i++)
                if (strncmp(p, ordinals[i], 2) == 0 && !letter(p[2])) {
                    p += 2;
                    break;
                }
        } else if (letter(*p)) {
            while (letter(p[size])) size++;
            bool of = size == 2 && strncasecmp(p, "of", 2) == 0;
            int found = of ? 0 : month(p, size);
            if (!of && (!found || months)) return false;
            if (found) months = found;
            p += size;
        } else if (strchr(" ,.", *p)) {
            p++;
        } else {
            return false;
        }
    }
    if (!months || !days) return false;
    snprintf(text, 32, "%04d-%02d-%02d", years, months, days);
    return true;
}
