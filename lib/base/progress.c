#include "base/progress.h"
#include "base/log.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static struct ps_progress *drawn; /* whose line stands on the terminal now */
static bool quiet;

double ps_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const char *ps_progress_duration(double seconds, char text[24]) {
    if (!(seconds >= 0 && seconds < 1e8)) {
        snprintf(text, 24, "?");
        return text;
    }
    long s = lrint(seconds);
    if (s >= 86400)
        snprintf(text, 24, "%ldd%02ldh", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        snprintf(text, 24, "%ldh%02ldm", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(text, 24, "%ldm%02lds", s / 60, s % 60);
    else
        snprintf(text, 24, "%lds", s);
    return text;
}

/* ---- the line ---- */

static size_t line_of(const struct ps_progress *progress, bool last, char *line, size_t size) {
    double elapsed = ps_seconds() - progress->started;
    uint64_t here = progress->done - progress->first; /* done by this run */
    double rate = elapsed > 0 ? (double)here / elapsed : 0;
    char time[24];
    int at =
        snprintf(line, size, "%.100s  %llu", progress->name, (unsigned long long)progress->done);
    if (progress->total)
        at += snprintf(line + at, size - at, "/%llu", (unsigned long long)progress->total);
    at += snprintf(line + at, size - at, " %.40s", progress->unit);
    if (rate > 0) at += snprintf(line + at, size - at, "  %.3g/s", rate);
    if (last)
        at += snprintf(line + at, size - at, "  in %s", ps_progress_duration(elapsed, time));
    else if (rate > 0 && progress->total > progress->done)
        at +=
            snprintf(line + at, size - at, "  %s left",
                     ps_progress_duration((double)(progress->total - progress->done) / rate, time));
    if (progress->text[0]) at += snprintf(line + at, size - at, "  %s", progress->text);
    return (size_t)at;
}

static void draw(struct ps_progress *progress, bool last) {
    char line[400]; /* more than all parts of line_of together */
    size_t size = line_of(progress, last, line, sizeof line);
    progress->drawn = ps_seconds();
    if (!progress->terminal) {
        fprintf(progress->file, "%s\n", line);
        fflush(progress->file);
        return;
    }
    struct winsize window;
    size_t width = ioctl(fileno(progress->file), TIOCGWINSZ, &window) == 0 && window.ws_col > 1
                       ? window.ws_col - 1u
                       : 79;
    if (!last && size > width) { /* a wrapped line could not be redrawn */
        size = width;
        while (size > 0 && ((unsigned char)line[size] & 0xC0) == 0x80) size--;
    }
    fprintf(progress->file, "\r\033[K%.*s%s", (int)size, line, last ? "\n" : "");
    fflush(progress->file);
    drawn = last ? NULL : progress;
}

static void wipe(void) {
    if (drawn) fputs("\r\033[K", drawn->file);
    drawn = NULL;
}

static void observe(struct ps_progress *progress, bool now) {
    double time = ps_seconds();
    if (!progress->observe || (!now && time - progress->observed < 1)) return;
    progress->observed = time;
    progress->observe(progress->observer, progress);
}

void ps_progress_begin(struct ps_progress *progress, const char *name, const char *unit,
                       uint64_t done, uint64_t total) {
    if (!progress) return;
    const char *kind = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) && kind && strcmp(kind, "dumb") != 0;
    *progress = (struct ps_progress){.file = quiet ? NULL : stderr,
                                     .terminal = terminal,
                                     .name = name,
                                     .unit = unit,
                                     .done = done,
                                     .first = done,
                                     .total = total,
                                     .started = ps_seconds(),
                                     .interval = terminal ? 0.25 : 15,
                                     .active = true,
                                     .observe = progress->observe,
                                     .observer = progress->observer};
    progress->drawn = progress->started;
    observe(progress, true);
}

void ps_progress_total(struct ps_progress *progress, uint64_t total) {
    if (progress) progress->total = total;
}

void ps_progress_update(struct ps_progress *progress, uint64_t done, const char *text, ...) {
    if (!progress || !progress->active) return;
    progress->done = done > progress->first ? done : progress->first;
    if (text) {
        va_list arguments;
        va_start(arguments, text);
        vsnprintf(progress->text, sizeof progress->text, text, arguments);
        va_end(arguments);
    }
    if (progress->file && ps_seconds() - progress->drawn >= progress->interval)
        draw(progress, false);
    observe(progress, false);
}

void ps_progress_end(struct ps_progress *progress) {
    if (!progress || !progress->active) return;
    progress->active = false;
    if (progress->file) draw(progress, true);
    observe(progress, true);
}

/* ---- notes ---- */

void ps_log_quiet(bool on) {
    quiet = on;
}

__attribute__((format(printf, 3, 0))) static void print(const char *color, const char *kind,
                                                        const char *format, va_list arguments) {
    wipe();
    const char *off = getenv("NO_COLOR");
    bool colored = color && isatty(STDERR_FILENO) && !(off && off[0]);
    fprintf(stderr, "potstill: %s%s", colored ? color : "", kind);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "%s\n", colored ? "\033[0m" : "");
}

void ps_log_note(const char *format, ...) {
    if (quiet) return;
    va_list arguments;
    va_start(arguments, format);
    print(NULL, "", format, arguments);
    va_end(arguments);
}

void ps_log_warning(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print("\033[33m", "warning: ", format, arguments);
    va_end(arguments);
}

void ps_log_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print("\033[31m", "", format, arguments);
    va_end(arguments);
}
