/* potstill traces import: replies that one has already, from files. */
#include "pipelines/commands/traces_internal.h"

#include "base/log.h"
#include "base/progress.h"
#include "pipelines/stages/import_file.h"

#include <stdio.h>

struct import_settings {
    const char *source, *dataset, *requests, *prompt_key, *completion_key;
};
#define AT(member) offsetof(struct import_settings, member)
static const struct ps_setting items[] = {
    {"source", PS_SETTING_STRING, AT(source), .argument = "NAME",
     .help = "who replied; by default each line's \"model\", else import"},
    {"dataset", PS_SETTING_STRING, AT(dataset), .argument = "NAME[/SPLIT]",
     .help = "the data set of lines that name none"},
    {"requests", PS_SETTING_STRING, AT(requests), .argument = "FILE",
     .help = "what a batch was asked: the input file of OpenAI's batch API, for its results"},
    {"prompt_key", PS_SETTING_STRING, AT(prompt_key), .argument = "KEY",
     .help = "the key that holds the prompt, for files of one's own form"},
    {"completion_key", PS_SETTING_STRING, AT(completion_key), .argument = "KEY",
     .help = "the key that holds the reply"},
};
#undef AT
static const struct ps_settings_table table = PS_SETTINGS_TABLE(
    "traces import", "For potstill traces import.", items, struct import_settings);

static void rejected(void *context, const char *why) {
    (void)context;
    ps_log_warning("%s", why);
}

static void tell(void *context, size_t lines) {
    ps_progress_update(context, lines, NULL);
}

static enum ps_status import_files(struct ps_call *call, const struct ps_import *import,
                                   struct ps_import_counts *counts, struct ps_error *error) {
    for (size_t i = 1; i < call->arguments.count; i++) {
        const char *path = call->arguments.items[i];
        ps_progress_begin(import->context, path, "lines", 0, 0);
        enum ps_status status = ps_import_file(import, path, counts, error);
        ps_progress_end(import->context);
        PS_TRY(status);
    }
    return PS_OK;
}

static enum ps_status print(const struct ps_call *call, const struct ps_import_counts *counts,
                            struct ps_error *error) {
    if (!call->json) {
        printf("%s: %lld traces added, %lld there already, %lld failed requests, %lld lines "
               "rejected\n",
               call->arguments.items[0], (long long)counts->added, (long long)counts->already,
               (long long)counts->failed, (long long)counts->rejected);
        return PS_OK;
    }
    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 1 << 16);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "store", call->arguments.items[0]);
    ps_json_put_integer(&writer, "added", counts->added);
    ps_json_put_integer(&writer, "already", counts->already);
    ps_json_put_integer(&writer, "failed", counts->failed);
    ps_json_put_integer(&writer, "rejected", counts->rejected);
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    if (status == PS_OK) puts(text.data);
    ps_buffer_release(&text);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct import_settings *settings = call->settings[0].values;
    struct ps_progress progress = {0};
    struct ps_import_counts counts = {0};
    struct ps_import import = {
        .format = {settings->prompt_key, settings->completion_key, settings->requests},
        .source = settings->source,
        .dataset = settings->dataset,
        .rejected = rejected,
        .progress = tell,
        .context = &progress};
    PS_TRY(ps_dataset_catalog_open(&import.catalog, NULL, 0, 0, error));
    enum ps_status status =
        ps_store_open(&import.store, call->arguments.items[0], PS_STORE_CREATE, error);
    if (status == PS_OK) status = import_files(call, &import, &counts, error);
    ps_store_close(import.store);
    ps_dataset_catalog_close(import.catalog);
    PS_TRY(status);
    PS_TRY(print(call, &counts, error));
    PS_FAIL_IF(counts.rejected && !(counts.added || counts.already || counts.failed), error,
               PS_CORRUPT, "nothing could be imported: all %lld lines were rejected",
               (long long)counts.rejected);
    return PS_OK;
}

const struct ps_command ps_command_traces_import = {
    .name = "traces import",
    .synopsis = "STORE FILE...",
    .help = "take in replies from JSON lines: messages, ShareGPT, prompt/completion, batches",
    .details =
        "Each line is a trace: {\"messages\": [...]}, {\"conversations\": [{\"from\", "
        "\"value\"}, ...]},\n{\"prompt\", \"completion\"}, or a result of OpenAI's batch API "
        "(with --requests). Reasoning\nstands within the reply between <think> and </think>, or "
        "beside it as reasoning_content.\nOptional keys: gold, dataset (NAME or NAME/SPLIT), id, "
        "model, finish_reason. Files may be\npacked (.gz, .zst).\n\nEach line is a further sample "
        "of its prompt, also where two texts are equal. A file that was\nimported before adds "
        "nothing; one that has changed is another file. Lines that cannot be\nread are listed "
        "and counted, and the rest goes on: exit code 0, or 1 if no line could be\nimported.",
    .tables = {&table},
    .minimum_arguments = 2,
    .maximum_arguments = SIZE_MAX,
    .run = run,
};
