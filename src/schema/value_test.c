// SPDX-License-Identifier: Apache-2.0
// Numbers as decimals, values by what they mean.
#include "base/limits.h"
#include "base/rand.h"
#include "schema/number.h"
#include "schema/value.h"
#include "test.h"

#include <stdlib.h>

static bool divides(const char *divisor_text, const char *number)
{
    struct arena arena;
    arena_init(&arena, 4096, 1 << 16);
    struct divisor *divisor;
    CHECK_OK(divisor_make(str_of(divisor_text), &arena, &divisor, NULL));
    bool answer = divisor_divides(divisor, str_of(number));
    arena_deinit(&arena);
    return answer;
}

// A multiple of a divisor is one however both are spelt, and its neighbour in the last place is
// none.
TEST(number_multiples_are_told_from_their_neighbours)
{
    FOR_EACH_SEED(seed, 2000) {
        struct rand rand = {seed};
        char divisor[64], multiple[64], neighbour[64];
        int64_t d = 2 + (int64_t)rand_below(&rand, 1000000),
                k = (int64_t)rand_below(&rand, 1000000);
        int places = (int)rand_below(&rand, 12), shift = (int)rand_below(&rand, 5);
        (void)snprintf(divisor, sizeof divisor, "%llde-%d", (long long)d, places);
        (void)snprintf(multiple, sizeof multiple, "%s%lld.%0*de-%d", seed % 2 ? "-" : "",
                       (long long)(d * k), shift + 1, 0, places);
        (void)snprintf(neighbour, sizeof neighbour, "%llde-%d", (long long)(d * k + 1), places);
        CHECK(divides(divisor, multiple));
        CHECK(!divides(divisor, neighbour));
    }
}

TEST(number_divisors_of_many_digits_agree_with_small_ones_times_a_factor)
{
    FOR_EACH_SEED(seed, 500) {
        struct rand rand = {seed};
        // d * (10^40 + 1) divides k * (10^40 + 1) exactly when d divides k.
        unsigned d = 1 + (unsigned)rand_below(&rand, 50), k = (unsigned)rand_below(&rand, 5000);
        char divisor[100], number[100];
        (void)snprintf(divisor, sizeof divisor, "%u%040u", d, d);
        (void)snprintf(number, sizeof number, "%u%040u", k, k);
        CHECK_EQUAL(k % d == 0, divides(divisor, number));
    }
}

TEST(number_integers_and_counts_are_known_in_every_spelling)
{
    static const struct {
        const char *text;
        bool integer;
        bool count;
        uint64_t value;
    } rows[] = {
        {"0", true, true, 0},
        {"-0", true, true, 0},
        {"-0.00e7", true, true, 0},
        {"1", true, true, 1},
        {"1.0", true, true, 1},
        {"10e-1", true, true, 1},
        {"0.1e1", true, true, 1},
        {"1e3", true, true, 1000},
        {"1e-1", false, false, 0},
        {"1.5", false, false, 0},
        {"1.50e1", true, true, 15},
        {"1.55e1", false, false, 0},
        {"-3", true, false, 0},
        {"1e400", true, true, UINT64_MAX},
        {"1e-400", false, false, 0},
        {"9999999999999999999", true, true, 9999999999999999999u},
        {"99999999999999999999", true, true, UINT64_MAX},
        {"1e99999999999999999999999", true, true, UINT64_MAX},
        {"1e-99999999999999999999999", false, false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t value = 0;
        CHECK_EQUAL(rows[i].integer, number_is_integer(str_of(rows[i].text)));
        CHECK_EQUAL(rows[i].count, number_to_count(str_of(rows[i].text), &value));
        CHECK_EQUAL(rows[i].value, value);
    }
}

// ---- Values

static bool compared(const char *a, const char *b, bool *ret_same_hash)
{
    struct arena arena;
    struct json_doc docs[2];
    uint64_t hashes[2];
    const char *texts[2] = {a, b};
    arena_init(&arena, 1 << 16, 1 << 24);
    struct value_work work = {.steps = 1000000, .arena = &arena};
    for (int i = 0; i < 2; i++) {
        struct json_options options = {.span_depth = UINT32_MAX};
        CHECK_OK(json_parse(str_of(texts[i]), options, &arena, &docs[i], NULL, NULL));
        hashes[i] = value_hash((struct value){&docs[i], json_root(&docs[i])}, &work);
    }
    struct value left = {&docs[0], json_root(&docs[0])}, right = {&docs[1], json_root(&docs[1])};
    bool equal = value_equal(left, right, &work);
    CHECK_EQUAL(equal, value_equal(right, left, &work));
    CHECK(work.steps > 0);
    *ret_same_hash = hashes[0] == hashes[1];
    arena_deinit(&arena);
    return equal;
}

TEST(values_are_equal_by_meaning_and_hash_alike)
{
    static const char *const rows[][2] = {
        {"1", "1.0"},
        {"1e2", "100"},
        {"-0", "0.0e5"},
        {"1e400", "10e399"},
        {"\"a\\u0062\\n\"", "\"ab\\u000a\""},
        {"[1,[2,{}]]", "[1.0, [2, {}]]"},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"\\u0061\":1}"},
        {"{\"a\":1}", "{\"a\":7,\"a\":1}"},
        {"{\"a\":7,\"b\":{},\"a\":1}", "{\"a\":1,\"b\":1,\"b\":{}}"},
        {"{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1}",
         "{\"9\":1,\"8\":1,\"7\":1,\"6\":1,\"5\":1,\"4\":1,\"3\":1,\"2\":1,\"1\":5,\"1\":1}"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool same_hash;
        CHECK(compared(rows[i][0], rows[i][1], &same_hash));
        CHECK(same_hash);
    }
}

TEST(values_that_differ_are_not_equal)
{
    static const char *const rows[][2] = {
        {"1", "2"},
        {"1", "\"1\""},
        {"0", "false"},
        {"null", "false"},
        {"[]", "{}"},
        {"[1,2]", "[2,1]"},
        {"[1]", "[1,1]"},
        {"{\"a\":1}", "{\"a\":2}"},
        {"{}", "{\"a\":1}"},
        {"{\"a\":1}", "{\"b\":1}"},
        {"\"a\"", "\"A\""},
        {"1e400", "1e401"},
        {"{\"a\":1,\"a\":2}", "{\"a\":1}"},
        {"{\"a\":1,\"b\":1}", "{\"a\":1,\"c\":1}"},
        {"\"\"", "\"\\u0000\""},
        {"0.1", "0.1000000000000000055511151231257827"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool same_hash;
        CHECK(!compared(rows[i][0], rows[i][1], &same_hash));
    }
}

TEST(value_hashes_of_long_strings_do_not_depend_on_their_escapes)
{
    for (size_t len = 0; len < 1200; len += 37) {
        struct buf plain, escaped;
        buf_init(&plain, 1 << 16);
        buf_init(&escaped, 1 << 16);
        buf_put_char(&plain, '"');
        buf_put_char(&escaped, '"');
        for (size_t i = 0; i < len; i++) {
            unsigned char c = (unsigned char)('a' + i % 26);
            buf_put_char(&plain, (char)c);
            buf_printf(&escaped, i % 3 ? "%c" : "\\u%04x", c);
        }
        buf_put(&plain, "\xf0\x9f\x90\xb2\"", 6); // with its zero
        buf_put(&escaped, "\\ud83d\\udc32\"", 14);
        bool same_hash;
        CHECK(compared(plain.ptr, escaped.ptr, &same_hash));
        CHECK(same_hash);
        buf_deinit(&plain);
        buf_deinit(&escaped);
    }
}
