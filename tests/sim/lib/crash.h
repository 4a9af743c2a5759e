// SPDX-License-Identifier: Apache-2.0
// The crash driver: runs a workload on a simulated machine, and before every call that changes the
// disk makes machines from what would survive a crash there, opens each with the production code
// and compares it with a model.
//
// The subject brings the workload, the model and the comparison; the driver brings the crashes, and
// on every fourth seed a fault. A state is named by seed, call and variant, and that is all it
// takes to see it again:
//
//   ALLSOURCE_SEED=7 ALLSOURCE_CALL=41 ALLSOURCE_VARIANT=3 build/dev/wal_crash_test
//
// prints which unsynced change was kept and which was lost.
#pragma once

#include "base/mutant.h"
#include "sim.h"

struct crash_subject {
    void *context;
    // Runs a workload drawn from `seed`, and notes before and after each step what must, may and
    // must not be found after a crash. Faults may strike anywhere. False when a promise was broken
    // without a crash.
    bool (*work)(void *context, struct sim *sim, uint64_t seed, struct als_why *why);
    // Opens what survived and compares it with the model as it stands now, which stays as it is.
    // Opening comes first; once it has returned, sim_set_hook(sim, NULL, NULL) ends the crash
    // points inside it. Then: it takes more, and a second opening after another power cut finds the
    // same.
    bool (*check)(void *context, struct sim *sim, struct als_why *why);
    // Opens and closes, and may fail, but must not call it damage. A fault has been set.
    bool (*attempt)(void *context, struct sim *sim, struct als_why *why);
    uint64_t capacity_min, capacity_max; // of the disk, on seeds that fill it
};

struct crash_options {
    uint64_t seed_first, seed_last;
    unsigned variants;    // crash states a call; 0: the usual number
    bool stop_at_failure; // one is enough
    bool quiet;           // prints no failure
};

struct crash_result {
    uint64_t seeds, calls;
    uint64_t states;  // crashes in the workload
    uint64_t nested;  // crashes inside the recovery from one
    uint64_t faulted; // recoveries that met a fault, crashed and were tried again
    uint64_t failures;
    uint64_t seed; // of the first failure
};

void crash_run(const struct crash_subject *subject, const struct crash_options *options,
               struct crash_result *ret_result);
// "wal: crash states 12, nested 5, faulted 3, failures 0"
void crash_print(const char *what, const struct crash_result *result);

#ifdef ALLSOURCE_MUTANTS
// Plants each bug from `first` to `last` and runs the crash test until something is wrong, each in
// a process of its own, for a failed assertion catches a bug as well as the model does. The
// subject's model has not been used yet. Prints a line for each; returns how many were missed, and
// says so.
unsigned crash_plant(const char *what, const struct crash_subject *subject,
                     const struct crash_options *options, enum mutant first, enum mutant last);
#endif
