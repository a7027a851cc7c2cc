/* potstill traces merge: adds the traces of other stores to one. */
#include "pipelines/commands/traces_internal.h"

#include <stdio.h>
#include <sys/stat.h>

/* Both sides of a conflict, on stderr: people decide by it whether the stores fit together. */
static void print_conflict(void *context, const struct ps_store_merge_conflict *conflict) {
    const struct ps_store_trace *ours = conflict->ours, *theirs = conflict->theirs;
    fprintf(stderr,
            "%s: trace %lld (sample %lld; %s, %lld tokens) is another one here than in the store "
            "merged (%s, %lld tokens): %s\n",
            (const char *)context, (long long)ours->id, (long long)ours->key.sample,
            ps_store_finish_name(ours->finish), (long long)ours->output_tokens,
            ps_store_finish_name(theirs->finish), (long long)theirs->output_tokens,
            conflict->took_theirs ? "took that one" : "kept this one");
}

static bool same_file(const char *a, const char *b) {
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static enum ps_status merge(struct ps_store *store, const char *path, const char *other_path,
                            struct ps_store_merge_counts *counts, struct ps_error *error) {
    struct ps_store_merge_report report = {.conflict = print_conflict, .context = (void *)path};
    struct ps_store *other;
    PS_FAIL_IF(same_file(path, other_path), error, PS_ARGUMENT,
               "%s: a store cannot be merged into "
               "itself",
               other_path);
    PS_TRY(ps_store_open(&other, other_path, PS_STORE_READ, error));
    enum ps_status status = ps_store_merge(store, other, &report, counts, error);
    ps_store_close(other);
    return status;
}

static void print(const char *path, const struct ps_store_merge_counts *counts, bool as_json) {
    if (!as_json) printf("%s: ", path);
    printf(as_json ? "{\"added\":%lld,\"same\":%lld,\"conflicts\":%lld,\"replaced\":%lld,"
                     "\"items\":%lld,\"verdicts\":%lld,\"golds\":%lld}\n"
                   : "%lld traces added, %lld were here already, %lld differ (%lld taken); %lld "
                     "items and %lld verdicts added; %lld golds differ and stay\n",
           (long long)counts->added, (long long)counts->same, (long long)counts->conflicts,
           (long long)counts->replaced, (long long)counts->items, (long long)counts->verdicts,
           (long long)counts->golds);
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    const char *path = call->arguments.items[0];
    struct ps_store_merge_counts counts;
    struct ps_store *store;
    PS_TRY(ps_store_open(&store, path, PS_STORE_CREATE, error));
    enum ps_status status = PS_OK;
    for (size_t i = 1; i < call->arguments.count && status == PS_OK; i++) {
        const char *other = call->arguments.items[i];
        status = merge(store, path, other, &counts, error);
        if (status == PS_OK) print(other, &counts, call->json);
    }
    ps_store_close(store);
    return status;
}

const struct ps_command ps_command_traces_merge = {
    .name = "traces merge",
    .synopsis = "STORE OTHER...",
    .help = "add the traces of other stores, which stay as they are",
    .details = "Traces are told apart by prompt, source, sampler and sample. Where two differ, one "
               "that stopped\nbeats one that was cut, then more tokens win, then the smaller "
               "digest; each such pair is reported.\nSTORE is made if it is not there. A merge "
               "that was interrupted is finished by running it again.",
    .minimum_arguments = 2,
    .maximum_arguments = SIZE_MAX,
    .run = run,
};
