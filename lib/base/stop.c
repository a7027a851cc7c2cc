#include "base/stop.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t stop_requested;

static void on_signal(int number) {
    stop_requested = 1;
    signal(number, SIG_DFL); /* the second one is not held up */
}

void ps_stop_install_handlers(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void ps_stop_request(bool stop) {
    stop_requested = stop;
}

enum ps_status ps_stop_check(struct ps_error *error) {
    PS_FAIL_IF(stop_requested, error, PS_STOPPED, "stopped by the user; everything so far is kept");
    return PS_OK;
}
