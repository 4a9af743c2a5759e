// SPDX-License-Identifier: Apache-2.0
// Thrift's compact protocol, as far as Parquet needs it. Writing goes into a buf; reading walks
// foreign bytes and remembers a failure, so that its callers ask once, at the end.
#pragma once

#include "base/buf.h"

enum thrift_type {
    THRIFT_STOP,
    THRIFT_TRUE,
    THRIFT_FALSE,
    THRIFT_BYTE,
    THRIFT_I16,
    THRIFT_I32,
    THRIFT_I64,
    THRIFT_DOUBLE,
    THRIFT_BINARY,
    THRIFT_LIST,
    THRIFT_SET,
    THRIFT_MAP,
    THRIFT_STRUCT,
};

// ---- Writing. Fields of a struct are put in the order of their numbers.

enum { THRIFT_DEPTH = 8 };
struct thrift_out {
    struct buf *buf;
    int depth;
    int last[THRIFT_DEPTH]; // number of the last field, by depth
};

void thrift_put_int(struct thrift_out *out, int field, enum thrift_type type, int64_t value);
void thrift_put_i32(struct thrift_out *out, int field, int64_t value);
void thrift_put_i64(struct thrift_out *out, int field, uint64_t value);
void thrift_put_bool(struct thrift_out *out, int field, bool value);
void thrift_put_binary(struct thrift_out *out, int field, str value);
void thrift_begin(struct thrift_out *out, int field); // a struct; 0: an element of a list
void thrift_end(struct thrift_out *out);
void thrift_put_list(struct thrift_out *out, int field, enum thrift_type type, size_t count);
// Elements of lists.
void thrift_put_varint(struct buf *buf, uint64_t value);
void thrift_put_zigzag(struct buf *buf, int64_t value);
void thrift_put_text(struct buf *buf, str value);

// ---- Reading.

struct thrift_in {
    const uint8_t *at, *end;
    bool failed;
};
struct thrift_field {
    int id;                // begin with 0
    enum thrift_type type; // of the field that thrift_next() found
};

// The next field of a struct; false at its end and after a failure.
bool thrift_next(struct thrift_in *in, struct thrift_field *field);
// The value of the field; of another type it is a failure.
int64_t thrift_int(struct thrift_in *in, const struct thrift_field *field);
bool thrift_bool(struct thrift_in *in, const struct thrift_field *field);
str thrift_binary(struct thrift_in *in, const struct thrift_field *field);
bool thrift_struct(struct thrift_in *in, const struct thrift_field *field); // then thrift_next()
// Begins a list of `type` and returns how many; a list cannot have more elements than bytes left.
uint32_t thrift_list(struct thrift_in *in, const struct thrift_field *field, enum thrift_type type);
// Elements of lists.
uint64_t thrift_varint(struct thrift_in *in);
int64_t thrift_zigzag(struct thrift_in *in);
str thrift_text(struct thrift_in *in);
// Whatever the field is.
void thrift_skip(struct thrift_in *in, const struct thrift_field *field);
