// SPDX-License-Identifier: Apache-2.0
// Events of old versions in the shape of a later one. The mapping is carried out on a copy of the
// payload, and the result must pass the schema whose shape it claims to have; an event for which
// that cannot be had is given as it was stored, with the reason.
#include "engine/engine.h"

#include "schema/schema.h"
#include "json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { UPCASTER_BLOCK_BYTES = 64 << 10 };
#define UPCASTER_BYTES_MAX MIB(512)

// The program of a version that is not the latest, found once.
struct known {
    struct known *next;
    str subject;
    uint32_t version;
    struct program *program; // NULL: there is no such version
};

struct als_upcaster {
    struct als *als;
    struct registry *registry; // NULL: the tenant did not exist yet
    struct rules *rules;       // NULL: no schemas
    uint32_t target;
    uint8_t tenant_len;
    char tenant[TENANT_BYTES_MAX];
    struct arena arena; // of one event
    struct known *known;
};

static void forget(struct als_upcaster *upcaster)
{
    while (upcaster->known) {
        struct known *known = upcaster->known;
        upcaster->known = known->next;
        program_unref(known->program);
        free(known);
    }
    rules_unref(upcaster->rules);
    upcaster->rules = NULL;
}

// Sees the schemas as they are now: a stream outlives many of their changes.
static err refresh(struct als_upcaster *upcaster, struct als_why *why)
{
    als_str tenant = {upcaster->tenant, upcaster->tenant_len};
    if (!upcaster->registry)
        TRY(schemas_of(upcaster->als, tenant, &upcaster->registry, why));
    if (!upcaster->registry || registry_rules_current(upcaster->registry, upcaster->rules))
        return ALS_OK;
    forget(upcaster);
    upcaster->rules = registry_rules(upcaster->registry);
    return ALS_OK;
}

void als_upcaster_close(struct als_upcaster *upcaster)
{
    if (!upcaster)
        return;
    forget(upcaster);
    arena_deinit(&upcaster->arena);
    free(upcaster);
}

enum als_err als_upcaster_open(struct als *als, als_str tenant, uint32_t version,
                               struct als_upcaster **ret_upcaster, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!ret_upcaster)
        return FAIL(why, ALS_INVALID_INPUT, "ret_upcaster is NULL");
    if (version == 0)
        return FAIL(why, ALS_INVALID_INPUT, "a schema version is 1 or more");
    struct registry *registry;
    TRY(schemas_of(als, tenant, &registry, why));
    struct als_upcaster *upcaster = calloc(1, sizeof *upcaster);
    if (!upcaster)
        return FAIL(why, ALS_NO_MEMORY, "the upcaster");
    upcaster->als = als;
    upcaster->registry = registry;
    upcaster->target = version;
    upcaster->tenant_len = (uint8_t)tenant.len; // a name that was checked
    if (tenant.len)
        memcpy(upcaster->tenant, tenant.ptr, tenant.len);
    arena_init(&upcaster->arena, UPCASTER_BLOCK_BYTES, UPCASTER_BYTES_MAX);
    *ret_upcaster = upcaster;
    return ALS_OK;
}

static err find_program(struct als_upcaster *upcaster, const struct rule *rule, uint32_t version,
                        const struct program **ret_program, struct als_why *why)
{
    *ret_program = NULL;
    if (version == rule->version) {
        *ret_program = rule->program;
        return ALS_OK;
    }
    struct known *known = upcaster->known;
    while (known && (known->version != version || known->subject.ptr != rule->subject.ptr))
        known = known->next; // names live as long as the registry, so a pointer tells them apart
    if (!known) {
        struct registry_wanted wanted = {
            .subject = rule->subject, .version = version, .as_of_us = REGISTRY_NEVER};
        struct registry_version found;
        AUTO(program) program = NULL;
        if (registry_find(upcaster->registry, &wanted, &found, NULL) == ALS_OK)
            TRY(registry_program(upcaster->registry, &found, &program, why));
        known = malloc(sizeof *known);
        if (!known)
            return FAIL(why, ALS_NO_MEMORY, "the upcaster");
        *known = (struct known){upcaster->known, rule->subject, version, MOVE(program)};
        upcaster->known = known;
    }
    *ret_program = known->program;
    return ALS_OK;
}

static str say(struct als_upcaster *upcaster, const char *format, ...) ALS_PRINTF(2, 3);
static str say(struct als_upcaster *upcaster, const char *format, ...)
{
    char text[240];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return arena_copy(&upcaster->arena, str_first((str){text, sizeof text - 1}, (size_t)len));
}

// What the result says against the schema of `version`, empty when nothing.
static err find_fault(struct als_upcaster *upcaster, const struct program *program, str payload,
                      uint32_t version, str *ret_fault, struct als_why *why)
{
    struct json_options options = {.span_depth = UINT32_MAX};
    struct json_doc doc;
    struct schema_errors errors;
    struct arena *arena = &upcaster->arena;
    TRY(json_parse(payload, options, arena, &doc, NULL, why));
    TRY(schema_explain(program_schema(program), &doc, arena, &errors, why));
    *ret_fault = (str){NULL, 0};
    if (errors.count)
        *ret_fault = say(upcaster, "it does not fit schema version %u: %.*s", version,
                         STR(str_first(errors.items[0].message, 150)));
    return ALS_OK;
}

static err map(struct als_upcaster *upcaster, const struct rule *rule, uint32_t target, str payload,
               struct upcast *upcast, struct als_why *why)
{
    const struct program *program;
    uint32_t version = upcast->version;
    TRY(find_program(upcaster, rule, target, &program, why));
    if (!program) {
        upcast->trouble = say(upcaster, "its subject has no version %u", target);
        return ALS_OK;
    }
    if (version > target) {
        upcast->trouble =
            say(upcaster, "it is of version %u, which is later than %u", version, target);
        return ALS_OK;
    }
    TRY(mapping_apply(rule->mapping, payload, version, target, &upcaster->arena, upcast));
    if (upcast->trouble.len)
        return ALS_OK;
    str fault;
    TRY(find_fault(upcaster, program, upcast->payload, target, &fault, why));
    if (fault.ptr)
        *upcast = (struct upcast){payload, version, fault};
    return ALS_OK;
}

enum als_err als_upcaster_event(struct als_upcaster *upcaster, const struct als_event *event,
                                struct als_upcast *ret_upcast, struct als_why *why)
{
    TRY(refresh(upcaster, why));
    const struct rule *rule = upcaster->rules ? rules_find(upcaster->rules, event->type) : NULL;
    uint32_t version = event->schema_version;
    if (rule && version == 0)
        version = mapping_unversioned(rule->mapping);
    uint32_t target = upcaster->target;
    if (rule && target == ALS_SCHEMA_LATEST)
        target = rule->version;
    struct upcast upcast = {.payload = event->payload, .version = version};
    arena_reset(&upcaster->arena);
    bool moves = rule && version && target && version != target;
    if (moves) {
        struct als_why inner = {"it is too large"};
        err code = map(upcaster, rule, target, event->payload, &upcast, &inner);
        if (code == ALS_NO_MEMORY)
            return FAIL(why, code, "%s", inner.text);
        if (code != ALS_OK)
            upcast = (struct upcast){event->payload, version, say(upcaster, "%s", inner.text)};
    }
    *ret_upcast = (struct als_upcast){.payload = upcast.payload,
                                      .schema_version = upcast.version,
                                      .from = moves && !upcast.trouble.len ? version : 0,
                                      .error = upcast.trouble};
    return ALS_OK;
}
