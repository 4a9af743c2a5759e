// SPDX-License-Identifier: Apache-2.0
// The compiler's frame. Rules are made in the order in which they are first named: naming a place
// gives it a number at once and puts it at the end of the list, and the list is worked off. So
// schemas may refer to each other in any way and nothing here recurses.
#include "schema/compiler.h"

#include "base/limits.h"
#include "schema/metaschema.h"
#include "schema/uri.h"

#include <stdlib.h>

enum { ARENA_BLOCK = 16 << 10, TABLE_WORK_MAX = 20000000 };

// ---- Naming rules

err rule_of(struct compiler *compiler, struct place place, uint32_t *ret_rule)
{
    const struct json_doc *doc = document_of(compiler, place.document);
    const struct json_node *node = &doc->nodes[place.node];
    uint32_t *known =
        &LIST_AT(compiler->notes, struct text_notes, place.document)->rule_of[place.node];
    if (*known != RULE_NONE) {
        *ret_rule = *known;
        return ALS_OK;
    }
    if (node->kind == JSON_TRUE) {
        *ret_rule = RULE_TRUE;
        return ALS_OK;
    }
    if (node->kind != JSON_OBJECT && node->kind != JSON_FALSE)
        return refuse_at(compiler, place.document, place.node,
                         "expected a schema, which is an object or a boolean,");
    if (compiler->rules.count >= SCHEMA_RULES_MAX)
        return FAIL(compiler->why, ALS_TOO_LARGE, "a schema has at most %d subschemas",
                    SCHEMA_RULES_MAX);
    struct rule *rule = LIST_ADD(compiler, &compiler->rules, struct rule);
    if (!rule)
        return no_room(compiler);
    *rule = (struct rule){
        .types = node->kind == JSON_FALSE ? 0 : TYPES_ALL,
        .never = node->kind == JSON_FALSE,
        .unevaluated_properties = RULE_NONE,
        .unevaluated_items = RULE_NONE,
        .resource = place.resource,
        .document = place.document,
        .node = place.node,
    };
    *ret_rule = *known = compiler->rules.count - 1;
    return ALS_OK;
}

err rule_of_node(const struct source *source, const struct json_node *node, uint32_t *ret_rule)
{
    struct place place = source->place;
    place.node = (uint32_t)(node - source->doc->nodes);
    uint32_t resource = LIST_AT(source->compiler->notes, struct text_notes, place.document)
                            ->resource_of[place.node];
    if (resource != RULE_NONE)
        place.resource = resource;
    return rule_of(source->compiler, place, ret_rule);
}

err rule_of_keyword(const struct source *source, enum keyword keyword, uint32_t *ret_rule)
{
    *ret_rule = RULE_NONE;
    return source->found[keyword] ? rule_of_node(source, source->found[keyword], ret_rule) : ALS_OK;
}

err rules_of_list(const struct source *source, const struct json_node *array, uint32_t *ret_first,
                  uint32_t *ret_count)
{
    struct compiler *compiler = source->compiler;
    if (array->kind != JSON_ARRAY)
        return refuse_at(compiler, source->place.document, (uint32_t)(array - source->doc->nodes),
                         "expected an array of schemas");
    *ret_first = compiler->lists.count;
    *ret_count = array->count;
    for (const struct json_node *child = json_first(source->doc, array); child;
         child = json_after(source->doc, array, child)) {
        uint32_t *item = LIST_ADD(compiler, &compiler->lists, uint32_t);
        if (!item)
            return no_room(compiler);
        TRY(rule_of_node(source, child, item));
    }
    return ALS_OK;
}

// ---- Values of keywords

err count_of(const struct source *source, enum keyword keyword, uint64_t absent,
             uint64_t *ret_count)
{
    const struct json_node *node = source->found[keyword];
    *ret_count = absent;
    if (!node)
        return ALS_OK;
    if (node->kind != JSON_NUMBER || !number_to_count(json_span(source->doc, node), ret_count))
        return refuse_keyword(source, keyword, "expected an integer that is not negative");
    return ALS_OK;
}

err text_of(const struct source *source, const struct json_node *node, str *ret_text)
{
    if (node->kind != JSON_STRING)
        return refuse_at(source->compiler, source->place.document,
                         (uint32_t)(node - source->doc->nodes), "expected a string");
    *ret_text = json_text(source->doc, node, source->compiler->keep);
    return ret_text->ptr ? ALS_OK : no_room(source->compiler);
}

err key_of(const struct source *source, const struct json_node *node, str *ret_text)
{
    *ret_text = json_key_text(source->doc, node, source->compiler->keep);
    return ret_text->ptr ? ALS_OK : no_room(source->compiler);
}

err pattern_of(const struct source *source, str text, const struct json_node *where,
               const struct pattern **ret_pattern)
{
    struct als_why why = {};
    struct compiler *compiler = source->compiler;
    struct arena scratch; // its own: many patterns would fill the compiler's
    arena_init(&scratch, 4 << 10, MIB(16));
    err code =
        pattern_compile(text, compiler->keep, &scratch, &compiler->table_work, ret_pattern, &why);
    arena_deinit(&scratch);
    if (code == ALS_OK)
        return ALS_OK;
    err refused = refuse_at(compiler, source->place.document,
                            (uint32_t)(where - source->doc->nodes), why.text);
    return code == ALS_TOO_LARGE ? code : refused;
}

// ---- One rule

// The keywords that count here: those of the draft and its vocabularies, of a doubled one the last;
// in draft-07 nothing beside a `$ref`.
static void find_keywords(struct source *source, const struct json_node *schema)
{
    for (const struct json_node *child = json_first(source->doc, schema); child;
         child = json_after(source->doc, schema, child)) {
        for (size_t i = 0; i < KEYWORD_COUNT; i++) {
            const struct keyword_row *row = &keyword_rows[i];
            bool counts = source->home.draft == SCHEMA_DRAFT_07
                              ? row->in_07
                              : row->in_2020 && (row->vocabulary & source->home.vocabularies);
            if (counts && json_key_is(source->doc, child, row->text)) {
                source->found[i] = child;
                break;
            }
        }
    }
    if (source->home.draft != SCHEMA_DRAFT_07 || !source->found[KEYWORD_REF])
        return;
    const struct json_node *reference = source->found[KEYWORD_REF];
    memset(source->found, 0, sizeof source->found);
    source->found[KEYWORD_REF] = reference;
}

static err compile_rule(struct compiler *compiler, uint32_t index)
{
    struct rule rule = *LIST_AT(compiler->rules, struct rule, index);
    if (rule.never)
        return ALS_OK;
    struct json_doc doc = *document_of(compiler, rule.document);
    struct source source = {
        .compiler = compiler,
        .place = {rule.document, rule.node, rule.resource},
        .doc = &doc,
        .home = *LIST_AT(compiler->homes, struct home, rule.resource),
    };
    find_keywords(&source, &doc.nodes[rule.node]);
    TRY(compile_scalar(&source, &rule));
    TRY(compile_array(&source, &rule));
    TRY(compile_object(&source, &rule));
    TRY(compile_combine(&source, &rule));
    TRY(rule_of_keyword(&source, KEYWORD_UNEVALUATED_PROPERTIES, &rule.unevaluated_properties));
    TRY(rule_of_keyword(&source, KEYWORD_UNEVALUATED_ITEMS, &rule.unevaluated_items));
    if (rule.unevaluated_properties != RULE_NONE || rule.unevaluated_items != RULE_NONE)
        rule.parts |= PART_UNEVALUATED;
    *LIST_AT(compiler->rules, struct rule, index) = rule;
    return ALS_OK;
}

// ---- All of them

// Every schema of the text gets a rule, used or not, so that all of it is checked.
static err name_all(struct compiler *compiler, uint32_t document)
{
    const struct json_doc *doc = document_of(compiler, document);
    for (uint32_t node = 0; node < doc->count; node++) {
        uint32_t rule;
        uint32_t resource =
            LIST_AT(compiler->notes, struct text_notes, document)->resource_of[node];
        bool schema = doc->nodes[node].kind == JSON_OBJECT || doc->nodes[node].kind <= JSON_TRUE;
        if (resource != RULE_NONE && schema && doc->nodes[node].kind != JSON_NULL)
            TRY(rule_of(compiler, (struct place){document, node, resource}, &rule));
    }
    return ALS_OK;
}

// Rules for the anchors that a `$dynamicRef` may be led to.
static err name_anchors(struct compiler *compiler, uint32_t *done)
{
    for (; compiler->scoped && *done < compiler->anchors.count; ++*done) {
        struct anchor anchor = *LIST_AT(compiler->anchors, struct anchor, *done);
        if (!anchor.dynamic)
            continue;
        uint32_t rule, name = ANCHOR_NONE;
        uint32_t document =
            LIST_AT(compiler->resources, struct resource, anchor.resource)->document;
        TRY(rule_of(compiler, (struct place){document, anchor.node, anchor.resource}, &rule));
        for (uint32_t i = 0; i < compiler->anchor_names.count; i++)
            if (str_equal(*LIST_AT(compiler->anchor_names, str, i), anchor.name))
                name = i;
        if (name == ANCHOR_NONE) { // may be asked for later
            str *item = LIST_ADD(compiler, &compiler->anchor_names, str);
            if (!item)
                return no_room(compiler);
            *item = anchor.name;
            name = compiler->anchor_names.count - 1;
        }
        struct dynamic_anchor *entry =
            LIST_ADD(compiler, &compiler->dynamic_anchors, struct dynamic_anchor);
        if (!entry)
            return no_room(compiler);
        *entry = (struct dynamic_anchor){anchor.resource, name, rule};
    }
    return ALS_OK;
}

static err compile_all(struct compiler *compiler)
{
    uint32_t anchors = 0;
    for (uint32_t index = RULE_FIRST; index < compiler->rules.count; index++) {
        TRY(compile_rule(compiler, index));
        if (index + 1 == compiler->rules.count)
            TRY(name_anchors(compiler, &anchors));
    }
    return check_circles(compiler);
}

static err add_first_rules(struct compiler *compiler)
{
    struct rule *everything = LIST_ADD(compiler, &compiler->rules, struct rule);
    struct rule *nothing = everything ? LIST_ADD(compiler, &compiler->rules, struct rule) : NULL;
    if (!nothing)
        return no_room(compiler);
    everything = LIST_AT(compiler->rules, struct rule, RULE_TRUE);
    *everything = (struct rule){
        .types = TYPES_ALL, .unevaluated_properties = RULE_NONE, .unevaluated_items = RULE_NONE};
    *nothing = *everything;
    nothing->types = 0;
    nothing->never = true;
    return ALS_OK;
}

static void publish(struct compiler *compiler)
{
    struct schema *schema = compiler->schema;
    schema->rules = compiler->rules.items;
    schema->rule_count = compiler->rules.count;
    schema->numbers = compiler->numbers.items;
    schema->strings = compiler->strings.items;
    schema->arrays = compiler->arrays.items;
    schema->objects = compiler->objects.items;
    schema->slots = compiler->slots.items;
    schema->leaves = compiler->leaves.items;
    schema->words = compiler->words.items;
    schema->patterns = compiler->patterns.items;
    schema->dependencies = compiler->dependencies.items;
    schema->combines = compiler->combines.items;
    schema->lists = compiler->lists.items;
    schema->names = compiler->names.items;
    schema->value_sets = compiler->value_sets.items;
    schema->values = compiler->values.items;
    schema->anchors = compiler->dynamic_anchors.items;
    schema->anchor_count = compiler->dynamic_anchors.count;
    schema->documents = compiler->documents.items;
    schema->resources = compiler->resources.items;
}

static err compile(struct compiler *compiler, str text)
{
    uint32_t document;
    TRY(add_first_rules(compiler));
    TRY(document_add(compiler, text, compiler->options->base_uri, &document));
    // A metaschema that the text names was read before it.
    uint32_t resource = LIST_AT(compiler->notes, struct text_notes, document)->resource_of[0];
    TRY(rule_of(compiler, (struct place){document, 0, resource}, &compiler->schema->root));
    TRY(name_all(compiler, document));
    compiler->schema->draft = LIST_AT(compiler->homes, struct home, resource)->draft;
    TRY(compile_all(compiler));
    TRY(find_leaves(compiler));
    publish(compiler);
    return ALS_OK;
}

// ---- The check by the metaschema

static err root_dialect(str text, const struct schema_options *options, struct arena *arena,
                        str *ret_uri, struct json_doc *ret_doc, struct als_why *why)
{
    struct json_options parse = {.depth_max = SCHEMA_DEPTH_MAX, .span_depth = UINT32_MAX};
    if (text.len > SCHEMA_BYTES_MAX)
        return FAIL(why, ALS_TOO_LARGE, "a schema has at most %llu bytes",
                    (unsigned long long)SCHEMA_BYTES_MAX);
    TRY(json_parse(text, parse, arena, ret_doc, NULL, why));
    const struct json_node *root = json_root(ret_doc);
    const struct json_node *dialect =
        root->kind == JSON_OBJECT ? json_member(ret_doc, root, S("$schema")) : NULL;
    *ret_uri = metaschema_uri(options->draft);
    if (dialect && dialect->kind != JSON_STRING)
        return FAIL(why, ALS_VALIDATION, "expected a string at #/$schema");
    if (dialect)
        *ret_uri = json_text(ret_doc, dialect, arena);
    if (metaschema_draft(*ret_uri)) // whatever its spelling
        *ret_uri = metaschema_uri(metaschema_draft(*ret_uri));
    return ALS_OK;
}

// A schema within that says it is of another draft is not for this metaschema to judge.
static bool mixes_drafts(const struct json_doc *doc)
{
    for (uint32_t i = 1; i < doc->count; i++)
        if (doc->nodes[i].kind == JSON_OBJECT && json_member(doc, &doc->nodes[i], S("$schema")) &&
            json_member(doc, &doc->nodes[i], S("$id")))
            return true;
    return false;
}

static err explain_by_metaschema(const struct schema *metaschema, const struct json_doc *doc,
                                 struct arena *arena, struct als_why *why)
{
    bool valid;
    TRY(schema_check(metaschema, doc, arena, &valid, why));
    if (valid)
        return ALS_OK;
    struct schema_errors errors = {};
    TRY(schema_explain(metaschema, doc, arena, &errors, why));
    // The most telling one is the deepest that no other explains.
    const struct schema_error *worst = NULL;
    for (uint32_t i = 0; i < errors.count; i++) {
        bool parent = i + 1 < errors.count && errors.items[i + 1].parent == i;
        if (!parent && (!worst || errors.items[i].instance.len > worst->instance.len))
            worst = &errors.items[i];
    }
    assert(worst);
    return FAIL(why, ALS_VALIDATION, "this is not a JSON Schema: %.*s at #%.*s",
                STR(worst->message), STR(worst->instance));
}

static err check_by_metaschema(str text, const struct schema_options *options, struct als_why *why)
{
    struct arena arena;
    arena_init(&arena, ARENA_BLOCK, SCHEMA_MEMORY_MAX);
    struct json_doc doc;
    str uri;
    err code = root_dialect(text, options, &arena, &uri, &doc, why);
    if (code == ALS_OK && !mixes_drafts(&doc)) {
        struct schema_options inner = *options;
        inner.trusted = true;
        inner.base_uri = S("");
        inner.draft = SCHEMA_DRAFT_DEFAULT;
        inner.assert_formats = false;
        struct buf reference;
        buf_init(&reference, SCHEMA_BYTES_MAX * 8);
        struct json_writer writer;
        json_writer_init(&writer, &reference);
        json_open_object(&writer);
        json_field_string(&writer, S("$ref"), uri);
        json_close_object(&writer);
        AUTO(schema) metaschema = NULL;
        code = buf_failed(&reference)
                   ? ALS_NO_MEMORY
                   : schema_compile(buf_str(&reference), &inner, &metaschema, why);
        if (code == ALS_VALIDATION)
            code = FAIL(why, ALS_VALIDATION,
                        "the `$schema` '%.*s' is neither draft-07 nor 2020-12, nor known here",
                        STR(uri));
        if (code == ALS_OK)
            code = explain_by_metaschema(metaschema, &doc, &arena, why);
        buf_deinit(&reference);
    }
    arena_deinit(&arena);
    return code;
}

// ---- The door

err schema_compile(str text, const struct schema_options *options, struct schema **ret_schema,
                   struct als_why *why)
{
    static const struct schema_options defaults = {};
    options = options ? options : &defaults;
    if (!options->trusted)
        TRY(check_by_metaschema(text, options, why));
    struct arena arena;
    arena_init(&arena, ARENA_BLOCK, SCHEMA_MEMORY_MAX);
    struct schema *schema = ARENA_NEW(&arena, struct schema);
    if (!schema)
        return FAIL(why, ALS_NO_MEMORY, "the schema cannot be compiled");
    *schema = (struct schema){.arena = arena};
    struct compiler compiler = {.schema = schema,
                                .options = options,
                                .keep = &schema->arena,
                                .why = why,
                                .table_work = TABLE_WORK_MAX};
    arena_init(&compiler.scratch, ARENA_BLOCK, SCHEMA_MEMORY_MAX);
    err code = compile(&compiler, text);
    arena_deinit(&compiler.scratch);
    if (code != ALS_OK) {
        schema_free(schema);
        return code;
    }
    *ret_schema = schema;
    return ALS_OK;
}

void schema_free(struct schema *schema)
{
    if (!schema)
        return;
    struct arena arena = schema->arena; // which holds the schema
    arena_deinit(&arena);
}

enum schema_draft schema_draft(const struct schema *schema)
{
    return schema->draft;
}

size_t schema_bytes(const struct schema *schema)
{
    return schema->arena.bytes_held;
}
