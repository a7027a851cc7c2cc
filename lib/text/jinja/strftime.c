/* strftime_now: the date that the caller gives, at midnight, in the C locale. */
#include "text/jinja/render_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool is_leap(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* "YYYY-MM-DD" */
static bool parse_date(const char *text, struct tm *date) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, used = 0;
    if (strlen(text) != 10 || strspn(text, "0123456789-") != 10) return false;
    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || used != 10) return false;
    if (year < 1 || month < 1 || month > 12 || day < 1) return false;
    if (day > lengths[month - 1] + (month == 2 && is_leap(year))) return false;
    *date = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    for (int i = 0; i < month - 1; i++) date->tm_yday += lengths[i] + (i == 1 && is_leap(year));
    date->tm_yday += day - 1;
    int before = year - 1; /* 1 January of the year 1 was a Monday */
    date->tm_wday =
        (before * 365 + before / 4 - before / 100 + before / 400 + date->tm_yday + 1) % 7;
    return true;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void put_plain(char *text, size_t size, const char *format, const struct tm *date) {
    strftime(text, size, format, date);
}
#pragma GCC diagnostic pop

/* One directive, in English whatever the locale is. */
static enum ps_status put_directive(struct builder *builder, char directive, bool unpadded,
                                    const struct tm *date) {
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    char text[64] = "", format[4] = {'%', directive, 0, 0};
    const char *day = days[date->tm_wday], *month = months[date->tm_mon];
    int year = date->tm_year + 1900;
    switch (directive) {
    case 'A': return ps_jinja_puts(builder, day);
    case 'a': return ps_jinja_put(builder, day, 3, false);
    case 'B': return ps_jinja_puts(builder, month);
    case 'b':
    case 'h': return ps_jinja_put(builder, month, 3, false);
    case 'p': return ps_jinja_puts(builder, "AM");
    case 'P': return ps_jinja_puts(builder, "am");
    case 'f': return ps_jinja_puts(builder, "000000");
    case 'z':
    case 'Z': return PS_OK; /* the date has no time zone */
    case 'Y': snprintf(text, sizeof text, "%d", year); break;
    case 'c':
        snprintf(text, sizeof text, "%.3s %.3s %2d 00:00:00 %d", day, month, date->tm_mday, year);
        break;
    case 'x':
        snprintf(text, sizeof text, "%02d/%02d/%02d", date->tm_mon + 1, date->tm_mday, year % 100);
        break;
    case 'X': strcpy(text, "00:00:00"); break;
    case 'r': strcpy(text, "12:00:00 AM"); break;
    default:
        if (!directive || !strchr("dejmyCDFGgHIklMnRSTtUuVwW%", directive))
            return ps_jinja_fail(builder->render,
                                 "strftime_now: the directive %%%c is not supported",
                                 directive ? directive : ' ');
        put_plain(text, sizeof text, format, date);
    }
    const char *begin = text;
    if (unpadded) begin += strspn(text, "0 ");
    if (unpadded && !*begin && *text) begin--;
    return ps_jinja_puts(builder, begin);
}

enum ps_status ps_jinja_strftime(struct render *render, const struct string *format,
                                 struct value *result) {
    struct builder builder;
    struct tm date;
    if (!render->date)
        return ps_jinja_fail(render, "strftime_now: the template asks for the date; give one with "
                                     "'date' or --date");
    if (!parse_date(render->date, &date))
        return ps_jinja_fail(render, "'%.40s' is no date (YYYY-MM-DD)", render->date);
    ps_jinja_begin(render, &builder);
    for (size_t at = 0; at < format->size; at++) {
        if (format->text[at] != '%' || at + 1 == format->size) {
            PS_TRY(ps_jinja_put_slice(&builder, format, at, at + 1));
            continue;
        }
        char directive = format->text[++at];
        bool unpadded = directive == '-' && at + 1 < format->size;
        if (unpadded) directive = format->text[++at];
        PS_TRY(put_directive(&builder, directive, unpadded, &date));
    }
    return ps_jinja_end(&builder, result);
}
