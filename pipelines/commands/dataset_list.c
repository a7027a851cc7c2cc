/* potstill dataset list: the shipped data sets, and whether their files are there. */
#include "datasets/datasets.h"
#include "pipelines/commands/commands_internal.h"

#include <stdio.h>

enum { OUTPUT_LIMIT = 1 << 24 };

void ps_dataset_write_source(struct ps_json_writer *writer,
                             const struct ps_dataset_source *source) {
    ps_json_put_string(writer, "about", source->about);
    ps_json_put_string(writer, "licence", source->licence);
    ps_json_put_string(writer, "origin", source->origin);
    ps_json_put_bool(writer, "test", source->test);
    ps_json_put_string(writer, "profile", source->profile);
    ps_json_put_string(writer, "prompt", source->prompt);
    ps_json_put_string(writer, "path", source->path);
    ps_json_put_string(writer, "sha256", source->sha256[0] ? source->sha256 : NULL);
}

static enum ps_status print_json(const struct ps_dataset_listing *list, size_t count,
                                 struct ps_error *error) {
    struct ps_buffer buffer;
    struct ps_json_writer writer;
    ps_buffer_init(&buffer, OUTPUT_LIMIT);
    ps_json_writer_begin(&writer, &buffer);
    ps_json_write_begin_object(&writer);
    ps_json_write_key(&writer, "datasets");
    ps_json_write_begin_array(&writer);
    for (size_t i = 0; i < count; i++) {
        ps_json_write_begin_object(&writer);
        ps_json_put_string(&writer, "name", list[i].name);
        ps_json_put_bool(&writer, "present", list[i].present);
        ps_dataset_write_source(&writer, &list[i].source);
        ps_json_write_end_object(&writer);
    }
    ps_json_write_end_array(&writer);
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK) puts(buffer.data);
    ps_buffer_release(&buffer);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    enum ps_status status;
    struct ps_dataset_catalog *catalog;
    const struct ps_dataset_listing *list;
    size_t count;
    PS_TRY(ps_dataset_catalog_open(&catalog, NULL, 0, 0, error));
    PS_TRY_DONE(ps_dataset_list(catalog, &list, &count, error));
    if (call->json) {
        PS_TRY_DONE(print_json(list, count, error));
        goto done;
    }
    printf("%-20s %-9s %-6s %s\n", "name", "state", "use", "about");
    for (size_t i = 0; i < count; i++)
        printf("%-20s %-9s %-6s %s\n", list[i].name,
               !list[i].source.path ? "generated"
               : list[i].present    ? "there"
                                    : "missing",
               list[i].source.test ? "test" : "train", list[i].source.about);
done:
    ps_dataset_catalog_close(catalog);
    return status;
}

const struct ps_command ps_command_dataset_list = {
    .name = "dataset list",
    .synopsis = "",
    .help = "the data sets that potstill knows by name",
    .details = "Files are looked for in $POTSTILL_DATA, else $XDG_DATA_HOME/potstill, else\n"
               "~/.local/share/potstill. 'potstill dataset show NAME' says where to get one.",
    .run = run,
};
