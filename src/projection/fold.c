// SPDX-License-Identifier: Apache-2.0
// Members are kept as spans of the payloads they came from; only their places change. Events of an
// entity mostly have the same keys in the same order, so the member that is expected next is looked
// at before the table is asked.
#include "projection/projection.h"

#include "base/hash.h"
#include "json/json.h"

#include <stdlib.h>

enum { ARENA_BLOCK_BYTES = 4096, ARENA_BYTES_MAX = 256 << 20, FIRST_SLOTS = 32 };

struct member {
    str key;      // as it was spelled first, between its quotes
    str key_text; // unescaped
    str value;
};

struct fold {
    struct arena arena;
    struct member *members; // in the order of their first coming
    uint32_t count, room;
    uint32_t *slots; // index of a member + 1 by hash; 0 is free
    uint32_t slot_count;
};

struct fold *fold_new(void)
{
    struct fold *fold = calloc(1, sizeof *fold);
    if (fold)
        arena_init(&fold->arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    return fold;
}

void fold_free(struct fold *fold)
{
    if (!fold)
        return;
    arena_deinit(&fold->arena);
    free(fold);
}

void fold_reset(struct fold *fold)
{
    arena_reset(&fold->arena);
    fold->members = NULL;
    fold->slots = NULL;
    fold->count = fold->room = fold->slot_count = 0;
}

static uint32_t *slot_of(const struct fold *fold, str key_text)
{
    uint32_t mask = fold->slot_count - 1;
    uint32_t at = (uint32_t)hash_bytes(key_text.ptr, key_text.len, 0) & mask;
    while (fold->slots[at] && !str_equal(fold->members[fold->slots[at] - 1].key_text, key_text))
        at = (at + 1) & mask;
    return &fold->slots[at];
}

// Room for one more member, the table at most half full.
static bool grow(struct fold *fold)
{
    if (fold->count < fold->room)
        return true;
    uint32_t slot_count = fold->slot_count ? fold->slot_count * 2 : FIRST_SLOTS;
    struct member *members = ARENA_ARRAY(&fold->arena, struct member, slot_count / 2);
    uint32_t *slots = ARENA_ARRAY(&fold->arena, uint32_t, slot_count);
    if (!members || !slots || slot_count > UINT32_MAX / 4)
        return false;
    if (fold->count)
        memcpy(members, fold->members, fold->count * sizeof *members);
    memset(slots, 0, slot_count * sizeof *slots);
    fold->members = members;
    fold->slots = slots;
    fold->slot_count = slot_count;
    fold->room = slot_count / 2;
    for (uint32_t i = 0; i < fold->count; i++)
        *slot_of(fold, members[i].key_text) = i + 1;
    return true;
}

static bool unescaped(struct fold *fold, const struct json_pair *pair, str *ret_text)
{
    *ret_text = pair->key;
    if (!pair->key_escaped)
        return true;
    char *text = arena_alloc(&fold->arena, pair->key.len + 1);
    if (!text)
        return false;
    *ret_text = (str){text, json_unescape(pair->key, text)};
    return true;
}

static bool put(struct fold *fold, const struct json_pair *pair)
{
    str key_text;
    if (!unescaped(fold, pair, &key_text) || !grow(fold))
        return false;
    uint32_t *slot = slot_of(fold, key_text);
    if (*slot == 0) {
        fold->members[fold->count++] =
            (struct member){.key = pair->key, .key_text = key_text, .value = pair->value};
        *slot = fold->count;
    } else
        fold->members[*slot - 1].value = pair->value;
    return true;
}

err fold_apply(struct fold *fold, str payload, struct als_why *why)
{
    if (payload.len == 0 || payload.ptr[0] != '{')
        return ALS_OK;
    struct json_member_walk walk = json_walk(payload);
    struct json_pair pair;
    for (uint32_t expected = 0; json_walk_next(&walk, &pair); expected++) {
        if (expected < fold->count && !pair.key_escaped &&
            str_equal(fold->members[expected].key_text, pair.key))
            fold->members[expected].value = pair.value;
        else if (!put(fold, &pair))
            return FAIL(why, ALS_TOO_LARGE, "the state has too many keys");
    }
    return ALS_OK;
}

void fold_print(const struct fold *fold, struct buf *buf)
{
    buf_put_char(buf, '{');
    for (uint32_t i = 0; i < fold->count; i++) {
        const struct member *member = &fold->members[i];
        buf_put_str(buf, i ? S(",\"") : S("\""));
        buf_put_str(buf, member->key);
        buf_put_str(buf, S("\":"));
        buf_put_str(buf, member->value);
    }
    buf_put_char(buf, '}');
}
