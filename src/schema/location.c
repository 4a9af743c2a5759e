// SPDX-License-Identifier: Apache-2.0
// A node does not know its parent; but its children are all behind it and before `next`, so the way
// down is found by looking.
#include "schema/location.h"

static const struct json_node *child_towards(const struct json_doc *doc,
                                             const struct json_node *parent,
                                             const struct json_node *node, uint32_t *ret_index)
{
    uint32_t index = 0;
    const struct json_node *child = json_first(doc, parent);
    while (child && doc->nodes + child->next <= node) {
        child = json_after(doc, parent, child);
        index++;
    }
    *ret_index = index;
    return child;
}

void location_put_token(str token, struct buf *buf)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] == '~')
            buf_put_str(buf, S("~0"));
        else if (token.ptr[i] == '/')
            buf_put_str(buf, S("~1"));
        else
            buf_put_char(buf, token.ptr[i]);
    }
}

static void put_key(const struct json_doc *doc, const struct json_node *node, bool pointer,
                    struct buf *buf)
{
    str key = json_key_span(doc, node);
    struct buf whole;
    buf_init(&whole, key.len + 1);
    char *room = buf_room(&whole, key.len);
    if (room && pointer)
        location_put_token((str){room, json_unescape(key, room)}, buf);
    else if (room)
        buf_put(buf, room, json_unescape(key, room));
    buf->failed |= !room;
    buf_deinit(&whole);
}

static void put(const struct json_doc *doc, const struct json_node *at,
                const struct json_node *node, bool pointer, struct buf *buf)
{
    while (at && at != node) {
        uint32_t index;
        const struct json_node *child = child_towards(doc, at, node, &index);
        if (!child)
            return;
        if (pointer)
            buf_put_char(buf, '/');
        if (at->kind == JSON_OBJECT)
            put_key(doc, child, pointer, buf);
        else
            buf_put_u64(buf, index);
        if (!pointer)
            buf_put_char(buf, '.');
        at = child;
    }
}

void location_put(const struct json_doc *doc, const struct json_node *ancestor,
                  const struct json_node *node, struct buf *buf)
{
    put(doc, ancestor, node, true, buf);
}

void location_put_dotted(const struct json_doc *doc, const struct json_node *node, struct buf *buf)
{
    put(doc, json_root(doc), node, false, buf);
}
