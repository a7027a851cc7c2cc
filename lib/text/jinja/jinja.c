#include "text/jinja/jinja.h"

enum ps_status ps_jinja_parse(const char *name, const char *source, size_t size,
                              struct ps_jinja **template, struct ps_error *error) {
    (void)source, (void)size;
    *template = NULL;
    return ps_error_set(error, PS_UNSUPPORTED, "%s: templates from files are not built yet", name);
}

void ps_jinja_free(struct ps_jinja *template) {
    (void)template;
}

enum ps_status ps_jinja_render(const struct ps_jinja *template, const struct ps_jinja_input *input,
                               struct ps_marked_text *out, struct ps_error *error) {
    (void)template, (void)input, (void)out;
    return ps_error_set(error, PS_UNSUPPORTED, "templates from files are not built yet");
}
