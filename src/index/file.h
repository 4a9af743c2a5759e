// SPDX-License-Identifier: Apache-2.0
// An open index file, for those who look things up in it and for the one who verifies it.
#pragma once

#include "index/file_format.h"

#include <stdatomic.h>

enum { FILE_LABEL_BYTES = 64 };

struct index_file {
    struct os *os;
    const uint8_t *bytes; // mapped
    uint64_t seed;
    struct file_header header;
    struct file_layout layout;
    char label[FILE_LABEL_BYTES]; // how it begins to be called, for words
    _Atomic uint64_t *counted;    // where blocks are counted, or NULL
    _Atomic uint64_t checked[];   // a bit a block, set when its checksum was right
};

// What is mapped never changes, so a bit says all, and no order is needed between threads.
static inline bool file_is_checked(const struct index_file *file, uint64_t block)
{
    uint64_t word = atomic_load_explicit(&file->checked[block / 64], memory_order_relaxed);
    return word >> (block % 64) & 1;
}

err file_check_blocks(struct index_file *file, uint64_t at, uint64_t size, struct als_why *why);

// Before bytes are used: they are as they were written, or ALS_CORRUPT.
static inline err file_need(struct index_file *file, uint64_t at, uint64_t size,
                            struct als_why *why)
{
    uint64_t block = at / FILE_BLOCK_BYTES, last = (at + size - 1) / FILE_BLOCK_BYTES;
    if (block == last && file_is_checked(file, block))
        return ALS_OK;
    return file_check_blocks(file, at, size, why);
}

// ALS_CORRUPT: what the bytes say, though they are as they were written, cannot be.
err file_nonsense(const struct index_file *file, const char *what, uint64_t number,
                  struct als_why *why);

err file_may_have(struct index_file *file, enum file_key key, uint64_t hash, bool *ret_may,
                  struct als_why *why);

// Walks the cells that a fingerprint leads to.
struct file_probe {
    enum file_key key;
    uint32_t fingerprint;
    uint64_t at, left;
};
struct file_probe file_probe_begin(const struct index_file *file, enum file_key key, uint64_t hash);
// The next value with the fingerprint, with `*ret_found`.
err file_probe_next(struct index_file *file, struct file_probe *probe, bool *ret_found,
                    uint32_t *ret_value, struct als_why *why);
