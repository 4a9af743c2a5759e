// SPDX-License-Identifier: Apache-2.0
// Inside the patterns: the tree that the parser makes, the code that is made of it, and the table
// that is made of the code where it is small enough.
#pragma once

#include "schema/pattern.h"
#include "schema/unicode.h"

// ---- The tree

enum tree_kind {
    TREE_SEQUENCE, // of children, maybe none
    TREE_CHOICE,
    TREE_REPEAT, // one child, `low` to `high` times
    TREE_RANGE,  // one code point from `low` to `high`
    TREE_SET,    // one code point of a set
    TREE_ASSERT, // `low` is an enum op: OP_START, OP_END, OP_WORD, OP_NOT_WORD
    TREE_LOOK,   // one child
};

enum { REPEAT_FOREVER = -1, TREE_DEPTH_MAX = 200 };

struct tree {
    enum tree_kind kind;
    uint32_t low, high; // REPEAT: high UINT32_MAX is without end
    struct code_ranges set;
    bool behind, negated; // LOOK
    uint32_t look;        // LOOK: 1 + its index when its code was made
    struct tree *first, *last, *next, *previous;
};

struct pattern_source {
    str text;
    struct arena *arena;   // of what stays: sets
    struct arena *scratch; // of the tree
    bool only_check;       // back-references are fine
};

// ALS_VALIDATION, ALS_TOO_LARGE as pattern_compile().
err pattern_parse(const struct pattern_source *source, struct tree **ret_tree, struct als_why *why);

// Sorts and joins `count` ranges in place; the complement is written to `target`, which has room
// for count + 1. Both return how many there are.
size_t ranges_join(struct code_range *ranges, size_t count);
size_t ranges_complement(const struct code_range *ranges, size_t count, struct code_range *target);

// ---- The code

enum op {
    OP_RANGE,    // takes a code point from `a` to `b`, goes on behind
    OP_SET,      // takes one of sets[a]
    OP_SPLIT,    // goes on at `a` and at `b`
    OP_JUMP,     // goes on at `a`
    OP_START,    // holds at the beginning
    OP_END,      // holds at the end
    OP_WORD,     // holds where one side is a word character and the other is not
    OP_NOT_WORD, // holds elsewhere
    OP_LOOK,     // holds where looks[a] does
    OP_MATCH,
};

struct inst {
    enum op op;
    uint32_t a, b;
};

struct set {
    struct code_ranges ranges;
    uint64_t ascii[2]; // a bit for each of the first 128
};

// The body of a look-ahead is coded backwards and run from the end of the text, that of a
// look-behind forwards: either way one run finds all places where it holds.
struct look {
    uint32_t start;
    bool behind, negated;
};

enum { LOOKS_MAX = 64 };

// Deterministic: state x class of code points -> state. State 0 is dead, 1 has matched.
struct table {
    uint16_t *next;
    uint8_t *matches_at_end; // by state
    uint32_t class_count;
    uint32_t start;
    uint8_t ascii[128];             // class of a code point
    const struct code_range *spans; // of the others: first, and class in `last`
    size_t span_count;
};

struct pattern {
    struct inst *code;
    uint32_t count, start;
    const struct set *sets;
    uint32_t set_count;
    struct look looks[LOOKS_MAX];
    uint32_t look_count;
    bool anchored;       // matches can only begin at the start of the text
    struct table *table; // NULL: too large, or looks around
};

static inline bool set_holds(const struct set *set, uint32_t point)
{
    return point < 128 ? set->ascii[point / 64] >> (point % 64) & 1
                       : code_ranges_hold(set->ranges, point);
}

static inline bool inst_takes(const struct pattern *pattern, const struct inst *inst,
                              uint32_t point)
{
    return inst->op == OP_RANGE ? point >= inst->a && point <= inst->b
                                : set_holds(&pattern->sets[inst->a], point);
}

// Makes the code of a tree; then its table, if that is worth it.
err pattern_generate(struct tree *tree, struct pattern *pattern,
                     const struct pattern_source *source, struct als_why *why);
void pattern_tabulate(struct pattern *pattern, struct arena *arena, struct arena *scratch,
                      uint64_t *work);

// ---- Sets of places in the code

// What holds at a place of the text.
struct surroundings {
    bool start, end;
    bool word_before, word_behind;
    bool assume;           // everything holds but `start` and `end`
    const uint64_t *looks; // a bit for each place of the text, `look_words` words for each look
    size_t look_words, place;
};

// A set that is filled in constant time and emptied at once.
struct places {
    uint32_t *items, *where; // where[pc] < count && items[where[pc]] == pc
    uint32_t count;
};

// Adds `pc` and all that follows without taking a character; `stack` has room for all the code.
// Returns whether OP_MATCH is among it.
bool places_add(const struct pattern *pattern, struct places *places, uint32_t pc,
                const struct surroundings *around, uint32_t *stack);
