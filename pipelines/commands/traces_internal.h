#pragma once
/* What the commands on traces share. */

#include "pipelines/commands/commands_internal.h"
#include "store/store.h"

/* Flags that say which traces. */
struct ps_traces_filter {
    const char *dataset, *source, *verdict, *finish, *selection, *difficulty, *prompt, *text;
    int64_t row, min_tokens, max_tokens, limit; /* or PS_UNSET_INTEGER */
};
extern const struct ps_settings_table ps_traces_filter_table;

/* The same for the store; text is borrowed or lies in the call's arena. */
enum ps_status ps_traces_make_filter(struct ps_call *call, const struct ps_traces_filter *settings,
                                     struct ps_store_filter *filter, struct ps_error *error);

/* Opens the first argument for reading. */
enum ps_status ps_traces_open(struct ps_call *call, struct ps_store **store,
                              struct ps_error *error);

/* A trace's id from the command line. */
enum ps_status ps_traces_read_id(const char *text, int64_t *id, struct ps_error *error);

/* One trace's row, whose text lies in the cursor. PS_NOT_FOUND. */
enum ps_status ps_traces_find(struct ps_store *store, int64_t id, struct ps_store_cursor **cursor,
                              struct ps_store_row *row, struct ps_error *error);

/* A token as a JSON string: no control character of it reaches the terminal. */
struct ps_tokenizer;
void ps_traces_print_token(const struct ps_tokenizer *tokenizer, int32_t id);

/* The members of a row, into an object that is open. */
void ps_traces_write_row(struct ps_json_writer *json, const struct ps_store_row *row);
