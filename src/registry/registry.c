// SPDX-License-Identifier: Apache-2.0
// The fold, and looking at it.
//
// Who changes has `changing` from the judgement on, and `lock` for the moment in which the change
// enters the fold. So whoever holds either one sees a fold that stands still: a change may compare
// and sync for long, and those who only look hold `lock` and wait for no change.
// Invariants, under either:
// 1. Subjects are sorted by name; version n of a subject is at n - 1, content n at n - 1.
// 2. Versions and names live as long as the registry and never move, so callers may keep slices.
// 3. Nothing of a change is in the fold that is not durable; registry_fold() is the only way in.
#include "registry/inside.h"

#include <stdlib.h>

enum { KEPT_BLOCK_BYTES = 4 << 10, SCRATCH_BLOCK_BYTES = 16 << 10 };
#define KEPT_BYTES_MAX MIB(256)
#define SCRATCH_BYTES_MAX MIB(256)

// ---- Life

struct registry *registry_new(struct registry_options options)
{
    struct registry *registry = calloc(1, sizeof *registry);
    if (!registry)
        return NULL;
    registry->options = options;
    lock_init(&registry->changing, LOCK_REGISTRY);
    lock_init(&registry->lock, LOCK_SUBJECTS);
    lock_init(&registry->rules_lock, LOCK_POOL);
    arena_init(&registry->kept, KEPT_BLOCK_BYTES, KEPT_BYTES_MAX);
    arena_init(&registry->scratch, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    return registry;
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    rules_unref(atomic_load(&registry->rules));
    for (uint32_t i = 0; i < registry->subject_count; i++) {
        struct subject *subject = registry->subjects[i];
        program_unref(subject->latest);
        mapping_unref(subject->mapping);
        free(subject->versions);
        free(subject);
    }
    free(registry->subjects);
    free(registry->contents);
    arena_deinit(&registry->kept);
    arena_deinit(&registry->scratch);
    lock_deinit(&registry->changing);
    lock_deinit(&registry->lock);
    lock_deinit(&registry->rules_lock);
    free(registry);
}

err registry_apply(struct registry *registry, const struct registry_record *record,
                   struct als_why *why)
{
    struct record read;
    arena_reset(&registry->scratch);
    TRY(record_read(record->body, &registry->scratch, &registry->kept, &read, why));
    lock_take(&registry->lock);
    err code = registry_fold(registry, &read, record->recorded_us, why);
    lock_release(&registry->lock);
    return code;
}

// ---- Subjects

// Where the subject is, or would be.
static uint32_t place_of(const struct registry *registry, str name, bool *ret_found)
{
    uint32_t low = 0, high = registry->subject_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_compare(registry->subjects[middle]->name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

struct subject *subject_find(const struct registry *registry, str name)
{
    bool found;
    uint32_t at = place_of(registry, name, &found);
    return found ? registry->subjects[at] : NULL;
}

struct version *subject_latest(const struct subject *subject)
{
    for (uint32_t n = subject->count; n > 0; n--)
        if (subject->versions[n - 1]->told.deprecated_us == REGISTRY_NEVER)
            return subject->versions[n - 1];
    return NULL;
}

void *grow(void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    uint32_t wanted = *capacity ? *capacity * 2 : 4;
    void *grown = realloc(items, wanted * size);
    if (grown)
        *capacity = wanted;
    return grown;
}

static err no_memory(struct als_why *why)
{
    return FAIL(why, ALS_NO_MEMORY, "the schema registry is out of memory");
}

static err subject_make(struct registry *registry, str name, struct subject **ret_subject,
                        struct als_why *why)
{
    bool found;
    uint32_t at = place_of(registry, name, &found);
    if (found) {
        *ret_subject = registry->subjects[at];
        return ALS_OK;
    }
    struct subject **grown = grow(registry->subjects, registry->subject_count,
                                  &registry->subject_capacity, sizeof(struct subject *));
    if (!grown)
        return no_memory(why);
    registry->subjects = grown;
    str kept = arena_copy(&registry->kept, name);
    struct subject *subject = kept.ptr ? calloc(1, sizeof *subject) : NULL;
    if (!subject)
        return no_memory(why);
    subject->name = kept;
    memmove(grown + at + 1, grown + at, (registry->subject_count - at) * sizeof(struct subject *));
    grown[at] = subject;
    registry->subject_count++;
    *ret_subject = subject;
    return ALS_OK;
}

// ---- The fold

static err fold_content(struct registry *registry, struct version *version, struct als_why *why)
{
    if (version->told.id <= registry->content_count)
        return ALS_OK; // another subject, or an earlier version, has it, too
    if (version->told.id != registry->content_count + 1)
        return FAIL(why, ALS_CORRUPT, "schema id %u follows %u", version->told.id,
                    registry->content_count);
    struct version **grown = grow(registry->contents, registry->content_count,
                                  &registry->content_capacity, sizeof(struct version *));
    if (!grown)
        return no_memory(why);
    registry->contents = grown;
    grown[registry->content_count++] = version;
    return ALS_OK;
}

static err version_new(struct registry *registry, const struct subject *subject,
                       const struct record *record, int64_t recorded_us,
                       struct version **ret_version, struct als_why *why)
{
    struct version *version = ARENA_NEW(&registry->kept, struct version);
    if (!version)
        return no_memory(why);
    str content;
    TRY(content_of(record->schema, record->references, &registry->scratch, &content, why));
    *version = (struct version){
        .told = {.schema_id = record->schema_id,
                 .id = record->id,
                 .subject = subject->name,
                 .version = record->version,
                 .schema = record->schema,
                 .description = record->description,
                 .tags = record->tags.len ? record->tags : S("[]"),
                 .references = record->references.len ? record->references : S("[]"),
                 .created_us = recorded_us,
                 .deprecated_us = REGISTRY_NEVER},
        .hash = content_hash(content)};
    *ret_version = version;
    return ALS_OK;
}

static err fold_version(struct registry *registry, struct subject *subject,
                        const struct record *record, int64_t recorded_us, struct als_why *why)
{
    if (record->version != subject->count + 1)
        return FAIL(why, ALS_CORRUPT, "schema version %u of '%.*s' follows %u", record->version,
                    STR(subject->name), subject->count);
    struct version **grown =
        grow(subject->versions, subject->count, &subject->capacity, sizeof(struct version *));
    if (!grown)
        return no_memory(why);
    subject->versions = grown;
    struct version *version;
    TRY(version_new(registry, subject, record, recorded_us, &version, why));
    TRY(fold_content(registry, version, why));
    subject->versions[subject->count++] = version;
    registry->schema_bytes += record->schema.len;
    program_unref(subject->latest);
    subject->latest = NULL;
    return ALS_OK;
}

static err fold_deprecation(struct subject *subject, uint32_t number, int64_t recorded_us,
                            struct als_why *why)
{
    if (number > subject->count)
        return FAIL(why, ALS_CORRUPT,
                    "schema version %u of '%.*s' is deprecated and was never made", number,
                    STR(subject->name));
    for (uint32_t n = 1; n <= subject->count; n++) {
        struct registry_version *told = &subject->versions[n - 1]->told;
        if ((number == 0 || n == number) && told->deprecated_us == REGISTRY_NEVER)
            told->deprecated_us = recorded_us;
    }
    program_unref(subject->latest);
    subject->latest = NULL;
    return ALS_OK;
}

static void fold_config(struct registry_config *config, const struct registry_config *change)
{
    if (change->sets_mode) {
        config->has_mode = change->has_mode;
        config->mode = change->mode;
    }
    if (change->sets_enforce)
        config->enforce = change->enforce;
}

static err fold_upcasts(struct subject *subject, str upcasts, struct als_why *why)
{
    AUTO(mapping) mapping = NULL;
    if (upcasts.len)
        TRY(mapping_read(upcasts, &mapping, why));
    mapping_unref(subject->mapping);
    subject->mapping = MOVE(mapping);
    subject->upcasts = upcasts;
    return ALS_OK;
}

err registry_fold(struct registry *registry, const struct record *record, int64_t recorded_us,
                  struct als_why *why)
{
    struct subject *subject = NULL;
    if (record->subject.len)
        TRY(subject_make(registry, record->subject, &subject, why));
    switch (record->kind) {
    case RECORD_REGISTER:
        TRY(fold_version(registry, subject, record, recorded_us, why));
        break;
    case RECORD_DEPRECATE:
        TRY(fold_deprecation(subject, record->version, recorded_us, why));
        break;
    case RECORD_UPCASTS:
        TRY(fold_upcasts(subject, record->upcasts, why));
        break;
    case RECORD_CONFIGURE:
        break;
    }
    fold_config(subject ? &subject->config : &registry->config, &record->config);
    return ALS_OK;
}

// ---- Looking

static err unknown_subject(str subject, struct als_why *why)
{
    return FAIL(why, ALS_SUBJECT_NOT_FOUND, "Subject not found: %.*s",
                STR(str_first(subject, SUBJECT_BYTES_MAX / 2)));
}

static bool there_at(const struct registry_version *told, int64_t as_of_us, bool deprecated)
{
    return told->created_us <= as_of_us && (deprecated || told->deprecated_us > as_of_us);
}

err find_locked(const struct registry *registry, const struct registry_wanted *wanted,
                struct version **ret_version, struct als_why *why)
{
    const struct subject *subject = subject_find(registry, wanted->subject);
    // "Now" is behind every deprecation, though not behind one that never was.
    int64_t as_of_us = wanted->as_of_us == REGISTRY_NEVER ? INT64_MAX - 1 : wanted->as_of_us;
    bool any = wanted->deprecated || wanted->version > 0;
    struct version *found = NULL;
    bool known = false;
    for (uint32_t n = subject ? subject->count : 0; n > 0 && !found; n--) {
        struct version *version = subject->versions[n - 1];
        bool there = there_at(&version->told, as_of_us, any);
        known |= there;
        if (there && (wanted->version == 0 || wanted->version == n))
            found = version;
    }
    if (!known)
        return unknown_subject(wanted->subject, why);
    if (!found)
        return FAIL(why, ALS_SCHEMA_NOT_FOUND, "Schema version %u not found for subject: %.*s",
                    wanted->version, STR(str_first(wanted->subject, SUBJECT_BYTES_MAX / 2)));
    *ret_version = found;
    return ALS_OK;
}

err registry_find(struct registry *registry, const struct registry_wanted *wanted,
                  struct registry_version *ret_version, struct als_why *why)
{
    struct version *version;
    lock_take(&registry->lock);
    err code = find_locked(registry, wanted, &version, why);
    if (code == ALS_OK)
        *ret_version = version->told;
    lock_release(&registry->lock);
    return code;
}

err registry_find_id(struct registry *registry, uint32_t id, struct registry_version *ret_version,
                     struct als_why *why)
{
    lock_take(&registry->lock);
    bool there = id > 0 && id <= registry->content_count;
    if (there)
        *ret_version = registry->contents[id - 1]->told;
    lock_release(&registry->lock);
    return there ? ALS_OK : FAIL(why, ALS_SCHEMA_NOT_FOUND, "Schema %u not found", id);
}

static err find_same_locked(const struct registry *registry, str name, str content,
                            struct arena *arena, struct registry_version *ret_version,
                            struct als_why *why)
{
    const struct subject *subject = subject_find(registry, name); // it was there
    const struct version *same = content_find_in(subject, content, arena);
    if (!same)
        return FAIL(why, ALS_SCHEMA_NOT_FOUND, "Schema not found");
    *ret_version = same->told;
    return ALS_OK;
}

err registry_find_same(struct registry *registry, const struct registry_draft *draft,
                       struct registry_version *ret_version, struct als_why *why)
{
    struct registry_wanted wanted = {.subject = draft->subject, .as_of_us = REGISTRY_NEVER};
    struct registry_version latest;
    struct arena arena;
    str content;
    TRY(registry_find(registry, &wanted, &latest, why));
    arena_init(&arena, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    err code = content_of(draft->schema, draft->references, &arena, &content, why);
    if (code == ALS_OK) {
        lock_take(&registry->lock);
        code = find_same_locked(registry, draft->subject, content, &arena, ret_version, why);
        lock_release(&registry->lock);
    }
    arena_deinit(&arena);
    return code;
}

void registry_list(struct registry *registry, str subject, registry_each *each, void *context)
{
    lock_take(&registry->lock);
    bool found = false;
    uint32_t first = subject.len ? place_of(registry, subject, &found) : 0;
    uint32_t end = subject.len ? first + found : registry->subject_count;
    bool more = true;
    for (uint32_t i = first; i < end && more; i++)
        for (uint32_t n = 0; n < registry->subjects[i]->count && more; n++)
            more = each(context, &registry->subjects[i]->versions[n]->told);
    lock_release(&registry->lock);
}

// ---- What is set

struct registry_config registry_config(struct registry *registry, str name)
{
    lock_take(&registry->lock);
    const struct subject *subject = name.len ? subject_find(registry, name) : NULL;
    struct registry_config config = registry->config;
    if (name.len)
        config = subject ? subject->config : (struct registry_config){};
    lock_release(&registry->lock);
    return config;
}

enum compat_mode mode_locked(const struct registry *registry, const struct subject *subject)
{
    if (subject && subject->config.has_mode)
        return subject->config.mode;
    return registry->config.has_mode ? registry->config.mode : COMPAT_MODE_BACKWARD;
}

bool enforces_locked(const struct registry *registry, const struct subject *subject)
{
    enum registry_enforce enforce = registry->config.enforce;
    if (subject && subject->config.enforce != REGISTRY_ENFORCE_DEFAULT)
        enforce = subject->config.enforce;
    if (enforce == REGISTRY_ENFORCE_DEFAULT)
        return registry->options.strict;
    return enforce == REGISTRY_ENFORCE_ON;
}

enum compat_mode registry_mode(struct registry *registry, str subject)
{
    lock_take(&registry->lock);
    enum compat_mode mode = mode_locked(registry, subject_find(registry, subject));
    lock_release(&registry->lock);
    return mode;
}

bool registry_enforces(struct registry *registry, str subject)
{
    lock_take(&registry->lock);
    bool enforces = enforces_locked(registry, subject_find(registry, subject));
    lock_release(&registry->lock);
    return enforces;
}

err registry_upcasts(struct registry *registry, str name, str *ret_upcasts, struct als_why *why)
{
    lock_take(&registry->lock);
    const struct subject *subject = subject_find(registry, name);
    err code = subject && subject->count ? ALS_OK : unknown_subject(name, why);
    if (code == ALS_OK)
        *ret_upcasts = subject->upcasts.len ? subject->upcasts : S("{\"steps\":[]}");
    lock_release(&registry->lock);
    return code;
}
