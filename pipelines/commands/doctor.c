/* potstill doctor: the machine, which kernels run on it and why, and the libraries. */
#include "pipelines/commands/commands_internal.h"

#include "base/memory.h"
#include "compute/cpu/cpu.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <gmp.h>
#include <jansson.h>
#include <libfyaml.h>
#include <openssl/crypto.h>
#include <pcre2.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <utf8proc.h>
#include <zstd.h>

struct report {
    char processor[128], system[192], why[256], pcre2[64];
    struct ps_cpu_choice choice;
    struct ps_compute *compute;
    double memory, free_memory; /* GB */
    struct ps_strings fallbacks;
    const char *names[64];
};

enum { MOST_FALLBACKS = sizeof((struct report *)0)->names / sizeof(char *) };

struct library {
    const char *name, *version;
};

/* What the cpu backend leaves to the reference by format or shape, in operations it otherwise has.
 */
static const char *const partial[] = {
    "linear layers with FP8 weights",
    "attention over an FP8 cache",
    "attention with values in the keys (MLA)",
};

enum { PARTIAL = sizeof partial / sizeof *partial };

static void find_processor(char *name, size_t size) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(name, size, "unknown processor");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(name, size, "%s", colon + 2);
        break;
    }
    if (file) fclose(file);
}

static void explain_choice(const struct ps_cpu_choice *choice, char *why, size_t size) {
    if (choice->forced)
        snprintf(why, size, "forced by POTSTILL_CPU");
    else if (choice->bf16_rate == 0)
        snprintf(why, size, "the best that this processor has");
    else if (!choice->bf16_exact)
        snprintf(why, size, "the BF16 dot instruction does not give the documented bits here");
    else
        snprintf(why, size, "one core in a small product: BF16 dot %.0f, FMA %.0f GFLOP/s",
                 choice->bf16_rate, choice->fma_rate);
}

static void add_fallback(void *context, const char *operation) {
    struct report *report = context;
    if (report->fallbacks.count < MOST_FALLBACKS)
        report->names[report->fallbacks.count++] = operation;
}

static enum ps_status examine(struct report *report, struct ps_error *error) {
    struct utsname name;
    find_processor(report->processor, sizeof report->processor);
    if (uname(&name) == 0)
        snprintf(report->system, sizeof report->system, "%.40s %.100s %.40s", name.sysname,
                 name.release, name.machine);
    double page = (double)sysconf(_SC_PAGESIZE) / 1e9;
    report->memory = page * (double)sysconf(_SC_PHYS_PAGES);
    report->free_memory = page * (double)sysconf(_SC_AVPHYS_PAGES);
    pcre2_config(PCRE2_CONFIG_VERSION, report->pcre2);
    PS_TRY(ps_cpu_choose(&report->choice, error));
    explain_choice(&report->choice, report->why, sizeof report->why);
    PS_TRY(ps_compute_open("cpu", 0, &report->compute, error));
    report->fallbacks.items = report->names;
    ps_compute_fallbacks(report->compute, add_fallback, report);
    return PS_OK;
}

enum { LIBRARIES = 8 };

static void find_libraries(const struct report *report, struct library libraries[LIBRARIES]) {
    const struct library found[LIBRARIES] = {
        {"zstd", ZSTD_versionString()},
        {"SQLite", sqlite3_libversion()},
        {"jansson", jansson_version_str()},
        {"libfyaml", fy_library_version()},
        {"PCRE2", report->pcre2},
        {"utf8proc", utf8proc_version()},
        {"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)},
        {"GMP", gmp_version},
    };
    memcpy(libraries, found, sizeof found);
}

static void print_text(const struct report *report) {
    struct library libraries[LIBRARIES];
    find_libraries(report, libraries);
    printf("potstill    %s\n", PS_VERSION);
    printf("system      %s\n", report->system);
    printf("processor   %s, %ld cores online\n", report->processor, sysconf(_SC_NPROCESSORS_ONLN));
    printf("memory      %.1f GB, %.1f GB free\n", report->memory, report->free_memory);
    printf("backend     cpu, %d threads; CUDA and MPI are not built\n", report->compute->threads);
    printf("kernels     %s (%s)\n", report->choice.family, report->why);
    printf("libraries  ");
    for (int i = 0; i < LIBRARIES; i++)
        printf(" %s %s%s", libraries[i].name, libraries[i].version, i < LIBRARIES - 1 ? "," : "\n");
    puts("\nLeft to the slow reference:");
    for (size_t i = 0; i < report->fallbacks.count; i++) printf("  %s\n", report->names[i]);
    for (int i = 0; i < PARTIAL; i++) printf("  %s\n", partial[i]);
}

static void string(struct ps_json_writer *json, const char *key, const char *value) {
    ps_json_write_key(json, key);
    ps_json_write_string(json, value);
}

static void number(struct ps_json_writer *json, const char *key, double value) {
    ps_json_write_key(json, key);
    ps_json_write_number(json, value);
}

static enum ps_status print_json(const struct report *report, struct ps_error *error) {
    struct library libraries[LIBRARIES];
    struct ps_buffer buffer;
    struct ps_json_writer json;
    find_libraries(report, libraries);
    ps_buffer_init(&buffer, SIZE_MAX / 2);
    ps_json_writer_begin(&json, &buffer);
    ps_json_write_begin_object(&json);
    string(&json, "version", PS_VERSION);
    string(&json, "system", report->system);
    string(&json, "processor", report->processor);
    number(&json, "memory_gb", report->memory);
    number(&json, "free_memory_gb", report->free_memory);
    string(&json, "backend", report->compute->name);
    number(&json, "threads", report->compute->threads);
    string(&json, "kernels", report->choice.family);
    string(&json, "kernels_because", report->why);
    ps_json_write_key(&json, "libraries");
    ps_json_write_begin_object(&json);
    for (int i = 0; i < LIBRARIES; i++) string(&json, libraries[i].name, libraries[i].version);
    ps_json_write_end_object(&json);
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
