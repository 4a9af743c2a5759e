// SPDX-License-Identifier: Apache-2.0
// The same hash of long inputs, compiled for processors with AVX2 (CMakeLists.txt says so): the
// header chooses its way when it is compiled, and what is in it is this file's own.
#include "base/hash.h"

#if defined(__AVX2__)
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes_avx2(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}
#endif
