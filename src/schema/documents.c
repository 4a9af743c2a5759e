// SPDX-License-Identifier: Apache-2.0
// The texts of a compilation: the one asked for, the metaschemas and what the resolver gives. Each
// is read once and walked: every place where a keyword holds a schema gets its resource, which is
// the nearest `$id` above it, and `$id`s and anchors are noted by name. What looks like an `$id`
// elsewhere, in an enum or below an unknown keyword, is none.
#include "schema/compiler.h"

#include "base/hash.h"
#include "base/limits.h"
#include "schema/metaschema.h"
#include "schema/uri.h"

const struct keyword_row keyword_rows[KEYWORD_COUNT] = {
#define D7 true, false
#define D20 false, true
#define BOTH true, true
#define X(name, text, drafts, vocabulary, holds)                                                   \
    {{text, sizeof text - 1}, drafts, VOCABULARY_##vocabulary, HOLDS_##holds},
#include "schema/keyword.def"
#undef X
#undef D7
#undef D20
#undef BOTH
};

str keyword_text(enum keyword keyword)
{
    return keyword == KEYWORD_FALSE ? S("false") : keyword_rows[keyword].text;
}

err no_room(struct compiler *compiler)
{
    return FAIL(compiler->why, ALS_TOO_LARGE, "the schema takes too much memory");
}

void *list_add(struct compiler *compiler, struct list *list, size_t item_size)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 8;
        char *larger = arena_alloc_array(compiler->keep, item_size, capacity);
        if (!larger)
            return NULL;
        if (list->count)
            memcpy(larger, list->items, list->count * item_size);
        list->items = larger;
        list->capacity = capacity;
    }
    char *item = (char *)list->items + list->count++ * item_size;
    memset(item, 0, item_size);
    return item;
}

// ---- Hashes to numbers

static void map_insert(struct hash_map *map, uint64_t hash, uint32_t value)
{
    uint32_t at = (uint32_t)hash & (map->capacity - 1);
    while (map->hashes[at])
        at = (at + 1) & (map->capacity - 1);
    map->hashes[at] = hash;
    map->values[at] = value;
}

bool map_put(struct compiler *compiler, struct hash_map *map, uint64_t hash, uint32_t value)
{
    hash += hash == 0;
    if (map->count * 2 >= map->capacity) {
        struct hash_map larger = {.capacity = map->capacity ? map->capacity * 2 : 64};
        larger.hashes = ARENA_ARRAY(&compiler->scratch, uint64_t, larger.capacity);
        larger.values = ARENA_ARRAY(&compiler->scratch, uint32_t, larger.capacity);
        if (!larger.hashes || !larger.values)
            return false;
        memset(larger.hashes, 0, larger.capacity * sizeof *larger.hashes);
        for (uint32_t i = 0; i < map->capacity; i++)
            if (map->hashes[i])
                map_insert(&larger, map->hashes[i], map->values[i]);
        larger.count = map->count;
        *map = larger;
    }
    map_insert(map, hash, value);
    map->count++;
    return true;
}

bool map_next(const struct hash_map *map, uint64_t hash, uint32_t *cursor, uint32_t *ret_value)
{
    hash += hash == 0;
    for (; *cursor < map->capacity; ++*cursor) {
        uint32_t at = ((uint32_t)hash + *cursor) & (map->capacity - 1);
        if (map->hashes[at] == 0)
            return false;
        if (map->hashes[at] != hash)
            continue;
        *ret_value = map->values[at];
        ++*cursor;
        return true;
    }
    return false;
}

// ---- Failures with a place

err refuse_at(struct compiler *compiler, uint32_t document, uint32_t node, const char *what)
{
    const struct document *text = LIST_AT(compiler->documents, struct document, document);
    struct buf pointer;
    buf_init(&pointer, 1 << 16);
    location_put(&text->doc, json_root(&text->doc), &text->doc.nodes[node], &pointer);
    err code = FAIL(compiler->why, ALS_VALIDATION, "%s at %.*s#%.*s", what, STR(text->uri),
                    STR(buf_str(&pointer)));
    buf_deinit(&pointer);
    return code;
}

err refuse_keyword(const struct source *source, enum keyword keyword, const char *what)
{
    const struct json_node *node = source->found[keyword];
    return refuse_at(source->compiler, source->place.document,
                     (uint32_t)(node - source->doc->nodes), what);
}

// ---- The walk

struct step {
    const struct json_node *node;
    uint32_t resource;
};

struct walk {
    struct compiler *compiler;
    uint32_t document;
    const struct json_doc *doc;
    struct text_notes notes;
    struct list steps; // struct step, still to be taken
};

static uint64_t anchor_hash(uint32_t resource, str name)
{
    return hash_bytes(name.ptr, name.len, resource);
}

static bool anchor_find(const struct compiler *compiler, uint32_t resource, str name,
                        const struct anchor **ret_anchor)
{
    uint32_t cursor = 0, index;
    while (map_next(&compiler->anchor_map, anchor_hash(resource, name), &cursor, &index)) {
        *ret_anchor = LIST_AT(compiler->anchors, struct anchor, index);
        if ((*ret_anchor)->resource == resource && str_equal((*ret_anchor)->name, name))
            return true;
    }
    return false;
}

static err add_anchor(struct walk *walk, const struct json_node *schema, uint32_t resource,
                      str name, bool dynamic)
{
    struct compiler *compiler = walk->compiler;
    uint32_t node = (uint32_t)(schema - walk->doc->nodes);
    const struct anchor *other;
    if (anchor_find(compiler, resource, name, &other)) {
        if (other->node != node)
            return refuse_at(compiler, walk->document, node, "the anchor is there twice");
        LIST_AT(compiler->anchors, struct anchor, other - (struct anchor *)compiler->anchors.items)
            ->dynamic |= dynamic;
        return ALS_OK;
    }
    struct anchor *anchor = LIST_ADD(compiler, &compiler->anchors, struct anchor);
    if (!anchor || !map_put(compiler, &compiler->anchor_map, anchor_hash(resource, name),
                            compiler->anchors.count - 1))
        return no_room(compiler);
    *anchor = (struct anchor){resource, node, name, dynamic};
    return ALS_OK;
}

bool document_known(const struct compiler *compiler, str uri, uint32_t *ret_resource)
{
    uint32_t cursor = 0;
    return map_next(&compiler->uri_map, hash_bytes(uri.ptr, uri.len, 0), &cursor, ret_resource);
}

err resource_name(struct compiler *compiler, str uri, uint32_t resource)
{
    // Hashes of 64 bits stand for URIs: a collision makes two schemas of one text meet, no more.
    if (!map_put(compiler, &compiler->uri_map, hash_bytes(uri.ptr, uri.len, 0), resource))
        return no_room(compiler);
    return ALS_OK;
}

static err string_member(struct walk *walk, const struct json_node *schema, str key, str *ret_text)
{
    const struct json_node *node = json_member(walk->doc, schema, key);
    *ret_text = (str){NULL, 0};
    if (!node)
        return ALS_OK;
    if (node->kind != JSON_STRING)
        return refuse_at(walk->compiler, walk->document, (uint32_t)(node - walk->doc->nodes),
                         "expected a string");
    *ret_text = json_text(walk->doc, node, walk->compiler->keep);
    return ret_text->ptr ? ALS_OK : no_room(walk->compiler);
}

// A new resource in the document: at its root, or where an `$id` is.
static err add_resource(struct walk *walk, const struct json_node *schema, str uri,
                        struct home home, uint32_t *ret_resource)
{
    struct compiler *compiler = walk->compiler;
    uint32_t other;
    if (document_known(compiler, uri, &other) &&
        LIST_AT(compiler->resources, struct resource, other)->document == walk->document)
        return refuse_at(compiler, walk->document, (uint32_t)(schema - walk->doc->nodes),
                         "this `$id` is there twice");
    struct resource *resource = LIST_ADD(compiler, &compiler->resources, struct resource);
    struct home *its_home = LIST_ADD(compiler, &compiler->homes, struct home);
    if (!resource || !its_home)
        return no_room(compiler);
    *resource = (struct resource){uri, walk->document, (uint32_t)(schema - walk->doc->nodes)};
    *its_home = home;
    *ret_resource = compiler->resources.count - 1;
    return resource_name(compiler, uri, *ret_resource);
}

// `$id` with what it brings: a resource, in draft-07 maybe an anchor.
static err note_id(struct walk *walk, const struct json_node *schema, struct home home, str id,
                   uint32_t *resource)
{
    struct compiler *compiler = walk->compiler;
    struct uri parts = uri_split(id);
    bool only_anchor = home.draft == SCHEMA_DRAFT_07 && parts.has_fragment &&
                       parts.fragment.len + 1 == id.len && parts.fragment.len > 0;
    if (!only_anchor) {
        str base = LIST_AT(compiler->resources, struct resource, *resource)->uri;
        str uri = uri_resolve(base, id, compiler->keep);
        if (!uri.ptr)
            return no_room(compiler);
        bool root = schema == json_root(walk->doc);
        if (!root) {
            TRY(add_resource(walk, schema, uri, home, resource));
        } else if (!str_equal(uri, base)) {
            LIST_AT(compiler->resources, struct resource, *resource)->uri = uri;
            TRY(resource_name(compiler, uri, *resource));
        }
    }
    if (home.draft == SCHEMA_DRAFT_07 && parts.fragment.len)
        return add_anchor(walk, schema, *resource, parts.fragment, false);
    return ALS_OK;
}

static err push(struct walk *walk, const struct json_node *node, uint32_t resource)
{
    struct step *step = LIST_ADD(walk->compiler, &walk->steps, struct step);
    if (!step)
        return no_room(walk->compiler);
    *step = (struct step){node, resource};
    return ALS_OK;
}

static err push_children(struct walk *walk, const struct json_node *container, uint32_t resource)
{
    for (const struct json_node *child = json_first(walk->doc, container); child;
         child = json_after(walk->doc, container, child))
        TRY(push(walk, child, resource));
    return ALS_OK;
}

static err push_schemas(struct walk *walk, const struct json_node *schema, uint32_t resource)
{
    for (const struct json_node *child = json_first(walk->doc, schema); child;
         child = json_after(walk->doc, schema, child)) {
        enum holds holds = HOLDS_NONE;
        for (size_t i = 0; i < KEYWORD_COUNT && holds == HOLDS_NONE; i++)
            if (keyword_rows[i].holds && json_key_is(walk->doc, child, keyword_rows[i].text))
                holds = keyword_rows[i].holds;
        bool list =
            (holds == HOLDS_LIST || holds == HOLDS_ONE_OR_LIST) && child->kind == JSON_ARRAY;
        bool map = (holds == HOLDS_MAP || holds == HOLDS_MIXED) && child->kind == JSON_OBJECT;
        if (list || map)
            TRY(push_children(walk, child, resource));
        else if (holds == HOLDS_ONE || holds == HOLDS_ONE_OR_LIST)
            TRY(push(walk, child, resource));
    }
    return ALS_OK;
}

static err visit(struct walk *walk, struct step step)
{
    struct compiler *compiler = walk->compiler;
    uint32_t node = (uint32_t)(step.node - walk->doc->nodes), resource = step.resource;
    walk->notes.resource_of[node] = resource;
    if (step.node->kind != JSON_OBJECT)
        return ALS_OK;
    struct home home = *LIST_AT(compiler->homes, struct home, resource);
    bool root = step.node == json_root(walk->doc);
    str id, dialect, anchor, dynamic;
    TRY(string_member(walk, step.node, S("$id"), &id));
    if (id.ptr && !root) {
        TRY(string_member(walk, step.node, S("$schema"), &dialect));
        if (dialect.ptr)
            TRY(home_of_schema(compiler, dialect, &home));
    }
    bool only_reference =
        home.draft == SCHEMA_DRAFT_07 && json_member(walk->doc, step.node, S("$ref"));
    if (id.ptr && !only_reference)
        TRY(note_id(walk, step.node, home, id, &resource));
    if (home.draft != SCHEMA_DRAFT_07) {
        TRY(string_member(walk, step.node, S("$anchor"), &anchor));
        TRY(string_member(walk, step.node, S("$dynamicAnchor"), &dynamic));
        if (anchor.ptr)
            TRY(add_anchor(walk, step.node, resource, anchor, false));
        if (dynamic.ptr)
            TRY(add_anchor(walk, step.node, resource, dynamic, true));
    }
    walk->notes.resource_of[node] = resource;
    return push_schemas(walk, step.node, resource);
}

static err root_home(struct walk *walk, struct home *ret_home)
{
    struct compiler *compiler = walk->compiler;
    enum schema_draft draft = compiler->options->draft;
    *ret_home = (struct home){draft ? draft : SCHEMA_DRAFT_2020_12, VOCABULARY_ALL};
    if (json_root(walk->doc)->kind != JSON_OBJECT)
        return ALS_OK;
    str dialect;
    TRY(string_member(walk, json_root(walk->doc), S("$schema"), &dialect));
    return dialect.ptr ? home_of_schema(compiler, dialect, ret_home) : ALS_OK;
}

static err walk_document(struct walk *walk, str uri)
{
    struct home home;
    uint32_t resource;
    TRY(root_home(walk, &home));
    TRY(add_resource(walk, json_root(walk->doc), uri, home, &resource));
    TRY(push(walk, json_root(walk->doc), resource));
    while (walk->steps.count) {
        struct step step = *LIST_AT(walk->steps, struct step, --walk->steps.count);
        TRY(visit(walk, step));
    }
    return ALS_OK;
}

err document_add(struct compiler *compiler, str text, str uri, uint32_t *ret_document)
{
    if (text.len > SCHEMA_BYTES_MAX)
        return FAIL(compiler->why, ALS_TOO_LARGE, "a schema has at most %llu bytes",
                    (unsigned long long)SCHEMA_BYTES_MAX);
    if (compiler->documents.count == SCHEMA_DOCUMENTS_MAX)
        return FAIL(compiler->why, ALS_TOO_LARGE, "a schema refers to at most %d others",
                    SCHEMA_DOCUMENTS_MAX);
    struct document *document = LIST_ADD(compiler, &compiler->documents, struct document);
    struct text_notes *notes = LIST_ADD(compiler, &compiler->notes, struct text_notes);
    if (!document || !notes)
        return no_room(compiler);
    *ret_document = compiler->documents.count - 1;
    document->uri = arena_copy(compiler->keep, uri);
    str copy = arena_copy(compiler->keep, text);
    if (!copy.ptr || !document->uri.ptr)
        return no_room(compiler);
    struct json_options options = {.depth_max = SCHEMA_DEPTH_MAX, .span_depth = UINT32_MAX};
    TRY(json_parse(copy, options, compiler->keep, &document->doc, NULL, compiler->why));
    size_t count = document->doc.count;
    notes->resource_of = ARENA_ARRAY(&compiler->scratch, uint32_t, count);
    notes->rule_of = ARENA_ARRAY(&compiler->scratch, uint32_t, count);
    if (!notes->resource_of || !notes->rule_of)
        return no_room(compiler);
    memset(notes->resource_of, 0xff, count * sizeof *notes->resource_of);
    memset(notes->rule_of, 0xff, count * sizeof *notes->rule_of);
    // By value: reading a metaschema on the way adds documents.
    struct json_doc doc = document->doc;
    struct walk walk = {
        .compiler = compiler, .document = *ret_document, .doc = &doc, .notes = *notes};
    return walk_document(&walk, document->uri);
}

err resource_find(struct compiler *compiler, str uri, uint32_t *ret_resource)
{
    if (document_known(compiler, uri, ret_resource))
        return ALS_OK;
    str text = metaschema_text(uri);
    if (!text.ptr) {
        if (!compiler->options->resolve)
            return FAIL(compiler->why, ALS_NOT_FOUND, "there is no schema '%.*s'", STR(uri));
        struct als_why why = {};
        err code = compiler->options->resolve(compiler->options->context, uri, &compiler->scratch,
                                              &text, &why);
        if (code != ALS_OK)
            return FAIL(compiler->why, code, "there is no schema '%.*s'%s%s", STR(uri),
                        why.text[0] ? ": " : "", why.text);
    }
    uint32_t document;
    TRY(document_add(compiler, text, uri, &document));
    bool known = document_known(compiler, uri, ret_resource);
    return known ? ALS_OK : FAIL(compiler->why, ALS_INTERNAL, "a schema lost its name");
}

// ---- `$schema`

static const struct {
    str uri;
    uint32_t vocabularies;
} vocabularies[] = {
#define VOCABULARY(name)                                                                           \
    {                                                                                              \
        "https://json-schema.org/draft/2020-12/vocab/" name,                                       \
            sizeof "https://json-schema.org/draft/2020-12/vocab/" name - 1                         \
    }
    {VOCABULARY("core"), VOCABULARY_CORE},
    {VOCABULARY("applicator"), VOCABULARY_APPLICATOR},
    {VOCABULARY("unevaluated"), VOCABULARY_UNEVALUATED},
    {VOCABULARY("validation"), VOCABULARY_VALIDATION},
    {VOCABULARY("meta-data"), 0},
    {VOCABULARY("format-annotation"), VOCABULARY_FORMAT},
    {VOCABULARY("format-assertion"), VOCABULARY_FORMAT | VOCABULARY_FORMAT_ASSERTION},
    {VOCABULARY("content"), VOCABULARY_CONTENT},
#undef VOCABULARY
};

static err read_vocabularies(struct compiler *compiler, const struct resource *resource,
                             const struct json_doc *doc, uint32_t *ret_vocabularies)
{
    const struct json_node *schema = &doc->nodes[resource->node];
    const struct json_node *map =
        schema->kind == JSON_OBJECT ? json_member(doc, schema, S("$vocabulary")) : NULL;
    if (!map || map->kind != JSON_OBJECT)
        return ALS_OK;
    *ret_vocabularies = VOCABULARY_CORE;
    for (const struct json_node *child = json_first(doc, map); child;
         child = json_after(doc, map, child)) {
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(vocabularies); i++)
            if (json_key_is(doc, child, vocabularies[i].uri)) {
                *ret_vocabularies |= vocabularies[i].vocabularies;
                known = true;
            }
        if (!known && child->kind == JSON_TRUE)
            return refuse_at(compiler, resource->document, (uint32_t)(child - doc->nodes),
                             "a vocabulary that is not known here is required");
    }
    return ALS_OK;
}

err home_of_schema(struct compiler *compiler, str uri, struct home *ret_home)
{
    enum { DEPTH_MAX = 8 };
    enum schema_draft draft = metaschema_draft(uri);
    *ret_home = (struct home){draft, VOCABULARY_ALL};
    if (draft)
        return ALS_OK;
    if (compiler->metaschema_depth == DEPTH_MAX)
        return FAIL(compiler->why, ALS_VALIDATION,
                    "`$schema` leads through more than %d metaschemas", DEPTH_MAX);
    str name = uri_resolve(S(""), uri, compiler->keep);
    if (!name.ptr)
        return no_room(compiler);
    uint32_t index;
    compiler->metaschema_depth++;
    err code = resource_find(compiler, name, &index);
    compiler->metaschema_depth--;
    if (code == ALS_NOT_FOUND)
        return FAIL(compiler->why, ALS_VALIDATION,
                    "the `$schema` '%.*s' is neither draft-07 nor 2020-12, nor known here",
                    STR(uri));
    TRY(code);
    struct resource resource = *LIST_AT(compiler->resources, struct resource, index);
    *ret_home = *LIST_AT(compiler->homes, struct home, index);
    struct json_doc doc = *document_of(compiler, resource.document);
    return ret_home->draft == SCHEMA_DRAFT_07
               ? ALS_OK
               : read_vocabularies(compiler, &resource, &doc, &ret_home->vocabularies);
}
