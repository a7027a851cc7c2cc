/* The post-processor: ids that are put around those of a text. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

/* {"SpecialToken": {"id": "<s>"}}, whose ids stand in special_tokens["<s>"].ids. */
static enum ps_status add_template_token(struct ps_tokenizer *tokenizer, const json_t *special,
                                         const char *name, bool behind, struct ps_error *error) {
    uint32_t *list = behind ? tokenizer->suffix_ids : tokenizer->prefix_ids;
    size_t *count = behind ? &tokenizer->suffix_count : &tokenizer->prefix_count, i;
    const json_t *ids = json_object_get(json_object_get(special, name), "ids");
    json_t *id;
    PS_FAIL_IF(!json_is_array(ids), error, PS_FORMAT,
               "post-processor: special token '%.80s' has no ids", name);
    json_array_foreach(ids, i, id) {
        PS_FAIL_IF(*count == MAX_TEMPLATE_IDS, error, PS_UNSUPPORTED,
                   "a post-processor with more than %d tokens", MAX_TEMPLATE_IDS);
        json_int_t value = json_integer_value(id);
        bool used = json_is_integer(id) && value >= 0 && value < tokenizer->token_count;
        PS_FAIL_IF(!used, error, PS_FORMAT,
                   "post-processor: special token '%.80s' has an id that is not in the vocabulary",
                   name);
        list[(*count)++] = (uint32_t)value;
    }
    return PS_OK;
}

static enum ps_status load_template(struct ps_tokenizer *tokenizer, const json_t *description,
                                    struct ps_error *error) {
    const json_t *special = json_object_get(description, "special_tokens");
    bool behind = false;
    size_t i;
    json_t *piece;
    json_array_foreach(json_object_get(description, "single"), i, piece) {
        const json_t *token = json_object_get(piece, "SpecialToken");
        if (token) {
            const char *name = ps_json_text(token, "id");
            PS_TRY(add_template_token(tokenizer, special, name, behind, error));
        } else {
            bool first = !behind && json_object_get(piece, "Sequence");
            PS_FAIL_IF(!first, error, PS_UNSUPPORTED,
                       "a post-processor template that is not tokens around one text");
            behind = true;
        }
    }
    PS_FAIL_IF(!behind, error, PS_UNSUPPORTED, "a post-processor template without the text");
    return PS_OK;
}

/* {"sep": ["</s>", 2], "cls": ["<s>", 0]} of Bert and Roberta: cls, the text, sep. */
static enum ps_status load_pair(struct ps_tokenizer *tokenizer, const json_t *description,
                                const char *key, uint32_t *ids, size_t *count,
                                struct ps_error *error) {
    const json_t *id = json_array_get(json_object_get(description, key), 1);
    json_int_t value = json_integer_value(id);
    bool used = json_is_integer(id) && value >= 0 && value < tokenizer->token_count;
    PS_FAIL_IF(!used, error, PS_FORMAT, "post-processor: '%s' has no id of the vocabulary", key);
    ids[(*count)++] = (uint32_t)value;
    return PS_OK;
}

static enum ps_status load_steps(struct ps_tokenizer *tokenizer, const json_t *description,
                                 int depth, struct ps_error *error) {
    if (!json_is_object(description)) return PS_OK;
    const char *type = ps_json_text(description, "type");
    PS_FAIL_IF(depth > MAX_NESTING, error, PS_UNSUPPORTED, "post-processors nested so deeply");
    if (strcmp(type, "ByteLevel") == 0) return PS_OK; /* trims offsets, which nobody asks for */
    bool pair = strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0;
    if (pair || strcmp(type, "TemplateProcessing") == 0) {
        bool second = tokenizer->prefix_count + tokenizer->suffix_count > 0;
        PS_FAIL_IF(second, error, PS_UNSUPPORTED, "two post-processor templates");
        if (!pair) return load_template(tokenizer, description, error);
        PS_TRY(load_pair(tokenizer, description, "cls", tokenizer->prefix_ids,
                         &tokenizer->prefix_count, error));
        return load_pair(tokenizer, description, "sep", tokenizer->suffix_ids,
                         &tokenizer->suffix_count, error);
    }
    PS_FAIL_IF(strcmp(type, "Sequence") != 0, error, PS_UNSUPPORTED, "post-processor '%.40s'",
               type);
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(description, "processors"), i, step) {
        PS_TRY(load_steps(tokenizer, step, depth + 1, error));
    }
    return PS_OK;
}

enum ps_status ps_load_post_processor(struct ps_tokenizer *tokenizer, const json_t *description,
                                      struct ps_error *error) {
    return load_steps(tokenizer, description, 0, error);
}
