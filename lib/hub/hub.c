#include "hub/hub.h"

#include "base/file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The folder of the cache, whether it is there or not. NULL: out of memory. */
static const char *cache_folder(struct ps_arena *arena) {
    static const struct {
        const char *variable, *below;
    } places[] = {
        {"HF_HUB_CACHE", "."},
        {"HF_HOME", "hub"},
        {"XDG_CACHE_HOME", "huggingface/hub"},
        {"HOME", ".cache/huggingface/hub"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = getenv(places[i].variable);
        if (!value || !*value) continue;
        if (i == 0) return ps_arena_strndup(arena, value, strlen(value));
        return ps_path_join(arena, value, places[i].below);
    }
    return ".cache/huggingface/hub";
}

/* Letters, digits, '.', '_' and '-', the first a letter or digit: nothing that leads elsewhere. */
static bool is_part(const char *text, size_t size) {
    if (size == 0 || size > 96 || !isalnum((unsigned char)text[0])) return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i])) return false;
    return true;
}

/* NAME or ORG/NAME, with "--" for the slash; NULL: no id of a model, or out of memory. */
static const char *folder_name(const char *id, struct ps_arena *arena) {
    size_t first = strcspn(id, "/");
    if (!is_part(id, first)) return NULL;
    if (!id[first]) return ps_arena_format(arena, "models--%s", id);
    const char *second = id + first + 1;
    if (!is_part(second, strlen(second))) return NULL;
    return ps_arena_format(arena, "models--%.*s--%s", (int)first, id, second);
}

/* The commit that refs/main names. */
static enum ps_status read_commit(const char *folder, struct ps_arena *arena, const char **commit,
                                  struct ps_error *error) {
    struct ps_buffer text;
    const char *path = ps_path_join(arena, folder, "refs/main");
    PS_FAIL_IF_NULL(path, error);
    ps_buffer_init(&text, 256);
    enum ps_status status = ps_file_read(path, &text, error);
    size_t size = status == PS_OK && text.data ? strcspn(text.data, " \r\n") : 0;
    if (status == PS_OK && !is_part(text.data, size))
        status = ps_error_set(error, PS_FORMAT, "%s: names no commit", path);
    if (status == PS_OK) {
        *commit = ps_arena_strndup(arena, text.data, size);
        if (!*commit) status = ps_error_set(error, PS_MEMORY, "out of memory");
    }
    ps_buffer_release(&text);
    return status;
}

enum ps_status ps_hub_find(const char *name, struct ps_arena *arena, const char **path,
                           struct ps_error *error) {
    *path = name;
    if (ps_file_exists(name) || ps_directory_exists(name)) return PS_OK;
    const char *cache = cache_folder(arena), *entry = folder_name(name, arena), *commit;
    PS_FAIL_IF_NULL(cache, error);
    PS_FAIL_IF(!entry, error, PS_NOT_FOUND, "%s: no such file or folder", name);
    const char *folder = ps_path_join(arena, cache, entry);
    PS_FAIL_IF_NULL(folder, error);
    PS_FAIL_IF(!ps_directory_exists(folder), error, PS_NOT_FOUND,
               "%s: no such file or folder, and the Hugging Face cache %s has no %s", name, cache,
               entry);
    PS_TRY(read_commit(folder, arena, &commit, error));
    *path = ps_arena_format(arena, "%s/snapshots/%s", folder, commit);
    PS_FAIL_IF_NULL(*path, error);
    PS_FAIL_IF(!ps_directory_exists(*path), error, PS_NOT_FOUND,
               "%s: %s is not there; download the model again", name, *path);
    return PS_OK;
}
