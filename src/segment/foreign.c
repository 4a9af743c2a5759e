// SPDX-License-Identifier: Apache-2.0
// Pages of versions 1 and 2, with or without CRC, compressed by zstd, snappy or not at all, plain,
// in a dictionary, or as deltas. Bytes are foreign: every length is checked before it is used.
#include "segment/foreign.h"

#include "base/bytes.h"
#include "segment/crc.h"

static err damaged(const struct foreign_column *column, const char *what, struct als_why *why)
{
    return FAIL(why, ALS_CORRUPT, "column %.*s is damaged: %s", STR(column->column->name), what);
}

static err no_room(struct als_why *why)
{
    return FAIL(why, ALS_NO_MEMORY, "no memory for a page of a foreign file");
}

static void values_init(struct foreign_values *values)
{
    buf_init(&values->raw, FOREIGN_PAGE_BYTES_MAX + READ_SLACK);
    buf_init(&values->items, FOREIGN_PAGE_ROWS_MAX * sizeof(union foreign_value));
    values->count = 0;
}

static void values_deinit(struct foreign_values *values)
{
    buf_deinit(&values->raw);
    buf_deinit(&values->items);
}

void foreign_column_init(struct foreign_column *column)
{
    values_init(&column->dictionary);
    values_init(&column->page);
    buf_init(&column->nulls, FOREIGN_PAGE_ROWS_MAX);
}

void foreign_column_deinit(struct foreign_column *column)
{
    values_deinit(&column->dictionary);
    values_deinit(&column->page);
    buf_deinit(&column->nulls);
}

// Room in the buffer, within what all columns may hold together.
static void *room_in(struct foreign_room *room, struct buf *buf, size_t size)
{
    size_t before = buf->capacity;
    buf_reset(buf);
    if (size > before && room->held + (size - before) > FOREIGN_HELD_MAX)
        return NULL;
    void *at = buf_room(buf, size);
    room->held += buf->capacity - before;
    return at;
}

static union foreign_value *items_of(const struct foreign_values *values)
{
    return (union foreign_value *)(void *)values->items.ptr;
}

// The bytes of values that are left.
struct body {
    const uint8_t *at, *end;
};

static bool is_text(const struct foreign_column *column)
{
    enum column_kind kind = column->column->kind;
    return kind == KIND_NAME || kind == KIND_TEXT || kind == KIND_ID;
}

// ---- Values.

static err take_plain(const struct foreign_column *column, struct body body, uint32_t count,
                      union foreign_value *items, struct als_why *why)
{
    enum column_kind kind = column->column->kind;
    size_t width = kind == KIND_ID ? sizeof(als_id) : kind == KIND_NARROW ? 4 : 8;
    bool counted = kind == KIND_NAME || kind == KIND_TEXT;
    for (uint32_t i = 0; i < count; i++) {
        size_t left = (size_t)(body.end - body.at);
        size_t len = counted ? (left < 4 ? SIZE_MAX - 4 : load_le32(body.at)) : width;
        size_t head = counted ? 4 : 0;
        if (left < head || len > left - head)
            return damaged(column, "a value has no end", why);
        if (is_text(column))
            items[i].text = (str){(const char *)body.at + head, len};
        else
            items[i].number = kind == KIND_NARROW ? load_le32(body.at) : load_le64(body.at);
        body.at += head + len;
    }
    return ALS_OK;
}

static err take_deltas(const struct foreign_column *column, struct foreign_room *room,
                       struct body *body, uint32_t count, const uint64_t **ret_values,
                       struct als_why *why)
{
    buf_reset(&room->wide);
    char *at = buf_room(&room->wide, delta_room(count) * sizeof(uint64_t));
    if (!at)
        return no_room(why);
    uint64_t *values = (uint64_t *)(void *)at;
    body->at = delta_decode(room->way, body->at, body->end, count, values);
    if (!body->at)
        return damaged(column, "its deltas do not decode", why);
    *ret_values = values;
    return ALS_OK;
}

static err take_delta_numbers(const struct foreign_column *column, struct foreign_room *room,
                              struct body body, uint32_t count, union foreign_value *items,
                              struct als_why *why)
{
    const uint64_t *values;
    TRY(take_deltas(column, room, &body, count, &values, why));
    bool narrow = column->column->kind == KIND_NARROW;
    for (uint32_t i = 0; i < count; i++)
        items[i].number = narrow ? (uint32_t)values[i] : values[i];
    return ALS_OK;
}

static err take_delta_texts(const struct foreign_column *column, struct foreign_room *room,
                            struct body body, uint32_t count, union foreign_value *items,
                            struct als_why *why)
{
    const uint64_t *lens;
    TRY(take_deltas(column, room, &body, count, &lens, why));
    for (uint32_t i = 0; i < count; i++) {
        if (lens[i] > (uint64_t)(body.end - body.at))
            return damaged(column, "a text has no end", why);
        items[i].text = (str){(const char *)body.at, lens[i]};
        body.at += lens[i];
    }
    return ALS_OK;
}

static err take_numbers(const struct foreign_column *column, struct foreign_room *room,
                        struct body body, uint32_t count, union foreign_value *items,
                        struct als_why *why)
{
    buf_reset(&room->levels);
    char *at = buf_room(&room->levels, delta_room(count) * sizeof(uint32_t));
    if (!at)
        return no_room(why);
    uint32_t *numbers = (uint32_t *)(void *)at;
    if (count && (body.at == body.end ||
                  !runs_decode(room->way, body.at + 1, body.end, *body.at, count, numbers)))
        return damaged(column, "its numbers do not decode", why);
    const union foreign_value *names = items_of(&column->dictionary);
    for (uint32_t i = 0; i < count; i++) {
        if (numbers[i] >= column->dictionary.count)
            return damaged(column, "a value is not in its dictionary", why);
        items[i] = names[numbers[i]];
    }
    return ALS_OK;
}

static err take_values(const struct foreign_column *column, struct foreign_room *room,
                       enum parquet_encoding encoding, struct body body, uint32_t count,
                       union foreign_value *items, struct als_why *why)
{
    bool text = column->column->kind == KIND_NAME || column->column->kind == KIND_TEXT;
    switch (encoding) {
    case PARQUET_PLAIN:
        return take_plain(column, body, count, items, why);
    case PARQUET_DICTIONARY:
    case PARQUET_PLAIN_DICTIONARY:
        return take_numbers(column, room, body, count, items, why);
    case PARQUET_DELTA:
        if (!is_text(column))
            return take_delta_numbers(column, room, body, count, items, why);
        break;
    case PARQUET_DELTA_LENGTH:
        if (text)
            return take_delta_texts(column, room, body, count, items, why);
        break;
    default:
        break;
    }
    return FAIL(why, ALS_UNSUPPORTED, "column %.*s has encoding %d, which is not understood",
                STR(column->column->name), (int)encoding);
}

// ---- Levels.

// Takes the definition levels off the front of the page; `nulls` gets a byte a row.
static err take_levels(struct foreign_column *column, struct foreign_room *room, struct body levels,
                       uint32_t rows, uint32_t *ret_present, struct als_why *why)
{
    buf_reset(&room->levels);
    buf_reset(&column->nulls);
    char *at = buf_room(&room->levels, delta_room(rows) * sizeof(uint32_t));
    char *nulls = buf_room(&column->nulls, rows ? rows : 1);
    if (!at || !nulls)
        return no_room(why);
    uint32_t *bits = (uint32_t *)(void *)at;
    if (column->optional && !runs_decode(room->way, levels.at, levels.end, 1, rows, bits))
        return damaged(column, "its levels do not decode", why);
    uint32_t present = 0;
    for (uint32_t i = 0; i < rows; i++) {
        nulls[i] = column->optional && bits[i] != 1;
        present += !nulls[i];
    }
    *ret_present = present;
    return ALS_OK;
}

// ---- Pages.

// The whole page unpacked into values->raw: its levels, then its values.
static err unpack(const struct foreign_column *column, struct foreign_room *room,
                  const struct parquet_page *head, const uint8_t *stored,
                  struct foreign_values *values, struct als_why *why)
{
    uint32_t levels = head->definition_bytes;
    if (head->raw_bytes > FOREIGN_PAGE_BYTES_MAX || levels > head->raw_bytes ||
        levels > head->stored_bytes)
        return damaged(column, "the header of a page is not possible", why);
    char *raw = room_in(room, &values->raw, head->raw_bytes + (size_t)READ_SLACK);
    if (!raw)
        return no_room(why);
    memcpy(raw, stored, levels);
    size_t size = head->raw_bytes - levels;
    str packed = {(const char *)stored + levels, head->stored_bytes - levels};
    bool sound = packed.len == size;
    if (column->codec == CODEC_NONE || !head->packed)
        memcpy(raw + levels, packed.ptr, sound ? size : 0);
    else
        sound =
            unpacker_unpack(room->unpacker, (enum codec)column->codec, packed, raw + levels, size);
    if (!sound)
        return damaged(column, "a page does not unpack", why);
    memset(raw + head->raw_bytes, 0, READ_SLACK);
    return ALS_OK;
}

static union foreign_value *room_for_items(struct foreign_room *room, struct foreign_values *values,
                                           uint32_t count)
{
    return room_in(room, &values->items, (count ? count : 1) * sizeof(union foreign_value));
}

static err take_dictionary(struct foreign_column *column, struct foreign_room *room,
                           const struct parquet_page *head, const uint8_t *stored,
                           struct als_why *why)
{
    struct foreign_values *values = &column->dictionary;
    struct parquet_page packed = *head;
    packed.packed = true;
    TRY(unpack(column, room, &packed, stored, values, why));
    if (head->values > FOREIGN_PAGE_ROWS_MAX)
        return damaged(column, "its dictionary is too large", why);
    union foreign_value *items = room_for_items(room, values, head->values);
    if (!items)
        return no_room(why);
    const uint8_t *at = (const uint8_t *)values->raw.ptr;
    TRY(take_plain(column, (struct body){at, at + head->raw_bytes}, head->values, items, why));
    values->count = head->values;
    return ALS_OK;
}

// From as many values as there are to as many as there are rows.
static void spread(union foreign_value *items, const char *nulls, uint32_t rows, uint32_t present)
{
    for (uint32_t i = rows; i > present; i--)
        items[i - 1] = nulls[i - 1] ? (union foreign_value){} : items[--present];
}

static err take_data(struct foreign_column *column, struct foreign_room *room,
                     const struct parquet_page *head, const uint8_t *stored, struct als_why *why)
{
    struct foreign_values *values = &column->page;
    TRY(unpack(column, room, head, stored, values, why));
    if (head->values > FOREIGN_PAGE_ROWS_MAX)
        return damaged(column, "a page has too many rows", why);
    const uint8_t *raw = (const uint8_t *)values->raw.ptr;
    struct body levels = {raw, raw + head->definition_bytes};
    struct body body = {levels.end, raw + head->raw_bytes};
    if (head->kind == PARQUET_DATA && column->optional) {
        if (head->raw_bytes < 4 || load_le32(raw) > head->raw_bytes - 4)
            return damaged(column, "its levels have no end", why);
        levels = (struct body){raw + 4, raw + 4 + load_le32(raw)};
        body.at = levels.end;
    }
    uint32_t present = 0;
    TRY(take_levels(column, room, levels, head->values, &present, why));
    union foreign_value *items = room_for_items(room, values, head->values);
    if (!items)
        return no_room(why);
    TRY(take_values(column, room, head->encoding, body, present, items, why));
    spread(items, column->nulls.ptr, head->values, present);
    values->count = head->values;
    column->row = 0;
    return ALS_OK;
}

static err next_page(struct foreign_column *column, struct foreign_room *room, struct als_why *why)
{
    struct parquet_page head;
    const uint8_t *body = parquet_take_page(column->at, column->end, &head);
    if (!body || head.stored_bytes > (uint64_t)(column->end - body))
        return damaged(column, "the header of a page cannot be read", why);
    if (head.has_crc && crc32_of(body, head.stored_bytes) != head.crc)
        return damaged(column, "the checksum of a page is another", why);
    column->at = body + head.stored_bytes;
    if (head.kind == PARQUET_DICTIONARY_PAGE)
        return take_dictionary(column, room, &head, body, why);
    return take_data(column, room, &head, body, why);
}

err foreign_next(struct foreign_column *column, struct foreign_room *room,
                 union foreign_value *ret_value, bool *ret_there, struct als_why *why)
{
    while (column->row >= column->page.count) {
        if (column->at == column->end)
            return damaged(column, "it has fewer values than rows", why);
        TRY(next_page(column, room, why));
    }
    uint32_t row = column->row++;
    *ret_value = items_of(&column->page)[row];
    *ret_there = !column->nulls.ptr[row];
    return ALS_OK;
}
