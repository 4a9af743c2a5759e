// SPDX-License-Identifier: Apache-2.0
// A history that is sealed piece by piece: what readers and the writer see of it, what of it is on
// the disk, and what opening makes of that. Crashes are the business of tests/sim.
#include "store/store.h"

#include "base/rand.h"
#include "event/event.h"
#include "os/os.h"
#include "segment/segment.h"
#include "sim.h"
#include "store/manifest.h"
#include "test.h"

#include <stdlib.h>

enum { ENTITIES = 40, TYPES = 6, EVENTS_MAX = 2000 };

struct world {
    struct sim *sim;
    struct os *os;
    struct os_dir *dir;
    struct store *store;
    struct store_report report;
    struct rand rand;
    uint32_t count;
    uint32_t entities[EVENTS_MAX], types[EVENTS_MAX]; // of each event
};

static void done(struct append *append)
{
    (void)append;
}

static str numbered(const char *kind, uint64_t number, char space[static 32])
{
    return (str){space, (size_t)snprintf(space, 32, "%s-%llu", kind, (unsigned long long)number)};
}

static als_id id_of(uint64_t position)
{
    als_id id = {{7}};
    memcpy(id.bytes + 8, &position, sizeof position);
    return id;
}

static void world_open(struct world *world, uint64_t seal_events)
{
    struct store_options options = {
        .tenant = S("default"), .wal_file_bytes = KIB(4), .seal_events = seal_events};
    CHECK_OK(world->os->dir_open(world->os, NULL, S("data"), true, &world->dir, NULL));
    CHECK_OK(store_open(world->os, world->dir, options, &world->report, &world->store, NULL));
}

static void world_close(struct world *world)
{
    store_close(world->store);
    world->store = NULL;
    world->os->dir_close(world->dir);
}

static struct world *world_new(uint64_t seal_events)
{
    struct world *world = calloc(1, sizeof *world);
    CHECK(world);
    world->sim = sim_new(1);
    world->os = sim_os(world->sim);
    world->rand = (struct rand){1};
    world_open(world, seal_events);
    return world;
}

static void world_free(struct world *world)
{
    if (world->store)
        world_close(world);
    sim_free(world->sim);
    free(world);
}
AUTO_WITH(world, world_free)

struct draft {
    uint64_t entity, type, id;
    int64_t expected_version;
    const struct append_condition *condition;
};

// Appends one event in a turn of its own; the outcome is in `ret_append` but for its bytes.
static err append(struct world *world, const struct draft *draft, struct append *ret_append)
{
    char entity[32], type[32], payload[64];
    struct record_draft record_draft = {.entity = numbered("entity", draft->entity, entity),
                                        .type = numbered("type", draft->type, type),
                                        .id = id_of(draft->id)};
    int len = snprintf(payload, sizeof payload, "{\"id\":%llu}", (unsigned long long)draft->id);
    static struct append_event event;
    event = (struct append_event){.offset = BATCH_HEAD_BYTES,
                                  .has_id = true,
                                  .expected_version = draft->expected_version,
                                  .entity_hash = store_hash_name(world->store, record_draft.entity),
                                  .type_hash = store_hash_name(world->store, record_draft.type),
                                  .id_hash = store_hash_id(world->store, record_draft.id)};
    *ret_append = (struct append){.events = &event,
                                  .count = 1,
                                  .conditions = draft->condition,
                                  .condition_count = draft->condition ? 1 : 0,
                                  .done = done};
    struct buf *bytes = &ret_append->bytes;
    static const uint8_t head[BATCH_HEAD_BYTES];
    buf_init(bytes, KIB(4));
    buf_put(bytes, head, sizeof head);
    uint8_t *record = (uint8_t *)buf_room(bytes, record_size_max(&record_draft, sizeof payload, 0));
    memcpy(record_begin(record, BATCH_HEAD_BYTES, &record_draft), payload, (size_t)len);
    record_payload_done(record, (size_t)len);
    buf_grew(bytes, record_finish(record, 0, 0));
    bool first;
    CHECK_OK(store_post(world->store, ret_append, &first, NULL));
    CHECK(store_turn(world->store));
    buf_deinit(bytes);
    return ret_append->code;
}

static void append_some(struct world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK(world->count < EVENTS_MAX);
        uint32_t at = world->count++;
        world->entities[at] = (uint32_t)rand_below(&world->rand, ENTITIES);
        world->types[at] = (uint32_t)rand_below(&world->rand, TYPES);
        struct draft draft = {.entity = world->entities[at],
                              .type = world->types[at],
                              .id = at + 1,
                              .expected_version = STORE_ANY_VERSION};
        struct append answer;
        CHECK_OK(append(world, &draft, &answer));
        CHECK_EQUAL(at + 1, answer.first);
    }
}

static uint32_t seal_all(struct world *world)
{
    uint32_t count = 0;
    bool sealed;
    do {
        CHECK_OK(store_seal(world->store, &sealed, NULL));
        count += sealed;
    } while (sealed);
    return count;
}

static uint64_t version_of(const struct world *world, uint32_t count, uint32_t entity)
{
    uint64_t version = 0;
    for (uint32_t i = 0; i < count; i++)
        version += world->entities[i] == entity;
    return version;
}

// ---- What readers see

static void check_names(struct world *world, struct view view, enum store_names_of of)
{
    enum { ROOM = 64 };
    struct store_name names[ROOM];
    const uint32_t *numbers = of == STORE_ENTITIES ? world->entities : world->types;
    const char *kind = of == STORE_ENTITIES ? "entity" : "type";
    uint64_t total = 0;
    size_t found;
    CHECK_OK(view_names(view, of, S(""), S(""), names, ROOM, &found, NULL));
    for (size_t i = 0; i < found; i++) {
        uint64_t count = 0, last = 0;
        char space[32];
        for (uint32_t k = 0; k < view.position; k++)
            if (str_equal(names[i].name, numbered(kind, numbers[k], space)))
                count++, last = k + 1;
        CHECK_EQUAL(count, names[i].count);
        CHECK_EQUAL(last, names[i].last);
        CHECK(i == 0 || str_compare(names[i - 1].name, names[i].name) < 0);
        total += count;
        if (i + 1 == found)
            continue;
        struct store_name next;
        size_t one;
        CHECK_OK(view_names(view, of, S(""), names[i].name, &next, 1, &one, NULL));
        CHECK(one == 1 && str_equal(next.name, names[i + 1].name));
    }
    CHECK_EQUAL(view.position, total);
}

static void check_event(const struct world *world, const struct als_event *event)
{
    char entity[32], type[32], payload[64];
    uint32_t at = (uint32_t)event->position - 1;
    int len =
        snprintf(payload, sizeof payload, "{\"id\":%llu}", (unsigned long long)event->position);
    CHECK_STR(numbered("entity", world->entities[at], entity), event->entity);
    CHECK_STR(numbered("type", world->types[at], type), event->type);
    CHECK_STR(((str){payload, (size_t)len}), event->payload);
    CHECK_STR(S("default"), event->tenant);
    CHECK_EQUAL(version_of(world, at + 1, world->entities[at]), event->version);
}

static void check_view(struct world *world, struct view view)
{
    AUTO(cursor) cursor = cursor_new();
    struct als_event event;
    CHECK_OK(cursor_over_all(cursor, view, (struct cursor_bounds){.up_to = UINT64_MAX}, NULL));
    for (als_position at = 1; at <= view.position; at++) {
        CHECK_OK(cursor_next(cursor, &event, NULL));
        CHECK_EQUAL(at, event.position);
        check_event(world, &event);
    }
    CHECK_OK(cursor_next(cursor, &event, NULL));
    CHECK_EQUAL(0, event.position);
    for (uint32_t entity = 0; entity < ENTITIES; entity++) {
        char space[32];
        als_version version;
        CHECK_OK(view_version(view, numbered("entity", entity, space), &version, NULL));
        CHECK_EQUAL(version_of(world, (uint32_t)view.position, entity), version);
    }
    check_names(world, view, STORE_ENTITIES);
    check_names(world, view, STORE_TYPES);
}

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
    struct view view = view_pin(world->store);
    check_view(world, view);
    view_unpin(view);
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

struct names {
    char names[64][SEGMENT_NAME_MAX + 1];
    size_t count;
};

static bool keep_name(void *context, const struct os_entry *entry)
{
    struct names *names = context;
    CHECK(names->count < COUNT_OF(names->names) && entry->name.len <= SEGMENT_NAME_MAX);
    snprintf(names->names[names->count++], sizeof names->names[0], "%.*s", STR(entry->name));
    return true;
}

static struct names segment_files(struct world *world, struct os_dir **ret_dir)
{
    struct names names = {.count = 0};
    struct os_dir *dir;
    CHECK_OK(world->os->dir_open(world->os, NULL, S("data"), false, &dir, NULL));
    CHECK_OK(world->os->dir_open(world->os, dir, S("segments"), false, ret_dir, NULL));
    world->os->dir_close(dir);
    CHECK_OK(world->os->dir_list(*ret_dir, keep_name, &names, NULL));
    return names;
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
    struct view view = view_pin(world->store);
    check_view(world, view);
    view_unpin(view);
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

// Flips a bit of the segment while the index is written, so after its sync.
static void flip_behind_the_writer(void *context, struct sim *sim, const char *call, str name)
{
    uint32_t *created = context;
    if (strcmp(call, "create") != 0 || ++*created != 2)
        return;
    struct rand rand = {name.len};
    str flipped = {NULL, 0};
    while (!str_ends(flipped, S(".new")))
        sim_flip(sim, rand_below(&rand, sim_bits(sim)), &flipped);
}

TEST(a_segment_that_reads_back_otherwise_is_not_believed)
{
    AUTO(world) world = world_new(50);
    append_some(world, 60);
    CHECK_OK(store_settle(world->store, NULL));
    uint32_t created = 0;
    sim_set_hook(world->sim, flip_behind_the_writer, &created);
    bool sealed = true;
    struct als_why why;
    CHECK(store_seal(world->store, &sealed, &why) != ALS_OK);
    sim_set_hook(world->sim, NULL, NULL);
    CHECK(!sealed && created == 2);
    struct os_dir *dir;
    CHECK_EQUAL(0, segment_files(world, &dir).count);
    world->os->dir_close(dir);
    CHECK_EQUAL(1, seal_all(world));
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
