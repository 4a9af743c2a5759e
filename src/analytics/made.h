// SPDX-License-Identifier: Apache-2.0
// For tests: events drawn from a seed, given to analyses as blocks and one by one, in shares.
#pragma once

#include "analytics/analytics.h"
#include "base/rand.h"
#include "base/time.h"
#include "segment/segment.h"
#include "test.h"

#include <stdlib.h>

enum { MADE_MAX = 4000, MADE_NAMES_MAX = 600, MADE_SHARES_MAX = 4 };

struct made {
    struct rand rand;
    size_t count;
    uint32_t entity_count, type_count;
    int64_t us[MADE_MAX];
    uint32_t entities[MADE_MAX], types[MADE_MAX];
    char entity_texts[MADE_NAMES_MAX][16], type_texts[MADE_NAMES_MAX][16];
};

static inline int64_t at(const char *text)
{
    int64_t us;
    CHECK(time_parse(str_of(text), &us));
    return us;
}

static inline str made_entity(const struct made *made, size_t i)
{
    return str_of(made->entity_texts[made->entities[i]]);
}
static inline str made_type(const struct made *made, size_t i)
{
    return str_of(made->type_texts[made->types[i]]);
}

// Moments lie in [from, from + span).
static inline struct made *made_new(uint64_t seed, size_t count, int64_t from_us, uint64_t span_us)
{
    struct made *made = calloc(1, sizeof *made);
    CHECK(made && count <= MADE_MAX);
    made->rand.state = seed;
    made->count = count;
    made->entity_count = 1 + (uint32_t)rand_below(&made->rand, 40);
    made->type_count = 1 + (uint32_t)rand_below(&made->rand, 8);
    for (uint32_t i = 0; i < MADE_NAMES_MAX; i++) {
        (void)snprintf(made->entity_texts[i], 16, "entity-%u", i);
        (void)snprintf(made->type_texts[i], 16, "%s.%u", i % 2 ? "order" : "user", i);
    }
    for (size_t i = 0; i < count; i++) {
        made->us[i] = from_us + (int64_t)rand_below(&made->rand, span_us);
        made->entities[i] = (uint32_t)rand_below(&made->rand, made->entity_count);
        made->types[i] = (uint32_t)rand_below(&made->rand, made->type_count);
    }
    return made;
}

// ---- Giving them

// What one share has of dictionaries: for a while the same one, then another with other numbers.
struct made_scan {
    uint64_t dictionary;
    uint32_t shift; // number = (name + shift) % MADE_NAMES_MAX
    str entity_names[MADE_NAMES_MAX], type_names[MADE_NAMES_MAX];
};

static inline void made_turn_over(struct made *made, struct made_scan *scan)
{
    scan->dictionary++;
    scan->shift = (uint32_t)rand_below(&made->rand, MADE_NAMES_MAX);
    for (uint32_t i = 0; i < MADE_NAMES_MAX; i++) {
        uint32_t number = (i + scan->shift) % MADE_NAMES_MAX;
        scan->entity_names[number] = str_of(made->entity_texts[i]);
        scan->type_names[number] = str_of(made->type_texts[i]);
    }
}

static inline void made_give_block(struct made *made, struct made_scan *scan, size_t first,
                                   size_t count, struct analysis *analysis)
{
    uint32_t entities[SEGMENT_BLOCK_ROWS], types[SEGMENT_BLOCK_ROWS];
    if (scan->dictionary == 0 || rand_below(&made->rand, 3) == 0)
        made_turn_over(made, scan);
    for (size_t i = 0; i < count; i++) {
        entities[i] = (made->entities[first + i] + scan->shift) % MADE_NAMES_MAX;
        types[i] = (made->types[first + i] + scan->shift) % MADE_NAMES_MAX;
    }
    struct segment_block block = {.count = (uint32_t)count,
                                  .timestamps_us = made->us + first,
                                  .entities = entities,
                                  .types = types,
                                  .entity_names = scan->entity_names,
                                  .type_names = scan->type_names,
                                  .entity_count = MADE_NAMES_MAX,
                                  .type_count = MADE_NAMES_MAX,
                                  .entity_dictionary = scan->dictionary,
                                  .type_dictionary = scan->dictionary};
    CHECK_OK(analysis_take_block(analysis, &block, NULL));
}

static inline void made_give_event(const struct made *made, size_t i, struct analysis *analysis)
{
    struct als_event event = {.position = i + 1,
                              .timestamp_us = made->us[i],
                              .entity = made_entity(made, i),
                              .type = made_type(made, i)};
    CHECK_OK(analysis_take_event(analysis, &event, NULL));
}

// All of them, in pieces of either kind to one of several analyses, which are merged in the end.
static inline struct analysis *made_analyse(struct made *made,
                                            const struct analysis_question *question)
{
    struct analysis *shares[MADE_SHARES_MAX];
    struct made_scan *scans = calloc(MADE_SHARES_MAX, sizeof *scans);
    size_t share_count = 1 + rand_below(&made->rand, MADE_SHARES_MAX);
    CHECK(scans);
    CHECK_OK(analysis_check(question, NULL));
    for (size_t i = 0; i < share_count; i++)
        CHECK_OK(analysis_new(question, &shares[i], NULL));
    for (size_t first = 0; first < made->count;) {
        size_t share = rand_below(&made->rand, share_count);
        size_t count = 1 + rand_below(&made->rand, 200);
        count = count < made->count - first ? count : made->count - first;
        if (rand_below(&made->rand, 2))
            made_give_block(made, &scans[share], first, count, shares[share]);
        else
            for (size_t i = 0; i < count; i++)
                made_give_event(made, first + i, shares[share]);
        first += count;
    }
    for (size_t i = 1; i < share_count; i++) {
        CHECK_OK(analysis_merge(shares[0], shares[i], NULL));
        analysis_free(shares[i]);
    }
    CHECK_OK(analysis_finish(shares[0], NULL));
    free(scans);
    return shares[0];
}
