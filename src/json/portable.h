// SPDX-License-Identifier: Apache-2.0
// Eight bytes at a time in an ordinary register. The tests below mark a byte by its top bit; a
// borrow can mark a wrong byte only above a right one, and the lowest mark is what counts.
#pragma once

#include "base/bytes.h"
#include "json/pass.h"

static const uint64_t ONES = UINT64_C(0x0101010101010101);
static const uint64_t TOPS = UINT64_C(0x8080808080808080);

static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - ONES) & ~word;
}

static inline const char *plain_end(const struct pass *pass, const char *at)
{
    while (pass->end - at >= 8) {
        uint64_t word = load_le64(at);
        uint64_t marks = (zero_bytes(word ^ ONES * '"') | zero_bytes(word ^ ONES * '\\') |
                          (word - ONES * ' ') | word) &
                         TOPS;
        if (marks)
            return at + __builtin_ctzll(marks) / 8;
        at += 8;
    }
    while (at < pass->end && *at != '"' && *at != '\\' && (signed char)*at >= ' ')
        at++;
    return at;
}

static inline const char *space_end(const struct pass *pass, const char *at)
{
    while (at < pass->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}
