#pragma once
/* cmocka with what it wants included first, and checks that show the error message. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"

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
