#pragma once
/* Text: tokenizers, prompts, and a reply's parts.
 *
 * A tokenizer is a Hugging Face tokenizer.json; its ids are those of the `tokenizers` library. It
 * is immutable once open: any number of threads may encode and decode with one at the same time.
 * Texts are UTF-8; where bytes are not, each maximal invalid sequence counts as U+FFFD.
 *
 * Text that comes from data (a question, an answer) must never turn into a control token, however
 * it reads; text of a template must. Prompts therefore carry which bytes are whose. Only the match
 * of control tokens looks at that: ids of a prompt whose data spells no control token are those of
 * the whole text encoded at once.
 */

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- token ids ---- */

enum { PS_TOKEN_NONE = -1 }; /* "no such token" where an int64_t id is returned */

/* A growing array of ids; zero-initialise, release. */
struct ps_token_ids {
    uint32_t *data;
    size_t size, capacity; /* in ids */
};
enum ps_status ps_token_ids_append(struct ps_token_ids *ids, const uint32_t *more, size_t count,
                                   struct ps_error *error);
void ps_token_ids_release(struct ps_token_ids *ids);

/* ---- tokenizer ---- */

struct ps_tokenizer;

/* path: a tokenizer.json, or a folder that has one; else vocab.json and merges.txt (encoder.json
 * and vocab.bpe), or the folder that has them. A tokenizer_config.json beside them names the bos
 * and eos tokens, says whether they are added, and for the latter files what class of tokenizer it
 * is. PS_UNSUPPORTED names the feature that is not built. */
enum ps_status ps_tokenizer_open(const char *path, struct ps_tokenizer **tokenizer,
                                 struct ps_error *error);
void ps_tokenizer_close(struct ps_tokenizer *tokenizer); /* NULL is fine */

/* The largest id + 1; there may be holes. A model's vocabulary may be padded beyond it. */
uint32_t ps_tokenizer_size(const struct ps_tokenizer *tokenizer);

/* SHA-256 of the tokenizer.json file, or of the class, vocabulary and merges. */
const struct ps_hash *ps_tokenizer_hash(const struct ps_tokenizer *tokenizer);

/* The id of the token with these bytes ("<|im_end|>", " the"), an added token before one of the
 * model's, or PS_TOKEN_NONE. */
int64_t ps_tokenizer_find(const struct ps_tokenizer *tokenizer, const char *text, size_t size);

/* The bytes a token stands for, not always whole characters; they belong to the tokenizer. NULL
 * and size 0 for an id that is not used. */
const char *ps_tokenizer_bytes(const struct ps_tokenizer *tokenizer, uint32_t id, size_t *size);

/* A token marked special in the file: left out of decoded text when that is asked for. */
bool ps_tokenizer_is_special(const struct ps_tokenizer *tokenizer, uint32_t id);
/* One of the added tokens, special or not: what only a template may write. */
bool ps_tokenizer_is_control(const struct ps_tokenizer *tokenizer, uint32_t id);

/* As tokenizer_config.json names them, else PS_TOKEN_NONE. */
int64_t ps_tokenizer_bos(const struct ps_tokenizer *tokenizer);
int64_t ps_tokenizer_eos(const struct ps_tokenizer *tokenizer);

enum ps_encode_flags {
    PS_ENCODE_SPECIAL = 1,  /* run the post-processor, which adds BOS and the like */
    PS_ENCODE_ORDINARY = 2, /* no text becomes a control token; for everything that is data */
};

/* Appends the ids of text to *ids, which is left as it was on failure. */
enum ps_status ps_tokenizer_encode(const struct ps_tokenizer *tokenizer, const char *text,
                                   size_t size, unsigned flags, struct ps_token_ids *ids,
                                   struct ps_error *error);

/* Appends the text of ids to *text; always valid UTF-8. skip_special leaves special tokens out. An
 * id that is not used (a model's vocabulary may be padded) stands for no text. */
enum ps_status ps_tokenizer_decode(const struct ps_tokenizer *tokenizer, const uint32_t *ids,
                                   size_t count, bool skip_special, struct ps_buffer *text,
                                   struct ps_error *error);

/* Decoding as tokens come: push appends what is certain and holds back what depends on tokens still
 * to come, such as the beginning of a character; end gives that out and releases the stream. All
 * pushes and the end together append what ps_tokenizer_decode appends. Zero-initialise; release one
 * that does not come to its end. */
struct ps_decode_stream {
    struct ps_buffer held; /* behind the step that joins tokens */
    struct ps_buffer run;  /* before it */
    size_t stripped;       /* characters taken from the beginning, or SIZE_MAX: done */
    uint32_t begun;        /* bit i: something has reached step i of the decoder */
    bool waits;
};
enum ps_status ps_decode_stream_push(struct ps_decode_stream *stream,
                                     const struct ps_tokenizer *tokenizer, uint32_t id,
                                     bool skip_special, struct ps_buffer *text,
                                     struct ps_error *error);
enum ps_status ps_decode_stream_end(struct ps_decode_stream *stream,
                                    const struct ps_tokenizer *tokenizer, struct ps_buffer *text,
                                    struct ps_error *error);
void ps_decode_stream_release(struct ps_decode_stream *stream);

/* ---- text with its origin ---- */

/* Bytes, and for each stretch of them whether they are data or the template's. Filled by
 * ps_marked_text_append alone, which keeps the text valid UTF-8. */
struct ps_marked_span {
    size_t end; /* behind its last byte; it begins where the span before it ends */
    bool data;
};
struct ps_marked_text {
    struct ps_buffer text;
    struct ps_marked_span *spans;
    size_t span_count, span_capacity;
};
void ps_marked_text_init(struct ps_marked_text *marked);
void ps_marked_text_release(struct ps_marked_text *marked);
/* Appends, with invalid UTF-8 replaced. */
enum ps_status ps_marked_text_append(struct ps_marked_text *marked, const char *text, size_t size,
                                     bool data, struct ps_error *error);

/* As ps_tokenizer_encode, but a control token matches only within the template's own bytes.
 * flags: PS_ENCODE_SPECIAL or 0. */
enum ps_status ps_tokenizer_encode_marked(const struct ps_tokenizer *tokenizer,
                                          const struct ps_marked_text *marked, unsigned flags,
                                          struct ps_token_ids *ids, struct ps_error *error);

/* ---- templates ---- */

enum ps_thinking { PS_THINKING_UNSET, PS_THINKING_OFF, PS_THINKING_ON };

/* How a conversation becomes the text that a model reads. Immutable: any number of threads render
 * with one at the same time. */
struct ps_template;
struct ps_json_writer;

/* choice is what a prompt says: "none" (plain text) and "chatml" are built in, else it is a file;
 * NULL: the template of the model in `folder`, found as transformers finds it. What a template
 * knows of the model (bos_token and the like) comes from FOLDER/tokenizer_config.json; folder may
 * be NULL where there is no model. date, YYYY-MM-DD, is what it takes for today. PS_NOT_FOUND:
 * there is no such file, or the model has no template; the message says what one can do. */
enum ps_status ps_template_open(const char *choice, const char *folder, const char *date,
                                struct ps_template **template, struct ps_error *error);
void ps_template_close(struct ps_template *template); /* NULL is fine */

/* What a conversation says of a template that its prompt chose: "none", "chatml", or the hash of a
 * file in hex; NULL for a model's own. */
const char *ps_template_choice(const struct ps_template *template);
/* SHA-256 of its Jinja, which is that of a .jinja file. */
const struct ps_hash *ps_template_hash(const struct ps_template *template);
/* Its Jinja, as a model's folder has it. The built-in plain text prints no BOS: where the
 * tokenizer's post-processor adds one, a model's folder wants it in front. */
const char *ps_template_source(const struct ps_template *template, size_t *size);
/* Members of a store's source: "template", the hash of the model's own or null, and
 * "special_tokens", those that templates see. Nothing is parsed: a prompt may choose another one.
 */
enum ps_status ps_template_write_source(const char *folder, struct ps_json_writer *writer,
                                        struct ps_error *error);

/* The token that the template prints behind an assistant's words, or PS_TOKEN_NONE. */
enum ps_status ps_template_end_token(const struct ps_template *template,
                                     const struct ps_tokenizer *tokenizer, int64_t *token,
                                     struct ps_error *error);

/* ---- prompts ---- */

/* What a pipeline writes under `prompts:`, with its template found. The strings belong to the
 * caller. */
struct ps_prompt {
    const char *user;    /* "{question}\n\nReason ... \\boxed{}."; see ps_prompt_render */
    const char *system;  /* or NULL; has no placeholders */
    const char *prefill; /* how the reply begins ("<think>\n"), or NULL */
    enum ps_thinking thinking;
    const struct ps_template *template; /* NULL: no model is known, only the conversation is made */
};

/* A row of a data set: what the placeholders of `user` are filled from. */
struct ps_field {
    const char *name, *value;
};
struct ps_row {
    const struct ps_field *fields;
    size_t count;
};

/* Where a prompt leaves the thought, and so what the reply begins with. */
enum ps_thought {
    PS_THOUGHT_NONE,   /* no tag at the prompt's end: the model opens one, or does not think */
    PS_THOUGHT_OPENED, /* the prompt ends within <think>: the reply begins with reasoning */
    PS_THOUGHT_CLOSED, /* it ends behind </think>: the reply is to be content alone */
};
const char *ps_thought_name(enum ps_thought thought); /* "reply", "prompt", "closed": who opens */

struct ps_rendered_prompt {
    struct ps_buffer conversation; /* JSON of what is sent: what a prompt's id hashes */
    struct ps_marked_text text;    /* with the generation prompt and the prefill */
    enum ps_thought thought;
};
void ps_rendered_prompt_release(struct ps_rendered_prompt *rendered);

/* Fills the prompt from a row: in `user`, {name} with a name of letters, digits and _ that begins
 * with no digit is a placeholder, {{name}} gives "{name}", all other braces are themselves. Shots
 * (rows that have the prompt's fields and an `answer`) become earlier turns. PS_ARGUMENT on a
 * placeholder that the row has not: the message names the fields there are. *rendered is set up
 * here; release it, also after a failure. Ids come from ps_prompt_encode.
 *
 * The conversation is one line, keys in this order, the optional ones only when set:
 * {"messages":[{"role":"user","content":"..."}],"prefill":"...","thinking":true,"template":"...",
 * "date":"..."}. template is there when the prompt chose one (ps_template_choice), date when the
 * template asks for it. */
enum ps_status ps_prompt_render(const struct ps_prompt *prompt, const struct ps_row *row,
                                const struct ps_row *shots, size_t shot_count,
                                struct ps_rendered_prompt *rendered, struct ps_error *error);

/* Appends the ids of a rendered prompt. Templates print BOS themselves; plain text gets the
 * post-processor's. */
enum ps_status ps_prompt_encode(const struct ps_prompt *prompt,
                                const struct ps_rendered_prompt *rendered,
                                const struct ps_tokenizer *tokenizer, struct ps_token_ids *ids,
                                struct ps_error *error);

/* Renders a conversation as a store keeps it (struct ps_rendered_prompt.conversation) through a
 * template, and appends the ids: what a student sees of a teacher's prompt. Its prefill is kept.
 * The template is told `thinking`, or what the conversation says where that is unset. All words
 * count as data. */
enum ps_status ps_conversation_encode(const char *json, const struct ps_template *template,
                                      enum ps_thinking thinking,
                                      const struct ps_tokenizer *tokenizer,
                                      struct ps_token_ids *ids, enum ps_thought *thought,
                                      struct ps_error *error);

/* ---- replies ---- */

/* Whether a token is text of a reply: special ones are not, but <think> and </think> are, whatever
 * the tokenizer calls them. */
bool ps_reply_has_token(const struct ps_tokenizer *tokenizer, uint32_t id);
/* Appends the text of a reply's tokens. */
enum ps_status ps_reply_decode(const struct ps_tokenizer *tokenizer, const uint32_t *ids,
                               size_t count, struct ps_buffer *text, struct ps_error *error);

/* The parts of a reply, as views into it. What stands before the last </think> is reasoning,
 * without its opening <think>; newlines at the tags belong to neither part. A reply without
 * </think> is all reasoning if the prompt has opened the thought or the reply begins with
 * <think>; else all content. Canonical form: "<think>\nR\n</think>\n\nC". */
struct ps_reply {
    const char *reasoning, *content;
    size_t reasoning_size, content_size;
    bool has_reasoning; /* thinking was opened or closed, though it may be empty */
};
struct ps_reply ps_reply_split(const char *text, size_t size, enum ps_thought thought);

/* ---- training a tokenizer ---- */

/* Byte-level BPE from lines of text: Qwen2's regex (each digit its own token), the 256 bytes, then
 * merges until `size` entries, added tokens included, or no pair occurs twice; a tie goes to the
 * pair with the lower ids. added: "<|endoftext|>", "<|im_start|>", "<|im_end|>" (special),
 * "<think>", "</think>" (not special) come last. Writes tokenizer.json and tokenizer_config.json
 * (eos <|im_end|>) into an existing folder. Deterministic. */
enum ps_status ps_tokenizer_train(const char *const *lines, size_t line_count, uint32_t size,
                                  const char *folder, struct ps_error *error);
