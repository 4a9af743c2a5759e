// SPDX-License-Identifier: Apache-2.0
#include "segment/bloom.h"

#include "base/bytes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { BITS_A_VALUE = 12 };

static const uint32_t salts[8] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                  0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

// A power of two, since some readers want it.
size_t bloom_size(size_t values)
{
    size_t size = BLOOM_BLOCK;
    while (size * 8 < values * BITS_A_VALUE)
        size *= 2;
    return size;
}

uint64_t bloom_hash(str value)
{
    return XXH64(value.ptr ? value.ptr : "", value.len, 0);
}

static uint64_t turn(uint64_t value, unsigned by)
{
    return value << by | value >> (64 - by);
}

// What the general function does with 16 bytes; it would find that out for each id anew.
uint64_t bloom_hash_id(const als_id *id)
{
    uint64_t hash = XXH_PRIME64_5 + sizeof id->bytes;
    for (size_t at = 0; at < sizeof id->bytes; at += 8) {
        hash ^= turn(load_le64(id->bytes + at) * XXH_PRIME64_2, 31) * XXH_PRIME64_1;
        hash = turn(hash, 27) * XXH_PRIME64_1 + XXH_PRIME64_4;
    }
    hash = (hash ^ hash >> 33) * XXH_PRIME64_2;
    hash = (hash ^ hash >> 29) * XXH_PRIME64_3;
    return hash ^ hash >> 32;
}

static size_t block_of(size_t size, uint64_t hash)
{
    return (size_t)((hash >> 32) * (size / BLOOM_BLOCK) >> 32) * BLOOM_BLOCK;
}

static void add_portable(uint8_t *block, uint32_t hash)
{
    for (size_t i = 0; i < 8; i++) {
        uint32_t bit = UINT32_C(1) << (hash * salts[i] >> 27);
        store_le32(block + i * 4, load_le32(block + i * 4) | bit);
    }
}

static bool has_portable(const uint8_t *block, uint32_t hash)
{
    for (size_t i = 0; i < 8; i++)
        if (!(load_le32(block + i * 4) & UINT32_C(1) << (hash * salts[i] >> 27)))
            return false;
    return true;
}

#if defined(__x86_64__)
// All eight words at once.
#include <immintrin.h>

#define WIDE __attribute__((target("avx2")))

static inline WIDE __m256i bits_of(uint32_t hash)
{
    __m256i by = _mm256_loadu_si256((const __m256i_u *)salts);
    __m256i places = _mm256_srli_epi32(_mm256_mullo_epi32(_mm256_set1_epi32((int)hash), by), 27);
    return _mm256_sllv_epi32(_mm256_set1_epi32(1), places);
}

static WIDE void add_wide(uint8_t *block, uint32_t hash)
{
    __m256i_u *at = (__m256i_u *)block;
    _mm256_storeu_si256(at, _mm256_or_si256(_mm256_loadu_si256(at), bits_of(hash)));
}

static WIDE bool has_wide(const uint8_t *block, uint32_t hash)
{
    return _mm256_testc_si256(_mm256_loadu_si256((const __m256i_u *)block), bits_of(hash));
}
#endif

void bloom_add(uint8_t *filter, size_t size, uint64_t hash)
{
    uint8_t *block = filter + block_of(size, hash);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        add_wide(block, (uint32_t)hash);
        return;
    }
#endif
    add_portable(block, (uint32_t)hash);
}

bool bloom_may_have(const uint8_t *filter, size_t size, uint64_t hash)
{
    const uint8_t *block = filter + block_of(size, hash);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return has_wide(block, (uint32_t)hash);
#endif
    return has_portable(block, (uint32_t)hash);
}

bool bloom_may_have_portable(const uint8_t *filter, size_t size, uint64_t hash)
{
    return has_portable(filter + block_of(size, hash), (uint32_t)hash);
}
