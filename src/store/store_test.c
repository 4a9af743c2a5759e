// SPDX-License-Identifier: Apache-2.0
// A history that is sealed piece by piece: what readers and the writer see of it, what of it is on
// the disk, and what opening makes of that. Crashes are the business of tests/sim.
#include "store/store.h"

#include "segment/segment.h"
#include "store/manifest.h"
#include "store/rig.h"

TEST(every_view_sees_its_history_whatever_is_sealed_meanwhile)
{
    AUTO(world) world = world_new(30);
    enum { VIEWS = 8 };
    struct view views[VIEWS];
    for (int i = 0; i < VIEWS; i++) {
        append_some(world, 20 + (uint32_t)i);
        views[i] = view_pin(world->store);
        if (i % 3 == 2)
            CHECK(seal_all(world) > 0);
    }
    for (int i = 0; i < VIEWS; i++) {
        check_view(world, views[i]);
        view_unpin(views[i]);
    }
    check_now(world);
    struct store_stat stat = store_stat(world->store);
    CHECK(stat.segments >= 4 && stat.sealed >= 120);
    CHECK_EQUAL(ENTITIES, stat.entities);
    CHECK_EQUAL(TYPES, stat.types);
}

TEST(a_store_opens_with_its_segments_and_counts_as_before)
{
    AUTO(world) world = world_new(25);
    append_some(world, 333);
    CHECK_EQUAL(13, seal_all(world));
    for (int again = 0; again < 3; again++) {
        world_close(world);
        world_open(world, 25);
        CHECK_EQUAL(333 + again * 10, world->report.events);
        CHECK_EQUAL(13, world->report.segments);
        struct store_stat stat = store_stat(world->store);
        CHECK_EQUAL(ENTITIES, stat.entities);
        CHECK_EQUAL(TYPES, stat.types);
        append_some(world, 10);
        struct view view = view_pin(world->store);
        check_view(world, view);
        view_unpin(view);
    }
}

// ---- What the writer knows of what is sealed

TEST(versions_go_on_over_segments)
{
    AUTO(world) world = world_new(20);
    append_some(world, 200);
    seal_all(world);
    uint64_t version = version_of(world, 200, 3);
    CHECK(version > 0);
    struct append answer;
    struct draft stale = {.entity = 3, .id = 1000, .expected_version = (int64_t)version - 1};
    CHECK_ERR(ALS_VERSION_CONFLICT, append(world, &stale, &answer));
    CHECK_EQUAL(version, answer.actual_version);
    CHECK(answer.between_count == 1 && answer.between[0].version == version);
    struct draft right = {.entity = 3, .id = 1000, .expected_version = (int64_t)version};
    CHECK_OK(append(world, &right, &answer));
    CHECK_EQUAL(version + 1, answer.events[0].version);
}

TEST(an_id_in_a_segment_is_known)
{
    AUTO(world) world = world_new(20);
    append_some(world, 100);
    seal_all(world);
    struct append answer;
    struct draft same = {.entity = world->entities[16],
                         .type = world->types[16],
                         .id = 17,
                         .expected_version = STORE_ANY_VERSION};
    CHECK_OK(append(world, &same, &answer));
    CHECK(answer.duplicate);
    CHECK_EQUAL(17, answer.first);
    CHECK_EQUAL(version_of(world, 17, world->entities[16]), answer.events[0].version);
    same.type++;
    CHECK_ERR(ALS_ID_CONFLICT, append(world, &same, &answer));
    CHECK_EQUAL(100, store_position(world->store));
}

TEST(conditions_hold_over_segments)
{
    AUTO(world) world = world_new(20);
    append_some(world, 150);
    seal_all(world);
    for (uint32_t entity = 0; entity < ENTITIES; entity++)
        for (uint32_t type = 0; type < TYPES; type++) {
            char entity_space[32], type_space[32];
            struct append_condition condition = {.entity = numbered("entity", entity, entity_space),
                                                 .type = numbered("type", type, type_space)};
            als_position last = 0;
            for (uint32_t i = 0; i < 150; i++)
                if (world->entities[i] == entity && world->types[i] == type)
                    last = i + 1;
            struct draft draft = {.expected_version = 1000, .condition = &condition};
            struct append answer;
            condition.after = last;
            CHECK_ERR(ALS_VERSION_CONFLICT, append(world, &draft, &answer)); // it is judged later
            if (last == 0)
                continue;
            condition.after = last - 1;
            CHECK_ERR(ALS_CONDITION_FAILED, append(world, &draft, &answer));
            CHECK(answer.between_count == 1 && answer.between[0].position == last);
        }
}

// ---- What is resident

static uint64_t forgotten;

static void count_forgotten(struct os *os, const uint8_t *bytes, uint64_t size)
{
    (void)os, (void)bytes;
    forgotten += size;
}

TEST(what_sealing_reads_of_the_log_it_lets_go_of)
{
    AUTO(world) world = world_new(1000);
    append_some(world, 1001);
    uint64_t records = store_stat(world->store).wal_bytes * 9 / 10; // the rest are frames
    world->os->file_forget = count_forgotten;
    forgotten = 0;
    CHECK_EQUAL(1, seal_all(world));
    // It is read to be written, and again to be compared; the segment is let go of, too.
    CHECK(forgotten >= records + records / 2 + store_stat(world->store).segment_bytes / 2);
}

// ---- What is on the disk

TEST(the_log_lets_go_of_what_is_sealed_and_seen_by_nobody)
{
    AUTO(world) world = world_new(40);
    append_some(world, 400);
    struct view view = view_pin(world->store);
    uint64_t files = store_stat(world->store).wal_files;
    CHECK(files > 4);
    seal_all(world);
    append_some(world, 1);
    CHECK_EQUAL(files, store_stat(world->store).wal_files);
    view_unpin(view);
    append_some(world, 1);
    CHECK(store_stat(world->store).wal_files <= 4); // the last part is there, and not all of a file
}

static size_t remove_files(struct world *world, const char *suffix)
{
    struct os_dir *dir;
    struct names names = segment_files(world, &dir);
    size_t removed = 0;
    for (size_t i = 0; i < names.count; i++)
        if (str_ends(str_of(names.names[i]), str_of(suffix))) {
            CHECK_OK(world->os->dir_unlink(dir, str_of(names.names[i]), NULL));
            removed++;
        }
    world->os->dir_close(dir);
    return removed;
}

TEST(an_index_that_was_deleted_grows_back)
{
    AUTO(world) world = world_new(50);
    append_some(world, 300);
    size_t sealed = seal_all(world);
    world_close(world);
    CHECK_EQUAL(sealed, remove_files(world, ".idx"));
    world_open(world, 50);
    check_now(world);
    CHECK_EQUAL(sealed, remove_files(world, ".idx"));
}

TEST(a_segment_that_is_missing_is_damage)
{
    AUTO(world) world = world_new(50);
    append_some(world, 300);
    seal_all(world);
    world_close(world);
    CHECK(remove_files(world, ".parquet") > 0);
    struct store *store;
    struct store_options options = {.tenant = S("default"), .wal_file_bytes = KIB(4)};
    struct als_why why;
    CHECK_OK(world->os->dir_open(world->os, NULL, S("data"), false, &world->dir, NULL));
    CHECK_ERR(ALS_CORRUPT,
              store_open(world->os, world->dir, options, &world->report, &store, &why));
    CHECK(strstr(why.text, "is missing"));
    world->os->dir_close(world->dir);
}

TEST(files_that_no_manifest_knows_are_removed_and_those_of_others_are_not)
{
    AUTO(world) world = world_new(50);
    append_some(world, 60);
    seal_all(world);
    struct os_dir *dir;
    struct names before = segment_files(world, &dir);
    static const char *const strangers[] = {"a.parquet", "b.idx", "c.new", "notes.txt"};
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        struct os_file *file;
        CHECK_OK(world->os->file_open(dir, str_of(strangers[i]), OS_CREATE, &file, NULL));
        world->os->file_close(file);
    }
    world->os->dir_close(dir);
    world_close(world);
    world_open(world, 50);
    struct names after = segment_files(world, &dir);
    world->os->dir_close(dir);
    CHECK_EQUAL(before.count + 1, after.count);
}

struct opens {
    err (*file_open)(struct os_dir *dir, str name, enum os_open how, struct os_file **ret_file,
                     struct als_why *why);
    uint32_t segments, indexes;
};
static struct opens opens;

static err count_open(struct os_dir *dir, str name, enum os_open how, struct os_file **ret_file,
                      struct als_why *why)
{
    opens.segments += str_ends(name, S(".parquet"));
    opens.indexes += str_ends(name, S(".idx"));
    return opens.file_open(dir, name, how, ret_file, why);
}

TEST(opening_reads_no_segment_and_a_query_only_those_it_needs)
{
    AUTO(world) world = world_new(20);
    append_some(world, 500);
    seal_all(world);
    world_close(world);
    opens = (struct opens){.file_open = world->os->file_open};
    world->os->file_open = count_open;
    world_open(world, 20);
    CHECK_EQUAL(0, opens.segments);
    CHECK(opens.indexes <= 2); // whether the tail's types are new
    opens.indexes = 0;
    struct view view = view_pin(world->store);
    AUTO(cursor) cursor = cursor_new();
    struct als_event event;
    struct cursor_bounds bounds = {.after = 99, .up_to = 100};
    CHECK_OK(cursor_over_all(cursor, view, bounds, NULL));
    CHECK_OK(cursor_next(cursor, &event, NULL));
    CHECK_EQUAL(100, event.position);
    CHECK(opens.segments == 1 && opens.indexes == 1);
    cursor_reset(cursor);
    view_unpin(view);
    world->os->file_open = opens.file_open;
}

// ---- The manifest

static struct manifest_entry entry_of(als_position first, als_position last, uint64_t generation)
{
    return (struct manifest_entry){.facts = {.first = first,
                                             .last = last,
                                             .rows = last - first + 1,
                                             .generation = generation,
                                             .least_us = -5,
                                             .greatest_us = 7,
                                             .identity = {(uint8_t)generation}},
                                   .new_types = generation};
}

TEST(a_manifest_keeps_its_list_however_often_it_changes)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir;
    CHECK_OK(os->dir_open(os, NULL, S("data"), true, &dir, NULL));
    size_t expected = 0;
    als_position last = 0;
    for (int round = 0; round < 4; round++) {
        AUTO(manifest) manifest = NULL;
        size_t count;
        CHECK_OK(manifest_open(os, dir, S("t"), KIB(4), &manifest, NULL));
        (void)manifest_entries(manifest, &count);
        CHECK_EQUAL(expected, count);
        CHECK_EQUAL(last, manifest_sealed(manifest));
        for (int i = 0; i < 150; i++) {
            struct manifest_entry added =
                entry_of(last + 1, last + 3, manifest_take_generation(manifest));
            struct manifest_change change = {.at = count, .added = &added, .added_count = 1};
            CHECK_OK(manifest_commit(manifest, &change, NULL));
            last += 3;
            const struct manifest_entry *entries = manifest_entries(manifest, &count);
            if (count < 10)
                continue;
            struct manifest_entry merged = entry_of(entries[4].facts.first, entries[9].facts.last,
                                                    manifest_take_generation(manifest));
            change =
                (struct manifest_change){.at = 4, .removed = 6, .added = &merged, .added_count = 1};
            CHECK_OK(manifest_commit(manifest, &change, NULL));
            entries = manifest_entries(manifest, &count);
            CHECK_EQUAL(5, count);
            CHECK_EQUAL(merged.facts.generation, entries[4].facts.generation);
        }
        expected = count;
    }
    os->dir_close(dir);
}
