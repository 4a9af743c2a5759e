// SPDX-License-Identifier: Apache-2.0
// Damage to a log that nobody has open, in every way a disk or a hand can do it: each bit flipped,
// each length cut, sectors zeroed and swapped, a batch taken from another history of the same log.
#pragma once

#include "wal_subject.h"

// What became of the cases.
struct damage {
    uint64_t cases;
    uint64_t refused;     // ALS_CORRUPT or a newer format, naming the file
    uint64_t counted;     // opened; what could not be read was cut and reported
    uint64_t unchanged;   // the damage changed no byte
    uint64_t exempt;      // the end was hit so that it looks as if it had never been written
    uint64_t silent;      // opened without a word, though something was wrong. Never.
    struct als_why first; // about the first silent one
};

void damage_flips(struct damage *ret_damage);
void damage_flips_without_mark(struct damage *ret_damage);
void damage_cuts(struct damage *ret_damage);
void damage_zeros(struct damage *ret_damage);
void damage_swaps(struct damage *ret_damage);
void damage_splice(struct damage *ret_damage);
void damage_print(const char *what, const struct damage *damage);
