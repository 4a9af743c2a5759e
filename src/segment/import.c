// SPDX-License-Identifier: Apache-2.0
// A foreign file is walked once, row by row, with one page of each column in memory.
#include "base/bytes.h"
#include "os/os.h"
#include "segment/foreign.h"
#include "segment/segment.h"

#include <assert.h>
#include <stdlib.h>

enum { CONVERTED_MICROS = 10 };

struct import {
    struct os *os;
    const uint8_t *bytes;
    uint64_t size, footer_at;
    struct parquet_footer parts;
    struct parquet_group group;
    struct foreign_room room;
    struct foreign_column columns[COLUMNS];
    als_position last;
};

static void import_free(struct import *import)
{
    if (!import)
        return;
    for (size_t i = 0; i < COLUMNS; i++)
        foreign_column_deinit(&import->columns[i]);
    unpacker_free(import->room.unpacker);
    buf_deinit(&import->room.wide);
    buf_deinit(&import->room.levels);
    if (import->bytes)
        import->os->file_unmap(import->os, import->bytes, import->size);
    free(import);
}
AUTO_WITH(import, import_free)

static struct import *import_new(struct os *os)
{
    struct import *import = calloc(1, sizeof *import);
    if (!import)
        return NULL;
    import->os = os;
    import->room.way = bits_best();
    import->room.unpacker = unpacker_new();
    buf_init(&import->room.wide, delta_room(FOREIGN_PAGE_ROWS_MAX) * sizeof(uint64_t));
    buf_init(&import->room.levels, delta_room(FOREIGN_PAGE_ROWS_MAX) * sizeof(uint32_t));
    for (size_t i = 0; i < COLUMNS; i++) {
        foreign_column_init(&import->columns[i]);
        import->columns[i].column = &columns[i];
    }
    if (import->room.unpacker)
        return import;
    import_free(import);
    return NULL;
}

// ---- Columns.

static bool may_be_missing(size_t column)
{
    return column == COLUMN_METADATA || column == COLUMN_SCHEMA_VERSION || column == COLUMN_HASH;
}

static bool right_type(const struct column *column, const struct parquet_element *element)
{
    switch (column->kind) {
    case KIND_INTEGER:
    case KIND_HASH:
        return element->type == PARQUET_INT64 &&
               (column->meaning != MEANS_MICROS || element->converted == CONVERTED_MICROS);
    case KIND_NARROW:
        return element->type == PARQUET_INT32;
    case KIND_ID:
        return element->type == PARQUET_FIXED && element->length == sizeof(als_id);
    default:
        return element->type == PARQUET_BYTE_ARRAY;
    }
}

static err take_element(struct import *import, const struct parquet_element *element,
                        struct als_why *why)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        if (!str_equal(element->name, columns[i].name))
            continue;
        if (!right_type(&columns[i], element))
            return FAIL(why, ALS_UNSUPPORTED, "column %.*s has another type than events have",
                        STR(element->name));
        import->columns[i].there = true;
        import->columns[i].optional = element->optional;
    }
    return ALS_OK;
}

static err read_schema(struct import *import, struct als_why *why)
{
    struct thrift_in in = import->parts.schema;
    struct parquet_element element;
    uint32_t count = import->parts.schema_count;
    if (count < 2 || count > PARQUET_COLUMNS_MAX || !parquet_take_element(&in, &element) ||
        element.children != count - 1)
        return FAIL(why, ALS_UNSUPPORTED, "the file has no flat schema");
    for (uint32_t i = 1; i < count; i++) {
        if (!parquet_take_element(&in, &element))
            return FAIL(why, ALS_CORRUPT, "the schema of the file cannot be read");
        TRY(take_element(import, &element, why));
    }
    for (size_t i = 0; i < COLUMNS; i++)
        if (!import->columns[i].there && !may_be_missing(i))
            return FAIL(why, ALS_UNSUPPORTED, "the file has no column %.*s", STR(columns[i].name));
    return ALS_OK;
}

static err begin_chunk(struct import *import, struct foreign_column *column,
                       const struct parquet_chunk *chunk, struct als_why *why)
{
    if (chunk->codec != CODEC_NONE && chunk->codec != CODEC_SNAPPY && chunk->codec != CODEC_ZSTD)
        return FAIL(why, ALS_UNSUPPORTED, "column %.*s is compressed by codec %d",
                    STR(column->column->name), chunk->codec);
    uint64_t offset = chunk->data_offset;
    if (chunk->dictionary_offset && chunk->dictionary_offset < offset)
        offset = chunk->dictionary_offset;
    if (offset > import->footer_at || chunk->stored_bytes > import->footer_at - offset)
        return FAIL(why, ALS_CORRUPT, "column %.*s lies outside the file",
                    STR(column->column->name));
    column->at = import->bytes + offset;
    column->end = column->at + chunk->stored_bytes;
    column->codec = chunk->codec;
    column->dictionary.count = column->page.count = column->row = 0;
    return ALS_OK;
}

static err begin_group(struct import *import, struct als_why *why)
{
    bool begun[COLUMNS] = {};
    if (!parquet_take_group(&import->parts.groups, &import->group))
        return FAIL(why, ALS_CORRUPT, "a row group of the file cannot be read");
    for (uint32_t c = 0; c < import->group.column_count; c++) {
        const struct parquet_chunk *chunk = &import->group.chunks[c];
        for (size_t i = 0; i < COLUMNS; i++) {
            if (!str_equal(chunk->name, columns[i].name))
                continue;
            TRY(begin_chunk(import, &import->columns[i], chunk, why));
            begun[i] = true;
        }
    }
    for (size_t i = 0; i < COLUMNS; i++)
        if (import->columns[i].there && !begun[i])
            return FAIL(why, ALS_CORRUPT, "a row group of the file has no column %.*s",
                        STR(columns[i].name));
    return ALS_OK;
}

// ---- Rows.

static err take_row(struct import *import, union foreign_value values[COLUMNS], bool there[COLUMNS],
                    struct als_why *why)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        there[i] = false;
        values[i] = (union foreign_value){};
        if (!import->columns[i].there)
            continue;
        TRY(foreign_next(&import->columns[i], &import->room, &values[i], &there[i], why));
        if (!there[i] && !may_be_missing(i))
            return FAIL(why, ALS_CORRUPT, "a row has no %.*s", STR(columns[i].name));
    }
    return ALS_OK;
}

static err check_event(struct import *import, const struct als_event *event, struct als_why *why)
{
    if (event->position <= import->last)
        return FAIL(why, ALS_CORRUPT, "position %llu follows %llu",
                    (unsigned long long)event->position, (unsigned long long)import->last);
    if (event->entity.len > ENTITY_BYTES_MAX || event->type.len > TYPE_BYTES_MAX ||
        event->payload.len > REQUEST_BYTES_MAX || event->metadata.len > REQUEST_BYTES_MAX)
        return FAIL(why, ALS_CORRUPT, "position %llu has a name or text longer than events may",
                    (unsigned long long)event->position);
    import->last = event->position;
    return ALS_OK;
}

static err give_row(struct import *import, segment_each *each, void *context, struct als_why *why)
{
    union foreign_value values[COLUMNS];
    bool there[COLUMNS];
    TRY(take_row(import, values, there, why));
    struct als_event event = {
        .position = values[COLUMN_POSITION].number,
        .version = values[COLUMN_VERSION].number,
        .timestamp_us = (int64_t)values[COLUMN_TIMESTAMP].number,
        .recorded_us = (int64_t)values[COLUMN_RECORDED].number,
        .schema_version = (uint32_t)values[COLUMN_SCHEMA_VERSION].number,
        .entity = values[COLUMN_ENTITY].text,
        .type = values[COLUMN_TYPE].text,
        .payload = values[COLUMN_PAYLOAD].text,
        .metadata = values[COLUMN_METADATA].text,
    };
    memcpy(event.id.bytes, values[COLUMN_ID].text.ptr, sizeof event.id.bytes);
    TRY(check_event(import, &event, why));
    if (there[COLUMN_HASH] && values[COLUMN_HASH].number != row_hash(&event))
        return FAIL(why, ALS_CORRUPT, "position %llu is not what its hash says",
                    (unsigned long long)event.position);
    return each(context, &event, why);
}

// ---- The file.

static err map_file(struct import *import, struct os_dir *dir, str name, struct als_why *why)
{
    struct os *os = import->os;
    struct os_file *file = NULL;
    TRY(os->file_open(dir, name, OS_READ, &file, why));
    err code = os->file_size(file, &import->size, why);
    if (code == ALS_OK && import->size < FOOTER_TAIL + PARQUET_MAGIC_BYTES)
        code = FAIL(why, ALS_CORRUPT, "the file is too short for Parquet");
    if (code == ALS_OK)
        code = os->file_map(file, import->size, &import->bytes, why);
    os->file_close(file);
    return code;
}

static err find_footer(struct import *import, struct als_why *why)
{
    const uint8_t *end = import->bytes + import->size;
    uint32_t len = load_le32(end - FOOTER_TAIL);
    if (memcmp(import->bytes, PARQUET_MAGIC, PARQUET_MAGIC_BYTES) != 0 ||
        memcmp(end - PARQUET_MAGIC_BYTES, PARQUET_MAGIC, PARQUET_MAGIC_BYTES) != 0)
        return FAIL(why, ALS_CORRUPT, "the file is not Parquet");
    if (len > FOOTER_BYTES_MAX || len > import->size - FOOTER_TAIL - PARQUET_MAGIC_BYTES)
        return FAIL(why, ALS_CORRUPT, "the footer of the file has an impossible length");
    import->footer_at = import->size - FOOTER_TAIL - len;
    if (!parquet_take_footer(import->bytes + import->footer_at, len, &import->parts))
        return FAIL(why, ALS_CORRUPT, "the footer of the file cannot be read");
    return ALS_OK;
}

err segment_import(struct os *os, struct os_dir *dir, str name, segment_each *each, void *context,
                   struct als_why *why)
{
    assert(each);
    AUTO(import) import = import_new(os);
    if (!import)
        return FAIL(why, ALS_NO_MEMORY, "no memory to read %.*s", STR(name));
    TRY(map_file(import, dir, name, why));
    TRY(find_footer(import, why));
    TRY(read_schema(import, why));
    for (uint32_t g = 0; g < import->parts.group_count; g++) {
        TRY(begin_group(import, why));
        for (uint64_t row = 0; row < import->group.rows; row++)
            TRY(give_row(import, each, context, why));
    }
    return ALS_OK;
}
