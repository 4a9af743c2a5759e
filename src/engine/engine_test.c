// SPDX-License-Identifier: Apache-2.0
// Threads against the engine; built for ThreadSanitizer too. What one thread sees of the public API
// is tested in tests/api.
#include "engine/engine.h"

#include "test.h"

#include <pthread.h>
#include <sys/resource.h>

enum { WRITERS = 8, READERS = 8, ROUNDS = 60, ENTITIES = 4 };

struct crowd {
    struct als *als;
    _Atomic uint64_t won, lost, wrong;
    _Atomic bool over;
    _Atomic int woken;
};

static als_str entity_name(uint64_t n, char space[static 16])
{
    return (als_str){space, (size_t)snprintf(space, 16, "entity-%llu", (unsigned long long)n)};
}

static struct als_draft draft_of(als_str entity)
{
    struct als_draft draft = ALS_DRAFT_INIT;
    draft.entity = entity;
    draft.type = als_text("order.placed");
    draft.payload = als_text("{ \"n\" : 1 }");
    return draft;
}

static struct als_append append_of(const struct als_draft *draft)
{
    struct als_append append = ALS_APPEND_INIT;
    append.drafts = draft;
    append.count = 1;
    return append;
}

static als_version version_now(struct als *als, als_str entity)
{
    struct als_state_query query = ALS_STATE_QUERY_INIT;
    struct als_state *state;
    query.entity = entity;
    if (als_state_open(als, &query, &state, NULL) != ALS_OK)
        return 0;
    als_version version = als_state_view(state).version;
    als_state_close(state);
    return version;
}

// Appends two events with the version it has just read, and tries again when somebody was faster.
static void *write_crowd(void *context)
{
    struct crowd *crowd = context;
    char space[16];
    for (uint64_t round = 0; round < ROUNDS;) {
        struct als_draft drafts[2] = {ALS_DRAFT_INIT, ALS_DRAFT_INIT};
        als_str entity = entity_name(round % ENTITIES, space);
        als_version seen = version_now(crowd->als, entity);
        for (int i = 0; i < 2; i++) {
            drafts[i].entity = entity;
            drafts[i].type = i ? als_text("test.second") : als_text("test.first");
            drafts[i].payload = als_text("{ \"n\" : 1 }");
        }
        drafts[0].expected_version = (int64_t)seen;
        struct als_append append = ALS_APPEND_INIT;
        append.drafts = drafts;
        append.count = 2;
        struct als_appended events[2];
        struct als_outcome outcome;
        err code = als_append_wait(crowd->als, &append, events, &outcome);
        if (code == ALS_OK) {
            atomic_fetch_add(&crowd->won, 1);
            bool right = events[0].version == seen + 1 && events[1].version == seen + 2 &&
                         events[1].position == events[0].position + 1;
            atomic_fetch_add(&crowd->wrong, !right);
            round++;
        } else if (code == ALS_VERSION_CONFLICT) {
            atomic_fetch_add(&crowd->lost, 1);
            atomic_fetch_add(&crowd->wrong,
                             outcome.actual_version <= seen ||
                                 outcome.between_total != outcome.actual_version - seen);
        } else {
            atomic_fetch_add(&crowd->wrong, 1);
            return NULL;
        }
    }
    return NULL;
}

static bool entity_is_gapless(struct als *als, als_str entity)
{
    struct als_query query = ALS_QUERY_INIT;
    struct als_cursor *cursor;
    struct als_event event;
    query.entity = entity;
    if (als_query_open(als, &query, &cursor, NULL) != ALS_OK)
        return false;
    als_version version = 0;
    als_position position = 0;
    bool right = true;
    while (right && als_cursor_next(cursor, &event, NULL) == ALS_OK && event.position) {
        right = event.version == ++version && event.position > position &&
                str_equal(event.payload, S("{\"n\":1}"));
        position = event.position;
    }
    right &= version % 2 == 0; // batches of two are seen whole
    als_cursor_close(cursor);
    return right;
}

static void *read_crowd(void *context)
{
    struct crowd *crowd = context;
    char space[16];
    for (uint64_t n = 0; !atomic_load(&crowd->over); n++)
        if (!entity_is_gapless(crowd->als, entity_name(n % ENTITIES, space)))
            atomic_fetch_add(&crowd->wrong, 1);
    return NULL;
}

static void count_wake(void *context)
{
    atomic_fetch_add((_Atomic int *)context, 1);
}

TEST(eight_writers_and_eight_readers_see_one_gapless_history)
{
    struct crowd crowd = {0};
    CHECK_OK(als_open(NULL, NULL, &crowd.als, NULL));
    struct als_follow follow = ALS_FOLLOW_INIT;
    follow.wake = count_wake;
    follow.context = &crowd.woken;
    struct als_follower *follower;
    CHECK_OK(als_follow_open(crowd.als, &follow, &follower, NULL)); // before the tenant exists
    pthread_t writers[WRITERS], readers[READERS];
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_create(&readers[i], NULL, read_crowd, &crowd) == 0);
    for (int i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&writers[i], NULL, write_crowd, &crowd) == 0);

    als_position seen = 0;
    while (seen < WRITERS * ROUNDS * 2) {
        struct als_event event;
        CHECK_OK(als_follower_next(follower, &event, NULL));
        if (event.position)
            CHECK_EQUAL(++seen, event.position);
        else
            while (atomic_exchange(&crowd.woken, 0) == 0 && atomic_load(&crowd.wrong) == 0)
                sched_yield();
        CHECK_EQUAL(0, crowd.wrong);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&crowd.over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    CHECK_EQUAL(WRITERS * ROUNDS, crowd.won);
    CHECK_EQUAL(0, crowd.wrong);
    als_follower_close(follower);
    als_close(crowd.als);
}

struct pipeline {
    _Atomic uint64_t done, failed;
};

static void count_done(void *context, const struct als_outcome *outcome,
                       const struct als_appended *events)
{
    struct pipeline *pipeline = context;
    (void)events;
    atomic_fetch_add(outcome->code == ALS_OK ? &pipeline->done : &pipeline->failed, 1);
}

TEST(closing_answers_every_append_that_was_taken)
{
    struct als *als;
    struct pipeline pipeline = {0};
    CHECK_OK(als_open(NULL, NULL, &als, NULL));
    uint64_t taken = 0;
    for (int i = 0; i < 5000; i++) {
        struct als_draft draft = draft_of(als_text("order-1"));
        struct als_append append = append_of(&draft);
        err code = als_append(als, &append, count_done, &pipeline, NULL, NULL);
        CHECK(code == ALS_OK || code == ALS_QUEUE_FULL);
        taken += code == ALS_OK;
    }
    als_close(als);
    CHECK_EQUAL(taken, pipeline.done);
    CHECK_EQUAL(0, pipeline.failed);
}

struct waits {
    _Atomic int reached, missed;
};

static void count_wait(void *context, bool reached)
{
    struct waits *waits = context;
    atomic_fetch_add(reached ? &waits->reached : &waits->missed, 1);
}

// Waits that end at once, by time, by position and by closing, all told exactly once.
TEST(every_wait_for_a_position_ends_once)
{
    struct als *als;
    struct waits waits = {0};
    CHECK_OK(als_open(NULL, NULL, &als, NULL));
    for (als_position p = 1; p <= 200; p++)
        CHECK_OK(als_when(als, (als_str){0}, p, p % 3 == 0 ? 0 : 60'000, count_wait, &waits, NULL));
    for (int i = 0; i < 100; i++) {
        struct als_draft draft = draft_of(als_text("order-1"));
        struct als_append append = append_of(&draft);
        CHECK_OK(als_append_wait(als, &append, NULL, NULL));
    }
    als_close(als);
    CHECK_EQUAL(200, waits.reached + waits.missed);
    CHECK(waits.reached >= 67 && waits.reached <= 100);
}

// ---- Memory. The sanitizers' runtime counts for us; other builds run the test without the count.

extern int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *,
                                                                       size_t),
                                                     void (*freed)(const volatile void *))
    __attribute__((weak));

static _Atomic uint64_t allocations;

static void count_allocation(const volatile void *memory, size_t size)
{
    (void)memory, (void)size;
    atomic_fetch_add(&allocations, 1);
}

static void ignore_free(const volatile void *memory)
{
    (void)memory;
}

static void append_and_read(struct als *als, int count)
{
    for (int i = 0; i < count; i++) {
        char space[16];
        struct als_draft draft = draft_of(entity_name((uint64_t)i % 50, space));
        struct als_append append = append_of(&draft);
        CHECK_OK(als_append_wait(als, &append, NULL, NULL));
        CHECK(version_now(als, draft.entity) > 0);
        struct als_query query = ALS_QUERY_INIT;
        query.entity = draft.entity;
        query.limit = 10;
        struct als_cursor *cursor;
        struct als_event event;
        CHECK_OK(als_query_open(als, &query, &cursor, NULL));
        do
            CHECK_OK(als_cursor_next(cursor, &event, NULL));
        while (event.position);
        als_cursor_close(cursor);
    }
}

// An append, a query and a state take their memory from pools. What is left is the growth of the
// index, some 64 pieces each time that the events have grown by half.
TEST(the_paths_of_events_and_queries_allocate_nothing)
{
    struct als *als;
    CHECK_OK(als_open(NULL, NULL, &als, NULL));
    append_and_read(als, 500); // fills the pools
    if (__sanitizer_install_malloc_and_free_hooks)
        (void)__sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_free);
    atomic_store(&allocations, 0);
    append_and_read(als, 12'000);
    uint64_t made = atomic_load(&allocations);
    als_close(als);
    if (made > 600)
        test_fail(__FILE__, __LINE__, "%llu allocations in 12,000 appends, states and queries",
                  (unsigned long long)made);
}

// ---- Background

static void note_nice(void *context)
{
    *(int *)context = getpriority(PRIO_PROCESS, 0); // of this thread
}

TEST(background_work_is_nice_and_done_when_it_returns_and_its_caller_is_as_before)
{
    int before = getpriority(PRIO_PROCESS, 0), within = -1, after;
    background_run(note_nice, &within);
    after = getpriority(PRIO_PROCESS, 0);
    CHECK_EQUAL(before, after);
    CHECK_EQUAL(before > 10 ? before : 10, within);
}
