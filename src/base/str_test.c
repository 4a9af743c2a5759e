// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/rand.h"
#include "test.h"

static const str nothing = {NULL, 0};

TEST(str_cut_takes_the_part_before_the_first_separator)
{
    str rest = S("a,,b");
    CHECK_STR(S("a"), str_cut(&rest, ','));
    CHECK_STR(S(",b"), rest);
    CHECK_STR(S(""), str_cut(&rest, ','));
    CHECK_STR(S("b"), str_cut(&rest, ','));
    CHECK_EQUAL(0, rest.len);
    CHECK_STR(S(""), str_cut(&rest, ','));
    rest = nothing;
    CHECK_STR(S(""), str_cut(&rest, ','));
}

TEST(str_functions_stay_inside_the_slice)
{
    CHECK_STR(S("lo"), str_from(S("hello"), 3));
    CHECK_STR(S(""), str_from(S("hello"), 5));
    CHECK_STR(S(""), str_from(S("hello"), 99));
    CHECK_STR(S("he"), str_first(S("hello"), 2));
    CHECK_STR(S("hello"), str_first(S("hello"), 99));
    CHECK_STR(S("a b"), str_trim(S(" \t\r\na b\n")));
    CHECK_STR(S(""), str_trim(S(" \t ")));
    CHECK_STR(S(""), str_trim(nothing));
    CHECK_EQUAL(2, str_find(S("hello"), 'l'));
    CHECK_EQUAL(5, str_find(S("hello"), 'x'));
    CHECK_EQUAL(0, str_find(nothing, 'x'));
    CHECK(str_starts(S("hello"), S("he")) && !str_starts(S("he"), S("hello")));
    CHECK(str_ends(S("hello"), S("llo")) && !str_ends(S("llo"), S("hello")));
    CHECK(str_starts(nothing, nothing) && str_ends(S("a"), nothing));
    CHECK_STR(nothing, str_of(NULL));
}

TEST(str_compare_orders_bytewise_with_the_prefix_first)
{
    static const str ascending[] = {S(""),  S("\0"), S("\0a"), S("A"),
                                    S("a"), S("aa"), S("b"),   S("\xff")};
    for (size_t i = 0; i < COUNT_OF(ascending); i++)
        for (size_t j = 0; j < COUNT_OF(ascending); j++) {
            int order = str_compare(ascending[i], ascending[j]);
            CHECK_EQUAL((i > j) - (i < j), (order > 0) - (order < 0));
            CHECK_EQUAL(i == j, str_equal(ascending[i], ascending[j]));
        }
    CHECK(str_equal(nothing, S("")) && str_compare(nothing, S("")) == 0);
}

TEST(buf_prints_and_grows_without_losing_what_was_written)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    for (uint64_t i = 0; i < 10'000; i++) {
        buf_put_u64(&buf, i);
        buf_put_char(&buf, '\n');
    }
    str rest = buf_str(&buf);
    for (uint64_t i = 0; i < 10'000; i++) {
        uint64_t value;
        CHECK(str_to_u64(str_cut(&rest, '\n'), &value) && value == i);
    }
    CHECK_EQUAL(0, rest.len);
    buf_reset(&buf);
    buf_printf(&buf, "%s-%d", "x", 7);
    buf_put_str(&buf, nothing);
    buf_put_u64(&buf, UINT64_MAX);
    CHECK_STR(S("x-718446744073709551615"), buf_str(&buf));
    buf_deinit(&buf);
    buf_deinit(NULL);
}

TEST(buf_that_failed_writes_nothing_more_until_it_is_reset)
{
    struct buf buf;
    buf_init(&buf, 10);
    buf_put_str(&buf, S("1234567"));
    buf_put_str(&buf, S("too long"));
    buf_put_char(&buf, 'x'); // would fit
    CHECK(buf_failed(&buf));
    CHECK_STR(S("1234567"), buf_str(&buf));
    CHECK(!buf_room(&buf, 1));
    buf_reset(&buf);
    buf_put_str(&buf, S("1234567890"));
    CHECK(!buf_failed(&buf));
    buf_deinit(&buf);
}

TEST(arena_memory_is_aligned_and_blocks_do_not_overlap)
{
    struct arena arena;
    arena_init(&arena, 256, 1 << 16);
    static char *blocks[400];
    static size_t sizes[400];
    size_t count = 0;
    struct rand rand = {3};
    for (; count < COUNT_OF(blocks); count++) {
        sizes[count] = 1 + rand_below(&rand, 150);
        blocks[count] = arena_alloc(&arena, sizes[count]);
        if (!blocks[count])
            break;
        CHECK_EQUAL(0, (uintptr_t)blocks[count] % 16);
        memset(blocks[count], (int)(count & 0x7f), sizes[count]);
    }
    CHECK(count > 100);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            CHECK_EQUAL(i & 0x7f, blocks[i][j]);
    arena_reset(&arena);
    str copy = arena_copy(&arena, S("text"));
    CHECK_STR(S("text"), copy);
    CHECK_EQUAL('\0', copy.ptr[4]);
    CHECK(arena_copy(&arena, nothing).len == 0);
    arena_deinit(&arena);
}

TEST(bytes_are_little_endian_at_any_address)
{
    uint8_t space[16] = {0};
    for (size_t at = 0; at < 8; at++) {
        store_le64(space + at, 0x0102030405060708);
        CHECK(memcmp(space + at, "\x08\x07\x06\x05\x04\x03\x02\x01", 8) == 0);
        CHECK_EQUAL(0x0102030405060708, load_le64(space + at));
        CHECK_EQUAL(0x05060708, load_le32(space + at));
        CHECK_EQUAL(0x0708, load_le16(space + at));
    }
}

TEST(rand_below_stays_below_and_reaches_both_ends)
{
    struct rand rand = {1};
    unsigned seen[7] = {0};
    for (int i = 0; i < 7'000; i++) {
        uint64_t value = rand_below(&rand, COUNT_OF(seen));
        CHECK(value < COUNT_OF(seen));
        seen[value]++;
    }
    for (size_t i = 0; i < COUNT_OF(seen); i++)
        CHECK(seen[i] > 800 && seen[i] < 1'200);
    CHECK_EQUAL(0, rand_below(&rand, 1));
}

TEST(hash_depends_on_seed_and_on_every_byte)
{
    char text[300];
    memset(text, 'a', sizeof text);
    for (size_t len = 0; len < sizeof text; len++) {
        uint64_t hash = hash_bytes(text, len, 1);
        CHECK(hash == hash_bytes(text, len, 1));
        CHECK(hash != hash_bytes(text, len, 2));
        CHECK(hash != hash_bytes(text, len + 1, 1) || len + 1 == sizeof text);
        if (len) {
            text[len / 2] = 'b';
            CHECK(hash != hash_bytes(text, len, 1));
            text[len / 2] = 'a';
        }
    }
}
