/* potstill dataset show: what a manifest says about a data set, and its first rows. */
#include "base/settings.h"
#include "datasets/datasets.h"
#include "pipelines/commands/commands_internal.h"

#include <stdio.h>

enum { OUTPUT_LIMIT = 1 << 30 };

struct show_settings {
    int64_t rows;
};
static const struct ps_setting show_items[] = {
    {"rows", PS_SETTING_INTEGER, offsetof(struct show_settings, rows), .fallback = "2",
     .minimum = 0, .maximum = 1e9, .help = "how many of the first rows to print"},
};
static const struct ps_settings_table show_table =
    PS_SETTINGS_TABLE("dataset show", "", show_items, struct show_settings);

static void write_row(struct ps_json_writer *writer, const struct ps_dataset_row *row) {
    const struct {
        const char *key, *text;
    } texts[] = {{"id", row->id},
                 {"question", row->question},
                 {"gold", row->gold},
                 {"solution", row->solution},
                 {"subject", row->subject}};
    ps_json_write_begin_object(writer);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ps_json_put_string(writer, texts[i].key, texts[i].text);
    }
    ps_json_put_integer(writer, "level", row->level);
    ps_json_write_end_object(writer);
}

static enum ps_status print_json(const struct ps_dataset_listing *entry,
                                 const struct ps_dataset *set, size_t rows,
                                 struct ps_error *error) {
    struct ps_buffer buffer;
    struct ps_json_writer writer;
    ps_buffer_init(&buffer, OUTPUT_LIMIT);
    ps_json_writer_begin(&writer, &buffer);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "name", entry->name);
    ps_json_put_bool(&writer, "present", set);
    ps_dataset_write_source(&writer, set ? set->sources[0] : &entry->source);
    if (set) {
        ps_json_put_integer(&writer, "rows", (int64_t)set->count);
        ps_json_write_key(&writer, "first");
        ps_json_write_begin_array(&writer);
        for (size_t i = 0; i < rows; i++) write_row(&writer, &set->rows[i]);
        ps_json_write_end_array(&writer);
    }
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK) puts(buffer.data);
    ps_buffer_release(&buffer);
    return status;
}

static void print_text(const struct ps_dataset_listing *entry, const struct ps_dataset *set,
                       size_t rows) {
    const struct ps_dataset_source *source = set ? set->sources[0] : &entry->source;
    printf("name      %s\nabout     %s\nlicence   %s\nuse       %s\nprofile   %s\n", entry->name,
           source->about, source->licence, source->test ? "test: never trained on" : "training",
           source->profile);
    if (source->origin) printf("origin    %s\n", source->origin);
    if (source->path) printf("file      %s%s\n", source->path, set ? "" : " (not there)");
    if (source->sha256[0])
        printf("sha256    %s (%s)\n", source->sha256,
               source->sha256_declared ? "as declared" : "none is declared");
    if (set) printf("rows      %zu\n", set->count);
    printf("prompt    ");
    for (const char *s = source->prompt; *s; s++)
        *s == '\n' ? fputs("\n          ", stdout) : putchar(*s);
    putchar('\n');
    for (size_t i = 0; i < rows; i++) {
        const struct ps_dataset_row *row = &set->rows[i];
        printf("\n[%s%s%s] %s\n", row->id, row->subject ? " " : "",
               row->subject ? row->subject : "", row->question);
        if (row->solution) printf("%s\n", row->solution);
        printf("gold: %s\n", row->gold ? row->gold : "(not known)");
    }
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    enum ps_status status;
    struct ps_dataset_catalog *catalog;
    const struct show_settings *settings = call->settings[0].values;
    const struct ps_dataset_listing *entry;
    const struct ps_dataset *set = NULL;
    PS_TRY(ps_dataset_catalog_open(&catalog, NULL, 0, 0, error));
    PS_TRY_DONE(ps_dataset_find(catalog, call->arguments.items[0], &entry, error));
    if (entry->present) PS_TRY_DONE(ps_dataset_get(catalog, entry->name, &set, error));
    size_t rows = set && settings->rows < (int64_t)set->count ? (size_t)settings->rows
                  : set                                       ? set->count
                                                              : 0;
    if (call->json)
        PS_TRY_DONE(print_json(entry, set, rows, error));
    else
        print_text(entry, set, rows);
done:
    ps_dataset_catalog_close(catalog);
    return status;
}

const struct ps_command ps_command_dataset_show = {
    .name = "dataset show",
    .synopsis = "NAME [--rows N]",
    .help = "a data set's origin, licence, file and first rows",
    .details = "NAME is a set and its split, gsm8k/test, or a set with one split, math500.",
    .tables = {&show_table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
