// SPDX-License-Identifier: Apache-2.0
// The door: modes by name, and one or two passes over a pair of schemas.
#include "compat/inside.h"

static const struct {
    str name;
    bool asks, transitive;
    enum compat_direction direction;
} modes[] = {
    [COMPAT_MODE_NONE] = {S("NONE"), false, false, COMPAT_BACKWARD},
    [COMPAT_MODE_BACKWARD] = {S("BACKWARD"), true, false, COMPAT_BACKWARD},
    [COMPAT_MODE_BACKWARD_TRANSITIVE] = {S("BACKWARD_TRANSITIVE"), true, true, COMPAT_BACKWARD},
    [COMPAT_MODE_FORWARD] = {S("FORWARD"), true, false, COMPAT_FORWARD},
    [COMPAT_MODE_FORWARD_TRANSITIVE] = {S("FORWARD_TRANSITIVE"), true, true, COMPAT_FORWARD},
    [COMPAT_MODE_FULL] = {S("FULL"), true, false, COMPAT_FULL},
    [COMPAT_MODE_FULL_TRANSITIVE] = {S("FULL_TRANSITIVE"), true, true, COMPAT_FULL},
};

bool compat_mode_named(str name, enum compat_mode *ret_mode)
{
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        if (!str_equal(modes[i].name, name))
            continue;
        *ret_mode = (enum compat_mode)i;
        return true;
    }
    return false;
}

str compat_mode_name(enum compat_mode mode)
{
    return modes[mode].name;
}

bool compat_mode_transitive(enum compat_mode mode)
{
    return modes[mode].transitive;
}

bool compat_mode_direction(enum compat_mode mode, enum compat_direction *ret_direction)
{
    if (modes[mode].asks)
        *ret_direction = modes[mode].direction;
    return modes[mode].asks;
}

bool check_spend(struct check *check, uint64_t steps)
{
    if (check->steps < steps)
        check->out_of_steps = true;
    else
        check->steps -= steps;
    return !check_stopped(check);
}

void *check_alloc(struct check *check, size_t size)
{
    void *memory = check->out_of_memory ? NULL : arena_alloc(check->arena, size);
    if (!memory)
        check->out_of_memory = true;
    return memory;
}

static void run_pass(struct check *check, enum compat_direction direction)
{
    check->direction = direction;
    check->steps = COMPAT_STEPS_MAX;
    check->out_of_steps = check->too_deep = false;
    check->least_assumed = UINT32_MAX;
    memset(check->known, 0, KNOWN_COUNT * sizeof *check->known);
    check_pass(check);
}

err compat_check(str old_schema, str new_schema, struct compat_options options, struct arena *arena,
                 struct compat_answer *ret_answer, struct als_why *why)
{
    struct document old_doc, new_doc;
    TRY(document_open(old_schema, options.draft, arena, &old_doc, why));
    TRY(document_open(new_schema, options.draft, arena, &new_doc, why));
    struct check *check = ARENA_NEW(arena, struct check);
    struct known *known = ARENA_ARRAY(arena, struct known, KNOWN_COUNT);
    struct compat_reason *reasons = ARENA_ARRAY(arena, struct compat_reason, COMPAT_REASONS_MAX);
    if (!check || !known || !reasons)
        return FAIL(why, ALS_TOO_LARGE, "the schemas are too large to be compared");
    *check = (struct check){
        .arena = arena,
        .options = options,
        .old_doc = &old_doc,
        .new_doc = &new_doc,
        .known = known,
        .reasons = reasons,
    };
    if (options.direction != COMPAT_FORWARD)
        run_pass(check, COMPAT_BACKWARD);
    if (options.direction != COMPAT_BACKWARD)
        run_pass(check, COMPAT_FORWARD);
    *ret_answer = (struct compat_answer){
        .compatible = check->reason_count == 0,
        .more = check->more,
        .count = check->reason_count,
        .reasons = check->reasons,
    };
    return ALS_OK;
}
