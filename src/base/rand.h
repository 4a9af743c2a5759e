// SPDX-License-Identifier: Apache-2.0
// A small fast generator for what need not be secret (splitmix64, Steele et al. 2014). Seeds come
// from `os`; the simulator gives its own.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rand {
    uint64_t state;
};

static inline uint64_t rand_next(struct rand *rand)
{
    uint64_t z = (rand->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

// 0 to bound - 1; bound is not 0. The bias is below bound / 2^64.
static inline uint64_t rand_below(struct rand *rand, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)rand_next(rand) * bound) >> 64);
}
