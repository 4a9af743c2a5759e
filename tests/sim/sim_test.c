// SPDX-License-Identifier: Apache-2.0
// The simulator itself: if the disk forgave too much, every proof made on it would be worth less.
#include "sim.h"
#include "test.h"

static struct os_dir *open_data(struct sim *sim)
{
    struct os *os = sim_os(sim);
    struct os_dir *dir = NULL;
    CHECK_OK(os->dir_open(os, NULL, S("data"), true, &dir, NULL));
    return dir;
}

static struct os_file *make_file(struct sim *sim, struct os_dir *dir, str name, str content)
{
    struct os *os = sim_os(sim);
    struct os_file *file = NULL;
    CHECK_OK(os->file_open(dir, name, OS_CREATE, &file, NULL));
    CHECK_OK(os_write_one(os, file, 0, content, NULL));
    return file;
}

// What a file of the machine reads as; "-" when there is no such file.
static str content(struct sim *sim, str name)
{
    static char space[4096];
    struct os *os = sim_os(sim);
    struct os_dir *dir = open_data(sim);
    struct os_file *file = NULL;
    size_t size = 0;
    err code = os->file_open(dir, name, OS_READ, &file, NULL);
    if (code == ALS_OK)
        CHECK_OK(os->file_read(file, 0, space, sizeof space, &size, NULL));
    os->file_close(file);
    os->dir_close(dir);
    return code == ALS_OK ? (str){space, size} : S("-");
}

TEST(a_file_that_is_synced_without_its_directory_loses_its_name)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = open_data(sim);
    struct os_file *file = make_file(sim, dir, S("a"), S("text"));
    CHECK_OK(os->file_sync(file, NULL));
    {
        AUTO(sim) after = sim_crash(sim, 1, SIM_DROP);
        CHECK_STR(S("-"), content(after, S("a")));
    }
    CHECK_OK(os->dir_sync(dir, NULL));
    AUTO(sim) after = sim_crash(sim, 1, SIM_DROP);
    CHECK_STR(S("text"), content(after, S("a")));
    os->file_close(file);
    os->dir_close(dir);
}

TEST(a_rename_does_not_keep_the_bytes)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = open_data(sim);
    struct os_file *file = make_file(sim, dir, S("a"), S("text"));
    CHECK_OK(os->dir_rename(dir, S("a"), S("b"), NULL));
    CHECK_OK(os->dir_sync(dir, NULL));
    AUTO(sim) after = sim_crash(sim, 1, SIM_DROP);
    CHECK_STR(S("-"), content(after, S("a")));
    CHECK_STR(S(""), content(after, S("b")));
    os->file_close(file);
    os->dir_close(dir);
}

TEST(a_failed_sync_forgets_and_a_second_one_says_all_is_well)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = open_data(sim);
    struct os_file *file = make_file(sim, dir, S("a"), S("old!"));
    CHECK_OK(os->file_sync(file, NULL));
    CHECK_OK(os->dir_sync(dir, NULL));
    CHECK_OK(os_write_one(os, file, 0, S("new!"), NULL));
    sim_fail(sim, SIM_FAIL_SYNC, 1, ALS_STORAGE);
    CHECK_ERR(ALS_STORAGE, os->file_sync(file, NULL));
    CHECK_OK(os->file_sync(file, NULL));

    CHECK_STR(S("new!"), content(sim, S("a")));
    {
        AUTO(sim) killed = sim_crash(sim, 1, SIM_KILL);
        CHECK_STR(S("new!"), content(killed, S("a"))); // still only in the page cache
        AUTO(sim) cut = sim_crash(killed, 1, SIM_DROP);
        CHECK_STR(S("old!"), content(cut, S("a")));
    }
    AUTO(sim) cut = sim_crash(sim, 1, SIM_DROP);
    CHECK_STR(S("old!"), content(cut, S("a")));
    os->file_close(file);
    os->dir_close(dir);
}

TEST(a_mapping_stays_in_place_and_shows_what_is_written_while_the_file_grows)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = open_data(sim);
    struct os_file *file = make_file(sim, dir, S("a"), S("0123456789"));
    const uint8_t *bytes = NULL;
    CHECK_OK(os->file_map(file, 10, &bytes, NULL));
    for (uint64_t size = 1000; size < 1'000'000; size *= 10) {
        CHECK_OK(os->file_truncate(file, size, NULL));
        CHECK_OK(os_write_one(os, file, 2, (str){(const char *)&size, 8}, NULL));
        CHECK(memcmp(bytes + 2, &size, 8) == 0);
    }
    os->file_unmap(os, bytes, 10);
    os->file_close(file);
    os->dir_close(dir);
}

TEST(the_chosen_crashes_are_all_there_are)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = open_data(sim);
    struct os_file *file = make_file(sim, dir, S("a"), S("...."));
    CHECK_OK(os->file_sync(file, NULL));
    CHECK_OK(os->dir_sync(dir, NULL));
    for (uint64_t i = 0; i < 3; i++)
        CHECK_OK(os_write_one(os, file, i, S("x"), NULL));
    CHECK_EQUAL(3, sim_pending(sim));
    for (uint64_t mask = 0; mask < 8; mask++) {
        AUTO(sim) after = sim_crash(sim, mask, SIM_CHOSEN);
        char expected[] = "....";
        for (int i = 0; i < 3; i++)
            expected[i] = mask >> i & 1 ? 'x' : '.';
        CHECK_STR(str_of(expected), content(after, S("a")));
    }
    os->file_close(file);
    os->dir_close(dir);
}

TEST(a_torn_write_keeps_whole_sectors_and_never_anything_else)
{
    static char big[4 * 512];
    memset(big, 'x', sizeof big);
    bool torn = false;
    FOR_EACH_SEED(seed, 100) {
        AUTO(sim) sim = sim_new(seed);
        struct os *os = sim_os(sim);
        struct os_dir *dir = open_data(sim);
        struct os_file *file = make_file(sim, dir, S("a"), S(""));
        CHECK_OK(os->dir_sync(dir, NULL));
        CHECK_OK(os_write_one(os, file, 0, (str){big, sizeof big}, NULL));
        AUTO(sim) after = sim_crash(sim, seed, SIM_TORN);
        str read = content(after, S("a"));
        for (size_t at = 0; at < read.len; at += 512) {
            CHECK(read.ptr[at] == 'x' || read.ptr[at] == 0);
            CHECK(memcmp(read.ptr + at, read.ptr + at + 1, 511) == 0);
            torn |= at > 0 && read.ptr[at] != read.ptr[at - 1];
        }
        os->file_close(file);
        os->dir_close(dir);
    }
    CHECK(torn);
}

TEST(a_full_disk_takes_what_fits_and_gives_space_back)
{
    static char big[1024];
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = open_data(sim);
    sim_set_capacity(sim, 1100); // two sectors
    struct os_file *file = make_file(sim, dir, S("a"), S("12345"));
    struct als_why why;
    CHECK_ERR(ALS_STORAGE_FULL, os_write_one(os, file, 5, (str){big, sizeof big}, &why));
    CHECK_STR(S("write 'a': no space left"), str_of(why.text));
    CHECK_EQUAL(1024, sim_space(sim));
    CHECK_EQUAL(1024, content(sim, S("a")).len);
    CHECK_ERR(ALS_STORAGE_FULL, os->file_allocate(file, 1025, NULL));
    CHECK_OK(os->file_truncate(file, 9000, NULL)); // a hole takes nothing
    CHECK_OK(os->file_truncate(file, 3, NULL));
    CHECK_EQUAL(512, sim_space(sim));
    CHECK_OK(os_write_one(os, file, 3, (str){big, 1021}, NULL));
    os->file_close(file);
    os->dir_close(dir);
}

TEST(the_nth_call_of_a_kind_fails_once)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = open_data(sim);
    struct os_file *file = make_file(sim, dir, S("a"), S("x"));
    sim_fail(sim, SIM_FAIL_WRITE, 2, ALS_STORAGE);
    CHECK_OK(os->file_sync(file, NULL));
    CHECK_OK(os_write_one(os, file, 0, S("1"), NULL));
    CHECK(sim_fault_pending(sim));
    CHECK_ERR(ALS_STORAGE, os_write_one(os, file, 0, S("2"), NULL));
    CHECK(!sim_fault_pending(sim));
    CHECK_OK(os_write_one(os, file, 1, S("3"), NULL));
    CHECK_STR(S("13"), content(sim, S("a")));
    os->file_close(file);
    os->dir_close(dir);
}

TEST(a_lock_is_held_by_one_and_dies_with_the_process)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = open_data(sim);
    struct os_file *lock = NULL, *second = NULL;
    CHECK_OK(os->dir_lock(dir, S("LOCK"), &lock, NULL));
    CHECK_ERR(ALS_LOCKED, os->dir_lock(dir, S("LOCK"), &second, NULL));
    {
        AUTO(sim) after = sim_crash(sim, 1, SIM_KILL);
        struct os_dir *again = open_data(after);
        CHECK_OK(sim_os(after)->dir_lock(again, S("LOCK"), &second, NULL));
        sim_os(after)->file_close(second);
        sim_os(after)->dir_close(again);
    }
    os->file_close(lock);
    CHECK_OK(os->dir_lock(dir, S("LOCK"), &lock, NULL));
    os->file_close(lock);
    os->dir_close(dir);
}
