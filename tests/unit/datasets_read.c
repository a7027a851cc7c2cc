/* Rows from files: fields, golds, packed files, and messages that say where and what. */
#include "unit.h"

#include "base/file.h"
#include "datasets/datasets_internal.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

static char folder[] = "/tmp/potstill-datasets-XXXXXX";
static const struct ps_dataset_source source = {.dataset = "mine", .split = "train"};

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state) {
    (void)state;
    return ps_path_remove(folder, NULL) == PS_OK ? 0 : 1;
}

static const char *write_file(const char *name, const void *data, size_t size) {
    static char path[256];
    struct ps_error error;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(ps_file_write_atomic(path, data, size, &error));
    return path;
}

/* Reads text as one's own file; the caller releases both. */
static enum ps_status read_bytes(const void *data, size_t size,
                                 const struct ps_dataset_fields *fields, struct ps_arena *arena,
                                 struct ps_dataset_rows *rows, struct ps_error *error) {
    struct ps_dataset_source mine = source;
    mine.path = write_file("rows", data, size);
    ps_arena_init(arena, 1 << 24);
    *rows = (struct ps_dataset_rows){0};
    return ps_dataset_read_file(fields, arena, &mine, rows, error);
}

static enum ps_status read_text(const char *text, const struct ps_dataset_fields *fields,
                                struct ps_arena *arena, struct ps_dataset_rows *rows,
                                struct ps_error *error) {
    return read_bytes(text, strlen(text), fields, arena, rows, error);
}

static void release(struct ps_arena *arena, struct ps_dataset_rows *rows) {
    ps_dataset_rows_release(rows);
    ps_arena_release(arena);
}

static void fields_are_found(void **state) {
    (void)state;
    struct ps_error error;
    struct ps_arena arena;
    struct ps_dataset_rows rows;
    struct ps_dataset_fields fields = {
        .question = "Body+Question", .answer = "Answer", .level = "level?"};
    assert_ok(read_text("\xef\xbb\xbf{\"Body\":\"Two cats\",\"Question\":\" How many?\",\"Answer\":"
                        "145.0,\"x\":[1]}\r\n\n"
                        "{\"Body\":\"A.\",\"Question\":\"B?\",\"Answer\":\"  7 \",\"level\":"
                        "\"Level 3\",\"id\":\"seven\"}",
                        &fields, &arena, &rows, &error));
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.row[0].question, "Two cats.  How many?");
    assert_string_equal(rows.row[0].gold, "145");
    assert_string_equal(rows.row[0].id, "1");
    assert_string_equal(rows.row[0].fields, "{\"x\":[1]}");
    assert_null(rows.row[0].solution);
    assert_string_equal(rows.row[1].question, "A. B?");
    assert_string_equal(rows.row[1].gold, "7");
    assert_string_equal(rows.row[1].id, "seven");
    assert_int_equal(rows.row[1].level, 3);
    assert_null(rows.row[1].fields);
    release(&arena, &rows);
}

static void golds_are_read(void **state) {
    (void)state;
    struct ps_error error;
    struct ps_arena arena;
    struct ps_dataset_rows rows;
    struct ps_dataset_fields hashes = {.gold = PS_DATASET_GOLD_HASHES},
                             boxed = {.answer = "s", .gold = PS_DATASET_GOLD_BOXED}, plain = {0};
    assert_ok(read_text("{\"question\":\"q\",\"answer\":\"2/2=<<2/2=1>>1 #### no\\n#### 1,234\"}",
                        &hashes, &arena, &rows, &error));
    assert_string_equal(rows.row[0].gold, "1,234");
    assert_string_equal(rows.row[0].solution, "2/2=1 #### no\n#### 1,234");
    release(&arena, &rows);
    assert_ok(read_text("{\"question\":\"q\",\"s\":\"\\\\boxed{1} so \\\\boxed{\\\\frac{1}{\\\\}}} "
                        "\\\\boxed{open\"}",
                        &boxed, &arena, &rows, &error));
    assert_string_equal(rows.row[0].gold, "\\frac{1}{\\}}");
    release(&arena, &rows);
    assert_ok(read_text("{\"question\":\"q\"}\n{\"question\":\"r\",\"answer\":null}\n"
                        "{\"question\":\"s\",\"answer\":0.5}\n{\"question\":\"t\",\"answer\":-3}",
                        &plain, &arena, &rows, &error));
    assert_null(rows.row[0].gold);
    assert_null(rows.row[1].gold);
    assert_string_equal(rows.row[2].gold, "0.5");
    assert_string_equal(rows.row[3].gold, "-3");
    release(&arena, &rows);
}

static void bad_rows_are_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
        struct ps_dataset_fields fields;
    } cases[] = {
        {"{\"question\":\"q\"}\n{\"problem\":\"p\",\"n\":1}",
         "rows:2: there is no field 'question' (the fields there: problem, n)",
         {0}},
        {"{\"question\":\"q\"}", "rows:1: there is no field 'gold'", {.answer = "gold"}},
        {"{}", "(the fields there: none)", {0}},
        {"{\"question\":\"q\"}\n{\"question\":", "rows:2:", {0}},
        {"[1]", "rows:1: the line is no JSON object", {0}},
        {"{\"question\":\"  \"}", "rows:1: the question ('question') is empty", {0}},
        {"{\"question\":[1]}", "rows:1: 'question' is a list", {0}},
        {"{\"question\":\"a\\u0000b\"}", "rows:1: 'question' has a NUL character", {0}},
        {"{\"question\":\"q\",\"answer\":\"18\"}",
         "no \"####\" in the answer",
         {.gold = PS_DATASET_GOLD_HASHES}},
        {"{\"question\":\"q\",\"id\":5}\n{\"question\":\"r\",\"id\":\"5\"}",
         "rows:2: the id '5' stands in line 1 already",
         {0}},
    };
    struct ps_error error;
    struct ps_arena arena;
    struct ps_dataset_rows rows;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(read_text(cases[i].text, &cases[i].fields, &arena, &rows, &error), PS_FORMAT,
                     cases[i].message);
        release(&arena, &rows);
    }
}

/* Two packed pieces, one behind the other. */
static size_t pack_gzip(const char *text, char *out, size_t room) {
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)text;
    stream.avail_in = (uInt)strlen(text);
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t size = stream.total_out;
    deflateEnd(&stream);
    return size;
}

static size_t pack_zstd(const char *text, char *out, size_t room) {
    return ZSTD_compress(out, room, text, strlen(text), 3);
}

static void packed_files_are_unpacked(void **state) {
    (void)state;
    static char large[400000], first[200], out[500000];
    struct ps_error error;
    struct ps_arena arena;
    struct ps_dataset_rows rows;
    struct ps_dataset_fields fields = {0};
    snprintf(first, sizeof first, "{\"question\":\"first\"}\n");
    size_t used = 0;
    for (int i = 0; i < 8000; i++)
        used += (size_t)snprintf(large + used, sizeof large - used, "{\"question\":\"%d\"}\n",
                                 i * 7919 % 100003);
    size_t (*const packers[])(const char *, char *, size_t) = {pack_gzip, pack_zstd};
    for (int i = 0; i < 2; i++) {
        size_t size = packers[i](first, out, sizeof out);
        size += packers[i](large, out + size, sizeof out - size);
        assert_ok(read_bytes(out, size, &fields, &arena, &rows, &error));
        assert_int_equal(rows.count, 8001);
        assert_string_equal(rows.row[8000].question, "42182");
        release(&arena, &rows);
        assert_fails(read_bytes(out, size - 9, &fields, &arena, &rows, &error), PS_CORRUPT,
                     "rows: damaged");
        release(&arena, &rows);
        out[size / 2] ^= 0x55;
        assert_true(read_bytes(out, size, &fields, &arena, &rows, &error) != PS_OK);
        release(&arena, &rows);
    }
}

static void parquet_is_refused(void **state) {
    (void)state;
    struct ps_error error;
    struct ps_arena arena;
    struct ps_dataset_rows rows;
    struct ps_dataset_fields fields = {0};
    assert_fails(read_text("PAR1....PAR1", &fields, &arena, &rows, &error), PS_UNSUPPORTED,
                 "convert it to JSON lines: duckdb -c");
    release(&arena, &rows);
}

static void checksums_are_checked(void **state) {
    (void)state;
    static const char text[] = "{\"question\":\"q\"}\n";
    struct ps_error error;
    struct ps_arena arena;
    struct ps_dataset_rows rows = {0};
    struct ps_dataset_fields fields = {0};
    struct ps_dataset_source mine = source;
    char hex[PS_HASH_HEX_SIZE];
    struct ps_hash hash = ps_hash_bytes(text, strlen(text));
    ps_hash_hex(&hash, hex);
    ps_arena_init(&arena, 1 << 20);
    char packed[200];
    mine.path = write_file("sum.gz", packed, pack_gzip(text, packed, sizeof packed));
    assert_ok(ps_dataset_read_file(&fields, &arena, &mine, &rows, &error));
    assert_string_equal(mine.sha256, hex); /* noted */
    mine.sha256_declared = true;
    assert_ok(ps_dataset_read_file(&fields, &arena, &mine, &rows, &error));
    mine.sha256[0] = mine.sha256[0] == '0' ? '1' : '0';
    assert_fails(ps_dataset_read_file(&fields, &arena, &mine, &rows, &error), PS_CORRUPT,
                 "another version of mine/train");
    release(&arena, &rows);
}

static void survives_failing_allocations(void **state) {
    (void)state;
    char packed[300];
    size_t size = pack_gzip("{\"question\":\"q\",\"answer\":\"#### 5\",\"x\":1}\n", packed, 300);
    struct ps_dataset_fields fields = {.gold = PS_DATASET_GOLD_HASHES};
    struct ps_dataset_source mine = source;
    mine.path = write_file("alloc", packed, size);
    enum ps_status status = PS_MEMORY;
    for (size_t n = 1; n < 500 && status != PS_OK; n++) {
        struct ps_error error;
        struct ps_arena arena;
        struct ps_dataset_rows rows = {0};
        ps_arena_init(&arena, 1 << 20);
        ps_memory_fail_at(n);
        status = ps_dataset_read_file(&fields, &arena, &mine, &rows, &error);
        ps_memory_fail_at(0);
        if (status != PS_OK && status != PS_MEMORY)
            fail_msg("allocation %zu: %s", n, error.message);
        release(&arena, &rows);
    }
    assert_int_equal(status, PS_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found),
        cmocka_unit_test(golds_are_read),
        cmocka_unit_test(bad_rows_are_named),
        cmocka_unit_test(packed_files_are_unpacked),
        cmocka_unit_test(parquet_is_refused),
        cmocka_unit_test(checksums_are_checked),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
