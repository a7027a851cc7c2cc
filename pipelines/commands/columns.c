/* A line of a column is cut where the next word would not fit, or within a word that is wider than
 * the column; a newline of the text ends it, too. Width is counted in cells: two for most East
 * Asian characters, none for what combines with the character before it. */
#include "pipelines/commands/columns.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

/* The character at text: its bytes and its cells. One that cannot be shown as it is counts as '?'.
 */
static size_t next(const char *text, size_t size, size_t *cells, bool *plain) {
    utf8proc_int32_t code;
    utf8proc_ssize_t bytes =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &code);
    int width = bytes > 0 ? utf8proc_charwidth(code) : 0;
    *plain = bytes > 0 && code >= 0x20 && code != 0x7F && (code < 0x80 || code >= 0xA0);
    *cells = *plain && width >= 0 ? (size_t)width : 1;
    return bytes > 0 ? (size_t)bytes : 1;
}

struct line {
    size_t bytes, cells; /* that are shown */
    size_t taken;        /* of the text, with the space or newline that ends it */
};

static struct line take_line(const char *text, size_t size, size_t width) {
    struct line line = {0}, word = {0}; /* word: where the last one that fits ends */
    while (line.bytes < size && text[line.bytes] != '\n') {
        size_t cells;
        bool plain;
        size_t bytes = next(text + line.bytes, size - line.bytes, &cells, &plain);
        if (text[line.bytes] == ' ') word = (struct line){line.bytes, line.cells, line.bytes + 1};
        if (line.cells + cells > width) {
            line.taken = line.bytes;
            return word.taken ? word : line;
        }
        line.bytes += bytes;
        line.cells += cells;
    }
    line.taken = line.bytes + (line.bytes < size);
    return line;
}

static void print_plain(FILE *out, const char *text, size_t size) {
    for (size_t i = 0, bytes; i < size; i += bytes) {
        size_t cells;
        bool plain;
        bytes = next(text + i, size - i, &cells, &plain);
        if (plain)
            fwrite(text + i, 1, bytes, out);
        else
            putc(text[i] == '\t' ? ' ' : '?', out);
    }
}

/* One line of every column; false when all are at their end. */
static bool print_row(FILE *out, struct ps_column *columns, size_t count, size_t width) {
    bool more = false;
    size_t behind = 0; /* cells that are still to be filled */
    for (size_t i = 0; i < count; i++) more = more || columns[i].size > 0;
    for (size_t i = 0; more && i < count; i++) {
        struct ps_column *column = &columns[i];
        struct line line = take_line(column->text, column->size, width);
        if (i) fprintf(out, "%*s | ", (int)behind, "");
        print_plain(out, column->text, line.bytes);
        behind = width - line.cells;
        column->text += line.taken;
        column->size -= line.taken;
    }
    if (more) putc('\n', out);
    return more;
}

static bool print_all(FILE *out, struct ps_column *columns, size_t count, size_t width) {
    bool any = false;
    while (print_row(out, columns, count, width)) any = true;
    return any;
}

void ps_columns_print(FILE *out, const struct ps_column *columns, size_t count, size_t width) {
    enum { MOST = 16 };
    struct ps_column left[MOST];
    for (size_t begin = 0; begin < count; begin += MOST) {
        size_t some = count - begin < MOST ? count - begin : MOST;
        for (size_t i = 0; i < some; i++) {
            const char *title = columns[begin + i].title;
            left[i] = (struct ps_column){NULL, title, strlen(title)};
        }
        print_all(out, left, some, width);
        memcpy(left, columns + begin, some * sizeof *left);
        print_all(out, left, some, width);
    }
}

size_t ps_terminal_width(FILE *out) {
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int width = columns ? atoi(columns) : 0;
    if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col)
        return size.ws_col;
    return width > 0 && width < 10000 ? (size_t)width : 160;
}
