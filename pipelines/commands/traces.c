/* What the commands on traces share: which traces they are about, and a row as JSON. */
#include "pipelines/commands/traces_internal.h"

#include "text/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct ps_traces_filter, member)
static const struct ps_setting filter_items[] = {
    {"dataset", PS_SETTING_STRING, AT(dataset), .argument = "NAME[/SPLIT]",
     .help = "traces of this data set's prompts"},
    {"row", PS_SETTING_INTEGER, AT(row), .minimum = 0, .maximum = 1e15,
     .help = "of the prompts of this row of the data set"},
    {"source", PS_SETTING_STRING, AT(source), .argument = "NAME", .help = "by this teacher"},
    {"verdict", PS_SETTING_STRING, AT(verdict), .argument = "VERDICT",
     .help = "correct, wrong, no_answer, truncated, gold_unreadable, undecided, no_gold, or none "
             "for those not graded"},
    {"finish", PS_SETTING_STRING, AT(finish), .argument = "REASON", .help = "stop or length"},
    {"selection", PS_SETTING_STRING, AT(selection), .argument = "NAME",
     .help = "kept by this selection"},
    {"min_tokens", PS_SETTING_INTEGER, AT(min_tokens), .minimum = 0, .maximum = 1e9,
     .help = "with at least so many output tokens"},
    {"max_tokens", PS_SETTING_INTEGER, AT(max_tokens), .minimum = 1, .maximum = 1e9,
     .help = "with at most so many output tokens"},
    {"difficulty", PS_SETTING_STRING, AT(difficulty), .argument = "LOW..HIGH",
     .help = "where this share of the source's graded samples of the prompt is correct: 0.2..0.8"},
    {"prompt", PS_SETTING_STRING, AT(prompt), .argument = "HASH",
     .help = "samples of the prompt whose hash begins so"},
    {"text", PS_SETTING_STRING, AT(text), .argument = "STRING",
     .help = "with this in the reasoning or in the content; a-z in either case"},
    {"limit", PS_SETTING_INTEGER, AT(limit), .minimum = 1, .maximum = 1e12,
     .help = "no more than so many"},
};
#undef AT
const struct ps_settings_table ps_traces_filter_table =
    PS_SETTINGS_TABLE("traces filter", "Which traces.", filter_items, struct ps_traces_filter);

/* A number that is the whole text; an empty one is the fallback, NAN anything else. */
static double bound(struct ps_call *call, const char *text, size_t size, double fallback) {
    char *copy = ps_arena_strndup(call->arena, text, size), *end;
    if (size == 0) return fallback;
    double value = copy ? strtod(copy, &end) : NAN;
    return copy && !*end ? value : NAN;
}

/* "0.2..0.8", "0.5.." or "..0.5". */
static enum ps_status read_range(struct ps_call *call, const char *text,
                                 const struct ps_store_range **result, struct ps_error *error) {
    struct ps_store_range *range = ps_arena_alloc(call->arena, sizeof *range);
    const char *dots = strstr(text, "..");
    PS_FAIL_IF_NULL(range, error);
    *range = (struct ps_store_range){NAN, NAN};
    if (dots) {
        range->low = bound(call, text, (size_t)(dots - text), 0);
        range->high = bound(call, dots + 2, strlen(dots + 2), 1);
    }
    PS_FAIL_IF(!(range->low >= 0 && range->low <= range->high && range->high <= 1), error,
               PS_ARGUMENT, "--difficulty: '%s' is no range within 0..1, as 0.2..0.8", text);
    *result = range;
    return PS_OK;
}

enum ps_status ps_traces_make_filter(struct ps_call *call, const struct ps_traces_filter *settings,
                                     struct ps_store_filter *filter, struct ps_error *error) {
    PS_FAIL_IF(settings->finish && strcmp(settings->finish, "stop") != 0 &&
                   strcmp(settings->finish, "length") != 0,
               error, PS_ARGUMENT, "--finish: '%s' is neither stop nor length", settings->finish);
    *filter = (struct ps_store_filter){
        .dataset = settings->dataset,
        .source = settings->source,
        .verdict = settings->verdict,
        .finish = settings->finish,
        .selection = settings->selection,
        .prompt = settings->prompt,
        .text = settings->text,
        .min_tokens = ps_integer_or(settings->min_tokens, 0),
        .max_tokens = ps_integer_or(settings->max_tokens, 0),
        .limit = ps_integer_or(settings->limit, 0),
    };
    if (settings->difficulty)
        PS_TRY(read_range(call, settings->difficulty, &filter->difficulty, error));
    if (ps_integer_or(settings->row, -1) >= 0) {
        int64_t *row = ps_arena_alloc(call->arena, sizeof *row);
        PS_FAIL_IF_NULL(row, error);
        PS_FAIL_IF(!settings->dataset, error, PS_ARGUMENT, "--row: of which --dataset?");
        *row = settings->row;
        filter->row = row;
    }
    const char *slash = settings->dataset ? strrchr(settings->dataset, '/') : NULL;
    if (!slash) return PS_OK;
    filter->split = slash + 1;
    filter->dataset =
        ps_arena_strndup(call->arena, settings->dataset, (size_t)(slash - settings->dataset));
    PS_FAIL_IF_NULL(filter->dataset, error);
    return PS_OK;
}

enum ps_status ps_traces_open(struct ps_call *call, struct ps_store **store,
                              struct ps_error *error) {
    return ps_store_open(store, call->arguments.items[0], PS_STORE_READ, error);
}

enum ps_status ps_traces_read_id(const char *text, int64_t *id, struct ps_error *error) {
    char *end;
    *id = strtoll(text, &end, 10);
    PS_FAIL_IF(*end || end == text || *id < 1, error, PS_ARGUMENT,
               "'%s' is no trace id; potstill traces list shows them", text);
    return PS_OK;
}

enum ps_status ps_traces_find(struct ps_store *store, int64_t id, struct ps_store_cursor **cursor,
                              struct ps_store_row *row, struct ps_error *error) {
    const struct ps_store_filter filter = {.trace_id = id};
    bool more;
    PS_TRY(ps_store_query(store, &filter, cursor, error));
    enum ps_status status = ps_store_next(*cursor, row, &more, error);
    if (status == PS_OK && !more)
        status = ps_error_set(error, PS_NOT_FOUND, "no trace %lld; potstill traces list shows them",
                              (long long)id);
    if (status != PS_OK) ps_store_cursor_close(*cursor);
    return status;
}

void ps_traces_print_token(const struct ps_tokenizer *tokenizer, int32_t id) {
    struct ps_buffer text;
    struct ps_json_writer writer;
    size_t size;
    const char *bytes = ps_tokenizer_bytes(tokenizer, (uint32_t)id, &size);
    ps_buffer_init(&text, 1 << 16);
    ps_json_writer_begin(&writer, &text);
    ps_json_write_text(&writer, bytes ? bytes : "", size);
    if (ps_json_writer_end(&writer, NULL) == PS_OK) fputs(text.data, stdout);
    ps_buffer_release(&text);
}

void ps_traces_write_row(struct ps_json_writer *json, const struct ps_store_row *row) {
    char hex[PS_HASH_HEX_SIZE];
    ps_json_put_integer(json, "id", row->id);
    ps_json_put_string(json, "prompt", ps_hash_hex(&row->prompt_hash, hex));
    ps_json_put_string(json, "source", row->source);
    ps_json_put_integer(json, "sample", row->key.sample);
    ps_json_put_string(json, "dataset", row->dataset);
    ps_json_put_string(json, "split", row->split);
    ps_json_write_key(json, "row");
    if (row->dataset)
        ps_json_write_integer(json, row->row);
    else
        ps_json_write_null(json);
    ps_json_put_string(json, "gold", row->gold);
    ps_json_put_string(json, "verdict", row->verdict);
    ps_json_put_string(json, "extracted", row->extracted);
    ps_json_put_string(json, "finish_reason", ps_store_finish_name(row->finish));
    ps_json_put_integer(json, "prompt_tokens", row->prompt_tokens);
    ps_json_put_integer(json, "output_tokens", row->output_tokens);
    ps_json_put_integer(json, "max_tokens", row->max_tokens);
    ps_json_put_integer(json, "text_bytes", row->reasoning_size + row->content_size);
    ps_json_put_integer(json, "time", row->time);
}
