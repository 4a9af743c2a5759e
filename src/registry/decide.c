// SPDX-License-Identifier: Apache-2.0
// Changes: what is asked is judged, made durable, and only then folded in by the same function that
// folds at the opening. All of it while the registry is `changing`, so a judgement holds until it
// is in the fold.
#include "registry/inside.h"

#include <stdio.h>

static err too_many(const char *what, unsigned most, struct als_why *why)
{
    return FAIL(why, ALS_TOO_LARGE, "%s: at most %u", what, most);
}

// ---- From a judged change to the fold

// What is durable must fit into the fold, now and at every opening.
static err check_memory(const struct registry *registry, str body, struct als_why *why)
{
    size_t most = body.len + KIB(64); // its texts unescaped, and what holds them
    if (registry->kept.bytes_held + most <= registry->kept.bytes_max)
        return ALS_OK;
    return FAIL(why, ALS_TOO_LARGE, "the schemas of a tenant take at most %zu bytes of memory",
                registry->kept.bytes_max);
}

static err commit(struct registry *registry, const struct record *record, struct als_why *why)
{
    if (registry->behind)
        return FAIL(why, ALS_NO_MEMORY,
                    "the schema registry was out of memory: it is read-only "
                    "until the server is restarted");
    struct buf body;
    struct registry_record kept;
    buf_init(&body, SETTING_BYTES_MAX);
    record_write(record, &body);
    err code = check_memory(registry, buf_str(&body), why);
    if (buf_failed(&body))
        code = FAIL(why, ALS_TOO_LARGE, "the change is at most %llu bytes",
                    (unsigned long long)SETTING_BYTES_MAX);
    if (code == ALS_OK)
        code = registry->options.keep(registry->options.context, buf_str(&body), &kept, why);
    buf_deinit(&body);
    TRY(code);
    code = registry_apply(registry, &kept, why);
    registry->behind = code != ALS_OK;
    return code;
}

// A subject that is named for the first time.
static err check_room(const struct registry *registry, str name, struct als_why *why)
{
    if (name.len > SUBJECT_BYTES_MAX)
        return too_many("bytes of a subject", SUBJECT_BYTES_MAX, why);
    if (!subject_find(registry, name) && registry->subject_count >= SUBJECTS_MAX)
        return too_many("subjects of a tenant", SUBJECTS_MAX, why);
    return ALS_OK;
}

// ---- Judging a draft

static err check_description(str description, struct als_why *why)
{
    if (description.len > SCHEMA_DESCRIPTION_BYTES_MAX)
        return too_many("bytes of the description", SCHEMA_DESCRIPTION_BYTES_MAX, why);
    if (!str_is_utf8(description)) // it becomes JSON
        return FAIL(why, ALS_VALIDATION, "description: not UTF-8");
    return ALS_OK;
}

// What is wrong with a text that goes with the schema is not taken for what is wrong with that.
static err parse_beside(const char *what, str json, uint32_t span_depth, err code,
                        struct arena *arena, struct json_doc *ret_doc, struct als_why *why)
{
    struct json_options options = {.span_depth = span_depth};
    struct als_why inner = {""};
    err parsed = json_parse(json, options, arena, ret_doc, NULL, &inner);
    if (parsed != ALS_OK)
        return FAIL(why, parsed == ALS_JSON_SYNTAX ? code : parsed, "%s: %.200s", what, inner.text);
    return ALS_OK;
}

static err check_tags(str tags, struct arena *arena, struct als_why *why)
{
    struct json_doc doc;
    if (tags.len == 0)
        return ALS_OK;
    TRY(parse_beside("tags", tags, 1, ALS_VALIDATION, arena, &doc, why));
    const struct json_node *root = json_root(&doc), *tag = json_first(&doc, root);
    if (root->kind != JSON_ARRAY)
        return FAIL(why, ALS_VALIDATION, "tags: an array of strings");
    if (root->count > SCHEMA_TAGS_MAX)
        return too_many("tags", SCHEMA_TAGS_MAX, why);
    for (; tag; tag = json_after(&doc, root, tag))
        if (tag->kind != JSON_STRING || tag->len > SCHEMA_TAG_BYTES_MAX + 2)
            return FAIL(why, ALS_VALIDATION, "tags: strings of at most %d bytes",
                        SCHEMA_TAG_BYTES_MAX);
    return ALS_OK;
}

static err check_reference(const struct registry *registry, const struct json_doc *doc,
                           const struct json_node *item, struct arena *arena, struct als_why *why)
{
    struct registry_wanted wanted;
    str name;
    if (!read_reference(doc, item, arena, &name, &wanted))
        return FAIL(why, ALS_SCHEMA_INVALID,
                    "references: objects with `name`, `subject` and `version`");
    struct version *found;
    struct als_why inner;
    if (find_locked(registry, &wanted, &found, &inner) != ALS_OK)
        return FAIL(why, ALS_SCHEMA_INVALID, "references: %.200s", inner.text);
    return ALS_OK;
}

static err check_references(const struct registry *registry, str references, struct arena *arena,
                            struct als_why *why)
{
    struct json_doc doc;
    if (references.len == 0)
        return ALS_OK;
    TRY(parse_beside("references", references, UINT32_MAX, ALS_SCHEMA_INVALID, arena, &doc, why));
    const struct json_node *root = json_root(&doc);
    if (root->kind != JSON_ARRAY || root->count > SCHEMA_REFERENCES_MAX)
        return FAIL(why, ALS_SCHEMA_INVALID, "references: an array of at most %d",
                    SCHEMA_REFERENCES_MAX);
    for (const struct json_node *item = json_first(&doc, root); item;
         item = json_after(&doc, root, item))
        TRY(check_reference(registry, &doc, item, arena, why));
    return ALS_OK;
}

static str minified(str json, struct arena *arena)
{
    char *text = arena_alloc(arena, json.len + 1);
    return text ? (str){text, json_minify(json, text)} : (str){NULL, 0};
}

// Checks everything of a draft that needs no other version, and spells it without white space.
static err check_draft(const struct registry *registry, const struct registry_draft *draft,
                       struct registry_draft *ret_checked, struct als_why *why)
{
    struct arena *arena = (struct arena *)&registry->scratch;
    struct registry_draft checked = *draft;
    if (draft->schema.len > SCHEMA_BYTES_MAX)
        return FAIL(why, ALS_TOO_LARGE, "a schema is at most %llu bytes, got %zu",
                    (unsigned long long)SCHEMA_BYTES_MAX, draft->schema.len);
    TRY(check_description(draft->description, why));
    TRY(json_check(draft->schema, SCHEMA_DEPTH_MAX, why));
    TRY(check_tags(draft->tags, arena, why));
    TRY(check_references(registry, draft->references, arena, why));
    checked.schema = minified(draft->schema, arena);
    checked.tags = draft->tags.len ? minified(draft->tags, arena) : draft->tags;
    checked.references =
        draft->references.len ? minified(draft->references, arena) : draft->references;
    if (!checked.schema.ptr)
        return FAIL(why, ALS_NO_MEMORY, "the schema");
    *ret_checked = checked;
    return ALS_OK;
}

// ---- Compatibility

struct judging {
    struct registry *registry;
    struct registry_draft draft; // checked; its texts are in the scratch arena
    struct arena *arena;         // of the verdict
    struct registry_reason *reasons;
    struct registry_verdict verdict;
    struct compat_options options;
    uint64_t deadline_ns;
};

static err judging_begin(struct judging *judging, struct als_why *why)
{
    judging->reasons = ARENA_ARRAY(judging->arena, struct registry_reason, COMPAT_REASONS_MAX + 1);
    judging->verdict.compatible = true;
    judging->options.assert_formats = judging->registry->options.assert_formats;
    judging->deadline_ns =
        judging->registry->options.monotonic_ns(judging->registry->options.context) +
        SCHEMA_COMPARE_MS_MAX * UINT64_C(1000000);
    return judging->reasons ? ALS_OK : FAIL(why, ALS_TOO_LARGE, "the verdict");
}

static void add_reason(struct judging *judging, uint32_t version,
                       const struct compat_reason *reason)
{
    struct registry_verdict *verdict = &judging->verdict;
    verdict->compatible = false;
    if (verdict->count == COMPAT_REASONS_MAX)
        verdict->more = true;
    else
        judging->reasons[verdict->count++] = (struct registry_reason){version, *reason};
}

static void add_undecided(struct judging *judging, uint32_t version, str message)
{
    struct compat_reason reason = {
        .kind = COMPAT_UNDECIDED, .direction = judging->options.direction, .message = message};
    add_reason(judging, version, &reason);
}

// A name means another schema where the references differ, and the comparison knows names only.
static bool references_differ(const struct judging *judging, const struct version *old)
{
    str mine = judging->draft.references.len ? judging->draft.references : S("[]");
    bool equal = false;
    struct arena *scratch = &judging->registry->scratch;
    return json_equal(mine, old->told.references, scratch, &equal) != ALS_OK || !equal;
}

static err judge_after(struct judging *judging, const struct version *old, struct als_why *why)
{
    struct registry *registry = judging->registry;
    if (registry->options.monotonic_ns(registry->options.context) > judging->deadline_ns) {
        add_undecided(
            judging, old->told.version,
            S("Compatibility: cannot be decided because comparing with the other versions "
              "took all the time there is"));
        return ALS_OK;
    }
    if (references_differ(judging, old)) {
        add_undecided(
            judging, old->told.version,
            S("Compatibility: cannot be decided because the references are not the same"));
        return ALS_OK;
    }
    struct compat_answer answer;
    TRY(compat_check(old->told.schema, judging->draft.schema, judging->options, judging->arena,
                     &answer, why));
    for (uint32_t i = 0; i < answer.count; i++)
        add_reason(judging, old->told.version, &answer.reasons[i]);
    judging->verdict.more |= answer.more;
    if (!answer.compatible)
        judging->verdict.compatible = false;
    return ALS_OK;
}

// Against `only`, or what the mode says; newest first.
static err judge(struct judging *judging, const struct subject *subject, const struct version *only,
                 struct als_why *why)
{
    const struct registry_config *given = &judging->draft.config;
    enum compat_mode mode =
        given->sets_mode && given->has_mode ? given->mode : mode_locked(judging->registry, subject);
    judging->verdict.mode = mode;
    TRY(judging_begin(judging, why));
    bool asked = compat_mode_direction(mode, &judging->options.direction);
    const struct version *latest = subject ? subject_latest(subject) : NULL;
    for (uint32_t n = asked && latest ? subject->count : 0; n > 0; n--) {
        const struct version *old = subject->versions[n - 1];
        bool wanted = only ? old == only : old == latest || compat_mode_transitive(mode);
        bool there = old->told.deprecated_us == REGISTRY_NEVER || old == only;
        if (wanted && there)
            TRY(judge_after(judging, old, why));
    }
    judging->verdict.reasons = judging->reasons;
    return ALS_OK;
}

// As many reasons as there is room for in a message, whole but for a first one that is too long.
static err incompatible(const struct registry_verdict *verdict, struct als_why *why)
{
    enum { TEXT_BYTES_MAX = 180 };
    char text[TEXT_BYTES_MAX] = "";
    size_t len = 0;
    uint32_t told = 0;
    for (; told < verdict->count && len < sizeof text; told++) {
        str message = verdict->reasons[told].reason.message;
        if (told && len + 2 + message.len >= sizeof text)
            break;
        int more =
            snprintf(text + len, sizeof text - len, "%s%.*s", told ? ", " : "", STR(message));
        len += more > 0 ? (size_t)more : 0;
    }
    const char *cut = len >= sizeof text ? "..." : "";
    if (told == verdict->count)
        return FAIL(why, ALS_SCHEMA_INCOMPATIBLE, "Schema compatibility check failed: %s%s", text,
                    cut);
    return FAIL(why, ALS_SCHEMA_INCOMPATIBLE,
                "Schema compatibility check failed: %s%s (and %u more)", text, cut,
                verdict->count - told);
}

// ---- Registering

static err check_new(const struct registry *registry, const struct registry_draft *draft,
                     const struct subject *subject, struct als_why *why)
{
    TRY(check_room(registry, draft->subject, why));
    if (subject && subject->count >= SUBJECT_VERSIONS_MAX)
        return too_many("versions of a subject", SUBJECT_VERSIONS_MAX, why);
    if (registry->schema_bytes + draft->schema.len > SCHEMAS_BYTES_MAX)
        return FAIL(why, ALS_TOO_LARGE, "the schemas of a tenant are at most %llu bytes",
                    (unsigned long long)SCHEMAS_BYTES_MAX);
    return ALS_OK;
}

static err register_new(struct judging *judging, str content, struct als_why *why)
{
    struct registry *registry = judging->registry;
    const struct registry_draft *draft = &judging->draft;
    struct subject *subject = subject_find(registry, draft->subject);
    TRY(check_new(registry, draft, subject, why));
    AUTO(program) program = NULL;
    TRY(compile_version(registry, draft->schema, draft->references, false, &program, why));
    TRY(judge(judging, subject, NULL, why));
    if (!judging->verdict.compatible)
        return incompatible(&judging->verdict, why);

    const struct version *same = content_find(registry, content, &registry->scratch);
    struct record record = {.kind = RECORD_REGISTER,
                            .subject = draft->subject,
                            .version = subject ? subject->count + 1 : 1,
                            .id = same ? same->told.id : registry->content_count + 1,
                            .schema_id = draft->schema_id,
                            .schema = draft->schema,
                            .description = draft->description,
                            .tags = draft->tags,
                            .references = draft->references,
                            .config = draft->config};
    TRY(commit(registry, &record, why));
    lock_take(&registry->lock);
    subject_find(registry, draft->subject)->latest = MOVE(program);
    lock_release(&registry->lock);
    return rules_publish(registry, why);
}

static err register_locked(struct registry *registry, const struct registry_draft *draft,
                           struct judging *judging, struct registry_registered *ret_registered,
                           struct als_why *why)
{
    const struct registry_draft *checked = &judging->draft;
    str content;
    arena_reset(&registry->scratch);
    TRY(check_draft(registry, draft, &judging->draft, why));
    TRY(content_of(checked->schema, checked->references, &registry->scratch, &content, why));
    const struct subject *subject = subject_find(registry, draft->subject);
    const struct version *same =
        subject ? content_find_in(subject, content, &registry->scratch) : NULL;
    if (same) {
        *ret_registered = (struct registry_registered){same->told, true};
        return ALS_OK;
    }
    TRY(register_new(judging, content, why));
    subject = subject_find(registry, draft->subject);
    *ret_registered =
        (struct registry_registered){subject->versions[subject->count - 1]->told, false};
    return ALS_OK;
}

err registry_register(struct registry *registry, const struct registry_draft *draft,
                      struct arena *arena, struct registry_registered *ret_registered,
                      struct registry_verdict *ret_verdict, struct als_why *why)
{
    struct judging judging = {.registry = registry, .arena = arena};
    lock_take(&registry->changing);
    err code = register_locked(registry, draft, &judging, ret_registered, why);
    lock_release(&registry->changing);
    if (code == ALS_SCHEMA_INCOMPATIBLE)
        *ret_verdict = judging.verdict;
    return code;
}

static err compare_locked(struct judging *judging, const struct registry_draft *draft,
                          uint32_t version, struct als_why *why)
{
    struct registry *registry = judging->registry;
    const struct registry_draft *checked = &judging->draft;
    arena_reset(&registry->scratch);
    TRY(check_draft(registry, draft, &judging->draft, why));
    AUTO(program) program = NULL;
    TRY(compile_version(registry, checked->schema, checked->references, false, &program, why));
    struct registry_wanted wanted = {
        .subject = draft->subject, .version = version, .as_of_us = REGISTRY_NEVER};
    struct version *found;
    TRY(find_locked(registry, &wanted, &found, why));
    return judge(judging, subject_find(registry, draft->subject), version ? found : NULL, why);
}

err registry_compare(struct registry *registry, const struct registry_draft *draft,
                     uint32_t version, struct arena *arena, struct registry_verdict *ret_verdict,
                     struct als_why *why)
{
    struct judging judging = {.registry = registry, .arena = arena};
    lock_take(&registry->changing);
    err code = compare_locked(&judging, draft, version, why);
    lock_release(&registry->changing);
    if (code == ALS_OK)
        *ret_verdict = judging.verdict;
    return code;
}

// ---- Smaller changes

static err commit_and_publish(struct registry *registry, const struct record *record,
                              struct als_why *why)
{
    TRY(commit(registry, record, why));
    return rules_publish(registry, why);
}

// Whether it changes nothing: what is said again and again is no news for the log.
static bool is_set(const struct registry *registry, str name, const struct registry_config *change)
{
    const struct subject *subject = name.len ? subject_find(registry, name) : NULL;
    const struct registry_config *config = subject ? &subject->config : &registry->config;
    if (name.len && !subject)
        return false;
    bool mode = !change->sets_mode || (change->has_mode == config->has_mode &&
                                       (!change->has_mode || change->mode == config->mode));
    return mode && (!change->sets_enforce || change->enforce == config->enforce);
}

err registry_configure(struct registry *registry, str subject, const struct registry_config *config,
                       struct als_why *why)
{
    struct record record = {.kind = RECORD_CONFIGURE, .subject = subject, .config = *config};
    lock_take(&registry->changing);
    err code = check_room(registry, subject, why);
    if (code == ALS_OK && !is_set(registry, subject, config))
        code = commit_and_publish(registry, &record, why);
    lock_release(&registry->changing);
    return code;
}

err registry_deprecate(struct registry *registry, str subject, uint32_t version,
                       struct als_why *why)
{
    struct record record = {.kind = RECORD_DEPRECATE, .subject = subject, .version = version};
    struct registry_wanted wanted = {.subject = subject, .as_of_us = REGISTRY_NEVER};
    struct version *found;
    lock_take(&registry->changing);
    err code = find_locked(registry, &wanted, &found, why); // one that is not deprecated
    wanted.version = version;
    if (code == ALS_OK && version)
        code = find_locked(registry, &wanted, &found, why);
    if (code == ALS_OK && version && found->told.deprecated_us != REGISTRY_NEVER)
        code = FAIL(why, ALS_SCHEMA_NOT_FOUND,
                    "Schema version %u of subject %.*s is deprecated already", version,
                    STR(str_first(subject, SUBJECT_BYTES_MAX / 2)));
    if (code == ALS_OK)
        code = commit_and_publish(registry, &record, why);
    lock_release(&registry->changing);
    return code;
}

static err set_upcasts_locked(struct registry *registry, str subject, str upcasts,
                              struct als_why *why)
{
    struct registry_wanted wanted = {
        .subject = subject, .as_of_us = REGISTRY_NEVER, .deprecated = true};
    struct version *found;
    TRY(find_locked(registry, &wanted, &found, why));
    AUTO(mapping) mapping = NULL;
    arena_reset(&registry->scratch);
    if (upcasts.len) {
        TRY(mapping_read(upcasts, &mapping, why));
        upcasts = minified(upcasts, &registry->scratch);
    }
    if (str_equal(upcasts, subject_find(registry, subject)->upcasts))
        return ALS_OK;
    struct record record = {.kind = RECORD_UPCASTS, .subject = subject, .upcasts = upcasts};
    return commit_and_publish(registry, &record, why);
}

err registry_set_upcasts(struct registry *registry, str subject, str upcasts, struct als_why *why)
{
    lock_take(&registry->changing);
    err code = set_upcasts_locked(registry, subject, upcasts, why);
    lock_release(&registry->changing);
    return code;
}
