#pragma once
/* A wish to stop: SIGINT and SIGTERM set a flag that long work looks at between steps; it then
 * keeps what it has and returns PS_STOPPED. A second signal ends the process at once (the store
 * and checkpoints are safe against that). */

#include "base/status.h"

#include <stdbool.h>

void ps_stop_install_handlers(void);
void ps_stop_request(bool stop); /* for tests */

/* PS_STOPPED with a message when a stop was asked for, else PS_OK: PS_TRY(ps_stop_check(error)). */
enum ps_status ps_stop_check(struct ps_error *error);
