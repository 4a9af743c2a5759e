// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 256 };

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_deinit(struct buf *buf)
{
    if (!buf)
        return;
    free(buf->ptr);
    *buf = (struct buf){.max = buf->max};
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

char *buf_room(struct buf *buf, size_t more)
{
    if (buf->failed)
        return NULL;
    if (more <= buf->capacity - buf->len)
        return buf->ptr + buf->len;
    if (more > buf->max - buf->len) {
        buf->failed = true;
        return NULL;
    }
    size_t capacity = buf->capacity ? buf->capacity : FIRST_CAPACITY;
    while (capacity < buf->len + more)
        capacity *= 2;
    if (capacity > buf->max)
        capacity = buf->max;
    char *grown = realloc(buf->ptr, capacity);
    if (!grown) {
        buf->failed = true;
        return NULL;
    }
    buf->ptr = grown;
    buf->capacity = capacity;
    return buf->ptr + buf->len;
}

void buf_put(struct buf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    char *room = buf_room(buf, len);
    if (room) {
        memcpy(room, bytes, len);
        buf->len += len;
    }
}

void buf_put_str(struct buf *buf, str text)
{
    buf_put(buf, text.ptr, text.len);
}

void buf_put_char(struct buf *buf, char c)
{
    buf_put(buf, &c, 1);
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_put(buf, digits + at, sizeof digits - at);
}

void buf_put_i64(struct buf *buf, int64_t value)
{
    if (value < 0)
        buf_put_char(buf, '-');
    buf_put_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(len >= 0);
    char *room = buf_room(buf, (size_t)len + 1);
    if (room) {
        (void)vsnprintf(room, (size_t)len + 1, format, again); // measured above
        buf->len += (size_t)len;
    }
    va_end(again);
}
