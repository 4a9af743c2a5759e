// SPDX-License-Identifier: Apache-2.0
#include "base/lock.h"

#include "test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void take_in_order(enum lock_rank first, enum lock_rank second)
{
    struct lock a, b;
    lock_init(&a, first);
    lock_init(&b, second);
    lock_take(&a);
    lock_take(&b);
    lock_release(&b);
    lock_release(&a);
    lock_deinit(&b);
    lock_deinit(&a);
}

// Whether a child that takes two locks in this order dies of the assertion.
static bool order_is_fatal(enum lock_rank first, enum lock_rank second)
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr)) // the message is expected
            _exit(2);
        take_in_order(first, second);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST(locks_are_taken_from_low_to_high_rank_or_not_at_all)
{
    CHECK(!order_is_fatal(LOCK_HTTP, LOCK_LOG));
    CHECK(order_is_fatal(LOCK_LOG, LOCK_HTTP));
    CHECK(order_is_fatal(LOCK_POOL, LOCK_POOL));
}

TEST(a_lock_may_be_taken_again_after_higher_ones_were_released_in_any_order)
{
    struct lock low, high;
    lock_init(&low, LOCK_ENGINE);
    lock_init(&high, LOCK_POOL);
    lock_take(&low);
    lock_take(&high);
    lock_release(&low);
    lock_release(&high);
    lock_take(&low);
    lock_release(&low);
    lock_deinit(&low);
    lock_deinit(&high);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1'000'000'000 + (uint64_t)now.tv_nsec;
}

struct counter {
    struct lock lock;
    struct signal changed;
    unsigned count;
};

enum { THREADS = 4, ROUNDS = 5'000 };

static void *add_many(void *context)
{
    struct counter *counter = context;
    for (int i = 0; i < ROUNDS; i++) {
        lock_take(&counter->lock);
        counter->count++;
        lock_release(&counter->lock);
        signal_one(&counter->changed);
    }
    return NULL;
}

TEST(locks_exclude_and_signals_wake)
{
    struct counter counter = {};
    pthread_t threads[THREADS];
    lock_init(&counter.lock, LOCK_WAITER);
    signal_init(&counter.changed);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, add_many, &counter) == 0);
    lock_take(&counter.lock);
    while (counter.count < THREADS * ROUNDS)
        signal_wait(&counter.changed, &counter.lock);
    lock_release(&counter.lock);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    signal_deinit(&counter.changed);
    lock_deinit(&counter.lock);
}

TEST(a_wait_ends_at_its_deadline_and_not_before)
{
    struct counter counter = {};
    lock_init(&counter.lock, LOCK_WAITER);
    signal_init(&counter.changed);
    lock_take(&counter.lock);
    CHECK(!signal_wait_until(&counter.changed, &counter.lock, 0)); // long past
    uint64_t deadline = now_ns() + 2'000'000;
    while (signal_wait_until(&counter.changed, &counter.lock, deadline))
        ; // woken for no reason
    CHECK(now_ns() >= deadline);
    lock_release(&counter.lock);
    signal_deinit(&counter.changed);
    lock_deinit(&counter.lock);
}
