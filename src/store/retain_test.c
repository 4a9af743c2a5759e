// SPDX-License-Identifier: Apache-2.0
// Taking events out of sealed files: which go and which stay, that positions and versions are what
// they were, and what becomes of files, copies and damage. Crashes are the business of tests/sim.
#include "store/rig.h"

#include "store/manifest.h"

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
    err code = (bytes_only ? store_verify_bytes : store_verify)(world->os, world->dir, S("default"),
                                                                NULL, NULL, &verdict, &why);
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
    for (uint32_t left = events; left; left -= left < 50 ? left : 50) {
        append_some(world, left < 50 ? left : 50);
        seal_all(world);
    }
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
    for (uint32_t i = world->count; i < world->count + 50; i++)
        expected.stays[i] = true;
    append_some(world, 50); // versions go on
    check_left(world, &expected);
}

TEST(the_log_is_left_alone)
{
    AUTO(world) world = world_new(20);
    append_some(world, 19);
    CHECK_EQUAL(0, retain(world, newest(S("*"), 1), true).events);
    CHECK_EQUAL(19, store_stat(world->store).events);
}

TEST(the_rule_that_says_most_of_a_type_counts)
{
    AUTO(world) world = world_sealed(400);
    struct store_rule rules[] = {newest(S("*"), 5), newest(S("type-1"), 0), newest(S("type-*"), 0),
                                 newest(S("type-3"), 10)};
    struct store_retention how = {.rules = rules, .rule_count = COUNT_OF(rules), .all = true};
    struct store_retained retained;
    CHECK_OK(store_retain(world->store, &how, &retained, NULL));
    struct view view = view_pin(world->store);
    struct store_name names[TYPES];
    size_t found;
    CHECK_OK(view_names(view, STORE_TYPES, S(""), S(""), names, TYPES, &found, NULL));
    CHECK_EQUAL(TYPES, found);
    for (uint32_t type = 0; type < TYPES; type++) {
        uint64_t count = 0;
        for (uint32_t i = 0; i < world->count; i++)
            count += world->types[i] == type;
        CHECK(type == 3 ? names[type].count < count : names[type].count == count);
    }
    view_unpin(view);
}

TEST(what_was_recorded_before_a_moment_goes)
{
    static struct expected expected;
    AUTO(world) world = world_new(20);
    sim_set_now_us(world->sim, 1'000'000);
    append_some(world, 207); // the moment lies within a file
    sim_set_now_us(world->sim, 2'000'000);
    append_some(world, 200);
    seal_all(world);
    compact_all(world);
    uint32_t sealed = (uint32_t)store_stat(world->store).sealed;
    expected.gone = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        expected.stays[i] = i >= 207 || is_last(world->entities, i, sealed);
        expected.gone += !expected.stays[i];
    }
    struct store_rule rule = {.types = S("*"), .before_us = 2'000'000};
    CHECK_EQUAL(expected.gone, retain(world, rule, true).events);
    check_left(world, &expected);
    rule.before_us = 1'000'000;
    CHECK_EQUAL(0, retain(world, rule, true).events);
}

TEST(the_newest_of_so_many_bytes_stay)
{
    static struct expected expected;
    AUTO(world) world = world_new(20);
    world->varied = true;
    append_some(world, 610);
    seal_all(world);
    uint32_t sealed = (uint32_t)store_stat(world->store).sealed;
    uint64_t bytes[TYPES] = {0};
    char space[PAYLOAD_MAX];
    expected.gone = 0;
    for (uint32_t i = world->count; i-- > 0;) {
        bytes[world->types[i]] += payload_of(world, i + 1, space);
        expected.stays[i] =
            bytes[world->types[i]] <= 2000 || i >= sealed || is_last(world->entities, i, sealed);
        expected.gone += !expected.stays[i];
    }
    struct store_rule rule = {.types = S("*"), .before_us = STORE_ANY_AGE, .bytes_max = 2000};
    CHECK_EQUAL(expected.gone, retain(world, rule, true).events);
    check_left(world, &expected);
    CHECK_EQUAL(0, retain(world, rule, true).events);
    reopen(world);
    check_left(world, &expected);
}

TEST(unasked_a_file_is_made_anew_only_for_a_quarter_of_its_events)
{
    AUTO(world) world = world_sealed(2010);
    compact_all(world);
    CHECK_EQUAL(1, store_stat(world->store).segments);
    struct store_rule rule = newest(S("type-1"), 20); // a sixth of all
    CHECK_EQUAL(0, retain(world, rule, false).events);
    CHECK(retain(world, rule, true).events > 200);
    rule = newest(S("*"), 100);
    struct store_retained retained = retain(world, rule, false);
    CHECK(retained.files == 1 && retained.events > 900);
    CHECK_EQUAL(0, retain(world, newest(S("*"), 99), false).events);
}

// ---- What others see

TEST(a_reader_of_an_old_view_sees_what_was_removed)
{
    AUTO(world) world = world_sealed(410);
    struct view old = view_pin(world->store);
    CHECK(retain(world, newest(S("*"), 3), true).files_removed > 0);
    compact_all(world); // drops the entry that has taken over numbers, too
    check_view(world, old);
    view_unpin(old);
    struct os_dir *dir;
    struct names files = segment_files(world, &dir);
    world->os->dir_close(dir);
    CHECK_EQUAL(2 * store_stat(world->store).segments, files.count);
}

TEST(a_version_that_was_expected_is_judged_exactly_and_a_removed_id_is_new)
{
    AUTO(world) world = world_sealed(410);
    uint32_t entity = world->entities[0];
    uint64_t version = version_of(world, world->count, entity);
    CHECK(retain(world, newest(S("*"), 3), true).events > 300);
    reopen(world);
    struct append answer;
    struct draft draft = {.entity = entity, .id = 1, .expected_version = (int64_t)version - 1};
    CHECK_ERR(ALS_VERSION_CONFLICT, append(world, &draft, &answer));
    CHECK_EQUAL(version, answer.actual_version);
    draft.expected_version = (int64_t)version;
    CHECK_OK(append(world, &draft, &answer));
    CHECK(!answer.duplicate);
    CHECK_EQUAL(411, answer.first);
}

// ---- Copies

static err copy_to(struct world *world, als_position up_to, const char *name,
                   struct store_copied *copied, struct als_why *why)
{
    struct os_dir *target;
    struct store_copying copying = {.tenant = S("default"), .up_to = up_to};
    CHECK_OK(world->os->dir_open(world->os, NULL, str_of(name), true, &target, NULL));
    err code = store_copy(world->os, world->dir, target, &copying, copied, why);
    if (code == ALS_OK) {
        struct store_verdict verdict;
        CHECK_OK(store_verify(world->os, target, S("default"), NULL, NULL, &verdict, NULL));
    }
    world->os->dir_close(target);
    return code;
}

TEST(a_copy_ends_where_retention_had_sealed_or_later)
{
    AUTO(world) world = world_sealed(410);
    als_position at = store_stat(world->store).sealed;
    uint64_t gone = retain(world, newest(S("*"), 3), true).events;
    append_some(world, 50);
    seal_all(world);
    world_close(world);
    CHECK_OK(world->os->dir_open(world->os, NULL, S("data"), false, &world->dir, NULL));
    struct store_copied copied;
    struct als_why why = {""};
    CHECK_OK(copy_to(world, UINT64_MAX, "all", &copied, NULL));
    CHECK(copied.position == 460 && copied.events == 460 - gone);
    CHECK_OK(copy_to(world, at, "sealed", &copied, NULL));
    CHECK(copied.position == at && copied.events == at - gone);
    CHECK_OK(copy_to(world, at + 7, "within", &copied, NULL));
    CHECK(copied.position == at + 7 && copied.events == at + 7 - gone);
    CHECK_ERR(ALS_UNSUPPORTED, copy_to(world, at - 1, "before", &copied, &why));
    CHECK(strstr(why.text, "retention removed events"));
    world->os->dir_close(world->dir);
    world_open(world, 20);
}

// ---- What fails

static bool give_up(void *context, uint64_t done, uint64_t total)
{
    uint32_t *calls = context;
    CHECK(done <= total);
    return ++*calls < 2;
}

TEST(what_is_given_up_leaves_everything_as_it_was)
{
    AUTO(world) world = world_sealed(4810);
    compact_all(world);
    uint32_t calls = 0;
    struct store_rule rule = newest(S("*"), 10);
    struct store_retention how = {
        .rules = &rule, .rule_count = 1, .all = true, .paced = give_up, .context = &calls};
    struct store_retained retained;
    CHECK_ERR(ALS_NOT_READY, store_retain(world->store, &how, &retained, NULL));
    CHECK_EQUAL(2, calls);
    CHECK_EQUAL(0, retained.events);
    struct view view = view_pin(world->store);
    check_view(world, view);
    view_unpin(view);
    struct os_dir *dir;
    CHECK_EQUAL(2 * store_stat(world->store).segments, segment_files(world, &dir).count);
    world->os->dir_close(dir);
}

TEST(holes_that_nobody_made_are_damage)
{
    AUTO(world) world = world_sealed(410);
    retain(world, newest(S("*"), 3), true);
    size_t count;
    AUTO(manifest) manifest = NULL;
    world_close(world);
    CHECK_OK(world->os->dir_open(world->os, NULL, S("data"), false, &world->dir, NULL));
    CHECK_OK(manifest_open(world->os, world->dir, S("default"), KIB(4), &manifest, NULL));
    struct manifest_entry entry = manifest_entries(manifest, &count)[0];
    entry.removed--;
    struct manifest_change change = {.removed = 1, .added = &entry, .added_count = 1};
    CHECK_OK(manifest_commit(manifest, &change, NULL));
    manifest_close(MOVE(manifest));
    struct store_verdict verdict;
    struct als_why why = {""};
    CHECK_ERR(ALS_CORRUPT,
              store_verify(world->os, world->dir, S("default"), NULL, NULL, &verdict, &why));
    CHECK(strstr(why.text, "were removed"));
    world->os->dir_close(world->dir);
    world_open(world, 20);
}
