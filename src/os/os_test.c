// SPDX-License-Identifier: Apache-2.0
// The POSIX form on the real disk below us.
#include "os/os.h"

#include "test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct os_dir *scratch(void)
{
    struct os *os = os_posix();
    struct os_dir *dir = NULL;
    CHECK_OK(os->dir_open(os, NULL, str_of(test_directory()), false, &dir, NULL));
    return dir;
}

static struct os_file *make(struct os_dir *dir, str name, str content)
{
    struct os *os = os_posix();
    struct os_file *file = NULL;
    CHECK_OK(os->file_open(dir, name, OS_CREATE, &file, NULL));
    CHECK_OK(os_write_one(os, file, 0, content, NULL));
    return file;
}

static str read_all(struct os_file *file)
{
    static char space[65536];
    size_t size = 0;
    CHECK_OK(os_posix()->file_read(file, 0, space, sizeof space, &size, NULL));
    return (str){space, size};
}

TEST(a_directory_is_made_once_and_only_for_its_owner)
{
    struct os *os = os_posix();
    struct os_dir *top = scratch(), *dir = NULL;
    struct als_why why;
    CHECK_ERR(ALS_NOT_FOUND, os->dir_open(os, top, S("sub"), false, &dir, &why));
    CHECK(str_ends(str_of(why.text), S("/sub': No such file or directory")));
    CHECK(!dir);
    CHECK_OK(os->dir_open(os, top, S("sub"), true, &dir, NULL));
    os->dir_close(dir);
    CHECK_OK(os->dir_open(os, top, S("sub"), true, &dir, NULL));
    struct os_file *file = make(dir, S("a"), S("x"));

    struct stat info;
    char path[200];
    snprintf(path, sizeof path, "%s/p", test_directory());
    struct os_dir *private = NULL;
    CHECK_OK(os->dir_open(os, NULL, str_of(path), true, &private, NULL));
    CHECK(stat(path, &info) == 0);
    CHECK_EQUAL(0700, info.st_mode & 0777);
    os->dir_close(private);
    os->file_close(file);
    os->dir_close(dir);
    os->dir_close(top);
}

TEST(a_link_is_not_followed_below_the_data_directory)
{
    struct os *os = os_posix();
    const char *path = test_directory();
    char link[200];
    snprintf(link, sizeof link, "%s/escape", path);
    CHECK(symlink("/etc", link) == 0);
    snprintf(link, sizeof link, "%s/file", path);
    CHECK(symlink("/etc/hostname", link) == 0);
    struct os_dir *top = NULL, *dir = NULL;
    struct os_file *file = NULL;
    CHECK_OK(os->dir_open(os, NULL, str_of(path), false, &top, NULL));
    CHECK_ERR(ALS_STORAGE, os->dir_open(os, top, S("escape"), false, &dir, NULL));
    CHECK_ERR(ALS_STORAGE, os->file_open(top, S("file"), OS_READ, &file, NULL));
    CHECK_ERR(ALS_STORAGE, os->file_open(top, S("file"), OS_CREATE_OPEN, &file, NULL));
    CHECK_ERR(ALS_STORAGE, os->dir_lock(top, S("file"), &file, NULL));
    os->dir_close(top);
}

TEST(files_open_in_the_way_that_was_asked_for)
{
    struct os *os = os_posix();
    struct os_dir *dir = scratch();
    struct os_file *file = NULL;
    CHECK_ERR(ALS_NOT_FOUND, os->file_open(dir, S("a"), OS_READ, &file, NULL));
    CHECK_ERR(ALS_NOT_FOUND, os->file_open(dir, S("a"), OS_READ_WRITE, &file, NULL));
    CHECK_OK(os->file_open(dir, S("a"), OS_CREATE, &file, NULL));
    os->file_close(file);
    CHECK_ERR(ALS_STORAGE, os->file_open(dir, S("a"), OS_CREATE, &file, NULL));
    CHECK_OK(os->file_open(dir, S("a"), OS_CREATE_OPEN, &file, NULL));
    CHECK_OK(os_write_one(os, file, 0, S("x"), NULL));
    os->file_close(file);
    CHECK_OK(os->file_open(dir, S("a"), OS_READ, &file, NULL));
    struct als_why why;
    CHECK_ERR(ALS_STORAGE, os_write_one(os, file, 0, S("y"), &why));
    CHECK(str_starts(str_of(why.text), S("write '")));
    os->file_close(file);
    os->dir_close(dir);
}

TEST(slices_are_written_one_behind_the_other_however_many)
{
    enum { SLICES = 3000 }; // more than the system takes at once
    static char text[SLICES];
    static str slices[SLICES];
    for (int i = 0; i < SLICES; i++) {
        text[i] = (char)('a' + i % 26);
        slices[i] = (str){text + i, i % 7 != 0};
    }
    struct os *os = os_posix();
    struct os_dir *dir = scratch();
    struct os_file *file = make(dir, S("a"), S("head"));
    CHECK_OK(os->file_write(file, 4, slices, SLICES, NULL));
    str read = read_all(file);
    CHECK(str_starts(read, S("head")));
    size_t at = 4;
    for (int i = 0; i < SLICES; i++)
        if (i % 7 != 0)
            CHECK(read.ptr[at++] == text[i]);
    CHECK_EQUAL(at, read.len);
    os->file_close(file);
    os->dir_close(dir);
}

TEST(a_mapping_shows_later_writes_and_outlives_its_file)
{
    struct os *os = os_posix();
    struct os_dir *dir = scratch();
    struct os_file *file = make(dir, S("a"), S("before"));
    CHECK_OK(os->file_allocate(file, 8192, NULL));
    const uint8_t *bytes = NULL;
    CHECK_OK(os->file_map(file, 8192, &bytes, NULL));
    CHECK(memcmp(bytes, "before\0", 7) == 0);
    CHECK_OK(os_write_one(os, file, 5000, S("after"), NULL));
    os->file_close(file);
    CHECK(memcmp(bytes + 5000, "after", 5) == 0);
    os->file_unmap(os, bytes, 8192);
    os->file_unmap(os, NULL, 0);
    os->dir_close(dir);
}

TEST(a_mapping_that_was_forgotten_reads_as_before_and_so_does_its_surrounding)
{
    enum { PAGES = 4, PAGE = 4096 };
    struct os *os = os_posix();
    struct os_dir *dir = scratch();
    struct os_file *file = make(dir, S("a"), S(""));
    static char content[PAGES * PAGE - 100];
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (char)(i % 251);
    CHECK_OK(os_write_one(os, file, 0, (str){content, sizeof content}, NULL));
    const uint8_t *bytes = NULL;
    CHECK_OK(os->file_map(file, sizeof content, &bytes, NULL));
    CHECK(memcmp(bytes, content, sizeof content) == 0);
    for (uint64_t start = 0; start < sizeof content; start += 1000)
        for (uint64_t end = start; end <= sizeof content; end += 3001) {
            os->file_forget(os, bytes + start, end - start);
            os->file_hint(os, bytes + start, end - start,
                          start % 2 ? OS_HINT_SOON : OS_HINT_RANDOM);
            CHECK(memcmp(bytes, content, sizeof content) == 0);
        }
    os->file_unmap(os, bytes, sizeof content);
    os->file_close(file);
    os->dir_close(dir);
}

// Of one mapping, as the system says.
static uint64_t resident_bytes(const uint8_t *bytes)
{
    char line[256], begin[32];
    unsigned long long kib = 0;
    bool inside = false;
    FILE *list = fopen("/proc/self/smaps", "r");
    CHECK(list != NULL);
    (void)snprintf(begin, sizeof begin, "%llx-", (unsigned long long)(uintptr_t)bytes);
    while (fgets(line, sizeof line, list)) {
        inside |= strncmp(line, begin, strlen(begin)) == 0;
        if (!inside || strncmp(line, "Rss:", 4) != 0)
            continue;
        kib = strtoull(line + 4, NULL, 10);
        break;
    }
    (void)fclose(list);
    CHECK(inside);
    return kib << 10;
}

TEST(where_one_byte_is_looked_at_little_of_a_file_that_was_written_to_be_mapped_is_resident)
{
    enum { LOOKS = 16, APART = 1 << 20, SIZE = LOOKS * APART };
    struct os *os = os_posix();
    struct os_dir *dir = scratch();
    struct os_file *file = make(dir, S("a"), S(""));
    char *content = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (char)(i % 251);
    CHECK_OK(os_write_one(os, file, 0, S("begin"), NULL));
    CHECK_OK(os_write_mapped(os, file, 5, (str){content, SIZE}, NULL));
    const uint8_t *bytes = NULL;
    CHECK_OK(os->file_map(file, 5 + SIZE, &bytes, NULL));
    os->file_hint(os, bytes, 5 + SIZE, OS_HINT_RANDOM);
    unsigned sum = 0;
    for (size_t at = APART / 2; at < SIZE; at += APART)
        sum += bytes[at];
    CHECK(sum > 0);
    CHECK(resident_bytes(bytes) <= (uint64_t)LOOKS * MAPPED_PIECE_BYTES);
    CHECK(memcmp(bytes, "begin", 5) == 0 && memcmp(bytes + 5, content, SIZE) == 0);
    os->file_unmap(os, bytes, 5 + SIZE);
    os->file_close(file);
    os->dir_close(dir);
    free(content);
}

TEST(sizes_change_as_told_and_what_is_new_reads_as_zeros)
{
    struct os *os = os_posix();
    struct os_dir *dir = scratch();
    struct os_file *file = make(dir, S("a"), S("0123456789"));
    uint64_t size = 0;
    CHECK_OK(os->file_truncate(file, 4, NULL));
    CHECK_OK(os->file_truncate(file, 6, NULL));
    CHECK_STR(((str){"0123\0\0", 6}), read_all(file));
    CHECK_OK(os->file_allocate(file, 3, NULL)); // never shorter
    CHECK_OK(os->file_size(file, &size, NULL));
    CHECK_EQUAL(6, size);
    CHECK_OK(os->file_allocate(file, 100, NULL));
    CHECK_OK(os->file_size(file, &size, NULL));
    CHECK_EQUAL(100, size);
    CHECK_OK(os->file_sync(file, NULL));
    size_t got = 7;
    CHECK_OK(os->file_read(file, 100, (char[4]){}, 4, &got, NULL));
    CHECK_EQUAL(0, got);
    os->file_close(file);
    os->dir_close(dir);
}

static bool count_entry(void *context, const struct os_entry *entry)
{
    unsigned *seen = context;
    if (str_equal(entry->name, S("file")) && !entry->directory)
        *seen |= 1;
    else if (str_equal(entry->name, S("dir")) && entry->directory)
        *seen |= 2;
    else
        *seen |= 4;
    return true;
}

static bool stop_at_once(void *context, const struct os_entry *entry)
{
    (void)entry;
    ++*(unsigned *)context;
    return false;
}

TEST(a_listing_has_each_entry_and_may_be_ended_early)
{
    struct os *os = os_posix();
    struct os_dir *dir = scratch(), *sub = NULL;
    os->file_close(make(dir, S("file"), S("")));
    CHECK_OK(os->dir_open(os, dir, S("dir"), true, &sub, NULL));
    os->dir_close(sub);
    for (int round = 0; round < 2; round++) {
        unsigned seen = 0;
        CHECK_OK(os->dir_list(dir, count_entry, &seen, NULL));
        CHECK_EQUAL(3, seen);
    }
    unsigned calls = 0;
    CHECK_OK(os->dir_list(dir, stop_at_once, &calls, NULL));
    CHECK_EQUAL(1, calls);
    os->dir_close(dir);
}

TEST(renaming_replaces_and_removing_removes)
{
    struct os *os = os_posix();
    struct os_dir *dir = scratch();
    struct os_file *file = NULL;
    os->file_close(make(dir, S("a"), S("new")));
    os->file_close(make(dir, S("b"), S("old")));
    CHECK_OK(os->dir_rename(dir, S("a"), S("b"), NULL));
    CHECK_OK(os->dir_sync(dir, NULL));
    CHECK_ERR(ALS_NOT_FOUND, os->dir_rename(dir, S("a"), S("b"), NULL));
    CHECK_OK(os->file_open(dir, S("b"), OS_READ, &file, NULL));
    CHECK_STR(S("new"), read_all(file));
    os->file_close(file);
    CHECK_OK(os->dir_unlink(dir, S("b"), NULL));
    CHECK_ERR(ALS_NOT_FOUND, os->dir_unlink(dir, S("b"), NULL));
    os->dir_close(dir);
}

TEST(a_link_is_a_second_name_that_outlives_the_first)
{
    struct os *os = os_posix();
    struct os_dir *dir = scratch(), *other = NULL;
    struct os_file *file = NULL;
    CHECK_OK(os->dir_open(os, dir, S("other"), true, &other, NULL));
    CHECK_ERR(ALS_NOT_FOUND, os->dir_link(dir, S("a"), other, NULL));
    os->file_close(make(dir, S("a"), S("content")));
    CHECK_OK(os->dir_link(dir, S("a"), other, NULL));
    CHECK_ERR(ALS_STORAGE, os->dir_link(dir, S("a"), other, NULL)); // it exists
    CHECK_OK(os->dir_unlink(dir, S("a"), NULL));
    CHECK_OK(os->file_open(other, S("a"), OS_READ, &file, NULL));
    CHECK_STR(S("content"), read_all(file));
    os->file_close(file);
    os->dir_close(other);
    os->dir_close(dir);
}

TEST(a_lock_is_held_by_one_opener_until_it_is_closed)
{
    struct os *os = os_posix();
    struct os_dir *dir = scratch();
    struct os_file *lock = NULL, *second = NULL;
    struct als_why why;
    CHECK_OK(os->dir_lock(dir, S("LOCK"), &lock, NULL));
    CHECK_ERR(ALS_LOCKED, os->dir_lock(dir, S("LOCK"), &second, &why));
    CHECK(str_ends(str_of(why.text), S("/LOCK' is held by another process")));
    os->file_close(lock);
    CHECK_OK(os->dir_lock(dir, S("LOCK"), &lock, NULL));
    os->file_close(lock);
    os->dir_close(dir);
}

// In a process of its own, since the limit cannot be taken back.
static int write_past_the_limit(void)
{
    static char page[8192];
    struct os *os = os_posix();
    struct os_dir *dir = scratch();
    struct os_file *file = make(dir, S("a"), S(""));
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {4096, 4096};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 2;
    uint64_t size = 0;
    bool full = os_write_one(os, file, 0, (str){page, sizeof page}, NULL) == ALS_STORAGE_FULL &&
                os->file_truncate(file, 8192, NULL) == ALS_STORAGE_FULL &&
                os->file_size(file, &size, NULL) == ALS_OK && size == 4096;
    limit = (struct rlimit){3, 3};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 2;
    struct os_file *more = NULL;
    bool none = os->file_open(dir, S("b"), OS_CREATE, &more, NULL) == ALS_NO_MEMORY;
    os->file_close(file);
    os->dir_close(dir);
    return full && none ? 0 : 1;
}

TEST(limits_of_the_system_have_their_codes_and_a_short_write_is_no_success)
{
    pid_t child = fork();
    if (child == 0)
        _exit(write_past_the_limit());
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(0, WEXITSTATUS(status));
}

TEST(clocks_go_on_and_entropy_does_not_repeat)
{
    struct os *os = os_posix();
    uint64_t before = os->monotonic_ns(os);
    CHECK(os->now_us(os) > 1'600'000'000'000'000);
    CHECK(os->monotonic_ns(os) >= before);
    uint8_t a[32] = {}, b[32] = {};
    os->entropy(os, a, sizeof a);
    os->entropy(os, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}
