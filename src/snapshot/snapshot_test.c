// SPDX-License-Identifier: Apache-2.0
#include "base/rand.h"
#include "snapshot/rig.h"
#include "test.h"

static const struct snapshots_options usual = SNAPSHOTS_OPTIONS_INIT;

static void open_rig(struct rig *rig, struct sim *sim, struct snapshots_options options)
{
    CHECK_OK(rig_open(rig, sim, STORE_SYNC_EACH, options, NULL));
}

static void reopen(struct rig *rig, struct sim *sim, struct snapshots_options options)
{
    rig_close(rig);
    open_rig(rig, sim, options);
}

static void append(struct rig *rig, str entity, int64_t timestamp_us, unsigned n)
{
    char payload[64];
    int len = snprintf(payload, sizeof payload, "{\"k%u\":%u,\"n\":%u}", n % 7, n, n);
    CHECK_OK(rig_append(rig, entity, (str){payload, (size_t)len}, timestamp_us, 0, NULL));
}

static void append_many(struct rig *rig, str entity, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        append(rig, entity, i, i);
}

static struct snapshot make(struct rig *rig, str entity)
{
    struct snapshot made;
    CHECK_OK(snapshot_make(rig->snapshots, rig->state, entity, 0, SNAPSHOT_MANUAL, &made, NULL));
    return made;
}

static size_t list(struct rig *rig, str entity, struct snapshot *snapshots, size_t room)
{
    size_t count;
    bool more;
    struct snapshot_page page = {.entity = entity, .snapshots = snapshots, .room = room};
    CHECK_OK(snapshot_list(rig->snapshots, rig->state, &page, &count, &more, NULL));
    CHECK(!more);
    return count;
}

static uint64_t events_read(struct rig *rig, str entity)
{
    struct state_bounds bounds = {.entity = entity, .as_of_us = INT64_MAX};
    CHECK_OK(rig_compare(rig, &bounds, NULL));
    return state_events_read(rig->state);
}

// W33, W40. The reference folds all events of the entity again, within the append.
TEST(a_snapshot_is_made_from_the_one_before_it_and_a_state_from_the_newest)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    open_rig(&rig, sim, usual);
    append_many(&rig, S("e"), 300);
    make(&rig, S("e"));
    CHECK_EQUAL(300, state_events_read(rig.state));
    append_many(&rig, S("e"), 20);
    struct snapshot made = make(&rig, S("e"));
    CHECK_EQUAL(20, state_events_read(rig.state));
    CHECK_EQUAL(320, made.folded.event_count);
    CHECK_EQUAL(0, events_read(&rig, S("e")));
    append(&rig, S("e"), 1, 1);
    CHECK_EQUAL(1, events_read(&rig, S("e")));
    rig_close(&rig);
}

// W22. The reference takes what is behind a snapshot by time, and a late event is lost for good.
TEST(an_event_that_comes_late_is_in_the_state_and_a_state_before_it_is_without)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    open_rig(&rig, sim, usual);
    CHECK_OK(rig_append(&rig, S("e"), S("{\"b\":1}"), 1000, 0, NULL));
    CHECK_OK(rig_append(&rig, S("e"), S("{\"c\":1}"), 500, 0, NULL));
    make(&rig, S("e")); // its last event is of 500, its greatest time 1000
    CHECK_OK(rig_append(&rig, S("e"), S("{\"a\":1}"), 10, 0, NULL));
    struct state_bounds bounds = {.entity = S("e"), .as_of_us = INT64_MAX};
    CHECK_OK(rig_compare(&rig, &bounds, NULL));
    CHECK_STR(S("{\"b\":1,\"c\":1,\"a\":1}"), state_json(rig.state));
    bounds.as_of_us = 700; // not the snapshot: it has an event of 1000
    CHECK_OK(rig_compare(&rig, &bounds, NULL));
    CHECK_STR(S("{\"c\":1,\"a\":1}"), state_json(rig.state));
    rig_close(&rig);
}

static void compare_some(struct rig *rig, struct rand *rand, uint32_t entities)
{
    for (int i = 0; i < 12; i++) {
        char name[8];
        int len = snprintf(name, sizeof name, "e%u", (unsigned)rand_below(rand, entities));
        struct state_bounds bounds = {.entity = {name, (size_t)len}, .as_of_us = INT64_MAX};
        if (rand_below(rand, 2))
            bounds.as_of_us = (int64_t)rand_below(rand, 1100) - 50;
        if (rand_below(rand, 2))
            bounds.as_of = 1 + rand_below(rand, store_position(rig->store) + 2);
        if (rand_below(rand, 3) == 0)
            bounds.at_version = 1 + rand_below(rand, 60);
        struct als_why why = {""};
        if (rig_compare(rig, &bounds, &why) != ALS_OK)
            test_fail(__FILE__, __LINE__, "%s", why.text);
    }
}

TEST(any_state_is_the_same_with_snapshots_and_without_whatever_the_times_and_bounds)
{
    enum { ENTITIES = 3 };
    FOR_EACH_SEED(seed, 60) {
        AUTO(sim) sim = sim_new(seed);
        struct rand rand = {seed};
        struct snapshots_options options = usual;
        options.per_entity = 1 + (uint32_t)rand_below(&rand, 5);
        options.file_bytes = 1024;
        struct rig rig;
        open_rig(&rig, sim, options);
        for (unsigned i = 0; i < 150; i++) {
            char name[8];
            int len = snprintf(name, sizeof name, "e%u", (unsigned)rand_below(&rand, ENTITIES));
            sim_advance_us(sim, rand_below(&rand, 3));
            append(&rig, (str){name, (size_t)len}, (int64_t)rand_below(&rand, 1000), i);
            struct snapshot made;
            als_position as_of = rand_below(&rand, 2) ? 0 : store_position(rig.store) - i / 9;
            if (rand_below(&rand, 8) == 0)
                (void)snapshot_make(rig.snapshots, rig.state, (str){name, (size_t)len}, as_of,
                                    SNAPSHOT_AUTOMATIC, &made, NULL); // perhaps before its first
            if (rand_below(&rand, 40) == 0)
                reopen(&rig, sim, options);
            if (rand_below(&rand, 20) == 0)
                while (snapshots_clean(rig.snapshots, NULL))
                    continue;
            if (rand_below(&rand, 10) == 0)
                compare_some(&rig, &rand, ENTITIES);
        }
        compare_some(&rig, &rand, ENTITIES);
        rig_close(&rig);
    }
}

TEST(an_entity_keeps_its_newest_snapshots_also_over_a_restart)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    struct snapshots_options options = usual;
    options.per_entity = 3;
    open_rig(&rig, sim, options);
    for (unsigned i = 0; i < 7; i++) {
        append(&rig, S("e"), i, i);
        make(&rig, S("e"));
    }
    for (int round = 0; round < 2; round++) {
        struct snapshot found[8];
        CHECK_EQUAL(3, list(&rig, S("e"), found, 8));
        for (unsigned i = 0; i < 3; i++)
            CHECK_EQUAL(7 - i, found[i].folded.version);
        reopen(&rig, sim, options);
    }
    rig_close(&rig);
}

// W23.
TEST(of_snapshots_with_the_same_time_the_newest_comes_first_and_stays)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    struct snapshots_options options = usual;
    options.per_entity = 2;
    open_rig(&rig, sim, options);
    append(&rig, S("e"), 5, 1);
    struct snapshot made[3], found[4], latest;
    for (int i = 0; i < 3; i++)
        made[i] = make(&rig, S("e"));
    CHECK_EQUAL(2, list(&rig, S("e"), found, 4));
    CHECK(memcmp(&made[2].id, &found[0].id, sizeof(als_id)) == 0);
    CHECK(memcmp(&made[1].id, &found[1].id, sizeof(als_id)) == 0);
    CHECK_OK(snapshot_latest(rig.snapshots, rig.state, S("e"), &latest, NULL));
    CHECK(memcmp(&made[2].id, &latest.id, sizeof(als_id)) == 0);
    CHECK_STR(S("{\"k1\":1,\"n\":1}"), state_json(rig.state));
    rig_close(&rig);
}

TEST(what_was_deleted_stays_deleted_through_restart_and_cleaning)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    struct snapshots_options options = usual;
    options.file_bytes = 600;
    open_rig(&rig, sim, options);
    append_many(&rig, S("e"), 3);
    append_many(&rig, S("f"), 3);
    uint64_t count;
    struct snapshot found[32];
    make(&rig, S("f"));
    make(&rig, S("e"));
    make(&rig, S("f"));
    make(&rig, S("f"));
    CHECK_OK(snapshot_delete(rig.snapshots, S("e"), &count, NULL));
    CHECK_EQUAL(1, count);
    for (int i = 0; i < 30; i++)
        make(&rig, S("f"));
    for (int round = 0; round < 2; round++) {
        CHECK_EQUAL(0, list(&rig, S("e"), found, 32));
        CHECK_EQUAL(10, list(&rig, S("f"), found, 32));
        while (snapshots_clean(rig.snapshots, NULL))
            continue;
        reopen(&rig, sim, options);
    }
    CHECK_OK(snapshot_delete(rig.snapshots, S("e"), &count, NULL));
    CHECK_EQUAL(0, count);
    make(&rig, S("e"));
    CHECK_EQUAL(1, list(&rig, S("e"), found, 32));
    CHECK(snapshots_stat(rig.snapshots).files < 12);
    rig_close(&rig);
}

TEST(every_flipped_bit_is_noticed_and_changes_no_state)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    open_rig(&rig, sim, usual);
    append_many(&rig, S("e"), 5);
    make(&rig, S("e"));
    rig_close(&rig);
    uint64_t tried = 0;
    for (uint64_t bit = 0; bit < sim_bits(sim); bit++) {
        str name;
        sim_flip(sim, bit, &name);
        if (str_ends(name, S(".snap"))) {
            open_rig(&rig, sim, usual);
            (void)events_read(&rig, S("e"));
            rig_close(&rig);
            tried++;
        }
        sim_flip(sim, bit, NULL);
        bit += str_ends(name, S(".snap")) ? 0 : 127; // the log's are tried elsewhere
    }
    CHECK(tried > 8 * 200); // head, name and JSON of a record, and the file's head
}

TEST(a_full_directory_lets_the_oldest_file_go)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    struct snapshots_options options = usual;
    options.count_max = 20;
    options.file_bytes = 1024;
    open_rig(&rig, sim, options);
    for (unsigned i = 0; i < 60; i++) {
        char name[8];
        int len = snprintf(name, sizeof name, "e%u", i);
        append(&rig, (str){name, (size_t)len}, 1, i);
        make(&rig, (str){name, (size_t)len});
        CHECK(snapshots_stat(rig.snapshots).count <= 20);
    }
    CHECK_EQUAL(1, events_read(&rig, S("e0")));
    CHECK_EQUAL(0, events_read(&rig, S("e59")));
    rig_close(&rig);
}

TEST(pages_of_all_snapshots_give_each_entity_once)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    open_rig(&rig, sim, usual);
    for (unsigned i = 0; i < 100; i++) {
        char name[8];
        int len = snprintf(name, sizeof name, "e%u", i % 50);
        append(&rig, (str){name, (size_t)len}, 1, i);
        make(&rig, (str){name, (size_t)len});
    }
    static struct snapshot found[24];
    char after[ENTITY_BYTES_MAX];
    struct snapshot_page page = {.snapshots = found, .room = 24};
    size_t total = 0, count;
    for (bool more = true; more; total += count) {
        CHECK_OK(snapshot_list(rig.snapshots, rig.state, &page, &count, &more, NULL));
        CHECK(count > 0);
        memcpy(after, found[count - 1].entity, found[count - 1].entity_len);
        page.after = (str){after, found[count - 1].entity_len};
    }
    CHECK_EQUAL(100, total);
    rig_close(&rig);
}

TEST(a_snapshot_is_due_by_time_once_and_only_where_there_is_an_older_one)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    sim_set_now_us(sim, 1'000'000);
    open_rig(&rig, sim, usual);
    append(&rig, S("e"), 1, 1);
    struct due_memory none = {}, memory = {};
    CHECK(!snapshots_due(rig.snapshots, &none, S("e"), INT64_MAX / 2, 10));
    make(&rig, S("e"));
    CHECK(!snapshots_due(rig.snapshots, &memory, S("e"), 10'999'999, 10));
    CHECK(snapshots_due(rig.snapshots, &memory, S("e"), 11'000'000, 10));
    CHECK(!snapshots_due(rig.snapshots, &memory, S("e"), 11'000'001, 10)); // it may have failed
    CHECK(!snapshots_due(rig.snapshots, &none, S("e"), 11'000'001, 10));
    CHECK(snapshots_due(rig.snapshots, &memory, S("e"), 21'000'000, 10));
    rig_close(&rig);
}

// As many entities as share a place in the memory take turns in it; all answers stay right.
TEST(a_snapshot_is_due_by_time_whatever_the_memory_has_forgotten)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    sim_set_now_us(sim, 1'000'000);
    open_rig(&rig, sim, usual);
    struct due_memory *memory = calloc(1, sizeof *memory);
    CHECK(memory != NULL);
    char name[32];
    enum { ENTITIES = 3 * SNAPSHOT_DUE_REMEMBERED };
    for (int64_t now_us = 10'999'999; now_us <= 11'000'001; now_us++)
        for (int i = 0; i < ENTITIES; i++) {
            str entity = {name, (size_t)snprintf(name, sizeof name, "e-%d", i)};
            bool has_one = i % 1000 == 0;
            if (has_one && now_us == 10'999'999) {
                append(&rig, entity, 1, 1);
                make(&rig, entity);
            }
            bool due = snapshots_due(rig.snapshots, memory, entity, now_us, 10);
            CHECK_EQUAL(has_one && now_us == 11'000'000, due);
        }
    free(memory);
    rig_close(&rig);
}

TEST(a_state_that_is_too_large_is_folded_but_not_saved)
{
    AUTO(sim) sim = sim_new(1);
    struct rig rig;
    struct snapshots_options options = usual;
    options.state_bytes = 10;
    open_rig(&rig, sim, options);
    append_many(&rig, S("e"), 3);
    struct snapshot made;
    CHECK_ERR(ALS_TOO_LARGE,
              snapshot_make(rig.snapshots, rig.state, S("e"), 0, SNAPSHOT_MANUAL, &made, NULL));
    CHECK_ERR(ALS_ENTITY_NOT_FOUND,
              snapshot_make(rig.snapshots, rig.state, S("none"), 0, SNAPSHOT_MANUAL, &made, NULL));
    CHECK_ERR(ALS_NOT_FOUND, snapshot_latest(rig.snapshots, rig.state, S("e"), &made, NULL));
    CHECK_EQUAL(3, events_read(&rig, S("e")));
    rig_close(&rig);
}
