// SPDX-License-Identifier: Apache-2.0
// Checking payloads on their way in, by the latest schema of their type. It happens on the caller's
// thread, before the writer sees the append, over text that is known to be JSON; memory is the
// slot's own. The rules never change, so a registration meanwhile neither waits nor is waited for.
#include "engine/engine.h"

#include "schema/schema.h"
#include "json/json.h"

// Neighbours of one type, which batches mostly have.
struct run {
    const struct rule *rule; // NULL: this type is not checked
    str type;
    size_t valid;
    uint64_t begun_ns;
};

struct rules *checking_rules(const struct tenant *tenant)
{
    bool open = tenant && atomic_load(&tenant->store);
    return open ? registry_enforced_rules(tenant->registry) : NULL;
}

static const struct rule *enforced(const struct rules *rules, str type)
{
    const struct rule *rule = rules_find(rules, type);
    return rule && rule->enforced ? rule : NULL;
}

uint32_t checking_version(const struct rules *rules, str type)
{
    const struct rule *rule = enforced(rules, type);
    return rule ? rule->version : 0;
}

static void run_begin(struct run *run, const struct als *als, const struct rules *rules, str type)
{
    *run = (struct run){.rule = enforced(rules, type), .type = type};
    if (run->rule && als->options.validated)
        run->begun_ns = als->os->monotonic_ns(als->os);
}

static void run_end(const struct run *run, const struct als *als, size_t invalid)
{
    if (run->rule && als->options.validated)
        als->options.validated(als->options.context, run->rule->subject, run->valid, invalid,
                               als->os->monotonic_ns(als->os) - run->begun_ns);
}

// Says what is wrong, and hands it out where somebody wants it all.
static err refuse(const struct rule *rule, const struct als_append *append, str payload,
                  struct als_why *why)
{
    struct als_validation *validation = NULL;
    TRY(validation_new(rule->program, rule->subject, rule->version, payload, &validation, why));
    als_str first = als_validation_view(validation).count
                        ? als_validation_error(validation, 0).message
                        : S("it is refused");
    err code = FAIL(why, ALS_VALIDATION, "payload does not fit schema %.*s:%u: %.*s",
                    STR(rule->subject), rule->version, STR(str_first(first, 120)));
    if (append->ret_validation)
        *append->ret_validation = validation;
    else
        als_validation_close(validation);
    return code;
}

static err check_one(struct slot *slot, const struct als_append *append, const struct rule *rule,
                     str payload, struct als_why *why)
{
    bool valid;
    arena_reset(&slot->checking);
    TRY(schema_check_text(program_schema(rule->program), payload, &slot->checking, &valid, why));
    return valid ? ALS_OK : refuse(rule, append, payload, why);
}

err checking_run(struct slot *slot, const struct als_append *append, const struct rules *rules,
                 size_t *at, struct als_why *why)
{
    const struct als *als = slot->als;
    struct run run = {.rule = NULL};
    err code = ALS_OK;
    for (*at = 0; *at < append->count && code == ALS_OK; ++*at) {
        const struct als_draft *draft = &append->drafts[*at];
        if (*at == 0 || !str_equal(run.type, draft->type)) {
            run_end(&run, als, 0);
            run_begin(&run, als, rules, draft->type);
        }
        if (run.rule)
            code = check_one(slot, append, run.rule, draft->payload, why);
        run.valid += code == ALS_OK;
    }
    *at -= code != ALS_OK; // the loop has gone one too far
    run_end(&run, als, code == ALS_VALIDATION);
    return code;
}
