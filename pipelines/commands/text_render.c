/* potstill text render: a conversation through a chat template, as transformers renders it. */
#include "pipelines/commands/commands_internal.h"

#include "hub/hub.h"
#include "pipelines/commands/filter.h"
#include "pipelines/commands/prompt_flags.h"
#include "text/jinja/jinja.h"
#include "text/text.h"

#include <stdio.h>
#include <string.h>

struct render_flags {
    const char *template, *date;
    bool jsonl;
};
#define AT(member) offsetof(struct render_flags, member)

static const struct ps_setting items[] = {
    {"template", PS_SETTING_STRING, AT(template), .required = true, .argument = "PATH",
     .help = "a file with Jinja, a tokenizer_config.json, the folder of a model, or the id of one "
             "in the cache"},
    {"date", PS_SETTING_STRING, AT(date), .argument = "YYYY-MM-DD",
     .help = "what strftime_now takes for today; left out: today"},
    {"jsonl", PS_SETTING_BOOL, AT(jsonl), .help = "read JSON lines on stdin, write one for each"},
};
static const struct ps_settings_table table =
    PS_SETTINGS_TABLE("text render", "", items, struct render_flags);

struct session {
    struct ps_jinja *template;
    json_t *tokens;
    const char *date;
};

/* What transformers hands to every template besides the context, which goes before. */
static enum ps_status add_defaults(const struct session *session, json_t *variables,
                                   struct ps_error *error) {
    bool made = json_object_update_missing(variables, session->tokens) == 0;
    static const char *const empty[] = {"tools", "documents"};
    for (size_t i = 0; i < 2 && made; i++)
        if (!json_object_get(variables, empty[i]))
            made = json_object_set_new(variables, empty[i], json_null()) == 0;
    if (made && !json_object_get(variables, "add_generation_prompt"))
        made = json_object_set_new(variables, "add_generation_prompt", json_false()) == 0;
    PS_FAIL_IF(!made, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

static enum ps_status render(const struct session *session, const json_t *context,
                             struct ps_marked_text *text, struct ps_error *error) {
    json_t *variables = json_copy((json_t *)context);
    PS_FAIL_IF_NULL(variables, error);
    struct ps_jinja_input input = {.variables = variables, .date = session->date};
    enum ps_status status = add_defaults(session, variables, error);
    if (status == PS_OK) status = ps_jinja_render(session->template, &input, text, error);
    json_decref(variables);
    return status;
}

static void write_text(struct ps_json_writer *json, const struct ps_marked_text *text) {
    ps_json_write_begin_object(json);
    ps_json_write_key(json, "text");
    ps_json_write_text(json, text->text.data ? text->text.data : "", text->text.size);
    ps_json_write_end_object(json);
}

static enum ps_status render_line(void *context, const json_t *line, struct ps_json_writer *answer,
                                  struct ps_error *error) {
    const struct session *session = context;
    const json_t *variables = ps_json_get(line, "context");
    struct ps_marked_text text;
    PS_FAIL_IF(!json_is_object(variables), error, PS_FORMAT, "'context' is missing or no object");
    ps_marked_text_init(&text);
    enum ps_status status = render(session, variables, &text, error);
    if (status == PS_OK) write_text(answer, &text);
    ps_marked_text_release(&text);
    return status;
}

static enum ps_status render_one(const struct session *session, const struct ps_call *call,
                                 struct ps_error *error) {
    const char *source = call->arguments.items[0];
    struct ps_marked_text text;
    struct ps_buffer out;
    struct ps_json_writer writer;
    json_t *context;
    ps_marked_text_init(&text);
    ps_buffer_init(&out, SIZE_MAX / 2);
    enum ps_status status = ps_json_parse("context", source, strlen(source), &context, error);
    if (status == PS_OK && !json_is_object(context))
        status = ps_error_set(error, PS_FORMAT, "the context is no JSON object");
    if (status == PS_OK) status = render(session, context, &text, error);
    if (status == PS_OK && call->json) {
        ps_json_writer_begin(&writer, &out);
        write_text(&writer, &text);
        status = ps_json_writer_end(&writer, error);
        if (status == PS_OK) puts(out.data);
    } else if (status == PS_OK) {
        fwrite(text.text.data, 1, text.text.size, stdout);
    }
    json_decref(context);
    ps_marked_text_release(&text);
    ps_buffer_release(&out);
    return status;
}

static enum ps_status open_session(struct session *session, const struct ps_call *call,
                                   struct ps_error *error) {
    const struct render_flags *flags = call->settings[0].values;
    const char *path;
    PS_TRY(ps_settings_require(call->settings, 1, call->command->name, error));
    PS_FAIL_IF(flags->jsonl == (call->arguments.count > 0), error, PS_ARGUMENT,
               "text render takes a context as its argument, or --jsonl and contexts on stdin");
    PS_TRY(ps_flag_date(flags->date, call->arena, &session->date, error));
    PS_TRY(ps_hub_find(flags->template, call->arena, &path, error));
    return ps_jinja_open(path, &session->template, &session->tokens, error);
}

static enum ps_status run(struct ps_call *call, struct ps_error *error) {
    struct session session = {0};
    const struct render_flags *flags = call->settings[0].values;
    enum ps_status status = open_session(&session, call, error);
    if (status == PS_OK)
        status = flags->jsonl ? ps_filter_lines(render_line, &session, true, error)
                              : render_one(&session, call, error);
    ps_jinja_free(session.template);
    json_decref(session.tokens);
    return status;
}

const struct ps_command ps_command_text_render = {
    .name = "text render",
    .synopsis = "--template PATH [CONTEXT]",
    .help = "a conversation through a chat template",
    .details = "CONTEXT is a JSON object of the template's variables: {\"messages\": [{\"role\", "
               "\"content\"}],\n\"add_generation_prompt\": true, ...}. With --jsonl a line is "
               "{\"context\": {...}}, and the answer\n{\"text\"}, or {\"error\"} and the rest goes "
               "on. Not set, tools and documents are null and\nadd_generation_prompt is false; "
               "bos_token and the like come from a model's folder.",
    .tables = {&table},
    .maximum_arguments = 1,
    .run = run,
};
