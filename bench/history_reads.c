// SPDX-License-Identifier: Apache-2.0
// Reading what is sealed. "cold" is after opening the store anew: no page is in its memory, no file
// of a segment is open, and each question is about another place; the system still has the files in
// its cache. "warm" asks the same again and again.
#include "bench/history.h"

#include "base/hash.h"
#include "os/os.h"
#include "segment/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    const struct bench *bench;
    struct place *place;
    uint64_t events, state;
};

static uint64_t below(struct reading *reading, uint64_t limit)
{
    reading->state = reading->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (reading->state >> 33) % limit;
}

// ---- Questions: each gives how many events were found, which must be `expected`.

typedef uint64_t asking(struct reading *reading, uint64_t number);

static uint64_t count_events(const struct reading *reading, const struct als_query *query)
{
    struct als_why why = {""};
    struct als_cursor *cursor;
    struct als_event event;
    uint64_t count = 0, bytes = 0;
    must(als_query_open(reading->place->als, query, &cursor, &why), &why, "als_query_open");
    for (;; count++) {
        must(als_cursor_next(cursor, &event, &why), &why, "als_cursor_next");
        if (event.position == 0)
            break;
        bytes += event.payload.len;
    }
    als_cursor_close(cursor);
    must_be(bytes >= count, "payloads");
    return count;
}

static uint64_t ask_life(struct reading *reading, uint64_t number)
{
    char space[HISTORY_NAME_BYTES];
    struct als_query query = ALS_QUERY_INIT;
    uint64_t stretches = reading->events / LIFE_STRETCH;
    query.entity = life_name(number % stretches, number % LIFE_ENTITIES, space);
    return count_events(reading, &query);
}

static uint64_t ask_long(struct reading *reading, uint64_t number)
{
    char space[HISTORY_NAME_BYTES];
    struct als_query query = ALS_QUERY_INIT;
    query.entity = long_name(number % LONG_ENTITIES, space);
    return count_events(reading, &query);
}

static uint64_t ask_type(struct reading *reading, uint64_t number)
{
    char space[HISTORY_NAME_BYTES];
    struct als_query query = ALS_QUERY_INIT;
    als_str type = history_type(number % HISTORY_TYPES, space);
    query.types = &type;
    query.type_count = 1;
    query.limit = 100;
    query.after = number % (reading->events * 9 / 10);
    return count_events(reading, &query);
}

static uint64_t ask_rare(struct reading *reading, uint64_t number)
{
    struct als_query query = ALS_QUERY_INIT;
    als_str type = als_text(history_rare);
    (void)number;
    query.types = &type;
    query.type_count = 1;
    query.limit = 100;
    return count_events(reading, &query);
}

struct question {
    const char *name, *what;
    asking *ask;
    uint64_t expected;
    size_t calls; // of a cold round: each at another place
    double cold_target, warm_target;
    bool all_over; // its events are in every file
};

static void timed(struct reading *reading, const struct question *question, uint64_t number,
                  struct latencies *latencies)
{
    uint64_t start_ns = clock_ns();
    uint64_t found = question->ask(reading, number);
    latencies_add(latencies, clock_ns() - start_ns);
    must_be(found == question->expected, question->name);
}

static void add(const struct reading *reading, const struct question *question, const char *suffix,
                double target, const struct samples *samples)
{
    char name[48];
    struct row row = {.what = question->what,
                      .unit = "µs",
                      .count = question->expected,
                      .better = BETTER_LOWER,
                      .target = target};
    snprintf(name, sizeof name, "%s/%s", question->name, suffix);
    history_add_row(reading->bench, row, name, samples);
}

static void add_cold(struct reading *reading, const struct question *question)
{
    struct samples p50 = {.count = 0}, p99 = {.count = 0}, first = {.count = 0};
    struct latencies latencies = {0};
    for (size_t i = 0; i < bench_rounds(reading->bench, 5); i++) {
        history_reopen(reading->place);
        timed(reading, question, below(reading, UINT32_MAX), &latencies);
        samples_add(&first, (double)latencies.ns[0] / 1e3);
        for (size_t call = 1; call < question->calls; call++)
            timed(reading, question, below(reading, UINT32_MAX), &latencies);
        latencies_sort(&latencies);
        samples_add(&p50, latencies_us(&latencies, 0.5));
        samples_add(&p99, latencies_us(&latencies, 0.99));
        latencies.count = 0;
    }
    latencies_deinit(&latencies);
    add(reading, question, "first", 0, &first);
    if (question->calls == 1)
        return;
    add(reading, question, "cold p50", question->cold_target, &p50);
    add(reading, question, "cold p99", 0, &p99);
}

static void add_warm(struct reading *reading, const struct question *question)
{
    enum { CALLS = 2000, PLACES_MAX = 16 };
    struct samples p50 = {.count = 0}, p99 = {.count = 0};
    struct latencies latencies = {0};
    uint64_t places[PLACES_MAX];
    size_t count = question->all_over ? 2 : PLACES_MAX; // so that their pages fit into the cache
    for (size_t i = 0; i < count; i++) {
        places[i] = below(reading, UINT32_MAX);
        (void)question->ask(reading, places[i]);
    }
    for (size_t i = 0; i < bench_rounds(reading->bench, 9); i++) {
        for (size_t call = 0; call < CALLS / (1 + question->expected / 10); call++)
            timed(reading, question, places[call % count], &latencies);
        latencies_sort(&latencies);
        samples_add(&p50, latencies_us(&latencies, 0.5));
        samples_add(&p99, latencies_us(&latencies, 0.99));
        latencies.count = 0;
    }
    latencies_deinit(&latencies);
    add(reading, question, "warm p50", question->warm_target, &p50);
    add(reading, question, "warm p99", 0, &p99);
}

void history_add_reads(const struct bench *bench, struct place *place, uint64_t events)
{
    struct reading reading = {bench, place, events, 1};
    uint64_t a_long = events / (LIFE_ENTITIES + 1) / LONG_ENTITIES, rare = events / RARE_EVERY;
    const struct question questions[] = {
        {.name = "entity of 10",
         .what = "all events of an entity whose life is short",
         .ask = ask_life,
         .expected = LIFE_EVENTS,
         .calls = 500,
         .cold_target = 200,
         .warm_target = 10},
        {.name = "entity all over",
         .what = "all events of an entity, some in every file",
         .ask = ask_long,
         .expected = a_long,
         .calls = 20,
         .all_over = true},
        {.name = "type limit 100",
         .what = "100 events of a type behind some position",
         .ask = ask_type,
         .expected = 100,
         .calls = 200,
         .cold_target = 1000},
        {.name = "rare type",
         .what = "all events of a type, some in every file",
         .ask = ask_rare,
         .expected = rare < 100 ? rare : 100,
         .calls = 1,
         .all_over = true},
    };
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        add_cold(&reading, &questions[i]);
        add_warm(&reading, &questions[i]);
    }
}

// ---- Scans

// What a projection keeps of an entity.
struct folded {
    uint64_t hash, count;
    als_position last;
    int64_t latest_us;
};

struct fold {
    struct folded *entities;
    size_t room; // a power of two
    uint64_t types[HISTORY_TYPES + 8];
    uint64_t payload_bytes, braces;
    uint64_t entity_dictionary;
    uint32_t *slots; // of the dictionary's names
    size_t slot_room;
};

static uint32_t slot_of(struct fold *fold, str name)
{
    uint64_t hash = hash_bytes(name.ptr, name.len, 1) | 1;
    size_t at = hash & (fold->room - 1);
    while (fold->entities[at].hash && fold->entities[at].hash != hash)
        at = (at + 1) & (fold->room - 1);
    fold->entities[at].hash = hash;
    return (uint32_t)at;
}

static void meet_names(struct fold *fold, const struct segment_block *block)
{
    if (fold->entity_dictionary == block->entity_dictionary)
        return;
    fold->entity_dictionary = block->entity_dictionary;
    if (fold->slot_room < block->entity_count) {
        fold->slot_room = block->entity_count;
        fold->slots = realloc(fold->slots, fold->slot_room * sizeof *fold->slots);
        must_be(fold->slots != NULL, "realloc");
    }
    for (uint32_t i = 0; i < block->entity_count; i++)
        fold->slots[i] = slot_of(fold, block->entity_names[i]);
}

static void fold_block(struct fold *fold, const struct segment_block *block)
{
    meet_names(fold, block);
    for (uint32_t i = 0; i < block->count; i++) {
        struct folded *entity = &fold->entities[fold->slots[block->entities[i]]];
        entity->count++;
        entity->last = block->positions[i];
        if (block->timestamps_us[i] > entity->latest_us)
            entity->latest_us = block->timestamps_us[i];
        fold->types[block->types[i] % COUNT_OF(fold->types)]++;
    }
    for (uint32_t i = 0; block->payloads && i < block->count; i++) {
        fold->payload_bytes += block->payloads[i].len;
        fold->braces += block->payloads[i].ptr[0] == '{';
    }
}

static uint64_t scan_file(struct os_dir *dir, str name, unsigned columns, struct fold *fold)
{
    struct als_why why = {""};
    AUTO(segment_cache) cache = segment_cache_new(0);
    AUTO(segment_scan) scan = segment_scan_new();
    AUTO(segment) segment = NULL;
    must_be(cache && scan, "malloc");
    must(segment_open(os_posix(), dir, name, cache, &segment, &why), &why, "segment_open");
    segment_scan_begin(scan, segment, columns, 0);
    fold->entity_dictionary = 0;
    for (uint64_t rows = 0;;) {
        struct segment_block block;
        must(segment_scan_next(scan, &block, &why), &why, "segment_scan_next");
        if (block.count == 0)
            return rows;
        fold_block(fold, &block);
        rows += block.count;
    }
}

static str file_name(const struct als_file *file)
{
    const char *slash = memrchr(file->path.ptr, '/', file->path.len);
    return str_from(file->path, (size_t)(slash + 1 - file->path.ptr));
}

static double scan_rate(struct place *place, unsigned columns, struct fold *fold)
{
    struct als_why why = {""};
    struct als_files *files;
    struct os_dir *dir = NULL;
    struct os *os = os_posix();
    must(als_files_open(place->als, als_text("default"), &files, &why), &why, "als_files_open");
    struct als_files_view view = als_files_view(files);
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof path, "%.*s/segments", STR(view.directory));
    must(os->dir_open(os, NULL, (str){path, (size_t)len}, false, &dir, &why), &why, path);
    uint64_t rows = 0, start_ns = clock_ns();
    memset(fold->entities, 0, fold->room * sizeof fold->entities[0]);
    for (size_t i = 0; i < view.count; i++)
        rows += scan_file(dir, file_name(&view.files[i]), columns, fold);
    double seconds = clock_seconds_since(start_ns);
    must_be(rows == view.sealed, "the number of rows");
    os->dir_close(dir);
    als_files_close(files);
    return (double)rows / seconds;
}

static double query_rate(struct reading *reading)
{
    struct als_query query = ALS_QUERY_INIT;
    uint64_t start_ns = clock_ns();
    uint64_t count = count_events(reading, &query);
    must_be(count == reading->events, "the number of events");
    return (double)count / clock_seconds_since(start_ns);
}

void history_add_scans(const struct bench *bench, struct place *place, uint64_t events)
{
    const unsigned fixed =
        SEGMENT_POSITION | SEGMENT_ENTITY | SEGMENT_VERSION | SEGMENT_TYPE | SEGMENT_TIMESTAMP;
    struct samples by_fixed = {.count = 0}, by_payload = {.count = 0}, by_query = {.count = 0};
    struct reading reading = {bench, place, events, 1};
    struct fold fold = {.room = 1};
    while (fold.room < events / 4)
        fold.room *= 2;
    fold.entities = calloc(fold.room, sizeof fold.entities[0]);
    must_be(fold.entities != NULL, "calloc");
    for (size_t i = 0; i < bench_rounds(bench, 3); i++) {
        samples_add(&by_fixed, scan_rate(place, fixed, &fold));
        samples_add(&by_payload, scan_rate(place, fixed | SEGMENT_PAYLOAD, &fold));
        samples_add(&by_query, query_rate(&reading));
    }
    free(fold.entities);
    free(fold.slots);
    struct row row = {.what =
                          "fold position, version, time by entity, and by type, from the columns",
                      .unit = "events/s",
                      .count = events,
                      .better = BETTER_HIGHER,
                      .target = 5e6};
    history_add_row(bench, row, "scan fixed columns", &by_fixed);
    row.what = "the same, and each payload";
    row.target = 1.5e6;
    history_add_row(bench, row, "scan with payload", &by_payload);
    row.what = "a query for everything, event by event with all its columns";
    history_add_row(bench, row, "query for all", &by_query);
}
