/* embed NAME OUT FILE...: writes a C file with the bytes of the files, one behind the other, as
 * `const char NAME[]` and their number as `const size_t NAME_size`. Runs while building. */

#include <stdio.h>

int main(int count, char **arguments) {
    if (count < 4) return fputs("usage: embed NAME OUT FILE...\n", stderr), 2;
    FILE *out = fopen(arguments[2], "w");
    if (!out) return perror(arguments[2]), 1;
    size_t size = 0;
    fprintf(out, "#include \"pipelines/report/report_internal.h\"\n\nconst char %s[] = {",
            arguments[1]);
    for (int i = 3; i < count; i++) {
        FILE *in = fopen(arguments[i], "rb");
        if (!in) return perror(arguments[i]), 1;
        for (int c; (c = getc(in)) != EOF; size++)
            fprintf(out, "%s%d,", size % 24 ? "" : "\n    ", c < 128 ? c : c - 256);
        fclose(in);
    }
    fprintf(out, "\n    0};\nconst size_t %s_size = %zu;\n", arguments[1], size);
    return fclose(out) == 0 ? 0 : 1;
}
