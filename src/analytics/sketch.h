// SPDX-License-Identifier: Apache-2.0
// HyperLogLog: how many different hashes there were, from 16 KiB, with a standard error of
// 1.04 / sqrt(registers) = 0.81 %.
//
// P. Flajolet and others, "HyperLogLog: the analysis of a near-optimal cardinality estimation
// algorithm" (2007), with 64-bit hashes and the estimator of O. Ertl, "New cardinality estimation
// algorithms for HyperLogLog sketches" (arXiv:1702.01284, section 4), which needs no correction by
// tables for small numbers.
#pragma once

#include <stdint.h>

enum { SKETCH_BITS = 14, SKETCH_REGISTERS = 1 << SKETCH_BITS };

struct sketch {
    uint8_t registers[SKETCH_REGISTERS];
};

void sketch_add(struct sketch *sketch, uint64_t hash); // again: changes nothing
void sketch_merge(struct sketch *target, const struct sketch *source);
uint64_t sketch_count(const struct sketch *sketch);
