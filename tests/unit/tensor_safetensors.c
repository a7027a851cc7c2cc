/* safetensors: what is written reads back; what is damaged or hostile is refused by name. */
#include "unit.h"

#include "base/file.h"
#include "base/memory.h"
#include "tensor/safetensors.h"

#include <string.h>

static struct ps_error error;

/* A file of this header text and data_size bytes 0, 1, 2, ... */
static size_t build(uint8_t *bytes, const char *header, size_t data_size) {
    size_t length = strlen(header);
    memset(bytes, 0, 8);
    bytes[0] = (uint8_t)length;
    bytes[1] = (uint8_t)(length >> 8);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_size; i++) bytes[8 + length + i] = (uint8_t)i;
    return 8 + length + data_size;
}

/* Exactly as large as needed, so that AddressSanitizer sees a read past the end. */
static enum ps_status parse(const char *header, size_t data_size) {
    uint8_t room[2048];
    size_t size = build(room, header, data_size);
    uint8_t *bytes = malloc(size);
    memcpy(bytes, room, size);
    struct ps_safetensors *file;
    enum ps_status status = ps_safetensors_parse(&file, bytes, size, "x.safetensors", &error);
    ps_safetensors_close(file);
    free(bytes);
    return status;
}

static void good_files_are_read(void **state) {
    (void)state;
    uint8_t bytes[2048];
    /* Header order differs from offset order; a scalar, an empty tensor, trailing spaces. */
    size_t size = build(bytes,
                        "{\"b\":{\"dtype\":\"I16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
                        "\"__metadata__\":{\"format\":\"pt\"},"
                        "\"none\":{\"dtype\":\"U8\",\"shape\":[0,7],\"data_offsets\":[4,4]},"
                        "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}   ",
                        16);
    struct ps_safetensors *file;
    assert_ok(ps_safetensors_parse(&file, bytes, size, "good", &error));
    assert_int_equal(ps_safetensors_count(file), 3);
    const struct ps_safetensors_tensor *b = ps_safetensors_find(file, "b");
    assert_non_null(b);
    assert_int_equal(b->dtype, PS_DTYPE_I16);
    assert_int_equal(b->shape.rank, 2);
    assert_int_equal(b->shape.dim[1], 3);
    assert_int_equal(b->size, 12);
    assert_int_equal(b->data[0], 4);
    assert_int_equal(ps_safetensors_find(file, "a")->shape.rank, 0);
    assert_int_equal(ps_safetensors_find(file, "none")->size, 0);
    assert_null(ps_safetensors_find(file, "__metadata__"));
    assert_null(ps_safetensors_find(file, "c"));
    assert_string_equal(ps_safetensors_at(file, 0)->name, "a");
    ps_safetensors_close(file);
    assert_int_equal(parse("{}", 0), PS_OK);
}

#define A(dtype, shape, offsets)                                                                   \
    "\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define B(offsets) ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets "}"

static void hostile_headers_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data_size;
        const char *message;
    } cases[] = {
        {"", 0, "does not begin with '{'"},
        {" {}", 0, "does not begin with '{'"},
        {"[]", 0, "does not begin with '{'"},
        {"{", 0, "x.safetensors:1:"},
        {"{} x", 0, "x.safetensors:1:"},
        {"{}", 1, "unused bytes behind the last tensor"},
        {"{" A("U8", "[4]", "[0,4]") "," A("U8", "[4]", "[0,4]") "}", 4, "duplicate"},
        {"{" A("U8", "[4]", "[0,4]") "}", 3, "behind the end of the file"},
        {"{" A("U8", "[4]", "[0,4]") "}", 5, "unused bytes behind"},
        {"{" A("U8", "[4]", "[1,5]") "}", 5, "unused bytes before tensor a"},
        {"{" A("U8", "[4]", "[0,4]") B("[2,6]") "}", 6, "overlaps"},
        {"{" A("U8", "[4]", "[0,4]") B("[0,4]") "}", 4, "overlaps"},
        {"{" A("U8", "[4]", "[0,4]") B("[6,10]") "}", 10, "unused bytes before tensor b"},
        {"{" A("F32", "[4]", "[0,4]") "}", 4, "takes 16"},
        {"{" A("U8", "[2,3]", "[0,4]") "}", 4, "takes 6"},
        {"{" A("U8", "[4294967296,4294967296]", "[0,0]") "}", 0, "overflows"},
        {"{" A("F64", "[4611686018427387904]", "[0,0]") "}", 0, "overflows"},
        {"{" A("U8", "[9223372036854775808]", "[0,0]") "}", 0, "dimension 0"},
        {"{" A("U8", "[-1]", "[0,4]") "}", 4, "dimension 0"},
        {"{" A("U8", "[4.0]", "[0,4]") "}", 4, "dimension 0"},
        {"{" A("U8", "[1,1,1,1,4]", "[0,4]") "}", 4, "at most 4"},
        {"{" A("U8", "4", "[0,4]") "}", 4, "no shape"},
        {"{" A("Q4", "[4]", "[0,4]") "}", 4, "unknown dtype Q4"},
        {"{" A("U8", "[4]", "[4,0]") "}", 4, "no valid data_offsets"},
        {"{" A("U8", "[4]", "[-4,0]") "}", 4, "no valid data_offsets"},
        {"{" A("U8", "[4]", "[0,4,4]") "}", 4, "no valid data_offsets"},
        {"{" A("U8", "[4]", "[0,9223372036854775807]") "}", 4, "behind the end"},
        {"{\"a\":{}}", 0, "no dtype"},
        {"{\"a\":7}", 0, "not a JSON object"},
        {"{\"__metadata__\":7}", 0, "__metadata__"},
        {"{\"a\\u0000b\":{}}", 0, "x.safetensors:1:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum ps_status status = parse(cases[i].header, cases[i].data_size);
        if (ps_status_exit_code(status) != 2 || !strstr(error.message, cases[i].message))
            fail_msg("%s: %s: %s", cases[i].header, ps_status_name(status), error.message);
    }
}

static void lengths_are_bounded(void **state) {
    (void)state;
    struct ps_safetensors *file;
    uint8_t bytes[16] = {0};
    assert_fails(ps_safetensors_parse(&file, bytes, 7, "x", &error), PS_FORMAT, "too few");
    memset(bytes, 0xFF, 8);
    assert_fails(ps_safetensors_parse(&file, bytes, 16, "x", &error), PS_FORMAT, "limit");
    memset(bytes, 0, 16);
    bytes[0] = 9;
    assert_fails(ps_safetensors_parse(&file, bytes, 16, "x", &error), PS_FORMAT, "cut off");
    /* Every prefix of a good file is refused. */
    uint8_t good[512];
    size_t size = build(good, "{" A("U8", "[4]", "[0,4]") "}", 4);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, good, cut);
        assert_int_not_equal(ps_safetensors_parse(&file, copy, cut, "x", &error), PS_OK);
        free(copy);
    }
}

/* ---- files and folders ---- */

static char folder[] = "/tmp/potstill-unit-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return ps_path_remove(folder, NULL) == PS_OK ? 0 : -1;
}

static const char *in_folder(const char *name) {
    static char path[2][512];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void write_tensors(const char *name, const char *first, const char *second) {
    const struct ps_safetensors_tensor tensors[] = {
        {.name = first, .dtype = PS_DTYPE_F32, .shape = ps_shape_2(1, 2)},
        {.name = second, .dtype = PS_DTYPE_BF16, .shape = ps_shape_1(3)},
    };
    struct ps_safetensors_writer *writer;
    const float values[2] = {1, -1};
    assert_ok(ps_safetensors_writer_begin(&writer, in_folder(name), tensors, 2, &error));
    assert_ok(ps_safetensors_writer_write(writer, values, sizeof values, &error));
    assert_ok(ps_safetensors_writer_write(writer, "abcd", 4, &error));
    assert_ok(ps_safetensors_writer_write(writer, "ef", 2, &error));
    assert_false(ps_file_exists(in_folder(name)));
    assert_ok(ps_safetensors_writer_commit(writer, &error));
}

static void written_files_read_back(void **state) {
    (void)state;
    write_tensors("model.safetensors", "quo\"te", "z");
    struct ps_safetensors_folder *files;
    assert_ok(ps_safetensors_folder_open(&files, folder, &error));
    assert_int_equal(ps_safetensors_folder_count(files), 2);
    const struct ps_safetensors_tensor *tensor = ps_safetensors_folder_find(files, "quo\"te");
    assert_non_null(tensor);
    assert_int_equal((uintptr_t)tensor->data % 64, 0);
    assert_float_equal(((const float *)tensor->data)[1], -1, 0);
    tensor = ps_safetensors_folder_find(files, "z");
    assert_memory_equal(tensor->data, "abcdef", 6);
    assert_null(ps_safetensors_folder_find(files, "zz"));
    ps_safetensors_folder_close(files);
}

static void writer_wants_all_of_it_and_no_more(void **state) {
    (void)state;
    const struct ps_safetensors_tensor tensors[] = {
        {.name = "a", .dtype = PS_DTYPE_U8, .shape = ps_shape_1(3)},
        {.name = "a", .dtype = PS_DTYPE_U8, .shape = ps_shape_1(3)},
        {.name = "b", .dtype = PS_DTYPE_F32, .shape = ps_shape_2(1ull << 32, 1ull << 31)},
    };
    struct ps_safetensors_writer *writer;
    const char *path = in_folder("w.safetensors");
    assert_fails(ps_safetensors_writer_begin(&writer, path, tensors, 2, &error), PS_ARGUMENT,
                 "two tensors are named a");
    assert_fails(ps_safetensors_writer_begin(&writer, path, tensors + 2, 1, &error), PS_ARGUMENT,
                 "too large");
    assert_ok(ps_safetensors_writer_begin(&writer, path, tensors, 1, &error));
    assert_ok(ps_safetensors_writer_write(writer, "xy", 2, &error));
    assert_fails(ps_safetensors_writer_write(writer, "zz", 2, &error), PS_INTERNAL, "more data");
    assert_fails(ps_safetensors_writer_commit(writer, &error), PS_INTERNAL, "1 bytes");
    assert_false(ps_file_exists(path));
}

static void write_text(const char *name, const char *text) {
    assert_ok(ps_file_write_atomic(in_folder(name), text, strlen(text), &error));
}

static void shards_are_joined_and_checked(void **state) {
    (void)state;
    struct ps_safetensors_folder *files;
    assert_ok(ps_path_remove(in_folder("model.safetensors"), &error));
    assert_fails(ps_safetensors_folder_open(&files, folder, &error), PS_NOT_FOUND, "neither");
    assert_fails(ps_safetensors_folder_open(&files, in_folder("no"), &error), PS_NOT_FOUND,
                 "no such folder");
    write_tensors("s1.safetensors", "a", "b");
    write_tensors("s2.safetensors", "c", "d");
    const char *index = "model.safetensors.index.json";
    write_text(index, "{\"metadata\":{},\"weight_map\":{\"d\":\"s2.safetensors\",\"a\":"
                      "\"s1.safetensors\",\"b\":\"s1.safetensors\",\"c\":\"s2.safetensors\"}}");
    assert_ok(ps_safetensors_folder_open(&files, folder, &error));
    assert_int_equal(ps_safetensors_folder_count(files), 4);
    for (int i = 0; i < 4; i++) {
        const char name[2] = {(char)('a' + i), 0};
        assert_string_equal(ps_safetensors_folder_at(files, (size_t)i)->name, name);
        assert_non_null(ps_safetensors_folder_find(files, name));
    }
    ps_safetensors_folder_close(files);

    write_text(index, "{\"weight_map\":{\"a\":\"s1.safetensors\",\"c\":\"s1.safetensors\"}}");
    assert_fails(ps_safetensors_folder_open(&files, folder, &error), PS_FORMAT,
                 "tensor c is not in s1.safetensors");
    write_text(index, "{\"weight_map\":{\"a\":\"s3.safetensors\"}}");
    assert_fails(ps_safetensors_folder_open(&files, folder, &error), PS_NOT_FOUND, "s3");
    write_text(index, "{\"weight_map\":{\"a\":\"../s1.safetensors\"}}");
    assert_fails(ps_safetensors_folder_open(&files, folder, &error), PS_FORMAT, "plain file name");
    write_text(index, "{\"weight_map\":{\"a\":1}}");
    assert_fails(ps_safetensors_folder_open(&files, folder, &error), PS_FORMAT, "plain file name");
    write_text(index, "{\"weight_map\":{}}");
    assert_fails(ps_safetensors_folder_open(&files, folder, &error), PS_FORMAT, "no weight_map");
    write_text(index, "{\n  \"weight_map\": {,}}");
    assert_fails(ps_safetensors_folder_open(&files, folder, &error), PS_FORMAT, ":2:");
}

/* Out of memory is an error, not a crash or a leak. Writing only: jansson's reader asserts when
 * its memory runs out inside a string. */
static void allocations_may_fail(void **state) {
    (void)state;
    const struct ps_safetensors_tensor tensor = {.name = "a", .shape = ps_shape_1(0)};
    struct ps_safetensors_writer *writer;
    enum ps_status status = PS_MEMORY;
    for (size_t n = 1; n < 100 && status != PS_OK; n++) {
        ps_memory_fail_at(n);
        status = ps_safetensors_writer_begin(&writer, in_folder("m"), &tensor, 1, &error);
        ps_memory_fail_at(0);
        if (status != PS_OK) assert_int_equal(status, PS_MEMORY);
    }
    assert_int_equal(status, PS_OK);
    ps_safetensors_writer_abort(writer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_read),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(written_files_read_back),
        cmocka_unit_test(writer_wants_all_of_it_and_no_more),
        cmocka_unit_test(shards_are_joined_and_checked),
        cmocka_unit_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
