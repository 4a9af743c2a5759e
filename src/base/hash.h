// SPDX-License-Identifier: Apache-2.0
// Hashes that are not cryptographic: XXH3 (inlined from the header, which is ten times faster than
// the shared library) for tables and chains, CRC-32C for what lies on disk.
#pragma once

#include "base/str.h"

// For tables. `seed` is secret and random per process where clients choose the keys.
uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed);
uint64_t hash_bytes_portable(const void *bytes, size_t len, uint64_t seed); // for the test
#if defined(__x86_64__)
uint64_t hash_bytes_avx2(const void *bytes, size_t len, uint64_t seed);
#endif

// CRC-32C (Castagnoli; RFC 3720 appendix B.4), continued from `crc` (0 to begin). Uses the CPU's
// instruction where there is one; both ways give the same result.
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t len); // for the test

// A CRC of any reflected 32-bit polynomial by tables, eight bytes at a step ("slicing by eight").
struct crc_steps {
    uint32_t of[8][256];
};
void crc_steps_make(struct crc_steps *steps, uint32_t polynomial);
uint32_t crc_steps_over(const struct crc_steps *steps, uint32_t crc, const void *bytes, size_t len);
