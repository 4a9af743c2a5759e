// SPDX-License-Identifier: Apache-2.0
// Following a log from any position, and waiting for one.
#include "store.h"

#include <stdio.h>

static void raise_counter(void *context)
{
    counter_raise(context);
}

static struct als_follower *follow(struct als *als, als_position after, struct counter *woken)
{
    struct als_follow follow = ALS_FOLLOW_INIT;
    follow.after = after;
    follow.wake = raise_counter;
    follow.context = woken;
    struct als_follower *follower = NULL;
    CHECK_OK(als_follow_open(als, &follow, &follower, NULL));
    return follower;
}

static als_position next(struct als_follower *follower)
{
    struct als_event event;
    CHECK_OK(als_follower_next(follower, &event, NULL));
    return event.position;
}

TEST(a_follower_gives_every_event_behind_its_position_and_then_nothing)
{
    AUTO(als) als = store_open_quick();
    for (int i = 0; i < 5; i++)
        append_ok(als, "e", "t", "1");
    struct counter woken = COUNTER_INIT;
    AUTO(als_follower) all = follow(als, 0, &woken);
    for (als_position position = 1; position <= 5; position++)
        CHECK_EQUAL(position, next(all));
    CHECK_EQUAL(0, next(all));
    CHECK_EQUAL(5, als_follower_position(all));
    AUTO(als_follower) some = follow(als, 3, &woken);
    CHECK_EQUAL(4, next(some));
    CHECK_EQUAL(5, next(some));
    CHECK_EQUAL(0, next(some));
}

TEST(a_follower_from_now_gives_only_what_comes)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    struct counter woken = COUNTER_INIT;
    AUTO(als_follower) follower = follow(als, ALS_FROM_NOW, &woken);
    CHECK_EQUAL(0, next(follower));
    append_ok(als, "e", "t", "1");
    CHECK_EQUAL(2, next(follower));
    CHECK_EQUAL(0, next(follower));
}

TEST(a_follower_that_found_nothing_is_woken_once)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    struct counter woken = COUNTER_INIT;
    AUTO(als_follower) follower = follow(als, 1, &woken);
    CHECK_EQUAL(0, next(follower));
    append_ok(als, "e", "t", "1");
    counter_wait(&woken, 1);
    append_ok(als, "e", "t", "1");
    CHECK_EQUAL(1, counter_read(&woken)); // it has not looked since
    CHECK_EQUAL(2, next(follower));
    CHECK_EQUAL(3, next(follower));
    CHECK_EQUAL(0, next(follower));
    append_ok(als, "e", "t", "1");
    counter_wait(&woken, 2);
    als_follower_close(MOVE(follower));
    append_ok(als, "e", "t", "1");
    CHECK_EQUAL(2, counter_read(&woken));
}

TEST(a_follower_may_be_asked_again_while_it_waits)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    struct counter woken = COUNTER_INIT, other_woken = COUNTER_INIT;
    AUTO(als_follower) follower = follow(als, ALS_FROM_NOW, &woken);
    AUTO(als_follower) other = follow(als, ALS_FROM_NOW, &other_woken);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(0, next(follower));
        CHECK_EQUAL(0, next(other));
    }
    als_follower_close(MOVE(follower));
    append_ok(als, "e", "t", "1");
    counter_wait(&other_woken, 1);
    CHECK_EQUAL(2, next(other));
    CHECK_EQUAL(1, counter_read(&other_woken));
    CHECK_EQUAL(0, counter_read(&woken));
}

TEST(a_follower_gives_what_passes_its_filter_and_says_how_far_it_is)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "a", "order.placed", "1");
    append_ok(als, "b", "order.paid", "1");
    append_ok(als, "a", "user.seen", "1");
    str type = S("order.*");
    struct als_follow filter = ALS_FOLLOW_INIT;
    struct counter woken = COUNTER_INIT;
    filter.after = 0;
    filter.types = &type;
    filter.type_count = 1;
    filter.wake = raise_counter;
    filter.context = &woken;
    AUTO(als_follower) follower = NULL;
    CHECK_OK(als_follow_open(als, &filter, &follower, NULL));
    CHECK_EQUAL(1, next(follower));
    CHECK_EQUAL(2, next(follower));
    CHECK_EQUAL(0, next(follower));
    CHECK_EQUAL(3, als_follower_position(follower));
    CHECK_OK(als_follower_filter(follower, S("b"), NULL, 0, NULL));
    append_ok(als, "a", "order.placed", "1");
    append_ok(als, "b", "user.seen", "1");
    CHECK_EQUAL(5, next(follower));
    CHECK_EQUAL(0, next(follower));
}

TEST(a_tenant_may_be_followed_before_it_exists)
{
    AUTO(als) als = store_open_quick();
    struct counter woken = COUNTER_INIT;
    struct als_follow filter = ALS_FOLLOW_INIT;
    filter.tenant = S("later");
    filter.wake = raise_counter;
    filter.context = &woken;
    AUTO(als_follower) follower = NULL;
    CHECK_OK(als_follow_open(als, &filter, &follower, NULL));
    CHECK_EQUAL(0, next(follower));
    append_for(als, "other", "e", "t", "1");
    append_for(als, "later", "e", "t", "1");
    counter_wait(&woken, 1);
    CHECK_EQUAL(1, next(follower));
}

enum { WRITES = 500 };

static void *write_events(void *context)
{
    for (int i = 0; i < WRITES; i++)
        append_ok(context, i % 3 ? "a" : "b", "t", "{\"n\":1}");
    return NULL;
}

TEST(a_follower_misses_nothing_while_others_write)
{
    AUTO(als) als = store_open_quick();
    struct counter woken = COUNTER_INIT;
    AUTO(als_follower) follower = follow(als, 0, &woken);
    pthread_t writers[2];
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&writers[i], NULL, write_events, als) == 0);
    uint64_t wakes = 0;
    for (als_position expected = 1; expected <= 2 * WRITES;) {
        als_position position = next(follower);
        if (position == 0) {
            counter_wait(&woken, ++wakes);
            continue;
        }
        CHECK_EQUAL(expected, position);
        expected++;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(writers[i], NULL);
    CHECK_EQUAL(0, next(follower));
}

// ---- Waiting for a position

struct answer {
    struct counter calls;
    bool reached;
};

static void answered(void *context, bool reached)
{
    struct answer *answer = context;
    answer->reached = reached;
    counter_raise(&answer->calls);
}

TEST(a_position_that_is_there_is_told_at_once)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    struct answer answer = {.calls = COUNTER_INIT};
    CHECK_OK(als_when(als, als_text(NULL), 1, 60'000, answered, &answer, NULL));
    CHECK_EQUAL(1, counter_read(&answer.calls));
    CHECK(answer.reached);
}

TEST(a_position_that_comes_is_told)
{
    AUTO(als) als = store_open_quick();
    struct answer answer = {.calls = COUNTER_INIT}, other = {.calls = COUNTER_INIT};
    CHECK_OK(als_when(als, als_text(NULL), 2, 60'000, answered, &answer, NULL));
    CHECK_OK(als_when(als, S("later"), 1, 60'000, answered, &other, NULL));
    append_ok(als, "e", "t", "1");
    CHECK_EQUAL(0, counter_read(&answer.calls));
    append_ok(als, "e", "t", "1");
    counter_wait(&answer.calls, 1);
    CHECK(answer.reached);
    append_for(als, "later", "e", "t", "1");
    counter_wait(&other.calls, 1);
    CHECK(other.reached);
}

TEST(a_position_that_does_not_come_is_told_after_the_time)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    struct answer answer = {.calls = COUNTER_INIT, .reached = true};
    CHECK_OK(als_when(als, als_text(NULL), 2, 20, answered, &answer, NULL));
    counter_wait(&answer.calls, 1);
    CHECK(!answer.reached);
    append_ok(als, "e", "t", "1");
    CHECK_EQUAL(1, counter_read(&answer.calls));
}

TEST(closing_tells_those_who_wait)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    struct answer answer = {.calls = COUNTER_INIT, .reached = true};
    CHECK_OK(als_when(als, als_text(NULL), 100, 600'000, answered, &answer, NULL));
    als_close(MOVE(als));
    CHECK_EQUAL(1, counter_read(&answer.calls));
    CHECK(!answer.reached);
}
