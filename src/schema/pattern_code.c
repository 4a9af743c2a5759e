// SPDX-License-Identifier: Apache-2.0
// From the tree to code that is run on sets of places (Thompson 1968): a repetition is written out,
// so a bound on the code bounds everything. The body of a look-ahead is coded from its last term to
// its first.
#include "schema/pattern_code.h"

#include "base/limits.h"
#include "base/own.h"

#include <assert.h>

struct generator {
    struct pattern *pattern;
    struct set *sets;
    uint32_t set_capacity;
    struct arena *arena;
    struct als_why *why;
};

static err emit(struct generator *generator, struct tree *tree, bool backwards);

static err add(struct generator *generator, enum op op, uint32_t a, uint32_t b)
{
    struct pattern *pattern = generator->pattern;
    if (pattern->count == SCHEMA_PATTERN_STATES_MAX)
        return FAIL(generator->why, ALS_TOO_LARGE,
                    "the pattern has more than %d states when its repetitions are written out",
                    SCHEMA_PATTERN_STATES_MAX);
    pattern->code[pattern->count++] = (struct inst){op, a, b};
    return ALS_OK;
}

static err emit_sequence(struct generator *generator, struct tree *tree, bool backwards)
{
    struct tree *child = backwards ? tree->last : tree->first;
    for (; child; child = backwards ? child->previous : child->next)
        TRY(emit(generator, child, backwards));
    return ALS_OK;
}

// SPLIT one, next; one; JUMP end; next: ...; the jumps are linked through `a` until the end is
// known.
static err emit_choice(struct generator *generator, struct tree *tree, bool backwards)
{
    struct pattern *pattern = generator->pattern;
    uint32_t jumps = UINT32_MAX;
    for (struct tree *child = tree->first; child; child = child->next) {
        uint32_t split = pattern->count;
        if (child->next)
            TRY(add(generator, OP_SPLIT, split + 1, 0));
        TRY(emit(generator, child, backwards));
        if (!child->next)
            break;
        TRY(add(generator, OP_JUMP, jumps, 0));
        jumps = pattern->count - 1;
        pattern->code[split].b = pattern->count;
    }
    while (jumps != UINT32_MAX) {
        uint32_t before = pattern->code[jumps].a;
        pattern->code[jumps].a = pattern->count;
        jumps = before;
    }
    return ALS_OK;
}

static err emit_repeat(struct generator *generator, struct tree *tree, bool backwards)
{
    struct pattern *pattern = generator->pattern;
    uint32_t begin = pattern->count;
    for (uint32_t i = 0; i < tree->low; i++) {
        TRY(emit(generator, tree->first, backwards));
        if (pattern->count == begin)
            return ALS_OK; // what takes nothing and asserts nothing may be repeated at will
    }
    if (tree->high == UINT32_MAX) {
        uint32_t split = pattern->count;
        TRY(add(generator, OP_SPLIT, split + 1, 0));
        TRY(emit(generator, tree->first, backwards));
        TRY(add(generator, OP_JUMP, split, 0));
        pattern->code[split].b = pattern->count;
        return ALS_OK;
    }
    uint32_t splits = UINT32_MAX;
    for (uint32_t i = tree->low; i < tree->high; i++) {
        uint32_t split = pattern->count;
        TRY(add(generator, OP_SPLIT, split + 1, splits));
        splits = split;
        TRY(emit(generator, tree->first, backwards));
    }
    while (splits != UINT32_MAX) {
        uint32_t before = pattern->code[splits].b;
        pattern->code[splits].b = pattern->count;
        splits = before;
    }
    return ALS_OK;
}

static err emit_set(struct generator *generator, const struct tree *tree)
{
    struct pattern *pattern = generator->pattern;
    uint32_t index = 0;
    while (index < pattern->set_count && generator->sets[index].ranges.items != tree->set.items)
        index++;
    if (index == pattern->set_count) {
        if (index == generator->set_capacity) {
            uint32_t capacity = index ? index * 2 : 8;
            struct set *larger = ARENA_ARRAY(generator->arena, struct set, capacity);
            if (!larger)
                return FAIL(generator->why, ALS_TOO_LARGE, "the pattern takes too much memory");
            if (index)
                memcpy(larger, generator->sets, index * sizeof *larger);
            generator->sets = larger;
            generator->set_capacity = capacity;
        }
        struct set *set = &generator->sets[pattern->set_count++];
        *set = (struct set){.ranges = tree->set};
        for (uint32_t c = 0; c < 128; c++)
            if (code_ranges_hold(set->ranges, c))
                set->ascii[c / 64] |= UINT64_C(1) << (c % 64);
    }
    return add(generator, OP_SET, index, 0);
}

// The body is coded once, aside, before the place that asks; inner ones first.
static err emit_look(struct generator *generator, struct tree *tree)
{
    struct pattern *pattern = generator->pattern;
    if (tree->look == 0) {
        uint32_t jump = pattern->count;
        TRY(add(generator, OP_JUMP, 0, 0));
        TRY(emit(generator, tree->first, !tree->behind));
        TRY(add(generator, OP_MATCH, 0, 0));
        pattern->code[jump].a = pattern->count;
        if (pattern->look_count == LOOKS_MAX)
            return FAIL(generator->why, ALS_TOO_LARGE, "a pattern looks around at most %d times",
                        LOOKS_MAX);
        pattern->looks[pattern->look_count++] =
            (struct look){.start = jump + 1, .behind = tree->behind, .negated = tree->negated};
        tree->look = pattern->look_count;
    }
    return add(generator, OP_LOOK, tree->look - 1, 0);
}

static err emit(struct generator *generator, struct tree *tree, bool backwards)
{
    switch (tree->kind) {
    case TREE_SEQUENCE:
        return emit_sequence(generator, tree, backwards);
    case TREE_CHOICE:
        return emit_choice(generator, tree, backwards);
    case TREE_REPEAT:
        return emit_repeat(generator, tree, backwards);
    case TREE_RANGE:
        return add(generator, OP_RANGE, tree->low, tree->high);
    case TREE_SET:
        return emit_set(generator, tree);
    case TREE_ASSERT:
        return add(generator, (enum op)tree->low, 0, 0);
    case TREE_LOOK:
        return emit_look(generator, tree);
    }
    assert(false);
}

// No place can be reached without standing at the start of the text.
static err find_anchor(struct pattern *pattern, struct arena *scratch, struct als_why *why)
{
    struct places places = {.items = ARENA_ARRAY(scratch, uint32_t, pattern->count),
                            .where = ARENA_ARRAY(scratch, uint32_t, pattern->count)};
    uint32_t *stack = ARENA_ARRAY(scratch, uint32_t, pattern->count * 2 + 2);
    if (!places.items || !places.where || !stack)
        return FAIL(why, ALS_TOO_LARGE, "the pattern takes too much memory");
    memset(places.where, 0, pattern->count * sizeof *places.where);
    struct surroundings inside = {.end = true, .assume = true};
    bool matches = places_add(pattern, &places, pattern->start, &inside, stack);
    pattern->anchored = !matches;
    for (uint32_t i = 0; i < places.count; i++)
        if (pattern->code[places.items[i]].op <= OP_SET)
            pattern->anchored = false;
    return ALS_OK;
}

err pattern_generate(struct tree *tree, struct pattern *pattern,
                     const struct pattern_source *source, struct als_why *why)
{
    // Coded into scratch, for its length is not known before.
    struct inst *room = ARENA_ARRAY(source->scratch, struct inst, SCHEMA_PATTERN_STATES_MAX);
    if (!room)
        return FAIL(why, ALS_TOO_LARGE, "the pattern takes too much memory");
    pattern->code = room;
    struct generator generator = {.pattern = pattern, .arena = source->arena, .why = why};
    TRY(emit(&generator, tree, false));
    TRY(add(&generator, OP_MATCH, 0, 0));
    pattern->sets = generator.sets;
    TRY(find_anchor(pattern, source->scratch, why));

    pattern->code = ARENA_ARRAY(source->arena, struct inst, pattern->count);
    if (!pattern->code)
        return FAIL(why, ALS_TOO_LARGE, "the pattern takes too much memory");
    memcpy(pattern->code, room, pattern->count * sizeof *room);
    return ALS_OK;
}
