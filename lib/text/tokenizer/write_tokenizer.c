/* The files of a trained tokenizer, in the format that the `tokenizers` library reads. */
#include "text/tokenizer/train_tokenizer_internal.h"

#include "base/file.h"

#include <string.h>

static void flag(struct ps_json_writer *writer, const char *key, bool value) {
    ps_json_put_bool(writer, key, value);
}

static void byte_level(struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "type", "ByteLevel");
    flag(writer, "add_prefix_space", false);
    flag(writer, "trim_offsets", false);
    flag(writer, "use_regex", false);
    ps_json_write_end_object(writer);
}

static void added_tokens(struct ps_json_writer *writer, const struct ps_trainer *trainer) {
    static const char *const flags[] = {"single_word", "lstrip", "rstrip", "normalized"};
    ps_json_write_begin_array(writer);
    for (uint32_t i = 0; i < TRAINED_ADDED_TOKENS; i++) {
        ps_json_write_begin_object(writer);
        ps_json_put_integer(writer, "id", trainer->token_count + i);
        ps_json_put_string(writer, "content", ps_trained_added_tokens[i]);
        for (size_t j = 0; j < sizeof flags / sizeof *flags; j++) flag(writer, flags[j], false);
        flag(writer, "special", i < TRAINED_SPECIAL_TOKENS);
        ps_json_write_end_object(writer);
    }
    ps_json_write_end_array(writer);
}

static void pre_tokenizer(struct ps_json_writer *writer) {
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "type", "Sequence");
    ps_json_write_key(writer, "pretokenizers");
    ps_json_write_begin_array(writer);
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "type", "Split");
    ps_json_write_key(writer, "pattern");
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "Regex", ps_trained_pattern);
    ps_json_write_end_object(writer);
    ps_json_put_string(writer, "behavior", "Isolated");
    flag(writer, "invert", false);
    ps_json_write_end_object(writer);
    byte_level(writer);
    ps_json_write_end_array(writer);
    ps_json_write_end_object(writer);
}

/* A token's byte-level name appended to *name; false: out of memory. */
static bool append_name(struct ps_buffer *name, const struct ps_training_token *token) {
    bool fits = true;
    for (size_t i = 0; i < token->size && fits; i++) {
        char character[4];
        size_t size =
            ps_utf8_put(ps_byte_level_code_point((unsigned char)token->bytes[i]), character);
        fits = ps_buffer_append(name, character, size);
    }
    return fits;
}

static bool model(struct ps_json_writer *writer, const struct ps_trainer *trainer,
                  struct ps_buffer *name) {
    bool fits = true;
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "type", "BPE");
    ps_json_write_key(writer, "dropout");
    ps_json_write_null(writer);
    ps_json_write_key(writer, "unk_token");
    ps_json_write_null(writer);
    ps_json_put_string(writer, "continuing_subword_prefix", "");
    ps_json_put_string(writer, "end_of_word_suffix", "");
    flag(writer, "fuse_unk", false);
    flag(writer, "byte_fallback", false);
    ps_json_write_key(writer, "vocab");
    ps_json_write_begin_object(writer);
    for (uint32_t id = 0; id < trainer->token_count && fits; id++) {
        name->size = 0;
        fits = append_name(name, &trainer->tokens[id]);
        if (!fits) break;
        ps_json_put_integer(writer, name->data, id);
    }
    ps_json_write_end_object(writer);
    ps_json_write_key(writer, "merges");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < trainer->merge_count && fits; i++) {
        name->size = 0;
        fits = append_name(name, &trainer->tokens[trainer->merges[i] >> 32]) &&
               ps_buffer_puts(name, " ") &&
               append_name(name, &trainer->tokens[(uint32_t)trainer->merges[i]]);
        if (fits) ps_json_write_text(writer, name->data, name->size);
    }
    ps_json_write_end_array(writer);
    ps_json_write_end_object(writer);
    return fits;
}

static enum ps_status write_tokenizer(const struct ps_trainer *trainer, struct ps_buffer *out,
                                      struct ps_error *error) {
    struct ps_buffer name;
    ps_buffer_init(&name, SIZE_MAX);
    struct ps_json_writer writer;
    ps_json_writer_begin(&writer, out);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "version", "1.0");
    ps_json_write_key(&writer, "truncation");
    ps_json_write_null(&writer);
    ps_json_write_key(&writer, "padding");
    ps_json_write_null(&writer);
    ps_json_write_key(&writer, "added_tokens");
    added_tokens(&writer, trainer);
    ps_json_write_key(&writer, "normalizer");
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "type", "NFC");
    ps_json_write_end_object(&writer);
    ps_json_write_key(&writer, "pre_tokenizer");
    pre_tokenizer(&writer);
    ps_json_write_key(&writer, "post_processor");
    byte_level(&writer);
    ps_json_write_key(&writer, "decoder");
    byte_level(&writer);
    ps_json_write_key(&writer, "model");
    bool fits = model(&writer, trainer, &name);
    ps_json_write_end_object(&writer);
    ps_buffer_release(&name);
    PS_FAIL_IF(!fits, error, PS_MEMORY, "out of memory");
    return ps_json_writer_end(&writer, error);
}

static enum ps_status write_config(struct ps_buffer *out, struct ps_error *error) {
    struct ps_json_writer writer;
    ps_json_writer_begin(&writer, out);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "tokenizer_class", "PreTrainedTokenizerFast");
    ps_json_write_key(&writer, "bos_token");
    ps_json_write_null(&writer);
    ps_json_put_string(&writer, "eos_token", "<|im_end|>");
    ps_json_put_string(&writer, "pad_token", "<|endoftext|>");
    flag(&writer, "clean_up_tokenization_spaces", false);
    ps_json_put_string(&writer, "chat_template", ps_chatml_source);
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
}

enum ps_status ps_trained_write(const struct ps_trainer *trainer, const char *folder,
                                struct ps_error *error) {
    struct ps_buffer text;
    struct ps_arena paths;
    ps_buffer_init(&text, SIZE_MAX);
    ps_arena_init(&paths, SIZE_MAX);
    enum ps_status status = PS_OK;
    const char *tokenizer = ps_path_join(&paths, folder, "tokenizer.json");
    const char *config = ps_path_join(&paths, folder, "tokenizer_config.json");
    PS_FAIL_DONE_IF(!tokenizer || !config, error, PS_MEMORY, "out of memory");
    PS_TRY_DONE(write_tokenizer(trainer, &text, error));
    PS_TRY_DONE(ps_file_write_atomic(tokenizer, text.data, text.size, error));
    text.size = 0;
    PS_TRY_DONE(write_config(&text, error));
    PS_TRY_DONE(ps_file_write_atomic(config, text.data, text.size, error));
done:
    ps_buffer_release(&text);
    ps_arena_release(&paths);
    return status;
}
