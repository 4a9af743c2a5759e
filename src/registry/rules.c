// SPDX-License-Identifier: Apache-2.0
// Rules: all that appends and reads need to know, in one piece that never changes.
//
// The pointer is taken and swapped under a lock that is held for a few instructions. Whoever has
// taken it counts; the last one to let go frees it, on whatever thread that is.
#include "registry/inside.h"

#include "base/hash.h"

#include <stdlib.h>

struct rules {
    _Atomic uint32_t refs;
    uint64_t hash_seed;
    uint32_t count, slot_mask;
    uint32_t *slots; // indices into `items` plus 1, by hash; 0 is empty
    struct rule items[];
};

// ---- Programs

struct program *program_new(struct schema *schema)
{
    struct program *program = malloc(sizeof *program);
    if (program)
        *program = (struct program){.refs = 1, .schema = schema};
    else
        schema_free(schema);
    return program;
}

void program_ref(struct program *program)
{
    atomic_fetch_add_explicit(&program->refs, 1, memory_order_relaxed);
}

void program_unref(struct program *program)
{
    if (!program || atomic_fetch_sub(&program->refs, 1) != 1)
        return;
    schema_free(program->schema);
    free(program);
}

const struct schema *program_schema(const struct program *program)
{
    return program->schema;
}

// ---- Making

static uint32_t slots_for(uint32_t count)
{
    uint32_t slots = 8;
    while (slots < count * 2)
        slots *= 2;
    return slots;
}

static struct rules *rules_new(uint32_t count)
{
    uint32_t slots = slots_for(count);
    struct rules *rules = calloc(1, sizeof *rules + count * sizeof rules->items[0]);
    if (!rules)
        return NULL;
    rules->refs = 1;
    rules->slot_mask = slots - 1;
    rules->slots = calloc(slots, sizeof rules->slots[0]);
    if (rules->slots)
        return rules;
    free(rules);
    return NULL;
}

static void rules_free(struct rules *rules)
{
    for (uint32_t i = 0; i < rules->count; i++) {
        program_unref(rules->items[i].program);
        mapping_unref(rules->items[i].mapping);
    }
    free(rules->slots);
    free(rules);
}

static void rules_add(struct rules *rules, const struct registry *registry,
                      const struct subject *subject)
{
    const struct version *latest = subject_latest(subject);
    rules->items[rules->count++] =
        (struct rule){.subject = subject->name,
                      .version = latest ? latest->told.version : 0,
                      .enforced = latest && enforces_locked(registry, subject),
                      .program = subject->latest,
                      .mapping = subject->mapping};
    if (subject->latest)
        program_ref(subject->latest);
    if (subject->mapping)
        mapping_ref(subject->mapping);
    uint64_t at = hash_bytes(subject->name.ptr, subject->name.len, rules->hash_seed);
    while (rules->slots[at & rules->slot_mask])
        at++;
    rules->slots[at & rules->slot_mask] = rules->count;
}

static err compile_latest(struct registry *registry, struct subject *subject, struct als_why *why)
{
    const struct version *latest = subject_latest(subject);
    if (!latest || subject->latest)
        return ALS_OK;
    struct als_why inner = {""};
    struct program *program = NULL;
    err code = compile_version(registry, latest->told.schema, latest->told.references, true,
                               &program, &inner);
    lock_take(&registry->lock);
    subject->latest = program;
    lock_release(&registry->lock);
    if (code == ALS_OK || code == ALS_NO_MEMORY)
        return code;
    return FAIL(why, ALS_FORMAT_TOO_NEW,
                "schema version %u of '%.*s' was taken by another version of this program: %.100s",
                latest->told.version, STR(str_first(subject->name, 60)), inner.text);
}

err rules_publish(struct registry *registry, struct als_why *why)
{
    if (!registry->begun)
        return ALS_OK;
    for (uint32_t i = 0; i < registry->subject_count; i++)
        TRY(compile_latest(registry, registry->subjects[i], why));
    struct rules *made = NULL;
    if (registry->subject_count && !(made = rules_new(registry->subject_count)))
        return FAIL(why, ALS_NO_MEMORY, "the rules of %u subjects", registry->subject_count);
    if (made)
        made->hash_seed = registry->options.hash_seed;
    bool enforcing = false;
    for (uint32_t i = 0; made && i < registry->subject_count; i++) {
        rules_add(made, registry, registry->subjects[i]);
        enforcing |= made->items[i].enforced;
    }
    lock_take(&registry->rules_lock);
    struct rules *before = atomic_load(&registry->rules);
    atomic_store(&registry->rules, made);
    atomic_store(&registry->enforcing, enforcing);
    lock_release(&registry->rules_lock);
    rules_unref(before);
    return ALS_OK;
}

err registry_begin(struct registry *registry, struct als_why *why)
{
    lock_take(&registry->changing);
    registry->begun = true;
    err code = rules_publish(registry, why);
    lock_release(&registry->changing);
    return code;
}

// ---- Using

struct rules *registry_rules(struct registry *registry)
{
    if (!atomic_load_explicit(&registry->rules, memory_order_relaxed))
        return NULL;
    lock_take(&registry->rules_lock);
    struct rules *rules = atomic_load(&registry->rules);
    if (rules)
        atomic_fetch_add(&rules->refs, 1);
    lock_release(&registry->rules_lock);
    return rules;
}

struct rules *registry_enforced_rules(struct registry *registry)
{
    // An append that does not see a change which is made at the same moment came before it.
    bool enforcing = atomic_load_explicit(&registry->enforcing, memory_order_acquire);
    return enforcing ? registry_rules(registry) : NULL;
}

bool registry_rules_current(struct registry *registry, const struct rules *rules)
{
    return atomic_load_explicit(&registry->rules, memory_order_acquire) == rules;
}

void rules_unref(struct rules *rules)
{
    if (rules && atomic_fetch_sub(&rules->refs, 1) == 1)
        rules_free(rules);
}

const struct rule *rules_find(const struct rules *rules, str subject)
{
    uint64_t at = hash_bytes(subject.ptr, subject.len, rules->hash_seed);
    for (uint32_t index; (index = rules->slots[at & rules->slot_mask]) != 0; at++)
        if (str_equal(rules->items[index - 1].subject, subject))
            return &rules->items[index - 1];
    return NULL;
}
