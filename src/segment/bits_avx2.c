// SPDX-License-Identifier: Apache-2.0
// Four or eight values at a time: gather the words in which they begin, shift each by its own
// distance, mask. The sums go two steps within a vector, then on with its last.
#include "segment/bits.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx2")))

static WIDE void avx2_unpack32(const uint8_t *at, unsigned width, uint64_t *ret_values)
{
    // Eight values fill `width` bytes: the pattern of the first eight repeats.
    long long w = width;
    __m256i bits_low = _mm256_set_epi64x(3 * w, 2 * w, w, 0);
    __m256i bits_high = _mm256_add_epi64(bits_low, _mm256_set1_epi64x(4 * w));
    __m256i seven = _mm256_set1_epi64x(7);
    __m256i mask = _mm256_set1_epi64x((long long)((UINT64_C(1) << width) - 1));
    __m256i byte_low = _mm256_srli_epi64(bits_low, 3), byte_high = _mm256_srli_epi64(bits_high, 3);
    __m256i shift_low = _mm256_and_si256(bits_low, seven);
    __m256i shift_high = _mm256_and_si256(bits_high, seven);
    for (unsigned i = 0; i < 32; i += 8, at += width) {
        __m256i low = _mm256_i64gather_epi64((const long long *)(const void *)at, byte_low, 1);
        __m256i high = _mm256_i64gather_epi64((const long long *)(const void *)at, byte_high, 1);
        low = _mm256_and_si256(_mm256_srlv_epi64(low, shift_low), mask);
        high = _mm256_and_si256(_mm256_srlv_epi64(high, shift_high), mask);
        _mm256_storeu_si256((__m256i_u *)(ret_values + i), low);
        _mm256_storeu_si256((__m256i_u *)(ret_values + i + 4), high);
    }
}

static WIDE void avx2_unpack8(const uint8_t *at, unsigned width, uint32_t *ret_values)
{
    __m256i bits =
        _mm256_mullo_epi32(_mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0), _mm256_set1_epi32((int)width));
    __m256i words =
        _mm256_i32gather_epi32((const int *)(const void *)at, _mm256_srli_epi32(bits, 3), 1);
    __m256i shifted = _mm256_srlv_epi32(words, _mm256_and_si256(bits, _mm256_set1_epi32(7)));
    __m256i mask = _mm256_set1_epi32((int)((UINT32_C(1) << width) - 1));
    _mm256_storeu_si256((__m256i_u *)ret_values, _mm256_and_si256(shifted, mask));
}

static WIDE uint64_t avx2_sum32(uint64_t *values, uint64_t before, uint64_t least)
{
    __m256i sum = _mm256_set1_epi64x((long long)before);
    __m256i least4 = _mm256_set1_epi64x((long long)least);
    __m256i zero = _mm256_setzero_si256();
    for (unsigned i = 0; i < 32; i += 4) {
        __m256i four = _mm256_loadu_si256((const __m256i_u *)(values + i));
        four = _mm256_add_epi64(four, least4);
        four = _mm256_add_epi64(four, _mm256_slli_si256(four, 8));
        // The sum of the low half goes into both of the high half.
        __m256i carry = _mm256_permute4x64_epi64(four, 0x50);
        four = _mm256_add_epi64(four, _mm256_blend_epi32(zero, carry, 0xf0));
        four = _mm256_add_epi64(four, sum);
        _mm256_storeu_si256((__m256i_u *)(values + i), four);
        sum = _mm256_permute4x64_epi64(four, 0xff);
    }
    return values[31];
}

const struct bits_way bits_avx2 = {avx2_unpack32, avx2_unpack8, avx2_sum32};
#endif
