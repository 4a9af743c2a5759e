// SPDX-License-Identifier: Apache-2.0
// How often each name occurs, in bounded memory: exact up to a number of names, then with errors
// that are known.
#pragma once

#include "analytics/analytics.h"
#include "analytics/names.h"
#include "analytics/sketch.h"

struct tally_count {
    uint64_t count; // occurrences since the name has been in the table: it had so many at least
    uint64_t error; // and so many more at most
};

struct tally {
    struct names names;
    struct tally_count *counts; // by number
    uint32_t room;              // of counts
    uint32_t names_max;
    uint64_t missed; // a name that is not in the table occurred at most so often
    struct sketch sketch;
};

// `bytes_max` bounds the copies of names.
void tally_init(struct tally *tally, uint64_t seed, uint32_t names_max, uint64_t bytes_max);
void tally_deinit(struct tally *tally);

// Numbers of names are valid until a purge.
bool tally_find(const struct tally *tally, str name, uint64_t hash, uint32_t *ret_number);
// Gives a new name its number, in a tally that is not full. `hash` is names_hash() in both.
err tally_enter(struct tally *tally, str name, uint64_t hash, uint32_t *ret_number,
                struct als_why *why);
bool tally_is_full(const struct tally *tally);
// Lets go of at least half of the names, the rarest; the others get new numbers.
err tally_purge(struct tally *tally, struct als_why *why);
static inline void tally_add(struct tally *tally, uint32_t number, uint64_t count)
{
    tally->counts[number].count += count;
}
err tally_merge(struct tally *target, struct tally *source, struct als_why *why);

void tally_answer(const struct tally *tally, struct summary_names *ret_names);
