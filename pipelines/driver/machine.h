#pragma once
/* The machine a run is on: for run.json, which says what a result was made with, and `doctor`. */

#include "base/json.h"
#include "base/status.h"
#include "compute/cpu/cpu.h"

enum { PS_MACHINE_LIBRARIES = 8 };

struct ps_machine {
    char host[128], system[192], processor[128];
    long processors;            /* online */
    double memory, free_memory; /* GB */
    struct ps_cpu_choice choice;
    char why[256]; /* that choice, in words */
    char pcre2[64];
    struct ps_machine_library {
        const char *name, *version;
    } libraries[PS_MACHINE_LIBRARIES];
};

/* Chooses kernels by measurement, which takes some milliseconds. */
enum ps_status ps_machine_examine(struct ps_machine *machine, struct ps_error *error);

/* Members of an open object: "host", "system", "processor", "processors", "memory_gb", "kernels",
 * "kernels_because", "libraries": {name: version}. */
void ps_machine_write(const struct ps_machine *machine, struct ps_json_writer *writer);
