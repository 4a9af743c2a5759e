// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/time.h"
#include "base/uuid.h"
#include "test.h"

static str formatted(int64_t us)
{
    static char text[TIME_TEXT_MAX];
    return (str){text, time_format(us, text)};
}

TEST(time_prints_the_fewest_of_0_3_or_6_digits)
{
    CHECK_STR(S("2023-11-14T22:13:20Z"), formatted(1700000000000000));
    CHECK_STR(S("2023-11-14T22:13:20.120Z"), formatted(1700000000120000));
    CHECK_STR(S("2023-11-14T22:13:20.000001Z"), formatted(1700000000000001));
    CHECK_STR(S("1969-12-31T23:59:59.999999Z"), formatted(-1));
    CHECK_STR(S("0000-01-01T00:00:00Z"), formatted(TIME_US_MIN));
    CHECK_STR(S("9999-12-31T23:59:59.999999Z"), formatted(TIME_US_MAX));
}

TEST(time_reads_what_the_contract_lists_and_nothing_else)
{
    static const struct {
        const char *text;
        const char *utc; // NULL: refused
    } rows[] = {
        {"2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z"},
        {"2025-01-01t00:00:00z", "2025-01-01T00:00:00Z"},
        {"2025-01-01 00:00:00Z", "2025-01-01T00:00:00Z"},
        {"2025-01-01T00:00:00UTC", "2025-01-01T00:00:00Z"},
        {"2025-01-01T00:00:00.1234567891234Z", "2025-01-01T00:00:00.123456Z"},
        {"2025-01-01T02:00:00+02:00", "2025-01-01T00:00:00Z"},
        {"2024-12-31T18:30:00-05:30", "2025-01-01T00:00:00Z"},
        {"2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
        {"2025-01-01", NULL},
        {"2025-01-01T00:00:00", NULL},
        {"2025-01-01T00:00:00 02:00", NULL},
        {"2025-01-01T00:00:00.Z", NULL},
        {"2025-02-29T00:00:00Z", NULL},
        {"2025-13-01T00:00:00Z", NULL},
        {"2025-00-01T00:00:00Z", NULL},
        {"2025-01-01T24:00:00Z", NULL},
        {"2025-01-01T00:60:00Z", NULL},
        {"2025-01-01T00:00:00+24:00", NULL},
        {"2025-01-01T00:00:00Zx", NULL},
        {"1735689600", NULL},
        {"", NULL},
        {"0000-01-01T00:00:00+01:00", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t us = 0;
        bool accepted = time_parse(str_of(rows[i].text), &us);
        if (accepted != (rows[i].utc != NULL))
            test_fail(__FILE__, __LINE__, "'%s' was %s", rows[i].text,
                      accepted ? "accepted" : "refused");
        if (accepted)
            CHECK_STR(str_of(rows[i].utc), formatted(us));
    }
}

TEST(time_survives_text_and_back)
{
    FOR_EACH_SEED(seed, 20'000) {
        struct rand rand = {seed};
        uint64_t span = (uint64_t)(TIME_US_MAX - TIME_US_MIN);
        int64_t us = TIME_US_MIN + (int64_t)rand_below(&rand, span);
        int64_t back = 0;
        CHECK(time_parse(formatted(us), &back));
        CHECK_EQUAL(us, back);
    }
}

TEST(uuid_is_read_in_every_usual_spelling)
{
    static const char *const same[] = {
        "3c5ea13d-cd9a-4eef-85c3-3678cd789c9b",
        "3C5EA13D-CD9A-4EEF-85C3-3678CD789C9B",
        "3c5ea13dcd9a4eef85c33678cd789c9b",
        "{3c5ea13d-cd9a-4eef-85c3-3678cd789c9b}",
        "urn:uuid:3c5ea13d-cd9a-4eef-85c3-3678cd789c9b",
    };
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        als_id id;
        char text[UUID_TEXT_LEN];
        CHECK(uuid_parse(str_of(same[i]), &id));
        uuid_format(id, text);
        CHECK_STR(S("3c5ea13d-cd9a-4eef-85c3-3678cd789c9b"), ((str){text, sizeof text}));
    }
    static const char *const bad[] = {"",
                                      "3c5ea13d-cd9a-4eef-85c3-3678cd789c9",
                                      "3c5ea13d-cd9a-4eef-85c33678cd789c9b-",
                                      "3c5ea13dxcd9a-4eef-85c3-3678cd789c9b",
                                      "gc5ea13dcd9a4eef85c33678cd789c9b",
                                      "{}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        als_id id;
        CHECK(!uuid_parse(str_of(bad[i]), &id));
    }
}

TEST(uuid_v7_begins_with_the_millisecond)
{
    uint8_t random[10] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    char text[UUID_TEXT_LEN];
    uuid_format(uuid_v7(0x0123456789abLL * 1000 + 999, random), text); // RFC 9562, 5.7
    CHECK_STR(S("01234567-89ab-7fff-bfff-ffffffffffff"), ((str){text, sizeof text}));
}

TEST(hash_is_the_same_with_and_without_wide_vectors)
{
    static uint8_t bytes[5000];
    struct rand rand = {8};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)rand_next(&rand);
    CHECK_EQUAL(UINT64_C(0x2d06800538d394c2), hash_bytes("", 0, 0)); // XXH3's own vector
    for (size_t len = 0; len + 8 <= sizeof bytes; len += 1 + len / 64) {
        uint64_t seed = len % 3 ? rand_next(&rand) : 0;
        CHECK_EQUAL(hash_bytes_portable(bytes + len % 8, len, seed),
                    hash_bytes(bytes + len % 8, len, seed));
    }
}

TEST(crc32c_gives_the_vectors_of_rfc_3720)
{
    uint8_t bytes[32] = {0};
    CHECK_EQUAL(0x8a9136aaU, crc32c(0, bytes, sizeof bytes));
    memset(bytes, 0xff, sizeof bytes);
    CHECK_EQUAL(0x62a8ab43U, crc32c(0, bytes, sizeof bytes));
    for (uint8_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i;
    CHECK_EQUAL(0x46dd794eU, crc32c(0, bytes, sizeof bytes));
    CHECK_EQUAL(0xe3069283U, crc32c(0, "123456789", 9));
}

TEST(crc32c_is_the_same_with_and_without_the_instruction_and_in_pieces)
{
    static uint8_t bytes[20000];
    struct rand rand = {7};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)rand_next(&rand);
    for (int round = 0; round < 2000; round++) {
        size_t start = rand_below(&rand, 100), len = rand_below(&rand, sizeof bytes - 100);
        size_t cut = rand_below(&rand, len + 1);
        uint32_t whole = crc32c(0, bytes + start, len);
        CHECK_EQUAL(crc32c_portable(0, bytes + start, len), whole);
        CHECK_EQUAL(whole, crc32c(crc32c(0, bytes + start, cut), bytes + start + cut, len - cut));
    }
}

TEST(utf8_refuses_surrogates_overlong_forms_and_cut_sequences)
{
    CHECK(str_is_utf8(S("plain, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80")));
    CHECK(str_is_utf8(S("\xf4\x8f\xbf\xbf")));
    CHECK(!str_is_utf8(S("\xed\xa0\x80")));
    CHECK(!str_is_utf8(S("\xc0\x80")));
    CHECK(!str_is_utf8(S("\xe0\x80\x80")));
    CHECK(!str_is_utf8(S("\xf4\x90\x80\x80")));
    CHECK(!str_is_utf8(S("\xe2\x82")));
    CHECK(!str_is_utf8(S("\x80")));
    CHECK(!str_is_utf8(S("\xff")));
}

TEST(numbers_are_read_whole_or_not_at_all)
{
    uint64_t u;
    int64_t i;
    CHECK(str_to_u64(S("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(!str_to_u64(S("18446744073709551616"), &u));
    CHECK(!str_to_u64(S(""), &u) && !str_to_u64(S("+1"), &u) && !str_to_u64(S("1 "), &u));
    CHECK(str_to_i64(S("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(!str_to_i64(S("9223372036854775808"), &i) && !str_to_i64(S("-"), &i));
}

TEST(buf_stops_at_its_greatest_size_and_says_so_once_at_the_end)
{
    struct buf buf;
    buf_init(&buf, 300);
    for (int i = 0; i < 100; i++)
        buf_printf(&buf, "%d,", 1000 + i);
    CHECK(buf_failed(&buf));
    CHECK(buf.len <= 300);
    buf_reset(&buf);
    buf_put_i64(&buf, INT64_MIN);
    CHECK_STR(S("-9223372036854775808"), buf_str(&buf));
    buf_deinit(&buf);
}

TEST(arena_ends_at_its_cap_and_serves_again_after_a_reset)
{
    struct arena arena;
    arena_init(&arena, 1024, 4096);
    for (int round = 0; round < 3; round++) {
        size_t got = 0;
        while (arena_alloc(&arena, 100))
            got += 100;
        CHECK(got > 2000 && got <= 4096);
        CHECK(!arena_alloc_array(&arena, SIZE_MAX / 2, 3));
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

TEST(log_quotes_what_could_forge_a_line)
{
    char space[LOG_QUOTED_MAX];
    CHECK_STR(S("\"a\\x0ab\\\"c\""), str_of(log_quoted(S("a\nb\"c"), space)));
}
