/* Templates: a source of Jinja, found by a prompt's choice or in a model's folder, and the
 * variables that transformers hands to it. The two that are built in are Jinja as well, so that a
 * model trained with one can carry it. */
#include "text/text_internal.h"

#include "base/file.h"
#include "base/json.h"
#include "text/jinja/jinja.h"

#include <string.h>

enum { MAX_SOURCE = 16 << 20 };

struct ps_template {
    char *choice, *date; /* or NULL */
    struct ps_hash hash;
    struct ps_buffer source;
    struct ps_jinja *jinja;
    json_t *variables[2][PS_THINKING_ON + 1]; /* [generation prompt][thinking] */
    bool plain;                               /* prints no BOS */
    bool dated;
};

/* ---- built in ---- */

/* System, shots and question as plain text, an empty line apart. Between a shot's question and its
 * answer stands a blank, unless the question ends in white space. */
static const char plain_source[] =
    "{%- set ns = namespace(question=' ') -%}\n"
    "{%- for message in messages -%}\n"
    "{%- if message['role'] == 'assistant' and ns.question == ns.question.rstrip() -%}\n"
    "{{- ' ' -}}\n"
    "{%- endif -%}\n"
    "{{- message['content'] -}}\n"
    "{%- if message['role'] == 'user' -%}\n"
    "{%- set ns.question = message['content'] -%}\n"
    "{%- else -%}\n"
    "{%- set ns.question = ' ' -%}\n"
    "{{- '\\n\\n' -}}\n"
    "{%- endif -%}\n"
    "{%- endfor -%}\n";

/* As Qwen's models have it. Thinking switched off is written as they expect it: with a thought that
 * is empty. */
const char ps_chatml_source[] =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}";

struct built_in {
    const char *name, *source;
};
static const struct built_in built_ins[] = {
    {"chatml", ps_chatml_source},
    {"none", plain_source},
};

static const struct built_in *find_built_in(const char *choice) {
    for (size_t i = 0; choice && i < sizeof built_ins / sizeof *built_ins; i++)
        if (strcmp(choice, built_ins[i].name) == 0) return &built_ins[i];
    return NULL;
}

/* ---- files ---- */

static enum ps_status no_template(const char *folder, struct ps_error *error) {
    return ps_error_set(error, PS_NOT_FOUND,
                        "%s has no chat template; name one as the prompt's template: 'chatml', "
                        "'none' for plain text, or a file with Jinja",
                        folder);
}

static enum ps_status read_source(const char *choice, const char *folder, struct ps_buffer *source,
                                  struct ps_error *error) {
    const struct built_in *built_in = find_built_in(choice);
    if (built_in) {
        PS_FAIL_IF(!ps_buffer_puts(source, built_in->source), error, PS_MEMORY, "out of memory");
        return PS_OK;
    }
    if (!choice && !folder) return no_template("a model that is not known", error);
    bool found = true;
    if (choice && !ps_file_exists(choice)) found = false;
    PS_FAIL_IF(!found, error, PS_NOT_FOUND,
               "there is no template '%s'; it is the name of a file, 'chatml', or 'none' for plain "
               "text",
               choice);
    PS_TRY(ps_chat_template_load(choice ? choice : folder, source, &found, error));
    return found ? PS_OK : no_template(folder, error);
}

/* ---- variables ---- */

static enum ps_status read_special_tokens(const char *folder, json_t **tokens,
                                          struct ps_error *error) {
    *tokens = json_object();
    PS_FAIL_IF_NULL(*tokens, error);
    return folder ? ps_special_tokens_load(folder, *tokens, error) : PS_OK;
}

/* What transformers hands over, and thinking under both of the names in use. */
static json_t *variables_of(const json_t *special_tokens, bool generation_prompt,
                            enum ps_thinking thinking) {
    json_t *variables = json_copy((json_t *)special_tokens);
    bool made = variables &&
                json_object_set_new(variables, "add_generation_prompt",
                                    json_boolean(generation_prompt)) == 0 &&
                json_object_set_new(variables, "tools", json_null()) == 0 &&
                json_object_set_new(variables, "documents", json_null()) == 0;
    if (made && thinking != PS_THINKING_UNSET) {
        json_t *value = json_boolean(thinking == PS_THINKING_ON);
        made = json_object_set(variables, "enable_thinking", value) == 0 &&
               json_object_set(variables, "thinking", value) == 0;
    }
    if (made) return variables;
    json_decref(variables);
    return NULL;
}

static enum ps_status set_variables(struct ps_template *template, const char *folder,
                                    struct ps_error *error) {
    json_t *tokens;
    enum ps_status status = read_special_tokens(folder, &tokens, error);
    bool made = true;
    for (int prompt = 0; prompt < 2; prompt++)
        for (int thinking = 0; thinking <= PS_THINKING_ON; thinking++) {
            json_t *variables = variables_of(tokens, prompt, (enum ps_thinking)thinking);
            template->variables[prompt][thinking] = variables;
            made = made && variables;
        }
    if (status == PS_OK && !made) status = ps_error_set(error, PS_MEMORY, "out of memory");
    json_decref(tokens);
    return status;
}

enum ps_status ps_template_write_source(const char *folder, struct ps_json_writer *writer,
                                        struct ps_error *error) {
    struct ps_buffer source;
    struct ps_hash hash;
    char hex[PS_HASH_HEX_SIZE];
    json_t *tokens;
    bool found;
    ps_buffer_init(&source, MAX_SOURCE);
    enum ps_status status = ps_chat_template_load(folder, &source, &found, error);
    if (status == PS_OK && found) hash = ps_hash_bytes(source.data ? source.data : "", source.size);
    ps_buffer_release(&source);
    PS_TRY(status);
    status = read_special_tokens(folder, &tokens, error);
    if (status != PS_OK) {
        json_decref(tokens);
        return status;
    }
    ps_json_write_key(writer, "template");
    ps_json_write_string(writer, found ? ps_hash_hex(&hash, hex) : NULL);
    ps_json_write_key(writer, "special_tokens");
    ps_json_write_value(writer, tokens);
    json_decref(tokens);
    return PS_OK;
}

/* ---- opening ---- */

static enum ps_status open_template(struct ps_template *template, const char *choice,
                                    const char *folder, const char *date, struct ps_error *error) {
    char hex[PS_HASH_HEX_SIZE];
    PS_TRY(read_source(choice, folder, &template->source, error));
    const char *source = template->source.data ? template->source.data : "";
    template->hash = ps_hash_bytes(source, template->source.size);
    template->dated = strstr(source, "strftime_now") != NULL;
    template->plain = choice ? strcmp(choice, "none") == 0 : false;
    if (choice) {
        const char *name = find_built_in(choice) ? choice : ps_hash_hex(&template->hash, hex);
        template->choice = ps_strdup(name);
        PS_FAIL_IF_NULL(template->choice, error);
    }
    if (date) {
        template->date = ps_strdup(date);
        PS_FAIL_IF_NULL(template->date, error);
    }
    PS_TRY(set_variables(template, folder, error));
    return ps_jinja_parse(choice ? choice : folder, source, template->source.size, &template->jinja,
                          error);
}

enum ps_status ps_template_open(const char *choice, const char *folder, const char *date,
                                struct ps_template **result, struct ps_error *error) {
    *result = NULL;
    struct ps_template *template = ps_calloc(1, sizeof *template);
    PS_FAIL_IF_NULL(template, error);
    ps_buffer_init(&template->source, MAX_SOURCE);
    enum ps_status status = open_template(template, choice, folder, date, error);
    if (status == PS_OK)
        *result = template;
    else
        ps_template_close(template);
    return status;
}

void ps_template_close(struct ps_template *template) {
    if (!template) return;
    ps_jinja_free(template->jinja);
    for (int prompt = 0; prompt < 2; prompt++)
        for (int thinking = 0; thinking <= PS_THINKING_ON; thinking++)
            json_decref(template->variables[prompt][thinking]);
    ps_buffer_release(&template->source);
    ps_free(template->choice);
    ps_free(template->date);
    ps_free(template);
}

const char *ps_template_choice(const struct ps_template *template) {
    return template->choice;
}

const struct ps_hash *ps_template_hash(const struct ps_template *template) {
    return &template->hash;
}

const char *ps_template_source(const struct ps_template *template, size_t *size) {
    *size = template->source.size;
    return template->source.data ? template->source.data : "";
}

unsigned ps_template_encode_flags(const struct ps_template *template) {
    return template->plain ? PS_ENCODE_SPECIAL : 0;
}

const char *ps_template_date(const struct ps_template *template) {
    return template->dated ? template->date : NULL;
}

/* ---- rendering ---- */

enum ps_status ps_template_render(const struct ps_template *template,
                                  const struct ps_conversation *conversation,
                                  bool generation_prompt, struct ps_marked_text *text,
                                  struct ps_error *error) {
    struct ps_jinja_input input = {
        .conversation = conversation,
        .variables = template->variables[generation_prompt][conversation->thinking],
        .date = template->date};
    return ps_jinja_render(template->jinja, &input, text, error);
}

/* Renders a turn and looks at what stands behind the assistant's words. */
static enum ps_status end_of_turn(const struct ps_template *template,
                                  struct ps_conversation *conversation, struct ps_marked_text *text,
                                  const char **end, struct ps_error *error) {
    static const char question[] = "question", answer[] = "answer";
    conversation->messages = ps_calloc(2, sizeof *conversation->messages);
    PS_FAIL_IF_NULL(conversation->messages, error);
    PS_TRY(ps_marked_text_append(&ps_conversation_add(conversation, "user")->content, question,
                                 strlen(question), false, error));
    PS_TRY(ps_marked_text_append(&ps_conversation_add(conversation, "assistant")->content, answer,
                                 strlen(answer), false, error));
    PS_TRY(ps_template_render(template, conversation, false, text, error));
    const char *found = text->text.data;
    for (*end = NULL; found && (found = strstr(found, answer)); *end = found)
        found += strlen(answer);
    if (*end) *end += strspn(*end, " \t\r\n");
    return PS_OK;
}

enum ps_status ps_template_end_token(const struct ps_template *template,
                                     const struct ps_tokenizer *tokenizer, int64_t *token,
                                     struct ps_error *error) {
    struct ps_conversation conversation = {0};
    struct ps_marked_text text;
    struct ps_token_ids ids = {0};
    const char *end;
    *token = PS_TOKEN_NONE;
    end = NULL;
    ps_marked_text_init(&text);
    enum ps_status status = end_of_turn(template, &conversation, &text, &end, error);
    if (status == PS_OK && end && *end)
        status = ps_tokenizer_encode(tokenizer, end, strlen(end), 0, &ids, error);
    if (status == PS_FORMAT) status = PS_OK; /* it refuses such a conversation */
    if (status == PS_OK && ids.size > 0 && ps_tokenizer_is_control(tokenizer, ids.data[0]) &&
        !ps_is_think_tag(tokenizer, ids.data[0])) /* a generation prompt that is always there */
        *token = ids.data[0];
    ps_token_ids_release(&ids);
    ps_marked_text_release(&text);
    ps_conversation_release(&conversation);
    return status;
}
