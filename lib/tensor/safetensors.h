#pragma once
/* safetensors files: a checked, memory-mapped reader; whole model folders; an atomic writer.
 *
 * The reader trusts nothing: after a successful open every tensor's bytes lie inside the file,
 * agree with its type and shape, and no byte of the file belongs to two tensors or to none. */

#include "base/status.h"
#include "tensor/tensor.h"

#include <stddef.h>
#include <stdint.h>

struct ps_safetensors_tensor {
    const char *name;
    enum ps_dtype dtype;
    struct ps_shape shape;
    const uint8_t *data; /* not aligned: files by other writers may start anywhere */
    uint64_t size;       /* bytes */
};

/* ---- one file ---- */

struct ps_safetensors; /* everything it hands out lives until close */

enum ps_status ps_safetensors_open(struct ps_safetensors **file, const char *path,
                                   struct ps_error *error);
/* The same on bytes that the caller keeps; label stands for the path in messages. */
enum ps_status ps_safetensors_parse(struct ps_safetensors **file, const uint8_t *data, size_t size,
                                    const char *label, struct ps_error *error);
void ps_safetensors_close(struct ps_safetensors *file); /* NULL is fine */

size_t ps_safetensors_count(const struct ps_safetensors *file);
/* In the order of their offsets. */
const struct ps_safetensors_tensor *ps_safetensors_at(const struct ps_safetensors *file,
                                                      size_t index);
/* NULL: there is none of this name. */
const struct ps_safetensors_tensor *ps_safetensors_find(const struct ps_safetensors *file,
                                                        const char *name);

/* ---- the weights of a model folder ---- */

/* model.safetensors, else the shards that model.safetensors.index.json names. Opening checks that
 * every tensor of the index is in the shard it is said to be in. */
struct ps_safetensors_folder;

enum ps_status ps_safetensors_folder_open(struct ps_safetensors_folder **folder, const char *path,
                                          struct ps_error *error);
void ps_safetensors_folder_close(struct ps_safetensors_folder *folder); /* NULL is fine */
size_t ps_safetensors_folder_count(const struct ps_safetensors_folder *folder);
/* In the order of their names. */
const struct ps_safetensors_tensor *
ps_safetensors_folder_at(const struct ps_safetensors_folder *folder, size_t index);
/* NULL: there is none of this name. */
const struct ps_safetensors_tensor *
ps_safetensors_folder_find(const struct ps_safetensors_folder *folder, const char *name);

/* ---- writing ---- */

/* What will be written; only name, dtype and shape are read. begin writes the header, write
 * appends the tensors' bytes in that order in pieces of any size, commit fails with PS_INTERNAL
 * unless exactly all of them came. The file appears under its name at commit, or not at all.
 * Metadata is {"format": "pt"}; data start at a multiple of 64. */
struct ps_safetensors_writer;

enum ps_status ps_safetensors_writer_begin(struct ps_safetensors_writer **writer, const char *path,
                                           const struct ps_safetensors_tensor *tensors,
                                           size_t count, struct ps_error *error);
enum ps_status ps_safetensors_writer_write(struct ps_safetensors_writer *writer, const void *data,
                                           size_t size, struct ps_error *error);
/* Frees the writer, whether it succeeds or not. */
enum ps_status ps_safetensors_writer_commit(struct ps_safetensors_writer *writer,
                                            struct ps_error *error);
void ps_safetensors_writer_abort(struct ps_safetensors_writer *writer); /* NULL is fine */
