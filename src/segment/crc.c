// SPDX-License-Identifier: Apache-2.0
// Sixty-four bytes at a time by carry-less multiplication, where the processor has it: the text is
// folded over itself (Gopal et al., "Fast CRC Computation Using PCLMULQDQ", 2009) down to 16 bytes,
// which the tables finish.
#include "segment/crc.h"

#include "base/hash.h"

enum { POLYNOMIAL = (int)0xedb88320u };
static struct crc_steps steps;

__attribute__((constructor)) static void make_tables(void)
{
    crc_steps_make(&steps, (uint32_t)POLYNOMIAL);
}

uint32_t crc32_portable(uint32_t crc, const void *bytes, size_t len)
{
    return crc_steps_over(&steps, crc, bytes, len);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE __attribute__((target("pclmul,sse4.1")))

static inline WIDE __m128i fold(__m128i into, __m128i next, __m128i by)
{
    __m128i low = _mm_clmulepi64_si128(into, by, 0x00);
    __m128i high = _mm_clmulepi64_si128(into, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

static inline WIDE __m128i load(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i_u *)at);
}

// At least 64 bytes. The constants are x^(512 +- 32) and x^(128 +- 32) modulo the polynomial.
static WIDE uint32_t crc32_folded(const uint8_t *at, size_t len)
{
    const __m128i by_64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by_16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    __m128i a = _mm_xor_si128(load(at), _mm_cvtsi32_si128(-1));
    __m128i b = load(at + 16), c = load(at + 32), d = load(at + 48);
    for (at += 64, len -= 64; len >= 64; at += 64, len -= 64) {
        a = fold(a, load(at), by_64);
        b = fold(b, load(at + 16), by_64);
        c = fold(c, load(at + 32), by_64);
        d = fold(d, load(at + 48), by_64);
    }
    a = fold(fold(fold(a, b, by_16), c, by_16), d, by_16);
    // The 16 bytes stand for all before them; the tables take them from a register of zeros.
    uint8_t rest[16];
    _mm_storeu_si128((__m128i_u *)rest, a);
    uint32_t crc = crc32_portable(UINT32_MAX, rest, sizeof rest);
    return crc32_portable(crc, at, len);
}
#endif

uint32_t crc32_of(const void *bytes, size_t len)
{
#if defined(__x86_64__)
    if (len >= 64 && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"))
        return crc32_folded(bytes, len);
#endif
    return crc32_portable(0, bytes, len);
}
