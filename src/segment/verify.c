// SPDX-License-Identifier: Apache-2.0
// Every byte, then every value.
//
// The bytes of each row group have a checksum in the footer, which has the seal; opening has seen
// that row groups and footer are all there is. So a flipped bit is found before anything is
// decoded. The rest finds what a program did wrong when it wrote: rows that are not what their hash
// says, order, facts, ranges, Bloom filters that deny what is there.
//
// Sealing reads back every file it writes, so this is half of what sealing costs. What can be asked
// of a column is asked of a column, and of a name once, however many rows have it.
#include "segment/scan.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "segment/bloom.h"

#include <assert.h>
#include <stdlib.h>

// Which names of a dictionary have been met.
struct met {
    uint64_t dictionary;
    bool names[GROUP_ROWS];
};

// What the rows say, to be compared with what the footer says.
struct counted {
    struct segment_facts facts;
    struct parquet_range ranges[COLUMNS]; // of the row group; point into `space`
    uint8_t space[COLUMNS][2][ENTITY_BYTES_MAX];
    struct met entities, types;
};

struct filter {
    const uint8_t *bytes;
    size_t size;
};

struct verifier {
    struct segment *segment;
    struct segment_scan *scan;
    struct parquet_group *group; // of the footer
    struct thrift_in groups;     // behind it
    uint32_t next;               // number of the row group that is read next
    struct filter filters[COLUMNS];
    struct counted counted;
    const uint64_t *wanted; // digest of all hashes; NULL: each hash is computed
    uint64_t digest;
    segment_each *each;
    segment_each_block *each_block;
    void *context;
};

static err wrong(const struct verifier *verifier, const char *what, struct als_why *why)
{
    return FAIL(why, ALS_CORRUPT, "row group %u of the segment is damaged: %s",
                verifier->next ? verifier->next - 1 : 0, what);
}

// ---- Bloom filters.

static bool find_filter(const struct verifier *verifier, size_t column, struct filter *ret_filter)
{
    const struct parquet_chunk *chunk = &verifier->group->chunks[column];
    const struct segment_group *group = &verifier->segment->groups[verifier->next - 1];
    uint64_t offset = chunk->bloom_offset;
    if (offset < group->offset || offset > group->end || chunk->bloom_bytes > group->end - offset)
        return false;
    const uint8_t *at = verifier->segment->bytes + offset;
    struct thrift_in in = {at, at + chunk->bloom_bytes, false};
    struct thrift_field field = {};
    int64_t size = 0;
    while (thrift_next(&in, &field)) {
        if (field.id == 1)
            size = thrift_int(&in, &field);
        else
            thrift_skip(&in, &field);
    }
    *ret_filter = (struct filter){in.at, (size_t)size};
    return !in.failed && size >= BLOOM_BLOCK && size % BLOOM_BLOCK == 0 && size == in.end - in.at;
}

static bool filter_has(const struct filter *filter, str value)
{
    return bloom_may_have(filter->bytes, filter->size, bloom_hash(value));
}

static err denied(const struct verifier *verifier, struct als_why *why)
{
    return wrong(verifier, "a Bloom filter denies what is there", why);
}

// ---- Columns.

static void widen(struct counted *counted, size_t column, str value)
{
    struct parquet_range *range = &counted->ranges[column];
    char *least = (char *)counted->space[column][0], *greatest = (char *)counted->space[column][1];
    if (!range->least.ptr || value_compare(&columns[column], value, range->least) < 0) {
        memcpy(least, value.ptr, value.len);
        range->least = (str){least, value.len};
    }
    if (!range->greatest.ptr || value_compare(&columns[column], value, range->greatest) > 0) {
        memcpy(greatest, value.ptr, value.len);
        range->greatest = (str){greatest, value.len};
    }
}

static void widen_number(struct counted *counted, size_t column, uint64_t value)
{
    uint8_t bytes[8];
    store_le64(bytes, value);
    size_t width = columns[column].kind == KIND_NARROW ? 4 : 8;
    widen(counted, column, (str){(const char *)bytes, width});
}

static void widen_integers(struct counted *counted, size_t column, const uint64_t *values,
                           uint32_t count)
{
    struct number_range range = number_range_of(values, count, &columns[column]);
    widen_number(counted, column, range.least);
    widen_number(counted, column, range.greatest);
}

static void widen_versions(struct counted *counted, const uint32_t *values, uint32_t count)
{
    uint32_t least = values[0], greatest = values[0];
    for (uint32_t i = 1; i < count; i++) {
        least = values[i] < least ? values[i] : least;
        greatest = values[i] > greatest ? values[i] : greatest;
    }
    widen_number(counted, COLUMN_SCHEMA_VERSION, least);
    widen_number(counted, COLUMN_SCHEMA_VERSION, greatest);
}

// Names by their numbers.
struct named_rows {
    const uint32_t *numbers;
    uint32_t count;
    const str *names;
    uint32_t name_count;
    uint64_t dictionary;
};

static err check_names(struct verifier *verifier, size_t column, const struct named_rows *rows,
                       struct met *met, struct als_why *why)
{
    if (met->dictionary != rows->dictionary)
        memset(met->names, 0, rows->name_count * sizeof met->names[0]);
    met->dictionary = rows->dictionary;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t number = rows->numbers[i];
        if (met->names[number])
            continue;
        met->names[number] = true;
        if (!filter_has(&verifier->filters[column], rows->names[number]))
            return denied(verifier, why);
        widen(&verifier->counted, column, rows->names[number]);
    }
    return ALS_OK;
}

static err check_ids(const struct verifier *verifier, const struct segment_block *block,
                     struct als_why *why)
{
    const struct filter *filter = &verifier->filters[COLUMN_ID];
    for (uint32_t i = 0; i < block->count; i++)
        if (!bloom_may_have(filter->bytes, filter->size, bloom_hash_id(&block->ids[i])))
            return denied(verifier, why);
    return ALS_OK;
}

static err check_columns(struct verifier *verifier, const struct segment_block *block,
                         struct als_why *why)
{
    struct counted *counted = &verifier->counted;
    uint32_t count = block->count;
    struct named_rows entities = {block->entities, count, block->entity_names, block->entity_count,
                                  block->entity_dictionary};
    struct named_rows types = {block->types, count, block->type_names, block->type_count,
                               block->type_dictionary};
    TRY(check_names(verifier, COLUMN_ENTITY, &entities, &counted->entities, why));
    TRY(check_names(verifier, COLUMN_TYPE, &types, &counted->types, why));
    TRY(check_ids(verifier, block, why));
    widen_integers(counted, COLUMN_POSITION, block->positions, count);
    widen_integers(counted, COLUMN_VERSION, block->versions, count);
    widen_integers(counted, COLUMN_TIMESTAMP, (const uint64_t *)block->timestamps_us, count);
    widen_integers(counted, COLUMN_RECORDED, (const uint64_t *)block->recorded_us, count);
    widen_versions(counted, block->schema_versions, count);
    return ALS_OK;
}

// ---- Rows.

static struct als_event row_of(const struct segment_block *block, uint32_t i, str tenant)
{
    return (struct als_event){
        .position = block->positions[i],
        .version = block->versions[i],
        .id = block->ids[i],
        .timestamp_us = block->timestamps_us[i],
        .recorded_us = block->recorded_us[i],
        .schema_version = block->schema_versions[i],
        .tenant = tenant,
        .entity = block->entity_names[block->entities[i]],
        .type = block->type_names[block->types[i]],
        .payload = block->payloads[i],
        .metadata = block->metadatas[i],
    };
}

// As facts_count(), for a block.
static void count_block(struct segment_facts *facts, const struct segment_block *block)
{
    uint32_t last = block->count - 1;
    struct number_range times = number_range_of((const uint64_t *)block->timestamps_us,
                                                block->count, &columns[COLUMN_TIMESTAMP]);
    int64_t least_us = (int64_t)times.least, greatest_us = (int64_t)times.greatest;
    if (facts->rows == 0) {
        facts->first = block->positions[0];
        facts->recorded_first_us = block->recorded_us[0];
        facts->least_us = least_us;
        facts->greatest_us = greatest_us;
    }
    facts->rows += block->count;
    facts->last = block->positions[last];
    facts->recorded_last_us = block->recorded_us[last];
    facts->least_us = least_us < facts->least_us ? least_us : facts->least_us;
    facts->greatest_us = greatest_us > facts->greatest_us ? greatest_us : facts->greatest_us;
    for (uint32_t i = 0; i < block->count; i++) {
        facts->new_entities += block->versions[i] == 1;
        facts->raw_bytes += block->entity_names[block->entities[i]].len +
                            block->type_names[block->types[i]].len + block->payloads[i].len +
                            block->metadatas[i].len;
    }
}

static err check_order(const struct verifier *verifier, const struct segment_block *block,
                       struct als_why *why)
{
    als_position before = verifier->counted.facts.last;
    for (uint32_t i = 0; i < block->count; i++) {
        if (block->positions[i] <= before)
            return wrong(verifier, "its positions do not go up", why);
        before = block->positions[i];
    }
    return ALS_OK;
}

static err check_rows(struct verifier *verifier, const struct segment_block *block,
                      struct als_why *why)
{
    for (uint32_t i = 0; i < block->count; i++) {
        struct als_event event = row_of(block, i, verifier->segment->facts.tenant);
        if (row_hash(&event) != block->hashes[i])
            return FAIL(why, ALS_CORRUPT, "row %u of the segment is not what was written",
                        block->row + i);
        if (verifier->each)
            TRY(verifier->each(verifier->context, &event, why));
    }
    return ALS_OK;
}

static err check_block(struct verifier *verifier, const struct segment_block *block,
                       struct als_why *why)
{
    TRY(check_order(verifier, block, why));
    TRY(check_columns(verifier, block, why));
    TRY(verifier->wanted ? verifier->each_block(verifier->context, block, why)
                         : check_rows(verifier, block, why));
    verifier->digest = hashes_digest(verifier->digest, block->hashes, block->count);
    count_block(&verifier->counted.facts, block);
    return ALS_OK;
}

// ---- One row group.

static err check_bytes(const struct verifier *verifier, struct als_why *why)
{
    const struct segment_group *group = &verifier->segment->groups[verifier->next - 1];
    const uint8_t *bytes = verifier->segment->bytes;
    if (hash_bytes(bytes + group->offset, group->end - group->offset, 0) != group->check)
        return wrong(verifier, "its checksum is another", why);
    return ALS_OK;
}

// The greatest and least values of the pages, out of the column index, are those of the chunk.
static bool same_pages(const struct verifier *verifier, size_t column)
{
    const struct parquet_chunk *chunk = &verifier->group->chunks[column];
    const struct segment_group *group = &verifier->segment->groups[verifier->next - 1];
    if (chunk->column_index_offset < group->offset || chunk->column_index_offset > group->end ||
        chunk->column_index_bytes > group->end - chunk->column_index_offset)
        return false;
    const uint8_t *at = verifier->segment->bytes + chunk->column_index_offset;
    struct thrift_in in = {at, at + chunk->column_index_bytes, false};
    struct thrift_field field = {};
    bool least_met = false, greatest_met = false, inside = true;
    while (thrift_next(&in, &field)) {
        if (field.id != 2 && field.id != 3) {
            thrift_skip(&in, &field);
            continue;
        }
        uint32_t count = thrift_list(&in, &field, THRIFT_BINARY);
        for (uint32_t i = 0; i < count && !in.failed; i++) {
            str value = thrift_text(&in);
            least_met |= field.id == 2 && str_equal(value, chunk->range.least);
            greatest_met |= field.id == 3 && str_equal(value, chunk->range.greatest);
            inside &= value.len == chunk->range.least.len || columns[column].kind == KIND_NAME;
        }
    }
    return !in.failed && least_met && greatest_met && inside;
}

static err check_ranges(const struct verifier *verifier, struct als_why *why)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        const struct parquet_range *says = &verifier->group->chunks[i].range;
        const struct parquet_range *is = &verifier->counted.ranges[i];
        if (!columns[i].ranged)
            continue;
        if (!str_equal(says->least, is->least) || !str_equal(says->greatest, is->greatest) ||
            !same_pages(verifier, i))
            return wrong(verifier, "its statistics are not those of its rows", why);
    }
    return ALS_OK;
}

static err check_group(struct verifier *verifier, struct als_why *why)
{
    const struct segment_group *group = &verifier->segment->groups[verifier->next++];
    expect_bytes(verifier->segment, group->offset, group->end - group->offset);
    TRY(check_bytes(verifier, why));
    if (!parquet_take_group(&verifier->groups, verifier->group))
        return wrong(verifier, "it cannot be found in the footer", why);
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].bloom && !find_filter(verifier, i, &verifier->filters[i]))
            return wrong(verifier, "a Bloom filter cannot be read", why);
    memset(verifier->counted.ranges, 0, sizeof verifier->counted.ranges);
    for (uint32_t done = 0; done < group->rows;) {
        struct segment_block block;
        TRY(segment_scan_next(verifier->scan, &block, why));
        TRY(check_block(verifier, &block, why));
        done += block.count;
    }
    return check_ranges(verifier, why);
}

static bool same_facts(const struct segment_facts *a, const struct segment_facts *b)
{
    return a->first == b->first && a->last == b->last && a->rows == b->rows &&
           a->least_us == b->least_us && a->greatest_us == b->greatest_us &&
           a->recorded_first_us == b->recorded_first_us &&
           a->recorded_last_us == b->recorded_last_us && a->new_entities == b->new_entities &&
           a->raw_bytes == b->raw_bytes;
}

static err verify(struct verifier *verifier, struct als_why *why)
{
    const struct segment *segment = verifier->segment;
    struct parquet_footer parts;
    const uint8_t *footer = segment->bytes + segment->footer_at;
    if (!parquet_take_footer(footer, segment->size - segment->footer_at - FOOTER_TAIL, &parts))
        return wrong(verifier, "the footer cannot be read", why);
    verifier->groups = parts.groups;
    segment_scan_begin(verifier->scan, verifier->segment, SEGMENT_ALL, 0);
    while (verifier->next < segment->group_count)
        TRY(check_group(verifier, why));
    if (!same_facts(&verifier->counted.facts, &segment->facts))
        return FAIL(why, ALS_CORRUPT, "the footer of the segment does not fit its rows");
    if (verifier->wanted && verifier->digest != *verifier->wanted)
        return FAIL(why, ALS_CORRUPT, "the hashes of the segment are not those of its rows");
    return ALS_OK;
}

static err run(const struct verifier *what, struct als_why *why)
{
    struct verifier *verifier = calloc(1, sizeof *verifier);
    struct parquet_group *group = calloc(1, sizeof *group);
    AUTO(segment_scan) scan = segment_scan_new();
    err code = ALS_NO_MEMORY;
    if (verifier && group && scan) {
        *verifier = *what;
        verifier->scan = scan;
        verifier->group = group;
        code = verify(verifier, why);
    } else
        err_explain(why, "no memory to verify a segment");
    free(group);
    free(verifier);
    return code;
}

err segment_verify(struct segment *segment, segment_each *each, void *context, struct als_why *why)
{
    struct verifier what = {.segment = segment, .each = each, .context = context};
    return run(&what, why);
}

err segment_verify_written(struct segment *segment, uint64_t digest, segment_each_block *each,
                           void *context, struct als_why *why)
{
    assert(each);
    struct verifier what = {
        .segment = segment, .wanted = &digest, .each_block = each, .context = context};
    return run(&what, why);
}
