// SPDX-License-Identifier: Apache-2.0
// A container is passed in blocks of 64 bytes. Of each we make bit masks (bit n for byte n):
// quotes, backslashes, brackets. A byte stands in a string when the quotes before it are odd in
// number, so one prefix-xor tells it for all 64; the brackets that remain are counted in order. The
// last bytes of a text are copied into a block of spaces: nothing behind the end is read.
#include "json/skip.h"

enum { BLOCK = 64 };

struct masks {
    uint64_t quotes, backslashes, brackets;
};

// What one block leaves to the next.
struct carry {
    uint64_t escaped; // 1: its first byte stands behind a backslash
    uint64_t inside;  // all ones: it begins in a string
};

#if defined(__x86_64__)
static inline uint64_t equal_bits(__m128i bytes, char c)
{
    return (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
}

// The bit 0x20 is all that tells '[' from '{' and ']' from '}'.
static inline struct masks block_masks(const char *block)
{
    struct masks masks = {};
    for (int i = 0; i < BLOCK; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i_u *)(block + i));
        __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        masks.quotes |= equal_bits(bytes, '"') << i;
        masks.backslashes |= equal_bits(bytes, '\\') << i;
        masks.brackets |= (equal_bits(folded, '{') | equal_bits(folded, '}')) << i;
    }
    return masks;
}
#else
static inline struct masks block_masks(const char *block)
{
    struct masks masks = {};
    for (int i = 0; i < BLOCK; i++) {
        char folded = (char)(block[i] | 0x20);
        masks.quotes |= (uint64_t)(block[i] == '"') << i;
        masks.backslashes |= (uint64_t)(block[i] == '\\') << i;
        masks.brackets |= (uint64_t)(folded == '{' || folded == '}') << i;
    }
    return masks;
}
#endif

// The bytes that stand behind a backslash which is not itself behind one.
static uint64_t escaped_bits(uint64_t backslashes, struct carry *carry)
{
    uint64_t escaped = carry->escaped;
    carry->escaped = 0;
    backslashes &= ~escaped;
    while (backslashes) {
        uint64_t lowest = backslashes & -backslashes;
        escaped |= lowest << 1;
        carry->escaped = lowest >> 63;
        backslashes &= ~(lowest | lowest << 1);
    }
    return escaped;
}

// Bit n: an odd number of bits 0 to n is set.
static inline uint64_t prefix_xor(uint64_t bits)
{
    for (int shift = 1; shift < 64; shift *= 2)
        bits ^= bits << shift;
    return bits;
}

// The brackets of a block that are not in strings.
static inline uint64_t outer_brackets(const char *block, struct carry *carry)
{
    struct masks masks = block_masks(block);
    if (masks.backslashes | carry->escaped)
        masks.quotes &= ~escaped_bits(masks.backslashes, carry);
    uint64_t inside = prefix_xor(masks.quotes) ^ carry->inside;
    carry->inside = 0 - (inside >> 63);
    return masks.brackets & ~inside;
}

const char *json_skip_container(const char *at, const char *end)
{
    struct carry carry = {};
    size_t depth = 0;
    for (; at < end; at += BLOCK) {
        size_t len = (size_t)(end - at);
        char last[BLOCK];
        const char *block = at;
        if (len < BLOCK) {
            memset(last, ' ', sizeof last);
            memcpy(last, at, len);
            block = last;
        }
        uint64_t brackets = outer_brackets(block, &carry);
        for (; brackets; brackets &= brackets - 1) {
            int place = __builtin_ctzll(brackets);
            bool opens = (block[place] | 0x20) == '{';
            depth = opens ? depth + 1 : depth - 1;
            if (depth == 0)
                return at + place + 1;
        }
    }
    return end;
}

const char *json_skip_value(const char *at, const char *end)
{
    if (at < end && *at == '"')
        return skip_string(at + 1, end);
    if (at < end && (*at == '{' || *at == '['))
        return json_skip_container(at, end);
    while (at < end && *at != ',' && *at != '}' && *at != ']' && !is_space(*at))
        at++;
    return at;
}
