// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include "cli/show.h"
#include "cli/verb.h"

#include <assert.h>

enum { GAP = 2, LAST_COLUMN_MIN = 16 };

void table_init(struct table *table, struct cli *cli, const struct table_column *columns,
                size_t column_count, size_t hold)
{
    assert(column_count && column_count <= TABLE_COLUMNS_MAX);
    *table = (struct table){
        .cli = cli,
        .columns = columns,
        .column_count = column_count,
        .hold = hold,
    };
    arena_init(&table->arena, 64 << 10, 64 << 20);
    for (size_t i = 0; i < column_count; i++)
        table->widths[i] = show_width(str_of(columns[i].title));
}

void table_deinit(struct table *table)
{
    arena_deinit(&table->arena);
}

static void fit(struct table *table, const str *cells)
{
    for (size_t i = 0; i + 1 < table->column_count; i++) {
        size_t width = show_width(cells[i]), most = table->columns[i].width_max;
        if (width > most)
            width = most;
        if (width > table->widths[i])
            table->widths[i] = width;
    }
}

static size_t last_column_width(const struct table *table)
{
    size_t used = 0;
    for (size_t i = 0; i + 1 < table->column_count; i++)
        used += table->widths[i] + GAP;
    size_t columns = table->cli->columns;
    return columns > used + LAST_COLUMN_MIN ? columns - used : LAST_COLUMN_MIN;
}

static bool print(struct table *table, const str *cells)
{
    struct buf buf;
    buf_init(&buf, 64 << 10);
    for (size_t i = 0; i < table->column_count; i++) {
        bool last = i + 1 == table->column_count;
        size_t width = last ? last_column_width(table) : table->widths[i];
        size_t own = show_width(cells[i]);
        for (size_t pad = own; table->columns[i].right && pad < width; pad++)
            buf_put_char(&buf, ' ');
        show_cell(cells[i], width, !last && !table->columns[i].right, &buf);
        if (!last)
            buf_put_str(&buf, S("  "));
    }
    buf_put_char(&buf, '\n');
    bool done = !buf_failed(&buf) && cli_write(table->cli, buf_str(&buf));
    buf_deinit(&buf);
    return done;
}

static bool begin(struct table *table)
{
    if (table->begun)
        return true;
    table->begun = true;
    str titles[TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < table->column_count; i++)
        titles[i] = str_of(table->columns[i].title);
    return print(table, titles);
}

// A row that is shown cut need not be kept whole.
static str keep(struct table *table, str cell)
{
    return arena_copy(&table->arena, str_first(cell, 4096));
}

static bool hold_back(struct table *table, const str *cells)
{
    if (!table->held)
        table->held = ARENA_ARRAY(&table->arena, str, table->hold * table->column_count);
    if (!table->held)
        return false;
    str *row = table->held + table->held_rows * table->column_count;
    for (size_t i = 0; i < table->column_count; i++)
        row[i] = keep(table, cells[i]);
    table->held_rows++;
    return true;
}

bool table_flush(struct table *table)
{
    bool done = !table->held_rows || begin(table);
    for (size_t i = 0; done && i < table->held_rows; i++)
        done = print(table, table->held + i * table->column_count);
    table->held_rows = 0;
    return done;
}

bool table_row(struct table *table, const str *cells)
{
    fit(table, cells);
    if (!table->begun && table->held_rows < table->hold && hold_back(table, cells))
        return true;
    return table_flush(table) && begin(table) && print(table, cells);
}
