// SPDX-License-Identifier: Apache-2.0
// Parquet's split-block Bloom filter: a value sets one bit in each of the eight words of one block.
#pragma once

#include "base/str.h"

enum { BLOOM_BLOCK = 32 };

// Bytes of a filter for so many different values: some 0.5 % of what is not there seems to be.
size_t bloom_size(size_t values);
uint64_t bloom_hash(str value);           // XXH64, as Parquet wants it
uint64_t bloom_hash_id(const als_id *id); // the same, faster
void bloom_add(uint8_t *filter, size_t size, uint64_t hash);
bool bloom_may_have(const uint8_t *filter, size_t size, uint64_t hash);
bool bloom_may_have_portable(const uint8_t *filter, size_t size, uint64_t hash); // for the test
