#pragma once
/* Status codes and error messages.
 *
 * A library function that can fail returns enum ps_status and fills the caller's struct ps_error.
 * The message names the thing, the place and the way out: "traces.db: page 17 is damaged; run
 * 'potstill traces verify traces.db'". The first failure fills it; callers pass it up untouched or
 * put a place in front of it with ps_error_prefix(). Every function accepts error == NULL.
 */

/* X(enumerator suffix, text, exit code of a command that ends with it) */
#define PS_STATUS_MAP(X)                                                                           \
    X(OK, "ok", 0)                                                                                 \
    X(MEMORY, "out of memory", 1)                                                                  \
    X(IO, "input/output error", 1)                                                                 \
    X(FULL, "no space left", 1)                                                                    \
    X(CORRUPT, "damaged data", 1)                                                                  \
    X(BUSY, "in use by another process", 1)                                                        \
    X(NUMERIC, "not a finite number", 1)                                                           \
    X(LIMIT, "limit exceeded", 1)                                                                  \
    X(INTERNAL, "internal error", 1)                                                               \
    X(ARGUMENT, "invalid argument", 2)                                                             \
    X(FORMAT, "malformed input", 2)                                                                \
    X(NOT_FOUND, "not found", 2)                                                                   \
    X(UNSUPPORTED, "not supported", 2)                                                             \
    X(STOPPED, "stopped", 3)

enum ps_status {
#define X(name, text, exit_code) PS_##name,
    PS_STATUS_MAP(X)
#undef X
};

struct ps_error {
    enum ps_status status;
    char message[1024];
};

/* "PS_FORMAT" and "malformed input" for PS_FORMAT; static strings. */
const char *ps_status_name(enum ps_status status);
const char *ps_status_text(enum ps_status status);

/* Exit code of a command: 0 done, 1 failed, 2 bad command line or file, 3 stopped. */
int ps_status_exit_code(enum ps_status status);

/* Sets status and message (cut at the buffer's size) and returns status. error may be NULL. */
enum ps_status ps_error_set(struct ps_error *error, enum ps_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As ps_error_set, with ": " and the text of errno value `code` behind the message. The status is
 * PS_FULL for ENOSPC, EDQUOT and EFBIG, PS_NOT_FOUND for ENOENT, PS_ARGUMENT for EISDIR and
 * ENOTDIR, PS_MEMORY for ENOMEM, else PS_IO. */
enum ps_status ps_error_errno(struct ps_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message; returns error->status (PS_INTERNAL if error is NULL). */
enum ps_status ps_error_prefix(struct ps_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Returns from the calling function when `call` fails. */
#define PS_TRY(call)                                                                               \
    do {                                                                                           \
        enum ps_status ps_try_status_ = (call);                                                    \
        if (ps_try_status_ != PS_OK) return ps_try_status_;                                        \
    } while (0)

/* Fails with a message: PS_FAIL_IF(size > limit, error, PS_LIMIT, "%s: too large", path). */
#define PS_FAIL_IF(condition, error, status, ...)                                                  \
    do {                                                                                           \
        if (condition) return ps_error_set(error, status, __VA_ARGS__);                            \
    } while (0)

/* The same two where there is something to clean up: they set the local `status` and go to the
 * function's one `done:` label. */
#define PS_TRY_DONE(call)                                                                          \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != PS_OK) goto done;                                                            \
    } while (0)

#define PS_FAIL_DONE_IF(condition, error, code, ...)                                               \
    do {                                                                                           \
        if (condition) {                                                                           \
            status = ps_error_set(error, code, __VA_ARGS__);                                       \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* The usual end of a failed allocation. */
#define PS_FAIL_IF_NULL(pointer, error) PS_FAIL_IF(!(pointer), error, PS_MEMORY, "out of memory")
#define PS_FAIL_DONE_IF_NULL(pointer, error)                                                       \
    PS_FAIL_DONE_IF(!(pointer), error, PS_MEMORY, "out of memory")
