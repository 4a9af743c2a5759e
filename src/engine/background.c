// SPDX-License-Identifier: Apache-2.0
// A thread that computes for a tenth of a second at a time is in the way of one that wakes every
// 200 us, appends, and waits for the disk again: on Linux, who runs is left alone until its slice
// is over, which is looked at once a tick, and that is 4 ms. So background threads do two things:
//
//   nice         Whoever else wants the processor has had less than its share of it.
//   long slice   Who has had less than its share and asks for a shorter slice than the one that
//                runs takes its place at once (Linux 6.12 and later; others pass it over).
//
// Both only grow: without privileges nobody is less nice than before. So what must not wait for
// ever, as sealing must not when appends stall, is not left to such a thread alone.
#include "engine/engine.h"

#include <assert.h>

#if defined(__linux__)
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BACKGROUND_NICE = 10, BACKGROUND_SLICE_NS = 100000000 }; // the longest there is

// What the system call takes; not every C library has a name for it.
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice_ns, deadline_ns, period_ns;
};
static_assert(sizeof(struct scheduling) == 48, "the first version of the kernel's struct");

void background_enter(void)
{
    int nice = getpriority(PRIO_PROCESS, 0); // of the calling thread
    struct scheduling scheduling = {.size = sizeof scheduling,
                                    .policy = SCHED_OTHER,
                                    .nice = nice > BACKGROUND_NICE ? nice : BACKGROUND_NICE,
                                    .slice_ns = BACKGROUND_SLICE_NS};
    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)syscall(SYS_sched_setattr, 0, &scheduling,
                      0); // where it may not be, all is as before
}
#else
void background_enter(void)
{
}
#endif

struct errand {
    void (*work)(void *context);
    void *context;
};

static void *run_errand(void *context)
{
    struct errand *errand = context;
    background_enter();
    errand->work(errand->context);
    return NULL;
}

void background_run(void (*work)(void *context), void *context)
{
    struct errand errand = {work, context};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_errand, &errand) != 0) {
        work(context);
        return;
    }
    int error = pthread_join(thread, NULL);
    assert(error == 0);
    (void)error;
}
