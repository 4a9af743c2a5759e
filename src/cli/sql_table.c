// SPDX-License-Identifier: Apache-2.0
#include "cli/sql_table.h"

#include "base/limits.h"
#include "json/json.h"

#include <stdio.h>

enum { COLUMN_WIDTH_MAX = 64 };

struct sheet {
    struct cli *cli;
    struct arena *arena;
    struct json_doc doc;
    const struct json_node *columns, *rows;
    size_t *widths;
    bool *right;
    size_t width_max; // of one column
    struct buf line;
};

// How many characters; those that are drawn wide are taken for one.
static size_t width_of(str text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    return width;
}

static str cut_to(str text, size_t width)
{
    size_t at = 0;
    for (size_t seen = 0; at < text.len; at++) {
        seen += ((unsigned char)text.ptr[at] & 0xC0) != 0x80;
        if (seen > width)
            break;
    }
    return str_first(text, at);
}

// What a terminal must not be told by a text from outside.
static str without_controls(struct sheet *sheet, str text)
{
    str copy = arena_copy(sheet->arena, text);
    for (size_t i = 0; copy.ptr && i < copy.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            ((char *)(uintptr_t)copy.ptr)[i] = ' ';
    return copy.ptr ? copy : S("");
}

static str cell_of(struct sheet *sheet, const struct json_node *node)
{
    if (node->kind == JSON_NULL)
        return S("");
    str text = node->kind == JSON_STRING ? json_text(&sheet->doc, node, sheet->arena)
                                         : json_span(&sheet->doc, node);
    return without_controls(sheet, text);
}

static bool is_number_type(str type)
{
    static const char *const names[] = {"INT", "DECIMAL", "DOUBLE", "FLOAT"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        for (size_t at = 0; at + strlen(names[i]) <= type.len; at++)
            if (memcmp(type.ptr + at, names[i], strlen(names[i])) == 0)
                return !str_starts(type, S("INTERVAL"));
    return false;
}

static void widen(struct sheet *sheet, size_t column, str cell)
{
    size_t width = width_of(cell);
    if (width > sheet->width_max)
        width = sheet->width_max;
    if (width > sheet->widths[column])
        sheet->widths[column] = width;
}

static void put_blanks(struct buf *line, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_put_char(line, ' ');
}

static void put_cell(struct sheet *sheet, size_t column, str cell, bool last)
{
    size_t room = sheet->widths[column], width = width_of(cell);
    bool cut = width > room;
    str shown = cut && room > 0 ? cut_to(cell, room - 1) : cell;
    size_t blanks = cut ? 0 : room - width;
    if (sheet->right[column])
        put_blanks(&sheet->line, blanks);
    buf_put_str(&sheet->line, shown);
    if (cut)
        buf_put_str(&sheet->line, S("…"));
    if (!sheet->right[column] && !last)
        put_blanks(&sheet->line, blanks);
    if (!last)
        buf_put_str(&sheet->line, S("  "));
}

static bool end_line(struct sheet *sheet)
{
    buf_put_char(&sheet->line, '\n');
    bool written = cli_write(sheet->cli, buf_str(&sheet->line));
    buf_reset(&sheet->line);
    return written;
}

static str name_of(struct sheet *sheet, const struct json_node *column)
{
    const struct json_node *name = json_member(&sheet->doc, column, S("name"));
    return name ? cell_of(sheet, name) : S("");
}

static void measure(struct sheet *sheet)
{
    size_t at = 0;
    for (const struct json_node *column = json_first(&sheet->doc, sheet->columns); column;
         column = json_after(&sheet->doc, sheet->columns, column), at++) {
        const struct json_node *type = json_member(&sheet->doc, column, S("type"));
        sheet->widths[at] = 0;
        sheet->right[at] = type && is_number_type(cell_of(sheet, type));
        widen(sheet, at, name_of(sheet, column));
    }
    for (const struct json_node *row = json_first(&sheet->doc, sheet->rows); row;
         row = json_after(&sheet->doc, sheet->rows, row)) {
        at = 0;
        for (const struct json_node *cell = json_first(&sheet->doc, row);
             cell && at < sheet->columns->count; cell = json_after(&sheet->doc, row, cell))
            widen(sheet, at++, cell_of(sheet, cell));
    }
}

static bool print_titles(struct sheet *sheet)
{
    size_t at = 0, count = sheet->columns->count;
    for (const struct json_node *column = json_first(&sheet->doc, sheet->columns); column;
         column = json_after(&sheet->doc, sheet->columns, column), at++)
        put_cell(sheet, at, name_of(sheet, column), at + 1 == count);
    if (!end_line(sheet))
        return false;
    for (at = 0; at < count; at++) {
        for (size_t i = 0; i < sheet->widths[at]; i++)
            buf_put_char(&sheet->line, '-');
        if (at + 1 < count)
            buf_put_str(&sheet->line, S("  "));
    }
    return end_line(sheet);
}

static bool print_rows(struct sheet *sheet)
{
    size_t count = sheet->columns->count;
    for (const struct json_node *row = json_first(&sheet->doc, sheet->rows); row;
         row = json_after(&sheet->doc, sheet->rows, row)) {
        size_t at = 0;
        for (const struct json_node *cell = json_first(&sheet->doc, row); cell && at < count;
             cell = json_after(&sheet->doc, row, cell), at++)
            put_cell(sheet, at, cell_of(sheet, cell), at + 1 == count);
        if (!end_line(sheet))
            return false;
    }
    return true;
}

static void print_count(struct sheet *sheet, const struct json_node *root)
{
    const struct json_node *truncated = json_member(&sheet->doc, root, S("truncated"));
    const struct json_node *time = json_member(&sheet->doc, root, S("duration_ms"));
    if (!sheet->cli->err_terminal)
        return;
    fprintf(sheet->cli->err, "%u row%s%s, %.*s ms\n", sheet->rows->count,
            sheet->rows->count == 1 ? "" : "s",
            truncated && truncated->kind == JSON_TRUE ? " and more" : "",
            STR(time ? json_span(&sheet->doc, time) : S("?")));
}

err sql_table_print(struct cli *cli, str answer, struct arena *arena, struct als_why *why)
{
    struct json_options options = {.depth_max = JSON_DEPTH_CAP, .span_depth = 3};
    struct sheet sheet = {.cli = cli, .arena = arena};
    TRY(json_parse(answer, options, arena, &sheet.doc, NULL, why));
    const struct json_node *root = json_root(&sheet.doc);
    sheet.columns = json_member(&sheet.doc, root, S("columns"));
    sheet.rows = json_member(&sheet.doc, root, S("rows"));
    if (!sheet.columns || sheet.columns->kind != JSON_ARRAY || !sheet.rows ||
        sheet.rows->kind != JSON_ARRAY)
        return FAIL(why, ALS_SERIALIZATION, "the answer is not that of a SQL query");
    sheet.width_max = sheet.columns->count == 1 ? cli->columns : COLUMN_WIDTH_MAX;
    sheet.widths = ARENA_ARRAY(arena, size_t, sheet.columns->count);
    sheet.right = ARENA_ARRAY(arena, bool, sheet.columns->count);
    if (!sheet.widths || !sheet.right)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the table");
    buf_init(&sheet.line, (size_t)64 << 20);
    measure(&sheet);
    if (print_titles(&sheet) && print_rows(&sheet))
        print_count(&sheet, root);
    buf_deinit(&sheet.line);
    return ALS_OK; // what could not be written is told by cli_finish()
}
