// SPDX-License-Identifier: Apache-2.0
// Opening a segment: the footer, and nothing but the footer.
//
//  1. The seal: the footer is what was written, to the bit. What follows guards against files that
//     somebody made to be believed, not against rot.
//  2. The version: a newer one is refused by its number, not by what else is strange about it.
//  3. The row groups lie one behind the other from the first magic to the footer, and all parts of
//     a row group lie in it. So every byte of the file belongs to something that has a checksum.
#include "base/bytes.h"
#include "base/hash.h"
#include "os/os.h"
#include "segment/cache.h"

#include <assert.h>
#include <stdlib.h>

struct footer {
    const uint8_t *bytes;
    size_t size; // without the tail
    struct parquet_footer parts;
    str checks;
};

static err corrupt(struct als_why *why, const char *what)
{
    return FAIL(why, ALS_CORRUPT, "the segment is damaged: %s", what);
}

// ---- The key-value metadata.

static bool from_hex(str text, uint8_t *bytes)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        uint8_t digit = (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        bytes[i / 2] = (uint8_t)(i % 2 ? bytes[i / 2] | digit : digit << 4);
    }
    return true;
}

static bool hex_number(str text, uint64_t *ret_number)
{
    uint8_t bytes[8];
    if (text.len != 16 || !from_hex(text, bytes))
        return false;
    *ret_number = __builtin_bswap64(load_le64(bytes));
    return true;
}

static bool pair_of_numbers(str text, int64_t *ret_a, int64_t *ret_b)
{
    str first = str_cut(&text, ' ');
    return str_to_i64(first, ret_a) && str_to_i64(text, ret_b);
}

static str find_pair(const struct parquet_footer *parts, str wanted)
{
    struct thrift_in in = parts->pairs;
    str key, value;
    for (uint32_t i = 0; i < parts->pair_count && parquet_take_pair(&in, &key, &value); i++)
        if (str_equal(key, wanted))
            return value;
    return (str){};
}

static err check_seal(const struct footer *footer, struct als_why *why)
{
    str text = find_pair(&footer->parts, KEY_SEAL);
    uint64_t seal;
    if (!hex_number(text, &seal))
        return FAIL(why, ALS_CORRUPT, "the file is no segment, or damaged: it has no seal");
    size_t at = (size_t)((const uint8_t *)text.ptr - footer->bytes);
    if (footer_seal(footer->bytes, footer->size + FOOTER_TAIL, at) != seal)
        return corrupt(why, "its footer is not what was sealed");
    return ALS_OK;
}

static err check_version(const struct footer *footer, struct als_why *why)
{
    uint64_t version;
    if (!str_to_u64(find_pair(&footer->parts, KEY_FORMAT), &version) || version == 0)
        return corrupt(why, "it names no version of its format");
    if (version > FORMAT_VERSION)
        return FAIL(why, ALS_FORMAT_TOO_NEW,
                    "the segment has version %llu of its format, this program knows %d",
                    (unsigned long long)version, FORMAT_VERSION);
    return ALS_OK;
}

static err read_facts(struct segment *segment, struct footer *footer, struct als_why *why)
{
    const struct parquet_footer *parts = &footer->parts;
    struct segment_facts *facts = &segment->facts;
    int64_t first, last;
    str identity = find_pair(parts, KEY_IDENTITY);
    facts->tenant = find_pair(parts, KEY_TENANT);
    footer->checks = find_pair(parts, KEY_CHECKS);
    facts->rows = parts->rows;
    facts->bytes = segment->size;
    bool sound =
        str_to_u64(find_pair(parts, KEY_GENERATION), &facts->generation) &&
        pair_of_numbers(find_pair(parts, KEY_POSITIONS), &first, &last) &&
        pair_of_numbers(find_pair(parts, KEY_TIMES), &facts->least_us, &facts->greatest_us) &&
        pair_of_numbers(find_pair(parts, KEY_RECORDED), &facts->recorded_first_us,
                        &facts->recorded_last_us) &&
        str_to_u64(find_pair(parts, KEY_NEW_ENTITIES), &facts->new_entities) &&
        str_to_u64(find_pair(parts, KEY_RAW_BYTES), &facts->raw_bytes) &&
        identity.len == IDENTITY_DIGITS && from_hex(identity, facts->identity);
    if (!sound)
        return corrupt(why, "a fact of its footer cannot be read");
    facts->first = (als_position)first;
    facts->last = (als_position)last;
    if (first < 0 || last < first || facts->rows == 0 || facts->rows > UINT32_MAX ||
        facts->rows - 1 > (uint64_t)(last - first) || facts->tenant.len > TENANT_BYTES_MAX)
        return corrupt(why, "the facts of its footer are not possible");
    return ALS_OK;
}

// ---- The schema: exactly ours.

static bool same_schema(const struct parquet_footer *parts)
{
    struct thrift_in in = parts->schema;
    struct parquet_element element;
    if (parts->schema_count != COLUMNS + 1 || !parquet_take_element(&in, &element) ||
        element.children != COLUMNS)
        return false;
    for (size_t i = 0; i < COLUMNS; i++)
        if (!parquet_take_element(&in, &element) || !str_equal(element.name, columns[i].name) ||
            element.type != column_type(&columns[i]) || element.optional != columns[i].optional ||
            (columns[i].kind == KIND_ID && element.length != sizeof(als_id)))
            return false;
    return true;
}

// ---- Row groups.

static bool within(const struct segment_group *group, uint64_t offset, uint64_t bytes)
{
    return offset >= group->offset && offset <= group->end && bytes <= group->end - offset;
}

static bool take_chunk(const struct parquet_chunk *source, uint64_t rows,
                       const struct segment_group *group, struct segment_chunk *chunk)
{
    chunk->offset = source->dictionary_offset ? source->dictionary_offset : source->data_offset;
    chunk->bytes = source->stored_bytes;
    chunk->index_offset = source->offset_index_offset;
    chunk->index_bytes = source->offset_index_bytes;
    if (source->data_offset < chunk->offset || source->data_offset - chunk->offset > chunk->bytes ||
        source->data_offset - chunk->offset > UINT32_MAX)
        return false;
    chunk->dictionary_bytes = (uint32_t)(source->data_offset - chunk->offset);
    return source->codec == CODEC_ZSTD && source->values == rows && chunk->index_bytes > 0 &&
           within(group, chunk->offset, chunk->bytes) &&
           within(group, chunk->index_offset, chunk->index_bytes);
}

static bool take_chunks(const struct parquet_group *source, struct segment_group *group)
{
    if (source->column_count != COLUMNS)
        return false;
    for (size_t i = 0; i < COLUMNS; i++) {
        struct segment_chunk *chunk = &group->chunks[i];
        if (!str_equal(source->chunks[i].name, columns[i].name) ||
            !take_chunk(&source->chunks[i], source->rows, group, chunk))
            return false;
        const struct segment_chunk *before = chunk - 1;
        if (i > 0 && chunk->index_offset != before->index_offset + before->index_bytes)
            return false;
    }
    const struct segment_chunk *last = &group->chunks[COLUMNS - 1];
    return last->index_offset + last->index_bytes == group->end;
}

static bool take_bounds(const struct parquet_group *source, struct segment_group *group)
{
    const struct parquet_range *positions = &source->chunks[COLUMN_POSITION].range;
    const struct parquet_range *times = &source->chunks[COLUMN_TIMESTAMP].range;
    const struct parquet_range *schemas = &source->chunks[COLUMN_SCHEMA_VERSION].range;
    if (positions->least.len != 8 || positions->greatest.len != 8 || times->least.len != 8 ||
        times->greatest.len != 8 || schemas->least.len != 4 || schemas->greatest.len != 4)
        return false;
    group->first = load_le64(positions->least.ptr);
    group->last = load_le64(positions->greatest.ptr);
    group->least_us = (int64_t)load_le64(times->least.ptr);
    group->greatest_us = (int64_t)load_le64(times->greatest.ptr);
    group->least_schema = load_le32(schemas->least.ptr);
    group->greatest_schema = load_le32(schemas->greatest.ptr);
    return group->last >= group->first && group->last - group->first >= group->rows - 1;
}

struct growth { // what has been read of the row groups
    uint64_t offset, rows;
    als_position last;
    struct parquet_group scratch;
};

static bool take_group(struct thrift_in *in, const struct footer *footer, uint32_t number,
                       struct growth *growth, struct segment_group *group)
{
    struct parquet_group *source = &growth->scratch;
    if (!parquet_take_group(in, source) || source->rows == 0 || source->rows > GROUP_ROWS ||
        source->offset != growth->offset)
        return false;
    group->offset = source->offset;
    if (source->column_count != COLUMNS)
        return false;
    const struct parquet_chunk *last = &source->chunks[COLUMNS - 1];
    group->end = last->offset_index_offset + last->offset_index_bytes;
    group->first_row = (uint32_t)growth->rows;
    group->rows = (uint32_t)source->rows;
    str checks = str_from(footer->checks, (size_t)number * CHECK_DIGITS);
    if (group->end <= group->offset || !take_bounds(source, group) ||
        group->first <= growth->last ||
        !hex_number(str_first(checks, CHECK_DIGITS / 2), &group->check) ||
        !hex_number(str_first(str_from(checks, CHECK_DIGITS / 2), CHECK_DIGITS / 2),
                    &group->index_check))
        return false;
    growth->offset = group->end;
    growth->rows += group->rows;
    growth->last = group->last;
    return true;
}

static err read_groups(struct segment *segment, const struct footer *footer, struct als_why *why)
{
    uint32_t count = footer->parts.group_count;
    if (count == 0 || count > GROUPS_MAX || footer->checks.len != (size_t)count * CHECK_DIGITS)
        return corrupt(why, "its row groups cannot be counted");
    segment->groups = calloc(count, sizeof *segment->groups);
    struct growth *growth = calloc(1, sizeof *growth);
    if (!segment->groups || !growth) {
        free(growth);
        return FAIL(why, ALS_NO_MEMORY, "no memory for the row groups of a segment");
    }
    segment->group_count = count;
    growth->offset = PARQUET_MAGIC_BYTES;
    struct thrift_in in = footer->parts.groups;
    bool sound = true;
    for (uint32_t i = 0; i < count && sound; i++)
        sound = take_group(&in, footer, i, growth, &segment->groups[i]) &&
                growth->offset <= segment->footer_at &&
                take_chunks(&growth->scratch, &segment->groups[i]);
    sound = sound && growth->offset == segment->footer_at && growth->rows == segment->facts.rows &&
            growth->last == segment->facts.last && segment->groups[0].first == segment->facts.first;
    free(growth);
    return sound ? ALS_OK : corrupt(why, "its row groups do not fit together");
}

// ---- The file.

static err find_footer(struct segment *segment, struct footer *footer, struct als_why *why)
{
    const uint8_t *end = segment->bytes + segment->size;
    if (memcmp(segment->bytes, PARQUET_MAGIC, PARQUET_MAGIC_BYTES) != 0 ||
        memcmp(end - PARQUET_MAGIC_BYTES, PARQUET_MAGIC, PARQUET_MAGIC_BYTES) != 0)
        return FAIL(why, ALS_CORRUPT, "the file is no segment, or damaged: no magic");
    footer->size = load_le32(end - FOOTER_TAIL);
    if (footer->size < READ_SLACK || footer->size > FOOTER_BYTES_MAX ||
        footer->size > segment->size - FOOTER_TAIL - PARQUET_MAGIC_BYTES)
        return corrupt(why, "the length of its footer is not possible");
    segment->footer_at = segment->size - FOOTER_TAIL - footer->size;
    footer->bytes = segment->bytes + segment->footer_at;
    if (!parquet_take_footer(footer->bytes, footer->size, &footer->parts))
        return corrupt(why, "its footer cannot be read");
    return ALS_OK;
}

static err map_file(struct segment *segment, struct os_dir *dir, str name, struct als_why *why)
{
    struct os *os = segment->os;
    struct os_file *file = NULL;
    TRY(os->file_open(dir, name, OS_READ, &file, why));
    err code = os->file_size(file, &segment->size, why);
    if (code == ALS_OK && segment->size < FILE_BYTES_MIN)
        code = FAIL(why, ALS_CORRUPT, "the file is no segment: it has %llu bytes",
                    (unsigned long long)segment->size);
    if (code == ALS_OK)
        code = os->file_map(file, segment->size, &segment->bytes, why);
    if (code == ALS_OK)
        os->file_hint(os, segment->bytes, segment->size, OS_HINT_RANDOM);
    if (code == ALS_OK && cache_keeps_file(segment->cache))
        segment->file = file;
    else
        os->file_close(file);
    return code;
}

static err read_footer(struct segment *segment, struct als_why *why)
{
    struct footer footer = {};
    TRY(find_footer(segment, &footer, why));
    TRY(check_seal(&footer, why));
    TRY(check_version(&footer, why));
    TRY(read_facts(segment, &footer, why));
    if (!same_schema(&footer.parts))
        return corrupt(why, "its columns are not those of a segment");
    return read_groups(segment, &footer, why);
}

err segment_open(struct os *os, struct os_dir *dir, str name, struct segment_cache *cache,
                 struct segment **ret_segment, struct als_why *why)
{
    AUTO(segment) segment = calloc(1, sizeof *segment);
    if (!segment)
        return FAIL(why, ALS_NO_MEMORY, "segment %.*s cannot be opened", STR(name));
    segment->os = os;
    cache_enter(cache, segment);
    TRY(map_file(segment, dir, name, why));
    struct als_why cause = {""};
    err code = read_footer(segment, &cause);
    if (code != ALS_OK)
        return FAIL(why, code, "%.*s: %s", STR(name), cause.text);
    *ret_segment = MOVE(segment);
    return ALS_OK;
}

void segment_close(struct segment *segment)
{
    if (!segment)
        return;
    cache_leave(segment);
    cache_forget(segment->cache, segment->number);
    if (segment->file)
        cache_lets_go_file(segment->cache);
    segment->os->file_close(segment->file);
    if (segment->bytes)
        segment->os->file_unmap(segment->os, segment->bytes, segment->size);
    free(segment->groups);
    free(segment);
}

const struct segment_facts *segment_facts(const struct segment *segment)
{
    return &segment->facts;
}

uint32_t segment_group_of(const struct segment *segment, uint32_t row)
{
    assert(row < segment->facts.rows);
    uint32_t low = 0, high = segment->group_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (segment->groups[middle].first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}
