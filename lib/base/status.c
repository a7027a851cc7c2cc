#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
    int exit_code;
} statuses[] = {
#define X(name, text, exit_code) {"PS_" #name, text, exit_code},
    PS_STATUS_MAP(X)
#undef X
};

const char *ps_status_name(enum ps_status status) {
    return statuses[status].name;
}

const char *ps_status_text(enum ps_status status) {
    return statuses[status].text;
}

int ps_status_exit_code(enum ps_status status) {
    return statuses[status].exit_code;
}

enum ps_status ps_error_set(struct ps_error *error, enum ps_status status, const char *format,
                            ...) {
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

static enum ps_status status_of_errno(int code) {
    switch (code) {
    case ENOSPC:
    case EFBIG: /* a limit on file sizes */
    case EDQUOT: return PS_FULL;
    case ENOENT: return PS_NOT_FOUND;
    case EISDIR:
    case ENOTDIR: return PS_ARGUMENT;
    case ENOMEM: return PS_MEMORY;
    default: return PS_IO;
    }
}

enum ps_status ps_error_errno(struct ps_error *error, int code, const char *format, ...) {
    enum ps_status status = status_of_errno(code);
    if (error) {
        char text[128];
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        size_t used = strlen(error->message);
        snprintf(error->message + used, sizeof error->message - used, ": %s",
                 strerror_r(code, text, sizeof text));
    }
    return status;
}

enum ps_status ps_error_prefix(struct ps_error *error, const char *format, ...) {
    if (!error) return PS_INTERNAL;
    char prefixed[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefixed, sizeof prefixed, format, arguments);
    va_end(arguments);
    size_t used = strlen(prefixed);
    snprintf(prefixed + used, sizeof prefixed - used, ": %.*s", (int)(sizeof prefixed - used),
             error->message);
    memcpy(error->message, prefixed, sizeof prefixed);
    return error->status;
}
