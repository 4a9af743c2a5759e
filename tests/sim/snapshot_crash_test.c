// SPDX-License-Identifier: Apache-2.0
// Snapshots under power cuts: whatever is left of them, every state is the one that the log alone
// gives, also where the log itself has lost its end and another history took its place. And what a
// clean stop had made durable is there as long as it was neither deleted nor pushed out.
#include "base/rand.h"
#include "crash.h"
#include "snapshot/rig.h"
#include "test.h"

#include <pthread.h>

enum { ENTITIES = 3, PER_ENTITY = 3, PROMISES_MAX = ENTITIES * PER_ENTITY };

struct promise {
    uint32_t entity;
    struct snapshot snapshot;
};

struct model {
    enum store_sync sync;
    bool promises_hold; // no fault so far
    uint64_t events;    // ever appended, for their ids and payloads
    struct promise promises[PROMISES_MAX];
    size_t promise_count;
};

static struct snapshots_options small(void)
{
    struct snapshots_options options = SNAPSHOTS_OPTIONS_INIT;
    options.per_entity = PER_ENTITY;
    options.file_bytes = 700;
    return options;
}

static str name_of(uint32_t entity, char space[static 8])
{
    return (str){space, (size_t)snprintf(space, 8, "e%u", entity)};
}

static err model_open(const struct model *model, struct sim *sim, struct rig *rig,
                      struct als_why *why)
{
    err code = rig_open(rig, sim, model->sync, small(), why);
    if (code != ALS_OK)
        rig_close(rig);
    return code;
}

// ---- Comparing

static err list(struct rig *rig, uint32_t entity, struct snapshot ret_snapshots[static PER_ENTITY],
                size_t *ret_count, struct als_why *why)
{
    char space[8];
    bool more;
    struct snapshot_page page = {
        .entity = name_of(entity, space), .snapshots = ret_snapshots, .room = PER_ENTITY};
    return snapshot_list(rig->snapshots, rig->state, &page, ret_count, &more, why);
}

static err is_kept(struct rig *rig, const struct promise *promise, bool *ret_is,
                   struct als_why *why)
{
    struct snapshot found[PER_ENTITY];
    size_t count;
    TRY(list(rig, promise->entity, found, &count, why));
    *ret_is = false;
    for (size_t i = 0; i < count; i++)
        *ret_is |= memcmp(&found[i].id, &promise->snapshot.id, sizeof(als_id)) == 0;
    return ALS_OK;
}

static err same_promises(const struct model *model, struct rig *rig, struct als_why *why)
{
    for (size_t i = 0; model->promises_hold && i < model->promise_count; i++) {
        bool is;
        TRY(is_kept(rig, &model->promises[i], &is, why));
        if (!is)
            return FAIL(why, ALS_INTERNAL, "a durable snapshot of e%u at version %u is lost",
                        model->promises[i].entity,
                        (unsigned)model->promises[i].snapshot.folded.version);
    }
    return ALS_OK;
}

// Of every entity, with no bound and with some.
static err same_states(struct rig *rig, struct rand *rand, struct als_why *why)
{
    char space[8];
    als_position position = store_position(rig->store);
    for (uint32_t entity = 0; entity < ENTITIES; entity++)
        for (int i = 0; i < 4; i++) {
            struct state_bounds bounds = {.entity = name_of(entity, space), .as_of_us = INT64_MAX};
            if (i == 1)
                bounds.as_of = 1 + rand_below(rand, position + 1);
            if (i > 1)
                bounds.as_of_us = (int64_t)rand_below(rand, 1000);
            TRY(rig_compare(rig, &bounds, why));
        }
    return ALS_OK;
}

// ---- The workload

struct work {
    struct model *model;
    struct sim *sim;
    struct rand rand;
    struct rig rig;
};

static err append_some(struct work *work, uint64_t count, struct als_why *why)
{
    for (uint64_t i = 0; i < count; i++) {
        char space[8], payload[64];
        uint64_t n = ++work->model->events;
        int len = snprintf(payload, sizeof payload, "{\"k%u\":%u}",
                           (unsigned)rand_below(&work->rand, 6), (unsigned)n);
        sim_advance_us(work->sim, 1); // no two are recorded at the same moment
        TRY(rig_append(&work->rig, name_of((uint32_t)rand_below(&work->rand, ENTITIES), space),
                       (str){payload, (size_t)len}, (int64_t)rand_below(&work->rand, 1000), n,
                       why));
    }
    return ALS_OK;
}

// Before a snapshot is made, the oldest may go; before a deletion, all.
static void withdraw(struct model *model, uint32_t entity, bool all)
{
    size_t kept = 0;
    als_position least = UINT64_MAX;
    for (size_t i = 0; i < model->promise_count; i++)
        if (model->promises[i].entity == entity &&
            model->promises[i].snapshot.folded.position < least)
            least = model->promises[i].snapshot.folded.position;
    for (size_t i = 0; i < model->promise_count; i++) {
        const struct promise *promise = &model->promises[i];
        bool goes =
            promise->entity == entity && (all || promise->snapshot.folded.position == least);
        if (!goes)
            model->promises[kept++] = *promise;
    }
    model->promise_count = kept;
}

static err promise_all(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    model->promise_count = 0;
    for (uint32_t entity = 0; entity < ENTITIES; entity++) {
        struct snapshot found[PER_ENTITY];
        size_t count;
        TRY(list(&work->rig, entity, found, &count, why));
        for (size_t i = 0; i < count; i++)
            model->promises[model->promise_count++] = (struct promise){entity, found[i]};
    }
    return ALS_OK;
}

static err count_all(struct rig *rig, size_t *count, struct als_why *why)
{
    for (uint32_t entity = 0; entity < ENTITIES; entity++) {
        struct snapshot found[PER_ENTITY];
        size_t of_entity;
        TRY(list(rig, entity, found, &of_entity, why));
        *count += of_entity;
    }
    return ALS_OK;
}

// A clean stop keeps what there is, and brings back nothing that there is not.
static err reopen(struct work *work, struct als_why *why)
{
    bool was_open = work->rig.snapshots != NULL;
    size_t before = 0;
    if (was_open)
        TRY(count_all(&work->rig, &before, why));
    rig_close(&work->rig);
    err code = model_open(work->model, work->sim, &work->rig, why);
    if (code == ALS_STORAGE || code == ALS_STORAGE_FULL || code == ALS_NO_MEMORY)
        code = model_open(work->model, work->sim, &work->rig, why); // a fault strikes once
    TRY(code);
    TRY(same_promises(work->model, &work->rig, why));
    TRY(promise_all(work, why));
    if (was_open && work->model->promises_hold && work->model->promise_count != before)
        return FAIL(why, ALS_INTERNAL, "%zu snapshots before a clean stop, %zu behind it", before,
                    work->model->promise_count);
    return ALS_OK;
}

// What is deleted lies in a file that lives on, and what says so in one that is cleaned.
static err delete_and_clean(struct work *work, struct als_why *why)
{
    static const uint32_t entities[] = {1, 1, 0, 1, ENTITIES, 2, 2, 2, 2, 2, 2, 2, 2};
    work->model->promise_count = 0;
    for (size_t i = 0; i < COUNT_OF(entities); i++) {
        char space[8];
        uint64_t ignored;
        struct snapshot made;
        str entity = name_of(entities[i] % ENTITIES, space);
        err code = entities[i] == ENTITIES
                       ? snapshot_delete(work->rig.snapshots, entity, &ignored, why)
                       : snapshot_make(work->rig.snapshots, work->rig.state, entity, 0,
                                       SNAPSHOT_ONDEMAND, &made, why);
        if (code != ALS_ENTITY_NOT_FOUND)
            TRY(code);
    }
    while (snapshots_clean(work->rig.snapshots, why))
        continue;
    return reopen(work, why);
}

static err step(struct work *work, struct als_why *why)
{
    char space[8];
    uint32_t entity = (uint32_t)rand_below(&work->rand, ENTITIES);
    uint64_t ignored;
    struct snapshot made;
    err code;
    switch (rand_below(&work->rand, 11)) {
    case 0:
    case 1:
    case 2:
        return append_some(work, 1 + rand_below(&work->rand, 4), why);
    case 3:
        return reopen(work, why);
    case 4:
        withdraw(work->model, entity, true);
        return snapshot_delete(work->rig.snapshots, name_of(entity, space), &ignored, why);
    case 5:
        (void)snapshots_clean(work->rig.snapshots, why); // false is no error
        return ALS_OK;
    case 6:
        return delete_and_clean(work, why);
    case 7:
        return same_states(&work->rig, &work->rand, why);
    default:
        withdraw(work->model, entity, false);
        code = snapshot_make(work->rig.snapshots, work->rig.state, name_of(entity, space), 0,
                             SNAPSHOT_MANUAL, &made, why);
        return code == ALS_ENTITY_NOT_FOUND ? ALS_OK : code;
    }
}

static bool is_of_the_disk(err code)
{
    return code == ALS_STORAGE || code == ALS_STORAGE_FULL || code == ALS_STORAGE_FAILED ||
           code == ALS_NO_MEMORY;
}

static bool work(void *context, struct sim *sim, uint64_t seed, struct als_why *why)
{
    struct model *model = context;
    *model = (struct model){.sync = seed % 3 ? STORE_SYNC_LATER : STORE_SYNC_EACH};
    struct work work = {.model = model, .sim = sim, .rand = {seed}};
    model->promises_hold = !sim_fault_pending(sim);
    err code = reopen(&work, why);
    uint64_t steps = 20 + rand_below(&work.rand, 30);
    for (uint64_t i = 0; i < steps && code == ALS_OK; i++) {
        code = step(&work, why);
        if (is_of_the_disk(code)) {
            model->promises_hold = false;
            sim_heal(sim);
            code = code == ALS_STORAGE_FAILED ? reopen(&work, why) : ALS_OK;
        }
    }
    rig_close(&work.rig);
    return code == ALS_OK || is_of_the_disk(code);
}

// ---- After a crash: as it is, with another history behind it, and after one more crash.

static err compare_all(const struct model *model, struct work *after, struct als_why *why)
{
    TRY(same_promises(model, &after->rig, why));
    return same_states(&after->rig, &after->rand, why);
}

static err go_on(struct work *after, struct als_why *why)
{
    char space[8];
    struct snapshot made;
    for (int i = 0; i < 3; i++) {
        TRY(append_some(after, 4, why));
        err code = snapshot_make(after->rig.snapshots, after->rig.state, name_of(0, space), 0,
                                 SNAPSHOT_AUTOMATIC, &made, why);
        if (code != ALS_ENTITY_NOT_FOUND)
            TRY(code);
        (void)snapshots_clean(after->rig.snapshots, why); // false is no error
        TRY(same_states(&after->rig, &after->rand, why));
    }
    return ALS_OK;
}

static bool check_here(void *context, struct sim *sim, struct als_why *why)
{
    const struct model *model = context;
    struct model copy = *model;
    copy.events += 1000;
    struct work after = {.model = &copy, .sim = sim, .rand = {copy.events}};
    err code = model_open(&copy, sim, &after.rig, why);
    sim_set_hook(sim, NULL, NULL);
    if (code != ALS_OK)
        return false;
    sim_heal(sim);
    sim_advance_us(sim, 1000);
    // Another history first on every second one: a snapshot that was ahead of the log meets it.
    bool other_first = copy.events % 2;
    if (other_first)
        code = append_some(&after, 8, why);
    if (code == ALS_OK)
        code = compare_all(model, &after, why);
    if (code == ALS_OK)
        code = go_on(&after, why);
    if (code == ALS_OK) {
        AUTO(sim) again = sim_crash(sim, copy.events, SIM_TORN);
        struct work last = {.model = &copy, .sim = again, .rand = {copy.events}};
        code = model_open(&copy, again, &last.rig, why);
        if (code == ALS_OK)
            code = same_states(&last.rig, &last.rand, why);
        rig_close(&last.rig);
    }
    rig_close(&after.rig);
    return code == ALS_OK;
}

// The power fails while this thread holds locks, and the machine after it has locks of its own.
struct elsewhere {
    bool (*run)(void *context, struct sim *sim, struct als_why *why);
    void *context;
    struct sim *sim;
    struct als_why *why;
    bool result;
};

static void *elsewhere_run(void *context)
{
    struct elsewhere *elsewhere = context;
    elsewhere->result = elsewhere->run(elsewhere->context, elsewhere->sim, elsewhere->why);
    return NULL;
}

static bool on_a_thread(struct elsewhere elsewhere)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, elsewhere_run, &elsewhere) != 0 ||
        pthread_join(thread, NULL) != 0)
        abort();
    return elsewhere.result;
}

static bool check(void *context, struct sim *sim, struct als_why *why)
{
    return on_a_thread(
        (struct elsewhere){.run = check_here, .context = context, .sim = sim, .why = why});
}

static bool attempt_here(void *context, struct sim *sim, struct als_why *why)
{
    struct rig rig;
    struct rand rand = {1};
    err code = model_open(context, sim, &rig, why);
    if (code == ALS_OK)
        code = same_states(&rig, &rand, why);
    rig_close(&rig);
    return code != ALS_CORRUPT && code != ALS_INTERNAL;
}

static bool attempt(void *context, struct sim *sim, struct als_why *why)
{
    return on_a_thread(
        (struct elsewhere){.run = attempt_here, .context = context, .sim = sim, .why = why});
}

static struct crash_subject subject(struct model *model)
{
    return (struct crash_subject){.context = model,
                                  .work = work,
                                  .check = check,
                                  .attempt = attempt,
                                  .capacity_min = 2'000,
                                  .capacity_max = 100'000};
}

static uint64_t seeds(uint64_t usual)
{
    const char *text = getenv("ALLSOURCE_CRASH_SEEDS");
    return text ? strtoull(text, NULL, 10) : usual;
}

TEST(no_crash_makes_a_snapshot_change_a_state_or_loses_one_that_was_durable)
{
    static struct model model;
    struct crash_subject snapshots = subject(&model);
    struct crash_options options = {
        .seed_first = test_seed_first(), .seed_last = test_seed_last(seeds(12)), .variants = 2};
    struct crash_result result;
    crash_run(&snapshots, &options, &result);
    crash_print("snapshot", &result);
    CHECK_EQUAL(0, result.failures);
}

#ifdef ALLSOURCE_MUTANTS
TEST(every_bug_planted_in_snapshots_is_caught)
{
    static struct model model;
    struct crash_subject snapshots = subject(&model);
    struct crash_options options = {.seed_first = 1, .seed_last = 150, .variants = 2};
    CHECK_EQUAL(0, crash_plant("snapshot", &snapshots, &options, MUTANT_SNAPSHOT_FIRST,
                               MUTANT_SNAPSHOT_LAST));
}
#endif
