// SPDX-License-Identifier: Apache-2.0
// Segments of all kinds and sizes, written, and read row by row, by column, by threads, and past a
// small cache. What is damaged is the business of damage_test.c.
#include "base/bytes.h"
#include "os/os.h"
#include "segment/inside.h"
#include "segment/made_events.h"

#include <pthread.h>
#include <stdatomic.h>

static const unsigned kinds[] = {
    0,
    MADE_SPARSE,
    MADE_NO_METADATA,
    MADE_MANY_ENTITIES | MADE_SPARSE,
    MADE_LONG_TEXTS,
    MADE_EXTREME | MADE_MANY_ENTITIES,
    MADE_SHORT_NAMES | MADE_EXTREME,
};
static const uint64_t row_counts[] = {1, 2, 100, 4097, 21000};

// Runs `check` over segments of all kinds and sizes.
typedef void check_segment(struct made_disk *disk, struct segment *segment, struct made *made);

static void for_each_segment(check_segment *check)
{
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        for (size_t r = 0; r < COUNT_OF(row_counts); r++) {
            struct made_disk disk = made_disk_new(1);
            made_write(&disk, k + 1, kinds[k], row_counts[r]);
            struct segment *segment = made_open(&disk);
            struct made *made = made_new(k + 1, kinds[k]);
            check(&disk, segment, made);
            free(made);
            segment_close(segment);
            made_disk_end(&disk);
        }
    }
}

static void read_all(struct made_disk *disk, struct segment *segment, struct made *made)
{
    (void)disk;
    AUTO(segment_reader) reader = segment_reader_new();
    for (uint32_t row = 0; row < segment_facts(segment)->rows; row++) {
        struct als_event event = {.tenant = S("left alone")};
        CHECK_OK(segment_read(reader, segment, row, NULL, &event, NULL));
        made_check_equal(made_next(made), &event);
        CHECK_STR(S("left alone"), event.tenant);
    }
}

TEST(segment_read_gives_every_row_as_it_was_added)
{
    for_each_segment(read_all);
}

// Guesses that are right, wrong and half wrong, in turns.
static void read_all_by_guesses(struct made_disk *disk, struct segment *segment, struct made *made)
{
    (void)disk;
    AUTO(segment_reader) reader = segment_reader_new();
    for (uint32_t row = 0; row < segment_facts(segment)->rows; row++) {
        const struct als_event *want = made_next(made);
        struct segment_guess guess = {.entity = want->entity, .version = want->version};
        if (row % 7 == 3)
            guess.entity = S("nobody's");
        if (row % 5 == 2)
            guess.version++;
        if (row % 11 == 4)
            guess = (struct segment_guess){.version = want->version};
        struct als_event event = {};
        CHECK_OK(segment_read(reader, segment, row, &guess, &event, NULL));
        made_check_equal(want, &event);
        bool right = guess.version == want->version && str_equal(guess.entity, want->entity);
        CHECK_EQUAL(right && want->entity.len, event.entity.ptr == guess.entity.ptr);
    }
}

TEST(segment_read_gives_every_row_as_it_was_added_whatever_is_guessed)
{
    for_each_segment(read_all_by_guesses);
}

TEST(segment_read_passes_over_a_guess_that_no_entity_can_be)
{
    static const char long_name[ENTITY_BYTES_MAX + 1] = {'x'};
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, 5);
    struct segment *segment = made_open(&disk);
    AUTO(segment_reader) reader = segment_reader_new();
    struct segment_guess guess = {.entity = {long_name, sizeof long_name}};
    struct made *made = made_new(3, 0);
    struct als_event event = {};
    CHECK_OK(segment_read(reader, segment, 0, &guess, &event, NULL));
    made_check_equal(made_next(made), &event);
    free(made);
    segment_reader_reset(reader);
    segment_close(segment);
    made_disk_end(&disk);
}

TEST(segment_that_is_one_of_many_is_read_although_its_file_is_not_open)
{
    enum { COUNT = SEGMENT_FILES_MAX + 2 };
    static struct segment *segments[COUNT];
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, 5000);
    AUTO(segment_reader) reader = segment_reader_new();
    for (size_t i = 0; i < COUNT; i++)
        segments[i] = made_open(&disk);
    for (size_t i = COUNT - 4; i < COUNT; i++) {
        struct made *made = made_new(3, 0);
        for (uint32_t row = 0; row < 5000; row++) {
            struct als_event event = {};
            CHECK_OK(segment_read(reader, segments[i], row, NULL, &event, NULL));
            made_check_equal(made_next(made), &event);
        }
        free(made);
    }
    CHECK(segments[SEGMENT_FILES_MAX - 1]->file && !segments[SEGMENT_FILES_MAX]->file);
    segment_reader_reset(reader);
    segment_close(segments[0]);
    segments[0] = made_open(&disk);
    CHECK(segments[0]->file); // the place was free again
    for (size_t i = 0; i < COUNT; i++)
        segment_close(segments[i]);
    made_disk_end(&disk);
}

TEST(segment_read_says_which_of_its_reads_failed_and_goes_on_when_none_does)
{
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, 3000);
    struct made *made = made_new(3, 0);
    const struct als_event *want = made_next(made);
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct segment *segment = made_open(&disk); // of which no page is in the cache
        AUTO(segment_reader) reader = segment_reader_new();
        struct als_event event = {};
        struct als_why why = {""};
        sim_fail(disk.sim, SIM_FAIL_READ, nth, ALS_STORAGE);
        err code = segment_read(reader, segment, 0, NULL, &event, &why);
        failed = !sim_fault_pending(disk.sim);
        sim_heal(disk.sim);
        CHECK_ERR(failed ? ALS_STORAGE : ALS_OK, code);
        CHECK(failed ? nth < 20 && strstr(why.text, "read") : nth > 5);
        CHECK_OK(segment_read(reader, segment, 0, NULL, &event, NULL));
        made_check_equal(want, &event);
        segment_reader_reset(reader);
        segment_close(segment);
    }
    free(made);
    made_disk_end(&disk);
}

static void scan_all(struct made_disk *disk, struct segment *segment, struct made *made)
{
    (void)disk;
    AUTO(segment_scan) scan = segment_scan_new();
    segment_scan_begin(scan, segment, SEGMENT_ALL, 0);
    struct segment_block block;
    uint64_t rows = 0;
    for (;;) {
        CHECK_OK(segment_scan_next(scan, &block, NULL));
        CHECK_EQUAL(rows, block.row);
        CHECK(block.count <= SEGMENT_BLOCK_ROWS);
        if (block.count == 0)
            break;
        for (uint32_t i = 0; i < block.count; i++, rows++) {
            struct als_event event = event_of(&block, i);
            made_check_equal(made_next(made), &event);
            CHECK_EQUAL(row_hash(&event), block.hashes[i]);
        }
    }
    CHECK_EQUAL(segment_facts(segment)->rows, rows);
}

TEST(segment_scan_gives_every_row_as_it_was_added)
{
    for_each_segment(scan_all);
}

static err compare_next(void *context, const struct als_event *event, struct als_why *why)
{
    (void)why;
    made_check_equal(made_next(context), event);
    CHECK_STR(S("default"), event->tenant);
    return ALS_OK;
}

static void verify_all(struct made_disk *disk, struct segment *segment, struct made *made)
{
    (void)disk;
    CHECK_OK(segment_verify(segment, compare_next, made, NULL));
    CHECK_EQUAL(segment_facts(segment)->rows, made->count);
}

TEST(segment_verify_sees_every_event_and_finds_nothing_wrong)
{
    for_each_segment(verify_all);
}

static err pass_over(void *context, const struct segment_block *block, struct als_why *why)
{
    (void)context, (void)block, (void)why;
    return ALS_OK;
}

// The file is sound, but one row of it is not the row that was added, with its hash.
TEST(segment_that_was_written_from_other_rows_is_found_by_the_digest)
{
    enum { ROWS = 3000, CHANGED = 1234 };
    struct made_disk disk = made_disk_new(1);
    uint64_t digests[2];
    for (int changed = 0; changed < 2; changed++) {
        struct segment_write_options options = {.tenant = S("default")};
        AUTO(segment_writer) writer = NULL;
        if (changed)
            CHECK_OK(disk.os->dir_unlink(disk.dir, S("s"), NULL));
        CHECK_OK(segment_writer_open(disk.os, disk.dir, S("s"), options, &writer, NULL));
        struct made *made = made_new(5, 0);
        for (uint64_t i = 0; i < ROWS; i++) {
            struct als_event event = *made_next(made);
            event.timestamp_us += changed && i == CHANGED;
            CHECK_OK(segment_writer_add(writer, &event, NULL));
        }
        CHECK_OK(segment_writer_finish(writer, &disk.facts, NULL));
        digests[changed] = segment_writer_digest(writer);
        free(made);
    }
    AUTO(segment) segment = made_open(&disk);
    CHECK_OK(segment_verify_written(segment, digests[1], pass_over, NULL, NULL));
    CHECK_ERR(ALS_CORRUPT, segment_verify_written(segment, digests[0], pass_over, NULL, NULL));
    segment_close(MOVE(segment));
    made_disk_end(&disk);
}

static void same_facts(struct made_disk *disk, struct segment *segment, struct made *made)
{
    const struct segment_facts *want = &disk->facts, *got = segment_facts(segment);
    struct segment_facts count = {};
    for (uint64_t i = 0; i < want->rows; i++) {
        const struct als_event *event = made_next(made);
        count.new_entities += event->version == 1;
        count.raw_bytes +=
            event->entity.len + event->type.len + event->payload.len + event->metadata.len;
    }
    CHECK_EQUAL(made->event.position, got->last);
    CHECK_EQUAL(count.new_entities, got->new_entities);
    CHECK_EQUAL(count.raw_bytes, got->raw_bytes);
    CHECK_EQUAL(want->first, got->first);
    CHECK_EQUAL(want->rows, got->rows);
    CHECK_EQUAL(want->least_us, got->least_us);
    CHECK_EQUAL(want->greatest_us, got->greatest_us);
    CHECK_EQUAL(want->recorded_first_us, got->recorded_first_us);
    CHECK_EQUAL(want->recorded_last_us, got->recorded_last_us);
    CHECK_EQUAL(want->bytes, got->bytes);
    CHECK_EQUAL(7, got->generation);
    CHECK(memcmp(want->identity, got->identity, sizeof want->identity) == 0);
    CHECK_STR(S("default"), got->tenant);
}

TEST(segment_facts_are_those_of_the_rows)
{
    for_each_segment(same_facts);
}

TEST(segment_scan_begins_at_any_row_with_any_columns)
{
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 5, MADE_SPARSE, 21000);
    struct segment *segment = made_open(&disk);
    AUTO(segment_scan) scan = segment_scan_new();
    AUTO(segment_reader) reader = segment_reader_new();
    struct rand rand = {3};
    for (int round = 0; round < 200; round++) {
        unsigned wanted = 1 + (unsigned)rand_below(&rand, SEGMENT_ALL);
        uint32_t row = (uint32_t)rand_below(&rand, 21000);
        segment_scan_begin(scan, segment, wanted, row);
        struct segment_block block;
        CHECK_OK(segment_scan_next(scan, &block, NULL));
        CHECK_EQUAL(row, block.row);
        CHECK(block.count > 0);
        struct als_event event = {};
        uint32_t last = row + block.count - 1;
        CHECK_OK(segment_read(reader, segment, last, NULL, &event, NULL));
        CHECK(!(wanted & SEGMENT_POSITION) == !block.positions);
        CHECK(!block.positions || block.positions[block.count - 1] == event.position);
        CHECK(!(wanted & SEGMENT_TYPE) == !block.types);
        if (block.types)
            CHECK_STR(event.type, block.type_names[block.types[block.count - 1]]);
        CHECK(!(wanted & SEGMENT_PAYLOAD) == !block.payloads);
        if (block.payloads)
            CHECK_STR(event.payload, block.payloads[block.count - 1]);
        CHECK(!(wanted & SEGMENT_ID) == !block.ids);
        CHECK(!(wanted & SEGMENT_HASH) == !block.hashes);
    }
    segment_reader_reset(reader);
    segment_close(segment);
    made_disk_end(&disk);
}

TEST(segment_scan_skips_row_groups_outside_the_time_bounds)
{
    struct made_disk disk = made_disk_new(1);
    AUTO(segment_writer) writer = NULL;
    struct segment_write_options options = {.tenant = S("t")};
    CHECK_OK(segment_writer_open(disk.os, disk.dir, S("s"), options, &writer, NULL));
    struct made *made = made_new(1, MADE_NO_METADATA);
    for (int64_t i = 0; i < 3 * GROUP_ROWS; i++) {
        struct als_event event = *made_next(made);
        event.timestamp_us = i;
        CHECK_OK(segment_writer_add(writer, &event, NULL));
    }
    struct segment_facts facts;
    CHECK_OK(segment_writer_finish(writer, &facts, NULL));
    segment_writer_close(MOVE(writer));
    free(made);
    struct segment *segment = made_open(&disk);
    AUTO(segment_scan) scan = segment_scan_new();
    segment_scan_begin(scan, segment, SEGMENT_TIMESTAMP, 0);
    segment_scan_bound_time(scan, GROUP_ROWS + 5, 2 * GROUP_ROWS - 1);
    uint64_t rows = 0, first = UINT64_MAX;
    struct segment_block block;
    do {
        CHECK_OK(segment_scan_next(scan, &block, NULL));
        if (block.count && first == UINT64_MAX)
            first = block.row;
        rows += block.count;
    } while (block.count);
    CHECK_EQUAL(GROUP_ROWS, first);
    CHECK_EQUAL(GROUP_ROWS, rows);
    segment_close(segment);
    made_disk_end(&disk);
}

static void find_positions(struct made_disk *disk, struct segment *segment, struct made *made)
{
    (void)disk;
    uint32_t row;
    als_position before = 0;
    uint64_t rows = segment_facts(segment)->rows;
    for (uint32_t i = 0; i < rows; i++) {
        als_position position = made_next(made)->position;
        if (i % 97 == 0 || i + 1 == rows) {
            CHECK_OK(segment_row_of(segment, position, &row, NULL));
            CHECK_EQUAL(i, row);
            CHECK_OK(segment_row_of(segment, before + 1, &row, NULL)); // or what is behind it
            CHECK_EQUAL(i, row);
        }
        before = position;
    }
    CHECK_OK(segment_row_of(segment, before + 1, &row, NULL));
    CHECK_EQUAL(rows, row);
}

TEST(segment_row_of_finds_a_position_or_what_is_behind_it)
{
    for_each_segment(find_positions);
}

TEST(segment_of_the_same_rows_and_identity_is_the_same_file)
{
    struct made_disk a = made_disk_new(9), b = made_disk_new(9);
    made_write(&a, 4, MADE_LONG_TEXTS | MADE_SPARSE, 5000);
    made_write(&b, 4, MADE_LONG_TEXTS | MADE_SPARSE, 5000);
    str first = made_bytes(&a), second = made_bytes(&b);
    CHECK_EQUAL(first.len, second.len);
    CHECK(str_equal(first, second));
    free((char *)first.ptr);
    free((char *)second.ptr);
    made_disk_end(&a);
    made_disk_end(&b);
}

TEST(segment_cache_stays_within_its_bytes_and_serves_what_it_has)
{
    struct made_disk disk = made_disk_new(1);
    segment_cache_free(disk.cache);
    disk.cache = segment_cache_new(KIB(300));
    made_write(&disk, 2, 0, 21000);
    struct segment *segment = made_open(&disk);
    AUTO(segment_reader) reader = segment_reader_new();
    struct rand rand = {3};
    struct als_event event = {};
    for (int i = 0; i < 2000; i++) {
        uint32_t row = (uint32_t)rand_below(&rand, 21000);
        CHECK_OK(segment_read(reader, segment, row, NULL, &event, NULL));
        CHECK_EQUAL(row + 1, event.position);
    }
    segment_reader_reset(reader);
    struct segment_cache_stat stat = segment_cache_stat(disk.cache);
    CHECK(stat.bytes <= KIB(300));
    CHECK(stat.evictions > 0 && stat.hits > 0 && stat.misses > 0);
    for (int times = 0; times < 2; times++) { // at the second at the latest its pages are kept
        CHECK_OK(segment_read(reader, segment, 77, NULL, &event, NULL));
        segment_reader_reset(reader);
    }
    uint64_t misses = segment_cache_stat(disk.cache).misses;
    CHECK_OK(segment_read(reader, segment, 77, NULL, &event, NULL));
    CHECK_EQUAL(misses, segment_cache_stat(disk.cache).misses);
    segment_reader_reset(reader);
    segment_close(segment);
    CHECK_EQUAL(0, segment_cache_stat(disk.cache).bytes);
    made_disk_end(&disk);
}

TEST(segment_cache_keeps_pages_that_are_wanted_twice)
{
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 2, 0, 21000);
    struct segment *segment = made_open(&disk);
    AUTO(segment_reader) reader = segment_reader_new();
    struct als_event event = {};
    uint64_t bytes[3], misses[3];
    for (int round = 0; round < 3; round++) {
        for (uint32_t row = 0; row < 20000; row += 1000) {
            CHECK_OK(segment_read(reader, segment, row, NULL, &event, NULL));
            CHECK_EQUAL(row + 1, event.position);
        }
        segment_reader_reset(reader);
        bytes[round] = segment_cache_stat(disk.cache).bytes;
        misses[round] = segment_cache_stat(disk.cache).misses;
    }
    CHECK(bytes[0] < KIB(100)); // the page index and the dictionaries
    CHECK(bytes[1] > 2 * bytes[0] && bytes[2] == bytes[1]);
    CHECK(misses[1] > misses[0] && misses[2] == misses[1]);
    segment_close(segment);
    made_disk_end(&disk);
}

// ---- Threads and memory.

static void *read_at_random(void *context)
{
    struct segment *segment = context;
    AUTO(segment_reader) reader = segment_reader_new();
    struct rand rand = {(uint64_t)(uintptr_t)&rand};
    struct als_event event = {};
    for (int i = 0; i < 400; i++) {
        uint32_t row = (uint32_t)rand_below(&rand, segment_facts(segment)->rows);
        if (segment_read(reader, segment, row, NULL, &event, NULL) != ALS_OK ||
            event.position != row + 1)
            return segment;
    }
    return NULL;
}

TEST(segment_is_read_by_many_threads_through_one_small_cache)
{
    enum { THREADS = 4 };
    struct made_disk disk = made_disk_new(1);
    segment_cache_free(disk.cache);
    disk.cache = segment_cache_new(KIB(500));
    made_write(&disk, 2, 0, 6000);
    struct segment *segment = made_open(&disk);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_EQUAL(0, pthread_create(&threads[i], NULL, read_at_random, segment));
    for (int i = 0; i < THREADS; i++) {
        void *failed = segment;
        CHECK_EQUAL(0, pthread_join(threads[i], &failed));
        CHECK(!failed);
    }
    CHECK(segment_cache_stat(disk.cache).bytes <= KIB(500));
    segment_close(segment);
    made_disk_end(&disk);
}

// Present where a sanitizer's run-time library is.
__attribute__((weak)) int
__sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t),
                                          void (*freed)(const volatile void *));
static _Atomic uint64_t allocations;

static void count_allocation(const volatile void *memory, size_t size)
{
    (void)memory;
    (void)size;
    atomic_fetch_add(&allocations, 1);
}

static void ignore_free(const volatile void *memory)
{
    (void)memory;
}

static uint64_t scan_rows(struct segment_scan *scan, struct segment *segment)
{
    uint64_t rows = 0;
    struct segment_block block;
    segment_scan_begin(scan, segment, SEGMENT_ALL, 0);
    do {
        CHECK_OK(segment_scan_next(scan, &block, NULL));
        rows += block.count;
    } while (block.count);
    return rows;
}

TEST(segment_scan_and_warm_reads_allocate_nothing)
{
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 2, 0, 6000);
    struct segment *segment = made_open(&disk);
    AUTO(segment_scan) scan = segment_scan_new();
    AUTO(segment_reader) reader = segment_reader_new();
    struct als_event event = {};
    enum { ROUNDS = 3 }; // memory grows in the first, the cache in the second
    for (int round = 0; round < ROUNDS; round++) {
        if (round + 1 == ROUNDS && __sanitizer_install_malloc_and_free_hooks)
            (void)__sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_free);
        atomic_store(&allocations, 0);
        CHECK_EQUAL(6000, scan_rows(scan, segment));
        for (uint32_t row = 0; row < 6000; row += 7)
            CHECK_OK(segment_read(reader, segment, row, NULL, &event, NULL));
    }
    uint64_t made = atomic_load(&allocations);
    if (made)
        test_fail(__FILE__, __LINE__, "%llu allocations", (unsigned long long)made);
    segment_reader_reset(reader);
    segment_close(segment);
    made_disk_end(&disk);
}

// ---- Import.

struct made_check {
    struct made *made;
    uint64_t rows;
};

static err import_next(void *context, const struct als_event *event, struct als_why *why)
{
    (void)why;
    struct made_check *check = context;
    made_check_equal(made_next(check->made), event);
    check->rows++;
    return ALS_OK;
}

static void import_all(struct made_disk *disk, struct segment *segment, struct made *made)
{
    uint64_t rows = segment_facts(segment)->rows;
    struct made_check check = {made, 0};
    CHECK_OK(segment_import(disk->os, disk->dir, S("s"), import_next, &check, NULL));
    CHECK_EQUAL(rows, check.rows);
}

TEST(segment_import_reads_our_own_files_too)
{
    for_each_segment(import_all);
}

TEST(segment_import_finds_damage_of_pages)
{
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, 30);
    str bytes = made_bytes(&disk);
    ((char *)bytes.ptr)[60] ^= 1;
    made_replace(&disk, bytes);
    struct made *made = made_new(3, 0);
    struct made_check check = {made, 0};
    CHECK_ERR(ALS_CORRUPT, segment_import(disk.os, disk.dir, S("s"), import_next, &check, NULL));
    free(made);
    free((char *)bytes.ptr);
    made_disk_end(&disk);
}
