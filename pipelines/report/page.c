/* The page: report.html with its {{names}} replaced.
 *
 * Everything from models and data sets is hostile. The title and the headline are escaped as
 * HTML; all else goes into <script type="application/json"> blocks, where nothing but "<" can end
 * the block or open a comment, so "<" is written as \u003c, which JSON reads back. The page's own
 * script puts texts into text nodes alone, and the policy in its head lets no script run but that
 * one, by its hash, and nothing be loaded. */
#include "pipelines/report/report_internal.h"

#include "base/base64.h"
#include "base/file.h"
#include "base/hash.h"

#include <string.h>

/* Replaces single bytes on the way out; code(c) is NULL for those that stay. */
static enum ps_status write_coded(struct ps_file_writer *file, const char *text, size_t size,
                                  const char *(*code)(char), struct ps_error *error) {
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        const char *other = code(text[i]);
        if (!other) continue;
        PS_TRY(ps_file_writer_write(file, text + start, i - start, error));
        PS_TRY(ps_file_writer_write(file, other, strlen(other), error));
        start = i + 1;
    }
    return ps_file_writer_write(file, text + start, size - start, error);
}

static const char *json_code(char c) {
    return c == '<' ? "\\u003c" : NULL;
}

static const char *html_code(char c) {
    switch (c) {
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '&': return "&amp;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return (unsigned char)c < 32 ? " " : NULL;
    }
}

static enum ps_status write_value(const struct ps_report *report, const char *script_hash,
                                  const char *name, size_t size, struct ps_file_writer *file,
                                  struct ps_error *error) {
    const struct {
        const char *name, *text;
        size_t size;
        const char *(*code)(char);
    } values[] = {
        {"style", ps_report_css, ps_report_css_size, NULL},
        {"script", ps_report_js, ps_report_js_size, NULL},
        {"script-hash", script_hash, strlen(script_hash), NULL},
        {"title", report->name, strlen(report->name), html_code},
        {"headline", report->headline, strlen(report->headline), html_code},
        {"report", report->json.data, report->json.size, json_code},
        {"problems", report->problems.data, report->problems.size, json_code},
        {"replies", report->replies.data, report->replies.size, json_code},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (strlen(values[i].name) != size || memcmp(values[i].name, name, size) != 0) continue;
        if (values[i].size == 0) return PS_OK;
        if (!values[i].code)
            return ps_file_writer_write(file, values[i].text, values[i].size, error);
        return write_coded(file, values[i].text, values[i].size, values[i].code, error);
    }
    return ps_error_set(error, PS_INTERNAL, "report.html: no value {{%.*s}}", (int)size, name);
}

static enum ps_status write_template(const struct ps_report *report, const char *script_hash,
                                     struct ps_file_writer *file, struct ps_error *error) {
    const char *at = ps_report_html, *end = at + ps_report_html_size;
    for (;;) {
        const char *open = strstr(at, "{{");
        if (!open) return ps_file_writer_write(file, at, (size_t)(end - at), error);
        const char *close = strstr(open, "}}");
        PS_FAIL_IF(!close, error, PS_INTERNAL, "report.html: a {{ without }}");
        PS_TRY(ps_file_writer_write(file, at, (size_t)(open - at), error));
        PS_TRY(write_value(report, script_hash, open + 2, (size_t)(close - open) - 2, file, error));
        at = close + 2;
    }
}

enum ps_status ps_report_write_page(const struct ps_report *report, const char *path,
                                    struct ps_error *error) {
    struct ps_hash hash = ps_hash_bytes(ps_report_js, ps_report_js_size);
    struct ps_buffer hash_text;
    struct ps_file_writer file;
    PS_TRY(ps_file_writer_begin(&file, path, error));
    ps_buffer_init(&hash_text, 64);
    enum ps_status status = PS_MEMORY;
    if (ps_base64_append(&hash_text, hash.bytes, sizeof hash.bytes))
        status = write_template(report, hash_text.data, &file, error);
    else
        ps_error_set(error, status, "out of memory");
    if (status == PS_OK) status = ps_file_writer_commit(&file, error);
    ps_buffer_release(&hash_text);
    ps_file_writer_abort(&file);
    return status;
}
