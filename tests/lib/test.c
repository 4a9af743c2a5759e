// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct test *tests;
static jmp_buf escape;
static uint64_t seed_now;

enum { DIRECTORIES_MAX = 512 };
static char directories[DIRECTORIES_MAX][128];
static int directory_count;

void test_register(struct test *test)
{
    struct test **at = &tests;
    while (*at)
        at = &(*at)->next; // the order of the file
    *at = test;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "  %s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (seed_now)
        fprintf(stderr, " [seed %llu]", (unsigned long long)seed_now);
    fputc('\n', stderr);
    longjmp(escape, 1);
}

const char *test_text(str text)
{
    static char space[2][600];
    static int turn;
    char *out = space[turn++ & 1];
    size_t at = 0;
    for (size_t i = 0; i < text.len && at < sizeof space[0] - 8; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            at += (size_t)snprintf(out + at, 5, "\\x%02x", c);
        else
            out[at++] = (char)c;
    }
    snprintf(out + at, 8, at < text.len ? "..." : "");
    return out;
}

static uint64_t seed_asked(void)
{
    const char *text = getenv("ALLSOURCE_SEED");
    return text ? strtoull(text, NULL, 10) : 0;
}

uint64_t test_seed_first(void)
{
    return seed_asked() ? seed_asked() : 1;
}

uint64_t test_seed_last(uint64_t count)
{
    return seed_asked() ? seed_asked() : count;
}

void test_seed_begin(uint64_t seed)
{
    seed_now = seed;
}

const char *test_directory(void)
{
    if (directory_count == DIRECTORIES_MAX)
        abort();
    const char *base = getenv("TMPDIR");
    char *path = directories[directory_count++];
    snprintf(path, sizeof directories[0], "%s/allsource-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path))
        abort();
    return path;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

// False when a CHECK jumped out of it.
static bool run_one(const struct test *test)
{
    seed_now = 0;
    if (setjmp(escape))
        return false;
    test->run();
    return true;
}

int main(int count, char **words)
{
    int passed = 0, failed = 0;
    for (struct test *test = tests; test; test = test->next) {
        bool wanted = count < 2;
        for (int i = 1; i < count; i++)
            wanted |= strstr(test->name, words[i]) != NULL;
        if (!wanted)
            continue;
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        bool ok = run_one(test);
        clock_gettime(CLOCK_MONOTONIC, &end);
        double seconds =
            (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
        *(ok ? &passed : &failed) += 1;
        if (!ok)
            printf("FAILED %s\n", test->name);
        else if (seconds > 1)
            printf("%6.1f s %s\n", seconds, test->name);
        fflush(stdout);
    }
    if (failed == 0)
        for (int i = 0; i < directory_count; i++)
            nftw(directories[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
