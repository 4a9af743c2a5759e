// SPDX-License-Identifier: Apache-2.0
// The names of one column in the row group that is being gathered: each different one once, and
// for every row which it is.
#pragma once

#include "base/buf.h"
#include "segment/format.h"

struct intern {
    uint32_t *numbers; // by row
    uint32_t rows;
    uint32_t count;   // different names
    uint32_t *starts; // count + 1 of them: where each begins in `bytes`
    uint32_t *pages;  // by name: the page it was last seen in, counted from 1; of whoever looks
    struct buf bytes;
    uint64_t row_bytes; // of the names of all rows
    struct intern_slot *slots;
};

bool intern_init(struct intern *intern); // false: no memory
void intern_deinit(struct intern *intern);
void intern_reset(struct intern *intern);
bool intern_add(struct intern *intern, str name); // at most GROUP_ROWS times; false: no memory

static inline str intern_name(const struct intern *intern, uint32_t number)
{
    uint32_t start = intern->starts[number];
    return (str){intern->bytes.ptr + start, intern->starts[number + 1] - start};
}
