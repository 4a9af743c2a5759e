// SPDX-License-Identifier: Apache-2.0
// The members of most objects. Events of one kind come with their fields in one order, mostly that
// of the schema: so the slot behind the last one is looked at before the table is asked. And most
// fields are leaves, which are accepted here without a call; what a leaf does not accept at once is
// left to its rule, which knows all the cases.
#include "schema/check.h"

// Up to 8 bytes of the document as a word: at once where the text goes on so far, as it mostly
// does.
static inline uint64_t head_at(const struct json_doc *doc, uint32_t start, uint32_t len)
{
    static const uint64_t masks[] = {0,          0xff,         0xffff,         0xffffff,
                                     0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
                                     UINT64_MAX};
    uint64_t word = 0;
    const char *at = doc->text.ptr + start;
    if (__builtin_expect(start + sizeof word <= doc->text.len, 1)) {
        memcpy(&word, at, sizeof word);
        return word & masks[len < sizeof word ? len : sizeof word];
    }
    memcpy(&word, at, len < sizeof word ? len : sizeof word);
    return word;
}

static inline bool slot_is(const struct slot *slot, uint64_t head, uint64_t tail, str key)
{
    enum { WORDS = 16 }; // bytes that head and tail cover
    return slot->head == head && slot->key.len == key.len && slot->tail == tail &&
           (key.len <= WORDS || memcmp(slot->key.ptr, key.ptr, key.len) == 0);
}

static const struct slot *look_up(const struct run *run, const struct object_rule *object,
                                  uint64_t head, uint64_t tail, str key)
{
    const uint32_t *places = run->schema->lists + object->places;
    const struct slot *slots = run->schema->slots + object->slots;
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
    return key.ptr ? look_up(run, object, text_head(key), text_tail(key), key) : NULL;
}

const struct slot *name_find(struct run *run, const struct object_rule *object,
                             const struct json_node *member)
{
    if (object->slot_count == 0)
        return NULL;
    if (member->key_escaped)
        return find_escaped(run, object, member);
    str key = json_key_span(run->doc, member);
    return look_up(run, object, text_head(key), text_tail(key), key);
}

// A number of at most 18 digits before its point, without exponent: its whole part, towards zero.
static inline bool whole_part(str number, int64_t *ret_whole, bool *ret_fraction)
{
    enum { DIGITS = 18 };
    const char *at = number.ptr, *end = at + number.len;
    bool negative = *at == '-';
    at += negative;
    const char *begin = at;
    int64_t whole = 0;
    for (; at < end && (unsigned)(*at - '0') < 10; at++) {
        if (at - begin == DIGITS)
            return false;
        whole = whole * 10 + (*at - '0');
    }
    *ret_whole = negative ? -whole : whole;
    *ret_fraction = at < end;
    if (at < end && *at++ != '.')
        return false;
    while (at < end && (unsigned)(*at - '0') < 10)
        at++;
    return at == end;
}

static inline bool number_accepted(const struct slot *slot, str number)
{
    int64_t whole;
    bool fraction;
    if (!whole_part(number, &whole, &fraction) || (fraction && slot->types & TYPES_INTEGER))
        return false;
    // With a fraction it is on the far side of its whole part.
    return slot->leaf == LEAF_TYPE ||
           (whole - fraction >= slot->low && whole + fraction <= slot->high);
}

static inline bool string_accepted(const struct run *run, const struct slot *slot,
                                   const struct json_node *node)
{
    uint32_t len = node->len - 2;
    if (slot->leaf == LEAF_LENGTH)
        return len >= slot->low && len <= slot->high;
    if (slot->leaf != LEAF_WORD)
        return slot->leaf != LEAF_NONE;
    if (node->escaped || len > 8)
        return false;
    const struct word *words = run->schema->words + slot->low;
    uint64_t head = head_at(run->doc, node->start + 1, len);
    for (int64_t i = 0; i < slot->high; i++)
        if (words[i].head == head && words[i].len == len)
            return true;
    return false;
}

static inline bool leaf_accepted(const struct run *run, const struct slot *slot,
                                 const struct json_node *node)
{
    if (!(slot->types >> node->kind & 1))
        return false;
    if (node->kind == JSON_STRING)
        return string_accepted(run, slot, node);
    if (node->kind == JSON_NUMBER && slot->leaf != LEAF_WORD)
        return (slot->leaf == LEAF_LENGTH && !(slot->types & TYPES_INTEGER)) ||
               number_accepted(slot, json_span(run->doc, node));
    return slot->leaf != LEAF_WORD;
}

static bool unknown_accepted(struct run *run, const struct frame *frame,
                             const struct object_rule *object, const struct json_node *node,
                             const struct json_node *child)
{
    return object->additional == RULE_NONE ||
           member_check(run, frame, KEYWORD_ADDITIONAL_PROPERTIES, object->additional, node, child);
}

static bool all_required(const struct object_rule *object, uint64_t seen)
{
    return object->required_bits == 0 || seen == UINT64_MAX >> (64 - object->required_bits);
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
            uint64_t head = head_at(doc, child->key_start, child->key_len), tail = text_tail(key);
            slot = guess < end && slot_is(guess, head, tail, key)
                       ? guess
                       : look_up(run, object, head, tail, key);
        }
        bool known = slot && slot->rule != RULE_NONE;
        if (slot) {
            guess = slot + 1;
            seen |= slot->bit;
        }
        if (known ? !leaf_accepted(run, slot, child) &&
                        !member_check(run, frame, KEYWORD_PROPERTIES, slot->rule, node, child)
                  : !unknown_accepted(run, frame, object, node, child))
            return false;
    }
    return all_required(object, seen);
}
