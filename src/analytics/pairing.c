// SPDX-License-Identifier: Apache-2.0
// For each moment of a, those of b that are near it are two neighbouring stretches, one before it
// and one from it on. As a goes on, the ends of both only go forward, so counting pairs is one
// walk.
//
// The sum of whole seconds between them takes a little more. With a moment split into seconds s and
// a fraction f, the whole seconds from a to a later b are s(b) - s(a), less one if f(b) < f(a). So
// of a stretch must be known how many there are, the sum of their seconds, and how many of their
// fractions lie below (for those before a: above) that of a. The last is a Fenwick tree over the
// places of the fractions in order (P. Fenwick, "A new data structure for cumulative frequency
// tables", 1994): O(log n) for each moment that enters, leaves, or asks.
//
// With one type twice, b are the moments of a, those behind its own are "after" and make the pairs;
// those up to its own are "before" and only tell whether the moment is in a pair at all.
#include "analytics/pairing.h"

#include <stdlib.h>

#define SECOND_US INT64_C(1000000)
#define REACH_US_MAX (INT64_C(1) << 60) // farther than any two moments are apart

static int64_t seconds_of(int64_t us)
{
    return us / SECOND_US - (us % SECOND_US < 0);
}

static uint32_t fraction_of(int64_t us)
{
    return (uint32_t)(us - seconds_of(us) * SECOND_US);
}

void pairing_init(struct pairing *pairing, const struct analysis_question *question, bool same,
                  struct correlation_answer *answer)
{
    *pairing = (struct pairing){.question = question, .same = same, .answer = answer};
    bool far = question->within_s >= (uint64_t)(REACH_US_MAX / SECOND_US);
    pairing->reach_us = far ? REACH_US_MAX : ((int64_t)question->within_s + 1) * SECOND_US - 1;
}

void pairing_deinit(struct pairing *pairing)
{
    free(pairing->fractions);
    free(pairing->places);
    free(pairing->before.tree);
    free(pairing->after.tree);
}

// ---- Fractions and their places

static err reserve(struct pairing *pairing, uint32_t count, struct als_why *why)
{
    if (count <= pairing->room)
        return ALS_OK;
    uint32_t **arrays[] = {&pairing->fractions, &pairing->places, &pairing->before.tree,
                           &pairing->after.tree};
    for (size_t i = 0; i < COUNT_OF(arrays); i++) {
        uint32_t *array = realloc(*arrays[i], ((size_t)count + 1) * sizeof *array);
        if (!array)
            return FAIL(why, ALS_NO_MEMORY, "no memory to pair %u events", count);
        *arrays[i] = array;
    }
    pairing->room = count;
    return ALS_OK;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

// How many fractions are less than this one.
static uint32_t place_of(const struct pairing *pairing, uint32_t fraction)
{
    uint32_t low = 0, high = pairing->b.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pairing->fractions[middle] < fraction)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static err begin_entity(struct pairing *pairing, struct als_why *why)
{
    uint32_t count = pairing->b.count;
    TRY(reserve(pairing, count, why));
    for (uint32_t i = 0; i < count; i++)
        pairing->fractions[i] = fraction_of(pairing->b.us[i]);
    qsort(pairing->fractions, count, sizeof *pairing->fractions, by_value);
    for (uint32_t i = 0; i < count; i++)
        pairing->places[i] = place_of(pairing, fraction_of(pairing->b.us[i]));
    struct near *nears[] = {&pairing->before, &pairing->after};
    for (size_t i = 0; i < COUNT_OF(nears); i++) {
        memset(nears[i]->tree, 0, ((size_t)count + 1) * sizeof *nears[i]->tree);
        nears[i]->count = 0;
        nears[i]->seconds = 0;
    }
    return ALS_OK;
}

// ---- Stretches

// Adds the moment `i` of b to a stretch, or takes it away (`one` is -1).
static void near_change(const struct pairing *pairing, struct near *near, uint32_t i, int one)
{
    for (uint32_t at = pairing->places[i] + 1; at <= pairing->b.count; at += at & -at)
        near->tree[at] += (uint32_t)one;
    near->count += (uint32_t)one;
    near->seconds += one * seconds_of(pairing->b.us[i]);
}

// How many of a stretch have a fraction at one of the first `places` places.
static uint32_t near_below(const struct near *near, uint32_t places)
{
    uint32_t sum = 0;
    for (uint32_t at = places; at > 0; at &= at - 1)
        sum += near->tree[at];
    return sum;
}

static int64_t seconds_after(const struct pairing *pairing, int64_t us)
{
    const struct near *near = &pairing->after;
    return near->seconds - seconds_of(us) * near->count -
           near_below(near, place_of(pairing, fraction_of(us)));
}

static int64_t seconds_before(const struct pairing *pairing, int64_t us)
{
    const struct near *near = &pairing->before;
    uint32_t not_above = near_below(near, place_of(pairing, fraction_of(us) + 1));
    return seconds_of(us) * near->count - near->seconds - (near->count - not_above);
}

// ---- Examples: the earliest pairs.

static bool earlier(const struct correlation_example *a, const struct correlation_example *b)
{
    if (a->a_us != b->a_us)
        return a->a_us < b->a_us;
    if (a->b_us != b->b_us)
        return a->b_us < b->b_us;
    return str_compare(a->entity, b->entity) < 0;
}

// False when it comes too late; then all later ones do.
static bool offer(struct correlation_answer *answer, struct correlation_example example)
{
    size_t at = answer->example_count;
    if (at == CORRELATION_EXAMPLES_MAX && !earlier(&example, &answer->examples[--at]))
        return false;
    for (; at > 0 && earlier(&example, &answer->examples[at - 1]); at--)
        answer->examples[at] = answer->examples[at - 1];
    answer->examples[at] = example;
    if (answer->example_count < CORRELATION_EXAMPLES_MAX)
        answer->example_count++;
    return true;
}

static void offer_pairs(struct pairing *pairing, int64_t a_us, uint32_t begin, uint32_t end)
{
    for (uint32_t i = begin; i < end; i++) {
        struct correlation_example example = {pairing->entity, a_us, pairing->b.us[i]};
        if (!offer(pairing->answer, example))
            return;
    }
}

// ---- The walk

// The stretches of b: [first, here) is before, [here, end) is after.
struct stretches {
    uint32_t first, here, end;
};

static void go_on(struct pairing *pairing, uint32_t i, struct stretches *at)
{
    int64_t us = pairing->a.us[i];
    const struct moments *b = &pairing->b;
    for (; at->end < b->count && b->us[at->end] <= us + pairing->reach_us; at->end++)
        near_change(pairing, &pairing->after, at->end, 1);
    while (pairing->same ? at->here <= i : at->here < b->count && b->us[at->here] < us) {
        near_change(pairing, &pairing->after, at->here, -1);
        near_change(pairing, &pairing->before, at->here++, 1);
    }
    for (; at->first < at->here && b->us[at->first] < us - pairing->reach_us; at->first++)
        near_change(pairing, &pairing->before, at->first, -1);
}

static void count_one_type(struct pairing *pairing, uint32_t i, const struct stretches *at)
{
    struct correlation_answer *answer = pairing->answer;
    answer->pairs += pairing->after.count;
    answer->paired_a += pairing->after.count > 0 || pairing->before.count > 1; // itself is before
    pairing->seconds += (uint64_t)seconds_after(pairing, pairing->a.us[i]);
    offer_pairs(pairing, pairing->a.us[i], at->here, at->end);
}

static void count_two_types(struct pairing *pairing, uint32_t i, const struct stretches *at)
{
    struct correlation_answer *answer = pairing->answer;
    uint32_t count = pairing->before.count + pairing->after.count;
    answer->pairs += count;
    answer->paired_a += count > 0;
    pairing->seconds += (uint64_t)seconds_after(pairing, pairing->a.us[i]) +
                        (uint64_t)seconds_before(pairing, pairing->a.us[i]);
    offer_pairs(pairing, pairing->a.us[i], at->first, at->end);
}

err pairing_take(struct pairing *pairing, str entity, struct moments a, struct moments b,
                 struct als_why *why)
{
    enum { ASK_EVERY = 4096 };
    pairing->entity = entity;
    pairing->a = a;
    pairing->b = b;
    TRY(begin_entity(pairing, why));
    struct stretches at = {};
    for (uint32_t i = 0; i < a.count; i++) {
        if (i % ASK_EVERY == 0)
            TRY(still_wanted(pairing->question, why));
        go_on(pairing, i, &at);
        if (pairing->same)
            count_one_type(pairing, i, &at);
        else
            count_two_types(pairing, i, &at);
    }
    struct correlation_answer *answer = pairing->answer;
    answer->mean_seconds = answer->pairs ? (double)pairing->seconds / (double)answer->pairs : 0;
    return ALS_OK;
}
