// SPDX-License-Identifier: Apache-2.0
// Making a segment of a stretch of the log, on a disk that fails, fills up, lies, or loses power.
// The crash points are the business of tests/sim.
#include "store/rig.h"

TEST(a_segment_that_reads_back_otherwise_is_not_believed)
{
    AUTO(world) world = world_new(50);
    append_some(world, 60);
    CHECK_OK(store_settle(world->store, NULL));
    bool sealed = true;
    struct als_why why;
    rot_begin(world, 1);
    CHECK(store_seal(world->store, &sealed, &why) != ALS_OK);
    CHECK(rot_end(world) == 1 && !sealed);
    CHECK_EQUAL(0, count_files(world));
    CHECK_EQUAL(1, seal_all(world));
}

// Of files and directories nothing is kept but what was synced, at each change of the disk.
static void cut_power(void *context, struct sim *sim, const char *call, str name)
{
    (void)call, (void)name;
    struct world *world = context;
    AUTO(sim) after = sim_crash(sim, 1, SIM_DROP);
    struct world *found = calloc(1, sizeof *found);
    CHECK(found);
    *found = *world;
    found->sim = after;
    found->os = sim_os(after);
    found->cache = NULL;
    world_open(found, 50);
    check_now(found);
    world_close(found);
    free(found);
}

TEST(reference_defect_R7_a_segment_is_durable_before_the_log_goes)
{
    AUTO(world) world = world_new(50);
    append_some(world, 120);
    CHECK_OK(store_settle(world->store, NULL));
    sim_set_hook(world->sim, cut_power, world);
    CHECK_EQUAL(2, seal_all(world));
    sim_set_hook(world->sim, NULL, NULL);
    cut_power(world, world->sim, "", S(""));
}

// Seals, which may fail. Whatever came of it, all is there, now and after opening it anew, and the
// next time it is sealed. Tells whether a fault never came.
static err seal_once(struct world *world, bool *ret_pending)
{
    bool sealed;
    err code = store_seal(world->store, &sealed, NULL);
    CHECK_EQUAL(code == ALS_OK, sealed);
    *ret_pending = sim_fault_pending(world->sim);
    sim_heal(world->sim);
    check_now(world);
    if (code != ALS_OK)
        CHECK_EQUAL(0, store_stat(world->store).segments);
    world_close(world);
    world_open(world, 50);
    check_now(world);
    append_some(world, 1);
    CHECK(code == ALS_OK || seal_all(world) == 1);
    CHECK_EQUAL(2, count_files(world));
    check_now(world);
    return code;
}

static struct world *world_to_seal(void)
{
    struct world *world = world_new(50);
    append_some(world, 60);
    CHECK_OK(store_settle(world->store, NULL));
    return world;
}

TEST(a_full_disk_ends_a_seal_and_everything_goes_on)
{
    bool pending;
    uint32_t refused = 0;
    err code = ALS_STORAGE;
    for (uint64_t spare = 0; code != ALS_OK; spare += 512) {
        AUTO(world) world = world_to_seal();
        sim_set_capacity(world->sim, sim_space(world->sim) + spare);
        code = seal_once(world, &pending);
        refused += code != ALS_OK;
    }
    CHECK(refused > 8 && refused < 128);
}

TEST(every_read_that_fails_ends_a_seal_and_everything_goes_on)
{
    bool pending = false;
    uint32_t failed = 0;
    for (uint64_t nth = 1; !pending; nth++) {
        AUTO(world) world = world_to_seal();
        sim_fail(world->sim, SIM_FAIL_READ | SIM_FAIL_MAP | SIM_FAIL_OPEN, nth, ALS_STORAGE);
        err code = seal_once(world, &pending);
        CHECK(!pending || code == ALS_OK);
        failed += code != ALS_OK;
    }
    CHECK(failed > 2);
}
