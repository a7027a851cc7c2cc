/* potstill doctor: the machine, which kernels run on it and why, and the libraries. */
#include "pipelines/commands/commands_internal.h"

#include "pipelines/driver/machine.h"

#include <stdio.h>

struct report {
    struct ps_machine machine;
    struct ps_compute *compute;
    struct ps_strings fallbacks;
    const char *names[64];
};

enum { MOST_FALLBACKS = sizeof((struct report *)0)->names / sizeof(char *) };

/* What the cpu backend leaves to the reference by format or shape, in operations it otherwise has.
 */
static const char *const partial[] = {
    "linear layers with FP8 weights",
    "attention over an FP8 cache",
    "attention with values in the keys (MLA)",
};

enum { PARTIAL = sizeof partial / sizeof *partial };

static void add_fallback(void *context, const char *operation) {
    struct report *report = context;
    if (report->fallbacks.count < MOST_FALLBACKS)
        report->names[report->fallbacks.count++] = operation;
}

static enum ps_status examine(struct report *report, struct ps_error *error) {
    PS_TRY(ps_machine_examine(&report->machine, error));
    PS_TRY(ps_compute_open("cpu", 0, &report->compute, error));
    report->fallbacks.items = report->names;
    ps_compute_fallbacks(report->compute, add_fallback, report);
    return PS_OK;
}

static void print_text(const struct report *report) {
    const struct ps_machine *machine = &report->machine;
    printf("potstill    %s\n", PS_VERSION);
    printf("system      %s\n", machine->system);
    printf("processor   %s, %ld cores online\n", machine->processor, machine->processors);
    printf("memory      %.1f GB, %.1f GB free\n", machine->memory, machine->free_memory);
    printf("backend     cpu, %d threads; CUDA and MPI are not built\n", report->compute->threads);
    printf("kernels     %s (%s)\n", machine->choice.family, machine->why);
    printf("libraries  ");
    for (int i = 0; i < PS_MACHINE_LIBRARIES; i++)
        printf("%s %s %s", i ? "," : "", machine->libraries[i].name, machine->libraries[i].version);
    puts("\n\nLeft to the slow reference:");
    for (size_t i = 0; i < report->fallbacks.count; i++) printf("  %s\n", report->names[i]);
    for (int i = 0; i < PARTIAL; i++) printf("  %s\n", partial[i]);
}

static enum ps_status print_json(const struct report *report, struct ps_error *error) {
    struct ps_buffer buffer;
    struct ps_json_writer json;
    ps_buffer_init(&buffer, SIZE_MAX / 2);
    ps_json_writer_begin(&json, &buffer);
    ps_json_write_begin_object(&json);
    ps_json_put_string(&json, "version", PS_VERSION);
    ps_machine_write(&report->machine, &json);
    ps_json_put_number(&json, "free_memory_gb", report->machine.free_memory);
    ps_json_put_string(&json, "backend", report->compute->name);
    ps_json_put_integer(&json, "threads", report->compute->threads);
    ps_json_write_key(&json, "fallbacks");
    ps_json_write_begin_array(&json);
    for (size_t i = 0; i < report->fallbacks.count; i++)
        ps_json_write_string(&json, report->names[i]);
    for (int i = 0; i < PARTIAL; i++) ps_json_write_string(&json, partial[i]);
    ps_json_write_end_array(&json);
    ps_json_write_end_object(&json);
    enum ps_status status = ps_json_writer_end(&json, error);
    if (status == PS_OK) puts(buffer.data);
    ps_buffer_release(&buffer);
    return status;
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct report report = {0};
    enum ps_status status = examine(&report, error);
    if (status == PS_OK && call->json)
        status = print_json(&report, error);
    else if (status == PS_OK)
        print_text(&report);
    ps_compute_close(report.compute);
    return status;
}

const struct ps_command ps_command_doctor = {
    .name = "doctor",
    .synopsis = "",
    .help = "the machine, its libraries, which kernels will be used, and what is missing",
    .run = run,
};
