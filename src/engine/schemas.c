// SPDX-License-Identifier: Apache-2.0
// A tenant's settings and its registry, put together: what was set is folded in when the tenant is
// opened, and what is changed becomes a setting before it counts.
#include "engine/engine.h"

#include "base/uuid.h"
#include "event/event.h"
#include "settings/settings.h"

#include <stdlib.h>

enum { VERDICT_BLOCK_BYTES = 64 << 10 };
#define VERDICT_BYTES_MAX MIB(256)

// ---- Opening

static err fold(void *context, const struct setting *setting, struct als_why *why)
{
    struct tenant *tenant = context;
    struct registry_record record = {setting->recorded_us, setting->body};
    if (setting->kind == SETTING_RETENTION)
        return retention_apply(tenant, setting, why);
    if (setting->kind != SETTING_SCHEMA)
        return ALS_OK; // a newer program's
    return registry_apply(tenant->registry, &record, why);
}

static err keep(void *context, str body, struct registry_record *ret_record, struct als_why *why)
{
    const struct tenant *tenant = context;
    struct setting setting;
    als_position events = store_position(atomic_load(&tenant->store));
    TRY(settings_append(tenant->settings, SETTING_SCHEMA, events, body, &setting, why));
    *ret_record = (struct registry_record){setting.recorded_us, setting.body};
    return ALS_OK;
}

static uint64_t monotonic_ns(void *context)
{
    struct os *os = ((const struct tenant *)context)->als->os;
    return os->monotonic_ns(os);
}

static err open_registry(struct tenant *tenant, struct als_why *why)
{
    struct als *als = tenant->als;
    struct registry_options options = {.strict = als->options.schemas_strict,
                                       .assert_formats = als->options.schemas_assert_formats,
                                       .keep = keep,
                                       .monotonic_ns = monotonic_ns,
                                       .context = tenant};
    als->os->entropy(als->os, &options.hash_seed, sizeof options.hash_seed);
    tenant->registry = registry_new(options);
    if (!tenant->registry)
        return FAIL(why, ALS_NO_MEMORY, "the schemas of tenant '%.*s'", STR(tenant_name(tenant)));
    TRY(settings_open(als->os, tenant->dir, tenant_name(tenant), fold, tenant, &tenant->settings,
                      why));
    return registry_begin(tenant->registry, why);
}

err schemas_open(struct tenant *tenant, struct als_why *why)
{
    if (tenant->settings)
        return ALS_OK; // the store could not be opened the last time
    err code = open_registry(tenant, why);
    if (code != ALS_OK)
        schemas_close(tenant);
    return code;
}

void schemas_close(struct tenant *tenant)
{
    retention_close(tenant);
    registry_free(tenant->registry); // its slices are the settings'
    settings_close(tenant->settings);
    tenant->registry = NULL;
    tenant->settings = NULL;
}

err schemas_of(struct als *als, als_str name, struct registry **ret_registry, struct als_why *why)
{
    struct tenant *tenant;
    TRY(tenant_find(als, name, &tenant, why));
    if (tenant && tenant->damage != ALS_OK)
        return FAIL(why, tenant->damage, "%s", tenant->damage_why.text);
    *ret_registry = tenant && atomic_load(&tenant->store) ? tenant->registry : NULL;
    return ALS_OK;
}

// Of a tenant that shall have one.
static err make_registry(struct als *als, als_str name, struct registry **ret_registry,
                         struct als_why *why)
{
    struct tenant *tenant;
    TRY(tenant_make(als, name, &tenant, why));
    *ret_registry = tenant->registry;
    return ALS_OK;
}

// ---- Names of modes

static enum als_compatibility compatibility_of(enum compat_mode mode)
{
    return (enum als_compatibility)((unsigned)mode + ALS_COMPATIBILITY_NONE);
}

static enum compat_mode mode_of(enum als_compatibility compatibility)
{
    static_assert(ALS_COMPATIBILITY_FULL_TRANSITIVE - ALS_COMPATIBILITY_NONE ==
                      (int)COMPAT_MODE_FULL_TRANSITIVE,
                  "the two lists have one order");
    return (enum compat_mode)(compatibility - ALS_COMPATIBILITY_NONE);
}

als_str als_compatibility_name(enum als_compatibility compatibility)
{
    if (compatibility < ALS_COMPATIBILITY_NONE || compatibility > ALS_COMPATIBILITY_FULL_TRANSITIVE)
        return S("");
    return compat_mode_name(mode_of(compatibility));
}

bool als_compatibility_named(als_str name, enum als_compatibility *ret_compatibility)
{
    enum compat_mode mode;
    if (!compat_mode_named(name, &mode))
        return false;
    *ret_compatibility = compatibility_of(mode);
    return true;
}

static err config_of(enum als_compatibility compatibility, enum als_enforcement enforcement,
                     struct registry_config *ret_config, struct als_why *why)
{
    static const enum registry_enforce enforces[] = {[ALS_ENFORCEMENT_INHERIT] =
                                                         REGISTRY_ENFORCE_DEFAULT,
                                                     [ALS_ENFORCEMENT_OFF] = REGISTRY_ENFORCE_OFF,
                                                     [ALS_ENFORCEMENT_ON] = REGISTRY_ENFORCE_ON};
    if ((unsigned)compatibility > ALS_COMPATIBILITY_FULL_TRANSITIVE)
        return FAIL(why, ALS_INVALID_INPUT, "compatibility is no such value");
    if ((unsigned)enforcement > ALS_ENFORCEMENT_ON)
        return FAIL(why, ALS_INVALID_INPUT, "enforcement is no such value");
    struct registry_config config = {.sets_mode = compatibility != ALS_COMPATIBILITY_KEEP,
                                     .sets_enforce = enforcement != ALS_ENFORCEMENT_KEEP,
                                     .has_mode = compatibility > ALS_COMPATIBILITY_INHERIT};
    if (config.has_mode)
        config.mode = mode_of(compatibility);
    if (config.sets_enforce)
        config.enforce = enforces[enforcement];
    *ret_config = config;
    return ALS_OK;
}

// ---- Looking

static struct als_schema_version schema_of(const struct registry_version *version)
{
    bool deprecated = version->deprecated_us != REGISTRY_NEVER;
    return (struct als_schema_version){.schema_id = version->schema_id,
                                       .id = version->id,
                                       .subject = version->subject,
                                       .version = version->version,
                                       .json = version->schema,
                                       .description = version->description,
                                       .tags = version->tags,
                                       .references = version->references,
                                       .created_us = version->created_us,
                                       .deprecated_us =
                                           deprecated ? version->deprecated_us : ALS_TIME_UNSET};
}

static err no_subject(als_str subject, struct als_why *why)
{
    return FAIL(why, ALS_SUBJECT_NOT_FOUND, "Subject not found: %.*s",
                STR(str_first(subject, SUBJECT_BYTES_MAX / 2)));
}

static err bad_argument(const char *what, struct als_why *why)
{
    return FAIL(why, ALS_INVALID_INPUT, "%s is NULL", what);
}

enum als_err als_schema_find(struct als *als, const struct als_schema_query *query,
                             struct als_schema_version *ret_schema, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(query, "query", why);
    if (!ret_schema)
        return bad_argument("ret_schema", why);
    struct registry *registry;
    struct registry_version version;
    struct registry_wanted wanted = {.subject = query->subject,
                                     .version = query->version,
                                     .as_of_us = query->as_of_us == ALS_TIME_MAX ? REGISTRY_NEVER
                                                                                 : query->as_of_us,
                                     .deprecated = query->deprecated};
    TRY(schemas_of(als, query->tenant, &registry, why));
    if (!registry)
        return no_subject(query->subject, why);
    TRY(registry_find(registry, &wanted, &version, why));
    *ret_schema = schema_of(&version);
    return ALS_OK;
}

enum als_err als_schema_of_id(struct als *als, als_str tenant, uint32_t id,
                              struct als_schema_version *ret_schema, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!ret_schema)
        return bad_argument("ret_schema", why);
    struct registry *registry;
    struct registry_version version;
    TRY(schemas_of(als, tenant, &registry, why));
    if (!registry)
        return FAIL(why, ALS_SCHEMA_NOT_FOUND, "Schema %u not found", id);
    TRY(registry_find_id(registry, id, &version, why));
    *ret_schema = schema_of(&version);
    return ALS_OK;
}

struct listing {
    als_each_schema *each;
    void *context;
};

static bool list_one(void *context, const struct registry_version *version)
{
    const struct listing *listing = context;
    struct als_schema_version schema = schema_of(version);
    return listing->each(listing->context, &schema);
}

enum als_err als_schemas(struct als *als, als_str tenant, als_str subject, als_each_schema *each,
                         void *context, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!each)
        return bad_argument("each", why);
    struct registry *registry;
    struct listing listing = {each, context};
    TRY(schemas_of(als, tenant, &registry, why));
    if (registry)
        registry_list(registry, subject, list_one, &listing);
    return ALS_OK;
}

// ---- Changing

static err draft_of(struct als *als, const struct als_schema_draft *given,
                    struct registry_draft *ret_draft, struct als_why *why)
{
    CHECK_SIZED(given, "draft", why);
    struct registry_draft draft = {.subject = given->subject,
                                   .schema = given->json,
                                   .description = given->description,
                                   .tags = given->tags,
                                   .references = given->references};
    if (given->any_name && (given->subject.len == 0 || !str_is_utf8(given->subject)))
        return FAIL(why, ALS_INVALID_INPUT, "a subject is a text that is not empty");
    if (!given->any_name)
        TRY(event_check_type(given->subject, why));
    if (given->json.len == 0)
        return FAIL(why, ALS_INVALID_INPUT, "the schema is missing");
    TRY(config_of(given->compatibility, given->enforcement, &draft.config, why));
    uint8_t random[10];
    als->os->entropy(als->os, random, sizeof random);
    draft.schema_id = uuid_v7(als->os->now_us(als->os), random);
    *ret_draft = draft;
    return ALS_OK;
}

static void tell_issues(const struct als_schema_draft *draft,
                        const struct registry_verdict *verdict)
{
    for (uint32_t i = 0; draft->issue && i < verdict->count; i++) {
        const struct compat_reason *reason = &verdict->reasons[i].reason;
        struct als_schema_issue issue = {.version = verdict->reasons[i].version,
                                         .forward = reason->direction == COMPAT_FORWARD,
                                         .undecided = reason->kind == COMPAT_UNDECIDED,
                                         .message = reason->message,
                                         .keyword = reason->keyword,
                                         .old_location = reason->old_location,
                                         .new_location = reason->new_location,
                                         .example = reason->example};
        draft->issue(draft->context, &issue);
    }
}

static err keep_nothing(void *context, str body, struct registry_record *ret_record,
                        struct als_why *why)
{
    (void)context, (void)body, (void)ret_record, (void)why;
    return ALS_FENCED;
}

// A tenant is only made for a draft that is sound. For one that does not exist yet that is found
// out by a registry of nothing, which takes the draft up to where it would be kept.
static err check_first(struct als *als, const struct registry_draft *draft, struct arena *arena,
                       struct als_why *why)
{
    struct tenant clock = {.als = als};
    struct registry_options options = {.assert_formats = als->options.schemas_assert_formats,
                                       .keep = keep_nothing,
                                       .monotonic_ns = monotonic_ns,
                                       .context = &clock};
    struct registry_registered registered;
    struct registry_verdict verdict;
    AUTO(registry) registry = registry_new(options);
    if (!registry)
        return FAIL(why, ALS_NO_MEMORY, "the schema registry");
    err code = registry_register(registry, draft, arena, &registered, &verdict, why);
    return code == ALS_FENCED ? ALS_OK : code;
}

static err register_draft(struct als *als, const struct als_schema_draft *draft,
                          struct arena *arena, struct registry_registered *ret_registered,
                          struct als_why *why)
{
    struct registry *registry;
    struct registry_draft checked;
    struct registry_verdict verdict;
    TRY(draft_of(als, draft, &checked, why));
    TRY(schemas_of(als, draft->tenant, &registry, why));
    if (!registry) {
        TRY(check_first(als, &checked, arena, why));
        TRY(make_registry(als, draft->tenant, &registry, why));
    }
    err code = registry_register(registry, &checked, arena, ret_registered, &verdict, why);
    if (code == ALS_SCHEMA_INCOMPATIBLE)
        tell_issues(draft, &verdict);
    return code;
}

enum als_err als_schema_register(struct als *als, const struct als_schema_draft *draft,
                                 struct als_schema_version *ret_schema, bool *ret_existing,
                                 struct als_why *why)
{
    CHECK_ALS(als, why);
    struct registry_registered registered;
    struct arena arena;
    arena_init(&arena, VERDICT_BLOCK_BYTES, VERDICT_BYTES_MAX);
    err code = register_draft(als, draft, &arena, &registered, why);
    arena_deinit(&arena);
    TRY(code);
    if (ret_schema)
        *ret_schema = schema_of(&registered.version);
    if (ret_existing)
        *ret_existing = registered.existing;
    return ALS_OK;
}

enum als_err als_schema_compare(struct als *als, const struct als_schema_draft *draft,
                                uint32_t version, bool *ret_compatible, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!ret_compatible)
        return bad_argument("ret_compatible", why);
    struct registry *registry;
    struct registry_draft checked;
    struct registry_verdict verdict;
    struct arena arena;
    TRY(draft_of(als, draft, &checked, why));
    TRY(schemas_of(als, draft->tenant, &registry, why));
    if (!registry)
        return no_subject(draft->subject, why);
    arena_init(&arena, VERDICT_BLOCK_BYTES, VERDICT_BYTES_MAX);
    err code = registry_compare(registry, &checked, version, &arena, &verdict, why);
    if (code == ALS_OK) {
        tell_issues(draft, &verdict);
        *ret_compatible = verdict.compatible;
    }
    arena_deinit(&arena);
    return code;
}

enum als_err als_schema_same(struct als *als, const struct als_schema_draft *draft,
                             struct als_schema_version *ret_schema, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!ret_schema)
        return bad_argument("ret_schema", why);
    struct registry *registry;
    struct registry_draft checked;
    struct registry_version version;
    TRY(draft_of(als, draft, &checked, why));
    TRY(schemas_of(als, draft->tenant, &registry, why));
    if (!registry)
        return no_subject(draft->subject, why);
    TRY(registry_find_same(registry, &checked, &version, why));
    *ret_schema = schema_of(&version);
    return ALS_OK;
}

enum als_err als_schema_deprecate(struct als *als, als_str tenant, als_str subject,
                                  uint32_t version, struct als_why *why)
{
    CHECK_ALS(als, why);
    struct registry *registry;
    TRY(schemas_of(als, tenant, &registry, why));
    return registry ? registry_deprecate(registry, subject, version, why)
                    : no_subject(subject, why);
}

// ---- Settings of a subject

enum als_err als_subject_show(struct als *als, als_str tenant, als_str subject,
                              struct als_subject *ret_subject, struct als_why *why)
{
    static const enum als_enforcement enforcements[] = {
        [REGISTRY_ENFORCE_DEFAULT] = ALS_ENFORCEMENT_INHERIT,
        [REGISTRY_ENFORCE_OFF] = ALS_ENFORCEMENT_OFF,
        [REGISTRY_ENFORCE_ON] = ALS_ENFORCEMENT_ON};
    CHECK_ALS(als, why);
    if (!ret_subject)
        return bad_argument("ret_subject", why);
    struct registry *registry;
    TRY(schemas_of(als, tenant, &registry, why));
    struct als_subject shown = {.compatibility = ALS_COMPATIBILITY_INHERIT,
                                .enforcement = ALS_ENFORCEMENT_INHERIT,
                                .effective = ALS_COMPATIBILITY_BACKWARD,
                                .enforced = als->options.schemas_strict};
    if (registry) {
        struct registry_config config = registry_config(registry, subject);
        if (config.has_mode)
            shown.compatibility = compatibility_of(config.mode);
        shown.enforcement = enforcements[config.enforce];
        shown.effective = compatibility_of(registry_mode(registry, subject));
        shown.enforced = registry_enforces(registry, subject);
    }
    *ret_subject = shown;
    return ALS_OK;
}

enum als_err als_subject_set(struct als *als, als_str tenant, als_str subject,
                             const struct als_subject *change, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!change)
        return bad_argument("change", why);
    if (subject.len > SUBJECT_BYTES_MAX || !str_is_utf8(subject))
        return FAIL(why, ALS_INVALID_INPUT, "a subject is a text of at most %d bytes",
                    SUBJECT_BYTES_MAX);
    struct registry *registry;
    struct registry_config config;
    TRY(config_of(change->compatibility, change->enforcement, &config, why));
    TRY(make_registry(als, tenant, &registry, why));
    return registry_configure(registry, subject, &config, why);
}

enum als_err als_upcasts_set(struct als *als, als_str tenant, als_str subject, als_str upcasts,
                             struct als_why *why)
{
    CHECK_ALS(als, why);
    struct registry *registry;
    TRY(schemas_of(als, tenant, &registry, why));
    return registry ? registry_set_upcasts(registry, subject, upcasts, why)
                    : no_subject(subject, why);
}

enum als_err als_upcasts_show(struct als *als, als_str tenant, als_str subject,
                              als_str *ret_upcasts, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!ret_upcasts)
        return bad_argument("ret_upcasts", why);
    struct registry *registry;
    TRY(schemas_of(als, tenant, &registry, why));
    return registry ? registry_upcasts(registry, subject, ret_upcasts, why)
                    : no_subject(subject, why);
}
