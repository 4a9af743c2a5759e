// SPDX-License-Identifier: Apache-2.0
// Rows in aligned columns, printed as they come.
//
// The first rows are held back so that the columns fit them; later rows widen a column when they
// must, never past its cap. The last column takes what the terminal has left.
#pragma once

#include "base/arena.h"
#include "base/str.h"

struct cli;

enum { TABLE_COLUMNS_MAX = 8 };

struct table_column {
    const char *title;
    size_t width_max;
    bool right; // numbers
};

struct table {
    struct cli *cli;
    const struct table_column *columns;
    size_t column_count;
    size_t widths[TABLE_COLUMNS_MAX];
    size_t hold; // rows to hold back
    str *held;   // their cells, row by row
    size_t held_rows;
    struct arena arena; // of the held cells
    bool begun;         // the titles are printed
};

void table_init(struct table *table, struct cli *cli, const struct table_column *columns,
                size_t column_count, size_t hold);
void table_deinit(struct table *table);
// `cells` has column_count entries. False when the output cannot be written.
bool table_row(struct table *table, const str *cells);
// Prints what is held back.
bool table_flush(struct table *table);
