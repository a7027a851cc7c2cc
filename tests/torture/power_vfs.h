#pragma once
/* A file system that loses power: SQLite's own, with a shadow of what is surely on the disk.
 *
 * Writes go through to the files. Beside each file stands what fsync has made sure of; when power
 * is lost, each 512-byte sector written since then is there or not, by chance and for itself, and
 * so is a change of size: writes are lost, torn and reordered. The same file system can let a
 * write, an fsync or a change of size fail. One thread; one store at a time. */

#include <stdbool.h>
#include <stdint.h>

enum power_event { POWER_LOSS, POWER_FULL, POWER_ERROR };

/* Becomes SQLite's default. */
void power_register(void);
/* Forgets all files. The n-th write, fsync or change of size from now on meets the event; 0: none.
 * After a loss of power every call fails; power_restore gives the files what was left on the disk.
 * Errors last for `times` calls. */
void power_arm(enum power_event event, uint64_t at, uint64_t times, uint64_t seed);
bool power_met(void);       /* the event has happened */
uint64_t power_calls(void); /* writes, fsyncs and changes of size since it was armed */
void power_restore(void);
