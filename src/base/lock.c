// SPDX-License-Identifier: Apache-2.0
#include "base/lock.h"

#include <assert.h>
#include <time.h>

// A bit for each rank this thread holds.
static _Thread_local uint64_t held;

static_assert(LOCK_RANKS <= 64, "ranks are bits of `held`");

static void must(int error)
{
    assert(error == 0); // only our own misuse makes these calls fail
    (void)error;
}

void lock_init(struct lock *lock, enum lock_rank rank)
{
    // Locks here are held for a few instructions: spin a little before asking the kernel.
    pthread_mutexattr_t attributes;
    must(pthread_mutexattr_init(&attributes));
    must(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP));
    must(pthread_mutex_init(&lock->mutex, &attributes));
    must(pthread_mutexattr_destroy(&attributes));
    lock->rank = rank;
}

void lock_deinit(struct lock *lock)
{
    must(pthread_mutex_destroy(&lock->mutex));
}

void lock_take(struct lock *lock)
{
    assert(held >> lock->rank == 0); // nothing of this rank or above is held
    must(pthread_mutex_lock(&lock->mutex));
    held |= UINT64_C(1) << lock->rank;
}

void lock_release(struct lock *lock)
{
    held &= ~(UINT64_C(1) << lock->rank);
    must(pthread_mutex_unlock(&lock->mutex));
}

void signal_init(struct signal *signal)
{
    pthread_condattr_t attributes;
    must(pthread_condattr_init(&attributes));
    must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    must(pthread_cond_init(&signal->cond, &attributes));
    must(pthread_condattr_destroy(&attributes));
}

void signal_deinit(struct signal *signal)
{
    must(pthread_cond_destroy(&signal->cond));
}

void signal_wait(struct signal *signal, struct lock *lock)
{
    must(pthread_cond_wait(&signal->cond, &lock->mutex));
}

bool signal_wait_until(struct signal *signal, struct lock *lock, uint64_t deadline_ns)
{
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                                .tv_nsec = (long)(deadline_ns % 1000000000)};
    return pthread_cond_timedwait(&signal->cond, &lock->mutex, &deadline) == 0;
}

void signal_one(struct signal *signal)
{
    must(pthread_cond_signal(&signal->cond));
}

void signal_all(struct signal *signal)
{
    must(pthread_cond_broadcast(&signal->cond));
}
