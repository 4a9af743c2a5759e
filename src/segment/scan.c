// SPDX-License-Identifier: Apache-2.0
// Each column that was asked for has one page decoded. A block is as many rows as all those pages
// have in common, so it points into them and nothing is copied. Memory grows to the largest page
// and is kept.
#include "segment/scan.h"

#include "os/os.h"

#include <assert.h>
#include <stdlib.h>

enum { ALIGNMENT = 64 };

struct segment_scan *segment_scan_new(void)
{
    struct segment_scan *scan = calloc(1, sizeof *scan);
    if (!scan)
        return NULL;
    buf_init(&scan->directory, MIB(256));
    for (size_t i = 0; i < COLUMNS; i++) {
        struct scan_column *column = &scan->scan_columns[i];
        buf_init(&column->memory, 2 * PAGE_BYTES_MAX);
        buf_init(&column->dictionary_memory, 2 * PAGE_BYTES_MAX);
        buf_init(&column->strings, (GROUP_ROWS + 1) * sizeof(str));
    }
    for (uint32_t i = 0; i < GROUP_ROWS; i++)
        scan->count_up[i] = i;
    if (decoder_init(&scan->decoder))
        return scan;
    segment_scan_free(scan);
    return NULL;
}

void segment_scan_free(struct segment_scan *scan)
{
    if (!scan)
        return;
    buf_deinit(&scan->directory);
    for (size_t i = 0; i < COLUMNS; i++) {
        buf_deinit(&scan->scan_columns[i].memory);
        buf_deinit(&scan->scan_columns[i].dictionary_memory);
        buf_deinit(&scan->scan_columns[i].strings);
    }
    decoder_deinit(&scan->decoder);
    free(scan);
}

void segment_scan_begin(struct segment_scan *scan, struct segment *segment, unsigned columns_wanted,
                        uint32_t row)
{
    assert(columns_wanted != 0 && (columns_wanted & ~(unsigned)SEGMENT_ALL) == 0);
    scan->segment = segment;
    scan->columns = columns_wanted;
    scan->row = row;
    scan->since_us = INT64_MIN;
    scan->until_us = INT64_MAX;
    scan->entered = false;
}

void segment_scan_bound_time(struct segment_scan *scan, int64_t since_us, int64_t until_us)
{
    scan->since_us = since_us;
    scan->until_us = until_us;
}

static bool wants(const struct segment_scan *scan, size_t column)
{
    return scan->columns >> column & 1;
}

static struct directory *directory_of(struct segment_scan *scan)
{
    return (struct directory *)(void *)scan->directory.ptr;
}

// Kept memory, grown when it must be. malloc() aligns enough for what is decoded.
static err room_for(struct buf *buf, size_t size, void **ret_room, struct als_why *why)
{
    buf_reset(buf);
    *ret_room = buf_room(buf, size + ALIGNMENT);
    return *ret_room ? ALS_OK : FAIL(why, ALS_NO_MEMORY, "no memory for a page of %zu bytes", size);
}

// ---- Pages.

static err list_texts(struct scan_column *column, const struct page *page, struct als_why *why)
{
    void *room;
    TRY(room_for(&column->strings, page->rows * sizeof(str), &room, why));
    str *strings = room;
    for (uint32_t i = 0; i < page->rows; i++)
        strings[i] = page_text(page, i);
    return ALS_OK;
}

static err load_dictionary(struct segment_scan *scan, size_t number, struct als_why *why)
{
    struct scan_column *column = &scan->scan_columns[number];
    struct page_source source;
    void *room;
    struct page_place place = page_place(scan->segment, scan->group, number, NULL, PAGE_DICTIONARY);
    TRY(page_find(&place, scan->segment->bytes + place.offset, &source, why));
    TRY(room_for(&column->dictionary_memory, source.memory, &room, why));
    TRY(page_decode(&scan->decoder, &source, room, &column->dictionary, why));
    column->dictionary_number = ++scan->dictionaries;
    return list_texts(column, &column->dictionary, why);
}

static err check_numbers(const struct scan_column *column, struct als_why *why)
{
    uint32_t greatest = 0;
    for (uint32_t i = 0; i < column->page.rows; i++)
        greatest = column->page.numbers[i] > greatest ? column->page.numbers[i] : greatest;
    if (greatest >= column->dictionary.rows)
        return FAIL(why, ALS_CORRUPT, "a name is not in its dictionary");
    return ALS_OK;
}

static err load_page(struct segment_scan *scan, size_t number, uint32_t inner, struct als_why *why)
{
    struct scan_column *column = &scan->scan_columns[number];
    const struct directory *directory = directory_of(scan);
    column->end = 0; // until it is whole
    column->index = page_directory_find(directory, number, inner);
    struct page_source source;
    void *room;
    struct page_place place =
        page_place(scan->segment, scan->group, number, directory, column->index);
    TRY(page_find(&place, scan->segment->bytes + place.offset, &source, why));
    TRY(room_for(&column->memory, source.memory, &room, why));
    TRY(page_decode(&scan->decoder, &source, room, &column->page, why));
    if (columns[number].kind == KIND_NAME && column->page.numbers)
        TRY(check_numbers(column, why));
    if (column->page.starts) {
        TRY(list_texts(column, &column->page, why));
        column->dictionary_number = ++scan->dictionaries;
    }
    column->begin = directory->places[directory->starts[number] + column->index].row;
    column->end = column->begin + column->page.rows;
    return ALS_OK;
}

// ---- Row groups.

static bool outside(const struct segment_scan *scan, const struct segment_group *group)
{
    return group->greatest_us < scan->since_us || group->least_us > scan->until_us;
}

// Leaves `group` at the row's, which may be the next one that is within the bounds; false at the
// end.
static bool find_group(struct segment_scan *scan)
{
    const struct segment *segment = scan->segment;
    if (scan->row >= segment->facts.rows)
        return false;
    scan->group = segment_group_of(segment, scan->row);
    while (scan->group < segment->group_count && outside(scan, &segment->groups[scan->group]))
        scan->group++;
    if (scan->group == segment->group_count) {
        scan->row = (uint32_t)segment->facts.rows;
        return false;
    }
    uint32_t first = segment->groups[scan->group].first_row;
    scan->row = first > scan->row ? first : scan->row;
    return true;
}

static err enter_group(struct segment_scan *scan, struct als_why *why)
{
    const struct segment_group *group = &scan->segment->groups[scan->group];
    void *room;
    TRY(room_for(&scan->directory, directory_size_max(group), &room, why));
    struct directory_place place = directory_place(group);
    expect_bytes(scan->segment, place.offset, place.bytes);
    TRY(directory_read(scan->segment, scan->group, scan->segment->bytes + place.offset, room, why));
    for (size_t i = 0; i < COLUMNS; i++) {
        scan->scan_columns[i].begin = scan->scan_columns[i].end = 0;
        if (wants(scan, i))
            expect_bytes(scan->segment, group->chunks[i].offset, group->chunks[i].bytes);
        if (wants(scan, i) && chunk_has_dictionary(&group->chunks[i]))
            TRY(load_dictionary(scan, i, why));
    }
    scan->entered = true;
    return ALS_OK;
}

// ---- Blocks.

static const uint64_t *integers_at(const struct segment_scan *scan, size_t number, uint32_t inner)
{
    const struct scan_column *column = &scan->scan_columns[number];
    return wants(scan, number) ? column->page.integers + (inner - column->begin) : NULL;
}

static const str *texts_at(const struct segment_scan *scan, size_t number, uint32_t inner)
{
    const struct scan_column *column = &scan->scan_columns[number];
    if (!wants(scan, number))
        return NULL;
    return (const str *)(void *)column->strings.ptr + (inner - column->begin);
}

struct names {
    const uint32_t *numbers;
    const str *names;
    uint32_t count;
    uint64_t dictionary;
};

static struct names names_at(const struct segment_scan *scan, size_t number, uint32_t inner)
{
    const struct scan_column *column = &scan->scan_columns[number];
    if (!wants(scan, number))
        return (struct names){};
    const uint32_t *numbers = column->page.numbers ? column->page.numbers : scan->count_up;
    return (struct names){
        .numbers = numbers + (inner - column->begin),
        .names = (const str *)(void *)column->strings.ptr,
        .count = column->page.numbers ? column->dictionary.rows : column->page.rows,
        .dictionary = column->dictionary_number,
    };
}

static void fill_block(const struct segment_scan *scan, uint32_t inner, struct segment_block *block)
{
    const struct scan_column *ids = &scan->scan_columns[COLUMN_ID];
    const struct scan_column *schemas = &scan->scan_columns[COLUMN_SCHEMA_VERSION];
    block->positions = integers_at(scan, COLUMN_POSITION, inner);
    block->versions = integers_at(scan, COLUMN_VERSION, inner);
    block->timestamps_us = (const int64_t *)integers_at(scan, COLUMN_TIMESTAMP, inner);
    block->recorded_us = (const int64_t *)integers_at(scan, COLUMN_RECORDED, inner);
    block->hashes = integers_at(scan, COLUMN_HASH, inner);
    if (wants(scan, COLUMN_ID))
        block->ids = ids->page.ids + (inner - ids->begin);
    if (wants(scan, COLUMN_SCHEMA_VERSION))
        block->schema_versions = schemas->page.numbers + (inner - schemas->begin);
    block->payloads = texts_at(scan, COLUMN_PAYLOAD, inner);
    block->metadatas = texts_at(scan, COLUMN_METADATA, inner);
    struct names entities = names_at(scan, COLUMN_ENTITY, inner);
    block->entities = entities.numbers;
    block->entity_names = entities.names;
    block->entity_count = entities.count;
    block->entity_dictionary = entities.dictionary;
    struct names types = names_at(scan, COLUMN_TYPE, inner);
    block->types = types.numbers;
    block->type_names = types.names;
    block->type_count = types.count;
    block->type_dictionary = types.dictionary;
}

// Its bytes in the file were read, and are not read again.
static void leave_group(struct segment_scan *scan, const struct segment_group *group)
{
    const struct segment *segment = scan->segment;
    segment->os->file_forget(segment->os, segment->bytes + group->offset,
                             group->end - group->offset);
    scan->entered = false;
}

static err next_block(struct segment_scan *scan, struct segment_block *block, struct als_why *why)
{
    const struct segment_group *group = &scan->segment->groups[scan->group];
    uint32_t inner = scan->row - group->first_row;
    uint32_t end =
        group->rows - inner < SEGMENT_BLOCK_ROWS ? group->rows : inner + SEGMENT_BLOCK_ROWS;
    for (size_t i = 0; i < COLUMNS; i++) {
        struct scan_column *column = &scan->scan_columns[i];
        if (!wants(scan, i))
            continue;
        if (inner < column->begin || inner >= column->end)
            TRY(load_page(scan, i, inner, why));
        end = column->end < end ? column->end : end;
    }
    block->row = scan->row;
    block->count = end - inner;
    fill_block(scan, inner, block);
    scan->row += block->count;
    if (end == group->rows)
        leave_group(scan, group);
    return ALS_OK;
}

err segment_scan_next(struct segment_scan *scan, struct segment_block *ret_block,
                      struct als_why *why)
{
    struct segment_block block = {.row = scan->row};
    if (!scan->entered && find_group(scan))
        TRY(enter_group(scan, why));
    if (scan->entered)
        TRY(next_block(scan, &block, why));
    *ret_block = block;
    return ALS_OK;
}
