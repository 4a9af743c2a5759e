// SPDX-License-Identifier: Apache-2.0
// The canonical spelling. Containers are printed by a stack of what is still to be printed; members
// are sorted by their unescaped keys, and of a doubled one the last is kept.
#include "schema/schema.h"

#include "base/limits.h"
#include "schema/number.h"

#include <stdlib.h>

struct member {
    str key;
    const struct json_node *node;
};

struct level {
    struct member *items;
    uint32_t count, next;
    bool object;
};

struct printing {
    const struct json_doc *doc;
    struct arena *arena;
    struct buf buf;
    struct level levels[JSON_DEPTH_CAP];
    uint32_t depth;
};

static err no_room(struct als_why *why)
{
    return FAIL(why, ALS_TOO_LARGE, "the canonical form takes too much memory");
}

// By key, and of one key the later one first.
static int compare_members(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    int order = str_compare(left->key, right->key);
    return order ? order : (left->node < right->node) - (left->node > right->node);
}

static err open_level(struct printing *printing, const struct json_node *node, struct als_why *why)
{
    struct level *level = &printing->levels[printing->depth++];
    *level = (struct level){.items = ARENA_ARRAY(printing->arena, struct member, node->count),
                            .object = node->kind == JSON_OBJECT};
    if (!level->items)
        return no_room(why);
    for (const struct json_node *child = json_first(printing->doc, node); child;
         child = json_after(printing->doc, node, child)) {
        struct member member = {.node = child};
        if (level->object) {
            member.key = json_key_text(printing->doc, child, printing->arena);
            if (!member.key.ptr)
                return no_room(why);
        }
        level->items[level->count++] = member;
    }
    buf_put_char(&printing->buf, level->object ? '{' : '[');
    if (!level->object || level->count < 2)
        return ALS_OK;
    qsort(level->items, level->count, sizeof *level->items, compare_members);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < level->count; i++)
        if (!str_equal(level->items[i].key, level->items[kept - 1].key))
            level->items[kept++] = level->items[i];
    level->count = kept;
    return ALS_OK;
}

static err put_value(struct printing *printing, const struct json_node *node, struct als_why *why)
{
    struct json_writer writer;
    json_writer_init(&writer, &printing->buf);
    str span = json_span(printing->doc, node);
    if (node->kind == JSON_NUMBER) {
        char *room = buf_room(&printing->buf, span.len + 32);
        if (room)
            buf_grew(&printing->buf, number_canonical(span, room));
    } else if (node->kind == JSON_STRING) {
        str text = json_text(printing->doc, node, printing->arena);
        if (!text.ptr)
            return no_room(why);
        json_put_string(&writer, text);
    } else if (node->kind >= JSON_ARRAY) {
        return open_level(printing, node, why);
    } else {
        buf_put_str(&printing->buf, span);
    }
    return ALS_OK;
}

static err print(struct printing *printing, struct als_why *why)
{
    TRY(put_value(printing, json_root(printing->doc), why));
    while (printing->depth) {
        struct level *level = &printing->levels[printing->depth - 1];
        if (level->next == level->count) {
            buf_put_char(&printing->buf, level->object ? '}' : ']');
            printing->depth--;
            continue;
        }
        if (level->next)
            buf_put_char(&printing->buf, ',');
        struct member *member = &level->items[level->next++];
        if (level->object) {
            struct json_writer writer;
            json_writer_init(&writer, &printing->buf);
            json_key(&writer, member->key);
        }
        TRY(put_value(printing, member->node, why));
    }
    return ALS_OK;
}

err schema_canonical(str text, struct arena *arena, str *ret_text, struct als_why *why)
{
    struct json_doc doc;
    struct json_options options = {.depth_max = JSON_DEPTH_CAP, .span_depth = UINT32_MAX};
    TRY(json_parse(text, options, arena, &doc, NULL, why));
    struct printing *printing = ARENA_NEW(arena, struct printing);
    if (!printing)
        return no_room(why);
    *printing = (struct printing){.doc = &doc, .arena = arena};
    buf_init(&printing->buf, text.len * 6 + 64); // "1e20" is written out
    err code = print(printing, why);
    if (code == ALS_OK) {
        str copy = buf_failed(&printing->buf) ? (str){NULL, 0}
                                              : arena_copy(arena, buf_str(&printing->buf));
        if (copy.ptr)
            *ret_text = copy;
        else
            code = no_room(why);
    }
    buf_deinit(&printing->buf);
    return code;
}
