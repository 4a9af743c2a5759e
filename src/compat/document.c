// SPDX-License-Identifier: Apache-2.0
// Two documents, and where their references lead.
//
// A reference is followed when it surely stays inside: "#", "#/a/b", "#anchor", or the $id of a
// resource of the document before them. Everything else is outside, and all that can be said of it
// is that two references of the same spelling mean the same, if nothing within the documents could
// have changed that. Where an $id may be hidden, we rather know less.
#include "compat/inside.h"

#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

static const str dialect_07 = S("http://json-schema.org/draft-07/schema");
static const str dialect_2020 = S("https://json-schema.org/draft/2020-12/schema");

static str without_empty_fragment(str uri)
{
    return str_ends(uri, S("#")) ? str_first(uri, uri.len - 1) : uri;
}

static const struct json_node *text_member(const struct document *doc,
                                           const struct json_node *object, str name)
{
    const struct json_node *member =
        object->kind == JSON_OBJECT ? json_member(&doc->json, object, name) : NULL;
    return member && member->kind == JSON_STRING ? member : NULL;
}

// The $id that makes a schema a resource of its own. In draft-07 "#x" is an anchor's spelling.
static bool is_resource(const struct document *doc, const struct json_node *node, str *ret_id)
{
    const struct json_node *id = text_member(doc, node, S("$id"));
    if (!id)
        return false;
    str span = json_span(&doc->json, id);
    *ret_id = (str){span.ptr + 1, span.len - 2};
    return !(ret_id->len && *ret_id->ptr == '#');
}

static err read_dialect(struct document *doc, struct arena *arena, struct als_why *why)
{
    const struct json_node *root = json_root(&doc->json);
    const struct json_node *dialect =
        root->kind == JSON_OBJECT ? json_member(&doc->json, root, S("$schema")) : NULL;
    if (!dialect)
        return ALS_OK;
    str uri = dialect->kind == JSON_STRING ? json_text(&doc->json, dialect, arena) : S("");
    if (!uri.ptr)
        return FAIL(why, ALS_TOO_LARGE, "the schemas are too large to be compared");
    uri = without_empty_fragment(uri);
    if (str_equal(uri, dialect_07))
        doc->draft = COMPAT_DRAFT_07;
    else if (str_equal(uri, dialect_2020))
        doc->draft = COMPAT_DRAFT_2020_12;
    else
        doc->strange = dialect;
    return ALS_OK;
}

static int compare_keys(const void *a, const void *b)
{
    return str_compare(*(const str *)a, *(const str *)b);
}

// A key that stands twice: which one counts is known, but we would rather not compare such a text.
static err look_for_doubled_keys(struct document *doc, struct arena *arena, struct als_why *why)
{
    for (uint32_t i = 0; i < doc->json.count; i++) {
        const struct json_node *object = &doc->json.nodes[i];
        if (object->kind != JSON_OBJECT || object->count < 2)
            continue;
        str *keys = ARENA_ARRAY(arena, str, object->count);
        size_t count = 0;
        for (const struct json_node *child = json_first(&doc->json, object); keys && child;
             child = json_after(&doc->json, object, child))
            keys[count++] = json_key_text(&doc->json, child, arena);
        if (!keys)
            return FAIL(why, ALS_TOO_LARGE, "the schemas are too large to be compared");
        qsort(keys, count, sizeof *keys, compare_keys);
        for (size_t k = 1; k < count; k++)
            if (str_equal(keys[k - 1], keys[k]))
                doc->strange = object;
    }
    return ALS_OK;
}

static void look_within(struct document *doc)
{
    const struct json_node *root = json_root(&doc->json);
    const struct json_node *dialect = text_member(doc, root, S("$schema"));
    str id;
    for (uint32_t i = 1; i < doc->json.count; i++) {
        const struct json_node *node = &doc->json.nodes[i];
        doc->embedded = doc->embedded || is_resource(doc, node, &id);
        const struct json_node *inner = text_member(doc, node, S("$schema"));
        if (inner &&
            (!dialect || !str_equal(json_span(&doc->json, inner), json_span(&doc->json, dialect))))
            doc->strange = inner;
    }
    str span;
    doc->has_id = is_resource(doc, root, &span);
    if (doc->has_id)
        doc->id = without_empty_fragment(span);
}

err document_open(str text, enum compat_draft draft, struct arena *arena,
                  struct document *ret_document, struct als_why *why)
{
    struct document doc = {.draft = draft};
    struct json_options options = {.depth_max = JSON_DEPTH_MAX, .span_depth = UINT32_MAX};
    TRY(json_parse(text, options, arena, &doc.json, NULL, why));
    TRY(read_dialect(&doc, arena, why));
    TRY(look_for_doubled_keys(&doc, arena, why));
    look_within(&doc);
    *ret_document = doc;
    return ALS_OK;
}

bool draft_knows(const struct document *doc, str keyword)
{
    static const str only_2020[] = {
        S("prefixItems"), S("dependentRequired"),     S("dependentSchemas"), S("minContains"),
        S("maxContains"), S("unevaluatedProperties"), S("unevaluatedItems"), S("$dynamicRef"),
    };
    bool draft_07 = doc->draft == COMPAT_DRAFT_07;
    if (str_equal(keyword, S("additionalItems")))
        return draft_07;
    for (size_t i = 0; draft_07 && i < COUNT_OF(only_2020); i++)
        if (str_equal(keyword, only_2020[i]))
            return false;
    return true;
}

const struct json_node *place_keyword(struct check *check, struct place place, str name)
{
    if (place.node->kind != JSON_OBJECT || !draft_knows(place.doc, name) ||
        !check_spend(check, 1 + place.node->count / 8))
        return NULL;
    // In draft-07 a reference stands alone: what is beside it is not read.
    if (place.doc->draft == COMPAT_DRAFT_07 && !str_equal(name, S("$ref")) &&
        json_member(&place.doc->json, place.node, S("$ref")))
        return NULL;
    return json_member(&place.doc->json, place.node, name);
}

str node_text(struct check *check, const struct document *doc, const struct json_node *node)
{
    if (!check_spend(check, 1 + node->len / 64))
        return S("");
    str text = json_text(&doc->json, node, check->arena);
    if (!text.ptr)
        check->out_of_memory = true;
    return text.ptr ? text : S("");
}

str node_key(struct check *check, const struct document *doc, const struct json_node *node)
{
    if (!node->key_escaped)
        return json_key_span(&doc->json, node);
    str text = json_key_text(&doc->json, node, check->arena);
    if (!text.ptr)
        check->out_of_memory = true;
    return text.ptr ? text : S("");
}

// ---- References.

static bool contains(const struct document *doc, const struct json_node *outer,
                     const struct json_node *node)
{
    uint32_t at = (uint32_t)(node - doc->json.nodes);
    return outer <= node && at < outer->next;
}

// The resource that a schema belongs to: the nearest schema around it that has an $id.
static const struct json_node *resource_of(struct check *check, struct place place)
{
    const struct json_node *resource = json_root(&place.doc->json);
    if (!place.doc->embedded || !check_spend(check, place.doc->json.count))
        return resource;
    str id;
    for (const struct json_node *at = resource; at <= place.node; at++)
        if (contains(place.doc, at, place.node) && is_resource(place.doc, at, &id))
            resource = at;
    return resource;
}

// The one resource with this $id, if that is absolute; or NULL.
static const struct json_node *resource_named(struct check *check, const struct document *doc,
                                              str uri)
{
    if (str_find(uri, ':') == uri.len || !check_spend(check, doc->json.count))
        return NULL;
    if (!doc->embedded)
        return doc->has_id && str_equal(doc->id, uri) ? json_root(&doc->json) : NULL;
    const struct json_node *found = NULL;
    uint32_t count = 0;
    str id;
    for (uint32_t i = 0; i < doc->json.count; i++) {
        const struct json_node *node = &doc->json.nodes[i];
        if (is_resource(doc, node, &id) && str_equal(without_empty_fragment(id), uri)) {
            found = node;
            count++;
        }
    }
    return count == 1 ? found : NULL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Undoes %41; {NULL, 0} when it is not well-formed.
static str percent_decoded(struct check *check, str text)
{
    char *target = check_alloc(check, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; target && i < text.len; i++) {
        if (text.ptr[i] != '%') {
            target[len++] = text.ptr[i];
            continue;
        }
        int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
        int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
        if (high < 0 || low < 0)
            return (str){NULL, 0};
        target[len++] = (char)(high * 16 + low);
        i += 2;
    }
    return (str){target, target ? len : 0};
}

// One step of a JSON Pointer, "a~1b", as a key; decoded in place.
static str token_decoded(char *token, size_t token_len)
{
    size_t len = 0;
    for (size_t i = 0; i < token_len; i++) {
        bool escape = token[i] == '~' && i + 1 < token_len;
        token[len++] = !escape ? token[i] : token[i + 1] == '1' ? '/' : '~';
        i += escape;
    }
    return (str){token, len};
}

static const struct json_node *array_at(const struct document *doc, const struct json_node *array,
                                        str token)
{
    uint64_t index;
    if (!str_to_u64(token, &index) || index >= array->count || (token.len > 1 && *token.ptr == '0'))
        return NULL;
    const struct json_node *child = json_first(&doc->json, array);
    while (child && index-- > 0)
        child = json_after(&doc->json, array, child);
    return child;
}

static const struct json_node *follow_pointer(struct check *check, const struct document *doc,
                                              const struct json_node *from, str pointer)
{
    char *text = check_alloc(check, pointer.len + 1);
    if (!text)
        return NULL;
    memcpy(text, pointer.ptr, pointer.len);
    const struct json_node *node = from;
    for (size_t at = 1; node && at <= pointer.len;) {
        size_t len = str_find((str){text + at, pointer.len - at}, '/');
        str token = token_decoded(text + at, len);
        at += len + 1;
        if (!check_spend(check, 1 + node->count / 8))
            return NULL;
        if (node->kind == JSON_OBJECT)
            node = json_member(&doc->json, node, token);
        else
            node = node->kind == JSON_ARRAY ? array_at(doc, node, token) : NULL;
    }
    return node;
}

static bool has_anchor(struct check *check, const struct document *doc,
                       const struct json_node *node, str name)
{
    static const str keywords[] = {S("$anchor"), S("$dynamicAnchor")};
    if (doc->draft == COMPAT_DRAFT_07) {
        const struct json_node *id = text_member(doc, node, S("$id"));
        str text = id ? node_text(check, doc, id) : S("");
        return text.len && *text.ptr == '#' && str_equal(str_from(text, 1), name);
    }
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        const struct json_node *anchor = text_member(doc, node, keywords[i]);
        if (anchor && str_equal(node_text(check, doc, anchor), name))
            return true;
    }
    return false;
}

// The one schema of the resource with this anchor; NULL when there are two, for one of them may
// only look like a schema.
static const struct json_node *follow_anchor(struct check *check, const struct document *doc,
                                             const struct json_node *resource, str name)
{
    const struct json_node *found = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < doc->json.count; i++) {
        const struct json_node *node = &doc->json.nodes[i];
        if (!check_spend(check, 1))
            return NULL;
        if (!has_anchor(check, doc, node, name) ||
            resource_of(check, (struct place){doc, node}) != resource)
            continue;
        found = node;
        count++;
    }
    return count == 1 ? found : NULL;
}

struct place place_referred(struct check *check, struct place from, const struct json_node *ref)
{
    struct place target = {from.doc, NULL};
    // In draft-07 an $id beside a $ref is not read; we do not guess which one a text has meant.
    str id;
    if (ref->kind != JSON_STRING ||
        (from.doc->draft == COMPAT_DRAFT_07 && is_resource(from.doc, from.node, &id) &&
         from.node != json_root(&from.doc->json)))
        return target;
    str uri = node_text(check, from.doc, ref);
    size_t hash = str_find(uri, '#');
    str document = str_first(uri, hash);
    str fragment = percent_decoded(check, str_from(uri, hash + 1));
    const struct json_node *resource =
        document.len == 0 ? resource_of(check, from) : resource_named(check, from.doc, document);
    if (!resource || !fragment.ptr)
        return target;
    if (fragment.len == 0)
        target.node = resource;
    else if (*fragment.ptr == '/')
        target.node = follow_pointer(check, from.doc, resource, fragment);
    else
        target.node = follow_anchor(check, from.doc, resource, fragment);
    return target;
}

// What stands behind the last slash of the part before '#'.
static str last_segment(str uri)
{
    str path = str_first(uri, str_find(uri, '#'));
    for (size_t i = path.len; i > 0; i--)
        if (path.ptr[i - 1] == '/')
            return str_from(path, i);
    return path;
}

// Whether the reference may lead back into the document that has this $id, by a detour that we do
// not see: URIs that end in different, plain segments are different.
static bool may_be_itself(str uri, str id)
{
    str a = last_segment(uri), b = last_segment(id);
    bool plain = a.len > 0 && a.ptr[0] != '.' && str_find(a, '%') == a.len &&
                 str_find(a, '?') == a.len && str_find(b, '%') == b.len;
    return !plain || str_equal(a, b);
}

bool references_same(struct check *check, struct place a, const struct json_node *ref_a,
                     struct place b, const struct json_node *ref_b)
{
    if (a.doc->embedded || b.doc->embedded || ref_a->kind != JSON_STRING ||
        ref_b->kind != JSON_STRING)
        return false;
    str uri = node_text(check, a.doc, ref_a);
    str uri_b = node_text(check, b.doc, ref_b);
    bool absolute = str_find(uri, ':') < str_find(uri, '/');
    if (!str_equal(uri, uri_b) || uri.len == 0 || *uri.ptr == '#' || check_stopped(check))
        return false;
    if ((a.doc->has_id && may_be_itself(uri, a.doc->id)) ||
        (b.doc->has_id && may_be_itself(uri, b.doc->id)))
        return false;
    return absolute || (a.doc->has_id == b.doc->has_id && str_equal(a.doc->id, b.doc->id));
}

// ---- The same schema twice.

struct sameness {
    struct place *pairs; // two by two
    uint32_t count, room;
};

static bool expect_same(struct check *check, struct sameness *same, struct place a, struct place b)
{
    for (uint32_t i = 0; i < same->count; i += 2)
        if (same->pairs[i].node == a.node && same->pairs[i + 1].node == b.node)
            return true;
    if (same->count == same->room || !check_spend(check, 1 + same->count / 8))
        return false;
    same->pairs[same->count++] = a;
    same->pairs[same->count++] = b;
    return true;
}

// Every $ref below `a` and its twin below `b`, found in the order of the text: so the spelling must
// be the same, too.
static bool expect_same_references(struct check *check, struct sameness *same, struct place a,
                                   struct place b)
{
    uint32_t first = (uint32_t)(a.node - a.doc->json.nodes);
    const struct json_node *twin = b.node;
    for (uint32_t i = first; i < a.node->next; i++, twin++) {
        const struct json_node *node = &a.doc->json.nodes[i];
        bool named = node->kind == JSON_OBJECT;
        if (named && json_member(&a.doc->json, node, S("$dynamicRef")))
            return false;
        const struct json_node *ref = named ? json_member(&a.doc->json, node, S("$ref")) : NULL;
        if (!ref || ref->kind != JSON_STRING)
            continue;
        const struct json_node *twin_ref = json_member(&b.doc->json, twin, S("$ref"));
        struct place inner_a = place_at(a, node), inner_b = place_at(b, twin);
        struct place target_a = place_referred(check, inner_a, ref);
        struct place target_b = place_referred(check, inner_b, twin_ref);
        if (!target_a.node || !target_b.node) {
            if (target_a.node || target_b.node ||
                !references_same(check, inner_a, ref, inner_b, twin_ref))
                return false;
        } else if (!expect_same(check, same, target_a, target_b))
            return false;
    }
    return true;
}

bool places_same(struct check *check, struct place a, struct place b)
{
    if (a.node == b.node)
        return true;
    enum { ROOM = 128 };
    struct sameness same = {.pairs = check_alloc(check, ROOM * sizeof *same.pairs), .room = ROOM};
    if (!same.pairs || a.doc->draft != b.doc->draft || a.doc->embedded || b.doc->embedded ||
        !expect_same(check, &same, a, b))
        return false;
    for (uint32_t i = 0; i < same.count; i += 2) {
        struct place one = same.pairs[i], other = same.pairs[i + 1];
        str span = json_span(&one.doc->json, one.node);
        if (!check_spend(check, 1 + span.len / 64) ||
            !str_equal(span, json_span(&other.doc->json, other.node)) ||
            !expect_same_references(check, &same, one, other))
            return false;
    }
    return true;
}

// ---- Places as text.

static void put_token(struct buf *buf, str key)
{
    buf_put_char(buf, '/');
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '~')
            buf_put_str(buf, S("~0"));
        else if (key.ptr[i] == '/')
            buf_put_str(buf, S("~1"));
        else
            buf_put_char(buf, key.ptr[i]);
    }
}

str node_pointer(struct check *check, const struct document *doc, const struct json_node *node)
{
    struct buf buf;
    buf_init(&buf, 64 * 1024);
    const struct json_node *at = json_root(&doc->json);
    while (at != node) {
        uint32_t index = 0;
        const struct json_node *child = json_first(&doc->json, at);
        for (; child && !contains(doc, child, node); index++)
            child = json_after(&doc->json, at, child);
        assert(child); // the node is below `at`
        if (at->kind == JSON_OBJECT)
            put_token(&buf, node_key(check, doc, child));
        else
            buf_printf(&buf, "/%u", index);
        at = child;
    }
    str pointer = buf_failed(&buf) ? S("") : arena_copy(check->arena, buf_str(&buf));
    if (!pointer.ptr)
        check->out_of_memory = true;
    buf_deinit(&buf);
    return pointer.ptr ? pointer : S("");
}

struct place place_made(struct check *check, str text)
{
    struct document *doc =
        check_spend(check, 4 + text.len / 16) ? check_alloc(check, sizeof *doc) : NULL;
    struct document made = {.draft = COMPAT_DRAFT_2020_12};
    struct json_options options = {.depth_max = JSON_DEPTH_CAP, .span_depth = UINT32_MAX};
    if (!doc)
        return (struct place){};
    if (json_parse(text, options, check->arena, &made.json, NULL, NULL) != ALS_OK) {
        check->out_of_memory = true;
        return (struct place){};
    }
    *doc = made;
    return (struct place){doc, json_root(&doc->json)};
}
