// SPDX-License-Identifier: Apache-2.0
// What a version says: its schema and what its references mean. Two versions are the same when the
// canonical spellings of both are; a hash finds the candidates, the spellings decide.
#include "registry/inside.h"

#include "base/hash.h"

err content_of(str schema, str references, struct arena *arena, str *ret_content,
               struct als_why *why)
{
    str content;
    TRY(schema_canonical(schema, arena, &content, why));
    if (references.len > 2) { // more than "[]"
        str named;
        TRY(schema_canonical(references, arena, &named, why));
        char *both = arena_alloc(arena, content.len + named.len);
        if (!both)
            return FAIL(why, ALS_TOO_LARGE, "the schema is too large to be compared");
        memcpy(both, named.ptr, named.len); // an array first, so it is no schema's spelling
        memcpy(both + named.len, content.ptr, content.len);
        content = (str){both, content.len + named.len};
    }
    *ret_content = content;
    return ALS_OK;
}

uint64_t content_hash(str content)
{
    return hash_bytes(content.ptr, content.len, 0);
}

static bool says(const struct version *version, str content, uint64_t hash, struct arena *arena)
{
    str own;
    return version->hash == hash &&
           content_of(version->told.schema, version->told.references, arena, &own, NULL) ==
               ALS_OK &&
           str_equal(own, content);
}

struct version *content_find(const struct registry *registry, str content, struct arena *arena)
{
    uint64_t hash = content_hash(content);
    for (uint32_t i = 0; i < registry->content_count; i++)
        if (says(registry->contents[i], content, hash, arena))
            return registry->contents[i];
    return NULL;
}

struct version *content_find_in(const struct subject *subject, str content, struct arena *arena)
{
    uint64_t hash = content_hash(content);
    for (uint32_t n = subject->count; n > 0; n--) {
        struct version *version = subject->versions[n - 1];
        if (version->told.deprecated_us == REGISTRY_NEVER && says(version, content, hash, arena))
            return version;
    }
    return NULL;
}

// ---- Compiling, with references to other versions of the same tenant

struct resolving {
    struct registry *registry;
    str references;
};

// "user.created:3": a subject and the number of one of its versions.
static bool is_version(str uri, struct registry_wanted *ret_wanted)
{
    size_t colon = uri.len;
    while (colon > 0 && uri.ptr[colon - 1] != ':')
        colon--;
    uint64_t number;
    if (colon < 2 || !str_to_u64(str_from(uri, colon), &number) || number == 0 ||
        number > SUBJECT_VERSIONS_MAX)
        return false;
    *ret_wanted = (struct registry_wanted){.subject = str_first(uri, colon - 1),
                                           .version = (uint32_t)number,
                                           .as_of_us = REGISTRY_NEVER,
                                           .deprecated = true};
    return true;
}

bool read_reference(const struct json_doc *doc, const struct json_node *item, struct arena *arena,
                    str *ret_name, struct registry_wanted *ret_wanted)
{
    const struct json_node *name = json_member(doc, item, S("name"));
    const struct json_node *subject = json_member(doc, item, S("subject"));
    const struct json_node *version = json_member(doc, item, S("version"));
    uint64_t number;
    if (!name || name->kind != JSON_STRING || !subject || subject->kind != JSON_STRING ||
        !version || !json_to_u64(json_span(doc, version), &number) || number == 0 ||
        number > UINT32_MAX)
        return false;
    *ret_name = json_text(doc, name, arena);
    *ret_wanted = (struct registry_wanted){.subject = json_text(doc, subject, arena),
                                           .version = (uint32_t)number,
                                           .as_of_us = REGISTRY_NEVER,
                                           .deprecated = true};
    return true;
}

// Looks for {"name":uri,"subject":...,"version":n} among the references. They were checked when
// they were registered, but they may come from a damaged record, too.
static bool is_named(str references, str uri, struct arena *arena,
                     struct registry_wanted *ret_wanted)
{
    struct json_options options = {.span_depth = UINT32_MAX};
    struct json_doc doc;
    if (references.len == 0 || json_parse(references, options, arena, &doc, NULL, NULL) != ALS_OK)
        return false;
    const struct json_node *root = json_root(&doc), *item = json_first(&doc, root);
    for (; item; item = json_after(&doc, root, item)) {
        str name;
        if (read_reference(&doc, item, arena, &name, ret_wanted) && str_equal(name, uri))
            return true;
    }
    return false;
}

static err resolve(void *context, str uri, struct arena *arena, str *ret_text, struct als_why *why)
{
    const struct resolving *resolving = context;
    struct registry_wanted wanted;
    struct version *version;
    if (!is_named(resolving->references, uri, arena, &wanted) && !is_version(uri, &wanted))
        return ALS_NOT_FOUND;
    lock_take(&resolving->registry->lock);
    err code = find_locked(resolving->registry, &wanted, &version, why);
    lock_release(&resolving->registry->lock);
    if (code != ALS_OK)
        return ALS_NOT_FOUND;
    *ret_text = version->told.schema; // it never changes
    return ALS_OK;
}

err compile_version(struct registry *registry, str schema, str references, bool trusted,
                    struct program **ret_program, struct als_why *why)
{
    struct resolving resolving = {registry, references};
    struct schema_options options = {.assert_formats = registry->options.assert_formats,
                                     .trusted = trusted,
                                     .resolve = resolve,
                                     .context = &resolving};
    AUTO(schema) compiled = NULL;
    err code = schema_compile(schema, &options, &compiled, why);
    if (code == ALS_VALIDATION)
        return ALS_SCHEMA_INVALID;
    TRY(code);
    struct program *program = program_new(MOVE(compiled));
    if (!program)
        return FAIL(why, ALS_NO_MEMORY, "the compiled schema");
    *ret_program = program;
    return ALS_OK;
}

err registry_program(struct registry *registry, const struct registry_version *version,
                     struct program **ret_program, struct als_why *why)
{
    struct program *program = NULL;
    lock_take(&registry->lock);
    const struct subject *subject = subject_find(registry, version->subject);
    const struct version *latest = subject ? subject_latest(subject) : NULL;
    if (latest && latest->told.version == version->version && subject->latest) {
        program = subject->latest;
        program_ref(program);
    }
    lock_release(&registry->lock);
    if (!program)
        return compile_version(registry, version->schema, version->references, true, ret_program,
                               why);
    *ret_program = program;
    return ALS_OK;
}
