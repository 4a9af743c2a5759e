// SPDX-License-Identifier: Apache-2.0
// A page is encoded into room->raw, compressed into room->packed with its levels in front, and
// copied behind its header. It stays uncompressed where that gains too little to be worth the time
// of whoever reads one row.
#include "segment/chunk.h"

#include "base/bytes.h"
#include "segment/bits.h"
#include "segment/crc.h"

#include <assert.h>

enum { GAIN_MIN = 512, GAIN_PART = 16 }; // bytes, and part of the page, that packing must gain
#define CHUNK_BYTES_MAX (PAGE_BYTES_MAX + MIB(64))

void chunk_init(struct chunk *chunk)
{
    buf_init(&chunk->out, CHUNK_BYTES_MAX);
    buf_init(&chunk->places, GROUP_PAGES_MAX * sizeof(struct parquet_place));
}

void chunk_deinit(struct chunk *chunk)
{
    buf_deinit(&chunk->out);
    buf_deinit(&chunk->places);
}

void chunk_reset(struct chunk *chunk)
{
    buf_reset(&chunk->out);
    buf_reset(&chunk->places);
    chunk->rows = 0;
    chunk->raw_bytes = 0;
    chunk->dictionary_bytes = 0;
    chunk->encodings = 0;
    chunk->range_count = 0;
}

bool chunk_failed(const struct chunk *chunk)
{
    return buf_failed(&chunk->out) || buf_failed(&chunk->places);
}

// ---- One page.

struct draft {
    enum parquet_page_kind kind;
    enum parquet_encoding encoding;
    uint32_t values, rows;
    str levels, body;
    bool pack; // worth a try; a dictionary page always is packed
};

// Puts what is stored into room->packed; false when the body is stored as it is.
static bool pack_body(struct chunk_room *room, const struct draft *draft)
{
    buf_reset(&room->packed);
    buf_put_str(&room->packed, draft->levels);
    bool must = draft->kind == PARQUET_DICTIONARY_PAGE;
    if (must || (draft->pack && draft->body.len > GAIN_MIN)) {
        size_t bound = codec_bound(draft->body.len);
        char *at = buf_room(&room->packed, bound);
        size_t size = at ? packer_zstd_pack(room->packer, draft->body, at, bound) : 0;
        if (size && (must || (size + GAIN_MIN < draft->body.len &&
                              size < draft->body.len - draft->body.len / GAIN_PART))) {
            buf_grew(&room->packed, size);
            return true;
        }
        room->packed.failed |= must;
    }
    buf_put_str(&room->packed, draft->body);
    return false;
}

static void put_page(struct chunk *chunk, struct chunk_room *room, const struct draft *draft)
{
    bool packed = pack_body(room, draft);
    str stored = buf_str(&room->packed);
    struct parquet_page page = {
        .kind = draft->kind,
        .raw_bytes = (uint32_t)(draft->levels.len + draft->body.len),
        .stored_bytes = (uint32_t)stored.len,
        .crc = crc32_of(stored.ptr, stored.len),
        .packed = packed,
        .values = draft->kind == PARQUET_DICTIONARY_PAGE ? draft->values : draft->rows,
        .nulls = draft->rows - draft->values,
        .rows = draft->rows,
        .encoding = draft->encoding,
        .definition_bytes = (uint32_t)draft->levels.len,
    };
    size_t begin = chunk->out.len;
    parquet_put_page(&chunk->out, &page);
    size_t head = chunk->out.len - begin;
    buf_put_str(&chunk->out, stored);
    chunk->out.failed |= buf_failed(&room->packed) || buf_failed(&room->raw);
    chunk->raw_bytes += head + page.raw_bytes;
    chunk->encodings |= UINT32_C(1) << draft->encoding;
    if (draft->kind == PARQUET_DICTIONARY_PAGE) {
        chunk->dictionary_bytes = (uint32_t)chunk->out.len;
        return;
    }
    struct parquet_place place = {begin, (uint32_t)(chunk->out.len - begin), chunk->rows};
    buf_put(&chunk->places, &place, sizeof place);
    chunk->rows += draft->rows;
}

// ---- Numbers.

static void note_numbers(struct chunk *chunk, const uint64_t *values, uint32_t count,
                         const struct column *column)
{
    struct number_range range = number_range_of(values, count, column);
    assert(chunk->range_count < CHUNK_RANGES_MAX);
    uint8_t(*bytes)[8] = chunk->range_bytes[chunk->range_count];
    store_le64(bytes[0], range.least);
    store_le64(bytes[1], range.greatest);
    size_t width = column->kind == KIND_NARROW ? 4 : 8;
    chunk->ranges[chunk->range_count++] =
        (struct parquet_range){{(char *)bytes[0], width}, {(char *)bytes[1], width}};
}

void chunk_put_integers(struct chunk *chunk, struct chunk_room *room, const uint64_t *values,
                        uint32_t count, const struct column *column)
{
    for (uint32_t done = 0; done < count; done += PAGE_ROWS) {
        uint32_t rows = count - done < PAGE_ROWS ? count - done : PAGE_ROWS;
        buf_reset(&room->raw);
        uint8_t *at = (uint8_t *)buf_room(&room->raw, delta_size_max(rows));
        if (at)
            buf_grew(&room->raw,
                     delta_encode(values + done, rows, column->kind == KIND_NARROW, at));
        note_numbers(chunk, values + done, rows, column);
        struct draft draft = {.kind = PARQUET_DATA_V2,
                              .encoding = PARQUET_DELTA,
                              .values = rows,
                              .rows = rows,
                              .body = buf_str(&room->raw),
                              .pack = true};
        put_page(chunk, room, &draft);
    }
}

// Ids and hashes: bytes that do not compress.
void chunk_put_plain(struct chunk *chunk, struct chunk_room *room, str bytes, uint32_t width)
{
    for (size_t done = 0; done < bytes.len; done += PLAIN_PAGE_BYTES) {
        str body = str_first(str_from(bytes, done), PLAIN_PAGE_BYTES);
        uint32_t rows = (uint32_t)(body.len / width);
        struct draft draft = {.kind = PARQUET_DATA_V2,
                              .encoding = PARQUET_PLAIN,
                              .values = rows,
                              .rows = rows,
                              .body = body};
        put_page(chunk, room, &draft);
    }
}

// ---- Texts.

static void put_levels(struct buf *buf, const uint32_t *present, uint32_t rows)
{
    uint8_t *at = (uint8_t *)buf_room(buf, runs_size_max(rows, 1));
    if (at)
        buf_grew(buf, runs_encode(present, rows, 1, at));
}

static void put_lens(struct buf *buf, const uint64_t *lens, uint32_t count)
{
    uint8_t *at = (uint8_t *)buf_room(buf, delta_size_max(count));
    if (at)
        buf_grew(buf, delta_encode(lens, count, false, at));
}

void chunk_begin_texts(struct buf *texts)
{
    buf_reset(texts);
    size_t gap = delta_size_max(PAGE_ROWS);
    if (buf_room(texts, gap))
        buf_grew(texts, gap);
}

size_t chunk_texts_bytes(const struct buf *texts)
{
    return texts->len - delta_size_max(PAGE_ROWS);
}

// The lengths are encoded last, and stand before the texts: they go into the end of the gap.
void chunk_put_texts(struct chunk *chunk, struct chunk_room *room, const struct chunk_texts *texts)
{
    buf_reset(&room->raw);
    if (texts->present)
        put_levels(&room->raw, texts->present, texts->rows);
    size_t levels = room->raw.len;
    put_lens(&room->raw, texts->lens, texts->count);
    chunk->out.failed |= buf_failed(&room->raw) || buf_failed(texts->bytes);
    if (chunk->out.failed)
        return;
    str lens = str_from(buf_str(&room->raw), levels);
    size_t begin = delta_size_max(PAGE_ROWS) - lens.len;
    memcpy(texts->bytes->ptr + begin, lens.ptr, lens.len);
    struct draft draft = {.kind = PARQUET_DATA_V2,
                          .encoding = PARQUET_DELTA_LENGTH,
                          .values = texts->count,
                          .rows = texts->rows,
                          .levels = str_first(buf_str(&room->raw), levels),
                          .body = str_from(buf_str(texts->bytes), begin),
                          .pack = texts->count > 0};
    put_page(chunk, room, &draft);
}

// ---- Names.

static void widen(struct parquet_range *range, str name)
{
    if (!range->least.ptr || str_compare(name, range->least) < 0)
        range->least = name;
    if (!range->greatest.ptr || str_compare(name, range->greatest) > 0)
        range->greatest = name;
}

// Each name of the page is compared once, however many rows have it.
static void note_names(struct chunk *chunk, const struct intern *names, uint32_t first,
                       uint32_t rows)
{
    struct parquet_range range = {};
    uint32_t page = (uint32_t)chunk->range_count + 1;
    for (uint32_t i = first; i < first + rows; i++) {
        uint32_t number = names->numbers[i];
        if (names->pages[number] != page)
            widen(&range, intern_name(names, number));
        names->pages[number] = page;
    }
    assert(chunk->range_count < CHUNK_RANGES_MAX);
    chunk->ranges[chunk->range_count++] = range;
}

static void put_dictionary(struct chunk *chunk, struct chunk_room *room, const struct intern *names)
{
    buf_reset(&room->raw);
    for (uint32_t i = 0; i < names->count; i++) {
        str name = intern_name(names, i);
        uint8_t len[4];
        store_le32(len, (uint32_t)name.len);
        buf_put(&room->raw, len, sizeof len);
        buf_put_str(&room->raw, name);
    }
    struct draft draft = {.kind = PARQUET_DICTIONARY_PAGE,
                          .encoding = PARQUET_PLAIN,
                          .values = names->count,
                          .rows = names->count,
                          .body = buf_str(&room->raw)};
    put_page(chunk, room, &draft);
}

static void put_numbers(struct chunk *chunk, struct chunk_room *room, const struct intern *names)
{
    unsigned width = bits_width(names->count - 1);
    for (uint32_t done = 0; done < names->rows; done += PAGE_ROWS) {
        uint32_t rows = names->rows - done < PAGE_ROWS ? names->rows - done : PAGE_ROWS;
        buf_reset(&room->raw);
        buf_put_char(&room->raw, (char)width);
        uint8_t *at = (uint8_t *)buf_room(&room->raw, runs_size_max(rows, width));
        if (at)
            buf_grew(&room->raw, runs_encode(names->numbers + done, rows, width, at));
        note_names(chunk, names, done, rows);
        struct draft draft = {.kind = PARQUET_DATA_V2,
                              .encoding = PARQUET_DICTIONARY,
                              .values = rows,
                              .rows = rows,
                              .body = buf_str(&room->raw),
                              .pack = true};
        put_page(chunk, room, &draft);
    }
}

// Names one by one, as texts.
static void put_names_plainly(struct chunk *chunk, struct chunk_room *room,
                              const struct intern *names)
{
    uint64_t lens[PAGE_ROWS];
    struct buf *bytes = &room->names;
    for (uint32_t done = 0; done < names->rows;) {
        struct chunk_texts texts = {.lens = lens, .bytes = bytes};
        uint32_t first = done;
        chunk_begin_texts(bytes);
        while (done < names->rows && texts.rows < PAGE_ROWS &&
               chunk_texts_bytes(bytes) < NAME_PAGE_BYTES && !buf_failed(bytes)) {
            str name = intern_name(names, names->numbers[done++]);
            lens[texts.rows++] = name.len;
            buf_put_str(bytes, name);
        }
        texts.count = texts.rows;
        note_names(chunk, names, first, texts.rows);
        chunk_put_texts(chunk, room, &texts);
    }
}

// A dictionary pays when names repeat, and when unpacking it for the first row that is read costs
// no more than a page would.
void chunk_put_names(struct chunk *chunk, struct chunk_room *room, const struct intern *names)
{
    bool repeat = names->count <= names->rows / 2;
    if (!repeat || names->bytes.len + names->count * 4 > DICTIONARY_BYTES) {
        put_names_plainly(chunk, room, names);
        return;
    }
    put_dictionary(chunk, room, names);
    put_numbers(chunk, room, names);
}
