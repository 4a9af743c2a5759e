// SPDX-License-Identifier: Apache-2.0
// What a `$ref` means: the URI's resource, and in it the root, an anchor, or what a JSON Pointer
// leads to. A pointer may pass through a schema with an `$id` of its own, whose resource then
// counts, and may end where no schema was expected; that place is one from then on.
#include "schema/compiler.h"

#include "base/hash.h"
#include "schema/uri.h"

#include <stdio.h>

static err nowhere(struct compiler *compiler, const struct place *from, str text, const char *why)
{
    char words[160];
    int len = snprintf(words, sizeof words, "the reference '%.*s' leads nowhere%s",
                       (int)(text.len < 80 ? text.len : 80), text.ptr, why);
    (void)len; // cut if need be
    return refuse_at(compiler, from->document, from->node, words);
}

static uint64_t member_hash(uint32_t document, uint32_t object, str key)
{
    return hash_bytes(key.ptr, key.len, (uint64_t)document << 32 | object);
}

// Many references into one large `$defs` must not look through all of it each time.
static err index_members(struct compiler *compiler, uint32_t document, const struct json_doc *doc,
                         const struct json_node *object)
{
    uint32_t index = (uint32_t)(object - doc->nodes), cursor = 0, seen;
    uint64_t mark = hash_bytes(&document, sizeof document, (uint64_t)index << 32 | 1);
    if (map_next(&compiler->member_map, mark, &cursor, &seen))
        return ALS_OK;
    if (!map_put(compiler, &compiler->member_map, mark, index))
        return no_room(compiler);
    for (const struct json_node *child = json_first(doc, object); child;
         child = json_after(doc, object, child)) {
        str key = json_key_text(doc, child, &compiler->scratch);
        if (!key.ptr || !map_put(compiler, &compiler->member_map, member_hash(document, index, key),
                                 (uint32_t)(child - doc->nodes)))
            return no_room(compiler);
    }
    return ALS_OK;
}

enum { FEW = 32 }; // are looked through

static err find_member(struct compiler *compiler, uint32_t document, const struct json_doc *doc,
                       const struct json_node *object, str key, const struct json_node **ret_node)
{
    *ret_node = NULL;
    if (object->count <= FEW) {
        *ret_node = json_member(doc, object, key);
        return ALS_OK;
    }
    TRY(index_members(compiler, document, doc, object));
    uint32_t cursor = 0, found;
    uint64_t hash = member_hash(document, (uint32_t)(object - doc->nodes), key);
    while (map_next(&compiler->member_map, hash, &cursor, &found))
        if (json_key_is(doc, &doc->nodes[found], key))
            *ret_node = &doc->nodes[found]; // the last one counts
    return ALS_OK;
}

// The nodes of an array's elements, for the same reason.
static err index_elements(struct compiler *compiler, uint32_t document, const struct json_doc *doc,
                          const struct json_node *array, const uint32_t **ret_nodes)
{
    uint32_t index = (uint32_t)(array - doc->nodes), cursor = 0, table, count = 0;
    uint64_t mark = hash_bytes(&document, sizeof document, (uint64_t)index << 32 | 2);
    if (map_next(&compiler->member_map, mark, &cursor, &table)) {
        *ret_nodes = *LIST_AT(compiler->element_tables, const uint32_t *, table);
        return ALS_OK;
    }
    uint32_t *nodes = ARENA_ARRAY(&compiler->scratch, uint32_t, array->count);
    const uint32_t **made = LIST_ADD(compiler, &compiler->element_tables, const uint32_t *);
    if (!nodes || !made ||
        !map_put(compiler, &compiler->member_map, mark, compiler->element_tables.count - 1))
        return no_room(compiler);
    for (const struct json_node *child = json_first(doc, array); child;
         child = json_after(doc, array, child))
        nodes[count++] = (uint32_t)(child - doc->nodes);
    *ret_nodes = *made = nodes;
    return ALS_OK;
}

static err find_element(struct compiler *compiler, uint32_t document, const struct json_doc *doc,
                        const struct json_node *array, str token, const struct json_node **ret_node)
{
    uint64_t index;
    bool number = str_to_u64(token, &index) && (token.len == 1 || *token.ptr != '0');
    *ret_node = NULL;
    if (!number || index >= array->count)
        return ALS_OK;
    if (array->count > FEW) {
        const uint32_t *nodes = NULL;
        TRY(index_elements(compiler, document, doc, array, &nodes));
        *ret_node = &doc->nodes[nodes[index]];
        return ALS_OK;
    }
    const struct json_node *child = json_first(doc, array);
    while (child && index--)
        child = json_after(doc, array, child);
    *ret_node = child;
    return ALS_OK;
}

// "~1" is '/', "~0" is '~'; false when a '~' stands otherwise.
static bool decode_token(str token, char *target, size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];
        if (c == '~') {
            if (++i == token.len || (token.ptr[i] != '0' && token.ptr[i] != '1'))
                return false;
            c = token.ptr[i] == '0' ? '~' : '/';
        }
        target[len++] = c;
    }
    *ret_len = len;
    return true;
}

static err follow_pointer(struct compiler *compiler, const struct place *from, str reference,
                          str pointer, struct place *place)
{
    const struct json_doc *doc = document_of(compiler, place->document);
    const struct text_notes *notes = LIST_AT(compiler->notes, struct text_notes, place->document);
    const struct json_node *node = &doc->nodes[place->node];
    char *room = arena_alloc(&compiler->scratch, pointer.len + 1);
    if (!room)
        return no_room(compiler);
    str rest = str_from(pointer, 1);
    for (bool more = true; more;) {
        size_t slash = str_find(rest, '/'), len;
        more = slash < rest.len;
        if (!decode_token(str_first(rest, slash), room, &len))
            return nowhere(compiler, from, reference, ": '~' stands before 0 or 1 only");
        rest = str_from(rest, slash + more);
        str token = {room, len};
        const struct json_node *within = node;
        node = NULL;
        if (within->kind == JSON_OBJECT)
            TRY(find_member(compiler, place->document, doc, within, token, &node));
        else if (within->kind == JSON_ARRAY)
            TRY(find_element(compiler, place->document, doc, within, token, &node));
        if (!node)
            return nowhere(compiler, from, reference, "");
        place->node = (uint32_t)(node - doc->nodes);
        if (notes->resource_of[place->node] != RULE_NONE)
            place->resource = notes->resource_of[place->node];
    }
    return ALS_OK;
}

static err name_anchor(struct compiler *compiler, str name, uint32_t *ret_anchor)
{
    for (uint32_t i = 0; i < compiler->anchor_names.count; i++)
        if (str_equal(*LIST_AT(compiler->anchor_names, str, i), name)) {
            *ret_anchor = i;
            return ALS_OK;
        }
    str *item = LIST_ADD(compiler, &compiler->anchor_names, str);
    if (!item)
        return no_room(compiler);
    *item = name;
    *ret_anchor = compiler->anchor_names.count - 1;
    return ALS_OK;
}

static err follow_anchor(struct compiler *compiler, const struct place *from, str reference,
                         str name, struct place *place, uint32_t *ret_anchor)
{
    uint32_t cursor = 0, index;
    uint64_t hash = hash_bytes(name.ptr, name.len, place->resource);
    while (map_next(&compiler->anchor_map, hash, &cursor, &index)) {
        const struct anchor *anchor = LIST_AT(compiler->anchors, struct anchor, index);
        if (anchor->resource != place->resource || !str_equal(anchor->name, name))
            continue;
        place->node = anchor->node;
        return anchor->dynamic ? name_anchor(compiler, anchor->name, ret_anchor) : ALS_OK;
    }
    return nowhere(compiler, from, reference, ": there is no such anchor");
}

err reference_follow(struct compiler *compiler, const struct place *from, str text,
                     struct place *ret_place, uint32_t *ret_anchor)
{
    str base = LIST_AT(compiler->resources, struct resource, from->resource)->uri;
    str uri = uri_resolve(base, text, &compiler->scratch);
    str fragment = uri_decode(uri_split(text).fragment, &compiler->scratch);
    if (!uri.ptr)
        return no_room(compiler);
    if (!fragment.ptr)
        return nowhere(compiler, from, text, ": its fragment is malformed");
    struct place place = {};
    err code = resource_find(compiler, uri, &place.resource);
    if (code == ALS_NOT_FOUND) {
        char words[100];
        int len = snprintf(words, sizeof words, ": there is no schema '%.*s'",
                           (int)(uri.len < 60 ? uri.len : 60), uri.ptr);
        (void)len; // cut if need be
        return nowhere(compiler, from, text, words);
    }
    TRY(code);
    const struct resource *resource = LIST_AT(compiler->resources, struct resource, place.resource);
    place.document = resource->document;
    place.node = resource->node;
    *ret_anchor = ANCHOR_NONE;
    if (fragment.len && *fragment.ptr == '/')
        TRY(follow_pointer(compiler, from, text, fragment, &place));
    else if (fragment.len)
        TRY(follow_anchor(compiler, from, text, fragment, &place, ret_anchor));
    *ret_place = place;
    return ALS_OK;
}
