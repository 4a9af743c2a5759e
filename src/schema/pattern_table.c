// SPDX-License-Identifier: Apache-2.0
// The table of a pattern: its code as a deterministic machine (Rabin and Scott 1959), made once and
// only when it stays small. Code points that no part of the pattern tells apart are one class. A
// state is a set of places in the code; whether it stands at the start of the text belongs to it,
// for `^` does.
//
// Patterns that ask for words' edges or look around have none: what they say depends on more than
// what was read. Nor have those with more than STATES states, CLASSES classes, or where making the
// table would take more than WORK steps, or than the schema has left. All of these are simulated.
#include "schema/pattern_code.h"

#include "base/hash.h"
#include "base/own.h"

#include <stdlib.h>

enum { STATES = 256, CLASSES = 128, WORK = 2000000, DEAD = 0, MATCHED = 1 };

struct state {
    uint64_t hash;
    const uint32_t *places; // those that take a character, and `$`; ascending
    uint32_t count;
    bool start;
};

struct tabulation {
    const struct pattern *pattern;
    struct arena *scratch;
    struct places places;
    uint32_t *stack;
    struct state states[STATES];
    uint32_t state_count;
    uint64_t class_hashes[CLASSES];
    uint32_t class_points[CLASSES]; // a code point of each
    uint32_t class_count;
    uint16_t next[STATES][CLASSES];
    uint8_t matches_at_end[STATES];
    uint8_t ascii[128];
    struct code_range *spans;
    size_t span_count;
    uint64_t work, work_max;
};

// ---- Classes

static int compare_points(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

// The code points where some part of the pattern begins or ceases to take; NULL when too many.
static uint32_t *borders(struct tabulation *tabulation, size_t *ret_count)
{
    const struct pattern *pattern = tabulation->pattern;
    size_t room = 2;
    for (uint32_t i = 0; i < pattern->count; i++)
        room += pattern->code[i].op == OP_RANGE ? 2 : 0;
    for (uint32_t i = 0; i < pattern->set_count; i++)
        room += pattern->sets[i].ranges.count * 2;
    uint32_t *points = ARENA_ARRAY(tabulation->scratch, uint32_t, room);
    if (!points || room > tabulation->work_max / 16)
        return NULL;
    size_t count = 0;
    points[count++] = 0;
    points[count++] = 128;
    for (uint32_t i = 0; i < pattern->count; i++)
        if (pattern->code[i].op == OP_RANGE) {
            points[count++] = pattern->code[i].a;
            points[count++] = pattern->code[i].b + 1;
        }
    for (uint32_t i = 0; i < pattern->set_count; i++)
        for (size_t r = 0; r < pattern->sets[i].ranges.count; r++) {
            points[count++] = pattern->sets[i].ranges.items[r].first;
            points[count++] = pattern->sets[i].ranges.items[r].last + 1;
        }
    qsort(points, count, sizeof *points, compare_points);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || points[i] != points[kept - 1])
            points[kept++] = points[i];
    *ret_count = kept;
    return points;
}

// Equal for code points that every part of the pattern treats alike.
static uint64_t treatment(struct tabulation *tabulation, uint32_t point)
{
    const struct pattern *pattern = tabulation->pattern;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < pattern->set_count; i++)
        hash = (hash ^ (set_holds(&pattern->sets[i], point) ? i * 2 + 3 : 1)) *
               UINT64_C(0x9e3779b97f4a7c15);
    for (uint32_t i = 0; i < pattern->count; i++)
        if (pattern->code[i].op == OP_RANGE)
            hash = (hash ^ (inst_takes(pattern, &pattern->code[i], point) ? i * 2 + 3 : 1)) *
                   UINT64_C(0xc2b2ae3d27d4eb4f);
    tabulation->work += pattern->set_count + pattern->count;
    return hash_bytes(&hash, sizeof hash, 0);
}

static bool classify(struct tabulation *tabulation)
{
    size_t count;
    uint32_t *points = borders(tabulation, &count);
    tabulation->spans = ARENA_ARRAY(tabulation->scratch, struct code_range, points ? count : 0);
    if (!points || !tabulation->spans)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = treatment(tabulation, points[i]);
        uint32_t class = 0;
        while (class < tabulation->class_count && tabulation->class_hashes[class] != hash)
            class ++;
        if (class == CLASSES || tabulation->work > tabulation->work_max)
            return false;
        if (class == tabulation->class_count) {
            tabulation->class_hashes[class] = hash;
            tabulation->class_points[class] = points[i];
            tabulation->class_count++;
        }
        uint32_t behind = i + 1 < count ? points[i + 1] : UNICODE_LAST + 1;
        for (uint32_t point = points[i]; point < behind && point < 128; point++)
            tabulation->ascii[point] = (uint8_t) class;
        if (points[i] >= 128)
            tabulation->spans[tabulation->span_count++] = (struct code_range){points[i], class};
    }
    return true;
}

// ---- States

// The state of what is in `places`; STATES when there is no room.
static uint32_t state_of(struct tabulation *tabulation, bool start)
{
    const struct pattern *pattern = tabulation->pattern;
    struct places *places = &tabulation->places;
    uint32_t count = 0;
    for (uint32_t i = 0; i < places->count; i++)
        if (pattern->code[places->items[i]].op <= OP_SET ||
            pattern->code[places->items[i]].op == OP_END)
            places->items[count++] = places->items[i];
    if (count == 0 && pattern->anchored)
        return DEAD;
    qsort(places->items, count, sizeof *places->items, compare_points);
    uint64_t hash = hash_bytes(places->items, count * sizeof *places->items, start);
    for (uint32_t i = MATCHED + 1; i < tabulation->state_count; i++) {
        const struct state *state = &tabulation->states[i];
        if (state->hash == hash && state->count == count && state->start == start &&
            memcmp(state->places, places->items, count * sizeof *places->items) == 0)
            return i;
    }
    if (tabulation->state_count == STATES)
        return STATES;
    uint32_t *copy = ARENA_ARRAY(tabulation->scratch, uint32_t, count);
    if (!copy)
        return STATES;
    memcpy(copy, places->items, count * sizeof *copy);
    tabulation->states[tabulation->state_count] = (struct state){hash, copy, count, start};
    return tabulation->state_count++;
}

static bool add_start(struct tabulation *tabulation, const struct surroundings *around)
{
    return places_add(tabulation->pattern, &tabulation->places, tabulation->pattern->start, around,
                      tabulation->stack);
}

static uint32_t state_behind(struct tabulation *tabulation, const struct state *state,
                             uint32_t point)
{
    const struct pattern *pattern = tabulation->pattern;
    struct surroundings inside = {};
    tabulation->places.count = 0;
    bool matches = false;
    for (uint32_t i = 0; i < state->count; i++) {
        const struct inst *inst = &pattern->code[state->places[i]];
        if (inst->op <= OP_SET && inst_takes(pattern, inst, point))
            matches |= places_add(pattern, &tabulation->places, state->places[i] + 1, &inside,
                                  tabulation->stack);
    }
    if (!pattern->anchored)
        matches |= add_start(tabulation, &inside);
    tabulation->work += state->count + tabulation->places.count + 1;
    return matches ? MATCHED : state_of(tabulation, false);
}

// Whether the state has matched if the text is over.
static bool matches_at_end(struct tabulation *tabulation, const struct state *state)
{
    struct surroundings end = {.start = state->start, .end = true};
    bool matches = false;
    tabulation->places.count = 0;
    for (uint32_t i = 0; i < state->count; i++)
        if (tabulation->pattern->code[state->places[i]].op == OP_END)
            matches |= places_add(tabulation->pattern, &tabulation->places, state->places[i], &end,
                                  tabulation->stack);
    return matches;
}

static bool explore(struct tabulation *tabulation, uint32_t *ret_start)
{
    struct surroundings start = {.start = true};
    tabulation->state_count = MATCHED + 1;
    tabulation->matches_at_end[MATCHED] = true;
    for (uint32_t class = 0; class < tabulation->class_count; class ++)
        tabulation->next[MATCHED][class] = MATCHED;
    *ret_start = add_start(tabulation, &start) ? MATCHED : state_of(tabulation, true);
    for (uint32_t i = MATCHED + 1; i < tabulation->state_count; i++) {
        struct state state = tabulation->states[i];
        tabulation->matches_at_end[i] = matches_at_end(tabulation, &state);
        for (uint32_t class = 0; class < tabulation->class_count; class ++) {
            uint32_t next = state_behind(tabulation, &state, tabulation->class_points[class]);
            if (next == STATES || tabulation->work > tabulation->work_max)
                return false;
            tabulation->next[i][class] = (uint16_t)next;
        }
    }
    return true;
}

// ---- The result

static struct table *packed(const struct tabulation *tabulation, uint32_t start,
                            struct arena *arena)
{
    uint32_t states = tabulation->state_count, classes = tabulation->class_count;
    struct table *table = ARENA_NEW(arena, struct table);
    uint16_t *next = ARENA_ARRAY(arena, uint16_t, states * classes);
    uint8_t *ends = ARENA_ARRAY(arena, uint8_t, states);
    struct code_range *spans = ARENA_ARRAY(arena, struct code_range, tabulation->span_count);
    if (!table || !next || !ends || !spans)
        return NULL;
    for (uint32_t i = 0; i < states; i++)
        memcpy(next + (size_t)i * classes, tabulation->next[i], classes * sizeof *next);
    memcpy(ends, tabulation->matches_at_end, states);
    memcpy(spans, tabulation->spans, tabulation->span_count * sizeof *spans);
    *table = (struct table){
        .next = next,
        .matches_at_end = ends,
        .class_count = classes,
        .start = start,
        .spans = spans,
        .span_count = tabulation->span_count,
    };
    memcpy(table->ascii, tabulation->ascii, sizeof table->ascii);
    return table;
}

void pattern_tabulate(struct pattern *pattern, struct arena *arena, struct arena *scratch,
                      uint64_t *work)
{
    for (uint32_t i = 0; i < pattern->count; i++)
        if (pattern->code[i].op >= OP_WORD && pattern->code[i].op <= OP_LOOK)
            return;
    struct tabulation *tabulation = ARENA_NEW(scratch, struct tabulation);
    if (!tabulation)
        return;
    *tabulation = (struct tabulation){
        .pattern = pattern,
        .scratch = scratch,
        .work_max = *work < WORK ? *work : WORK,
        .places = {ARENA_ARRAY(scratch, uint32_t, pattern->count),
                   ARENA_ARRAY(scratch, uint32_t, pattern->count), 0},
        .stack = ARENA_ARRAY(scratch, uint32_t, pattern->count * 2 + 2),
    };
    uint32_t start;
    if (!tabulation->places.items || !tabulation->places.where || !tabulation->stack)
        return;
    memset(tabulation->places.where, 0, pattern->count * sizeof *tabulation->places.where);
    if (classify(tabulation) && explore(tabulation, &start))
        pattern->table = packed(tabulation, start, arena);
    *work -= tabulation->work < *work ? tabulation->work : *work;
}
