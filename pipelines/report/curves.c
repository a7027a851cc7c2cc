/* The curves of the train stages, from runs/NAME/metrics.jsonl. A run that resumed may have written
 * a step again: the last line of a step counts, and so does none behind it from before. A long run
 * is thinned to POINTS means over equal numbers of steps; validation losses all stay. */
#include "pipelines/report/report_internal.h"

#include "base/file.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POINTS = 1000, LINE_LIMIT = 1 << 20 };

struct point {
    int64_t step;
    double loss, rate, norm, speed, validation; /* NAN: not there */
};

struct curve {
    struct point *points;
    size_t count, capacity;
};

static double number_of(const json_t *line, const char *key) {
    json_t *value = ps_json_get(line, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static enum ps_status add_point(struct curve *curve, const json_t *line, struct ps_error *error) {
    json_t *step = ps_json_get(line, "step");
    if (!json_is_integer(step)) return PS_OK;
    struct point point = {.step = json_integer_value(step),
                          .loss = number_of(line, "loss"),
                          .rate = number_of(line, "lr"),
                          .norm = number_of(line, "gradient_norm"),
                          .speed = number_of(line, "tokens_per_second"),
                          .validation = number_of(line, "validation_loss")};
    while (curve->count && curve->points[curve->count - 1].step >= point.step) curve->count--;
    if (curve->count == curve->capacity) {
        size_t capacity = curve->capacity ? 2 * curve->capacity : 1024;
        struct point *more = ps_realloc(curve->points, capacity * sizeof *more);
        PS_FAIL_IF_NULL(more, error);
        curve->points = more;
        curve->capacity = capacity;
    }
    curve->points[curve->count++] = point;
    return PS_OK;
}

static bool belongs(const json_t *line, const struct ps_report_stage *stage) {
    const char *kind = json_string_value(ps_json_get(line, "kind"));
    const char *id = json_string_value(ps_json_get(line, "stage"));
    const char *fingerprint = json_string_value(ps_json_get(line, "fingerprint"));
    return kind && id && fingerprint && strcmp(kind, "train") == 0 && strcmp(id, stage->id) == 0 &&
           strncmp(fingerprint, stage->fingerprint, strlen(fingerprint)) == 0;
}

/* A line that a crash cut short is passed over. */
static enum ps_status read_curve(const char *path, const struct ps_report_stage *stage,
                                 struct curve *curve, struct ps_error *error) {
    struct ps_json_lines lines;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return PS_OK;
    ps_json_lines_open(&lines, path, descriptor, LINE_LIMIT);
    enum ps_status status = PS_OK;
    for (;;) {
        json_t *line;
        enum ps_status got = ps_json_lines_next(&lines, &line, error);
        if (got == PS_FORMAT || got == PS_LIMIT) continue;
        status = got;
        if (status != PS_OK || !line) break;
        if (belongs(line, stage)) status = add_point(curve, line, error);
        json_decref(line);
        if (status != PS_OK) break;
    }
    ps_json_lines_close(&lines);
    close(descriptor);
    return status;
}

/* Six digits are more than a curve can show. */
static void write_short(struct ps_json_writer *writer, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.6g", value);
    ps_json_write_number(writer, isfinite(value) ? strtod(text, NULL) : value);
}

static void write_points(const struct curve *curve, struct ps_json_writer *writer) {
    size_t width = (curve->count + POINTS - 1) / POINTS;
    ps_json_write_key(writer, "points");
    ps_json_write_begin_array(writer);
    for (size_t start = 0; start < curve->count; start += width) {
        size_t n = curve->count - start < width ? curve->count - start : width;
        double loss = 0, norm = 0;
        const struct point *last = &curve->points[start + n - 1];
        for (size_t i = start; i < start + n; i++) {
            loss += curve->points[i].loss / (double)n;
            norm += curve->points[i].norm / (double)n;
        }
        const double values[] = {loss, last->rate, norm};
        ps_json_write_begin_array(writer);
        ps_json_write_integer(writer, last->step);
        for (size_t i = 0; i < 3; i++) write_short(writer, values[i]);
        ps_json_write_end_array(writer);
    }
    ps_json_write_end_array(writer);
}

static void write_curve(const struct curve *curve, struct ps_json_writer *writer) {
    double speed = 0;
    size_t speeds = 0;
    write_points(curve, writer);
    ps_json_write_key(writer, "validation");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < curve->count; i++) {
        const struct point *point = &curve->points[i];
        if (isfinite(point->speed)) {
            speed += point->speed;
            speeds++;
        }
        if (!isfinite(point->validation)) continue;
        ps_json_write_begin_array(writer);
        ps_json_write_integer(writer, point->step);
        ps_json_write_number(writer, point->validation);
        ps_json_write_end_array(writer);
    }
    ps_json_write_end_array(writer);
    ps_json_write_key(writer, "tokens_per_second");
    ps_json_write_number(writer, speeds ? round(speed / (double)speeds) : NAN);
}

enum ps_status ps_report_write_train(struct ps_report *report, const struct ps_report_run *run,
                                     struct ps_json_writer *writer, struct ps_error *error) {
    char *path = run->path ? ps_path_join(&report->arena, run->path, "metrics.jsonl") : NULL;
    PS_FAIL_IF(run->path && !path, error, PS_MEMORY, "out of memory");
    ps_json_write_key(writer, "train");
    ps_json_write_begin_array(writer);
    for (size_t i = 0; i < run->stage_count; i++) {
        const struct ps_report_stage *stage = &run->stages[i];
        struct curve curve = {0};
        json_t *result;
        if (strcmp(stage->kind, "train") != 0) continue;
        PS_TRY(ps_report_read(report, stage->directory, "result.json", &result, error));
        enum ps_status status = read_curve(path, stage, &curve, error);
        ps_json_write_begin_object(writer);
        ps_json_write_key(writer, "stage");
        ps_json_write_string(writer, stage->id);
        ps_json_write_key(writer, "result");
        ps_json_write_value(writer, result);
        write_curve(&curve, writer);
        ps_json_write_end_object(writer);
        json_decref(result);
        ps_free(curve.points);
        PS_TRY(status);
    }
    ps_json_write_end_array(writer);
    return PS_OK;
}
