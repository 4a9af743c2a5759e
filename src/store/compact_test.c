// SPDX-License-Identifier: Apache-2.0
// Merging what is sealed: which files are chosen, what readers and the writer see meanwhile and
// afterwards, and what a damaged file does. Crashes are the business of tests/sim.
#include "store/rig.h"

#include "segment/segment.h"

static struct store_compaction by(enum store_strategy strategy)
{
    return (struct store_compaction){
        .strategy = strategy, .files_min = 3, .target_bytes = GIB(1), .before_us = INT64_MAX};
}

struct merged { // by several compactions
    uint64_t merges, files, bytes_before, bytes_after, events;
};

static err compact_all(struct world *world, const struct store_compaction *how,
                       struct merged *merged, struct als_why *why)
{
    struct store_compacted once;
    do {
        TRY(store_compact(world->store, how, &once, why));
        merged->merges += once.files > 0;
        merged->files += once.files;
        merged->bytes_before += once.bytes_before;
        merged->bytes_after += once.bytes_after;
        merged->events += once.events;
    } while (once.files);
    return ALS_OK;
}

// ---- What it leaves as it was

TEST(a_merged_history_is_the_one_before)
{
    static const enum store_strategy all[] = {STORE_BY_SIZE, STORE_BY_AGE, STORE_BY_COUNT,
                                              STORE_ALL};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO(world) world = world_new(20);
        append_some(world, 410);
        uint32_t sealed = seal_all(world);
        struct store_compaction how = by(all[i]);
        struct merged merged = {0};
        const als_position asked = 17;
        CHECK_OK(compact_all(world, &how, &merged, NULL));
        CHECK(merged.merges > 0 && merged.bytes_after > 0);
        for (int again = 0; again < 2; again++) {
            struct store_stat stat = store_stat(world->store);
            CHECK(stat.segments < sealed);
            CHECK_EQUAL(2 * stat.segments, count_files(world));
            CHECK_EQUAL(ENTITIES, stat.entities);
            CHECK_EQUAL(TYPES, stat.types);
            check_now(world);
            struct draft same = {.entity = world->entities[asked - 1],
                                 .type = world->types[asked - 1],
                                 .id = asked,
                                 .expected_version = STORE_ANY_VERSION};
            struct append answer;
            CHECK_OK(append(world, &same, &answer));
            CHECK(answer.duplicate && answer.first == asked);
            world_close(world);
            world_open(world, 20);
        }
    }
}

TEST(a_reader_of_an_old_view_keeps_its_files)
{
    AUTO(world) world = world_new(20);
    append_some(world, 200);
    seal_all(world);
    size_t before = count_files(world);
    struct view old = view_pin(world->store);
    struct store_compaction how = by(STORE_ALL);
    struct merged merged = {0};
    CHECK_OK(compact_all(world, &how, &merged, NULL));
    CHECK_EQUAL(1, store_stat(world->store).segments);
    CHECK_EQUAL(before + 2, count_files(world));
    check_view(world, old); // opens files for the first time that no new view has
    check_now(world);
    view_unpin(old);
    CHECK_EQUAL(2, count_files(world));
}

TEST(what_a_merge_reads_does_not_go_through_the_cache_of_readers)
{
    AUTO(segment_cache) cache = segment_cache_new(MIB(1));
    AUTO(world) world = world_new(20);
    world_close(world);
    world->cache = cache;
    world_open(world, 20);
    append_some(world, 200);
    seal_all(world);
    struct segment_cache_stat before = segment_cache_stat(cache);
    struct store_compaction how = by(STORE_ALL);
    struct merged merged = {0};
    CHECK_OK(compact_all(world, &how, &merged, NULL));
    struct segment_cache_stat after = segment_cache_stat(cache);
    CHECK(merged.merges > 0);
    CHECK_EQUAL(before.misses, after.misses);
    CHECK_EQUAL(before.hits, after.hits);
    check_now(world);
    CHECK(segment_cache_stat(cache).misses > after.misses);
}

static bool seal_meanwhile(void *context, uint64_t done, uint64_t total)
{
    struct world *world = context;
    CHECK(done <= total);
    append_some(world, 50);
    CHECK(seal_all(world) > 0);
    return true;
}

TEST(sealing_goes_on_while_a_merge_is_under_way)
{
    AUTO(world) world = world_new(20);
    append_some(world, 200);
    seal_all(world);
    struct store_compaction how = by(STORE_ALL);
    how.paced = seal_meanwhile;
    how.context = world;
    struct store_compacted once;
    uint64_t before = store_stat(world->store).segments;
    CHECK_OK(store_compact(world->store, &how, &once, NULL));
    CHECK_EQUAL(before, once.files);
    CHECK(store_stat(world->store).segments > 2);
    check_now(world);
    world_close(world);
    world_open(world, 20);
    check_now(world);
}

// ---- What stops it

static bool give_up(void *context, uint64_t done, uint64_t total)
{
    (void)context, (void)done, (void)total;
    return false;
}

TEST(a_merge_that_is_given_up_leaves_everything)
{
    AUTO(world) world = world_new(20);
    append_some(world, 200);
    seal_all(world);
    size_t files = count_files(world);
    struct store_compaction how = by(STORE_ALL);
    how.paced = give_up;
    struct store_compacted once = {.files = 9};
    CHECK_ERR(ALS_NOT_READY, store_compact(world->store, &how, &once, NULL));
    CHECK_EQUAL(0, once.files);
    CHECK_EQUAL(files, count_files(world));
    check_now(world);
}

// Overwrites a byte in the middle of the n-th segment file.
static void damage(struct world *world, size_t nth)
{
    struct os_dir *dir;
    struct names names = segment_files(world, &dir);
    for (size_t i = 0; i < names.count; i++) {
        str name = str_of(names.names[i]);
        if (!str_ends(name, S(".parquet")) || nth-- > 0)
            continue;
        struct os_file *file;
        CHECK_OK(world->os->file_open(dir, name, OS_READ_WRITE, &file, NULL));
        CHECK_OK(os_write_one(world->os, file, 100, S("rot"), NULL));
        world->os->file_close(file);
    }
    world->os->dir_close(dir);
}

TEST(a_file_that_cannot_be_read_ends_a_merge_and_stays_and_others_are_merged_around_it)
{
    AUTO(world) world = world_new(20);
    append_some(world, 200);
    uint32_t sealed = seal_all(world);
    CHECK(sealed >= 9);
    damage(world, 4);
    size_t files = count_files(world);
    struct store_compaction how = by(STORE_ALL);
    struct store_compacted once;
    struct als_why why;
    CHECK_ERR(ALS_CORRUPT, store_compact(world->store, &how, &once, &why));
    CHECK_EQUAL(files, count_files(world));
    CHECK_EQUAL(sealed, store_stat(world->store).segments);
    struct merged merged = {0};
    CHECK_OK(compact_all(world, &how, &merged, NULL));
    CHECK_EQUAL(2, merged.merges);
    CHECK_EQUAL(3, store_stat(world->store).segments);
    CHECK_EQUAL(sealed - 1, merged.files);
}

TEST(every_read_that_fails_ends_a_merge_and_leaves_everything)
{
    for (uint64_t nth = 1;; nth++) {
        AUTO(world) world = world_new(20);
        append_some(world, 80);
        uint32_t sealed = seal_all(world);
        struct store_compaction how = by(STORE_ALL);
        struct store_compacted once;
        sim_fail(world->sim, SIM_FAIL_READ | SIM_FAIL_MAP | SIM_FAIL_OPEN, nth, ALS_STORAGE);
        err code = store_compact(world->store, &how, &once, NULL);
        bool pending = sim_fault_pending(world->sim);
        sim_heal(world->sim);
        CHECK(code != ALS_OK || pending || once.files == sealed);
        if (code != ALS_OK)
            CHECK_EQUAL(sealed, store_stat(world->store).segments);
        check_now(world);
        if (pending)
            break;
    }
}

// Flips the bit, merges, and turns it back unless its file is gone. Returns whether it was found.
static bool merge_finds_bit(struct world *world, uint64_t bit)
{
    uint64_t sealed = store_stat(world->store).segments;
    size_t files = count_files(world);
    struct store_compaction how = by(STORE_ALL);
    struct store_compacted once;
    sim_flip(world->sim, bit, NULL);
    err code = store_compact(world->store, &how, &once, NULL);
    if (code == ALS_OK) {
        CHECK_EQUAL(sealed, once.files);
        return false;
    }
    CHECK_ERR(ALS_CORRUPT, code);
    CHECK_EQUAL(files, count_files(world));
    CHECK_EQUAL(sealed, store_stat(world->store).segments);
    sim_flip(world->sim, bit, NULL);
    return true;
}

// What a merge does not read (the filters of a file, say) does not matter to it.
TEST(a_flipped_bit_ends_a_merge_and_leaves_everything_or_does_not_matter)
{
    enum { STRIDE = 8 * 53 + 3 };
    uint64_t found = 0, bits = 1;
    for (uint64_t bit = 0; bit < bits; bit += STRIDE) {
        AUTO(world) world = world_new(20);
        append_some(world, 80);
        seal_all(world);
        bits = sim_bits(world->sim);
        str name;
        sim_flip(world->sim, bit, &name);
        sim_flip(world->sim, bit, NULL);
        if (!str_ends(name, S(".parquet")))
            continue;
        found += merge_finds_bit(world, bit);
        check_now(world);
    }
    CHECK(found > 50);
}

TEST(a_new_file_that_reads_back_otherwise_takes_nobodys_place)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        AUTO(world) world = world_new(20);
        append_some(world, 80);
        uint32_t sealed = seal_all(world);
        struct store_compaction how = by(STORE_ALL);
        struct store_compacted once;
        rot_begin(world, seed);
        CHECK_ERR(ALS_CORRUPT, store_compact(world->store, &how, &once, NULL));
        CHECK_EQUAL(1, rot_end(world));
        CHECK_EQUAL(sealed, store_stat(world->store).segments);
        CHECK_EQUAL(2 * sealed, count_files(world));
        CHECK_EQUAL(0, store_stat(world->store).unfit);
        check_now(world);
        CHECK_OK(store_compact(world->store, &how, &once, NULL));
        CHECK_EQUAL(sealed, once.files);
    }
}

TEST(a_full_disk_ends_a_merge_and_what_is_there_can_be_read)
{
    uint32_t refused = 0;
    for (uint64_t spare = 0; spare < KIB(64); spare += 512) {
        AUTO(world) world = world_new(20);
        append_some(world, 120);
        uint32_t sealed = seal_all(world);
        struct store_compaction how = by(STORE_ALL);
        struct store_compacted once;
        sim_set_capacity(world->sim, sim_space(world->sim) + spare);
        err code = store_compact(world->store, &how, &once, NULL);
        sim_heal(world->sim);
        check_now(world);
        if (code == ALS_OK) {
            CHECK_EQUAL(sealed, once.files);
            break;
        }
        refused++;
        CHECK_EQUAL(sealed, store_stat(world->store).segments);
        CHECK_EQUAL(2 * sealed, count_files(world));
    }
    CHECK(refused > 2 && refused < 128);
}

// ---- What it chooses

TEST(files_of_the_target_size_are_left_alone)
{
    AUTO(world) world = world_new(20);
    append_some(world, 200);
    seal_all(world);
    struct store_compaction how = by(STORE_ALL);
    how.target_bytes = 1;
    struct store_compacted once;
    CHECK_OK(store_compact(world->store, &how, &once, NULL));
    CHECK_EQUAL(0, once.files);
}

TEST(no_merge_makes_more_than_twice_the_target)
{
    AUTO(world) world = world_new(20);
    append_some(world, 400);
    seal_all(world);
    struct store_stat stat = store_stat(world->store);
    struct store_compaction how = by(STORE_ALL);
    how.target_bytes = 3 * stat.segment_bytes / stat.segments;
    struct store_compacted once;
    CHECK_OK(store_compact(world->store, &how, &once, NULL));
    CHECK(once.files >= 2 && once.bytes_before <= 2 * how.target_bytes);
}

TEST(by_age_takes_what_is_old_and_by_count_what_there_is)
{
    AUTO(world) world = world_new(20);
    sim_set_now_us(world->sim, 1'000'000);
    append_some(world, 100);
    sim_set_now_us(world->sim, 9'000'000);
    append_some(world, 100);
    uint32_t sealed = seal_all(world);
    struct store_compaction how = by(STORE_BY_AGE);
    struct store_compacted once;
    how.before_us = 1'000'000;
    CHECK_OK(store_compact(world->store, &how, &once, NULL));
    CHECK_EQUAL(0, once.files);
    how.before_us = 5'000'000;
    CHECK_OK(store_compact(world->store, &how, &once, NULL));
    CHECK(once.files >= 4 && once.files <= 5);
    how = by(STORE_BY_COUNT);
    how.files_min = sealed;
    uint64_t taken = once.files;
    CHECK_OK(store_compact(world->store, &how, &once, NULL));
    CHECK_EQUAL(0, once.files);
    how.files_min = (uint32_t)(sealed - taken + 1);
    CHECK_OK(store_compact(world->store, &how, &once, NULL));
    CHECK_EQUAL(how.files_min, once.files);
    check_now(world);
}

TEST(when_asked_small_files_are_merged_whatever_their_tier)
{
    AUTO(world) world = world_new(20);
    struct store_compaction how = by(STORE_BY_SIZE);
    struct merged merged = {0};
    for (int i = 0; i < 14; i++) {
        append_some(world, 20);
        seal_all(world);
        CHECK_OK(compact_all(world, &how, &merged, NULL));
    }
    CHECK(store_stat(world->store).segments >= 3);
    how.small_bytes = MIB(1);
    CHECK_OK(compact_all(world, &how, &merged, NULL));
    CHECK_EQUAL(1, store_stat(world->store).segments);
    check_now(world);
}

// A year, with some seven files a day of sizes that vary, compacted as they come; a restart a week.
TEST(after_a_year_files_are_few_and_each_event_was_written_a_few_times)
{
    enum { SEALS = 365 * 6, PER_TIER = 2, ROW_WEIGHT = 150 };
    AUTO(world) world = world_new(1);
    world->varied = true;
    struct store_compaction how = by(STORE_BY_SIZE);
    struct merged merged = {0};
    uint64_t seals = 0, most = 0;
    for (uint32_t day = 0; world->count + 16 < EVENTS_MAX && seals < SEALS; day++) {
        append_some(world, 1 + (uint32_t)rand_below(&world->rand, 14));
        seals += seal_all(world);
        sim_advance_us(world->sim, UINT64_C(86'400'000'000));
        if (day % 7 == 6) {
            world_close(world);
            world_open(world, 1);
        }
        CHECK_OK(compact_all(world, &how, &merged, NULL));
        uint64_t files = store_stat(world->store).segments, tiers = 1;
        for (uint64_t weight = (uint64_t)world->count * ROW_WEIGHT; weight >= 3; weight /= 3)
            tiers++;
        CHECK(files <= PER_TIER * tiers);
        most = files > most ? files : most;
    }
    double amplification = (double)merged.events / world->count;
    printf("  %llu seals, %u events: at most %llu files, each event rewritten %.2f times\n",
           (unsigned long long)seals, world->count, (unsigned long long)most, amplification);
    CHECK(seals > 2000);
    CHECK(amplification < 9); // log3(5000 events) is 7.8
    check_now(world);
}
