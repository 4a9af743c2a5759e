// SPDX-License-Identifier: Apache-2.0
// What restrains arrays, and the keywords that apply other schemas to the same value.
#include "schema/compiler.h"

static err compile_items(const struct source *source, struct array_rule *array)
{
    const struct json_node *items = source->found[KEYWORD_ITEMS];
    if (source->home.draft == SCHEMA_DRAFT_07 && items && items->kind == JSON_ARRAY) {
        array->items_legacy = true;
        TRY(rules_of_list(source, items, &array->prefix, &array->prefix_count));
        return rule_of_keyword(source, KEYWORD_ADDITIONAL_ITEMS, &array->items);
    }
    if (source->found[KEYWORD_PREFIX_ITEMS])
        TRY(rules_of_list(source, source->found[KEYWORD_PREFIX_ITEMS], &array->prefix,
                          &array->prefix_count));
    return rule_of_keyword(source, KEYWORD_ITEMS, &array->items);
}

err compile_array(const struct source *source, struct rule *rule)
{
    struct compiler *compiler = source->compiler;
    const struct json_node *unique = source->found[KEYWORD_UNIQUE_ITEMS];
    struct array_rule array = {.items = RULE_NONE};
    TRY(compile_items(source, &array));
    TRY(rule_of_keyword(source, KEYWORD_CONTAINS, &array.contains));
    TRY(count_of(source, KEYWORD_MIN_CONTAINS, 1, &array.min_contains));
    TRY(count_of(source, KEYWORD_MAX_CONTAINS, UINT64_MAX, &array.max_contains));
    TRY(count_of(source, KEYWORD_MIN_ITEMS, 0, &array.min_items));
    TRY(count_of(source, KEYWORD_MAX_ITEMS, UINT64_MAX, &array.max_items));
    if (unique && unique->kind != JSON_TRUE && unique->kind != JSON_FALSE)
        return refuse_keyword(source, KEYWORD_UNIQUE_ITEMS, "expected true or false");
    array.unique = unique && unique->kind == JSON_TRUE;
    array.contains_marks = source->home.draft != SCHEMA_DRAFT_07;
    if (!array.prefix_count && array.items == RULE_NONE && array.contains == RULE_NONE &&
        array.min_items == 0 && array.max_items == UINT64_MAX && !array.unique)
        return ALS_OK;
    struct array_rule *made = LIST_ADD(compiler, &compiler->arrays, struct array_rule);
    if (!made)
        return no_room(compiler);
    *made = array;
    rule->array = compiler->arrays.count - 1;
    rule->parts |= PART_ARRAY;
    return ALS_OK;
}

// ---- The same value

static err add_combine(const struct source *source, struct rule *rule, struct combine combine)
{
    struct combine *made = LIST_ADD(source->compiler, &source->compiler->combines, struct combine);
    if (!made)
        return no_room(source->compiler);
    *made = combine;
    rule->combine_count++;
    rule->parts |= PART_COMBINE;
    return ALS_OK;
}

static err add_rules(const struct source *source, const uint32_t *rules, uint32_t count,
                     uint32_t *ret_first)
{
    struct compiler *compiler = source->compiler;
    *ret_first = compiler->lists.count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *item = LIST_ADD(compiler, &compiler->lists, uint32_t);
        if (!item)
            return no_room(compiler);
        *item = rules[i];
    }
    return ALS_OK;
}

static err compile_reference(const struct source *source, enum keyword keyword, struct rule *rule)
{
    if (!source->found[keyword])
        return ALS_OK;
    struct combine combine = {.keyword = keyword, .count = 1, .anchor = ANCHOR_NONE};
    str text;
    struct place place;
    uint32_t target;
    TRY(text_of(source, source->found[keyword], &text));
    TRY(reference_follow(source->compiler, &source->place, text, &place, &combine.anchor));
    TRY(rule_of(source->compiler, place, &target));
    if (keyword == KEYWORD_REF)
        combine.anchor = ANCHOR_NONE;
    else
        source->compiler->scoped = true;
    TRY(add_rules(source, &target, 1, &combine.rules));
    return add_combine(source, rule, combine);
}

static err compile_list(const struct source *source, enum keyword keyword, struct rule *rule)
{
    if (!source->found[keyword])
        return ALS_OK;
    struct combine combine = {.keyword = keyword, .anchor = ANCHOR_NONE};
    TRY(rules_of_list(source, source->found[keyword], &combine.rules, &combine.count));
    return add_combine(source, rule, combine);
}

static err compile_not(const struct source *source, struct rule *rule)
{
    struct combine combine = {.keyword = KEYWORD_NOT, .count = 1, .anchor = ANCHOR_NONE};
    uint32_t inner;
    TRY(rule_of_keyword(source, KEYWORD_NOT, &inner));
    if (inner == RULE_NONE)
        return ALS_OK;
    TRY(add_rules(source, &inner, 1, &combine.rules));
    return add_combine(source, rule, combine);
}

static err compile_if(const struct source *source, struct rule *rule)
{
    struct combine combine = {.keyword = KEYWORD_IF, .count = 3, .anchor = ANCHOR_NONE};
    uint32_t rules[3];
    TRY(rule_of_keyword(source, KEYWORD_IF, &rules[0]));
    TRY(rule_of_keyword(source, KEYWORD_THEN, &rules[1]));
    TRY(rule_of_keyword(source, KEYWORD_ELSE, &rules[2]));
    if (rules[0] == RULE_NONE)
        return ALS_OK;
    TRY(add_rules(source, rules, 3, &combine.rules));
    return add_combine(source, rule, combine);
}

err compile_combine(const struct source *source, struct rule *rule)
{
    rule->combine = source->compiler->combines.count;
    TRY(compile_reference(source, KEYWORD_REF, rule));
    TRY(compile_reference(source, KEYWORD_DYNAMIC_REF, rule));
    TRY(compile_list(source, KEYWORD_ALL_OF, rule));
    TRY(compile_list(source, KEYWORD_ANY_OF, rule));
    TRY(compile_list(source, KEYWORD_ONE_OF, rule));
    TRY(compile_not(source, rule));
    return compile_if(source, rule);
}

// ---- Circles

struct frame {
    uint32_t rule, next; // the next edge to follow
};

// The n-th rule that is applied to the same value by this one; RULE_NONE behind the last. What a
// `$dynamicRef` leads to is known only when a value is checked, and bounded there.
static uint32_t edge_of(const struct compiler *compiler, uint32_t index, uint32_t n)
{
    const struct rule *rule = LIST_AT(compiler->rules, struct rule, index);
    for (uint32_t i = 0; i < rule->combine_count; i++) {
        const struct combine *combine =
            LIST_AT(compiler->combines, struct combine, rule->combine + i);
        if (n < combine->count) {
            uint32_t target = *LIST_AT(compiler->lists, uint32_t, combine->rules + n);
            bool skipped = target == RULE_NONE || combine->keyword == KEYWORD_DYNAMIC_REF;
            return skipped ? RULE_TRUE : target;
        }
        n -= combine->count;
    }
    if (!(rule->parts & PART_OBJECT))
        return RULE_NONE;
    const struct object_rule *object = LIST_AT(compiler->objects, struct object_rule, rule->object);
    if (n >= object->dependency_count)
        return RULE_NONE;
    uint32_t target =
        LIST_AT(compiler->dependencies, struct dependency, object->dependencies + n)->rule;
    return target == RULE_NONE ? RULE_TRUE : target;
}

static err follow_edges(struct compiler *compiler, uint32_t from, uint8_t *state,
                        struct frame *stack)
{
    enum { NEW, OPEN, DONE };
    uint32_t depth = 0;
    stack[depth++] = (struct frame){from, 0};
    state[from] = OPEN;
    while (depth) {
        struct frame *frame = &stack[depth - 1];
        uint32_t target = edge_of(compiler, frame->rule, frame->next++);
        if (target == RULE_NONE) {
            state[frame->rule] = DONE;
            depth--;
        } else if (state[target] == OPEN) {
            const struct rule *rule = LIST_AT(compiler->rules, struct rule, frame->rule);
            return refuse_at(
                compiler, rule->document, rule->node,
                "schemas refer to each other in a circle without going into the value");
        } else if (state[target] == NEW) {
            state[target] = OPEN;
            stack[depth++] = (struct frame){target, 0};
        }
    }
    return ALS_OK;
}

err check_circles(struct compiler *compiler)
{
    uint32_t count = compiler->rules.count;
    uint8_t *state = ARENA_ARRAY(&compiler->scratch, uint8_t, count);
    struct frame *stack = ARENA_ARRAY(&compiler->scratch, struct frame, count);
    if (!state || !stack)
        return no_room(compiler);
    memset(state, 0, count);
    for (uint32_t i = RULE_FIRST; i < count; i++)
        if (state[i] == 0)
            TRY(follow_edges(compiler, i, state, stack));
    return ALS_OK;
}
