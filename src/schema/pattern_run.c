// SPDX-License-Identifier: Apache-2.0
// Matching. With a table, a step a character. Without one, all places of the code that the text so
// far may stand at are moved together, so the work is at most text times code; each step is paid
// for from `work`. What looks around is decided first, the innermost before the outer, by a run of
// its own over the whole text that leaves a bit for every place where it holds.
#include "schema/pattern_code.h"

#include "base/own.h"

#include <assert.h>

struct simulation {
    const struct pattern *pattern;
    str text;
    struct value_work *work;
    struct places now, then;
    uint32_t *stack;
    uint64_t *looks;
    size_t look_words;
};

static bool is_word(str text, size_t at)
{
    unsigned char c = (unsigned char)text.ptr[at];
    return (unsigned)((c | 0x20) - 'a') < 26 || (unsigned)(c - '0') < 10 || c == '_';
}

static bool look_holds(const struct look *look, const struct surroundings *around, uint32_t index)
{
    if (around->assume)
        return true;
    const uint64_t *bits = around->looks + index * around->look_words;
    return (bits[around->place / 64] >> (around->place % 64) & 1) != look->negated;
}

// The next place when the assertion at `pc` holds, or UINT32_MAX.
static uint32_t behind_assertion(const struct pattern *pattern, uint32_t pc,
                                 const struct surroundings *around)
{
    const struct inst *inst = &pattern->code[pc];
    bool edge = around->word_before != around->word_behind, holds;
    switch (inst->op) {
    case OP_START:
        holds = around->start;
        break;
    case OP_END:
        holds = around->end;
        break;
    case OP_WORD:
        holds = edge || around->assume;
        break;
    case OP_NOT_WORD:
        holds = !edge || around->assume;
        break;
    default:
        holds = look_holds(&pattern->looks[inst->a], around, inst->a);
    }
    return holds ? pc + 1 : UINT32_MAX;
}

bool places_add(const struct pattern *pattern, struct places *places, uint32_t pc,
                const struct surroundings *around, uint32_t *stack)
{
    bool matches = false;
    size_t depth = 0;
    stack[depth++] = pc;
    while (depth) {
        pc = stack[--depth];
        if (pc == UINT32_MAX ||
            (places->where[pc] < places->count && places->items[places->where[pc]] == pc))
            continue;
        places->where[pc] = places->count;
        places->items[places->count++] = pc;
        const struct inst *inst = &pattern->code[pc];
        switch (inst->op) {
        case OP_RANGE:
        case OP_SET:
            break;
        case OP_MATCH:
            matches = true;
            break;
        case OP_SPLIT:
            stack[depth++] = inst->b;
            stack[depth++] = inst->a;
            break;
        case OP_JUMP:
            stack[depth++] = inst->a;
            break;
        default:
            stack[depth++] = behind_assertion(pattern, pc, around);
        }
    }
    return matches;
}

static struct surroundings around_of(const struct simulation *simulation, size_t at)
{
    str text = simulation->text;
    return (struct surroundings){
        .start = at == 0,
        .end = at == text.len,
        .word_before = at > 0 && is_word(text, at - 1),
        .word_behind = at < text.len && is_word(text, at),
        .looks = simulation->looks,
        .look_words = simulation->look_words,
        .place = at,
    };
}

// Takes one code point in front of or behind `at`, and moves.
static uint32_t take_point(str text, bool backwards, size_t *at)
{
    struct text_reader reader;
    if (!backwards) {
        reader = text_reader(str_from(text, *at));
    } else {
        size_t begin = *at - 1;
        while (((unsigned char)text.ptr[begin] & 0xc0) == 0x80)
            begin--;
        reader = (struct text_reader){text.ptr + begin, text.ptr + *at};
        *at = begin;
    }
    uint32_t point = '\\';
    if (*reader.at == '\\') // which text_next() takes for an escape of JSON
        reader.at++;
    else
        point = text_next(&reader);
    if (!backwards)
        *at = (size_t)(reader.at - text.ptr);
    return point;
}

// Moves the places over a code point: `then` gets those behind it, which are then `now`.
static bool move_over(struct simulation *simulation, uint32_t point, size_t at)
{
    const struct pattern *pattern = simulation->pattern;
    struct surroundings around = around_of(simulation, at);
    struct places before = simulation->now;
    simulation->now = simulation->then;
    simulation->now.count = 0;
    bool matches = false;
    for (uint32_t i = 0; i < before.count; i++) {
        uint32_t pc = before.items[i];
        const struct inst *inst = &pattern->code[pc];
        if (inst->op <= OP_SET && inst_takes(pattern, inst, point))
            matches |= places_add(pattern, &simulation->now, pc + 1, &around, simulation->stack);
    }
    simulation->then = before;
    return matches;
}

// Runs a look's body from every place of the text at once and marks where it ends.
static void mark_look(struct simulation *simulation, uint32_t index)
{
    const struct look *look = &simulation->pattern->looks[index];
    uint64_t *bits = simulation->looks + index * simulation->look_words;
    memset(bits, 0, simulation->look_words * sizeof *bits);
    size_t at = look->behind ? 0 : simulation->text.len;
    size_t end = simulation->text.len - at;
    simulation->now.count = 0;
    bool matches = false;
    for (;;) {
        struct surroundings around = around_of(simulation, at);
        matches |= places_add(simulation->pattern, &simulation->now, look->start, &around,
                              simulation->stack);
        bits[at / 64] |= (uint64_t)matches << (at % 64);
        if (at == end || !work_spend(simulation->work, simulation->now.count + 1))
            return;
        uint32_t point = take_point(simulation->text, !look->behind, &at);
        matches = move_over(simulation, point, at);
    }
}

static bool simulate(struct simulation *simulation)
{
    const struct pattern *pattern = simulation->pattern;
    for (uint32_t i = 0; i < pattern->look_count; i++)
        mark_look(simulation, i);
    simulation->now.count = 0;
    size_t at = 0;
    for (;;) {
        struct surroundings around = around_of(simulation, at);
        bool may_begin = at == 0 || !pattern->anchored;
        if (may_begin &&
            places_add(pattern, &simulation->now, pattern->start, &around, simulation->stack))
            return true;
        if (at == simulation->text.len || (!may_begin && simulation->now.count == 0) ||
            !work_spend(simulation->work, simulation->now.count + 1))
            return false;
        uint32_t point = take_point(simulation->text, false, &at);
        if (move_over(simulation, point, at))
            return true;
    }
}

static bool simulate_in_scratch(const struct pattern *pattern, str text, struct value_work *work)
{
    // Two sets of two arrays, and a stack twice as long: six numbers for each instruction.
    size_t look_words = text.len / 64 + 1;
    size_t place_words = ((size_t)pattern->count * 6 + 3) / 2;
    uint64_t *words = work_words(work, place_words + look_words * pattern->look_count);
    if (!words || !work_spend(work, 1 + place_words / 8))
        return false;
    memset(words, 0, place_words * sizeof *words);
    uint32_t *numbers = (uint32_t *)words;
    size_t count = pattern->count;
    struct simulation simulation = {
        .pattern = pattern,
        .text = text,
        .work = work,
        .now = {numbers, numbers + count, 0},
        .then = {numbers + count * 2, numbers + count * 3, 0},
        .stack = numbers + count * 4,
        .looks = words + place_words,
        .look_words = look_words,
    };
    return simulate(&simulation);
}

static uint32_t class_of(const struct table *table, uint32_t point)
{
    size_t low = 0, high = table->span_count;
    while (high - low > 1) { // the last span that begins at or before the point
        size_t middle = low + (high - low) / 2;
        if (table->spans[middle].first <= point)
            low = middle;
        else
            high = middle;
    }
    return table->spans[low].last;
}

static bool look_up(const struct table *table, str text)
{
    uint32_t state = table->start;
    struct text_reader reader = text_reader(text);
    while (reader.at < reader.end && state > 1) {
        unsigned char c = (unsigned char)*reader.at;
        uint32_t class;
        if (c < 0x80) {
            class = table->ascii[c];
            reader.at++;
        } else {
            class = class_of(table, text_next(&reader));
        }
        state = table->next[state * table->class_count + class];
    }
    return state == 1 || (reader.at == reader.end && table->matches_at_end[state]);
}

bool pattern_matches(const struct pattern *pattern, str text, struct value_work *work)
{
    if (!pattern->table)
        return simulate_in_scratch(pattern, text, work);
    return work_spend(work, 1 + text.len / 16) && look_up(pattern->table, text);
}

err pattern_compile(str text, struct arena *arena, struct arena *scratch, uint64_t *table_work,
                    const struct pattern **ret_pattern, struct als_why *why)
{
    struct pattern_source source = {.text = text, .arena = arena, .scratch = scratch};
    struct tree *tree;
    TRY(pattern_parse(&source, &tree, why));
    struct pattern *pattern = ARENA_NEW(arena, struct pattern);
    if (!pattern)
        return FAIL(why, ALS_TOO_LARGE, "the pattern takes too much memory");
    *pattern = (struct pattern){};
    TRY(pattern_generate(tree, pattern, &source, why));
    pattern_tabulate(pattern, arena, scratch, table_work);
    *ret_pattern = pattern;
    return ALS_OK;
}

bool pattern_is_valid(str text, struct arena *scratch)
{
    struct pattern_source source = {
        .text = text, .arena = scratch, .scratch = scratch, .only_check = true};
    struct tree *tree;
    return pattern_parse(&source, &tree, NULL) == ALS_OK;
}
