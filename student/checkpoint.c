#include "student/checkpoint.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "tensor/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1, KEPT = 2, FOLDER_SIZE = 4096, PATH_SIZE = FOLDER_SIZE + 32 };
static const char state_name[] = "state.safetensors";

/* ---- saving ---- */

/* A vector goes between device and file in pieces of this many bytes. */
enum { PIECE = 4 << 20 };

static enum ps_status write_vector(struct ps_safetensors_writer *writer,
                                   const struct ps_checkpoint *checkpoint, const void *vector,
                                   enum ps_dtype dtype, char *piece, struct ps_error *error) {
    uint64_t bytes = checkpoint->parameters * ps_dtype_size(dtype);
    for (uint64_t done = 0; done < bytes; done += PIECE) {
        size_t n = bytes - done < PIECE ? (size_t)(bytes - done) : PIECE;
        checkpoint->compute->memory.download(checkpoint->stream, piece, (const char *)vector + done,
                                             n);
        PS_TRY(checkpoint->compute->memory.synchronize(checkpoint->stream, error));
        PS_TRY(ps_safetensors_writer_write(writer, piece, n, error));
    }
    return PS_OK;
}

static enum ps_status save_state(const char *path, const struct ps_checkpoint *checkpoint,
                                 struct ps_error *error) {
    enum ps_dtype moments = checkpoint->moments;
    struct ps_shape shape = ps_shape_1(checkpoint->parameters);
    const struct ps_safetensors_tensor tensors[] = {
        {.name = "master", .dtype = PS_DTYPE_F32, .shape = shape},
        {.name = "m", .dtype = moments, .shape = shape},
        {.name = "v", .dtype = moments, .shape = shape},
    };
    struct ps_safetensors_writer *writer = NULL;
    char *piece = ps_malloc(PIECE);
    PS_FAIL_IF_NULL(piece, error);
    enum ps_status status = ps_safetensors_writer_begin(&writer, path, tensors, 3, error);
    if (status == PS_OK)
        status = write_vector(writer, checkpoint, checkpoint->master, PS_DTYPE_F32, piece, error);
    if (status == PS_OK)
        status = write_vector(writer, checkpoint, checkpoint->first_moment, moments, piece, error);
    if (status == PS_OK)
        status = write_vector(writer, checkpoint, checkpoint->second_moment, moments, piece, error);
    ps_free(piece);
    if (status == PS_OK) return ps_safetensors_writer_commit(writer, error);
    ps_safetensors_writer_abort(writer);
    return status;
}

static enum ps_status save_manifest(const char *folder, const struct ps_checkpoint *checkpoint,
                                    struct ps_error *error) {
    char path[PATH_SIZE], hex[PS_HASH_HEX_SIZE];
    struct ps_hash hash;
    snprintf(path, sizeof path, "%s/%s", folder, state_name);
    PS_TRY(ps_hash_file(path, &hash, error));

    struct ps_buffer text;
    struct ps_json_writer writer;
    ps_buffer_init(&text, 1 << 16);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_begin_object(&writer);
    ps_json_put_integer(&writer, "format", FORMAT);
    ps_json_put_string(&writer, "job", checkpoint->job);
    ps_json_put_integer(&writer, "step", checkpoint->step);
    ps_json_put_integer(&writer, "seen_tokens", checkpoint->seen_tokens);
    ps_json_put_number(&writer, "loss", checkpoint->loss);
    ps_json_put_integer(&writer, "validated_step", checkpoint->validated_step);
    ps_json_put_number(&writer, "validation_loss", checkpoint->validation_loss);
    ps_json_put_integer(&writer, "best_step", checkpoint->best_step);
    ps_json_put_number(&writer, "best_loss", checkpoint->best_loss);
    ps_json_put_string(&writer, "sha256", ps_hash_hex(&hash, hex));
    ps_json_write_end_object(&writer);
    enum ps_status status = ps_json_writer_end(&writer, error);
    snprintf(path, sizeof path, "%s/manifest.json", folder);
    if (status == PS_OK) status = ps_file_write_atomic(path, text.data, text.size, error);
    ps_buffer_release(&text);
    return status;
}

/* Steps of the checkpoints in a folder, newest first; *steps is the caller's to free. */
static int newest_first(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static enum ps_status list_steps(const char *folder, int64_t **steps, size_t *count,
                                 struct ps_error *error) {
    *steps = NULL;
    *count = 0;
    DIR *directory = opendir(folder);
    if (!directory && errno == ENOENT) return PS_OK;
    if (!directory) return ps_error_errno(error, errno, "%s", folder);
    enum ps_status status = PS_OK;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char *end;
        if (strncmp(entry->d_name, "step-", 5) != 0) continue;
        int64_t step = strtoll(entry->d_name + 5, &end, 10);
        if (*end || end == entry->d_name + 5 || step <= 0) continue;
        int64_t *more = ps_realloc(*steps, (*count + 1) * sizeof **steps);
        if (!more) {
            status = ps_error_set(error, PS_MEMORY, "out of memory");
            break;
        }
        *steps = more;
        more[(*count)++] = step;
    }
    closedir(directory);
    if (*count) qsort(*steps, *count, sizeof **steps, newest_first);
    return status;
}

/* All but `step` and the newest before it. */
static enum ps_status remove_others(const char *folder, int64_t step, struct ps_error *error) {
    int64_t *steps;
    size_t count;
    enum ps_status status = list_steps(folder, &steps, &count, error);
    for (size_t i = 0, kept = 0; status == PS_OK && i < count; i++) {
        char path[PATH_SIZE];
        if (steps[i] <= step && kept++ < KEPT) continue;
        snprintf(path, sizeof path, "%s/step-%08" PRId64, folder, steps[i]);
        status = ps_path_remove(path, error);
    }
    ps_free(steps);
    return status;
}

/* What a run that was killed left of checkpoints it was writing. */
static enum ps_status remove_unfinished(const char *folder, struct ps_error *error) {
    DIR *directory = opendir(folder);
    if (!directory && errno == ENOENT) return PS_OK;
    if (!directory) return ps_error_errno(error, errno, "%s", folder);
    enum ps_status status = PS_OK;
    for (struct dirent *entry; status == PS_OK && (entry = readdir(directory));) {
        char path[PATH_SIZE + NAME_MAX];
        size_t size = strlen(entry->d_name);
        if (strncmp(entry->d_name, "step-", 5) != 0) continue;
        if (size < 9 || strcmp(entry->d_name + size - 4, ".tmp") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        status = ps_path_remove(path, error);
    }
    closedir(directory);
    return status;
}

enum ps_status ps_checkpoint_save(const char *folder, const struct ps_checkpoint *checkpoint,
                                  struct ps_error *error) {
    char final[FOLDER_SIZE], temporary[FOLDER_SIZE], state[PATH_SIZE];
    PS_FAIL_IF(strlen(folder) > FOLDER_SIZE - 64, error, PS_ARGUMENT, "%s: path too long", folder);
    snprintf(final, sizeof final, "%s/step-%08" PRId64, folder, checkpoint->step);
    snprintf(temporary, sizeof temporary, "%s/step-%08" PRId64 ".tmp", folder, checkpoint->step);
    snprintf(state, sizeof state, "%s/%s", temporary, state_name);
    PS_TRY(remove_unfinished(folder, error));
    PS_TRY(ps_directory_create(temporary, error));
    enum ps_status status = save_state(state, checkpoint, error);
    if (status == PS_OK) status = save_manifest(temporary, checkpoint, error);
    /* A run that went back to an older checkpoint replaces those after it. */
    if (status == PS_OK) status = ps_directory_commit(temporary, final, error);
    if (status == PS_OK) return remove_others(folder, checkpoint->step, error);
    ps_path_remove(temporary, NULL);
    return status;
}

/* ---- loading ---- */

static enum ps_status read_manifest(const char *folder, struct ps_checkpoint *checkpoint,
                                    char sha256[PS_HASH_HEX_SIZE], bool *other_job,
                                    struct ps_error *error) {
    char path[PATH_SIZE];
    json_t *manifest;
    int64_t format;
    const char *job, *hash;
    snprintf(path, sizeof path, "%s/manifest.json", folder);
    PS_TRY(ps_json_read_file(path, 1 << 16, &manifest, error));
    enum ps_status status;
    PS_TRY_DONE(ps_json_integer(manifest, "format", FORMAT, FORMAT, &format, error));
    PS_TRY_DONE(ps_json_string(manifest, "job", &job, error));
    PS_TRY_DONE(ps_json_integer(manifest, "step", 1, INT64_MAX, &checkpoint->step, error));
    PS_TRY_DONE(
        ps_json_integer(manifest, "seen_tokens", 0, INT64_MAX, &checkpoint->seen_tokens, error));
    PS_TRY_DONE(
        ps_json_integer(manifest, "best_step", 0, INT64_MAX, &checkpoint->best_step, error));
    PS_TRY_DONE(ps_json_number_or(manifest, "loss", NAN, &checkpoint->loss, error));
    PS_TRY_DONE(ps_json_integer(manifest, "validated_step", 0, INT64_MAX,
                                &checkpoint->validated_step, error));
    PS_TRY_DONE(
        ps_json_number_or(manifest, "validation_loss", NAN, &checkpoint->validation_loss, error));
    PS_TRY_DONE(ps_json_number_or(manifest, "best_loss", INFINITY, &checkpoint->best_loss, error));
    PS_TRY_DONE(ps_json_string(manifest, "sha256", &hash, error));
    snprintf(sha256, PS_HASH_HEX_SIZE, "%s", hash);
    *other_job = strcmp(job, checkpoint->job) != 0;
done:
    json_decref(manifest);
    return status == PS_OK ? PS_OK : ps_error_prefix(error, "%s", path);
}

/* All are looked at before the first is touched. */
static enum ps_status read_vectors(const struct ps_safetensors *file,
                                   const struct ps_checkpoint *checkpoint, struct ps_error *error) {
    const struct {
        const char *name;
        enum ps_dtype dtype;
        void *to;
    } vectors[] = {{"master", PS_DTYPE_F32, checkpoint->master},
                   {"m", checkpoint->moments, checkpoint->first_moment},
                   {"v", checkpoint->moments, checkpoint->second_moment}};
    const struct ps_safetensors_tensor *tensors[3];
    struct ps_shape shape = ps_shape_1(checkpoint->parameters);
    for (int i = 0; i < 3; i++) {
        tensors[i] = ps_safetensors_find(file, vectors[i].name);
        PS_FAIL_IF(!tensors[i] || tensors[i]->dtype != vectors[i].dtype ||
                       !ps_shape_equal(&tensors[i]->shape, &shape),
                   error, PS_CORRUPT, "'%s' is not what this run saves", vectors[i].name);
    }
    for (int i = 0; i < 3; i++)
        checkpoint->compute->memory.upload(checkpoint->stream, vectors[i].to, tensors[i]->data,
                                           tensors[i]->size);
    return checkpoint->compute->memory.synchronize(checkpoint->stream, error);
}

static enum ps_status read_checkpoint(const char *folder, struct ps_checkpoint *checkpoint,
                                      bool *other_job, struct ps_error *error) {
    char path[PATH_SIZE], expected[PS_HASH_HEX_SIZE], found[PS_HASH_HEX_SIZE];
    struct ps_hash hash;
    struct ps_safetensors *file;
    PS_TRY(read_manifest(folder, checkpoint, expected, other_job, error));
    if (*other_job) return PS_OK;
    snprintf(path, sizeof path, "%s/%s", folder, state_name);
    PS_TRY(ps_hash_file(path, &hash, error));
    PS_FAIL_IF(strcmp(ps_hash_hex(&hash, found), expected) != 0, error, PS_CORRUPT,
               "%s: its bytes are not those that were written", path);
    PS_TRY(ps_safetensors_open(&file, path, error));
    enum ps_status status = read_vectors(file, checkpoint, error);
    ps_safetensors_close(file);
    return status == PS_OK ? PS_OK : ps_error_prefix(error, "%s", path);
}

enum ps_status ps_checkpoint_load(const char *folder, int64_t latest,
                                  struct ps_checkpoint *checkpoint, char *note, size_t note_size,
                                  struct ps_error *error) {
    int64_t *steps;
    size_t count;
    note[0] = 0;
    PS_FAIL_IF(strlen(folder) > FOLDER_SIZE - 64, error, PS_ARGUMENT, "%s: path too long", folder);
    enum ps_status status = list_steps(folder, &steps, &count, error);
    size_t i = 0;
    for (; status == PS_OK && i < count; i++) {
        char path[FOLDER_SIZE];
        bool other_job = false;
        struct ps_error damage;
        if (steps[i] > latest) continue;
        snprintf(path, sizeof path, "%s/step-%08" PRId64, folder, steps[i]);
        enum ps_status found = read_checkpoint(path, checkpoint, &other_job, &damage);
        if (other_job) {
            status =
                ps_error_set(error, PS_ARGUMENT,
                             "%s: belongs to a run with other settings, data or model; move it "
                             "away to start anew",
                             path);
            break;
        }
        if (found == PS_OK) break;
        if (found == PS_MEMORY) status = ps_error_set(error, found, "%s", damage.message);
        snprintf(note, note_size, "passed over a damaged checkpoint: %s", damage.message);
    }
    if (i == count) {
        checkpoint->step = checkpoint->seen_tokens = 0;
        checkpoint->validated_step = checkpoint->best_step = 0;
        checkpoint->loss = checkpoint->validation_loss = NAN;
        checkpoint->best_loss = INFINITY;
    }
    ps_free(steps);
    return status;
}
