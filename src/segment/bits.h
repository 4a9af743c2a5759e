// SPDX-License-Identifier: Apache-2.0
// Integers in few bits: DELTA_BINARY_PACKED and the hybrid of runs and packed groups.
//
// Readers may look at READ_SLACK bytes behind `end`; what is there does not matter. They return
// what is behind what they read, or NULL when the bytes are no such thing. Unpacking is vectorised
// where the processor can; both ways give the same answers.
#pragma once

#include "base/str.h"

// Unpacks 32 values of `width` bits, at most 56; the second, 8 values of at most 25.
typedef void bits_unpack32(const uint8_t *at, unsigned width, uint64_t *ret_values);
typedef void bits_unpack8(const uint8_t *at, unsigned width, uint32_t *ret_values);
// values[i] = the sum of all deltas up to i, each with `least` added, and `before`; the last one is
// returned. 32 of them.
typedef uint64_t bits_sum32(uint64_t *values, uint64_t before, uint64_t least);

struct bits_way {
    bits_unpack32 *unpack32;
    bits_unpack8 *unpack8;
    bits_sum32 *sum32;
};
extern const struct bits_way bits_portable;
#if defined(__x86_64__)
extern const struct bits_way bits_avx2;
#endif
const struct bits_way *bits_best(void);

// ---- DELTA_BINARY_PACKED

size_t delta_size_max(size_t count);
// `narrow`: the values are 32 bits wide (sign-extended or not), and so are their differences.
size_t delta_encode(const uint64_t *values, size_t count, bool narrow, uint8_t *ret_bytes);
// Whole groups are written: ret_values has room for delta_room(count).
const uint8_t *delta_decode(const struct bits_way *way, const uint8_t *at, const uint8_t *end,
                            size_t count, uint64_t *ret_values);
size_t delta_room(size_t count);

// ---- RLE and bit-packed, without the length in front

size_t runs_size_max(size_t count, unsigned width);
size_t runs_encode(const uint32_t *values, size_t count, unsigned width, uint8_t *ret_bytes);
// Room as for delta_decode().
const uint8_t *runs_decode(const struct bits_way *way, const uint8_t *at, const uint8_t *end,
                           unsigned width, size_t count, uint32_t *ret_values);

static inline unsigned bits_width(uint64_t greatest)
{
    return greatest ? 64 - (unsigned)__builtin_clzll(greatest) : 0;
}
