/* The weights of a Hugging Face model folder. A large model is cut into shards; the index says in
 * which one each tensor is:
 *
 *     {"metadata": {...}, "weight_map": {"name": "model-00001-of-00002.safetensors", ...}}
 *
 * The shards' names come from the file, so they may not leave the folder. */
#include "tensor/safetensors.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdlib.h>

enum { INDEX_LIMIT = 100000000 }; /* bytes */

struct shard {
    const char *name;
    struct ps_safetensors *file;
};

struct ps_safetensors_folder {
    struct ps_arena arena;
    struct shard *shards;
    size_t shard_count;
    const struct ps_safetensors_tensor **tensors; /* [count], by name */
    size_t count;
};

static int compare_names(const void *a, const void *b) {
    const struct ps_safetensors_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int compare_shards(const void *a, const void *b) {
    const struct shard *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static struct shard *find_shard(const struct ps_safetensors_folder *folder, const char *name) {
    struct shard key = {.name = name};
    return bsearch(&key, folder->shards, folder->shard_count, sizeof *folder->shards,
                   compare_shards);
}

/* The different shard names of the index, sorted, each opened. */
static enum ps_status open_shards(struct ps_safetensors_folder *folder, const char *path,
                                  const char *index, json_t *map, struct ps_error *error) {
    size_t count = json_object_size(map), used = 0;
    folder->shards = ps_arena_array(&folder->arena, count, sizeof *folder->shards);
    PS_FAIL_IF_NULL(folder->shards, error);
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value) {
        const char *shard = json_string_value(value);
        PS_FAIL_IF(!shard || !shard[0] || shard[0] == '.' || strchr(shard, '/'), error, PS_FORMAT,
                   "%s: the shard of tensor %s is not a plain file name", index, name);
        folder->shards[used++].name = shard;
    }
    qsort(folder->shards, used, sizeof *folder->shards, compare_shards);
    for (size_t i = 0; i < used; i++) {
        if (folder->shard_count > 0 &&
            strcmp(folder->shards[folder->shard_count - 1].name, folder->shards[i].name) == 0)
            continue;
        folder->shards[folder->shard_count++] = folder->shards[i];
    }
    for (size_t i = 0; i < folder->shard_count; i++) {
        char *file = ps_path_join(&folder->arena, path, folder->shards[i].name);
        PS_FAIL_IF_NULL(file, error);
        PS_TRY(ps_safetensors_open(&folder->shards[i].file, file, error));
    }
    return PS_OK;
}

static enum ps_status read_map(struct ps_safetensors_folder *folder, const char *path,
                               const char *index, json_t *map, struct ps_error *error) {
    PS_FAIL_IF(!json_is_object(map) || json_object_size(map) == 0, error, PS_FORMAT,
               "%s: no weight_map", index);
    PS_TRY(open_shards(folder, path, index, map, error));
    folder->tensors =
        ps_arena_array(&folder->arena, json_object_size(map), sizeof *folder->tensors);
    PS_FAIL_IF_NULL(folder->tensors, error);
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value) {
        const struct shard *shard = find_shard(folder, json_string_value(value));
        const struct ps_safetensors_tensor *tensor = ps_safetensors_find(shard->file, name);
        PS_FAIL_IF(!tensor, error, PS_FORMAT, "%s: tensor %s is not in %s", index, name,
                   shard->name);
        folder->tensors[folder->count++] = tensor;
    }
    qsort(folder->tensors, folder->count, sizeof *folder->tensors, compare_names);
    return PS_OK;
}

static enum ps_status open_index(struct ps_safetensors_folder *folder, const char *path,
                                 const char *index, struct ps_error *error) {
    json_t *root;
    PS_TRY(ps_json_read_file(index, INDEX_LIMIT, &root, error));
    enum ps_status status = read_map(folder, path, index, ps_json_get(root, "weight_map"), error);
    for (size_t i = 0; i < folder->shard_count; i++)
        folder->shards[i].name = NULL; /* belonged to the JSON tree */
    json_decref(root);
    return status;
}

static enum ps_status open_single(struct ps_safetensors_folder *folder, const char *path,
                                  struct ps_error *error) {
    folder->shards = ps_arena_array(&folder->arena, 1, sizeof *folder->shards);
    PS_FAIL_IF_NULL(folder->shards, error);
    PS_TRY(ps_safetensors_open(&folder->shards[0].file, path, error));
    folder->shard_count = 1;
    struct ps_safetensors *file = folder->shards[0].file;
    folder->count = ps_safetensors_count(file);
    folder->tensors = ps_arena_array(&folder->arena, folder->count, sizeof *folder->tensors);
    PS_FAIL_IF_NULL(folder->tensors, error);
    for (size_t i = 0; i < folder->count; i++) folder->tensors[i] = ps_safetensors_at(file, i);
    if (folder->count > 0)
        qsort(folder->tensors, folder->count, sizeof *folder->tensors, compare_names);
    return PS_OK;
}

enum ps_status ps_safetensors_folder_open(struct ps_safetensors_folder **result, const char *path,
                                          struct ps_error *error) {
    *result = NULL;
    PS_FAIL_IF(!ps_directory_exists(path), error, PS_NOT_FOUND, "%s: no such folder", path);
    struct ps_safetensors_folder *folder = ps_calloc(1, sizeof *folder);
    PS_FAIL_IF_NULL(folder, error);
    ps_arena_init(&folder->arena, SIZE_MAX); /* bounded by the size of the index */
    enum ps_status status;
    char *single = ps_path_join(&folder->arena, path, "model.safetensors");
    char *index = ps_path_join(&folder->arena, path, "model.safetensors.index.json");
    PS_FAIL_DONE_IF_NULL(single && index, error);
    if (ps_file_exists(single))
        PS_TRY_DONE(open_single(folder, single, error));
    else if (ps_file_exists(index))
        PS_TRY_DONE(open_index(folder, path, index, error));
    else
        PS_FAIL_DONE_IF(true, error, PS_NOT_FOUND,
                        "%s: neither model.safetensors nor model.safetensors.index.json is there",
                        path);
    *result = folder;
    return PS_OK;
done:
    ps_safetensors_folder_close(folder);
    return status;
}

void ps_safetensors_folder_close(struct ps_safetensors_folder *folder) {
    if (!folder) return;
    for (size_t i = 0; i < folder->shard_count; i++) ps_safetensors_close(folder->shards[i].file);
    ps_arena_release(&folder->arena);
    ps_free(folder);
}

size_t ps_safetensors_folder_count(const struct ps_safetensors_folder *folder) {
    return folder->count;
}

const struct ps_safetensors_tensor *
ps_safetensors_folder_at(const struct ps_safetensors_folder *folder, size_t index) {
    return folder->tensors[index];
}

const struct ps_safetensors_tensor *
ps_safetensors_folder_find(const struct ps_safetensors_folder *folder, const char *name) {
    const struct ps_safetensors_tensor key = {.name = name}, *wanted = &key;
    if (folder->count == 0) return NULL;
    const struct ps_safetensors_tensor **found =
        bsearch(&wanted, folder->tensors, folder->count, sizeof *folder->tensors, compare_names);
    return found ? *found : NULL;
}
