// SPDX-License-Identifier: Apache-2.0
// From bytes of the file to values.
//
// A page is believed when its header says what the offset index says, its body has the CRC that the
// header says, and it decodes to exactly as many values and bytes as it should. Every length is
// checked before it is used: the seal says that nothing has changed, not who has made the file.
#include "base/bytes.h"
#include "base/hash.h"
#include "os/os.h"
#include "segment/crc.h"
#include "segment/inside.h"

#include <assert.h>
#include <stdlib.h>

static err damaged(const struct column *column, const char *what, struct als_why *why)
{
    return FAIL(why, ALS_CORRUPT, "a page of column %.*s is damaged: %s", STR(column->name), what);
}

bool decoder_init(struct decoder *decoder)
{
    *decoder = (struct decoder){.way = bits_best(), .unpacker = unpacker_new()};
    buf_init(&decoder->stored, FETCH_BYTES_MAX + READ_SLACK);
    buf_init(&decoder->raw, PAGE_BYTES_MAX + READ_SLACK);
    buf_init(&decoder->wide, delta_room(GROUP_ROWS) * sizeof(uint64_t));
    buf_init(&decoder->levels, delta_room(GROUP_ROWS) * sizeof(uint32_t));
    return decoder->unpacker != NULL;
}

void decoder_deinit(struct decoder *decoder)
{
    unpacker_free(decoder->unpacker);
    buf_deinit(&decoder->stored);
    buf_deinit(&decoder->raw);
    buf_deinit(&decoder->wide);
    buf_deinit(&decoder->levels);
}

// ---- The directory.

// A place takes at least 6 bytes.
enum { PLACE_BYTES_MIN = 6 };

size_t directory_size_max(const struct segment_group *group)
{
    size_t places = 0;
    for (size_t i = 0; i < COLUMNS; i++) {
        size_t count = group->chunks[i].index_bytes / PLACE_BYTES_MIN + 1;
        places += count < group->rows ? count : group->rows;
    }
    return sizeof(struct directory) + places * sizeof(struct parquet_place);
}

// The places of one column follow each other without gaps, in bytes and in rows.
static bool read_places(const struct segment_group *group, const struct segment_chunk *chunk,
                        const uint8_t *at, struct parquet_place *places, uint32_t *ret_count)
{
    struct thrift_in in = {at, at + chunk->index_bytes, false};
    uint32_t count = parquet_take_places(&in);
    if (count == 0 || count > group->rows || count > chunk->index_bytes / PLACE_BYTES_MIN + 1)
        return false;
    uint64_t offset = chunk->offset + chunk->dictionary_bytes;
    for (uint32_t i = 0; i < count; i++) {
        if (!parquet_take_place(&in, &places[i]) || places[i].offset != offset ||
            places[i].bytes == 0 || places[i].row >= group->rows ||
            (i == 0 ? places[i].row != 0 : places[i].row <= places[i - 1].row))
            return false;
        offset += places[i].bytes;
    }
    *ret_count = count;
    return offset == chunk->offset + chunk->bytes;
}

void expect_bytes(const struct segment *segment, uint64_t offset, uint64_t bytes)
{
    segment->os->file_hint(segment->os, segment->bytes + offset, bytes, OS_HINT_SOON);
}

struct directory_place directory_place(const struct segment_group *group)
{
    uint64_t begin = group->chunks[0].index_offset;
    return (struct directory_place){begin, group->end - begin};
}

err directory_read(const struct segment *segment, uint32_t group_number, const uint8_t *at,
                   struct directory *ret_directory, struct als_why *why)
{
    const struct segment_group *group = &segment->groups[group_number];
    struct directory_place place = directory_place(group);
    if (hash_bytes(at, place.bytes, 0) != group->index_check)
        return FAIL(why, ALS_CORRUPT, "the page index of row group %u is damaged", group_number);
    uint32_t total = 0;
    for (size_t i = 0; i < COLUMNS; i++) {
        uint32_t count = 0;
        const struct segment_chunk *chunk = &group->chunks[i];
        ret_directory->starts[i] = total;
        if (!read_places(group, chunk, at + (chunk->index_offset - place.offset),
                         ret_directory->places + total, &count))
            return FAIL(why, ALS_CORRUPT, "the page index of row group %u is not possible",
                        group_number);
        total += count;
    }
    ret_directory->starts[COLUMNS] = total;
    return ALS_OK;
}

uint32_t page_directory_find(const struct directory *directory, size_t column, uint32_t row)
{
    uint32_t low = directory->starts[column], high = directory->starts[column + 1];
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (directory->places[middle].row <= row)
            low = middle;
        else
            high = middle;
    }
    return low - directory->starts[column];
}

uint32_t directory_end(const struct directory *directory, size_t column, uint32_t page,
                       uint32_t group_rows)
{
    uint32_t next = directory->starts[column] + page + 1;
    return next < directory->starts[column + 1] ? directory->places[next].row : group_rows;
}

// ---- Headers.

static bool right_encoding(const struct column *column, const struct parquet_page *head,
                           bool dictionary)
{
    if (head->kind == PARQUET_DICTIONARY_PAGE)
        return head->encoding == PARQUET_PLAIN;
    switch (column->kind) {
    case KIND_INTEGER:
    case KIND_NARROW:
        return head->encoding == PARQUET_DELTA;
    case KIND_NAME:
        return head->encoding == (dictionary ? PARQUET_DICTIONARY : PARQUET_DELTA_LENGTH);
    case KIND_TEXT:
        return head->encoding == PARQUET_DELTA_LENGTH;
    default:
        return head->encoding == PARQUET_PLAIN;
    }
}

static size_t memory_of(const struct column *column, const struct parquet_page *head)
{
    size_t rows = head->rows;
    switch (column->kind) {
    case KIND_INTEGER:
        return delta_room(rows) * sizeof(uint64_t);
    case KIND_HASH:
        return rows * sizeof(uint64_t);
    case KIND_ID:
        return rows * sizeof(als_id);
    case KIND_NARROW:
        return rows * sizeof(uint32_t);
    default:
        if (head->encoding == PARQUET_DICTIONARY)
            return delta_room(rows) * sizeof(uint32_t);
        return (rows + 1) * sizeof(uint32_t) + head->raw_bytes + READ_SLACK;
    }
}

static err check_head(const struct page_source *source, bool dictionary, struct als_why *why)
{
    const struct parquet_page *head = &source->head;
    if (!head->has_crc || crc32_of(source->body, head->stored_bytes) != head->crc)
        return damaged(source->column, "its checksum is another", why);
    if (!right_encoding(source->column, head, dictionary))
        return damaged(source->column, "its encoding is not its column's", why);
    uint32_t levels = head->definition_bytes;
    if (head->raw_bytes > PAGE_BYTES_MAX || levels > head->raw_bytes ||
        levels > head->stored_bytes || head->nulls > head->rows ||
        (!head->packed && head->raw_bytes != head->stored_bytes) ||
        (!source->column->optional && (levels != 0 || head->nulls != 0)))
        return damaged(source->column, "its header is not possible", why);
    return ALS_OK;
}

struct page_place page_place(const struct segment *segment, uint32_t group_number, size_t column,
                             const struct directory *directory, uint32_t page)
{
    const struct segment_group *group = &segment->groups[group_number];
    const struct segment_chunk *chunk = &group->chunks[column];
    struct page_place place = {.column = &columns[column],
                               .offset = chunk->offset,
                               .bytes = chunk->dictionary_bytes,
                               .rows = group->rows,
                               .has_dictionary = chunk_has_dictionary(chunk),
                               .is_dictionary = page == PAGE_DICTIONARY};
    if (place.is_dictionary)
        return place;
    const struct parquet_place *found = &directory->places[directory->starts[column] + page];
    place.offset = found->offset;
    place.bytes = found->bytes;
    place.rows = directory_end(directory, column, page, group->rows) - found->row;
    return place;
}

err page_find(const struct page_place *place, const uint8_t *at, struct page_source *ret_source,
              struct als_why *why)
{
    struct page_source source = {.column = place->column};
    const uint8_t *end = at + place->bytes;
    source.body = parquet_take_page(at, end, &source.head);
    if (!source.body || source.head.stored_bytes != (uint64_t)(end - source.body))
        return damaged(source.column, "its header cannot be read", why);
    struct parquet_page *head = &source.head;
    if (place->is_dictionary) {
        if (head->kind != PARQUET_DICTIONARY_PAGE || head->values == 0 ||
            head->values > place->rows)
            return damaged(source.column, "it is no dictionary", why);
        head->rows = head->values;
        head->packed = true;
    } else if (head->kind != PARQUET_DATA_V2 || head->rows != place->rows ||
               head->values != place->rows)
        return damaged(source.column, "it has other rows than its index says", why);
    TRY(check_head(&source, place->has_dictionary, why));
    source.memory = memory_of(source.column, head);
    *ret_source = source;
    return ALS_OK;
}

// ---- Bodies.

// The values of the page, unpacked, with READ_SLACK bytes behind them that may be read.
struct body {
    const uint8_t *at, *end;
};

// A page that is stored as it is is used where it lies: in the file the footer is behind it, and
// fetch() leaves room.
static err unpack(struct decoder *decoder, const struct page_source *source, void *target,
                  struct body *ret_body, struct als_why *why)
{
    const struct parquet_page *head = &source->head;
    size_t size = head->raw_bytes - head->definition_bytes;
    const uint8_t *stored = source->body + head->definition_bytes;
    if (!head->packed && !target) {
        *ret_body = (struct body){stored, stored + size};
        return ALS_OK;
    }
    if (!target) {
        buf_reset(&decoder->raw);
        target = buf_room(&decoder->raw, size + READ_SLACK);
        if (!target)
            return FAIL(why, ALS_NO_MEMORY, "no memory for a page of %zu bytes", size);
    }
    str packed = {(const char *)stored, head->stored_bytes - head->definition_bytes};
    if (!head->packed)
        memcpy(target, stored, size);
    else if (!unpacker_unpack(decoder->unpacker, CODEC_ZSTD, packed, target, size))
        return damaged(source->column, "it does not unpack", why);
    memset((char *)target + size, 0, READ_SLACK);
    *ret_body = (struct body){target, (uint8_t *)target + size};
    return ALS_OK;
}

static uint64_t *wide_room(struct decoder *decoder, size_t count, struct als_why *why)
{
    buf_reset(&decoder->wide);
    char *at = buf_room(&decoder->wide, delta_room(count) * sizeof(uint64_t));
    if (!at)
        err_explain(why, "no memory for %zu values", count);
    return (uint64_t *)(void *)at;
}

static err decode_integers(struct decoder *decoder, const struct page_source *source, void *memory,
                           struct page *page, struct als_why *why)
{
    struct body body;
    TRY(unpack(decoder, source, NULL, &body, why));
    bool narrow = source->column->kind == KIND_NARROW;
    uint64_t *values = narrow ? wide_room(decoder, page->rows, why) : memory;
    if (!values)
        return ALS_NO_MEMORY;
    if (delta_decode(decoder->way, body.at, body.end, page->rows, values) != body.end)
        return damaged(source->column, "its numbers do not decode", why);
    if (!narrow) {
        page->integers = values;
        return ALS_OK;
    }
    uint32_t *numbers = memory;
    for (uint32_t i = 0; i < page->rows; i++)
        numbers[i] = (uint32_t)values[i];
    page->numbers = numbers;
    return ALS_OK;
}

static err decode_plain(struct decoder *decoder, const struct page_source *source, void *memory,
                        struct page *page, struct als_why *why)
{
    size_t width = source->column->kind == KIND_ID ? sizeof(als_id) : sizeof(uint64_t);
    if (source->head.raw_bytes != page->rows * width)
        return damaged(source->column, "it has another length than its rows", why);
    struct body body;
    TRY(unpack(decoder, source, NULL, &body, why));
    memcpy(memory, body.at, page->rows * width);
    if (source->column->kind == KIND_ID)
        page->ids = memory;
    else
        page->integers = memory;
    return ALS_OK;
}

// That the numbers lie within the dictionary is checked where the dictionary is known.
static err decode_numbers(struct decoder *decoder, const struct page_source *source, void *memory,
                          struct page *page, struct als_why *why)
{
    struct body body;
    TRY(unpack(decoder, source, NULL, &body, why));
    if (body.at == body.end ||
        runs_decode(decoder->way, body.at + 1, body.end, *body.at, page->rows, memory) != body.end)
        return damaged(source->column, "its numbers do not decode", why);
    page->numbers = memory;
    return ALS_OK;
}

static err decode_dictionary(struct decoder *decoder, const struct page_source *source,
                             void *memory, struct page *page, struct als_why *why)
{
    uint32_t *starts = memory;
    uint8_t *bytes = (uint8_t *)(starts + page->rows + 1);
    struct body body;
    TRY(unpack(decoder, source, bytes, &body, why));
    const uint8_t *at = body.at;
    for (uint32_t i = 0; i < page->rows; i++) {
        uint32_t len = body.end - at < 4 ? UINT32_MAX : load_le32(at);
        if (len > ENTITY_BYTES_MAX || len > (uint64_t)(body.end - at - 4))
            return damaged(source->column, "a name of its dictionary has no end", why);
        starts[i] = (uint32_t)(at + 4 - body.at);
        at += 4 + len;
    }
    if (at != body.end)
        return damaged(source->column, "its dictionary has more than its names", why);
    starts[page->rows] = (uint32_t)(at + 4 - body.at);
    page->starts = starts;
    page->bytes = (const char *)bytes;
    page->gap = 4;
    return ALS_OK;
}

// Fills levels with 1 for each row that has a value; NULL: all have.
static err decode_levels(struct decoder *decoder, const struct page_source *source,
                         const uint32_t **ret_levels, struct als_why *why)
{
    *ret_levels = NULL;
    if (!source->column->optional)
        return ALS_OK;
    const struct parquet_page *head = &source->head;
    buf_reset(&decoder->levels);
    char *room = buf_room(&decoder->levels, delta_room(head->rows) * sizeof(uint32_t));
    if (!room)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the levels of a page");
    uint32_t *levels = (uint32_t *)(void *)room;
    const uint8_t *end = source->body + head->definition_bytes;
    if (runs_decode(decoder->way, source->body, end, 1, head->rows, levels) != end)
        return damaged(source->column, "its levels do not decode", why);
    uint32_t present = 0;
    for (uint32_t i = 0; i < head->rows; i++)
        present += levels[i];
    if (present != head->rows - head->nulls)
        return damaged(source->column, "it has other nulls than its header says", why);
    *ret_levels = levels;
    return ALS_OK;
}

static bool names_are_short(const uint64_t *lens, uint32_t count)
{
    uint64_t longest = 0;
    for (uint32_t i = 0; i < count; i++)
        longest = lens[i] > longest ? lens[i] : longest;
    return longest <= ENTITY_BYTES_MAX;
}

static bool place_texts(const uint64_t *lens, const uint32_t *levels, uint32_t rows, size_t begin,
                        size_t end, uint32_t *starts)
{
    size_t at = begin, next = 0;
    for (uint32_t i = 0; i < rows; i++) {
        starts[i] = (uint32_t)at;
        uint64_t len = !levels || levels[i] ? lens[next++] : 0;
        if (len > end - at)
            return false;
        at += len;
    }
    starts[rows] = (uint32_t)at;
    return at == end;
}

static err decode_texts(struct decoder *decoder, const struct page_source *source, void *memory,
                        struct page *page, struct als_why *why)
{
    uint32_t *starts = memory;
    uint8_t *bytes = (uint8_t *)(starts + page->rows + 1);
    const uint32_t *levels;
    TRY(decode_levels(decoder, source, &levels, why));
    uint32_t present = page->rows - source->head.nulls;
    struct body body;
    TRY(unpack(decoder, source, bytes, &body, why));
    uint64_t *lens = wide_room(decoder, present, why);
    if (!lens)
        return ALS_NO_MEMORY;
    const uint8_t *at = delta_decode(decoder->way, body.at, body.end, present, lens);
    bool name = source->column->kind == KIND_NAME;
    if (!at || (name && !names_are_short(lens, present)) ||
        !place_texts(lens, levels, page->rows, (size_t)(at - body.at), (size_t)(body.end - body.at),
                     starts))
        return damaged(source->column, "its texts do not decode", why);
    page->starts = starts;
    page->bytes = (const char *)bytes;
    page->gap = 0;
    return ALS_OK;
}

err page_decode(struct decoder *decoder, const struct page_source *source, void *memory,
                struct page *ret_page, struct als_why *why)
{
    struct page page = {.rows = source->head.rows};
    switch (source->column->kind) {
    case KIND_INTEGER:
    case KIND_NARROW:
        TRY(decode_integers(decoder, source, memory, &page, why));
        break;
    case KIND_HASH:
    case KIND_ID:
        TRY(decode_plain(decoder, source, memory, &page, why));
        break;
    default:
        if (source->head.kind == PARQUET_DICTIONARY_PAGE)
            TRY(decode_dictionary(decoder, source, memory, &page, why));
        else if (source->head.encoding == PARQUET_DICTIONARY)
            TRY(decode_numbers(decoder, source, memory, &page, why));
        else
            TRY(decode_texts(decoder, source, memory, &page, why));
    }
    *ret_page = page;
    return ALS_OK;
}
