/* ask_model FOLDER QUESTION: the likeliest reply of a model, token by token on the local engine.
 *
 *     $ ask_model examples/models/teacher "Ben has 7 dollars and finds 5 more. How many has he?" */
#include "generate/generate.h"
#include "text/text.h"

#include <stdio.h>

enum { MOST_TOKENS = 256 };

struct session {
    struct ps_model_files *files;
    struct ps_tokenizer *tokenizer;
    struct ps_template *template;
    struct ps_compute *compute;
    struct ps_generator *generator;
};

/* The question under the model's chat template, as token ids. */
static enum ps_status encode(const struct session *session, const char *question,
                             struct ps_token_ids *ids, struct ps_error *error) {
    const struct ps_prompt prompt = {.user = "{question}", .template = session->template};
    const struct ps_field field = {"question", question};
    const struct ps_row row = {&field, 1};
    struct ps_rendered_prompt rendered;
    enum ps_status status = ps_prompt_render(&prompt, &row, NULL, 0, &rendered, error);
    if (status == PS_OK)
        status = ps_prompt_encode(&prompt, &rendered, session->tokenizer, ids, error);
    ps_rendered_prompt_release(&rendered);
    return status;
}

/* Called by the engine with the finished reply. */
static enum ps_status print(void *context, const struct ps_generate_reply *reply,
                            struct ps_error *error) {
    const struct session *session = context;
    struct ps_buffer text;
    ps_buffer_init(&text, 1 << 20);
    enum ps_status status = ps_tokenizer_decode(session->tokenizer, (const uint32_t *)reply->tokens,
                                                (size_t)reply->count, true, &text, error);
    if (status == PS_OK) puts(text.data ? text.data : "");
    ps_buffer_release(&text);
    return status;
}

static enum ps_status open_session(struct session *session, const char *folder,
                                   struct ps_error *error) {
    PS_TRY(ps_model_files_open(&session->files, folder, error));
    PS_TRY(ps_tokenizer_open(folder, &session->tokenizer, error));
    PS_TRY(ps_template_open(NULL, folder, NULL, &session->template, error)); /* the model's own */
    PS_TRY(ps_compute_open(NULL, 0, &session->compute, error)); /* the best backend, all cores */
    const struct ps_model_config *config = ps_model_files_config(session->files);
    struct ps_generator_options options = {
        .format = config->dtype == PS_DTYPE_F32 ? PS_WEIGHT_F32 : PS_WEIGHT_BF16,
        .sequences = 1,
        .rows = 64,
        .positions = config->max_positions < 4096 ? config->max_positions : 4096,
        .valid_vocabulary = ps_tokenizer_size(session->tokenizer)};
    return ps_generator_open(session->compute, session->files, &options, &session->generator,
                             error);
}

static void close_session(struct session *session) {
    ps_generator_close(session->generator);
    ps_compute_close(session->compute);
    ps_template_close(session->template);
    ps_tokenizer_close(session->tokenizer);
    ps_model_files_close(session->files);
}

static enum ps_status ask(struct session *session, const char *question, struct ps_error *error) {
    struct ps_token_ids ids = {0};
    struct ps_generate_request request = {.sampling = {.temperature = 0, .top_p = 1},
                                          .max_tokens = MOST_TOKENS};
    enum ps_status status = encode(session, question, &ids, error);
    if (status == PS_OK)
        status = ps_generator_submit(session->generator, (const int32_t *)ids.data,
                                     (int64_t)ids.size, &request, 1, error);
    while (status == PS_OK && ps_generator_pending(session->generator))
        status = ps_generator_step(session->generator, print, session, error);
    ps_token_ids_release(&ids);
    return status;
}

int main(int count, char **arguments) {
    if (count != 3) return fprintf(stderr, "usage: ask_model FOLDER QUESTION\n"), 2;
    struct session session = {0};
    struct ps_error error;
    enum ps_status status = open_session(&session, arguments[1], &error);
    if (status == PS_OK) status = ask(&session, arguments[2], &error);
    close_session(&session);
    if (status != PS_OK) fprintf(stderr, "%s\n", error.message);
    return ps_status_exit_code(status);
}
