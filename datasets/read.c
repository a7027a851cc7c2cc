/* Rows from JSON lines: one object a line, its fields found by name. */
#include "datasets/datasets_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { LINE_LIMIT = 64 << 20, ROW_LIMIT = 1 << 30 };

const char *ps_dataset_gold_name(enum ps_dataset_gold gold) {
    switch (gold) {
#define X(name, text)                                                                              \
    case PS_DATASET_GOLD_##name: return text;
        PS_DATASET_GOLD_MAP(X)
#undef X
    }
    return "?";
}

enum ps_status ps_dataset_rows_add(struct ps_dataset_rows *rows, const struct ps_dataset_row *row,
                                   struct ps_error *error) {
    if (rows->count == rows->capacity) {
        PS_FAIL_IF(rows->count >= ROW_LIMIT, error, PS_LIMIT, "more than %d rows", ROW_LIMIT);
        size_t capacity = rows->capacity ? rows->capacity * 2 : 256;
        struct ps_dataset_row *grown = ps_realloc(rows->row, capacity * sizeof *grown);
        PS_FAIL_IF_NULL(grown, error);
        rows->row = grown;
        rows->capacity = capacity;
    }
    rows->row[rows->count++] = *row;
    return PS_OK;
}

void ps_dataset_rows_release(struct ps_dataset_rows *rows) {
    ps_free(rows->row);
    *rows = (struct ps_dataset_rows){0};
}

struct reader {
    const char *name;
    size_t line;
    const json_t *object;
    struct ps_arena *arena;
    struct ps_buffer text; /* a field under construction */
    bool used[64];         /* which of the object's fields were taken, by position */
};

const char *ps_dataset_fields_there(const json_t *object, char text[256]) {
    size_t size = 0;
    const char *key;
    json_t *value;
    text[0] = 0;
    json_object_foreach((json_t *)object, key, value) {
        int more = snprintf(text + size, 256 - size, "%s%s", size ? ", " : "", key);
        if (more < 0 || size + (size_t)more >= 256) {
            snprintf(text + (size < 250 ? size : 250), 6, ", ...");
            break;
        }
        size += (size_t)more;
    }
    return size ? text : "none";
}

static void mark_used(struct reader *reader, const char *name) {
    size_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)reader->object, key, value) {
        if (i < 64 && strcmp(key, name) == 0) reader->used[i] = true;
        i++;
    }
}

/* A scalar as text: a whole number without its ".0". */
static enum ps_status append_value(struct reader *reader, const char *field, const json_t *value,
                                   struct ps_error *error) {
    bool fits;
    double number = json_is_real(value) ? json_real_value(value) : 0;
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        size_t size = json_string_length(value);
        PS_FAIL_IF(memchr(text, 0, size), error, PS_FORMAT, "%s:%zu: '%s' has a NUL character",
                   reader->name, reader->line, field);
        fits = ps_buffer_append(&reader->text, text, size);
    } else if (json_is_integer(value)) {
        fits = ps_buffer_format(&reader->text, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value) && number >= -1e15 && number <= 1e15 &&
               number == (double)(long long)number) {
        fits = ps_buffer_format(&reader->text, "%lld", (long long)number);
    } else if (json_is_real(value) || json_is_boolean(value)) {
        return ps_json_dump(value, &reader->text, error);
    } else {
        return ps_error_set(error, PS_FORMAT, "%s:%zu: '%s' is %s, not text or a number",
                            reader->name, reader->line, field,
                            json_is_array(value) ? "a list" : "an object");
    }
    PS_FAIL_IF(!fits, error, PS_MEMORY, "%s:%zu: out of memory", reader->name, reader->line);
    return PS_OK;
}

static enum ps_status append_field(struct reader *reader, const char *name, bool optional,
                                   bool *found, struct ps_error *error) {
    const json_t *value = json_object_get(reader->object, name);
    char there[256];
    PS_FAIL_IF(!value && !optional, error, PS_FORMAT,
               "%s:%zu: there is no field '%s' (the fields there: %s); name the right one in the "
               "data set's description",
               reader->name, reader->line, name, ps_dataset_fields_there(reader->object, there));
    *found = value && !json_is_null(value);
    if (!*found) return PS_OK;
    mark_used(reader, name);
    struct ps_buffer *text = &reader->text;
    if (text->size > 0) {
        bool open = isalnum((unsigned char)text->data[text->size - 1]);
        PS_FAIL_IF(!ps_buffer_puts(text, open ? ". " : " "), error, PS_MEMORY,
                   "%s:%zu: out of memory", reader->name, reader->line);
    }
    return append_value(reader, name, value, error);
}

/* The text of a field ("a", "a?", "a+b"), trimmed, in the arena; NULL when it is not there. */
static enum ps_status take(struct reader *reader, const char *field, const char *fallback,
                           const char **text, struct ps_error *error) {
    char name[256];
    bool optional = !field, any = false, found = false;
    const char *part = field ? field : fallback;
    reader->text.size = 0;
    *text = NULL;
    while (*part) {
        size_t size = strcspn(part, "+");
        if (json_object_get(reader->object, part)) size = strlen(part);
        size_t plain = size;
        bool may_miss = optional;
        if (plain > 0 && part[plain - 1] == '?' && !json_object_get(reader->object, part))
            may_miss = true, plain--;
        snprintf(name, sizeof name, "%.*s", (int)(plain < 255 ? plain : 255), part);
        PS_TRY(append_field(reader, name, may_miss, &found, error));
        any = any || found;
        part += size;
        if (*part == '+') part++;
    }
    if (!any) return PS_OK;
    const char *start = reader->text.data ? reader->text.data : "";
    size_t size = reader->text.size;
    while (size > 0 && isspace((unsigned char)*start)) start++, size--;
    while (size > 0 && isspace((unsigned char)start[size - 1])) size--;
    *text = ps_arena_strndup(reader->arena, start, size);
    PS_FAIL_IF(!*text, error, PS_MEMORY, "%s:%zu: out of memory", reader->name, reader->line);
    return PS_OK;
}

/* The inside of the last balanced \boxed{...}. */
static const char *last_box(const char *text, size_t *size) {
    static const char mark[] = "\\boxed{";
    const char *found = NULL;
    for (const char *s = text; (s = strstr(s, mark)); s++) {
        const char *inside = s + sizeof mark - 1, *end = inside;
        for (int depth = 1; *end; end++) {
            if (*end == '\\' && end[1]) {
                end++;
                continue;
            }
            depth += *end == '{' ? 1 : *end == '}' ? -1 : 0;
            if (depth == 0) break;
        }
        if (!*end) continue;
        found = inside;
        *size = (size_t)(end - inside);
        s = end;
    }
    return found;
}

/* GSM8K's working without the calculator's marks: "2/2=<<2/2=1>>1" becomes "2/2=1". */
static const char *without_marks(struct ps_arena *arena, const char *text) {
    char *copy = ps_arena_strndup(arena, text, strlen(text)), *out = copy;
    if (!copy) return NULL;
    for (const char *s = copy; *s;) {
        const char *end = strncmp(s, "<<", 2) == 0 ? strstr(s, ">>") : NULL;
        if (end)
            s = end + 2;
        else
            *out++ = *s++;
    }
    *out = 0;
    return copy;
}

static enum ps_status read_gold(struct reader *reader, enum ps_dataset_gold rule, const char *text,
                                struct ps_dataset_row *row, struct ps_error *error) {
    const char *gold = text;
    size_t size = strlen(text);
    if (rule == PS_DATASET_GOLD_HASHES) {
        gold = NULL;
        for (const char *s = text; (s = strstr(s, "####")); s += 4) gold = s + 4;
        if (gold) size = strlen(gold);
    } else if (rule == PS_DATASET_GOLD_BOXED) {
        gold = last_box(text, &size);
    }
    PS_FAIL_IF(!gold, error, PS_FORMAT,
               "%s:%zu: no %s in the answer; its gold is described as '%s'", reader->name,
               reader->line, rule == PS_DATASET_GOLD_HASHES ? "\"####\"" : "\\boxed{...}",
               ps_dataset_gold_name(rule));
    while (size > 0 && isspace((unsigned char)*gold)) gold++, size--;
    while (size > 0 && isspace((unsigned char)gold[size - 1])) size--;
    row->gold = size ? ps_arena_strndup(reader->arena, gold, size) : NULL;
    if (rule != PS_DATASET_GOLD_PLAIN && !row->solution)
        row->solution = rule == PS_DATASET_GOLD_HASHES ? without_marks(reader->arena, text) : text;
    PS_FAIL_IF((size && !row->gold) || (rule != PS_DATASET_GOLD_PLAIN && !row->solution), error,
               PS_MEMORY, "%s:%zu: out of memory", reader->name, reader->line);
    return PS_OK;
}

/* What no field of the description has taken, as JSON. */
static enum ps_status keep_rest(struct reader *reader, struct ps_dataset_row *row,
                                struct ps_error *error) {
    struct ps_json_writer writer;
    size_t i = 0, kept = 0;
    const char *key;
    json_t *value;
    reader->text.size = 0;
    ps_json_writer_begin(&writer, &reader->text);
    ps_json_write_begin_object(&writer);
    json_object_foreach((json_t *)reader->object, key, value) {
        if (i < 64 && reader->used[i++]) continue;
        ps_json_write_key(&writer, key);
        ps_json_write_value(&writer, value);
        kept++;
    }
    ps_json_write_end_object(&writer);
    PS_TRY(ps_json_writer_end(&writer, error));
    if (!kept) return PS_OK;
    row->fields = ps_arena_strndup(reader->arena, reader->text.data, reader->text.size);
    PS_FAIL_IF_NULL(row->fields, error);
    return PS_OK;
}

static enum ps_status read_row(struct reader *reader, const struct ps_dataset_fields *fields,
                               struct ps_dataset_row *row, struct ps_error *error) {
    const char *answer, *level;
    memset(reader->used, 0, sizeof reader->used);
    PS_FAIL_IF(!json_is_object(reader->object), error, PS_FORMAT,
               "%s:%zu: the line is no JSON object", reader->name, reader->line);
    const char *question = fields->question ? fields->question : "question";
    PS_TRY(take(reader, question, NULL, &row->question, error));
    PS_FAIL_IF(!row->question || !*row->question, error, PS_FORMAT,
               "%s:%zu: the question ('%s') is empty", reader->name, reader->line, question);
    PS_TRY(take(reader, fields->solution, "solution", &row->solution, error));
    PS_TRY(take(reader, fields->answer, "answer", &answer, error));
    PS_TRY(take(reader, fields->id, "id", &row->id, error));
    PS_TRY(take(reader, fields->subject, "subject", &row->subject, error));
    PS_TRY(take(reader, fields->level, "level", &level, error));
    if (level) {
        const char *digits = level + strcspn(level, "0123456789"); /* "Level 3" */
        for (; isdigit((unsigned char)*digits) && row->level < 100000; digits++)
            row->level = row->level * 10 + (*digits - '0');
    }
    if (answer) PS_TRY(read_gold(reader, fields->gold, answer, row, error));
    if (!row->id || !*row->id) row->id = ps_arena_format(reader->arena, "%zu", reader->line);
    PS_FAIL_IF_NULL(row->id, error);
    return keep_rest(reader, row, error);
}

enum ps_status ps_dataset_read(const char *name, ps_read_function *read, void *context,
                               const struct ps_dataset_fields *fields, struct ps_arena *arena,
                               const struct ps_dataset_source *source, struct ps_dataset_rows *rows,
                               struct ps_error *error) {
    enum ps_status status;
    struct ps_json_lines lines;
    struct ps_dataset_index ids = {0};
    struct reader reader = {.name = name, .arena = arena};
    json_t *object = NULL;
    ps_json_lines_open_function(&lines, name, read, context, LINE_LIMIT);
    ps_buffer_init(&reader.text, LINE_LIMIT);
    for (;;) {
        json_decref(object);
        PS_TRY_DONE(ps_json_lines_next(&lines, &object, error));
        if (!object) break;
        struct ps_dataset_row row = {.source = source};
        reader.object = object;
        reader.line = lines.line;
        PS_TRY_DONE(read_row(&reader, fields, &row, error));
        bool added;
        uint32_t first;
        struct ps_hash hash = ps_hash_bytes(row.id, strlen(row.id));
        PS_TRY_DONE(ps_dataset_index_add(&ids, ps_hash_64(&hash), (uint32_t)lines.line, &first,
                                         &added, error));
        PS_FAIL_DONE_IF(!added, error, PS_FORMAT, "%s:%zu: the id '%s' stands in line %u already",
                        name, lines.line, row.id, first);
        PS_TRY_DONE(ps_dataset_rows_add(rows, &row, error));
    }
done:
    json_decref(object);
    ps_dataset_index_release(&ids);
    ps_buffer_release(&reader.text);
    ps_json_lines_close(&lines);
    return status;
}

enum ps_status ps_dataset_read_file(const struct ps_dataset_fields *fields, struct ps_arena *arena,
                                    struct ps_dataset_source *source, struct ps_dataset_rows *rows,
                                    struct ps_error *error) {
    struct ps_dataset_stream *stream;
    struct ps_hash hash;
    char hex[PS_HASH_HEX_SIZE];
    PS_TRY(ps_dataset_stream_open(&stream, source->path, error));
    enum ps_status status = ps_dataset_read(source->path, ps_dataset_stream_read, stream, fields,
                                            arena, source, rows, error);
    ps_dataset_stream_close(stream, &hash);
    PS_TRY(status);
    ps_hash_hex(&hash, hex);
    PS_FAIL_IF(source->sha256_declared && strcmp(hex, source->sha256) != 0, error, PS_CORRUPT,
               "%s: this is another version of %s/%s: its SHA-256 is %s, the manifest's %s; get it "
               "from %s, or name the file under 'datasets:' in the pipeline to use it as it is",
               source->path, source->dataset, source->split, hex, source->sha256,
               source->origin ? source->origin : "where the manifest says");
    memcpy(source->sha256, hex, sizeof hex);
    return PS_OK;
}
