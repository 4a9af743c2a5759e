// SPDX-License-Identifier: Apache-2.0
// What leaves and names are compared by, inline: for members on a tape (check_members.c) and in a
// text (accept.c).
#pragma once

#include "schema/check.h"

// The slot of a name of an object that has some; NULL: none knows it.
const struct slot *slot_find(const struct schema *schema, const struct object_rule *object,
                             uint64_t head, uint64_t tail, str key);

// The first `len` bytes at `at`, at most 8, as a word: at once where the text goes on so far, as it
// mostly does.
static inline uint64_t head_at(const char *at, const char *end, size_t len)
{
    static const uint64_t masks[] = {0,          0xff,         0xffff,         0xffffff,
                                     0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
                                     UINT64_MAX};
    uint64_t word = 0;
    if (__builtin_expect((size_t)(end - at) >= sizeof word, 1)) {
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

static inline bool all_required(const struct object_rule *object, uint64_t seen)
{
    return object->required_bits == 0 || seen == UINT64_MAX >> (64 - object->required_bits);
}

static inline bool leaf_types(const struct leaf *leaf, enum json_kind kind)
{
    return leaf->types >> kind & 1;
}

// A number that is `whole` towards zero, and more when it has a fraction: then it is on the far
// side of its whole part.
static inline bool leaf_takes_number(const struct leaf *leaf, int64_t whole, bool fraction)
{
    if (fraction && leaf->types & TYPES_INTEGER)
        return false;
    return leaf->kind == LEAF_TYPE || leaf->kind == LEAF_LENGTH ||
           (leaf->kind == LEAF_RANGE && whole - fraction >= leaf->low &&
            whole + fraction <= leaf->high);
}

// A string by its content of `len` bytes at `at`.
static inline bool leaf_takes_string(const struct schema *schema, const struct leaf *leaf,
                                     const char *at, const char *end, size_t len, bool escaped)
{
    if (leaf->kind == LEAF_LENGTH)
        return (int64_t)len >= leaf->low && (int64_t)len <= leaf->high;
    if (leaf->kind != LEAF_WORD)
        return leaf->kind != LEAF_NONE;
    if (escaped || len > sizeof(uint64_t))
        return false;
    const struct word *words = schema->words + leaf->low;
    uint64_t head = head_at(at, end, len);
    for (int64_t i = 0; i < leaf->high; i++)
        if (words[i].head == head && words[i].len == len)
            return true;
    return false;
}

// Behind a number of at most 18 digits before its point, without exponent; NULL when it is no such
// number, or none at all.
static inline const char *plain_number(const char *at, const char *end, int64_t *ret_whole,
                                       bool *ret_fraction)
{
    enum { DIGITS = 18 };
    bool negative = *at == '-';
    at += negative;
    const char *begin = at;
    uint64_t whole = 0;
    for (; at < end && (unsigned)(*at - '0') < 10; at++)
        whole = whole * 10 + (unsigned)(*at - '0');
    if ((size_t)(at - begin) - 1 >= DIGITS || (*begin == '0' && at - begin > 1))
        return NULL;
    *ret_whole = negative ? -(int64_t)whole : (int64_t)whole;
    *ret_fraction = at < end && *at == '.';
    if (*ret_fraction) {
        for (begin = ++at; at < end && (unsigned)(*at - '0') < 10;)
            at++;
        if (at == begin)
            return NULL;
    }
    return at < end && (*at | 0x20) == 'e' ? NULL : at;
}
