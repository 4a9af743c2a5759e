// SPDX-License-Identifier: Apache-2.0
// Inside of a scan, which verifying shares: one decoded page of every column at a time.
#pragma once

#include "segment/inside.h"

struct scan_column {
    struct page page;
    uint32_t index, begin, end; // of the page; its rows, counted from the start of the row group
    struct buf memory;          // what the page is decoded into
    struct buf strings;         // str of each text of the page, or of the dictionary
    struct page dictionary;
    struct buf dictionary_memory;
    uint64_t dictionary_number;
};

struct segment_scan {
    struct decoder decoder;
    struct segment *segment;
    unsigned columns;
    uint32_t row; // the next one
    int64_t since_us, until_us;
    bool entered; // `group` is that of the row and its directory has been read
    uint32_t group;
    uint64_t dictionaries; // so far
    struct buf directory;
    struct scan_column scan_columns[COLUMNS];
    uint32_t count_up[GROUP_ROWS]; // 0, 1, 2...: numbers of names that have no dictionary
};
