/* From runs to report.json, report.html and the tables of a terminal. */
#include "pipelines/report/replies_internal.h"

#include "base/file.h"

#include <string.h>
#include <time.h>

enum ps_status ps_report_note(struct ps_report *report, struct ps_report_note note,
                              struct ps_error *error) {
    PS_FAIL_IF_NULL(note.text, error);
    if (report->note_count == report->note_capacity) {
        size_t capacity = report->note_capacity ? 2 * report->note_capacity : 16;
        struct ps_report_note *more = ps_realloc(report->notes, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        report->notes = more;
        report->note_capacity = capacity;
    }
    report->notes[report->note_count++] = note;
    return PS_OK;
}

/* ---- report.json ---- */

static void write_headline(const struct ps_report *report, struct ps_json_writer *writer) {
    ps_json_write_key(writer, "headline");
    ps_json_write_begin_object(writer);
    ps_json_put_string(writer, "text", report->headline);
    ps_json_write_key(writer, "details");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < report->detail_count; i++)
        ps_json_write_string(writer, report->details[i]);
    ps_json_write_end_array(writer);
    ps_json_write_end_object(writer);
}

static void write_notes(const struct ps_report *report, struct ps_json_writer *writer) {
    ps_json_write_key(writer, "notes");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < report->note_count; i++) {
        const struct ps_report_note *note = &report->notes[i];
        ps_json_write_begin_object(writer);
        ps_json_put_string(writer, "dataset", note->dataset);
        ps_json_put_string(writer, "text", note->text);
        ps_json_put_string(writer, "a", note->a);
        ps_json_put_string(writer, "b", note->b);
        ps_json_write_end_object(writer);
    }
    ps_json_write_end_array(writer);
}

static enum ps_status write_runs(struct ps_report *report, struct ps_json_writer *writer,
                                 struct ps_error *error) {
    ps_json_write_key(writer, "runs");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < report->run_count; i++) {
        const struct ps_report_run *run = &report->runs[i];
        ps_json_write_begin_object(writer);
        ps_json_put_string(writer, "name", report->names[i]);
        ps_json_put_string(writer, "path", run->path ? run->path : run->store);
        PS_TRY(ps_report_write_funnel(report, run, writer, error));
        PS_TRY(ps_report_write_train(report, run, writer, error));
        PS_TRY(ps_report_write_costs(report, run, writer, error));
        PS_TRY(ps_report_write_lineage(report, run, writer, error));
        ps_json_write_end_object(writer);
    }
    ps_json_write_end_array(writer);
    return PS_OK;
}

static enum ps_status write_json(struct ps_report *report, const struct ps_replies *replies,
                                 const struct ps_scored *scored, size_t count,
                                 struct ps_error *error) {
    struct ps_json_writer writer;
    ps_json_writer_begin(&writer, &report->json);
    ps_json_write_begin_object(&writer);
    ps_json_put_string(&writer, "potstill", PS_VERSION);
    ps_json_put_integer(&writer, "generated", (int64_t)time(NULL));
    ps_json_put_string(&writer, "name", report->name);
    write_headline(report, &writer);
    ps_results_write(report->results, report->result_count, report->pairs, report->pair_count,
                     &writer);
    write_notes(report, &writer);
    PS_TRY(ps_report_write_groups(replies, scored, count, &writer, error));
    PS_TRY(ps_report_write_lengths(replies, &writer, error));
    PS_TRY(ps_report_write_gains(report, replies, scored, count, &writer, error));
    PS_TRY(write_runs(report, &writer, error));
    ps_json_write_end_object(&writer);
    return ps_json_writer_end(&writer, error);
}

/* ---- the whole ---- */

static enum ps_status write_files(struct ps_report *report, const char *folder,
                                  struct ps_error *error) {
    char *json = ps_path_join(&report->arena, folder, "report.json");
    char *page = ps_path_join(&report->arena, folder, "report.html");
    PS_FAIL_IF(!json || !page, error, PS_MEMORY, "out of memory");
    PS_TRY(ps_directory_create(folder, error));
    PS_TRY(ps_file_write_atomic(json, report->json.data, report->json.size, error));
    return ps_report_write_page(report, page, error);
}

static enum ps_status print(const struct ps_report *report, struct ps_buffer *table,
                            struct ps_error *error) {
    if (!table || report->result_count == 0) return PS_OK;
    bool fits = ps_results_print(report->results, report->result_count, report->pairs,
                                 report->pair_count, table);
    for (size_t i = 0; i < report->note_count && fits; i++) {
        const struct ps_report_note *note = &report->notes[i];
        fits = ps_buffer_format(table, "%s%s: %s%s%s%s%s\n", i ? "" : "\n",
                                note->dataset ? note->dataset : report->name,
                                note->a ? note->a : "", note->a ? " and " : "",
                                note->a ? note->b : "", note->a ? ": " : "", note->text);
    }
    fits = fits && ps_buffer_format(table, "\n%s\n", report->headline);
    PS_FAIL_IF(!fits, error, PS_MEMORY, "out of memory");
    return PS_OK;
}

static enum ps_status build(struct ps_report *report, struct ps_replies *replies,
                            struct ps_scored **scored, const char *folder, struct ps_buffer *table,
                            struct ps_error *error) {
    size_t count;
    PS_TRY(ps_report_gather(report, error));
    PS_TRY(ps_replies_read(report, replies, error));
    PS_TRY(ps_replies_score(replies, scored, &count, error));
    if (report->run_count > 1) PS_TRY(ps_report_compare(report, replies, *scored, count, error));
    PS_TRY(ps_report_headline(report, error));
    PS_TRY(ps_replies_write(report, replies, error));
    PS_TRY(write_json(report, replies, *scored, count, error));
    PS_TRY(write_files(report, folder, error));
    return print(report, table, error);
}

enum ps_status ps_report_write(const struct ps_report_run *runs, size_t count, const char *folder,
                               struct ps_buffer *table, struct ps_error *error) {
    struct ps_report report = {.runs = runs, .run_count = count};
    struct ps_replies replies = {0};
    struct ps_scored *scored = NULL;
    struct ps_buffer *texts[] = {&report.json, &report.problems, &report.replies};
    ps_arena_init(&report.arena, (size_t)2 << 30);
    for (size_t i = 0; i < 3; i++) ps_buffer_init(texts[i], (size_t)1 << 30);
    enum ps_status status = build(&report, &replies, &scored, folder, table, error);
    ps_report_close(&report);
    for (size_t i = 0; i < 3; i++) ps_buffer_release(texts[i]);
    ps_free(scored);
    ps_free(replies.items);
    ps_free(report.notes);
    ps_arena_release(&report.arena);
    return status;
}
