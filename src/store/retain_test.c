// SPDX-License-Identifier: Apache-2.0
// Taking events out of sealed files: which go and which stay, that positions and versions are what
// they were, and what becomes of files, copies and damage. Crashes are the business of tests/sim.
#include "store/rig.h"

#include "segment/segment.h"

// What a rule should leave, told from what was appended: of each type the newest `count`, and
// whatever is the newest sealed event of its entity or its type.
struct expected {
    bool stays[EVENTS_MAX];
    uint32_t gone;
};

static bool is_last(const uint32_t *numbers, uint32_t at, uint32_t end)
{
    for (uint32_t i = at + 1; i < end; i++)
        if (numbers[i] == numbers[at])
            return false;
    return true;
}

static void expect_newest(const struct world *world, uint32_t sealed, uint32_t count,
                          struct expected *expected)
{
    expected->gone = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        uint32_t newer = 0;
        for (uint32_t k = i + 1; k < world->count; k++)
            newer += world->types[k] == world->types[i];
        expected->stays[i] = newer < count || i >= sealed || is_last(world->entities, i, sealed) ||
                             is_last(world->types, i, sealed);
        expected->gone += !expected->stays[i];
    }
}

static void check_left(struct world *world, const struct expected *expected)
{
    struct view view = view_pin(world->store);
    AUTO(cursor) cursor = cursor_new();
    struct als_event event;
    char space[32];
    CHECK_OK(cursor_over_all(cursor, view, (struct cursor_bounds){.up_to = UINT64_MAX}, NULL));
    for (uint32_t i = 0; i < world->count; i++) {
        if (!expected->stays[i])
            continue;
        CHECK_OK(cursor_next(cursor, &event, NULL));
        CHECK_EQUAL(i + 1, event.position);
        check_event(world, &event);
    }
    CHECK_OK(cursor_next(cursor, &event, NULL));
    CHECK_EQUAL(0, event.position);
    for (uint32_t entity = 0; entity < ENTITIES; entity++) {
        als_version version;
        uint64_t left = 0, count;
        str name = numbered("entity", entity, space);
        for (uint32_t i = 0; i < world->count; i++)
            left += expected->stays[i] && world->entities[i] == entity;
        CHECK_OK(view_version(view, name, &version, NULL));
        CHECK_EQUAL(version_of(world, world->count, entity), version);
        CHECK_OK(view_count(view, name, UINT64_MAX, &count, NULL));
        CHECK_EQUAL(left, count);
    }
    cursor_reset(cursor);
    view_unpin(view);
    struct store_stat stat = store_stat(world->store);
    CHECK_EQUAL(expected->gone, stat.removed);
    CHECK_EQUAL(world->count - expected->gone, stat.events);
    CHECK_EQUAL(ENTITIES, stat.entities);
    CHECK_EQUAL(TYPES, stat.types);
}

static struct store_retained retain(struct world *world, struct store_rule rule, bool all)
{
    struct store_retention how = {.rules = &rule, .rule_count = 1, .all = all};
    struct store_retained retained;
    CHECK_OK(store_retain(world->store, &how, &retained, NULL));
    return retained;
}

static void check_sound(struct world *world, bool bytes_only)
{
    struct store_verdict verdict;
    struct als_why why = {""};
    err code = (bytes_only ? store_verify_bytes : store_verify)(
        world->os, world->dir, S("default"), NULL, NULL, &verdict, &why);
    if (code != ALS_OK)
        printf("%s\n", why.text);
    CHECK_OK(code);
    CHECK_EQUAL(STORE_SOUND, verdict.finding);
}

static void reopen(struct world *world)
{
    world_close(world);
    CHECK_OK(world->os->dir_open(world->os, NULL, S("data"), false, &world->dir, NULL));
    check_sound(world, false);
    check_sound(world, true);
    world->os->dir_close(world->dir);
    world_open(world, 20);
}

static struct world *world_sealed(uint32_t events)
{
    struct world *world = world_new(20);
    append_some(world, events);
    seal_all(world);
    return world;
}

static void compact_all(struct world *world)
{
    struct store_compaction how = {
        .strategy = STORE_ALL, .files_min = 2, .target_bytes = GIB(1), .before_us = INT64_MAX};
    struct store_compacted once;
    do
        CHECK_OK(store_compact(world->store, &how, &once, NULL));
    while (once.files);
}

static struct store_rule newest(str types, uint64_t count)
{
    return (struct store_rule){.types = types, .before_us = STORE_ANY_AGE, .count_max = count};
}

// ---- What stays

TEST(the_newest_of_each_type_stay_and_positions_and_versions_are_what_they_were)
{
    static struct expected expected;
    AUTO(world) world = world_sealed(610);
    uint32_t sealed = (uint32_t)store_stat(world->store).sealed;
    struct store_retained retained = retain(world, newest(S("*"), 20), true);
    expect_newest(world, sealed, 20, &expected);
    CHECK_EQUAL(expected.gone, retained.events);
    CHECK(retained.files_removed > 0 && retained.files > retained.files_removed);
    CHECK(retained.bytes_after < retained.bytes_before);
    for (int again = 0; again < 3; again++) {
        check_left(world, &expected);
        CHECK_EQUAL(0, retain(world, newest(S("*"), 20), true).events);
        reopen(world);
        if (again == 1)
            compact_all(world);
    }
    append_some(world, 50); // versions go on
    check_left(world, &(struct expected){.gone = 0}.gone == NULL ? NULL : &expected);
}

TEST(the_log_is_left_alone)
{
    static struct expected expected;
    AUTO(world) world = world_new(20);
    append_some(world, 19);
    expect_newest(world, 0, 1, &expected);
    CHECK_EQUAL(0, retain(world, newest(S("*"), 1), true).events);
    check_left(world, &expected);
}
