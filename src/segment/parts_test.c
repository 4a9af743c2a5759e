// SPDX-License-Identifier: Apache-2.0
// The parts that a segment is made of: bits, checksum, Bloom filter, Thrift.
#include "base/rand.h"
#include "segment/bits.h"
#include "segment/bloom.h"
#include "segment/crc.h"
#include "segment/format.h"
#include "segment/thrift.h"
#include "test.h"

#include <stdlib.h>

enum { VALUES = 700 };

static const struct bits_way *ways[2];
static size_t find_ways(void)
{
    ways[0] = &bits_portable;
    ways[1] = bits_best();
    return ways[1] == ways[0] ? 1 : 2;
}

// Memory that ends where reading must end, so that the sanitizer sees one byte more.
static uint8_t *exact(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len + READ_SLACK);
    CHECK(copy);
    memcpy(copy, bytes, len);
    memset(copy + len, 0xa5, READ_SLACK);
    return copy;
}

static void check_delta(const uint64_t *values, size_t count, bool narrow)
{
    uint8_t *encoded = malloc(delta_size_max(count));
    CHECK(encoded);
    size_t size = delta_encode(values, count, narrow, encoded);
    CHECK(size <= delta_size_max(count));
    uint8_t *bytes = exact(encoded, size);
    uint64_t *decoded = malloc(delta_room(count) * sizeof *decoded);
    CHECK(decoded);
    for (size_t w = 0; w < find_ways(); w++) {
        memset(decoded, 0, delta_room(count) * sizeof *decoded);
        CHECK(delta_decode(ways[w], bytes, bytes + size, count, decoded) == bytes + size);
        for (size_t i = 0; i < count; i++)
            CHECK_EQUAL(narrow ? (uint32_t)values[i] : values[i],
                        narrow ? (uint32_t)decoded[i] : decoded[i]);
        for (size_t cut = 0; cut < size; cut += 1 + size / 50) // not beyond what is there
            CHECK(delta_decode(ways[w], bytes, bytes + cut, count, decoded) != bytes + size);
        CHECK(!delta_decode(ways[w], bytes, bytes + size, count + 1, decoded));
    }
    free(decoded);
    free(bytes);
    free(encoded);
}

TEST(delta_gives_back_numbers_of_every_width_in_both_ways)
{
    struct rand rand = {1};
    uint64_t values[VALUES];
    for (unsigned width = 0; width <= 64; width++) {
        for (size_t count = 1; count <= VALUES; count += 1 + rand_below(&rand, 90)) {
            for (size_t i = 0; i < count; i++)
                values[i] = width ? rand_next(&rand) >> (64 - width) : 5;
            check_delta(values, count, false);
            check_delta(values, count, true);
            for (size_t i = 1; i < count; i++)
                values[i] = values[i - 1] + (width ? rand_next(&rand) >> (64 - width) : 1);
            check_delta(values, count, false);
        }
    }
}

TEST(runs_give_back_numbers_of_every_width_in_both_ways)
{
    struct rand rand = {2};
    uint32_t values[VALUES], decoded[VALUES + 64];
    for (unsigned width = 0; width <= 32; width++) {
        for (int round = 0; round < 40; round++) {
            size_t count = 1 + rand_below(&rand, VALUES);
            uint64_t sameness = rand_below(&rand, 20);
            for (size_t i = 0; i < count; i++)
                values[i] = i && rand_below(&rand, sameness + 1)
                                ? values[i - 1]
                                : (uint32_t)(width ? rand_next(&rand) >> (64 - width) : 0);
            uint8_t *encoded = malloc(runs_size_max(count, width));
            CHECK(encoded);
            size_t size = runs_encode(values, count, width, encoded);
            CHECK(size <= runs_size_max(count, width));
            uint8_t *bytes = exact(encoded, size);
            for (size_t w = 0; w < find_ways(); w++) {
                memset(decoded, 0xff, sizeof decoded);
                CHECK(runs_decode(ways[w], bytes, bytes + size, width, count, decoded) ==
                      bytes + size);
                CHECK(memcmp(values, decoded, count * sizeof *values) == 0);
            }
            free(bytes);
            free(encoded);
        }
    }
}

TEST(decoding_of_any_bytes_ends_within_its_room_and_both_ways_agree)
{
    struct rand rand = {3};
    uint64_t wide[2][VALUES + 64];
    uint32_t numbers[2][VALUES + 64];
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[200 + READ_SLACK] = {};
        size_t len = 1 + rand_below(&rand, 200), count = 1 + rand_below(&rand, VALUES);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(rand_next(&rand) >> (rand_below(&rand, 8)) & 0xff);
        if (round % 2) { // a head that is right
            const uint8_t head[] = {0x80, 0x01, 0x04, (uint8_t)(count | 0x80),
                                    (uint8_t)(count >> 7)};
            memcpy(bytes, head, len < sizeof head ? len : sizeof head);
        }
        const uint8_t *ends[2] = {}, *run_ends[2] = {};
        unsigned width = (unsigned)rand_below(&rand, 33);
        for (size_t w = 0; w < find_ways(); w++) {
            ends[w] = delta_decode(ways[w], bytes, bytes + len, count, wide[w]);
            run_ends[w] = runs_decode(ways[w], bytes, bytes + len, width, count, numbers[w]);
        }
        if (find_ways() == 1)
            continue;
        CHECK(ends[0] == ends[1] && run_ends[0] == run_ends[1]);
        CHECK(!ends[0] || memcmp(wide[0], wide[1], count * 8) == 0);
        CHECK(!run_ends[0] || memcmp(numbers[0], numbers[1], count * 4) == 0);
    }
}

TEST(crc32_is_that_of_gzip_in_both_ways)
{
    CHECK_EQUAL(0xcbf43926, crc32_of("123456789", 9));
    uint8_t bytes[1000];
    struct rand rand = {4};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)rand_next(&rand);
    for (size_t len = 0; len <= sizeof bytes; len++)
        CHECK_EQUAL(crc32_portable(0, bytes, len), crc32_of(bytes, len));
}

TEST(bloom_filter_has_all_that_was_added_and_little_else)
{
    enum { COUNT = 5000 };
    size_t size = bloom_size(COUNT);
    uint8_t *filter = calloc(1, size);
    CHECK(filter);
    char text[32];
    for (int i = 0; i < COUNT; i++) {
        int len = snprintf(text, sizeof text, "name-%d", i);
        bloom_add(filter, size, bloom_hash((str){text, (size_t)len}));
    }
    int wrong = 0;
    for (int i = 0; i < 2 * COUNT; i++) {
        int len = snprintf(text, sizeof text, "name-%d", i);
        uint64_t hash = bloom_hash((str){text, (size_t)len});
        bool has = bloom_may_have(filter, size, hash);
        CHECK_EQUAL(bloom_may_have_portable(filter, size, hash), has);
        CHECK(has || i >= COUNT);
        wrong += has && i >= COUNT;
    }
    CHECK(wrong < COUNT / 50);
    free(filter);
}

TEST(bloom_hash_of_an_id_is_that_of_its_bytes)
{
    struct rand rand = {11};
    for (int i = 0; i < 1000; i++) {
        als_id id;
        for (size_t at = 0; at < sizeof id.bytes; at++)
            id.bytes[at] = i < 2 ? (uint8_t)-i : (uint8_t)rand_next(&rand);
        CHECK_EQUAL(bloom_hash((str){(const char *)id.bytes, sizeof id.bytes}), bloom_hash_id(&id));
    }
}

TEST(digest_of_hashes_tells_other_hashes_and_another_order)
{
    uint64_t hashes[] = {3, 1, 4, 1, 5, 9};
    uint64_t digest = hashes_digest(0, hashes, COUNT_OF(hashes));
    CHECK_EQUAL(digest, hashes_digest(hashes_digest(0, hashes, 2), hashes + 2, 4));
    for (size_t i = 0; i < COUNT_OF(hashes); i++)
        for (unsigned bit = 0; bit < 64; bit++) {
            hashes[i] ^= UINT64_C(1) << bit;
            CHECK(digest != hashes_digest(0, hashes, COUNT_OF(hashes)));
            hashes[i] ^= UINT64_C(1) << bit;
        }
    uint64_t turned[] = {1, 3, 4, 1, 5, 9};
    CHECK(digest != hashes_digest(0, turned, COUNT_OF(turned)));
}

TEST(thrift_skips_what_it_does_not_know_and_nests_to_a_limit)
{
    struct buf buf;
    buf_init(&buf, KIB(64));
    struct thrift_out out = {.buf = &buf};
    thrift_put_i64(&out, 1, 77);
    thrift_begin(&out, 2);
    thrift_put_list(&out, 1, THRIFT_TRUE, 20);
    for (int i = 0; i < 20; i++)
        buf_put_char(&buf, THRIFT_TRUE);
    thrift_put_binary(&out, 2, S("text"));
    thrift_end(&out);
    thrift_put_i32(&out, 3, -5);
    buf_put_char(&buf, THRIFT_STOP);
    struct thrift_in in = {(uint8_t *)buf.ptr, (uint8_t *)buf.ptr + buf.len, false};
    struct thrift_field field = {};
    CHECK(thrift_next(&in, &field) && field.id == 1 && thrift_int(&in, &field) == 77);
    CHECK(thrift_next(&in, &field) && field.id == 2);
    thrift_skip(&in, &field);
    CHECK(thrift_next(&in, &field) && field.id == 3 && thrift_int(&in, &field) == -5);
    CHECK(!thrift_next(&in, &field) && !in.failed && in.at == in.end);
    buf_reset(&buf);
    for (int i = 0; i < 1000; i++)
        buf_put_char(&buf, 1 << 4 | THRIFT_STRUCT);
    in = (struct thrift_in){(uint8_t *)buf.ptr, (uint8_t *)buf.ptr + buf.len, false};
    field = (struct thrift_field){};
    CHECK(thrift_next(&in, &field));
    thrift_skip(&in, &field);
    CHECK(in.failed);
    buf_deinit(&buf);
}
