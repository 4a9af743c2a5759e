// SPDX-License-Identifier: Apache-2.0
// One column of a file that another program wrote, read page by page.
#pragma once

#include "base/buf.h"
#include "segment/bits.h"
#include "segment/codec.h"
#include "segment/format.h"
#include "segment/parquet.h"

union foreign_value {
    str text; // first: {} makes all of it zeros
    uint64_t number;
};

// Values, and the bytes that their texts point into.
struct foreign_values {
    struct buf raw, items; // items: union foreign_value
    uint32_t count;
};

struct foreign_column {
    const struct column *column;
    bool there, optional;
    // The column chunk.
    const uint8_t *at, *end;
    int codec;
    struct foreign_values dictionary, page;
    struct buf nulls; // a byte for each row of the page: 1 where there is none
    uint32_t row;     // the next one of the page
};

// What the columns share while they decode.
struct foreign_room {
    const struct bits_way *way;
    struct unpacker *unpacker;
    struct buf wide, levels;
    uint64_t held; // bytes of the pages and dictionaries of all columns
};

void foreign_column_init(struct foreign_column *column);
void foreign_column_deinit(struct foreign_column *column);
// The next value; false in *ret_there when it is null.
err foreign_next(struct foreign_column *column, struct foreign_room *room,
                 union foreign_value *ret_value, bool *ret_there, struct als_why *why);

enum { FOREIGN_PAGE_ROWS_MAX = 1 << 20 };
#define FOREIGN_HELD_MAX MIB(512)
#define FOREIGN_PAGE_BYTES_MAX MIB(128) // other writers make one page of a whole column chunk
