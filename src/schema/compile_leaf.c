// SPDX-License-Identifier: Apache-2.0
// Which rules are leaves, and which can be read member by member (program.h).
#include "schema/compiler.h"

enum { REFERENCES_FOLLOWED = 8, WORDS_MAX = 16 };

// The rule itself, or what it is only a reference to.
static const struct rule *meant_rule(const struct compiler *compiler, uint32_t index,
                                     uint32_t *ret_index)
{
    const struct rule *rule = LIST_AT(compiler->rules, struct rule, index);
    for (int i = 0; i < REFERENCES_FOLLOWED; i++) {
        bool only =
            rule->parts == PART_COMBINE && rule->combine_count == 1 && rule->types == TYPES_ALL;
        const struct combine *combine =
            only ? LIST_AT(compiler->combines, struct combine, rule->combine) : NULL;
        if (!combine || combine->keyword != KEYWORD_REF)
            break;
        index = *LIST_AT(compiler->lists, uint32_t, combine->rules);
        rule = LIST_AT(compiler->rules, struct rule, index);
    }
    *ret_index = index;
    return rule;
}

static bool is_range(const struct compiler *compiler, const struct rule *rule, struct leaf *leaf)
{
    const struct number_rule *number = LIST_AT(compiler->numbers, struct number_rule, rule->number);
    if (!number->plain || number->step)
        return false;
    leaf->low = number->low;
    leaf->high = number->high;
    return true;
}

static bool is_length(const struct compiler *compiler, const struct rule *rule, struct leaf *leaf)
{
    enum { BYTES_MOST = 12 }; // one character as two escapes
    const struct string_rule *string = LIST_AT(compiler->strings, struct string_rule, rule->string);
    if (string->pattern || string->format || string->base64 || string->json ||
        string->min_length > INT32_MAX)
        return false;
    // A string of few bytes may be long enough all the same; its rule knows. One byte is one,
    // though.
    leaf->low = string->min_length <= 1 ? (int64_t)string->min_length
                                        : (int64_t)string->min_length * BYTES_MOST;
    leaf->high = string->max_length > INT64_MAX ? INT64_MAX : (int64_t)string->max_length;
    return true;
}

static err is_words(struct compiler *compiler, const struct rule *rule, struct leaf *leaf,
                    bool *ret_leaf)
{
    const struct value_set *set = LIST_AT(compiler->value_sets, struct value_set, rule->enum_set);
    const struct json_doc *doc = document_of(compiler, set->document);
    *ret_leaf = false;
    if (set->count > WORDS_MAX)
        return ALS_OK;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct json_node *node =
            &doc->nodes[LIST_AT(compiler->values, struct member_value, set->values + i)->node];
        if (node->kind != JSON_STRING || node->escaped || node->len - 2 > sizeof(uint64_t))
            return ALS_OK;
    }
    leaf->low = compiler->words.count;
    leaf->high = set->count;
    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t node = LIST_AT(compiler->values, struct member_value, set->values + i)->node;
        str text = value_content((struct value){doc, &doc->nodes[node]});
        struct word *word = LIST_ADD(compiler, &compiler->words, struct word);
        if (!word)
            return no_room(compiler);
        *word = (struct word){text_head(text), text.len};
    }
    *ret_leaf = true;
    return ALS_OK;
}

// Whether objects and arrays can be read member by member: nothing looks at them as a whole, and
// nobody asks which references led to them.
static bool is_deep(const struct compiler *compiler, const struct rule *rule)
{
    if (rule->parts & ~(PART_OBJECT | PART_ARRAY) || compiler->scoped)
        return false;
    if (rule->parts & PART_OBJECT &&
        !LIST_AT(compiler->objects, struct object_rule, rule->object)->quick)
        return false;
    if (!(rule->parts & PART_ARRAY))
        return true;
    const struct array_rule *array = LIST_AT(compiler->arrays, struct array_rule, rule->array);
    return array->contains == RULE_NONE && !array->unique;
}

static err find_leaf(struct compiler *compiler, uint32_t index, struct leaf *ret_leaf)
{
    struct leaf leaf = {.kind = LEAF_NONE};
    const struct rule *rule = meant_rule(compiler, index, &leaf.rule);
    bool words = false;
    switch (rule->parts) {
    case 0:
        leaf.kind = LEAF_TYPE;
        break;
    case PART_NUMBER:
        leaf.kind = is_range(compiler, rule, &leaf) ? LEAF_RANGE : LEAF_NONE;
        break;
    case PART_STRING:
        leaf.kind = is_length(compiler, rule, &leaf) ? LEAF_LENGTH : LEAF_NONE;
        break;
    case PART_ENUM:
        TRY(is_words(compiler, rule, &leaf, &words));
        leaf.kind = words ? LEAF_WORD : LEAF_NONE;
        break;
    default:
        leaf.kind = is_deep(compiler, rule) ? LEAF_DEEP : LEAF_NONE;
    }
    leaf.types = leaf.kind == LEAF_NONE || leaf.kind == LEAF_DEEP ? 0 : rule->types;
    *ret_leaf = leaf;
    return ALS_OK;
}

err find_leaves(struct compiler *compiler)
{
    for (uint32_t i = 0; i < compiler->rules.count; i++) {
        struct leaf leaf;
        TRY(find_leaf(compiler, i, &leaf));
        struct leaf *made = LIST_ADD(compiler, &compiler->leaves, struct leaf);
        if (!made)
            return no_room(compiler);
        *made = leaf;
    }
    for (uint32_t i = 0; i < compiler->slots.count; i++) {
        struct slot *slot = LIST_AT(compiler->slots, struct slot, i);
        if (slot->rule != RULE_NONE)
            slot->leaf = *LIST_AT(compiler->leaves, struct leaf, slot->rule);
    }
    return ALS_OK;
}
