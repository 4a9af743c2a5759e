// SPDX-License-Identifier: Apache-2.0
// Field numbers are those of parquet.thrift. Fields that we have no use for are skipped.
#include "segment/parquet.h"

static uint64_t take_uint(struct thrift_in *in, const struct thrift_field *field, uint64_t most)
{
    int64_t value = thrift_int(in, field);
    if (value < 0 || (uint64_t)value > most)
        in->failed = true;
    return (uint64_t)value;
}

static uint32_t take_u32(struct thrift_in *in, const struct thrift_field *field)
{
    return (uint32_t)take_uint(in, field, INT32_MAX);
}

static uint64_t take_u63(struct thrift_in *in, const struct thrift_field *field)
{
    return take_uint(in, field, INT64_MAX);
}

static void take_dictionary_head(struct thrift_in *in, struct parquet_page *page)
{
    struct thrift_field field = {};
    while (thrift_next(in, &field)) {
        if (field.id == 1)
            page->values = take_u32(in, &field);
        else if (field.id == 2)
            page->encoding = take_u32(in, &field);
        else
            thrift_skip(in, &field);
    }
}

static void take_data_head(struct thrift_in *in, struct parquet_page *page)
{
    take_dictionary_head(in, page); // the two fields that count are the same
    page->rows = page->values;
    page->packed = true;
}

static void take_data_head_2(struct thrift_in *in, struct parquet_page *page)
{
    struct thrift_field field = {};
    page->packed = true;
    while (thrift_next(in, &field)) {
        switch (field.id) {
        case 1:
            page->values = take_u32(in, &field);
            break;
        case 2:
            page->nulls = take_u32(in, &field);
            break;
        case 3:
            page->rows = take_u32(in, &field);
            break;
        case 4:
            page->encoding = take_u32(in, &field);
            break;
        case 5:
            page->definition_bytes = take_u32(in, &field);
            break;
        case 6:
            in->failed |= take_u32(in, &field) != 0; // flat files have no repetition
            break;
        case 7:
            page->packed = thrift_bool(in, &field);
            break;
        default:
            thrift_skip(in, &field);
        }
    }
}

static void take_page_field(struct thrift_in *in, const struct thrift_field *field,
                            struct parquet_page *page, int *heads)
{
    switch (field->id) {
    case 1:
        page->kind = take_u32(in, field);
        break;
    case 2:
        page->raw_bytes = take_u32(in, field);
        break;
    case 3:
        page->stored_bytes = take_u32(in, field);
        break;
    case 4:
        page->crc = (uint32_t)thrift_int(in, field);
        page->has_crc = true;
        break;
    case 5:
    case 7:
    case 8:
        *heads = *heads * 16 + field->id;
        if (!thrift_struct(in, field))
            break;
        if (field->id == 5)
            take_data_head(in, page);
        else if (field->id == 7)
            take_dictionary_head(in, page);
        else
            take_data_head_2(in, page);
        break;
    default:
        thrift_skip(in, field);
    }
}

const uint8_t *parquet_take_page(const uint8_t *at, const uint8_t *end,
                                 struct parquet_page *ret_page)
{
    struct thrift_in in = {at, end, false};
    struct thrift_field field = {};
    struct parquet_page page = {};
    int heads = 0; // exactly one, of the right kind
    while (thrift_next(&in, &field) && heads < 256)
        take_page_field(&in, &field, &page, &heads);
    int wanted = page.kind == PARQUET_DATA ? 5 : page.kind == PARQUET_DICTIONARY_PAGE ? 7 : 8;
    if (in.failed || heads != wanted || page.kind > PARQUET_DATA_V2 || page.kind == 1)
        return NULL;
    *ret_page = page;
    return in.at;
}

uint32_t parquet_take_places(struct thrift_in *in)
{
    struct thrift_field field = {};
    if (!thrift_next(in, &field) || field.id != 1)
        return 0;
    return thrift_list(in, &field, THRIFT_STRUCT);
}

// One as parquet_put_places() writes it, which is read by the hundred before a row can be: heads in
// one byte each, and no field but these. `in` stays where it is when the place is another one.
static bool take_plain_place(struct thrift_in *in, struct parquet_place *ret_place)
{
    enum { A_FIELD_ON = 1 << 4, VARINT_BYTES_MAX = 10, FIELDS = 3 };
    static const uint8_t heads[FIELDS] = {A_FIELD_ON | THRIFT_I64, A_FIELD_ON | THRIFT_I32,
                                          A_FIELD_ON | THRIFT_I64};
    if (in->end - in->at < FIELDS * (1 + VARINT_BYTES_MAX) + 1)
        return false;
    const uint8_t *at = in->at;
    uint64_t values[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        if (*at++ != heads[i])
            return false;
        uint64_t value = *at & 0x7f;
        for (unsigned shift = 7; *at++ >= 0x80; shift += 7) {
            if (shift >= 63)
                return false;
            value |= (uint64_t)(*at & 0x7f) << shift;
        }
        if (value & 1) // negative
            return false;
        values[i] = value >> 1;
    }
    if (*at++ != THRIFT_STOP || values[1] > INT32_MAX || values[2] > UINT32_MAX)
        return false;
    in->at = at;
    *ret_place = (struct parquet_place){values[0], (uint32_t)values[1], (uint32_t)values[2]};
    return true;
}

bool parquet_take_place(struct thrift_in *in, struct parquet_place *ret_place)
{
    if (take_plain_place(in, ret_place))
        return true;
    struct thrift_field field = {};
    struct parquet_place place = {};
    while (thrift_next(in, &field)) {
        if (field.id == 1)
            place.offset = take_u63(in, &field);
        else if (field.id == 2)
            place.bytes = take_u32(in, &field);
        else if (field.id == 3)
            place.row = (uint32_t)take_uint(in, &field, UINT32_MAX);
        else
            thrift_skip(in, &field);
    }
    *ret_place = place;
    return !in->failed;
}

// ---- The footer.

bool parquet_take_footer(const uint8_t *bytes, size_t size, struct parquet_footer *ret_footer)
{
    struct thrift_in in = {bytes, bytes + size, false};
    struct thrift_field field = {};
    struct parquet_footer footer = {};
    while (thrift_next(&in, &field)) {
        struct thrift_in here = in;
        switch (field.id) {
        case 2:
            footer.schema_count = thrift_list(&here, &field, THRIFT_STRUCT);
            footer.schema = here;
            break;
        case 4:
            footer.group_count = thrift_list(&here, &field, THRIFT_STRUCT);
            footer.groups = here;
            break;
        case 5:
            footer.pair_count = thrift_list(&here, &field, THRIFT_STRUCT);
            footer.pairs = here;
            break;
        default:
            break;
        }
        in.failed |= here.failed;
        if (field.id == 3)
            footer.rows = take_u63(&in, &field);
        else
            thrift_skip(&in, &field);
    }
    *ret_footer = footer;
    return !in.failed;
}

bool parquet_take_element(struct thrift_in *in, struct parquet_element *ret_element)
{
    struct thrift_field field = {};
    struct parquet_element element = {.type = -1, .converted = -1};
    while (thrift_next(in, &field)) {
        switch (field.id) {
        case 1:
            element.type = (int)take_u32(in, &field);
            break;
        case 2:
            element.length = take_u32(in, &field);
            break;
        case 3:
            element.optional = take_u32(in, &field) == 1;
            break;
        case 4:
            element.name = thrift_binary(in, &field);
            break;
        case 5:
            element.children = take_u32(in, &field);
            break;
        case 6:
            element.converted = (int)take_u32(in, &field);
            break;
        default:
            thrift_skip(in, &field);
        }
    }
    *ret_element = element;
    return !in->failed;
}

static void take_statistics(struct thrift_in *in, struct parquet_range *range)
{
    struct thrift_field field = {};
    while (thrift_next(in, &field)) {
        if (field.id == 5)
            range->greatest = thrift_binary(in, &field);
        else if (field.id == 6)
            range->least = thrift_binary(in, &field);
        else
            thrift_skip(in, &field);
    }
}

static void take_path(struct thrift_in *in, const struct thrift_field *field, str *name)
{
    uint32_t count = thrift_list(in, field, THRIFT_BINARY);
    for (uint32_t i = 0; i < count && !in->failed; i++)
        *name = thrift_text(in);
    in->failed |= count != 1; // flat
}

static void take_chunk_meta(struct thrift_in *in, struct parquet_chunk *chunk)
{
    struct thrift_field field = {};
    while (thrift_next(in, &field)) {
        switch (field.id) {
        case 1:
            chunk->type = take_u32(in, &field);
            break;
        case 3:
            take_path(in, &field, &chunk->name);
            break;
        case 4:
            chunk->codec = (int)take_u32(in, &field);
            break;
        case 5:
            chunk->values = take_u63(in, &field);
            break;
        case 6:
            chunk->raw_bytes = take_u63(in, &field);
            break;
        case 7:
            chunk->stored_bytes = take_u63(in, &field);
            break;
        case 9:
            chunk->data_offset = take_u63(in, &field);
            break;
        case 11:
            chunk->dictionary_offset = take_u63(in, &field);
            break;
        case 12:
            if (thrift_struct(in, &field))
                take_statistics(in, &chunk->range);
            break;
        case 14:
            chunk->bloom_offset = take_u63(in, &field);
            break;
        case 15:
            chunk->bloom_bytes = take_u32(in, &field);
            break;
        default:
            thrift_skip(in, &field);
        }
    }
}

static void take_chunk(struct thrift_in *in, struct parquet_chunk *chunk)
{
    struct thrift_field field = {};
    while (thrift_next(in, &field)) {
        switch (field.id) {
        case 1: // the column is in another file
            in->failed = true;
            return;
        case 3:
            if (thrift_struct(in, &field))
                take_chunk_meta(in, chunk);
            break;
        case 4:
            chunk->offset_index_offset = take_u63(in, &field);
            break;
        case 5:
            chunk->offset_index_bytes = take_u32(in, &field);
            break;
        case 6:
            chunk->column_index_offset = take_u63(in, &field);
            break;
        case 7:
            chunk->column_index_bytes = take_u32(in, &field);
            break;
        default:
            thrift_skip(in, &field);
        }
    }
}

static void take_chunks(struct thrift_in *in, const struct thrift_field *field,
                        struct parquet_group *group)
{
    uint32_t count = thrift_list(in, field, THRIFT_STRUCT);
    if (count > PARQUET_COLUMNS_MAX) {
        in->failed = true;
        return;
    }
    group->column_count = count;
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        group->chunks[i] = (struct parquet_chunk){};
        take_chunk(in, &group->chunks[i]);
    }
}

bool parquet_take_group(struct thrift_in *in, struct parquet_group *ret_group)
{
    struct thrift_field field = {};
    ret_group->column_count = 0;
    ret_group->rows = ret_group->offset = ret_group->raw_bytes = ret_group->stored_bytes = 0;
    while (thrift_next(in, &field)) {
        switch (field.id) {
        case 1:
            take_chunks(in, &field, ret_group);
            break;
        case 2:
            ret_group->raw_bytes = take_u63(in, &field);
            break;
        case 3:
            ret_group->rows = take_u63(in, &field);
            break;
        case 5:
            ret_group->offset = take_u63(in, &field);
            break;
        case 6:
            ret_group->stored_bytes = take_u63(in, &field);
            break;
        default:
            thrift_skip(in, &field);
        }
    }
    return !in->failed;
}

bool parquet_take_pair(struct thrift_in *in, str *ret_key, str *ret_value)
{
    struct thrift_field field = {};
    *ret_key = *ret_value = (str){};
    while (thrift_next(in, &field)) {
        if (field.id == 1)
            *ret_key = thrift_binary(in, &field);
        else if (field.id == 2)
            *ret_value = thrift_binary(in, &field);
        else
            thrift_skip(in, &field);
    }
    return !in->failed;
}
