// SPDX-License-Identifier: Apache-2.0
// The members of most objects. Events of one kind come with their fields in one order, mostly that
// of the schema: so the slot behind the last one is looked at before the table is asked. And most
// fields are leaves, which are accepted here without a call; what a leaf does not accept at once is
// left to its rule, which knows all the cases.
#include "schema/leaf.h"

const struct slot *slot_find(const struct schema *schema, const struct object_rule *object,
                             uint64_t head, uint64_t tail, str key)
{
    const uint32_t *places = schema->lists + object->places;
    const struct slot *slots = schema->slots + object->slots;
    uint32_t mask = (1u << (64 - object->shift)) - 1;
    uint32_t at = name_place(object, head, tail, key);
    for (uint32_t probe = 0; places[at] != SLOT_NONE; at = (at + 1) & mask) {
        if (slot_is(&slots[places[at]], head, tail, key))
            return &slots[places[at]];
        if (probe++ == object->probe_max)
            return NULL;
    }
    return NULL;
}

static const struct slot *find_escaped(struct run *run, const struct object_rule *object,
                                       const struct json_node *member)
{
    struct json_node name = {
        .start = member->key_start - 1, .len = member->key_len + 2, .escaped = true};
    str key = run_text(run, &name);
    return key.ptr ? slot_find(run->schema, object, text_head(key), text_tail(key), key) : NULL;
}

const struct slot *name_find(struct run *run, const struct object_rule *object,
                             const struct json_node *member)
{
    if (object->slot_count == 0)
        return NULL;
    if (member->key_escaped)
        return find_escaped(run, object, member);
    str key = json_key_span(run->doc, member);
    return slot_find(run->schema, object, text_head(key), text_tail(key), key);
}

static inline bool leaf_accepted(const struct run *run, const struct leaf *leaf,
                                 const struct json_node *node)
{
    if (!leaf_types(leaf, node->kind))
        return false;
    const char *at = run->doc->text.ptr + node->start, *end = at + node->len;
    if (node->kind == JSON_STRING)
        return leaf_takes_string(run->schema, leaf, at + 1, run->doc->text.ptr + run->doc->text.len,
                                 node->len - 2, node->escaped);
    if (node->kind != JSON_NUMBER)
        return leaf->kind != LEAF_WORD;
    int64_t whole;
    bool fraction;
    return plain_number(at, end, &whole, &fraction) && leaf_takes_number(leaf, whole, fraction);
}

static bool unknown_accepted(struct run *run, const struct frame *frame,
                             const struct object_rule *object, const struct json_node *node,
                             const struct json_node *child)
{
    return object->additional == RULE_NONE ||
           member_check(run, frame, KEYWORD_ADDITIONAL_PROPERTIES, object->additional, node, child);
}

bool members_accepted(struct run *run, const struct frame *frame, const struct object_rule *object,
                      const struct json_node *node)
{
    const struct json_doc *doc = run->doc;
    const struct slot *slots = run->schema->slots + object->slots,
                      *end = slots + object->slot_count;
    const struct slot *guess = slots;
    uint64_t seen = 0;
    uint32_t left = node->count;
    if (!work_spend(&run->work, 1 + left))
        return false;
    for (const struct json_node *child = node + 1; left > 0; child = doc->nodes + child->next) {
        const struct slot *slot = NULL;
        left--;
        if (child->key_escaped) {
            slot = name_find(run, object, child);
        } else if (slots < end) {
            str key = json_key_span(doc, child);
            uint64_t head = head_at(key.ptr, doc->text.ptr + doc->text.len, key.len);
            uint64_t tail = text_tail(key);
            slot = guess < end && slot_is(guess, head, tail, key)
                       ? guess
                       : slot_find(run->schema, object, head, tail, key);
        }
        bool known = slot && slot->rule != RULE_NONE;
        if (slot) {
            guess = slot + 1;
            seen |= slot->bit;
        }
        if (known ? !leaf_accepted(run, &slot->leaf, child) &&
                        !member_check(run, frame, KEYWORD_PROPERTIES, slot->rule, node, child)
                  : !unknown_accepted(run, frame, object, node, child))
            return false;
    }
    return all_required(object, seen);
}
