// SPDX-License-Identifier: Apache-2.0
// Recursion here is over a parsed document, whose depth is at most JSON_DEPTH_CAP.
//
// Members of two objects are mostly in the same order: each is first looked for where the last one
// was found. Objects with doubled keys are rare and pay for it.
#include "schema/value.h"

#include "base/hash.h"
#include "schema/number.h"

#include <stdlib.h>

uint32_t text_next(struct text_reader *reader)
{
    char piece[4];
    const char *at = reader->at;
    if (*at == '\\') {
        size_t len = at[1] != 'u' ? 2 : 6;
        // A high surrogate stands with its low one: checked JSON.
        if (len == 6 && (at[2] | 0x20) == 'd' &&
            (at[3] == '8' || at[3] == '9' || (at[3] | 0x20) == 'a' || (at[3] | 0x20) == 'b'))
            len = 12;
        (void)json_unescape((str){at, len}, piece);
        reader->at += len;
        at = piece;
    }
    unsigned char first = (unsigned char)*at;
    size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (at != piece)
        reader->at += len;
    if (len == 1)
        return first;
    uint32_t point = first & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        point = point << 6 | ((unsigned char)at[i] & 0x3f);
    return point;
}

uint64_t text_length(str content, bool escaped)
{
    uint64_t count = 0;
    if (!escaped) {
        for (size_t i = 0; i < content.len; i++)
            count += ((unsigned char)content.ptr[i] & 0xc0) != 0x80;
        return count;
    }
    struct text_reader reader = text_reader(content);
    while (reader.at < reader.end) {
        (void)text_next(&reader); // only counted
        count++;
    }
    return count;
}

bool text_equal(str a, bool a_escaped, str b, bool b_escaped)
{
    if (!a_escaped && !b_escaped)
        return str_equal(a, b);
    struct text_reader left = text_reader(a), right = text_reader(b);
    while (left.at < left.end && right.at < right.end)
        if (text_next(&left) != text_next(&right))
            return false;
    return left.at == left.end && right.at == right.end;
}

static str key_of(struct value member)
{
    return json_key_span(member.doc, member.node);
}

static bool same_key(struct value a, struct value b)
{
    return text_equal(key_of(a), a.node->key_escaped, key_of(b), b.node->key_escaped);
}

static const struct json_node *child_behind(struct value parent, const struct json_node *child)
{
    const struct json_node *next = parent.doc->nodes + child->next;
    return next < parent.doc->nodes + parent.node->next ? next : NULL;
}

bool value_is_shadowed(struct value object, const struct json_node *member, struct value_work *work)
{
    const struct json_node *other = member;
    while ((other = child_behind(object, other)) && work_spend(work, 1))
        if (same_key((struct value){object.doc, member}, (struct value){object.doc, other}))
            return true;
    return false;
}

// In pieces, so that a text with escapes need not be unescaped as a whole.
static uint64_t text_hash(str content, bool escaped)
{
    enum { PIECE = 256, READ = 128, ESCAPE = 12 };
    uint64_t hash = 1;
    if (!escaped) {
        for (; content.len > PIECE; content = str_from(content, PIECE))
            hash = hash_bytes(content.ptr, PIECE, hash);
        return hash_bytes(content.ptr, content.len, hash);
    }
    char piece[PIECE + READ + ESCAPE];
    size_t len = 0;
    struct text_reader reader = text_reader(content);
    while (reader.at < reader.end) {
        const char *begin = reader.at;
        while (reader.at < reader.end && reader.at < begin + READ)
            (void)text_next(&reader); // escapes stay whole
        len += json_unescape((str){begin, (size_t)(reader.at - begin)}, piece + len);
        if (len > PIECE) {
            hash = hash_bytes(piece, PIECE, hash);
            len -= PIECE;
            memmove(piece, piece + PIECE, len);
        }
    }
    return hash_bytes(piece, len, hash);
}

static int compare_words(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

uint64_t *work_words(struct value_work *work, size_t count)
{
    if (count <= work->capacity)
        return work->words;
    uint64_t *words = ARENA_ARRAY(work->arena, uint64_t, count * 2);
    if (!words) {
        work->steps = 0;
        work->full = true;
        return NULL;
    }
    work->words = words;
    work->capacity = count * 2;
    return words;
}

// False when all keys of the object are different; true when two may be the same.
static bool may_have_doubles(struct value object, struct value_work *work)
{
    enum { FEW = 8 };
    if (object.node->count <= FEW)
        return object.node->count > 1; // looking for them costs no more than this would
    uint64_t *hashes = work_words(work, object.node->count);
    if (!hashes || !work_spend(work, object.node->count))
        return false;
    size_t count = 0;
    for (const struct json_node *child = json_first(object.doc, object.node); child;
         child = child_behind(object, child))
        hashes[count++] = text_hash(json_key_span(object.doc, child), child->key_escaped);
    qsort(hashes, count, sizeof *hashes, compare_words);
    for (size_t i = 1; i < count; i++)
        if (hashes[i] == hashes[i - 1])
            return true;
    return false;
}

// The member of `object` with the key of `member`, looked for from `from` on, around; the last one
// where `doubles` says that there may be several.
static const struct json_node *find_member(struct value object, struct value member,
                                           const struct json_node *from, bool doubles,
                                           struct value_work *work)
{
    const struct json_node *first = json_first(object.doc, object.node), *found = NULL;
    const struct json_node *at = from && !doubles ? from : first;
    for (uint32_t i = 0; i < object.node->count && work_spend(work, 1); i++) {
        if (same_key((struct value){object.doc, at}, member)) {
            found = at;
            if (!doubles)
                break;
        }
        at = child_behind(object, at);
        at = at ? at : first;
    }
    return found;
}

// Every member of `a` that counts is in `b` with the same value.
static bool within(struct value a, struct value b, bool doubles, struct value_work *work)
{
    const struct json_node *guess = NULL;
    for (const struct json_node *child = json_first(a.doc, a.node); child;
         child = child_behind(a, child)) {
        struct value member = {a.doc, child};
        const struct json_node *found = find_member(b, member, guess, doubles, work);
        if (!found || !work_spend(work, 1))
            return false;
        if (!value_equal(member, (struct value){b.doc, found}, work) &&
            !(doubles && value_is_shadowed(a, child, work)))
            return false;
        guess = child_behind(b, found);
    }
    return true;
}

static bool objects_equal(struct value a, struct value b, struct value_work *work)
{
    if (may_have_doubles(a, work) || may_have_doubles(b, work))
        return within(a, b, true, work) && within(b, a, true, work);
    return a.node->count == b.node->count && within(a, b, false, work);
}

static bool arrays_equal(struct value a, struct value b, struct value_work *work)
{
    if (a.node->count != b.node->count)
        return false;
    const struct json_node *left = json_first(a.doc, a.node);
    const struct json_node *right = json_first(b.doc, b.node);
    while (left && right) {
        if (!value_equal((struct value){a.doc, left}, (struct value){b.doc, right}, work))
            return false;
        left = child_behind(a, left);
        right = child_behind(b, right);
    }
    return true;
}

static bool numbers_equal(str a, str b)
{
    struct json_decimal left = json_decimal_read(a), right = json_decimal_read(b);
    return json_decimal_compare(&left, &right) == 0;
}

bool value_equal(struct value a, struct value b, struct value_work *work)
{
    if (a.node->kind != b.node->kind || !work_spend(work, 2 + a.node->len / 32))
        return false;
    switch (a.node->kind) {
    case JSON_NUMBER:
        return str_equal(json_span(a.doc, a.node), json_span(b.doc, b.node)) ||
               numbers_equal(json_span(a.doc, a.node), json_span(b.doc, b.node));
    case JSON_STRING:
        return text_equal(value_content(a), a.node->escaped, value_content(b), b.node->escaped);
    case JSON_ARRAY:
        return arrays_equal(a, b, work);
    case JSON_OBJECT:
        return objects_equal(a, b, work);
    default:
        return true;
    }
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t words[2] = {a, b};
    return hash_bytes(words, sizeof words, 2);
}

uint64_t value_key_count(struct value object, struct value_work *work)
{
    if (!may_have_doubles(object, work))
        return object.node->count;
    uint64_t count = 0;
    for (const struct json_node *child = json_first(object.doc, object.node); child;
         child = child_behind(object, child))
        count += !value_is_shadowed(object, child, work);
    return count;
}

// Equal whatever the order, and however often a key stands: only the last of each key counts.
static uint64_t object_hash(struct value object, struct value_work *work)
{
    uint64_t hash = 6;
    bool doubles = may_have_doubles(object, work);
    for (const struct json_node *child = json_first(object.doc, object.node); child;
         child = child_behind(object, child))
        if (!doubles || !value_is_shadowed(object, child, work))
            hash += mix(text_hash(json_key_span(object.doc, child), child->key_escaped),
                        value_hash((struct value){object.doc, child}, work));
    return hash;
}

uint64_t value_hash(struct value value, struct value_work *work)
{
    if (!work_spend(work, 1 + value.node->len / 64))
        return 0;
    uint64_t hash = 5;
    switch (value.node->kind) {
    case JSON_NUMBER:
        return number_hash(json_span(value.doc, value.node));
    case JSON_STRING:
        return text_hash(value_content(value), value.node->escaped);
    case JSON_ARRAY:
        for (const struct json_node *child = json_first(value.doc, value.node); child;
             child = child_behind(value, child))
            hash = mix(hash, value_hash((struct value){value.doc, child}, work));
        return hash;
    case JSON_OBJECT:
        return object_hash(value, work);
    default:
        return mix(7, value.node->kind);
    }
}
