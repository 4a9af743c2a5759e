// SPDX-License-Identifier: Apache-2.0
// Pairs of moments that are near each other, counted without looking at each pair.
#pragma once

#include "analytics/inside.h"

struct moments { // in order
    const int64_t *us;
    uint32_t count;
};

__extension__ typedef unsigned __int128 wide_sum;

// Moments of b on one side of the current moment of a and near it.
struct near {
    uint32_t *tree; // how many there are by the place of their fraction of a second; see pairing.c
    uint32_t count;
    int64_t seconds; // the sum of their whole seconds
};

struct pairing {
    const struct analysis_question *question;
    struct correlation_answer *answer; // filled in as entities come
    bool same;
    int64_t reach_us; // moments that far apart are a pair
    wide_sum seconds; // between the two of each pair, whole ones

    // Of the entity at hand.
    str entity;
    struct moments a, b;
    uint32_t *fractions; // of the moments of b, in order
    uint32_t *places;    // by moment of b: the place of its fraction among those
    struct near before, after;
    uint32_t room;
};

void pairing_init(struct pairing *pairing, const struct analysis_question *question, bool same,
                  struct correlation_answer *answer);
void pairing_deinit(struct pairing *pairing);
// Adds the pairs of one entity. With `same`, a and b are the same moments.
err pairing_take(struct pairing *pairing, str entity, struct moments a, struct moments b,
                 struct als_why *why);
