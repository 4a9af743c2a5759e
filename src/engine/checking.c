// SPDX-License-Identifier: Apache-2.0
// Checking payloads on their way in, by the latest schema of their type. It happens on the caller's
// thread, before the writer sees the append, over text that is known to be JSON; memory is the
// slot's own. The rules never change, so a registration meanwhile neither waits nor is waited for.
#include "engine/engine.h"

#include "schema/schema.h"
#include "json/json.h"

struct rules *checking_rules(const struct tenant *tenant)
{
    bool open = tenant && atomic_load(&tenant->store);
    return open ? registry_enforced_rules(tenant->registry) : NULL;
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

static uint64_t now_ns(const struct checker *checker)
{
    return checker->als->os->monotonic_ns(checker->als->os);
}

void checker_end(const struct checker *checker, bool refused)
{
    const struct als_options *options = &checker->als->options;
    if (checker->rule && options->validated)
        options->validated(options->context, checker->rule->subject, checker->valid, refused,
                           checker->first_ns);
}

static void turn_to(struct checker *checker, str type)
{
    checker_end(checker, false);
    const struct rule *rule = rules_find(checker->rules, type);
    checker->rule = rule && rule->enforced ? rule : NULL;
    checker->type = type;
    checker->valid = 0;
}

static void passed(const struct checker *checker, bool spaced, struct checked *checked)
{
    checked->payload = spaced ? ALS_JSON_CHECKED : ALS_JSON_MINIFIED;
    checked->schema_version = checker->rule->version;
}

// Most payloads are seen to be fine in one pass over their text.
static bool accept(const struct checker *checker, str payload, struct checked *checked)
{
    bool spaced;
    arena_reset(checker->arena);
    if (!schema_accepts(program_schema(checker->rule->program), payload, checker->arena, &spaced))
        return false;
    passed(checker, spaced, checked);
    return true;
}

// Reading the payload onto a tape tells at once whether it is JSON, and whether it is minified.
static err check(const struct checker *checker, const struct als_append *append, str payload,
                 struct checked *checked, struct als_why *why)
{
    struct json_options options = {.span_depth = UINT32_MAX};
    struct json_doc doc;
    struct als_why inner = {""};
    bool valid = false;
    if (accept(checker, payload, checked))
        return ALS_OK;
    arena_reset(checker->arena);
    err code = json_parse(payload, options, checker->arena, &doc, NULL, &inner);
    if (code == ALS_OK)
        code = schema_check(program_schema(checker->rule->program), &doc, checker->arena, &valid,
                            &inner);
    if (code != ALS_OK)
        return FAIL(why, code == ALS_JSON_SYNTAX ? ALS_INVALID_EVENT : code, "payload: %.200s",
                    inner.text);
    const struct json_node *root = json_root(&doc);
    passed(checker, root->spaced || root->len != payload.len, checked);
    return valid ? ALS_OK : refuse(checker->rule, append, payload, why);
}

// Reading the clock costs as much as a small payload, so one event of each run is timed.
static err check_timed(struct checker *checker, const struct als_append *append, str payload,
                       struct checked *checked, struct als_why *why)
{
    uint64_t begun_ns = now_ns(checker);
    err code = check(checker, append, payload, checked, why);
    checker->first_ns = now_ns(checker) - begun_ns;
    return code;
}

err checker_take(struct checker *checker, const struct als_append *append,
                 const struct als_draft *draft, struct checked *checked, struct als_why *why)
{
    if (!checker->type.ptr || !str_equal(checker->type, draft->type))
        turn_to(checker, draft->type);
    if (!checker->rule)
        return ALS_OK;
    if (checker->valid == 0 && checker->als->options.validated)
        TRY(check_timed(checker, append, draft->payload, checked, why));
    else
        TRY(check(checker, append, draft->payload, checked, why));
    checker->valid++;
    return ALS_OK;
}
