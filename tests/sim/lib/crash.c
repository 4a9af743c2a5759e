// SPDX-License-Identifier: Apache-2.0
#include "crash.h"

#include "base/rand.h"

#include <stdlib.h>

enum { VARIANTS = 8, PENDING_ALL_MAX = 3, FAULT_REACH = 12, ANY = -1 };

struct run {
    const struct crash_subject *subject;
    const struct crash_options *options;
    struct crash_result *result;
    uint64_t seed;
    long only_call, only_variant; // ANY when all are wanted
    bool stopped;
};

struct state { // one crash in the workload
    struct run *run;
    uint64_t call, variant;
    enum sim_crash mode;
    uint64_t nested; // calls of its recovery so far
};

static long asked(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : ANY;
}

static void failed(struct run *run, const struct state *state, const char *how,
                   const struct als_why *why)
{
    struct crash_result *result = run->result;
    if (result->failures++ == 0)
        result->seed = run->seed;
    run->stopped = run->options->stop_at_failure;
    if (run->options->quiet || result->failures > 5)
        return;
    printf("  FAILED %s: %s\n", how, why->text);
    printf("    again: ALLSOURCE_SEED=%llu", (unsigned long long)run->seed);
    if (state)
        printf(" ALLSOURCE_CALL=%llu ALLSOURCE_VARIANT=%llu   [%s]",
               (unsigned long long)state->call, (unsigned long long)state->variant,
               sim_crash_name(state->mode));
    putchar('\n');
}

static void check(struct run *run, const struct state *state, struct sim *sim, const char *how)
{
    struct als_why why = {""};
    bool good = run->subject->check(run->subject->context, sim, &why);
    sim_set_hook(sim, NULL, NULL);
    if (!good)
        failed(run, state, how, &why);
}

// Before a call of the recovery: the power fails once more.
static void on_recovery_call(void *context, struct sim *sim, const char *call, str name)
{
    (void)call, (void)name;
    struct state *state = context;
    struct run *run = state->run;
    uint64_t seed = run->seed * 77 + state->call * 131 + state->variant + state->nested * 7919;
    enum sim_crash mode = (enum sim_crash)((state->nested + state->variant) % SIM_CRASHES);
    state->nested++;
    run->result->nested++;
    AUTO(sim) after = sim_crash(sim, seed, mode);
    check(run, state, after, "after a crash inside recovery");
}

struct fault {
    unsigned kinds;
    err code;
};

static const struct fault faults[] = {
    // some are worth more of the seeds
    {SIM_FAIL_SYNC, ALS_STORAGE},          {SIM_FAIL_SYNC, ALS_STORAGE},
    {SIM_FAIL_SYNC, ALS_STORAGE_FULL},     {SIM_FAIL_SYNC, ALS_STORAGE},
    {SIM_FAIL_WRITE, ALS_STORAGE},         {SIM_FAIL_WRITE, ALS_STORAGE_FULL},
    {SIM_FAIL_PART, ALS_STORAGE},          {SIM_FAIL_PART, ALS_STORAGE_FULL},
    {SIM_FAIL_DIRECTORY, ALS_STORAGE},     {SIM_FAIL_DIRECTORY, ALS_STORAGE_FULL},
    {SIM_FAIL_ALLOCATE, ALS_STORAGE_FULL}, {SIM_FAIL_ALLOCATE, ALS_STORAGE},
    {SIM_FAIL_MAP, ALS_NO_MEMORY},         {SIM_FAIL_OPEN, ALS_NO_MEMORY},
    {SIM_FAIL_TRUNCATE, ALS_STORAGE},      {SIM_FAIL_READ, ALS_STORAGE},
};

// A recovery that meets a fault may fail; what it leaves must still be recoverable.
static void attempt(struct run *run, const struct state *state, struct sim *sim, uint64_t seed)
{
    struct rand rand = {seed};
    const struct fault *fault = &faults[rand_below(&rand, COUNT_OF(faults))];
    struct als_why why = {""};
    run->result->faulted++;
    sim_fail(sim, fault->kinds, 1 + rand_below(&rand, FAULT_REACH / 2), fault->code);
    if (!run->subject->attempt(run->subject->context, sim, &why)) {
        failed(run, state, "at a fault inside recovery", &why);
        return;
    }
    AUTO(sim) after = sim_crash(sim, seed, (enum sim_crash)rand_below(&rand, SIM_CRASHES));
    check(run, state, after, "after a fault inside recovery");
}

// When few changes are pending, all combinations are looked at; otherwise they are drawn.
static void crash_once(struct run *run, struct sim *sim, uint64_t variant, bool all)
{
    struct state state = {.run = run, .call = sim_calls(sim), .variant = variant};
    uint64_t seed = all ? variant : run->seed * 0x10001 + state.call * 131 + variant;
    bool first = variant < 2; // kill and drop
    state.mode = all     ? SIM_CHOSEN
                 : first ? (enum sim_crash)variant
                         : (enum sim_crash)(SIM_PREFIX + variant % (SIM_CRASHES - SIM_PREFIX));
    run->result->states++;
    AUTO(sim) after = sim_crash(sim, seed, state.mode);
    if (variant % 4 == 3) {
        attempt(run, &state, after, seed);
        return;
    }
    if (variant % 3 == 0)
        sim_set_hook(after, on_recovery_call, &state);
    check(run, &state, after, "after a crash");
}

static void on_call(void *context, struct sim *sim, const char *call, str name)
{
    struct run *run = context;
    long number = (long)sim_calls(sim);
    run->result->calls++;
    if (run->stopped || (run->only_call != ANY && number != run->only_call))
        return;
    unsigned variants = run->options->variants ? run->options->variants : VARIANTS;
    size_t pending = sim_pending(sim);
    if (run->only_call != ANY) {
        printf("call %ld: %s %.*s\n", number, call, STR(name));
        sim_set_tell(sim, stdout);
    }
    for (unsigned i = 0; i < variants && !run->stopped; i++)
        if (run->only_variant == ANY || run->only_variant == (long)i)
            crash_once(run, sim, i, false);
    if (pending > 0 && pending <= PENDING_ALL_MAX && variants >= 1u << PENDING_ALL_MAX)
        for (uint64_t i = 0; i < UINT64_C(1) << pending && !run->stopped; i++)
            if (run->only_variant == ANY)
                crash_once(run, sim, i, true);
    sim_set_tell(sim, NULL);
}

static void set_fault(const struct crash_subject *subject, struct sim *sim, uint64_t seed)
{
    struct rand rand = {seed};
    uint64_t choice = rand_below(&rand, COUNT_OF(faults) + 3);
    uint64_t range = subject->capacity_max - subject->capacity_min;
    if (choice >= COUNT_OF(faults))
        sim_set_capacity(sim, subject->capacity_min + rand_below(&rand, range + 1));
    else
        sim_fail(sim, faults[choice].kinds, 1 + rand_below(&rand, FAULT_REACH),
                 faults[choice].code);
}

void crash_run(const struct crash_subject *subject, const struct crash_options *options,
               struct crash_result *ret_result)
{
    struct crash_result result = {};
    struct run run = {.subject = subject,
                      .options = options,
                      .result = &result,
                      .only_call = asked("ALLSOURCE_CALL"),
                      .only_variant = asked("ALLSOURCE_VARIANT")};
    for (run.seed = options->seed_first; run.seed <= options->seed_last && !run.stopped;
         run.seed++) {
        AUTO(sim) sim = sim_new(run.seed);
        if (run.seed % 4 == 3)
            set_fault(subject, sim, run.seed);
        sim_set_hook(sim, on_call, &run);
        struct als_why why = {""};
        if (!subject->work(subject->context, sim, run.seed, &why))
            failed(&run, NULL, "without a crash", &why);
        result.seeds++;
    }
    *ret_result = result;
}

void crash_print(const char *what, const struct crash_result *result)
{
    printf("%s: seeds %llu, crash states %llu, nested %llu, faulted %llu, failures %llu\n", what,
           (unsigned long long)result->seeds, (unsigned long long)result->states,
           (unsigned long long)result->nested, (unsigned long long)result->faulted,
           (unsigned long long)result->failures);
}
