#include "pipelines/driver/machine.h"

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

static void find_processor(char *name, size_t size) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(name, size, "unknown processor");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon || colon[1] != ' ') continue;
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

enum ps_status ps_machine_examine(struct ps_machine *machine, struct ps_error *error) {
    struct utsname name;
    *machine = (struct ps_machine){.processors = sysconf(_SC_NPROCESSORS_ONLN)};
    find_processor(machine->processor, sizeof machine->processor);
    if (uname(&name) == 0) {
        snprintf(machine->host, sizeof machine->host, "%.120s", name.nodename);
        snprintf(machine->system, sizeof machine->system, "%.40s %.100s %.40s", name.sysname,
                 name.release, name.machine);
    }
    double page = (double)sysconf(_SC_PAGESIZE) / 1e9;
    machine->memory = page * (double)sysconf(_SC_PHYS_PAGES);
    machine->free_memory = page * (double)sysconf(_SC_AVPHYS_PAGES);
    char version[64] = "", unicode[64] = ""; /* PCRE2 writes at most 24 bytes to each */
    pcre2_config(PCRE2_CONFIG_VERSION, version);
    pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, unicode);
    snprintf(machine->pcre2, sizeof machine->pcre2, "%.30s (Unicode %.20s)", version, unicode);
    const struct ps_machine_library libraries[PS_MACHINE_LIBRARIES] = {
        {"zstd", ZSTD_versionString()},
        {"SQLite", sqlite3_libversion()},
        {"jansson", jansson_version_str()},
        {"libfyaml", fy_library_version()},
        {"PCRE2", machine->pcre2},
        {"utf8proc", utf8proc_version()},
        {"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)},
        {"GMP", gmp_version},
    };
    memcpy(machine->libraries, libraries, sizeof libraries);
    PS_TRY(ps_cpu_choose(&machine->choice, error));
    explain_choice(&machine->choice, machine->why, sizeof machine->why);
    return PS_OK;
}

void ps_machine_write(const struct ps_machine *machine, struct ps_json_writer *writer) {
    ps_json_put_string(writer, "host", machine->host);
    ps_json_put_string(writer, "system", machine->system);
    ps_json_put_string(writer, "processor", machine->processor);
    ps_json_put_integer(writer, "processors", machine->processors);
    ps_json_put_number(writer, "memory_gb", machine->memory);
    ps_json_put_string(writer, "kernels", machine->choice.family);
    ps_json_put_string(writer, "kernels_because", machine->why);
    ps_json_write_key(writer, "libraries");
    ps_json_write_begin_object(writer);
    for (int i = 0; i < PS_MACHINE_LIBRARIES; i++)
        ps_json_put_string(writer, machine->libraries[i].name, machine->libraries[i].version);
    ps_json_write_end_object(writer);
}
