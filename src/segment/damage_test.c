// SPDX-License-Identifier: Apache-2.0
// A segment whose bits were flipped, that was cut, that is another's or a newer one; a disk that
// fails or loses power while one is written or opened. None may be taken for what was written.
#include "base/bytes.h"
#include "os/os.h"
#include "segment/inside.h"
#include "segment/made_events.h"

// What opens and reads it all by each of the three ways. Returns how many found something; what is
// given out is compared with what was written.
static unsigned find_damage(struct made_disk *disk, uint64_t seed, uint64_t rows, bool *ret_verify)
{
    struct segment *segment = NULL;
    *ret_verify = true;
    if (segment_open(disk->os, disk->dir, S("s"), disk->cache, &segment, NULL) != ALS_OK)
        return 3;
    *ret_verify = segment_verify(segment, NULL, NULL, NULL) != ALS_OK;
    unsigned found = *ret_verify;
    AUTO(segment_reader) reader = segment_reader_new();
    AUTO(segment_scan) scan = segment_scan_new();
    struct made *made = made_new(seed, 0);
    struct als_event event = {};
    bool read_found = false;
    for (uint32_t row = 0; row < rows; row++) {
        const struct als_event *want = made_next(made);
        struct segment_guess guess = {.entity = want->entity, .version = want->version};
        const struct segment_guess *guesses[] = {&guess, NULL};
        for (size_t g = 0; g < COUNT_OF(guesses); g++) {
            if (segment_read(reader, segment, row, guesses[g], &event, NULL) == ALS_OK)
                made_check_equal(want, &event);
            else
                read_found = true;
        }
    }
    free(made);
    made = made_new(seed, 0);
    segment_scan_begin(scan, segment, SEGMENT_ALL, 0);
    struct segment_block block = {};
    do {
        if (segment_scan_next(scan, &block, NULL) != ALS_OK)
            break;
        for (uint32_t i = 0; i < block.count; i++) {
            event = event_of(&block, i);
            made_check_equal(made_next(made), &event);
        }
    } while (block.count);
    free(made);
    segment_reader_reset(reader);
    segment_close(segment);
    return found + read_found;
}

TEST(segment_verify_finds_every_flipped_bit_and_no_reader_is_told_wrong)
{
    enum { ROWS = 12 };
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, ROWS);
    str bytes = made_bytes(&disk);
    for (uint64_t bit = 0; bit < bytes.len * 8; bit++) {
        sim_flip(disk.sim, bit, NULL);
        bool verify = false;
        (void)find_damage(&disk, 3, ROWS, &verify);
        if (!verify)
            test_fail(__FILE__, __LINE__, "bit %llu of byte %llu is not found",
                      (unsigned long long)(bit % 8), (unsigned long long)(bit / 8));
        sim_flip(disk.sim, bit, NULL);
    }
    bool verify = true;
    CHECK_EQUAL(0, find_damage(&disk, 3, ROWS, &verify));
    free((char *)bytes.ptr);
    made_disk_end(&disk);
}

// The same for a larger one, at bits drawn from a seed.
TEST(segment_of_many_pages_finds_flipped_bits)
{
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, 5000);
    uint64_t bits = sim_bits(disk.sim);
    struct rand rand = {7};
    for (int i = 0; i < 60; i++) {
        uint64_t bit = rand_below(&rand, bits);
        sim_flip(disk.sim, bit, NULL);
        bool verify = false;
        (void)find_damage(&disk, 3, 5000, &verify);
        CHECK(verify);
        sim_flip(disk.sim, bit, NULL);
    }
    made_disk_end(&disk);
}

TEST(segment_that_was_cut_is_refused)
{
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, 50);
    str bytes = made_bytes(&disk);
    for (size_t len = 0; len < bytes.len; len += len < 100 || len + 3000 > bytes.len ? 1 : 101) {
        made_replace(&disk, str_first(bytes, len));
        struct segment *segment = NULL;
        CHECK_ERR(ALS_CORRUPT, segment_open(disk.os, disk.dir, S("s"), disk.cache, &segment, NULL));
    }
    free((char *)bytes.ptr);
    made_disk_end(&disk);
}

static size_t find_text(str bytes, str wanted)
{
    char *at = memmem(bytes.ptr, bytes.len, wanted.ptr, wanted.len);
    CHECK(at);
    return (size_t)(at - bytes.ptr);
}

static void seal_again(str bytes)
{
    size_t footer_at = bytes.len - 8 - load_le32(bytes.ptr + bytes.len - 8);
    size_t seal_at = find_text(bytes, KEY_SEAL) + KEY_SEAL.len + 2;
    uint64_t seal = footer_seal((const uint8_t *)bytes.ptr + footer_at, bytes.len - footer_at,
                                seal_at - footer_at);
    char digits[SEAL_DIGITS + 1];
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)seal);
    memcpy((char *)bytes.ptr + seal_at, digits, SEAL_DIGITS);
}

TEST(segment_of_a_newer_format_is_refused_by_its_number)
{
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, 50);
    str bytes = made_bytes(&disk);
    size_t at = find_text(bytes, KEY_FORMAT) + KEY_FORMAT.len + 2;
    CHECK_EQUAL('1', bytes.ptr[at]);
    ((char *)bytes.ptr)[at] = '2';
    made_replace(&disk, bytes);
    struct segment *segment = NULL;
    CHECK_ERR(ALS_CORRUPT, segment_open(disk.os, disk.dir, S("s"), disk.cache, &segment, NULL));
    seal_again(bytes);
    made_replace(&disk, bytes);
    struct als_why why = {""};
    CHECK_ERR(ALS_FORMAT_TOO_NEW,
              segment_open(disk.os, disk.dir, S("s"), disk.cache, &segment, &why));
    CHECK(strstr(why.text, "version 2"));
    free((char *)bytes.ptr);
    made_disk_end(&disk);
}

// Sealed, but by somebody who lied: the rows decide.
TEST(segment_verify_finds_facts_that_are_not_those_of_the_rows)
{
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, 50);
    str bytes = made_bytes(&disk);
    size_t at = find_text(bytes, KEY_RAW_BYTES) + KEY_RAW_BYTES.len + 2;
    ((char *)bytes.ptr)[at] ^= 1;
    seal_again(bytes);
    made_replace(&disk, bytes);
    struct segment *segment = made_open(&disk);
    CHECK_ERR(ALS_CORRUPT, segment_verify(segment, NULL, NULL, NULL));
    segment_close(segment);
    free((char *)bytes.ptr);
    made_disk_end(&disk);
}

TEST(segment_writer_passes_on_what_fails_below)
{
    static const unsigned faults[] = {SIM_FAIL_WRITE, SIM_FAIL_PART, SIM_FAIL_SYNC,
                                      SIM_FAIL_DIRECTORY};
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        bool failed = true;
        for (uint64_t nth = 1; failed; nth++) {
            struct made_disk disk = made_disk_new(1);
            struct made *made = made_new(1, 0);
            sim_fail(disk.sim, faults[i], nth, ALS_STORAGE);
            struct segment_write_options options = {.tenant = S("t")};
            AUTO(segment_writer) writer = NULL;
            struct segment_facts facts;
            err code = segment_writer_open(disk.os, disk.dir, S("s"), options, &writer, NULL);
            for (int row = 0; row < 100 && code == ALS_OK; row++)
                code = segment_writer_add(writer, made_next(made), NULL);
            if (code == ALS_OK)
                code = segment_writer_finish(writer, &facts, NULL);
            failed = !sim_fault_pending(disk.sim);
            CHECK_ERR(failed ? ALS_STORAGE : ALS_OK, code);
            segment_writer_close(MOVE(writer));
            free(made);
            made_disk_end(&disk);
        }
    }
}

TEST(segment_open_passes_on_what_fails_below)
{
    static const unsigned faults[] = {SIM_FAIL_OPEN, SIM_FAIL_READ, SIM_FAIL_MAP};
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, 50);
    struct segment *segment = NULL;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        sim_fail(disk.sim, faults[i], 1, ALS_STORAGE);
        CHECK_ERR(ALS_STORAGE, segment_open(disk.os, disk.dir, S("s"), disk.cache, &segment, NULL));
        CHECK(!sim_fault_pending(disk.sim));
    }
    CHECK_ERR(ALS_NOT_FOUND,
              segment_open(disk.os, disk.dir, S("none"), disk.cache, &segment, NULL));
    made_disk_end(&disk);
}

TEST(segment_that_is_finished_survives_a_power_cut)
{
    struct made_disk disk = made_disk_new(1);
    made_write(&disk, 3, 0, 50);
    CHECK_OK(disk.os->dir_sync(disk.dir, NULL)); // the name is the caller's business
    struct made_disk after = {.sim = sim_crash(disk.sim, 1, SIM_DROP),
                              .cache = segment_cache_new(MIB(1))};
    after.os = sim_os(after.sim);
    CHECK_OK(after.os->dir_open(after.os, NULL, S("segments"), false, &after.dir, NULL));
    struct segment *segment = made_open(&after);
    CHECK_OK(segment_verify(segment, NULL, NULL, NULL));
    segment_close(segment);
    made_disk_end(&after);
    made_disk_end(&disk);
}

struct syncs {
    uint64_t count, space, most; // the most that one had to write
};

static void see_sync(void *context, struct sim *sim, const char *call, str name)
{
    struct syncs *syncs = context;
    (void)name;
    if (strcmp(call, "sync") != 0)
        return;
    uint64_t gain = sim_space(sim) - syncs->space;
    syncs->count++;
    syncs->space += gain;
    syncs->most = gain > syncs->most ? gain : syncs->most;
}

TEST(segment_writer_syncs_a_long_file_on_the_way)
{
    struct made_disk disk = made_disk_new(1);
    struct syncs syncs = {.count = 0};
    sim_set_hook(disk.sim, see_sync, &syncs);
    made_write(&disk, 1, 0, 8 * GROUP_ROWS);
    CHECK(syncs.space > MIB(16) && syncs.count >= 2);
    CHECK(syncs.most < MIB(12));
    made_disk_end(&disk);
}

TEST(segment_holds_the_longest_payload_an_event_may_have)
{
    struct made_disk disk = made_disk_new(1);
    char *payload = malloc(REQUEST_BYTES_MAX);
    CHECK(payload);
    struct rand rand = {1};
    for (uint64_t i = 0; i < REQUEST_BYTES_MAX; i++)
        payload[i] = (char)('a' + (i % 4096 ? i % 7 : rand_below(&rand, 20)));
    AUTO(segment_writer) writer = NULL;
    struct segment_write_options options = {.tenant = S("t")};
    CHECK_OK(segment_writer_open(disk.os, disk.dir, S("s"), options, &writer, NULL));
    struct als_event event = {.position = 1, .entity = S("e"), .type = S("t"), .payload = S("{}")};
    CHECK_OK(segment_writer_add(writer, &event, NULL));
    event.position = 5;
    event.payload = (str){payload, REQUEST_BYTES_MAX};
    CHECK_OK(segment_writer_add(writer, &event, NULL));
    event.position = 6;
    event.payload = S("{}");
    CHECK_OK(segment_writer_add(writer, &event, NULL));
    CHECK_OK(segment_writer_finish(writer, &disk.facts, NULL));
    segment_writer_close(MOVE(writer));
    struct segment *segment = made_open(&disk);
    CHECK_OK(segment_verify(segment, NULL, NULL, NULL));
    AUTO(segment_reader) reader = segment_reader_new();
    struct als_event got = {};
    CHECK_OK(segment_read(reader, segment, 1, NULL, &got, NULL));
    CHECK(str_equal((str){payload, REQUEST_BYTES_MAX}, got.payload));
    segment_reader_reset(reader);
    segment_close(segment);
    free(payload);
    made_disk_end(&disk);
}
