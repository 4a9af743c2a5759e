// SPDX-License-Identifier: Apache-2.0
#include "segment/thrift.h"

#include <assert.h>

enum { SKIP_DEPTH_MAX = 16, SHORT_LIST = 15 };

void thrift_put_varint(struct buf *buf, uint64_t value)
{
    char bytes[10];
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[len++] = (char)(value | 0x80);
    bytes[len++] = (char)value;
    buf_put(buf, bytes, len);
}

void thrift_put_zigzag(struct buf *buf, int64_t value)
{
    thrift_put_varint(buf, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void thrift_put_text(struct buf *buf, str value)
{
    thrift_put_varint(buf, value.len);
    buf_put_str(buf, value);
}

static void put_head(struct thrift_out *out, int field, enum thrift_type type)
{
    int step = field - out->last[out->depth];
    assert(step > 0 && step <= 15);
    out->last[out->depth] = field;
    buf_put_char(out->buf, (char)(step << 4 | (int)type));
}

void thrift_put_int(struct thrift_out *out, int field, enum thrift_type type, int64_t value)
{
    put_head(out, field, type);
    if (type == THRIFT_BYTE)
        buf_put_char(out->buf, (char)value);
    else
        thrift_put_zigzag(out->buf, value);
}

void thrift_put_i32(struct thrift_out *out, int field, int64_t value)
{
    assert(value >= INT32_MIN && value <= INT32_MAX);
    thrift_put_int(out, field, THRIFT_I32, value);
}

void thrift_put_i64(struct thrift_out *out, int field, uint64_t value)
{
    thrift_put_int(out, field, THRIFT_I64, (int64_t)value);
}

void thrift_put_bool(struct thrift_out *out, int field, bool value)
{
    put_head(out, field, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_put_binary(struct thrift_out *out, int field, str value)
{
    put_head(out, field, THRIFT_BINARY);
    thrift_put_text(out->buf, value);
}

void thrift_begin(struct thrift_out *out, int field)
{
    if (field)
        put_head(out, field, THRIFT_STRUCT);
    out->depth++;
    assert(out->depth < THRIFT_DEPTH);
    out->last[out->depth] = 0;
}

void thrift_end(struct thrift_out *out)
{
    buf_put_char(out->buf, THRIFT_STOP);
    out->depth--;
}

void thrift_put_list(struct thrift_out *out, int field, enum thrift_type type, size_t count)
{
    put_head(out, field, THRIFT_LIST);
    if (count < SHORT_LIST) {
        buf_put_char(out->buf, (char)(count << 4 | (size_t)type));
        return;
    }
    buf_put_char(out->buf, (char)(SHORT_LIST << 4 | (int)type));
    thrift_put_varint(out->buf, count);
}

// ---- Reading.

static int fail(struct thrift_in *in)
{
    in->failed = true;
    in->at = in->end;
    return 0;
}

static uint8_t take_byte(struct thrift_in *in)
{
    return in->at < in->end ? *in->at++ : (uint8_t)fail(in);
}

uint64_t thrift_varint(struct thrift_in *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = take_byte(in);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    return (uint64_t)fail(in);
}

int64_t thrift_zigzag(struct thrift_in *in)
{
    uint64_t value = thrift_varint(in);
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

str thrift_text(struct thrift_in *in)
{
    uint64_t len = thrift_varint(in);
    if (len > (uint64_t)(in->end - in->at)) {
        fail(in);
        return (str){};
    }
    str text = {(const char *)in->at, len};
    in->at += len;
    return text;
}

bool thrift_next(struct thrift_in *in, struct thrift_field *field)
{
    uint8_t head = take_byte(in);
    if (in->failed || head == THRIFT_STOP)
        return false;
    field->type = head & 15;
    int64_t id = head >> 4 ? field->id + (head >> 4) : thrift_zigzag(in);
    if (id < 1 || id > INT16_MAX || field->type > THRIFT_STRUCT || field->type == THRIFT_STOP)
        return fail(in);
    field->id = (int)id;
    return !in->failed;
}

int64_t thrift_int(struct thrift_in *in, const struct thrift_field *field)
{
    if (field->type == THRIFT_BYTE)
        return (int8_t)take_byte(in);
    if (field->type < THRIFT_I16 || field->type > THRIFT_I64)
        return fail(in);
    return thrift_zigzag(in);
}

bool thrift_bool(struct thrift_in *in, const struct thrift_field *field)
{
    if (field->type != THRIFT_TRUE && field->type != THRIFT_FALSE)
        return fail(in);
    return field->type == THRIFT_TRUE;
}

str thrift_binary(struct thrift_in *in, const struct thrift_field *field)
{
    if (field->type != THRIFT_BINARY)
        fail(in);
    return thrift_text(in);
}

bool thrift_struct(struct thrift_in *in, const struct thrift_field *field)
{
    return field->type == THRIFT_STRUCT ? !in->failed : fail(in);
}

static uint32_t list_head(struct thrift_in *in, enum thrift_type *ret_type)
{
    uint8_t head = take_byte(in);
    uint64_t count = head >> 4;
    *ret_type = head & 15;
    if (count == SHORT_LIST)
        count = thrift_varint(in);
    if (count > (uint64_t)(in->end - in->at) || count > INT32_MAX)
        return (uint32_t)fail(in);
    return (uint32_t)count;
}

uint32_t thrift_list(struct thrift_in *in, const struct thrift_field *field, enum thrift_type type)
{
    if (field->type != THRIFT_LIST)
        return (uint32_t)fail(in);
    enum thrift_type found;
    uint32_t count = list_head(in, &found);
    if (count && found != type)
        return (uint32_t)fail(in);
    return count;
}

static void skip(struct thrift_in *in, enum thrift_type type, bool element, int depth);

static void skip_struct(struct thrift_in *in, int depth)
{
    struct thrift_field field = {};
    while (thrift_next(in, &field))
        skip(in, field.type, false, depth + 1);
}

static void skip_list(struct thrift_in *in, int depth)
{
    enum thrift_type type;
    uint32_t count = list_head(in, &type);
    for (uint32_t i = 0; i < count && !in->failed; i++)
        skip(in, type, true, depth + 1);
}

static void skip_bytes(struct thrift_in *in, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)take_byte(in);
}

// The recursion ends at SKIP_DEPTH_MAX. Maps do not occur in Parquet.
static void skip(struct thrift_in *in, enum thrift_type type, bool element, int depth)
{
    if (in->failed || depth > SKIP_DEPTH_MAX) {
        fail(in);
        return;
    }
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        return element ? skip_bytes(in, 1) : (void)0;
    case THRIFT_BYTE:
        return skip_bytes(in, 1);
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
        return (void)thrift_varint(in);
    case THRIFT_DOUBLE:
        return skip_bytes(in, 8);
    case THRIFT_BINARY:
        return (void)thrift_text(in);
    case THRIFT_LIST:
    case THRIFT_SET:
        return skip_list(in, depth);
    case THRIFT_STRUCT:
        return skip_struct(in, depth);
    default:
        fail(in);
    }
}

void thrift_skip(struct thrift_in *in, const struct thrift_field *field)
{
    skip(in, field->type, false, 0);
}
