// SPDX-License-Identifier: Apache-2.0
// Checks a whole file against itself: every block, then that what the tables say of each other is
// so. Names ascend, their texts and rows follow each other without a gap, each row belongs to one
// name of each kind, and each name and row is found by way of its cell.
#include "index/file.h"
#include "os/os.h"

#include <stdlib.h>

// One bit for each row that was met.
struct met {
    uint64_t *bits;
    uint64_t count;
};

static bool meet(struct met *met, uint32_t row)
{
    uint64_t bit = (uint64_t)1 << (row % 64);
    if (met->bits[row / 64] & bit)
        return false;
    met->bits[row / 64] |= bit;
    met->count++;
    return true;
}

static void meet_none(struct met *met, uint64_t rows)
{
    memset(met->bits, 0, (rows / 64 + 1) * sizeof *met->bits);
    met->count = 0;
}

// The rows of a name ascend, and no other name has them.
static err verify_rows(const struct index_rows *rows, struct met *met, struct als_why *why)
{
    uint32_t before = 0;
    for (uint32_t n = 0; n < rows->count; n++) {
        uint32_t row = 0;
        TRY(index_row(rows, n, &row, why));
        if ((n > 0 && row <= before) || !meet(met, row))
            return file_nonsense(rows->file, "the place of row", row, why);
        before = row;
    }
    return ALS_OK;
}

static err verify_found(struct index_file *file, enum index_by by, const struct index_rows *rows,
                        uint32_t number, struct als_why *why)
{
    struct index_rows found = {.count = 0};
    TRY(index_file_find(file, by, rows->name, &found, why));
    if (found.count == 0 || found.at != rows->at)
        return file_nonsense(file, "the cell of name", number, why);
    return ALS_OK;
}

static err verify_names(struct index_file *file, enum index_by by, struct met *met,
                        struct als_why *why)
{
    str before = S("");
    uint64_t at = file->layout.at[SECTION_ROWS + by], text = file->layout.at[SECTION_TEXTS + by];
    for (uint32_t number = 0; number < file->header.names[by]; number++) {
        struct index_rows rows = {.count = 0};
        TRY(index_file_name(file, by, number, &rows, why));
        bool in_order = number == 0 || str_compare(before, rows.name) < 0;
        if (!in_order || rows.at != at || rows.name.ptr != (const char *)file->bytes + text ||
            rows.first_version > rows.last_version)
            return file_nonsense(file, by == INDEX_ENTITY ? "entity" : "type", number, why);
        TRY(verify_rows(&rows, met, why));
        TRY(verify_found(file, by, &rows, number, why));
        before = rows.name;
        at += (uint64_t)rows.count * FILE_ROW_BYTES;
        text += rows.name.len;
    }
    if (met->count != file->header.rows ||
        text - file->layout.at[SECTION_TEXTS + by] != file->header.text_bytes[by])
        return file_nonsense(file, "the number of rows", met->count, why);
    return ALS_OK;
}

// How many cells of a key are in use. A cell that is in use is reached from its home: none between
// them is free.
static err verify_cells(struct index_file *file, enum file_key key, uint64_t *ret_used,
                        struct als_why *why)
{
    uint64_t cells = file->header.cells[key], used = 0, reach = 0; // in use up to this one
    const uint8_t *table = file->bytes + file->layout.at[SECTION_CELLS + key];
    while (reach < cells && load_le32(table + (cells - 1 - reach) * FILE_CELL_BYTES + 4))
        reach++; // those at the end go on at the beginning
    for (uint64_t at = 0; at < cells; at++) {
        if (load_le32(table + at * FILE_CELL_BYTES + 4) == 0) {
            reach = 0;
            continue;
        }
        uint64_t home = file_home(load_le32(table + at * FILE_CELL_BYTES), cells);
        uint64_t distance = at >= home ? at - home : at + cells - home;
        if (distance > reach)
            return file_nonsense(file, "cell", at, why);
        used++;
        reach++;
    }
    *ret_used = used;
    return ALS_OK;
}

static err verify_ids(struct index_file *file, struct met *met, struct als_why *why)
{
    const uint8_t *table = file->bytes + file->layout.at[SECTION_CELLS + KEY_ID];
    for (uint64_t at = 0; at < file->header.cells[KEY_ID]; at++) {
        uint32_t value = load_le32(table + at * FILE_CELL_BYTES + 4);
        if (value == 0)
            continue;
        if (value > file->header.rows || !meet(met, value - 1))
            return file_nonsense(file, "the id of row", (uint64_t)value - 1, why);
    }
    if (met->count != file->header.rows)
        return file_nonsense(file, "the number of ids", met->count, why);
    return ALS_OK;
}

static err verify_with(struct index_file *file, struct met *met, struct als_why *why)
{
    for (unsigned kind = 0; kind < FILE_KINDS; kind++) {
        meet_none(met, file->header.rows);
        TRY(verify_names(file, (enum index_by)kind, met, why));
    }
    for (enum file_key key = 0; key < FILE_KEYS; key++) {
        uint64_t used = 0, keys = key == KEY_ID ? file->header.rows : file->header.names[key];
        TRY(verify_cells(file, key, &used, why));
        if (used != keys)
            return file_nonsense(file, "the number of cells in use", used, why);
    }
    meet_none(met, file->header.rows);
    return verify_ids(file, met, why);
}

err index_file_verify(struct index_file *file, struct als_why *why)
{
    uint64_t end = file->layout.at[SECTION_CHECKS];
    for (uint64_t block = 0; block < file->layout.blocks; block++) // anew: memory forgets
        atomic_fetch_and_explicit(&file->checked[block / 64], ~((uint64_t)1 << (block % 64)),
                                  memory_order_relaxed);
    file->os->file_hint(file->os, file->bytes, file->layout.end, OS_HINT_SOON);
    TRY(file_check_blocks(file, 0, end, why));
    struct met met = {.bits = malloc((file->header.rows / 64 + 1) * sizeof *met.bits)};
    if (!met.bits)
        return FAIL(why, ALS_NO_MEMORY, "index '%s': no memory to verify it", file->label);
    err code = verify_with(file, &met, why);
    free(met.bits);
    return code;
}
