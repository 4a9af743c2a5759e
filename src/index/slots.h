// SPDX-License-Identifier: Apache-2.0
// A hash table of 32-bit values, for one writer and many readers without locks.
//
// It keeps no keys: the caller looks each candidate's key up by its value (in the log, in the list
// of names) and compares. A slot is 8 bytes: 32 bits of hash, which make a false candidate rare,
// and the value plus one. The table is cut into shards by other bits of the hash; each grows by
// itself by half, so no single growth is long and a slot is on average 63 % in use.
// An old array of a shard is freed when no reader is inside (`readers` is 0 at some moment after
// the new one was put in its place), else it waits for a later growth.
// Values are never removed: one that became wrong is a candidate whose key does not match.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SLOTS_SHARDS = 64 };

struct slots_array;

struct slots {
    _Atomic(struct slots_array *) shards[SLOTS_SHARDS];
    struct slots_array *retired; // writer only
    _Atomic uint64_t bytes;      // held, retired ones included; the writer adds, anyone may read
    _Alignas(64) _Atomic uint32_t readers;
};

void slots_init(struct slots *slots);
void slots_deinit(struct slots *slots);

// Writer only. False: no memory.
bool slots_add(struct slots *slots, uint64_t hash, uint32_t value);

// The cache line where the hash's candidates begin. Writer only.
void slots_prefetch(const struct slots *slots, uint64_t hash);

// Walks the candidates of a hash:
//   struct slots_probe probe = slots_enter(slots, hash);
//   uint32_t value;
//   while (slots_next(&probe, &value) && !is_it(value)) continue;
//   slots_leave(slots);
// The writer may do the same.
struct slots_probe {
    const struct slots_array *array;
    uint32_t at, fingerprint;
};
struct slots_probe slots_enter(struct slots *slots, uint64_t hash);
// The same where no other thread knows of the slots: nobody is told, and nothing is left.
struct slots_probe slots_enter_alone(const struct slots *slots, uint64_t hash);
bool slots_next(struct slots_probe *probe, uint32_t *ret_value);
void slots_leave(struct slots *slots);
