/* potstill: the command line. */
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "--version") == 0) {
        puts("potstill " PS_VERSION);
        return 0;
    }
    fputs("potstill: see potstill --help\n", stderr);
    return 2;
}
