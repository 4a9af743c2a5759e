// SPDX-License-Identifier: Apache-2.0
// Writing a segment.
//
// Rows are gathered column by column until a row group is full. Texts become pages as they come,
// all other columns when the group ends. A row group goes out with one write:
//
//   pages of column 0, 1, ... 10 | Bloom filters | column indexes | offset indexes
//
// and the next one follows without a gap. Its two checks (of all its bytes, and of the offset
// indexes) go into the footer, which seals itself; docs/formats/segment.md has the details.
// Nothing depends on anything but the rows, the options and the identity: same input, same file.
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mutant.h"
#include "os/os.h"
#include "segment/bloom.h"
#include "segment/chunk.h"
#include "segment/segment.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define GROUP_BYTES_MAX (UINT64_C(4) * PAGE_BYTES_MAX)
#define SYNC_BYTES MIB(8)
enum { LEVEL_DEFAULT = 1 };

// A column of texts whose page is being gathered.
struct text_page {
    struct buf bytes;
    uint64_t lens[PAGE_ROWS];
    uint32_t present[PAGE_ROWS];
    uint32_t count, rows;
};

struct segment_writer {
    struct os *os;
    struct os_file *file;
    struct segment_facts facts;
    char tenant[TENANT_BYTES_MAX];
    uint64_t offset; // where the next row group goes
    uint64_t synced; // of the bytes before it
    uint64_t digest; // of the hashes of the row groups before it
    bool finished;

    // The row group that is being gathered.
    uint32_t rows;
    uint64_t text_bytes;
    uint64_t *numbers[COLUMNS]; // by row; NULL for columns of another kind
    als_id *ids;
    struct intern entities, types;
    struct text_page payload, metadata;
    struct chunk chunks[COLUMNS];
    struct chunk_room room;

    // Rooms for a row group's end.
    struct buf out, blooms, column_indexes, offset_indexes;
    struct buf groups, checks; // of all row groups so far
    size_t group_count;
    struct parquet_group group;
};

static void buf_make(struct buf *buf)
{
    buf_init(buf, GROUP_BYTES_MAX);
}

static void for_each_buf(struct segment_writer *writer, void (*work)(struct buf *buf))
{
    struct buf *bufs[] = {&writer->payload.bytes, &writer->metadata.bytes, &writer->room.raw,
                          &writer->room.packed,   &writer->room.names,     &writer->out,
                          &writer->blooms,        &writer->column_indexes, &writer->offset_indexes,
                          &writer->groups,        &writer->checks};
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        work(bufs[i]);
}

static bool make_room(struct segment_writer *writer)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        enum column_kind kind = columns[i].kind;
        if (kind != KIND_INTEGER && kind != KIND_NARROW && kind != KIND_HASH)
            continue;
        writer->numbers[i] = malloc(GROUP_ROWS * sizeof(uint64_t));
        if (!writer->numbers[i])
            return false;
    }
    writer->ids = malloc(GROUP_ROWS * sizeof *writer->ids);
    return writer->ids && intern_init(&writer->entities) && intern_init(&writer->types);
}

static struct segment_writer *writer_new(struct os *os, int level)
{
    struct segment_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return NULL;
    writer->os = os;
    for (size_t i = 0; i < COLUMNS; i++)
        chunk_init(&writer->chunks[i]);
    for_each_buf(writer, buf_make);
    writer->room.packer = packer_zstd_new(level ? level : LEVEL_DEFAULT);
    if (!writer->room.packer || !make_room(writer)) {
        segment_writer_close(writer);
        return NULL;
    }
    return writer;
}

void segment_writer_close(struct segment_writer *writer)
{
    if (!writer)
        return;
    if (writer->file)
        writer->os->file_close(writer->file);
    for (size_t i = 0; i < COLUMNS; i++) {
        chunk_deinit(&writer->chunks[i]);
        free(writer->numbers[i]);
    }
    free(writer->ids);
    intern_deinit(&writer->entities);
    intern_deinit(&writer->types);
    for_each_buf(writer, buf_deinit);
    packer_zstd_free(writer->room.packer);
    free(writer);
}

err segment_writer_open(struct os *os, struct os_dir *dir, str name,
                        struct segment_write_options options, struct segment_writer **ret_writer,
                        struct als_why *why)
{
    assert(options.tenant.len <= TENANT_BYTES_MAX);
    AUTO(segment_writer) writer = writer_new(os, options.zstd_level);
    if (!writer)
        return FAIL(why, ALS_NO_MEMORY, "segment %.*s cannot be written", STR(name));
    TRY(os->file_open(dir, name, OS_CREATE, &writer->file, why));
    TRY(os_write_one(os, writer->file, 0, S(PARQUET_MAGIC), why));
    writer->offset = PARQUET_MAGIC_BYTES;
    memcpy(writer->tenant, options.tenant.ptr, options.tenant.len);
    writer->facts.tenant = (str){writer->tenant, options.tenant.len};
    writer->facts.generation = options.generation;
    os->entropy(os, writer->facts.identity, sizeof writer->facts.identity);
    *ret_writer = MOVE(writer);
    return ALS_OK;
}

// ---- Rows.

static void end_text_page(struct segment_writer *writer, size_t column, struct text_page *page)
{
    if (page->rows == 0)
        return;
    struct chunk_texts texts = {.lens = page->lens,
                                .count = page->count,
                                .rows = page->rows,
                                .bytes = &page->bytes,
                                .present = columns[column].optional ? page->present : NULL};
    chunk_put_texts(&writer->chunks[column], &writer->room, &texts);
    page->rows = page->count = 0;
}

static void add_text(struct segment_writer *writer, size_t column, struct text_page *page, str text)
{
    if (page->rows == 0)
        chunk_begin_texts(&page->bytes);
    bool present = !columns[column].optional || text.len > 0;
    page->present[page->rows++] = present;
    if (present)
        page->lens[page->count++] = text.len;
    buf_put_str(&page->bytes, text);
    if (page->rows == PAGE_ROWS || chunk_texts_bytes(&page->bytes) >= TEXT_PAGE_BYTES)
        end_text_page(writer, column, page);
}

static err end_group(struct segment_writer *writer, struct als_why *why);

err segment_writer_add(struct segment_writer *writer, const struct als_event *event,
                       struct als_why *why)
{
    assert(!writer->finished && event->position > writer->facts.last);
    assert(event->payload.len <= REQUEST_BYTES_MAX && event->metadata.len <= REQUEST_BYTES_MAX);
    assert(event->entity.len <= ENTITY_BYTES_MAX && event->type.len <= TYPE_BYTES_MAX);
    if (writer->facts.rows == UINT32_MAX)
        return FAIL(why, ALS_TOO_LARGE, "a segment has at most %u rows", UINT32_MAX);
    uint32_t row = writer->rows++;
    writer->numbers[COLUMN_POSITION][row] = event->position;
    writer->numbers[COLUMN_VERSION][row] = event->version;
    writer->numbers[COLUMN_TIMESTAMP][row] = (uint64_t)event->timestamp_us;
    writer->numbers[COLUMN_RECORDED][row] = (uint64_t)event->recorded_us;
    writer->numbers[COLUMN_SCHEMA_VERSION][row] = event->schema_version;
    writer->numbers[COLUMN_HASH][row] = row_hash(event);
    writer->ids[row] = event->id;
    if (!intern_add(&writer->entities, event->entity) || !intern_add(&writer->types, event->type))
        return FAIL(why, ALS_NO_MEMORY, "no memory for the names of a row group");
    add_text(writer, COLUMN_PAYLOAD, &writer->payload, event->payload);
    add_text(writer, COLUMN_METADATA, &writer->metadata, event->metadata);
    writer->text_bytes += event->payload.len + event->metadata.len;
    facts_count(&writer->facts, event);
    if (writer->rows == GROUP_ROWS || writer->text_bytes >= GROUP_TEXT_BYTES)
        return end_group(writer, why);
    return ALS_OK;
}

// ---- The end of a row group.

static void encode_columns(struct segment_writer *writer)
{
    end_text_page(writer, COLUMN_PAYLOAD, &writer->payload);
    end_text_page(writer, COLUMN_METADATA, &writer->metadata);
    struct chunk *chunks = writer->chunks;
    struct chunk_room *room = &writer->room;
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].kind == KIND_INTEGER || columns[i].kind == KIND_NARROW)
            chunk_put_integers(&chunks[i], room, writer->numbers[i], writer->rows, &columns[i]);
    const uint64_t *hash = writer->numbers[COLUMN_HASH];
    writer->digest = hashes_digest(writer->digest, hash, writer->rows);
    str hashes = {(const char *)hash, writer->rows * sizeof *hash};
    chunk_put_plain(&chunks[COLUMN_HASH], room, hashes, sizeof(uint64_t));
    str ids = {(const char *)writer->ids, writer->rows * sizeof(als_id)};
    chunk_put_plain(&chunks[COLUMN_ID], room, ids, sizeof(als_id));
    chunk_put_names(&chunks[COLUMN_ENTITY], room, &writer->entities);
    chunk_put_names(&chunks[COLUMN_TYPE], room, &writer->types);
}

// The least and the greatest of all pages.
static struct parquet_range whole_range(const struct chunk *chunk, const struct column *column)
{
    struct parquet_range all = chunk->ranges[0];
    for (size_t i = 1; i < chunk->range_count; i++) {
        const struct parquet_range *range = &chunk->ranges[i];
        if (value_compare(column, range->least, all.least) < 0)
            all.least = range->least;
        if (value_compare(column, range->greatest, all.greatest) > 0)
            all.greatest = range->greatest;
    }
    return all;
}

static void put_chunk(struct segment_writer *writer, size_t i)
{
    struct chunk *chunk = &writer->chunks[i];
    uint64_t start = writer->offset + writer->out.len;
    struct parquet_chunk *meta = &writer->group.chunks[i];
    *meta = (struct parquet_chunk){
        .name = columns[i].name,
        .type = (enum parquet_type)column_type(&columns[i]),
        .codec = CODEC_ZSTD,
        .values = writer->rows,
        .raw_bytes = chunk->raw_bytes,
        .stored_bytes = chunk->out.len,
        .data_offset = start + chunk->dictionary_bytes,
        .dictionary_offset = chunk->dictionary_bytes ? start : 0,
        .encodings = chunk->encodings | UINT32_C(1) << PARQUET_RLE,
    };
    buf_put_str(&writer->out, buf_str(&chunk->out));
    writer->out.failed |= chunk_failed(chunk);
    struct parquet_place *places = (struct parquet_place *)(void *)chunk->places.ptr;
    size_t count = chunk->places.len / sizeof *places;
    for (size_t p = 0; p < count; p++)
        places[p].offset += start;
    meta->offset_index_offset = writer->offset_indexes.len; // set right when it is known
    parquet_put_places(&writer->offset_indexes, places, count);
    meta->offset_index_bytes = (uint32_t)(writer->offset_indexes.len - meta->offset_index_offset);
    writer->group.raw_bytes += chunk->raw_bytes;
    writer->group.stored_bytes += chunk->out.len;
    if (!columns[i].ranged)
        return;
    meta->range = whole_range(chunk, &columns[i]);
    meta->column_index_offset = writer->column_indexes.len;
    parquet_put_ranges(&writer->column_indexes, chunk->ranges, chunk->range_count);
    meta->column_index_bytes = (uint32_t)(writer->column_indexes.len - meta->column_index_offset);
}

static uint8_t *begin_bloom(struct segment_writer *writer, size_t column, size_t size)
{
    struct parquet_chunk *meta = &writer->group.chunks[column];
    meta->bloom_offset = writer->blooms.len;
    parquet_put_bloom(&writer->blooms, (uint32_t)size);
    uint8_t *filter = (uint8_t *)buf_room(&writer->blooms, size);
    if (filter) {
        memset(filter, 0, size);
        buf_grew(&writer->blooms, size);
    }
    meta->bloom_bytes = (uint32_t)(writer->blooms.len - meta->bloom_offset);
    return filter;
}

static void put_name_bloom(struct segment_writer *writer, size_t column, const struct intern *names)
{
    size_t size = bloom_size(names->count);
    uint8_t *filter = begin_bloom(writer, column, size);
    for (uint32_t i = 0; filter && i < names->count; i++)
        bloom_add(filter, size, bloom_hash(intern_name(names, i)));
}

static void put_id_bloom(struct segment_writer *writer)
{
    size_t size = bloom_size(writer->rows);
    uint8_t *filter = begin_bloom(writer, COLUMN_ID, size);
    for (uint32_t i = 0; filter && i < writer->rows; i++)
        bloom_add(filter, size, bloom_hash_id(&writer->ids[i]));
}

// Puts the parts behind the pages, now that it is known where they come to lie.
static void put_parts(struct segment_writer *writer)
{
    uint64_t blooms = writer->offset + writer->out.len;
    buf_put_str(&writer->out, buf_str(&writer->blooms));
    uint64_t column_indexes = writer->offset + writer->out.len;
    buf_put_str(&writer->out, buf_str(&writer->column_indexes));
    uint64_t offset_indexes = writer->offset + writer->out.len;
    buf_put_str(&writer->out, buf_str(&writer->offset_indexes));
    for (size_t i = 0; i < COLUMNS; i++) {
        struct parquet_chunk *chunk = &writer->group.chunks[i];
        chunk->offset_index_offset += offset_indexes;
        if (chunk->column_index_bytes)
            chunk->column_index_offset += column_indexes;
        if (chunk->bloom_bytes)
            chunk->bloom_offset += blooms;
    }
}

static void reset_group(struct segment_writer *writer)
{
    writer->rows = 0;
    writer->text_bytes = 0;
    intern_reset(&writer->entities);
    intern_reset(&writer->types);
    for (size_t i = 0; i < COLUMNS; i++)
        chunk_reset(&writer->chunks[i]);
}

// A long file is synced on its way, too: the log, whose syncs writers wait for, may lie on the same
// disk, and should not stand behind all of it at once.
static err end_group(struct segment_writer *writer, struct als_why *why)
{
    struct buf *bufs[] = {&writer->out, &writer->blooms, &writer->column_indexes,
                          &writer->offset_indexes};
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_reset(bufs[i]);
    encode_columns(writer);
    writer->group.rows = writer->rows;
    writer->group.offset = writer->offset;
    writer->group.column_count = COLUMNS;
    writer->group.raw_bytes = writer->group.stored_bytes = 0;
    for (size_t i = 0; i < COLUMNS; i++)
        put_chunk(writer, i);
    put_name_bloom(writer, COLUMN_ENTITY, &writer->entities);
    put_name_bloom(writer, COLUMN_TYPE, &writer->types);
    put_id_bloom(writer);
    put_parts(writer);
    parquet_put_group(&writer->groups, &writer->group, writer->group_count);
    bool failed = buf_failed(&writer->groups);
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        failed |= buf_failed(bufs[i]);
    if (failed || writer->group_count == GROUPS_MAX)
        return FAIL(why, ALS_NO_MEMORY, "no memory for a row group");
    str bytes = buf_str(&writer->out), indexes = buf_str(&writer->offset_indexes);
    buf_printf(&writer->checks, "%016llx%016llx",
               (unsigned long long)hash_bytes(bytes.ptr, bytes.len, 0),
               (unsigned long long)hash_bytes(indexes.ptr, indexes.len, 0));
    TRY(os_write_mapped(writer->os, writer->file, writer->offset, bytes, why));
    writer->offset += bytes.len;
    if (writer->offset - writer->synced >= SYNC_BYTES) {
        TRY(writer->os->file_sync(writer->file, why));
        writer->synced = writer->offset;
    }
    writer->group_count++;
    reset_group(writer);
    return ALS_OK;
}

// ---- The footer.

enum { NUMBER_TEXT = 48 };

static str number_text(char space[static NUMBER_TEXT], uint64_t value)
{
    int len = snprintf(space, NUMBER_TEXT, "%llu", (unsigned long long)value);
    return (str){space, (size_t)len};
}

static str pair_text(char space[static NUMBER_TEXT], int64_t a, int64_t b)
{
    int len = snprintf(space, NUMBER_TEXT, "%lld %lld", (long long)a, (long long)b);
    return (str){space, (size_t)len};
}

static void put_footer(struct segment_writer *writer, struct buf *footer)
{
    const struct segment_facts *facts = &writer->facts;
    char texts[8][NUMBER_TEXT];
    for (size_t i = 0; i < sizeof facts->identity; i++)
        (void)snprintf(texts[7] + i * 2, 3, "%02x", facts->identity[i]); // fits
    struct parquet_pair pairs[] = {
        {KEY_FORMAT, number_text(texts[0], FORMAT_VERSION)},
        {KEY_TENANT, facts->tenant},
        {KEY_GENERATION, number_text(texts[1], facts->generation)},
        {KEY_IDENTITY, {texts[7], IDENTITY_DIGITS}},
        {KEY_POSITIONS, pair_text(texts[2], (int64_t)facts->first, (int64_t)facts->last)},
        {KEY_TIMES, pair_text(texts[3], facts->least_us, facts->greatest_us)},
        {KEY_RECORDED, pair_text(texts[4], facts->recorded_first_us, facts->recorded_last_us)},
        {KEY_NEW_ENTITIES, number_text(texts[5], facts->new_entities)},
        {KEY_RAW_BYTES, number_text(texts[6], facts->raw_bytes)},
        {KEY_CHECKS, buf_str(&writer->checks)},
        {KEY_SEAL, S("0000000000000000")},
    };
    struct parquet_summary summary = {
        .rows = facts->rows,
        .group_count = writer->group_count,
        .groups = buf_str(&writer->groups),
        .pairs = pairs,
        .pair_count = COUNT_OF(pairs),
        .created_by = S("AllSource version " ALLSOURCE_VERSION),
    };
    parquet_put_footer(footer, &summary);
}

// Where the seal's digits are, from the footer's start.
static size_t seal_place(const struct buf *footer)
{
    struct parquet_footer parts;
    bool sound = parquet_take_footer((const uint8_t *)footer->ptr, footer->len, &parts);
    str key = {}, value = {};
    for (uint32_t i = 0; i < parts.pair_count; i++)
        sound = sound && parquet_take_pair(&parts.pairs, &key, &value);
    assert(sound && str_equal(key, KEY_SEAL) && value.len == SEAL_DIGITS);
    return (size_t)(value.ptr - footer->ptr);
}

err segment_writer_finish(struct segment_writer *writer, struct segment_facts *ret_facts,
                          struct als_why *why)
{
    assert(!writer->finished && writer->facts.rows > 0);
    if (writer->rows > 0)
        TRY(end_group(writer, why));
    struct buf *footer = &writer->out;
    buf_reset(footer);
    put_footer(writer, footer);
    uint8_t tail[FOOTER_TAIL];
    store_le32(tail, (uint32_t)footer->len);
    memcpy(tail + 4, PARQUET_MAGIC, PARQUET_MAGIC_BYTES);
    if (buf_failed(footer) || buf_failed(&writer->checks) || footer->len > FOOTER_BYTES_MAX)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the footer of a segment");
    size_t seal_at = seal_place(footer);
    buf_put(footer, tail, sizeof tail);
    if (buf_failed(footer))
        return FAIL(why, ALS_NO_MEMORY, "no memory for the footer of a segment");
    uint64_t seal = footer_seal((const uint8_t *)footer->ptr, footer->len, seal_at);
    char digits[SEAL_DIGITS + 1];
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)seal); // fits
    memcpy(footer->ptr + seal_at, digits, SEAL_DIGITS);
    TRY(os_write_mapped(writer->os, writer->file, writer->offset, buf_str(footer), why));
    if (!MUTANT(SEGMENT_NOT_SYNCED))
        TRY(writer->os->file_sync(writer->file, why));
    writer->finished = true;
    writer->facts.bytes = writer->offset + footer->len;
    *ret_facts = writer->facts;
    return ALS_OK;
}

uint64_t segment_writer_digest(const struct segment_writer *writer)
{
    assert(writer->finished);
    return writer->digest;
}
