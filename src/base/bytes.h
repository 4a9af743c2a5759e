// SPDX-License-Identifier: Apache-2.0
// Integers on disk and wire: little-endian, unaligned, never by a cast.
#pragma once

#include <assert.h>
#include <stdint.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a big-endian port swaps here");

#define BYTES_ACCESS(bits)                                                                         \
    static inline uint##bits##_t load_le##bits(const void *at)                                     \
    {                                                                                              \
        uint##bits##_t value;                                                                      \
        memcpy(&value, at, sizeof value);                                                          \
        return value;                                                                              \
    }                                                                                              \
    static inline void store_le##bits(void *at, uint##bits##_t value)                              \
    {                                                                                              \
        memcpy(at, &value, sizeof value);                                                          \
    }

BYTES_ACCESS(16)
BYTES_ACCESS(32)
BYTES_ACCESS(64)
#undef BYTES_ACCESS
