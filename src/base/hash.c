// SPDX-License-Identifier: Apache-2.0
// CRC-32C runs at one 8-byte step per three cycles when its steps wait for each other. So long
// inputs are cut into three lanes that run side by side and are then joined: the CRC of A followed
// by B is the CRC of A moved over B's length, xored with the CRC of B. Moving a CRC over a fixed
// length is linear, so it is four table look-ups.
#include "base/hash.h"

#include "base/bytes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes_portable(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

// Shorter inputs are hashed without vectors.
enum { LONG_BYTES = XXH3_MIDSIZE_MAX + 1 };

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed)
{
#if defined(__x86_64__)
    if (len >= LONG_BYTES && __builtin_cpu_supports("avx2"))
        return hash_bytes_avx2(bytes, len, seed);
#endif
    return hash_bytes_portable(bytes, len, seed);
}

void crc_steps_make(struct crc_steps *steps, uint32_t polynomial)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (polynomial & (0 - (crc & 1)));
        steps->of[0][i] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t before = steps->of[k - 1][i];
            steps->of[k][i] = steps->of[0][before & 255] ^ (before >> 8);
        }
}

uint32_t crc_steps_over(const struct crc_steps *steps, uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    const uint32_t(*of)[256] = steps->of;
    crc = ~crc;
    for (; len >= 8; len -= 8, at += 8) {
        uint32_t low = load_le32(at) ^ crc, high = load_le32(at + 4);
        crc = of[7][low & 255] ^ of[6][low >> 8 & 255] ^ of[5][low >> 16 & 255] ^ of[4][low >> 24] ^
              of[3][high & 255] ^ of[2][high >> 8 & 255] ^ of[1][high >> 16 & 255] ^
              of[0][high >> 24];
    }
    while (len--)
        crc = of[0][(crc ^ *at++) & 255] ^ (crc >> 8);
    return ~crc;
}

enum { LANE_BYTES = 1024, POLYNOMIAL = (int)0x82f63b78u };

static struct crc_steps steps;
static uint32_t over_lane[4][256]; // moves a CRC over LANE_BYTES zero bytes

static uint32_t over_zeros(uint32_t crc, size_t count)
{
    for (size_t i = 0; i < count; i++)
        crc = steps.of[0][crc & 255] ^ (crc >> 8);
    return crc;
}

__attribute__((constructor)) static void make_tables(void)
{
    crc_steps_make(&steps, (uint32_t)POLYNOMIAL);
    for (int k = 0; k < 4; k++)
        for (uint32_t i = 0; i < 256; i++)
            over_lane[k][i] = over_zeros(i << (8 * k), LANE_BYTES);
}

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t len)
{
    return crc_steps_over(&steps, crc, bytes, len);
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static uint32_t move_over_lane(uint32_t crc)
{
    return over_lane[0][crc & 255] ^ over_lane[1][crc >> 8 & 255] ^ over_lane[2][crc >> 16 & 255] ^
           over_lane[3][crc >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *at,
                                                               size_t len)
{
    uint64_t a = (uint32_t)~crc;
    for (; len >= 3 * LANE_BYTES; len -= 3 * LANE_BYTES, at += 3 * LANE_BYTES) {
        uint64_t b = 0, c = 0;
        for (size_t i = 0; i < LANE_BYTES; i += 8) {
            a = _mm_crc32_u64(a, load_le64(at + i));
            b = _mm_crc32_u64(b, load_le64(at + LANE_BYTES + i));
            c = _mm_crc32_u64(c, load_le64(at + 2 * LANE_BYTES + i));
        }
        a = move_over_lane(move_over_lane((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    }
    for (; len >= 8; len -= 8, at += 8)
        a = _mm_crc32_u64(a, load_le64(at));
    while (len--)
        a = _mm_crc32_u8((uint32_t)a, *at++);
    return ~(uint32_t)a;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, bytes, len)
                                            : crc32c_portable(crc, bytes, len);
}
#else
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
    return crc32c_portable(crc, bytes, len);
}
#endif
