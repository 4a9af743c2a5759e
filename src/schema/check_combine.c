// SPDX-License-Identifier: Apache-2.0
// Arrays, and the keywords that apply rules to the same value.
//
// A branch that may fail without failing the whole (anyOf, oneOf, if, not, contains) has marks of
// its own, which join the others only if it holds.
#include "schema/check.h"

#include <stdlib.h>

// ---- Arrays

static bool items_check(struct run *run, const struct frame *frame, const struct json_node *node,
                        marks set)
{
    const struct array_rule *array = &run->schema->arrays[frame->rule->array];
    const uint32_t *prefix = run->schema->lists + array->prefix;
    bool rest = array->items != RULE_NONE, valid = true;
    enum keyword first_via = array->items_legacy ? KEYWORD_ITEMS : KEYWORD_PREFIX_ITEMS;
    enum keyword rest_via = array->items_legacy ? KEYWORD_ADDITIONAL_ITEMS : KEYWORD_ITEMS;
    if (!rest && array->prefix_count == 0)
        return true;
    uint32_t index = 0;
    for (const struct json_node *child = json_first(run->doc, node);
         child && (rest || index < array->prefix_count) && (valid || run->explanation) &&
         !run_over(run);
         child = json_after(run->doc, node, child), index++) {
        bool first = index < array->prefix_count;
        uint32_t rule = first ? prefix[index] : array->items;
        if (rule != RULE_TRUE)
            valid &= rule_check(run, frame, first ? first_via : rest_via, rule, child, MARKS_NONE);
        if (set != MARKS_NONE)
            marks_add(run, set, index);
    }
    return valid;
}

static bool silent_check(struct run *run, const struct frame *frame, enum keyword via,
                         uint32_t rule, const struct json_node *node, marks set)
{
    struct explanation *explanation = run->explanation;
    run->explanation = NULL;
    bool valid = rule_check(run, frame, via, rule, node, set);
    run->explanation = explanation;
    return valid;
}

static bool contains_check(struct run *run, const struct frame *frame, const struct json_node *node,
                           marks set)
{
    const struct array_rule *array = &run->schema->arrays[frame->rule->array];
    bool marked = set != MARKS_NONE && array->contains_marks;
    bool enough = !marked && array->max_contains == UINT64_MAX; // at the least number
    uint64_t count = 0;
    uint32_t index = 0;
    for (const struct json_node *child = json_first(run->doc, node);
         child && !(enough && count >= array->min_contains) && !run_over(run);
         child = json_after(run->doc, node, child), index++) {
        if (!silent_check(run, frame, KEYWORD_CONTAINS, array->contains, child, MARKS_NONE))
            continue;
        count++;
        if (marked)
            marks_add(run, set, index);
    }
    if (count < array->min_contains)
        return FAILED(run, frame, node,
                      array->min_contains == 1 ? KEYWORD_CONTAINS : KEYWORD_MIN_CONTAINS,
                      "Too few matching items: expected at least %llu, got %llu",
                      (unsigned long long)array->min_contains, (unsigned long long)count);
    if (count > array->max_contains)
        return FAILED(run, frame, node, KEYWORD_MAX_CONTAINS,
                      "Too many matching items: expected at most %llu, got %llu",
                      (unsigned long long)array->max_contains, (unsigned long long)count);
    return true;
}

struct item_hash {
    uint64_t hash;
    const struct json_node *node;
    uint32_t index;
};

static int compare_items(const void *a, const void *b)
{
    const struct item_hash *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

static struct item_hash *hashed_items(struct run *run, const struct json_node *node)
{
    if (node->count > run->item_capacity) {
        struct item_hash *larger = run_alloc(run, sizeof *larger, (size_t)node->count * 2);
        if (!larger)
            return NULL;
        run->items = larger;
        run->item_capacity = (size_t)node->count * 2;
    }
    uint32_t count = 0;
    for (const struct json_node *child = json_first(run->doc, node); child && !run_over(run);
         child = json_after(run->doc, node, child), count++)
        run->items[count] = (struct item_hash){
            value_hash((struct value){run->doc, child}, &run->work), child, count};
    if (run_over(run))
        return NULL;
    qsort(run->items, count, sizeof *run->items, compare_items);
    return run->items;
}

static bool unique_check(struct run *run, const struct frame *frame, const struct json_node *node)
{
    if (node->count < 2)
        return true;
    struct item_hash *items = hashed_items(run, node);
    for (uint32_t i = 1; items && i < node->count; i++) {
        for (uint32_t k = i; k > 0 && items[k - 1].hash == items[i].hash; k--) {
            if (!value_equal((struct value){run->doc, items[k - 1].node},
                             (struct value){run->doc, items[i].node}, &run->work))
                continue;
            return FAILED(run, frame, node, KEYWORD_UNIQUE_ITEMS,
                          "Items are not unique: %u and %u are equal", items[k - 1].index,
                          items[i].index);
        }
    }
    return items != NULL;
}

static bool item_count_check(struct run *run, const struct frame *frame,
                             const struct json_node *node)
{
    const struct array_rule *array = &run->schema->arrays[frame->rule->array];
    if (node->count < array->min_items)
        return FAILED(run, frame, node, KEYWORD_MIN_ITEMS,
                      "Too few items: expected at least %llu, got %u",
                      (unsigned long long)array->min_items, node->count);
    if (node->count > array->max_items)
        return FAILED(run, frame, node, KEYWORD_MAX_ITEMS,
                      "Too many items: expected at most %llu, got %u",
                      (unsigned long long)array->max_items, node->count);
    return true;
}

bool array_check(struct run *run, const struct frame *frame, const struct json_node *node,
                 marks set)
{
    const struct array_rule *array = &run->schema->arrays[frame->rule->array];
    bool all = run->explanation != NULL;
    bool valid = items_check(run, frame, node, set);
    if (valid || all)
        valid &= item_count_check(run, frame, node);
    if (array->contains != RULE_NONE && (valid || all))
        valid &= contains_check(run, frame, node, set);
    if (array->unique && (valid || all))
        valid &= unique_check(run, frame, node);
    return valid;
}

// ---- The same value

// A branch with marks of its own. Needs none when nobody looks at them.
static bool branch_check(struct run *run, const struct frame *frame, enum keyword via,
                         uint32_t rule, const struct json_node *node, marks set)
{
    if (set == MARKS_NONE)
        return rule_check(run, frame, via, rule, node, MARKS_NONE);
    marks own = marks_new(run, node->count);
    if (own == MARKS_NONE)
        return false;
    bool valid = rule_check(run, frame, via, rule, node, own);
    if (valid)
        marks_join(run, set, own, node->count);
    marks_drop(run, own);
    return valid;
}

static bool any_check(struct run *run, const struct frame *frame, const struct combine *combine,
                      const struct json_node *node, marks set)
{
    const uint32_t *rules = run->schema->lists + combine->rules;
    struct explain_point point = {};
    if (run->explanation)
        point = explain_open(run, frame, node, KEYWORD_ANY_OF);
    bool valid = false;
    for (uint32_t i = 0; i < combine->count && !(valid && set == MARKS_NONE); i++)
        valid |= branch_check(run, frame, KEYWORD_ANY_OF, rules[i], node, set);
    if (run->explanation) {
        if (valid)
            explain_forget(run, point);
        else
            explain_close(run, point, "Matches none of the %u schemas", combine->count);
    }
    return valid;
}

static bool one_of_check(struct run *run, const struct frame *frame, const struct combine *combine,
                         const struct json_node *node, marks set)
{
    const uint32_t *rules = run->schema->lists + combine->rules;
    struct explain_point point = {}, before = {};
    if (run->explanation) {
        before = explain_point(run);
        point = explain_open(run, frame, node, KEYWORD_ONE_OF);
    }
    uint32_t count = 0, first = 0, second = 0;
    for (uint32_t i = 0; i < combine->count && count < 2; i++) {
        if (!branch_check(run, frame, KEYWORD_ONE_OF, rules[i], node, set))
            continue;
        *(count ? &second : &first) = i;
        count++;
    }
    if (run->explanation && count == 0) {
        explain_close(run, point, "Matches none of the %u schemas", combine->count);
    } else if (run->explanation) {
        explain_forget(run, before);
        if (count > 1)
            (void)explain_failure(run, frame, node, KEYWORD_ONE_OF,
                                  "Matches more than one of the %u schemas: %u and %u",
                                  combine->count, first, second);
    }
    return count == 1;
}

static bool if_check(struct run *run, const struct frame *frame, const struct combine *combine,
                     const struct json_node *node, marks set)
{
    const uint32_t *rules = run->schema->lists + combine->rules;
    if (rules[1] == RULE_NONE && rules[2] == RULE_NONE && set == MARKS_NONE)
        return true;
    struct explanation *explanation = run->explanation;
    run->explanation = NULL;
    bool holds = branch_check(run, frame, KEYWORD_IF, rules[0], node, set);
    run->explanation = explanation;
    uint32_t rule = rules[holds ? 1 : 2];
    return rule == RULE_NONE ||
           rule_check(run, frame, holds ? KEYWORD_THEN : KEYWORD_ELSE, rule, node, set);
}

// The outermost resource of the dynamic scope that has the anchor decides.
static uint32_t dynamic_target(struct run *run, const struct frame *frame,
                               const struct combine *combine)
{
    const struct schema *schema = run->schema;
    uint32_t target = schema->lists[combine->rules];
    if (combine->anchor == ANCHOR_NONE ||
        !work_spend(&run->work, 1 + (uint64_t)run->depth * schema->anchor_count / 16))
        return target;
    for (; frame; frame = frame->up)
        for (uint32_t i = 0; i < schema->anchor_count; i++)
            if (schema->anchors[i].anchor == combine->anchor &&
                schema->anchors[i].resource == frame->rule->resource)
                target = schema->anchors[i].rule;
    return target;
}

static bool all_check(struct run *run, const struct frame *frame, const struct combine *combine,
                      const struct json_node *node, marks set)
{
    const uint32_t *rules = run->schema->lists + combine->rules;
    bool valid = true;
    for (uint32_t i = 0; i < combine->count && (valid || run->explanation); i++)
        valid &= rule_check(run, frame, combine->keyword, rules[i], node, set);
    return valid;
}

static bool one_combine(struct run *run, const struct frame *frame, const struct combine *combine,
                        const struct json_node *node, marks set)
{
    switch (combine->keyword) {
    case KEYWORD_ANY_OF:
        return any_check(run, frame, combine, node, set);
    case KEYWORD_ONE_OF:
        return one_of_check(run, frame, combine, node, set);
    case KEYWORD_IF:
        return if_check(run, frame, combine, node, set);
    case KEYWORD_NOT:
        if (silent_check(run, frame, KEYWORD_NOT, run->schema->lists[combine->rules], node,
                         MARKS_NONE))
            return FAILED(run, frame, node, KEYWORD_NOT, "Matches the schema that it must not");
        return true;
    case KEYWORD_DYNAMIC_REF:
        return rule_check(run, frame, KEYWORD_DYNAMIC_REF, dynamic_target(run, frame, combine),
                          node, set);
    default: // allOf, $ref
        return all_check(run, frame, combine, node, set);
    }
}

bool combine_check(struct run *run, const struct frame *frame, const struct json_node *node,
                   marks set)
{
    const struct combine *combines = run->schema->combines + frame->rule->combine;
    bool valid = true;
    for (uint32_t i = 0; i < frame->rule->combine_count && (valid || run->explanation); i++)
        valid &= one_combine(run, frame, &combines[i], node, set);
    return valid;
}
