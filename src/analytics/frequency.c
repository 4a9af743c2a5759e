// SPDX-License-Identifier: Apache-2.0
// Frequency: a row of counts a bucket, a count a type.
//
// A row is a small table, open-addressed by the number of the type: most events only compare with
// the bounds of the current bucket and add one. Only what occurs takes memory, so few buckets with
// many types and many buckets with few types both fit below one limit of counts.
#include "analytics/calendar.h"
#include "analytics/inside.h"
#include "analytics/names.h"

#include "base/limits.h"
#include "base/time.h"
#include "segment/segment.h"

#include <assert.h>
#include <stdlib.h>

enum { CELLS_FIRST = 4 };
#define CELL_FREE UINT32_MAX

struct cell {
    uint32_t type; // its number; when finished, its place in the order of names
    uint64_t count;
};

struct row {
    struct cell *cells; // `room` of them, a power of two; when finished, the first `used`
    uint32_t used, room;
    uint64_t sum; // when finished
};

struct frequency {
    struct analysis analysis; // first
    struct names types;
    struct memo memo;
    struct row *rows; // a bucket each
    size_t row_count;
    int64_t first_number; // of the first bucket
    uint64_t used;        // cells of all rows

    struct row *row; // the current bucket, and the moments in it that are asked for
    int64_t low_us, high_us;

    uint32_t *order; // when finished: numbers of types in the order of their names
    uint64_t total;
};

static struct frequency *frequency_of(struct analysis *analysis)
{
    return (struct frequency *)analysis;
}

static void frequency_free(struct analysis *analysis)
{
    struct frequency *frequency = frequency_of(analysis);
    for (size_t i = 0; frequency->rows && i < frequency->row_count; i++)
        free(frequency->rows[i].cells);
    free(frequency->rows);
    free(frequency->order);
    memo_deinit(&frequency->memo);
    names_deinit(&frequency->types);
    free(frequency);
}

// ---- Rows

static struct cell *cell_of(const struct row *row, uint32_t type)
{
    uint32_t mask = row->room - 1, i = type & mask;
    while (row->cells[i].type != type && row->cells[i].type != CELL_FREE)
        i = (i + 1) & mask;
    return &row->cells[i];
}

// Leaves one cell in two free, so that the search above ends soon.
static err row_grow(struct row *row, struct als_why *why)
{
    struct row grown = {.used = row->used, .room = row->room ? row->room * 2 : CELLS_FIRST};
    grown.cells = malloc(grown.room * sizeof *grown.cells);
    if (!grown.cells)
        return FAIL(why, ALS_NO_MEMORY, "no memory for %u counts", grown.room);
    for (uint32_t i = 0; i < grown.room; i++)
        grown.cells[i] = (struct cell){CELL_FREE, 0};
    for (uint32_t i = 0; i < row->room; i++)
        if (row->cells[i].type != CELL_FREE)
            *cell_of(&grown, row->cells[i].type) = row->cells[i];
    free(row->cells);
    *row = grown;
    return ALS_OK;
}

static err add_cell(struct frequency *frequency, struct row *row, uint32_t type, uint64_t count,
                    struct als_why *why)
{
    if (frequency->used == ANALYSIS_COUNTS_MAX)
        return FAIL(why, ALS_TOO_LARGE,
                    "the answer has more than %d counts, one for each type in each bucket: choose "
                    "a wider window, less time, or types",
                    ANALYSIS_COUNTS_MAX);
    if (row->used * 2 >= row->room)
        TRY(row_grow(row, why));
    *cell_of(row, type) = (struct cell){type, count};
    row->used++;
    frequency->used++;
    return ALS_OK;
}

static inline err count_type(struct frequency *frequency, uint32_t type, struct als_why *why)
{
    struct cell *cell = cell_of(frequency->row, type);
    if (cell->type != type)
        return add_cell(frequency, frequency->row, type, 1, why);
    cell->count++;
    return ALS_OK;
}

// Makes the bucket of a moment, which is asked for, the current one.
static err enter_bucket(struct frequency *frequency, int64_t us, struct als_why *why)
{
    const struct analysis_question *question = frequency->analysis.question;
    int64_t number = window_number(question->window, us);
    int64_t start_us = window_start(question->window, number);
    int64_t next_us = window_start(question->window, number + 1);
    frequency->row = &frequency->rows[number - frequency->first_number];
    frequency->low_us = start_us > question->since_us ? start_us : question->since_us;
    frequency->high_us = next_us <= question->until_us ? next_us - 1 : question->until_us;
    return frequency->row->cells ? ALS_OK : row_grow(frequency->row, why);
}

// ---- Taking

static err find_type(struct frequency *frequency, str name, uint32_t *ret_type, struct als_why *why)
{
    *ret_type = MEMO_UNWANTED;
    if (!wants_type(frequency->analysis.question, name))
        return ALS_OK;
    return names_number(&frequency->types, name, names_hash(&frequency->types, name), ret_type,
                        why);
}

static err frequency_take_block(struct analysis *analysis, const struct segment_block *block,
                                struct als_why *why)
{
    struct frequency *frequency = frequency_of(analysis);
    struct memo *memo = &frequency->memo;
    TRY(memo_begin(memo, block->type_dictionary, block->type_count, why));
    for (uint32_t i = 0; i < block->count; i++) {
        int64_t us = block->timestamps_us[i];
        if (us < frequency->low_us || us > frequency->high_us) {
            if (!within_time(analysis->question, us))
                continue;
            TRY(enter_bucket(frequency, us, why));
        }
        uint32_t number = block->types[i];
        if (memo->ids[number] == MEMO_UNKNOWN)
            TRY(find_type(frequency, block->type_names[number], &memo->ids[number], why));
        if (memo->ids[number] != MEMO_UNWANTED)
            TRY(count_type(frequency, memo->ids[number], why));
    }
    return ALS_OK;
}

static err frequency_take_event(struct analysis *analysis, const struct als_event *event,
                                struct als_why *why)
{
    struct frequency *frequency = frequency_of(analysis);
    uint32_t type;
    TRY(find_type(frequency, event->type, &type, why));
    if (type == MEMO_UNWANTED)
        return ALS_OK;
    if (event->timestamp_us < frequency->low_us || event->timestamp_us > frequency->high_us)
        TRY(enter_bucket(frequency, event->timestamp_us, why));
    return count_type(frequency, type, why);
}

// ---- Merging and finishing

static err merge_row(struct frequency *target, struct row *row, const struct row *source,
                     const uint32_t *numbers, struct als_why *why)
{
    if (source->used && !row->cells)
        TRY(row_grow(row, why));
    for (uint32_t i = 0; i < source->room; i++) {
        if (source->cells[i].type == CELL_FREE)
            continue;
        uint32_t type = numbers[source->cells[i].type];
        struct cell *cell = cell_of(row, type);
        if (cell->type == type)
            cell->count += source->cells[i].count;
        else
            TRY(add_cell(target, row, type, source->cells[i].count, why));
    }
    return ALS_OK;
}

static err frequency_merge(struct analysis *analysis, struct analysis *other, struct als_why *why)
{
    struct frequency *target = frequency_of(analysis), *source = frequency_of(other);
    uint32_t *numbers;
    TRY(names_map(&target->types, &source->types, &numbers, why));
    err code = ALS_OK;
    for (size_t i = 0; i < target->row_count && code == ALS_OK; i++)
        code = merge_row(target, &target->rows[i], &source->rows[i], numbers, why);
    free(numbers);
    return code;
}

static int by_type(const void *a, const void *b)
{
    uint32_t x = ((const struct cell *)a)->type, y = ((const struct cell *)b)->type;
    return (x > y) - (x < y);
}

// Moves the cells in use to the front, by the names of their types.
static void row_finish(struct row *row, const uint32_t *ranks)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < row->room; i++) {
        struct cell cell = row->cells[i];
        if (cell.type == CELL_FREE)
            continue;
        row->cells[used++] = (struct cell){ranks[cell.type], cell.count};
        row->sum += cell.count;
    }
    assert(used == row->used);
    if (used)
        qsort(row->cells, used, sizeof *row->cells, by_type);
}

static err frequency_finish(struct analysis *analysis, struct als_why *why)
{
    struct frequency *frequency = frequency_of(analysis);
    uint32_t *ranks;
    TRY(names_rank(&frequency->types, &ranks, why));
    frequency->order = malloc((frequency->types.count + 1) * sizeof *frequency->order);
    if (!frequency->order) {
        free(ranks);
        return FAIL(why, ALS_NO_MEMORY, "no memory for %u types", frequency->types.count);
    }
    for (uint32_t i = 0; i < frequency->types.count; i++)
        frequency->order[ranks[i]] = i;
    for (size_t i = 0; i < frequency->row_count; i++) {
        row_finish(&frequency->rows[i], ranks);
        frequency->total += frequency->rows[i].sum;
    }
    free(ranks);
    return ALS_OK;
}

static const struct analysis_calls calls = {
    .take_block = frequency_take_block,
    .take_event = frequency_take_event,
    .merge = frequency_merge,
    .finish = frequency_finish,
    .free = frequency_free,
};

err frequency_new(const struct analysis_question *question, struct analysis **ret_analysis,
                  struct als_why *why)
{
    AUTO(analysis) analysis = NULL;
    struct frequency *frequency = calloc(1, sizeof *frequency);
    if (!frequency)
        return FAIL(why, ALS_NO_MEMORY, "no memory for a frequency");
    analysis = &frequency->analysis;
    *analysis = (struct analysis){&calls, question};
    names_init(&frequency->types, question->seed, ANALYSIS_NAMES_BYTES_MAX);
    frequency->low_us = INT64_MAX; // no bucket
    frequency->high_us = INT64_MIN;
    if (question->since_us <= question->until_us) {
        frequency->first_number = window_number(question->window, question->since_us);
        frequency->row_count =
            window_count(question->window, question->since_us, question->until_us);
        assert(frequency->row_count <= ANALYSIS_BUCKETS_MAX);
    }
    frequency->rows = calloc(frequency->row_count + 1, sizeof *frequency->rows);
    if (!frequency->rows)
        return FAIL(why, ALS_NO_MEMORY, "no memory for %zu buckets", frequency->row_count);
    *ret_analysis = MOVE(analysis);
    return ALS_OK;
}

// ---- The answer

static const struct frequency *finished(const struct analysis *analysis)
{
    assert(analysis->calls == &calls);
    const struct frequency *frequency = (const struct frequency *)analysis;
    assert(frequency->order);
    return frequency;
}

struct frequency_answer analysis_frequency(const struct analysis *analysis)
{
    const struct frequency *frequency = finished(analysis);
    return (struct frequency_answer){.total = frequency->total,
                                     .bucket_count = frequency->total ? frequency->row_count : 0};
}

struct frequency_bucket frequency_bucket(const struct analysis *analysis, size_t bucket)
{
    const struct frequency *frequency = finished(analysis);
    assert(bucket < frequency->row_count);
    const struct row *row = &frequency->rows[bucket];
    int64_t start_us =
        window_start(analysis->question->window, frequency->first_number + (int64_t)bucket);
    // The first week of the year 0 begins before it, where no time can be written.
    return (struct frequency_bucket){.start_us = start_us < TIME_US_MIN ? TIME_US_MIN : start_us,
                                     .count = row->sum,
                                     .type_count = row->used};
}

struct counted frequency_type(const struct analysis *analysis, size_t bucket, size_t number)
{
    const struct frequency *frequency = finished(analysis);
    assert(bucket < frequency->row_count && number < frequency->rows[bucket].used);
    const struct cell *cell = &frequency->rows[bucket].cells[number];
    return (struct counted){.name = names_at(&frequency->types, frequency->order[cell->type]),
                            .count = cell->count};
}
