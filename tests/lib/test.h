// SPDX-License-Identifier: Apache-2.0
// Tests that register themselves. A test's name is the sentence it proves:
//
//   TEST(wal_keeps_every_acknowledged_batch_across_power_cuts) { ... CHECK(...); }
//
// One program a room; `build/dev/wal_test torn` runs the tests whose name contains "torn". A failed
// CHECK prints both sides, ends its test and makes the program fail.
#pragma once

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdio.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};

void test_register(struct test *test);
_Noreturn void test_fail(const char *file, int line, const char *format, ...) ALS_PRINTF(3, 4);

// Bytes for the message: printable, cut.
const char *test_text(str text);

#define TEST(name_)                                                                                \
    static void test_##name_(void);                                                                \
    __attribute__((constructor)) static void register_##name_(void)                                \
    {                                                                                              \
        static struct test test = {.name = #name_, .run = test_##name_};                           \
        test_register(&test);                                                                      \
    }                                                                                              \
    static void test_##name_(void)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, "%s", #condition);                                       \
    } while (0)

#define CHECK_ERR(expected, call)                                                                  \
    do {                                                                                           \
        err test_want_ = (expected), test_got_ = (call);                                           \
        if (test_want_ != test_got_)                                                               \
            test_fail(__FILE__, __LINE__, "%s is %s, expected %s", #call, err_code(test_got_),     \
                      err_code(test_want_));                                                       \
    } while (0)

#define CHECK_OK(call) CHECK_ERR(ALS_OK, call)

// Integers of any width, compared as they print.
#define CHECK_EQUAL(expected, actual)                                                              \
    do {                                                                                           \
        long long test_want_ = (long long)(expected), test_got_ = (long long)(actual);             \
        if (test_want_ != test_got_)                                                               \
            test_fail(__FILE__, __LINE__, "%s is %lld, expected %lld", #actual, test_got_,         \
                      test_want_);                                                                 \
    } while (0)

#define CHECK_STR(expected, actual)                                                                \
    do {                                                                                           \
        str test_want_ = (expected), test_got_ = (actual);                                         \
        if (!str_equal(test_want_, test_got_)) {                                                   \
            fprintf(stderr, "    expected: %s\n", test_text(test_want_));                          \
            fprintf(stderr, "    actual:   %s\n", test_text(test_got_));                           \
            test_fail(__FILE__, __LINE__, "%s", #actual);                                          \
        }                                                                                          \
    } while (0)

// Seeds 1 to `count`; ALLSOURCE_SEED=n in the environment runs only that one. The seed of a failure
// is printed.
uint64_t test_seed_first(void);
uint64_t test_seed_last(uint64_t count);
void test_seed_begin(uint64_t seed);
#define FOR_EACH_SEED(seed, count)                                                                 \
    for (uint64_t seed = test_seed_first(); seed <= test_seed_last(count); seed++)                 \
        if (test_seed_begin(seed), 1)

// A fresh directory below the build folder's scratch space; removed when the program ends well.
const char *test_directory(void);
