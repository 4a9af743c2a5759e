// SPDX-License-Identifier: Apache-2.0
// A growing buffer that is born with its greatest size.
//
// A failed growth is remembered: the writers after it do nothing, and buf_failed() tells once at
// the end. So code that prints need not check every call. Not thread-safe.
#pragma once

#include "base/own.h"
#include "base/str.h"

struct buf {
    char *ptr; // NULL until something is written
    size_t len, capacity, max;
    bool failed; // no memory, or more than `max` was wanted
};

void buf_init(struct buf *buf, size_t max);
void buf_deinit(struct buf *buf);
void buf_reset(struct buf *buf); // empty, memory kept

// Room for `more` bytes behind the end, or NULL; buf_grew() says how many were written there.
char *buf_room(struct buf *buf, size_t more);
static inline void buf_grew(struct buf *buf, size_t more)
{
    buf->len += more;
}

void buf_put(struct buf *buf, const void *bytes, size_t len);
void buf_put_str(struct buf *buf, str text);
void buf_put_char(struct buf *buf, char c);
void buf_put_u64(struct buf *buf, uint64_t value); // decimal
void buf_put_i64(struct buf *buf, int64_t value);
void buf_printf(struct buf *buf, const char *format, ...) ALS_PRINTF(2, 3);

static inline bool buf_failed(const struct buf *buf)
{
    return buf->failed;
}
static inline str buf_str(const struct buf *buf)
{
    return (str){buf->ptr, buf->len};
}
