/* A data file as the plain bytes it stands for: as it is, or packed by gzip (RFC 1952, several
 * members one behind the other allowed) or zstd (RFC 8878, several frames). What it is packed with
 * is told by its first bytes, not by its name. The SHA-256 is of the plain bytes, so that a packed
 * copy of a data set has the checksum of the original. */
#include "datasets/datasets_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { BLOCK = 64 << 10 };
enum packing { PLAIN, GZIP, ZSTD };

struct ps_dataset_stream {
    const char *path;
    int descriptor;
    enum packing packing;
    uint8_t block[BLOCK];
    size_t used, size; /* of block */
    bool ended;        /* nothing more to read from the file */
    bool inside;       /* in the middle of a member or frame */
    bool started;      /* plain bytes were handed over */
    z_stream gzip;
    bool gzip_open;
    ZSTD_DStream *zstd;
    struct ps_hash_state *hash;
};

static void *zlib_alloc(void *context, unsigned count, unsigned size) {
    (void)context;
    return ps_calloc(count, size);
}

static void zlib_free(void *context, void *pointer) {
    (void)context;
    ps_free(pointer);
}

static enum ps_status refill(struct ps_dataset_stream *stream, struct ps_error *error) {
    ssize_t got;
    do got = read(stream->descriptor, stream->block, BLOCK);
    while (got < 0 && errno == EINTR);
    if (got < 0) return ps_error_errno(error, errno, "%s", stream->path);
    stream->used = 0;
    stream->size = (size_t)got;
    stream->ended = got == 0;
    return PS_OK;
}

static enum ps_status begin(struct ps_dataset_stream *stream, struct ps_error *error) {
    const uint8_t *magic = stream->block;
    size_t size = stream->size;
    PS_FAIL_IF(size >= 4 && memcmp(magic, "PAR1", 4) == 0, error, PS_UNSUPPORTED,
               "%s: Parquet files are not read; convert it to JSON lines: duckdb -c \"COPY (SELECT "
               "* FROM '%s') TO '%s.jsonl' (FORMAT json)\"",
               stream->path, stream->path, stream->path);
    if (size >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
        stream->packing = GZIP;
        stream->gzip.zalloc = zlib_alloc;
        stream->gzip.zfree = zlib_free;
        PS_FAIL_IF(inflateInit2(&stream->gzip, 15 + 16) != Z_OK, error, PS_MEMORY,
                   "%s: out of memory", stream->path);
        stream->gzip_open = true;
    } else if (size >= 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0) {
        stream->packing = ZSTD;
        stream->zstd = ZSTD_createDStream();
        PS_FAIL_IF(!stream->zstd, error, PS_MEMORY, "%s: out of memory", stream->path);
    }
    return PS_OK;
}

enum ps_status ps_dataset_stream_open(struct ps_dataset_stream **result, const char *path,
                                      struct ps_error *error) {
    enum ps_status status = PS_OK;
    *result = NULL;
    struct ps_dataset_stream *stream = ps_calloc(1, sizeof *stream);
    PS_FAIL_IF_NULL(stream, error);
    stream->path = path;
    stream->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (stream->descriptor < 0) {
        status = ps_error_errno(error, errno, "%s", path);
        goto done;
    }
    stream->hash = ps_hash_begin();
    PS_FAIL_DONE_IF_NULL(stream->hash, error);
    PS_TRY_DONE(refill(stream, error));
    PS_TRY_DONE(begin(stream, error));
    *result = stream;
    stream = NULL;
done:
    ps_dataset_stream_close(stream, NULL);
    return status;
}

static enum ps_status damaged(const struct ps_dataset_stream *stream, const char *why,
                              struct ps_error *error) {
    return ps_error_set(error, PS_CORRUPT, "%s: damaged %s data (%s); fetch the file again",
                        stream->path, stream->packing == GZIP ? "gzip" : "zstd", why);
}

/* Unpacks from the block to data; *got may be 0 while more input is needed. */
static enum ps_status unpack(struct ps_dataset_stream *stream, char *data, size_t room, size_t *got,
                             struct ps_error *error) {
    if (stream->packing == ZSTD) {
        ZSTD_inBuffer in = {stream->block, stream->size, stream->used};
        ZSTD_outBuffer out = {data, room, 0};
        size_t result = ZSTD_decompressStream(stream->zstd, &out, &in);
        if (ZSTD_isError(result)) return damaged(stream, ZSTD_getErrorName(result), error);
        stream->used = in.pos;
        stream->inside = result != 0;
        *got = out.pos;
        return PS_OK;
    }
    z_stream *gzip = &stream->gzip;
    if (!stream->inside && inflateReset(gzip) != Z_OK) return damaged(stream, "reset", error);
    gzip->next_in = stream->block + stream->used;
    gzip->avail_in = (uInt)(stream->size - stream->used);
    gzip->next_out = (Bytef *)data;
    gzip->avail_out = (uInt)room;
    int result = inflate(gzip, Z_NO_FLUSH);
    PS_FAIL_IF(result == Z_MEM_ERROR, error, PS_MEMORY, "%s: out of memory", stream->path);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return damaged(stream, gzip->msg ? gzip->msg : "no gzip member", error);
    stream->used = stream->size - gzip->avail_in;
    stream->inside = result != Z_STREAM_END;
    *got = room - gzip->avail_out;
    return PS_OK;
}

enum ps_status ps_dataset_stream_read(void *context, char *data, size_t room, size_t *got,
                                      struct ps_error *error) {
    struct ps_dataset_stream *stream = context;
    *got = 0;
    if (room > 1u << 30) room = 1u << 30;
    while (*got == 0) {
        if (stream->used == stream->size && !stream->ended) PS_TRY(refill(stream, error));
        size_t left = stream->size - stream->used;
        if (stream->packing == PLAIN) {
            *got = left < room ? left : room;
            memcpy(data, stream->block + stream->used, *got);
            stream->used += *got;
        } else if (left > 0 || stream->inside) {
            PS_TRY(unpack(stream, data, room, got, error));
            if (left == 0 && *got == 0 && stream->inside)
                return damaged(stream, "it ends too early", error);
        }
        if (left == 0) break;
    }
    ps_hash_update(stream->hash, data, *got);
    if (!stream->started && *got >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        memset(data, ' ', 3); /* a byte order mark says nothing in UTF-8 */
    stream->started = stream->started || *got > 0;
    return PS_OK;
}

void ps_dataset_stream_close(struct ps_dataset_stream *stream, struct ps_hash *hash) {
    if (!stream) return;
    if (stream->gzip_open) inflateEnd(&stream->gzip);
    ZSTD_freeDStream(stream->zstd);
    if (stream->descriptor >= 0) close(stream->descriptor);
    if (stream->hash) {
        struct ps_hash plain = ps_hash_end(stream->hash);
        if (hash) *hash = plain;
    }
    ps_free(stream);
}
