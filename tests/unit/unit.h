#pragma once
/* cmocka with what it wants included first, and checks that show the error message. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/status.h"

/* Path of a file of the shared test data, or NULL after saying that the test is skipped without
 * it. The folder is $POTSTILL_SHARED, else ../shared beside the source tree. */
static inline const char *unit_shared(const char *name) {
    static char path[4096];
    const char *folder = getenv("POTSTILL_SHARED");
    snprintf(path, sizeof path, "%s/data/%s", folder ? folder : PS_SOURCE_DIR "/../shared", name);
    if (access(path, R_OK) == 0) return path;
    fprintf(stderr, "skipped: %s is not there\n", path);
    return NULL;
}

/* A new folder, in memory where that can be had: a disk takes its time for each of many fsyncs.
 * `folder` holds 64 bytes. */
static inline void unit_folder(char *folder) {
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, 64, "%s/potstill-unit-XXXXXX", place);
    assert_non_null(mkdtemp(folder));
}

/* The call succeeds; else the test fails with its message. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        struct ps_error *unit_error_ = &error;                                                     \
        if ((call) != PS_OK) fail_msg("%s: %s", #call, unit_error_->message);                      \
    } while (0)

/* The call fails with this status and its message contains this text. */
#define assert_fails(call, code, text)                                                             \
    do {                                                                                           \
        enum ps_status unit_status_ = (call);                                                      \
        if (unit_status_ != (code))                                                                \
            fail_msg("%s: %s instead of %s", #call, ps_status_name(unit_status_),                  \
                     ps_status_name(code));                                                        \
        if (!strstr(error.message, text))                                                          \
            fail_msg("%s: message \"%s\" does not say \"%s\"", #call, error.message, text);        \
    } while (0)
