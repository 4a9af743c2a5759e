// SPDX-License-Identifier: Apache-2.0
// A history that is long enough to lie in sealed files, and what its events look like: orders of
// some 256 bytes of which no two are alike, most entities short (ten events within a thousand), a
// few as long as the history, seven types, and one type that is rare.
#pragma once

#include "bench/workload.h"

enum {
    LIFE_EVENTS = 10,    // of a short entity
    LIFE_STRETCH = 1000, // within so many neighbouring events
    LIFE_ENTITIES = 99,  // of a stretch; the hundredth event belongs to a long one
    LONG_ENTITIES = 1000,
    HISTORY_TYPES = 7,
    RARE_EVERY = 100000,
};

extern const struct shape shape_history;

// Names of entities and types, in `space`.
enum { HISTORY_NAME_BYTES = 32 };
als_str life_name(uint64_t stretch, uint64_t number, char space[static HISTORY_NAME_BYTES]);
als_str long_name(uint64_t number, char space[static HISTORY_NAME_BYTES]);
als_str history_type(uint64_t number, char space[static HISTORY_NAME_BYTES]);
extern const char history_rare[];

// Opens a store whose log is written, but not synced: what is measured is not the disk.
void history_open(struct place *place);
// Waits until all is sealed that can be.
void history_settle(struct place *place);
// Closes and opens: nothing is in the store's own memory then; the system's cache is warm.
void history_reopen(struct place *place);

// history_reads.c
void history_add_reads(const struct bench *bench, struct place *place, uint64_t events);
void history_add_scans(const struct bench *bench, struct place *place, uint64_t events);
// history_memory.c; the place is closed.
void history_add_memory(const struct bench *bench, const struct place *place, uint64_t events);
// What the program does when its first word is this one: DIRECTORY EVENTS SECONDS. Its exit code.
#define HISTORY_SERVE "--history-serve"
int history_serve(char *const *words);

// "history/NAME", one sample or more.
void history_add_row(const struct bench *bench, struct row row, const char *name,
                     const struct samples *samples);
