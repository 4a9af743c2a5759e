// SPDX-License-Identifier: Apache-2.0
// History that is sealed and merged while it is written and read: by the engine itself, in the
// background.
#include "store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { WRITERS = 2, READERS = 2, ENTITIES = 5, ROUNDS = 400, PER_BATCH = 5, SEAL_BYTES = 4096 };

struct crowd {
    struct als *als;
    atomic_bool over;
    atomic_uint wrong;
    pthread_t writers[WRITERS], readers[READERS];
    atomic_int next_writer;
};

static struct als *open_sealing(const char *directory)
{
    struct als *als = NULL;
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.seal_bytes = SEAL_BYTES;
    options.snapshot_events = 50;
    CHECK_OK(als_open(directory, &options, &als, NULL));
    return als;
}

// Each batch has one event of each entity, so wherever a reader looks, counts are equal.
static void *write_batches(void *context)
{
    struct crowd *crowd = context;
    int writer = atomic_fetch_add(&crowd->next_writer, 1);
    for (int round = 0; round < ROUNDS; round++) {
        struct als_draft drafts[PER_BATCH];
        char entities[PER_BATCH][16], payload[64];
        snprintf(payload, sizeof payload, "{\"w%d\":%d,\"text\":\"some words\"}", writer, round);
        for (int i = 0; i < PER_BATCH; i++) {
            snprintf(entities[i], sizeof entities[i], "e-%d", i);
            drafts[i] = draft_of(entities[i], i % 2 ? "t.odd" : "t.even", payload);
        }
        struct als_outcome outcome;
        if (append_to(crowd->als, NULL, drafts, PER_BATCH, NULL, &outcome) != ALS_OK)
            atomic_fetch_add(&crowd->wrong, 1);
    }
    return NULL;
}

// An entity's versions are 1, 2, 3... to the last batch that the view has.
static bool read_entity(struct als *als, int entity, als_position *ret_position)
{
    char name[16];
    snprintf(name, sizeof name, "e-%d", entity);
    struct als_query query = ALS_QUERY_INIT;
    query.entity = als_text(name);
    AUTO(als_cursor) cursor = NULL;
    if (als_query_open(als, &query, &cursor, NULL) != ALS_OK)
        return false;
    *ret_position = als_cursor_position(cursor);
    struct als_event event;
    for (als_version version = 1;; version++) {
        if (als_cursor_next(cursor, &event, NULL) != ALS_OK)
            return false;
        if (event.position == 0)
            return version - 1 == *ret_position / PER_BATCH;
        if (event.version != version || !str_equal(event.entity, als_text(name)))
            return false;
    }
}

static bool read_all_backwards(struct als *als)
{
    struct als_query query = ALS_QUERY_INIT;
    query.descending = true;
    AUTO(als_cursor) cursor = NULL;
    if (als_query_open(als, &query, &cursor, NULL) != ALS_OK)
        return false;
    struct als_event event;
    for (als_position position = als_cursor_position(cursor);; position--) {
        if (als_cursor_next(cursor, &event, NULL) != ALS_OK || event.position != position)
            return false;
        if (position == 0)
            return true;
    }
}

static void *read_around(void *context)
{
    struct crowd *crowd = context;
    als_position position = 0, before = 0;
    for (int i = 0; !atomic_load(&crowd->over); i++) {
        bool right = read_entity(crowd->als, i % ENTITIES, &position) && position >= before;
        if (i % 7 == 0)
            right = right && read_all_backwards(crowd->als);
        before = position;
        if (!right)
            atomic_fetch_add(&crowd->wrong, 1);
    }
    return NULL;
}

static uint64_t sealed_events(struct als *als)
{
    struct als_stats stats;
    CHECK_OK(als_stats(als, (str){NULL, 0}, &stats, NULL));
    return stats.sealed;
}

TEST(writers_and_readers_go_on_while_history_is_sealed)
{
    const char *directory = test_directory();
    struct crowd crowd = {.als = open_sealing(directory)};
    for (int i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&crowd.writers[i], NULL, write_batches, &crowd) == 0);
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_create(&crowd.readers[i], NULL, read_around, &crowd) == 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(crowd.writers[i], NULL);
    while (sealed_events(crowd.als) < 250) // the keeper will come
        sched_yield();
    atomic_store(&crowd.over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(crowd.readers[i], NULL);
    CHECK_EQUAL(0, atomic_load(&crowd.wrong));
    als_close(crowd.als);
    AUTO(als) again = open_sealing(directory);
    CHECK_EQUAL((uint64_t)WRITERS * ROUNDS * PER_BATCH, event_count(again, NULL));
    als_position position;
    for (int entity = 0; entity < ENTITIES; entity++)
        CHECK(read_entity(again, entity, &position));
    CHECK(read_all_backwards(again));
}

static void raise_counter(void *context)
{
    counter_raise(context);
}

static uint64_t follow_all(struct als *als)
{
    struct als_follow follow = ALS_FOLLOW_INIT;
    struct counter woken = COUNTER_INIT;
    follow.after = 0;
    follow.wake = raise_counter;
    follow.context = &woken;
    AUTO(als_follower) follower = NULL;
    CHECK_OK(als_follow_open(als, &follow, &follower, NULL));
    struct als_event event;
    for (als_position position = 1;; position++) {
        CHECK_OK(als_follower_next(follower, &event, NULL));
        if (event.position == 0)
            return position - 1;
        CHECK_EQUAL(position, event.position);
    }
}

TEST(states_names_and_followers_see_sealed_history)
{
    AUTO(als) als = open_sealing(NULL);
    struct crowd crowd = {.als = als};
    write_batches(&crowd);
    while (sealed_events(als) < 120)
        sched_yield();
    struct als_state_query query = ALS_STATE_QUERY_INIT;
    query.entity = S("e-3");
    AUTO(als_state) state = NULL;
    CHECK_OK(als_state_open(als, &query, &state, NULL));
    CHECK_STR(S("{\"w0\":399,\"text\":\"some words\"}"), als_state_view(state).json);
    struct als_names_query names_query = ALS_NAMES_QUERY_INIT;
    names_query.of = ALS_NAMES_TYPES;
    AUTO(als_names) names = NULL;
    CHECK_OK(als_names_open(als, &names_query, &names, NULL));
    struct als_name name;
    CHECK(als_names_next(names, &name) && name.count == 3 * ROUNDS);
    CHECK(als_names_next(names, &name) && name.count == 2 * ROUNDS);
    CHECK(!als_names_next(names, &name));
    CHECK_EQUAL(ROUNDS * PER_BATCH, follow_all(als));
}

// ---- Appends that are ahead of sealing

struct dam {
    struct counter sealed, open, answered;
};

// Holds the keeper up until the dam is open.
static void hold_up(void *context, uint64_t duration_ns)
{
    struct dam *dam = context;
    (void)duration_ns;
    counter_raise(&dam->sealed);
    counter_wait(&dam->open, 1);
}

static void answered(void *context, const struct als_outcome *outcome,
                     const struct als_appended *events)
{
    struct dam *dam = context;
    (void)events;
    if (outcome->code == ALS_OK)
        counter_raise(&dam->answered);
}

static struct als *open_behind(struct dam *dam)
{
    *dam = (struct dam){COUNTER_INIT, COUNTER_INIT, COUNTER_INIT};
    struct als *als = NULL;
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.no_auto_snapshot = true;
    options.seal_bytes = 256 << 10;
    options.tail_index_bytes = 1 << 20;
    options.sealed = hold_up;
    options.context = dam;
    CHECK_OK(als_open(NULL, &options, &als, NULL));
    return als;
}

// Appends batches of events of new entities until one has to wait; returns how many were taken.
static uint64_t fill_until_stalled(struct als *als, struct dam *dam)
{
    struct als_stats stats = {0};
    uint64_t batches = 0;
    while (stats.append_stalls == 0) {
        struct als_draft drafts[100];
        char entities[100][24];
        for (int i = 0; i < 100; i++) {
            snprintf(entities[i], sizeof entities[i], "e-%llu-%d", (unsigned long long)batches, i);
            drafts[i] = draft_of(entities[i], "t", "{}");
        }
        struct als_append append = ALS_APPEND_INIT;
        append.drafts = drafts;
        append.count = 100;
        batches += als_append(als, &append, answered, dam, NULL, NULL) == ALS_OK;
        CHECK_OK(als_stats(als, S("default"), &stats, NULL));
    }
    CHECK(stats.index_bytes > 1 << 20);
    CHECK(stats.index_bytes < 16 << 20); // and what one turn adds, in tables that double
    return batches;
}

TEST(appends_wait_for_sealing_that_is_behind_and_go_on_after_it)
{
    struct dam dam;
    AUTO(als) als = open_behind(&dam);
    uint64_t batches = fill_until_stalled(als, &dam);
    CHECK(counter_read(&dam.answered) < batches);
    struct als_query query = ALS_QUERY_INIT; // readers do not wait
    query.entity = S("e-0-0");
    AUTO(als_cursor) cursor = NULL;
    struct als_event event;
    CHECK_OK(als_query_open(als, &query, &cursor, NULL));
    CHECK_OK(als_cursor_next(cursor, &event, NULL));
    CHECK_EQUAL(1, event.position);
    als_cursor_close(MOVE(cursor));
    counter_raise(&dam.open);
    counter_wait(&dam.answered, batches);
    struct als_stats stats;
    CHECK_OK(als_stats(als, S("default"), &stats, NULL));
    CHECK_EQUAL(100 * batches, stats.position);
}

static void *open_late(void *context)
{
    struct dam *dam = context;
    for (int i = 0; i < 2000; i++)
        sched_yield(); // als_close() is likely to have begun
    counter_raise(&dam->open);
    return NULL;
}

TEST(closing_leaves_no_append_without_an_answer_that_waits_for_sealing)
{
    struct dam dam;
    struct als *als = open_behind(&dam);
    uint64_t batches = fill_until_stalled(als, &dam);
    pthread_t thread;
    CHECK_EQUAL(0, pthread_create(&thread, NULL, open_late, &dam));
    als_close(als);
    CHECK_EQUAL(0, pthread_join(thread, NULL));
    CHECK_EQUAL(batches, counter_read(&dam.answered));
}

// ---- Tenants of which none has enough to be sealed

// None has a tenth of what is sealed by itself, and all together ten times what they may have in
// memory.
TEST(the_longest_of_many_short_tails_are_sealed_so_that_all_together_stay_bounded)
{
    enum { TENANTS = 12, BATCHES = 40, BATCH = 100, BOUND = 1 << 20 };
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.no_auto_snapshot = true;
    options.all_tails_index_bytes = BOUND;
    AUTO(als) als = NULL;
    CHECK_OK(als_open(NULL, &options, &als, NULL));
    struct als_stats stats;
    uint64_t most = 0;
    for (int batch = 0; batch < BATCHES; batch++)
        for (int tenant = 0; tenant < TENANTS; tenant++) {
            struct als_draft drafts[BATCH];
            char name[24], entities[BATCH][32];
            snprintf(name, sizeof name, "tenant-%d", tenant);
            for (int i = 0; i < BATCH; i++) {
                snprintf(entities[i], sizeof entities[i], "e-%d-%d", batch, i);
                drafts[i] = draft_of(entities[i], "t", "{}");
            }
            struct als_outcome outcome;
            CHECK_OK(append_to(als, name, drafts, BATCH, NULL, &outcome));
            CHECK_OK(als_stats(als, S(""), &stats, NULL));
            most = stats.index_bytes > most ? stats.index_bytes : most;
        }
    CHECK_EQUAL(TENANTS * BATCHES * BATCH, stats.events);
    CHECK(stats.segments > 0);
    CHECK(most < 4 * BOUND); // twice, and what tables that double have not filled yet
    for (int tenant = 0; tenant < TENANTS; tenant++) {
        char name[24];
        snprintf(name, sizeof name, "tenant-%d", tenant);
        struct als_query query = ALS_QUERY_INIT;
        query.tenant = als_text(name);
        AUTO(als_cursor) cursor = NULL;
        struct als_event event;
        CHECK_OK(als_query_open(als, &query, &cursor, NULL));
        for (als_position at = 1; at <= BATCHES * BATCH; at++) {
            CHECK_OK(als_cursor_next(cursor, &event, NULL));
            CHECK_EQUAL(at, event.position);
        }
    }
}

#ifndef __SANITIZE_THREAD__ // no other threads than above, and a million events take it a minute
TEST(what_no_automatic_snapshot_follows_is_sealed_however_much_it_is)
{
    enum { BATCH = 10000, BATCHES = 106 }; // 2^20, behind which snapshots give up events, and more
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.no_auto_snapshot = true;
    options.seal_bytes = 16 << 20;
    AUTO(als) als = NULL;
    CHECK_OK(als_open(NULL, &options, &als, NULL));
    struct als_draft *drafts = calloc(BATCH, sizeof *drafts);
    CHECK(drafts);
    for (size_t i = 0; i < BATCH; i++)
        drafts[i] = draft_of("e", "t", "{}");
    for (size_t i = 0; i < BATCHES; i++)
        CHECK_OK(append_to(als, NULL, drafts, BATCH, NULL, NULL));
    free(drafts);
    uint64_t sealed = 0;
    while (sealed <= 1 << 20) { // but for a part that is never full
        struct als_stats stats;
        CHECK_OK(als_stats(als, S("default"), &stats, NULL));
        sealed = stats.sealed + (16 << 20) / 48;
        sched_yield();
    }
}
#endif
