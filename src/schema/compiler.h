// SPDX-License-Identifier: Apache-2.0
// Inside the compiler: the texts it reads (documents.c), what `$ref` means (reference.c), and the
// program it makes of them (compile.c and the files beside it).
#pragma once

#include "schema/location.h"
#include "schema/program.h"

enum vocabulary {
    VOCABULARY_CORE = 1 << 0,
    VOCABULARY_APPLICATOR = 1 << 1,
    VOCABULARY_UNEVALUATED = 1 << 2,
    VOCABULARY_VALIDATION = 1 << 3,
    VOCABULARY_FORMAT = 1 << 4,
    VOCABULARY_CONTENT = 1 << 5,
    VOCABULARY_FORMAT_ASSERTION = 1 << 6,
    VOCABULARY_ALL = (1 << 6) - 1, // formats are not asserted
};

enum holds { HOLDS_NONE, HOLDS_ONE, HOLDS_LIST, HOLDS_MAP, HOLDS_ONE_OR_LIST, HOLDS_MIXED };

struct keyword_row {
    str text;
    bool in_07, in_2020;
    enum vocabulary vocabulary;
    enum holds holds;
};
extern const struct keyword_row keyword_rows[KEYWORD_COUNT];

// Items one after the other in an arena; grows by moving.
struct list {
    void *items;
    uint32_t count, capacity;
};
#define LIST_AT(list, type, index) (&((type *)(list).items)[index])

// Hashes to numbers; a hash may stand several times, and the asker compares.
struct hash_map {
    uint64_t *hashes; // 0: free
    uint32_t *values;
    uint32_t count, capacity;
};

// A schema with an identity of its own: the root of a text, or what has an `$id`.
struct home {
    enum schema_draft draft;
    uint32_t vocabularies;
};

struct anchor {
    uint32_t resource, node;
    str name;
    bool dynamic;
};

// What is known of a text beside its tape, by node.
struct text_notes {
    uint32_t *resource_of; // RULE_NONE: no schema was seen there
    uint32_t *rule_of;     // RULE_NONE: none was made
};

struct compiler {
    struct schema *schema;
    const struct schema_options *options;
    struct arena *keep; // the schema's
    struct arena scratch;
    struct als_why *why;

    struct list documents, notes; // struct document, struct text_notes
    struct list resources, homes; // struct resource, struct home
    struct list anchors;          // struct anchor
    struct hash_map uri_map, anchor_map, member_map;
    struct list element_tables; // const uint32_t *: the nodes of a long array's elements
    struct list anchor_names;   // str; an index is what a program calls an anchor
    uint32_t metaschema_depth;

    struct list rules, numbers, strings, arrays, objects, slots, leaves, words, patterns,
        dependencies, combines, lists, names, value_sets, values, dynamic_anchors;
    uint32_t enum_values;
    uint64_t table_work; // what may still be spent on tables for patterns
    bool scoped;         // there is a `$dynamicRef`
};

struct place {
    uint32_t document, node, resource;
};

// One subschema while it is compiled.
struct source {
    struct compiler *compiler;
    struct place place;
    const struct json_doc *doc;
    struct home home;
    const struct json_node *found[KEYWORD_COUNT]; // the value of each keyword that counts here
};

// A new zeroed item, or NULL when there is no room; `no_room` is the failure then.
void *list_add(struct compiler *compiler, struct list *list, size_t item_size);
#define LIST_ADD(compiler, list, type) ((type *)list_add(compiler, list, sizeof(type)))
err no_room(struct compiler *compiler);

bool map_put(struct compiler *compiler, struct hash_map *map, uint64_t hash, uint32_t value);
// The next value of this hash; *cursor begins at 0. False when there are no more.
bool map_next(const struct hash_map *map, uint64_t hash, uint32_t *cursor, uint32_t *ret_value);

static inline const struct json_doc *document_of(const struct compiler *compiler, uint32_t document)
{
    return &LIST_AT(compiler->documents, struct document, document)->doc;
}

// Reads a text: `uri` is where it is found. Finds its resources and anchors.
err document_add(struct compiler *compiler, str text, str uri, uint32_t *ret_document);
// The resource of a URI without fragment, which may be built in or come from the resolver.
// ALS_NOT_FOUND when there is none.
err resource_find(struct compiler *compiler, str uri, uint32_t *ret_resource);
// The draft and vocabularies that a `$schema` means.
err home_of_schema(struct compiler *compiler, str uri, struct home *ret_home);
bool document_known(const struct compiler *compiler, str uri, uint32_t *ret_resource);
err resource_name(struct compiler *compiler, str uri, uint32_t resource);

// Where a reference in `from` leads. *ret_anchor: the anchor it names is a dynamic one, by name;
// ANCHOR_NONE otherwise. `from` is for the words of a failure.
err reference_follow(struct compiler *compiler, const struct place *from, str text,
                     struct place *ret_place, uint32_t *ret_anchor);

// "... at #/properties/a": what is wrong with the schema at a node.
err refuse_at(struct compiler *compiler, uint32_t document, uint32_t node, const char *what);
// The same for the value of a keyword.
err refuse_keyword(const struct source *source, enum keyword keyword, const char *what);

// The rule of a place, which may be compiled only later.
err rule_of(struct compiler *compiler, struct place place, uint32_t *ret_rule);
err rule_of_node(const struct source *source, const struct json_node *node, uint32_t *ret_rule);
err rule_of_keyword(const struct source *source, enum keyword keyword, uint32_t *ret_rule);
// The rules of an array of schemas: *ret_first in `lists`.
err rules_of_list(const struct source *source, const struct json_node *array, uint32_t *ret_first,
                  uint32_t *ret_count);
// A keyword's value as a count, or `absent`.
err count_of(const struct source *source, enum keyword keyword, uint64_t absent,
             uint64_t *ret_count);
// The content of a string, unescaped, in the lasting arena.
err text_of(const struct source *source, const struct json_node *node, str *ret_text);
err key_of(const struct source *source, const struct json_node *node, str *ret_text);
err pattern_of(const struct source *source, str text, const struct json_node *where,
               const struct pattern **ret_pattern);

err compile_object(const struct source *source, struct rule *rule);
err compile_array(const struct source *source, struct rule *rule);
err compile_scalar(const struct source *source,
                   struct rule *rule); // type, numbers, strings, values
err compile_combine(const struct source *source, struct rule *rule);

// Finds the rules that are leaves, when all are made.
err find_leaves(struct compiler *compiler);

// ALS_VALIDATION when a rule may come back to itself with the same value.
err check_circles(struct compiler *compiler);
