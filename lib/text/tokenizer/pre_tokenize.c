/* Cutting a text into pre-tokens by the steps that load_pre_tokenizer.c read. A piece is on its
 * own: look-ahead sees its end as the end of the text, as in the `tokenizers` library. */
#include "text/tokenizer/tokenizer_internal.h"

#include <string.h>

/* What stays the same while a text is cut. */
struct cutting {
    const struct ps_tokenizer *tokenizer;
    struct ps_workspace *workspace;
    const struct ps_piece_sink *sink;
};

static enum ps_status run_stage(const struct cutting *cutting, size_t index, const char *text,
                                size_t size, bool at_start, struct ps_error *error);

/* A copy with the blank or mark in front, if it is due, and blanks as marks. */
static enum ps_status rewrite(const struct cutting *cutting, size_t index, const char *text,
                              size_t size, bool at_start, struct ps_error *error) {
    const struct ps_stage *stage = &cutting->tokenizer->stages[index];
    const char *mark = stage->kind == STAGE_BLANK ? " " : stage->mark;
    size_t mark_size = stage->kind == STAGE_BLANK ? 1 : stage->mark_size;
    bool begins = text[0] == ' ' || (size >= mark_size && memcmp(text, mark, mark_size) == 0);
    bool prepend = !begins && (stage->kind == STAGE_BLANK || stage->scheme == PREPEND_ALWAYS ||
                               (stage->scheme == PREPEND_FIRST && at_start));
    if (stage->kind == STAGE_BLANK && !prepend)
        return run_stage(cutting, index + 1, text, size, at_start, error);
    static const struct ps_pattern blank = {.literal = " ", .size = 1};
    const struct ps_pattern nothing = {.literal = "", .size = 0};
    struct ps_buffer *out = &cutting->workspace->pieces[index];
    out->size = 0;
    PS_FAIL_IF(prepend && !ps_buffer_append(out, mark, mark_size), error, PS_MEMORY,
               "out of memory");
    PS_TRY(ps_pattern_replace(cutting->tokenizer, cutting->workspace,
                              stage->kind == STAGE_BLANK ? &nothing : &blank, mark, mark_size, text,
                              size, out, error));
    return run_stage(cutting, index + 1, out->data, out->size, at_start, error);
}

/* Every byte by its name, for the steps behind. */
static enum ps_status write_names(const struct cutting *cutting, size_t index, const char *text,
                                  size_t size, bool at_start, struct ps_error *error) {
    struct ps_buffer *out = &cutting->workspace->pieces[index];
    char name[4];
    out->size = 0;
    for (size_t i = 0; i < size; i++)
        if (!ps_buffer_append(out, name, ps_byte_level_put((unsigned char)text[i], name)))
            return ps_grown_too_long(out, error);
    return run_stage(cutting, index + 1, out->data, out->size, at_start, error);
}

/* A piece that is done; names become bytes again. */
static enum ps_status give(const struct cutting *cutting, const char *text, size_t size,
                           struct ps_error *error) {
    const struct ps_piece_sink *sink = cutting->sink;
    if (!cutting->tokenizer->byte_names) return sink->take(sink->context, text, size, error);
    struct ps_buffer *out = &cutting->workspace->bytes;
    PS_FAIL_IF(!ps_buffer_reserve(out, size), error, PS_MEMORY, "out of memory");
    ps_byte_level_decode(text, size, out->data, &out->size);
    return sink->take(sink->context, out->data, out->size, error);
}

/* Pieces of a Split as its matches and the gaps between them come: the last one waits, as what
 * comes next may join it. */
struct splitting {
    const struct cutting *cutting;
    const struct ps_stage *stage;
    size_t next_index;
    const char *text;
    bool at_start;
    size_t start, end; /* of the piece that waits */
    bool waits, was_match;
};

static enum ps_status flush_piece(struct splitting *run, struct ps_error *error) {
    if (!run->waits) return PS_OK;
    run->waits = false;
    return run_stage(run->cutting, run->next_index, run->text + run->start, run->end - run->start,
                     run->at_start && run->start == 0, error);
}

static enum ps_status add_part(struct splitting *run, size_t start, size_t end, bool match,
                               struct ps_error *error) {
    match ^= run->stage->invert;
    bool joins = false;
    switch (run->stage->behavior) {
    case ISOLATED: break;
    case REMOVED:
        if (match) return PS_OK;
        break;
    case MERGED_WITH_PREVIOUS: joins = match && !run->was_match; break;
    case MERGED_WITH_NEXT: joins = !match && run->was_match; break;
    case CONTIGUOUS: joins = match == run->was_match; break;
    }
    run->was_match = match;
    if (joins && run->waits) {
        run->end = end;
        return PS_OK;
    }
    PS_TRY(flush_piece(run, error));
    run->start = start;
    run->end = end;
    run->waits = true;
    return PS_OK;
}

static enum ps_status split(const struct cutting *cutting, size_t index, const char *text,
                            size_t size, bool at_start, struct ps_error *error) {
    const struct ps_stage *stage = &cutting->tokenizer->stages[index];
    struct splitting run = {.cutting = cutting,
                            .stage = stage,
                            .next_index = index + 1,
                            .text = text,
                            .at_start = at_start};
    struct ps_matches matches = PS_MATCHES;
    size_t done = 0; /* everything before it has been passed on */
    for (;;) {
        bool found;
        PS_TRY(ps_pattern_next(cutting->tokenizer, cutting->workspace, &stage->pattern, text, size,
                               &matches, &found, error));
        if (!found) break;
        if (done < matches.start) PS_TRY(add_part(&run, done, matches.start, false, error));
        PS_TRY(add_part(&run, matches.start, matches.end, true, error));
        done = matches.end;
    }
    if (done < size) PS_TRY(add_part(&run, done, size, false, error));
    return flush_piece(&run, error);
}

static enum ps_status run_stage(const struct cutting *cutting, size_t index, const char *text,
                                size_t size, bool at_start, struct ps_error *error) {
    if (size == 0) return PS_OK;
    if (index == cutting->tokenizer->stage_count) return give(cutting, text, size, error);
    switch (cutting->tokenizer->stages[index].kind) {
    case STAGE_SPLIT: return split(cutting, index, text, size, at_start, error);
    case STAGE_BYTE_NAMES: return write_names(cutting, index, text, size, at_start, error);
    default: return rewrite(cutting, index, text, size, at_start, error);
    }
}

enum ps_status ps_pre_tokenize(const struct ps_tokenizer *tokenizer, struct ps_workspace *workspace,
                               const char *text, size_t size, bool at_start,
                               const struct ps_piece_sink *sink, struct ps_error *error) {
    struct cutting cutting = {tokenizer, workspace, sink};
    return run_stage(&cutting, 0, text, size, at_start, error);
}
