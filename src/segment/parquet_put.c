// SPDX-License-Identifier: Apache-2.0
// Field numbers are those of parquet.thrift.
#include "segment/parquet.h"

#include "segment/format.h"

void parquet_put_page(struct buf *buf, const struct parquet_page *page)
{
    struct thrift_out out = {.buf = buf};
    thrift_put_i32(&out, 1, page->kind);
    thrift_put_i32(&out, 2, page->raw_bytes);
    thrift_put_i32(&out, 3, page->stored_bytes);
    thrift_put_i32(&out, 4, (int32_t)page->crc);
    if (page->kind == PARQUET_DICTIONARY_PAGE) {
        thrift_begin(&out, 7);
        thrift_put_i32(&out, 1, page->values);
        thrift_put_i32(&out, 2, page->encoding);
    } else {
        thrift_begin(&out, 8);
        thrift_put_i32(&out, 1, page->values);
        thrift_put_i32(&out, 2, page->nulls);
        thrift_put_i32(&out, 3, page->rows);
        thrift_put_i32(&out, 4, page->encoding);
        thrift_put_i32(&out, 5, page->definition_bytes);
        thrift_put_i32(&out, 6, 0);
        thrift_put_bool(&out, 7, page->packed);
    }
    thrift_end(&out);
    buf_put_char(buf, THRIFT_STOP);
}

void parquet_put_places(struct buf *buf, const struct parquet_place *places, size_t count)
{
    struct thrift_out out = {.buf = buf};
    thrift_put_list(&out, 1, THRIFT_STRUCT, count);
    for (size_t i = 0; i < count; i++) {
        thrift_begin(&out, 0);
        thrift_put_i64(&out, 1, places[i].offset);
        thrift_put_i32(&out, 2, places[i].bytes);
        thrift_put_i64(&out, 3, places[i].row);
        thrift_end(&out);
    }
    buf_put_char(buf, THRIFT_STOP);
}

void parquet_put_ranges(struct buf *buf, const struct parquet_range *ranges, size_t count)
{
    struct thrift_out out = {.buf = buf};
    thrift_put_list(&out, 1, THRIFT_TRUE, count);
    for (size_t i = 0; i < count; i++)
        buf_put_char(buf, THRIFT_FALSE); // no page is all nulls
    thrift_put_list(&out, 2, THRIFT_BINARY, count);
    for (size_t i = 0; i < count; i++)
        thrift_put_text(buf, ranges[i].least);
    thrift_put_list(&out, 3, THRIFT_BINARY, count);
    for (size_t i = 0; i < count; i++)
        thrift_put_text(buf, ranges[i].greatest);
    thrift_put_i32(&out, 4, 0); // in no order that we promise
    buf_put_char(buf, THRIFT_STOP);
}

void parquet_put_bloom(struct buf *buf, uint32_t bytes)
{
    struct thrift_out out = {.buf = buf};
    thrift_put_i32(&out, 1, bytes);
    for (int choice = 2; choice <= 4; choice++) { // split block, XXH64, not compressed
        thrift_begin(&out, choice);
        thrift_begin(&out, 1);
        thrift_end(&out);
        thrift_end(&out);
    }
    buf_put_char(buf, THRIFT_STOP);
}

static void put_statistics(struct thrift_out *out, const struct parquet_range *range)
{
    thrift_begin(out, 12);
    thrift_put_i64(out, 3, 0); // nulls
    thrift_put_binary(out, 5, range->greatest);
    thrift_put_binary(out, 6, range->least);
    thrift_put_bool(out, 7, true); // exact
    thrift_put_bool(out, 8, true);
    thrift_end(out);
}

static void put_chunk(struct thrift_out *out, const struct parquet_chunk *chunk)
{
    thrift_begin(out, 0);
    thrift_put_i64(out, 2, 0);
    thrift_begin(out, 3);
    thrift_put_i32(out, 1, chunk->type);
    thrift_put_list(out, 2, THRIFT_I32, (size_t)__builtin_popcount(chunk->encodings));
    for (int encoding = 0; encoding < 32; encoding++)
        if (chunk->encodings >> encoding & 1)
            thrift_put_zigzag(out->buf, encoding);
    thrift_put_list(out, 3, THRIFT_BINARY, 1);
    thrift_put_text(out->buf, chunk->name);
    thrift_put_i32(out, 4, chunk->codec);
    thrift_put_i64(out, 5, chunk->values);
    thrift_put_i64(out, 6, chunk->raw_bytes);
    thrift_put_i64(out, 7, chunk->stored_bytes);
    thrift_put_i64(out, 9, chunk->data_offset);
    if (chunk->dictionary_offset)
        thrift_put_i64(out, 11, chunk->dictionary_offset);
    if (chunk->range.least.ptr)
        put_statistics(out, &chunk->range);
    if (chunk->bloom_offset) {
        thrift_put_i64(out, 14, chunk->bloom_offset);
        thrift_put_i32(out, 15, chunk->bloom_bytes);
    }
    thrift_end(out);
    thrift_put_i64(out, 4, chunk->offset_index_offset);
    thrift_put_i32(out, 5, chunk->offset_index_bytes);
    if (chunk->column_index_offset) {
        thrift_put_i64(out, 6, chunk->column_index_offset);
        thrift_put_i32(out, 7, chunk->column_index_bytes);
    }
    thrift_end(out);
}

void parquet_put_group(struct buf *buf, const struct parquet_group *group, size_t ordinal)
{
    struct thrift_out out = {.buf = buf};
    thrift_begin(&out, 0);
    thrift_put_list(&out, 1, THRIFT_STRUCT, group->column_count);
    for (uint32_t i = 0; i < group->column_count; i++)
        put_chunk(&out, &group->chunks[i]);
    thrift_put_i64(&out, 2, group->raw_bytes);
    thrift_put_i64(&out, 3, group->rows);
    thrift_put_list(&out, 4, THRIFT_STRUCT, 1); // sorted by position
    thrift_begin(&out, 0);
    thrift_put_i32(&out, 1, COLUMN_POSITION);
    thrift_put_bool(&out, 2, false);
    thrift_put_bool(&out, 3, false);
    thrift_end(&out);
    thrift_put_i64(&out, 5, group->offset);
    thrift_put_i64(&out, 6, group->stored_bytes);
    if (ordinal <= INT16_MAX)
        thrift_put_int(&out, 7, THRIFT_I16, (int64_t)ordinal);
    thrift_end(&out);
}

// ---- The schema.

enum {
    CONVERTED_UTF8 = 0,
    CONVERTED_MICROS = 10,
    CONVERTED_UINT32 = 13,
    CONVERTED_UINT64 = 14,
    CONVERTED_JSON = 19
};

static int converted(enum column_meaning meaning)
{
    static const int by_meaning[] = {
        [MEANS_UINT64] = CONVERTED_UINT64, [MEANS_UINT32] = CONVERTED_UINT32,
        [MEANS_UTF8] = CONVERTED_UTF8,     [MEANS_UUID] = -1,
        [MEANS_MICROS] = CONVERTED_MICROS, [MEANS_JSON] = CONVERTED_JSON,
    };
    return by_meaning[meaning];
}

static void put_empty(struct thrift_out *out, int field)
{
    thrift_begin(out, field);
    thrift_end(out);
}

static void put_logical(struct thrift_out *out, enum column_meaning meaning)
{
    thrift_begin(out, 10);
    switch (meaning) {
    case MEANS_UTF8:
        put_empty(out, 1);
        break;
    case MEANS_MICROS:
        thrift_begin(out, 8);
        thrift_put_bool(out, 1, true); // UTC
        thrift_begin(out, 2);
        put_empty(out, 2);
        thrift_end(out);
        thrift_end(out);
        break;
    case MEANS_UINT64:
    case MEANS_UINT32:
        thrift_begin(out, 10);
        thrift_put_int(out, 1, THRIFT_BYTE, meaning == MEANS_UINT64 ? 64 : 32);
        thrift_put_bool(out, 2, false);
        thrift_end(out);
        break;
    case MEANS_JSON:
        put_empty(out, 12);
        break;
    case MEANS_UUID:
        put_empty(out, 14);
        break;
    }
    thrift_end(out);
}

static void put_column(struct thrift_out *out, const struct column *column)
{
    thrift_begin(out, 0);
    thrift_put_i32(out, 1, column_type(column));
    if (column->kind == KIND_ID)
        thrift_put_i32(out, 2, 16);
    thrift_put_i32(out, 3, column->optional);
    thrift_put_binary(out, 4, column->name);
    if (converted(column->meaning) >= 0)
        thrift_put_i32(out, 6, converted(column->meaning));
    put_logical(out, column->meaning);
    thrift_end(out);
}

void parquet_put_footer(struct buf *buf, const struct parquet_summary *summary)
{
    struct thrift_out out = {.buf = buf};
    thrift_put_i32(&out, 1, 2);
    thrift_put_list(&out, 2, THRIFT_STRUCT, COLUMNS + 1);
    thrift_begin(&out, 0);
    thrift_put_binary(&out, 4, S("event"));
    thrift_put_i32(&out, 5, COLUMNS);
    thrift_end(&out);
    for (size_t i = 0; i < COLUMNS; i++)
        put_column(&out, &columns[i]);
    thrift_put_i64(&out, 3, summary->rows);
    thrift_put_list(&out, 4, THRIFT_STRUCT, summary->group_count);
    buf_put_str(buf, summary->groups);
    thrift_put_list(&out, 5, THRIFT_STRUCT, summary->pair_count);
    for (size_t i = 0; i < summary->pair_count; i++) {
        thrift_begin(&out, 0);
        thrift_put_binary(&out, 1, summary->pairs[i].key);
        thrift_put_binary(&out, 2, summary->pairs[i].value);
        thrift_end(&out);
    }
    thrift_put_binary(&out, 6, summary->created_by);
    thrift_put_list(&out, 7, THRIFT_STRUCT, COLUMNS); // statistics are in the order of the types
    for (size_t i = 0; i < COLUMNS; i++) {
        thrift_begin(&out, 0);
        put_empty(&out, 1);
        thrift_end(&out);
    }
    buf_put_char(buf, THRIFT_STOP);
}
