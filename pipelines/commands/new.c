/* potstill new: a commented pipeline to start from. */
#include "pipelines/commands/commands_internal.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

struct new_flags {
    const char *teacher, *teacher_name, *student, *dataset;
};
#define AT(member) offsetof(struct new_flags, member)
static const struct ps_setting items[] = {
    {"teacher", PS_SETTING_STRING, AT(teacher), .required = true, .argument = "MODEL",
     .help = "the model to learn from: a Hugging Face folder or the URL of a server"},
    {"teacher_name", PS_SETTING_STRING, AT(teacher_name),
     .help = "the name a served teacher answers to"},
    {"student", PS_SETTING_STRING, AT(student), .required = true, .argument = "FOLDER",
     .help = "the model to train: a Hugging Face folder"},
    {"dataset", PS_SETTING_STRING, AT(dataset), "gsm8k/train", .help = "the questions"},
};
static const struct ps_settings_table new_table =
    PS_SETTINGS_TABLE("new", "Options of new.", items, struct new_flags);

/* JSON strings are YAML strings, whatever the path holds. */
static bool quote(const char *text, struct ps_buffer *buffer) {
    struct ps_json_writer writer;
    ps_json_writer_begin(&writer, buffer);
    ps_json_write_string(&writer, text);
    return ps_json_writer_end(&writer, NULL) == PS_OK;
}

/* The file's name without folders and ending, as far as a run directory may be called so. */
static void pipeline_name(const char *path, char name[81]) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t size = strcspn(base, "."), length = 0;
    for (size_t i = 0; i < size && length < 80; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", base[i]) &&
            (length > 0 || (base[i] != '-' && base[i] != '_')))
            name[length++] = base[i];
    if (length == 0) name[length++] = 'p';
    name[length] = 0;
}

static bool write_pipeline(const struct new_flags *flags, const char *name,
                           struct ps_buffer *text) {
    bool served = strstr(flags->teacher, "://") != NULL;
    bool fits = ps_buffer_format(
        text,
        "# potstill check FILE    shows what the models will see\n"
        "# potstill plan FILE     what would run and what it costs\n"
        "# potstill run FILE      does it; the same command goes on after a stop\n"
        "potstill: 1\n"
        "name: %s                   # results lie in runs/%s\n"
        "seed: 17\n"
        "store: traces/%s.db        # every trace ever sampled; pipelines can share one\n"
        "prompts:\n"
        "  boxed: {user: \"{question}\\n\\nReason step by step, and put the final answer within "
        "\\\\boxed{}.\"}\n"
        "models:\n"
        "  teacher: {%s: ",
        name, name, name, served ? "url" : "path");
    fits = fits && quote(flags->teacher, text);
    if (served) fits = fits && ps_buffer_puts(text, ", name: ") && quote(flags->teacher_name, text);
    fits = fits && ps_buffer_puts(text, "}\n  base: {path: ") && quote(flags->student, text);
    fits = fits && ps_buffer_puts(text, "}\ndatasets:\n  train: {mix: {");
    fits = fits && quote(flags->dataset, text);
    return fits &&
           ps_buffer_puts(
               text,
               ": 1}, decontaminate: [gsm8k/test, math500]}\n"
               "  dev: {from: train, sample: 200}      # taken out of train\n"
               "stages:\n"
               "  # Four replies to each question; asking for more later samples only the rest.\n"
               "  - sample: {models: [teacher], dataset: train, prompt: boxed, samples: 4, "
               "temperature: 0.6, top_p: 0.95, max_tokens: 4096}\n"
               "  - grade: {}\n"
               "  # What the student learns from: correct replies, two of a question.\n"
               "  - select: {keep: correct, per_question: 2, prefer: shortest}\n"
               "  - train: {id: student, model: base, epochs: 3, lr: 1e-5}\n"
               "  - evaluate: {models: [teacher, base, student], prompt: boxed, "
               "datasets: {gsm8k/test: 1, math500: 4}, max_tokens: 4096}\n"
               "  - report: {}\n");
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const struct new_flags *flags = call->settings[0].values;
    const char *path = call->arguments.items[0];
    struct ps_buffer text;
    char name[81];
    PS_TRY(ps_settings_require(call->settings, 1, "new", error));
    PS_FAIL_IF(strstr(flags->teacher, "://") && !flags->teacher_name, error, PS_ARGUMENT,
               "a served teacher wants --teacher-name, the name it answers to");
    PS_FAIL_IF(ps_file_exists(path) || ps_directory_exists(path), error, PS_ARGUMENT,
               "%s exists; choose another name", path);
    pipeline_name(path, name);
    ps_buffer_init(&text, 1 << 20);
    enum ps_status status = write_pipeline(flags, name, &text)
                                ? ps_file_write_atomic(path, text.data, text.size, error)
                                : ps_error_set(error, PS_MEMORY, "out of memory");
    ps_buffer_release(&text);
    if (status == PS_OK && call->json) {
        puts("{\"written\":true}");
    } else if (status == PS_OK) {
        printf("%s is written; look at it, then: potstill check %s\n", path, path);
    }
    return status;
}

const struct ps_command ps_command_new = {
    .name = "new",
    .synopsis = "FILE --teacher MODEL --student FOLDER",
    .help = "write a commented pipeline to start from",
    .tables = {&new_table},
    .minimum_arguments = 1,
    .maximum_arguments = 1,
    .run = run,
};
