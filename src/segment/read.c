// SPDX-License-Identifier: Apache-2.0
// One row: up to eleven pages and two dictionaries, all through the cache. The pages of the last
// row stay pinned, so neighbours cost no look-up. What can be known without its page is not
// decoded: the hash that every row has proves it, together with all the rest.
#include "segment/cache.h"

#include "os/os.h"

#include <stdlib.h>

// What is larger is kept in the cache at once.
#define OWN_BYTES_MAX KIB(64)

struct held {
    struct cache_entry *entry; // NULL: it is the reader's own page
    const struct page *page;   // NULL: none is held
    uint32_t begin, end;       // rows, counted from the start of the row group
};

struct segment_reader {
    struct decoder decoder;
    struct segment_cache *cache; // that the entries are of
    uint64_t segment;            // whose row group it is; 0: none
    uint32_t group;
    struct cache_entry *directory;
    struct cache_entry *dictionaries[COLUMNS]; // of the columns that have one
    struct held held[COLUMNS];
    struct buf own_memory[COLUMNS]; // of pages that are not in the cache
    struct page own_pages[COLUMNS];
};

struct segment_reader *segment_reader_new(void)
{
    struct segment_reader *reader = calloc(1, sizeof *reader);
    for (size_t i = 0; reader && i < COLUMNS; i++)
        buf_init(&reader->own_memory[i], OWN_BYTES_MAX + 1);
    if (reader && !decoder_init(&reader->decoder)) {
        segment_reader_free(reader);
        return NULL;
    }
    return reader;
}

void segment_reader_free(struct segment_reader *reader)
{
    if (!reader)
        return;
    segment_reader_reset(reader);
    for (size_t i = 0; i < COLUMNS; i++)
        buf_deinit(&reader->own_memory[i]);
    decoder_deinit(&reader->decoder);
    free(reader);
}

void segment_reader_reset(struct segment_reader *reader)
{
    cache_unpin(reader->cache, reader->directory);
    reader->directory = NULL;
    for (size_t i = 0; i < COLUMNS; i++) {
        cache_unpin(reader->cache, reader->dictionaries[i]);
        cache_unpin(reader->cache, reader->held[i].entry);
        reader->dictionaries[i] = NULL;
        reader->held[i] = (struct held){};
    }
    reader->segment = 0;
}

static struct directory *directory_of(struct segment_reader *reader)
{
    return (struct directory *)(void *)reader->directory->memory;
}

// The bytes at `offset`, with READ_SLACK behind them: read from the file by one call, or, where it
// is not open or they are many, where they are mapped. They live until the next call.
static err fetch(struct segment_reader *reader, struct segment *segment, uint64_t offset,
                 uint64_t bytes, const uint8_t **ret_at, struct als_why *why)
{
    struct buf *stored = &reader->decoder.stored;
    if (!segment->file || bytes > FETCH_BYTES_MAX) {
        expect_bytes(segment, offset, bytes);
        cache_has_read(segment);
        *ret_at = segment->bytes + offset;
        return ALS_OK;
    }
    buf_reset(stored);
    char *room = buf_room(stored, bytes + READ_SLACK);
    size_t got = 0;
    if (!room)
        return FAIL(why, ALS_NO_MEMORY, "no memory to read a page");
    TRY(segment->os->file_read(segment->file, offset, room, bytes, &got, why));
    if (got != bytes)
        return FAIL(why, ALS_CORRUPT, "a segment is shorter than it was");
    memset(room + bytes, 0, READ_SLACK);
    *ret_at = (const uint8_t *)room;
    return ALS_OK;
}

static err pin_directory(struct segment_reader *reader, struct segment *segment, uint32_t group,
                         struct als_why *why)
{
    struct cache_key key = {segment->number, group, COLUMNS, PAGE_DIRECTORY};
    reader->directory = cache_pin(segment->cache, key);
    if (reader->directory)
        return ALS_OK;
    struct directory_place place = directory_place(&segment->groups[group]);
    const uint8_t *at;
    TRY(fetch(reader, segment, place.offset, place.bytes, &at, why));
    AUTO(cache_entry) entry = cache_entry_new(key, directory_size_max(&segment->groups[group]));
    if (!entry)
        return FAIL(why, ALS_NO_MEMORY, "no memory for a page index");
    TRY(directory_read(segment, group, at, (struct directory *)(void *)entry->memory, why));
    reader->directory = cache_insert(segment->cache, MOVE(entry));
    return ALS_OK;
}

static err read_page(struct segment_reader *reader, struct segment *segment, struct cache_key key,
                     struct page_source *ret_source, struct als_why *why)
{
    struct page_place place =
        page_place(segment, key.group, key.column, directory_of(reader), key.page);
    const uint8_t *at;
    TRY(fetch(reader, segment, place.offset, place.bytes, &at, why));
    TRY(page_find(&place, at, ret_source, why));
    if (ret_source->head.nulls == ret_source->head.rows)
        ret_source->memory = 0; // without any text it needs none
    return ALS_OK;
}

static err decode_page(struct segment_reader *reader, const struct page_source *source,
                       void *memory, struct page *ret_page, struct als_why *why)
{
    *ret_page = (struct page){.rows = source->head.rows};
    return source->memory ? page_decode(&reader->decoder, source, memory, ret_page, why) : ALS_OK;
}

static err decode_into_cache(struct segment_reader *reader, struct cache_key key,
                             const struct page_source *source, struct cache_entry **ret_entry,
                             struct als_why *why)
{
    AUTO(cache_entry) entry = cache_entry_new(key, source->memory);
    if (!entry)
        return FAIL(why, ALS_NO_MEMORY, "no memory for a page of %zu bytes", source->memory);
    TRY(decode_page(reader, source, entry->memory, &entry->page, why));
    *ret_entry = cache_insert(reader->cache, MOVE(entry));
    return ALS_OK;
}

static err decode_into_own(struct segment_reader *reader, size_t column,
                           const struct page_source *source, struct als_why *why)
{
    struct buf *memory = &reader->own_memory[column];
    buf_reset(memory);
    char *room = buf_room(memory, source->memory + 1); // it may be none
    if (!room)
        return FAIL(why, ALS_NO_MEMORY, "no memory for a page of %zu bytes", source->memory);
    return decode_page(reader, source, room, &reader->own_pages[column], why);
}

// All rows of a group need its dictionaries: they are worth keeping at once.
static err pin_dictionary(struct segment_reader *reader, struct segment *segment, size_t column,
                          struct als_why *why)
{
    struct cache_key key = {segment->number, reader->group, (uint32_t)column, PAGE_DICTIONARY};
    reader->dictionaries[column] = cache_pin(reader->cache, key);
    if (reader->dictionaries[column])
        return ALS_OK;
    struct page_source source;
    TRY(read_page(reader, segment, key, &source, why));
    return decode_into_cache(reader, key, &source, &reader->dictionaries[column], why);
}

static err enter_group(struct segment_reader *reader, struct segment *segment, uint32_t row,
                       struct als_why *why)
{
    const struct segment_group *group = &segment->groups[reader->group];
    if (reader->segment == segment->number && row - group->first_row < group->rows)
        return ALS_OK;
    segment_reader_reset(reader);
    reader->cache = segment->cache;
    reader->group = segment_group_of(segment, row);
    TRY(pin_directory(reader, segment, reader->group, why));
    reader->segment = segment->number;
    return ALS_OK;
}

// Has a page of the column in `held`. What is wanted for the first time in a while stays out of the
// cache: most of what is cold is not wanted again, and to put something else out for it, or to have
// memory of the system's, costs as much as decoding it.
static err get_page(struct segment_reader *reader, struct segment *segment, struct cache_key key,
                    struct held *held, struct als_why *why)
{
    struct page_source source;
    held->entry = cache_pin(reader->cache, key);
    if (!held->entry) {
        TRY(read_page(reader, segment, key, &source, why));
        if (source.memory <= OWN_BYTES_MAX && !cache_wants(reader->cache, key)) {
            TRY(decode_into_own(reader, key.column, &source, why));
            held->page = &reader->own_pages[key.column];
            return ALS_OK;
        }
        TRY(decode_into_cache(reader, key, &source, &held->entry, why));
    }
    held->page = &held->entry->page;
    return ALS_OK;
}

static err hold(struct segment_reader *reader, struct segment *segment, size_t column, uint32_t row,
                struct als_why *why)
{
    struct held *held = &reader->held[column];
    if (held->page && row >= held->begin && row < held->end)
        return ALS_OK;
    cache_unpin(reader->cache, held->entry);
    *held = (struct held){};
    const struct directory *directory = directory_of(reader);
    uint32_t page = page_directory_find(directory, column, row);
    bool named = chunk_has_dictionary(&segment->groups[reader->group].chunks[column]);
    if (named && !reader->dictionaries[column])
        TRY(pin_dictionary(reader, segment, column, why));
    struct cache_key key = {segment->number, reader->group, (uint32_t)column, page};
    TRY(get_page(reader, segment, key, held, why));
    held->begin = directory->places[directory->starts[column] + page].row;
    held->end = held->begin + held->page->rows;
    return ALS_OK;
}

static uint32_t number_at(const struct segment_reader *reader, size_t column, uint32_t row)
{
    const struct held *held = &reader->held[column];
    return held->page->numbers[row - held->begin];
}

static err name_at(const struct segment_reader *reader, size_t column, uint32_t row, str *ret_name,
                   struct als_why *why)
{
    const struct held *held = &reader->held[column];
    const struct cache_entry *dictionary = reader->dictionaries[column];
    if (!dictionary) {
        *ret_name = page_text(held->page, row - held->begin);
        return ALS_OK;
    }
    uint32_t number = number_at(reader, column, row);
    if (number >= dictionary->page.rows)
        return FAIL(why, ALS_CORRUPT, "a name of column %.*s is not in its dictionary",
                    STR(columns[column].name));
    *ret_name = page_text(&dictionary->page, number);
    return ALS_OK;
}

static uint64_t integer_at(const struct segment_reader *reader, size_t column, uint32_t row)
{
    const struct held *held = &reader->held[column];
    return held->page->integers[row - held->begin];
}

static str text_at(const struct segment_reader *reader, size_t column, uint32_t row)
{
    const struct held *held = &reader->held[column];
    const struct page *page = held->page;
    return page->starts ? page_text(page, row - held->begin) : (str){};
}

// ---- What is known of a row without its pages. That it is so, the row's hash says.

// Positions without a gap follow from the first one.
static bool counts_up(const struct segment_group *group)
{
    return group->last - group->first == group->rows - 1;
}

static bool has_one_schema(const struct segment_group *group)
{
    return group->least_schema == group->greatest_schema;
}

static unsigned known(const struct segment_group *group, const struct segment_guess *guess)
{
    unsigned columns_known = 0;
    if (counts_up(group))
        columns_known |= SEGMENT_POSITION;
    if (has_one_schema(group))
        columns_known |= SEGMENT_SCHEMA_VERSION;
    if (guess->entity.len)
        columns_known |= SEGMENT_ENTITY;
    if (guess->version)
        columns_known |= SEGMENT_VERSION;
    return columns_known;
}

// ---- A row

static err fill(const struct segment_reader *reader, const struct segment_group *group,
                uint32_t row, const struct segment_guess *guess, struct als_event *event,
                struct als_why *why)
{
    const struct held *ids = &reader->held[COLUMN_ID];
    event->position =
        counts_up(group) ? group->first + row : integer_at(reader, COLUMN_POSITION, row);
    event->version = guess->version ? guess->version : integer_at(reader, COLUMN_VERSION, row);
    event->id = ids->page->ids[row - ids->begin];
    event->timestamp_us = (int64_t)integer_at(reader, COLUMN_TIMESTAMP, row);
    event->recorded_us = (int64_t)integer_at(reader, COLUMN_RECORDED, row);
    event->schema_version =
        has_one_schema(group) ? group->least_schema : number_at(reader, COLUMN_SCHEMA_VERSION, row);
    event->payload = text_at(reader, COLUMN_PAYLOAD, row);
    event->metadata = text_at(reader, COLUMN_METADATA, row);
    event->entity = guess->entity;
    if (!guess->entity.len)
        TRY(name_at(reader, COLUMN_ENTITY, row, &event->entity, why));
    return name_at(reader, COLUMN_TYPE, row, &event->type, why);
}

// Whether it is what was written, and what was guessed.
static err read_row(struct segment_reader *reader, struct segment *segment, uint32_t row,
                    const struct segment_guess *guess, struct als_event *event, bool *ret_right,
                    struct als_why *why)
{
    const struct segment_group *group = &segment->groups[reader->group];
    unsigned columns_known = known(group, guess);
    uint32_t inner = row - group->first_row;
    for (size_t i = 0; i < COLUMNS; i++)
        if (!(columns_known >> i & 1))
            TRY(hold(reader, segment, i, inner, why));
    TRY(fill(reader, group, inner, guess, event, why));
    *ret_right = row_hash(event) == integer_at(reader, COLUMN_HASH, inner);
    return ALS_OK;
}

err segment_read(struct segment_reader *reader, struct segment *segment, uint32_t row,
                 const struct segment_guess *guess, struct als_event *ret_event,
                 struct als_why *why)
{
    static const struct segment_guess nothing = {};
    err code = enter_group(reader, segment, row, why);
    if (code != ALS_OK) {
        segment_reader_reset(reader);
        return code;
    }
    struct als_event event = {.tenant = ret_event->tenant};
    bool right = false;
    if (guess && guess->entity.len <= ENTITY_BYTES_MAX)
        TRY(read_row(reader, segment, row, guess, &event, &right, why));
    if (!right)
        TRY(read_row(reader, segment, row, &nothing, &event, &right, why));
    if (!right)
        return FAIL(why, ALS_CORRUPT, "row %u of a segment is not what was written", row);
    *ret_event = event;
    return ALS_OK;
}

// ---- Rows by position.

static uint32_t first_not_below(const struct page *page, als_position position)
{
    uint32_t low = 0, high = page->rows;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (page->integers[middle] < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// The first page whose last position is not below, then the row in it.
static err search_group(struct segment_reader *reader, struct segment *segment, uint32_t number,
                        als_position position, uint32_t *ret_row, struct als_why *why)
{
    const struct segment_group *group = &segment->groups[number];
    TRY(enter_group(reader, segment, group->first_row, why));
    uint32_t inner = 0;
    while (inner < group->rows) {
        TRY(hold(reader, segment, COLUMN_POSITION, inner, why));
        const struct held *held = &reader->held[COLUMN_POSITION];
        uint32_t found = first_not_below(held->page, position);
        inner = held->begin + found;
        if (inner < held->end)
            break;
    }
    *ret_row = group->first_row + inner;
    return ALS_OK;
}

err segment_row_of(struct segment *segment, als_position position, uint32_t *ret_row,
                   struct als_why *why)
{
    uint32_t low = 0, high = segment->group_count;
    while (low < high) { // the first row group that does not end before it
        uint32_t middle = low + (high - low) / 2;
        if (segment->groups[middle].last < position)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == segment->group_count) {
        *ret_row = (uint32_t)segment->facts.rows;
        return ALS_OK;
    }
    const struct segment_group *group = &segment->groups[low];
    if (position <= group->first || group->last - group->first == group->rows - 1) {
        uint64_t skip = position <= group->first ? 0 : position - group->first;
        *ret_row = group->first_row + (uint32_t)skip;
        return ALS_OK;
    }
    AUTO(segment_reader) reader = segment_reader_new();
    if (!reader)
        return FAIL(why, ALS_NO_MEMORY, "no memory to look for a position");
    return search_group(reader, segment, low, position, ret_row, why);
}
