// SPDX-License-Identifier: Apache-2.0
// How fast src/segment is, one core: sealing, scanning, single rows, and the kernels beneath.
//
//   segment_bench DIRECTORY [EVENTS [FILE.ndjson]]
//
// Events are made up, 256 bytes each without their fixed columns; with a file, its lines are sealed
// too, and the size is compared with theirs. DIRECTORY must exist; the files stay there.
#include "base/hash.h"
#include "base/rand.h"
#include "base/time.h"
#include "base/uuid.h"
#include "os/os.h"
#include "segment/bits.h"
#include "segment/crc.h"
#include "segment/segment.h"
#include "json/json.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5, READS = 2000, LINE_MAX_BYTES = 1 << 16 };

static double now_s(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void must(err code, const struct als_why *why)
{
    if (code == ALS_OK)
        return;
    fprintf(stderr, "segment_bench: %s\n", why->text);
    exit(1);
}

static struct als_why why;

// ---- Events.

struct source {
    struct rand rand;
    struct als_event event;
    char entity[64], type[64], payload[512];
};

static const struct als_event *made_up(struct source *source)
{
    static const char *const types[] = {"order.placed", "payment.captured", "item.shipped"};
    struct als_event *event = &source->event;
    struct rand *rand = &source->rand;
    event->position++;
    event->version = event->position / 10000 + 1;
    event->timestamp_us = 1700000000000000 + (int64_t)(event->position * 137);
    event->recorded_us = 1700000000000000 + (int64_t)(event->position / 100 * 13700);
    uint8_t random[10];
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (uint8_t)rand_next(rand);
    event->id = uuid_v7(event->recorded_us, random);
    int len = snprintf(source->entity, 64, "user-%u", (unsigned)rand_below(rand, 10000));
    event->entity = (str){source->entity, (size_t)len};
    event->type = str_of(types[rand_below(rand, 3)]);
    len = snprintf(
        source->payload, 512,
        "{\"order\":\"A-%llx\",\"amount\":%u.%02u,\"currency\":\"EUR\",\"items\":[{\"sku\":"
        "\"SKU-%u\",\"quantity\":%u,\"price\":%u}],\"city\":\"Lisbon\",\"express\":%s,"
        "\"note\":\"please ring twice and leave it at the door\",\"channel\":\"web\"}",
        (unsigned long long)rand_next(rand), (unsigned)rand_below(rand, 2000),
        (unsigned)rand_below(rand, 100), (unsigned)rand_below(rand, 100000),
        (unsigned)rand_below(rand, 9), (unsigned)rand_below(rand, 500),
        rand_below(rand, 2) ? "true" : "false");
    event->payload = (str){source->payload, (size_t)len};
    return event;
}

// ---- Sealing. The events are made before the clock runs.

struct batch {
    struct als_event *events;
    size_t count;
    uint64_t bytes;
};

static str keep(str text)
{
    char *copy = malloc(text.len + 1);
    if (!copy)
        exit(1);
    memcpy(copy, text.ptr, text.len);
    return (str){copy, text.len};
}

static struct batch make_batch(size_t count)
{
    struct batch batch = {calloc(count, sizeof(struct als_event)), count, 0};
    struct source *source = calloc(1, sizeof *source);
    if (!batch.events || !source)
        exit(1);
    for (size_t i = 0; i < count; i++) {
        struct als_event event = *made_up(source);
        event.entity = keep(event.entity);
        event.payload = keep(event.payload);
        batch.events[i] = event;
        batch.bytes += event.entity.len + event.type.len + event.payload.len;
    }
    free(source);
    return batch;
}

static struct segment_facts seal(struct os_dir *dir, str name, const struct batch *batch,
                                 double *ret_cpu_s)
{
    struct os *os = os_posix_unsynced();
    (void)os->dir_unlink(dir, name, NULL); // of the round before, if there was one
    double begin = now_s(CLOCK_PROCESS_CPUTIME_ID);
    AUTO(segment_writer) writer = NULL;
    struct segment_facts facts;
    struct segment_write_options options = {.tenant = S("default")};
    must(segment_writer_open(os, dir, name, options, &writer, &why), &why);
    for (size_t i = 0; i < batch->count; i++)
        must(segment_writer_add(writer, &batch->events[i], &why), &why);
    must(segment_writer_finish(writer, &facts, &why), &why);
    facts.tenant = (str){};
    *ret_cpu_s = now_s(CLOCK_PROCESS_CPUTIME_ID) - begin;
    return facts;
}

static void bench_seal(struct os_dir *dir, str name, const struct batch *batch)
{
    double best = 1e9;
    struct segment_facts facts = {};
    for (int i = 0; i < ROUNDS; i++) {
        double cpu_s;
        facts = seal(dir, name, batch, &cpu_s);
        best = cpu_s < best ? cpu_s : best;
    }
    double rows = (double)batch->count;
    printf("%-44s %8.2f M/s, %.0f B an event become %.1f B\n", "seal, events by CPU time",
           rows / best / 1e6, (double)batch->bytes / rows, (double)facts.bytes / rows);
}

// ---- Scanning.

static void bench_scan(struct segment *segment, const char *name, unsigned wanted)
{
    AUTO(segment_scan) scan = segment_scan_new();
    double best = 1e9;
    volatile uint64_t keep_sum = 0;
    uint64_t rows = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_s(CLOCK_THREAD_CPUTIME_ID);
        segment_scan_begin(scan, segment, wanted, 0);
        struct segment_block block;
        rows = 0;
        for (;;) {
            must(segment_scan_next(scan, &block, &why), &why);
            if (block.count == 0)
                break;
            uint64_t sum = 0;
            for (uint32_t i = 0; i < block.count; i++) {
                sum += block.positions[i] + block.entities[i];
                sum += block.payloads ? block.payloads[i].len : 0;
            }
            keep_sum = keep_sum + sum;
            rows += block.count;
        }
        double took = now_s(CLOCK_THREAD_CPUTIME_ID) - begin;
        best = took < best ? took : best;
    }
    printf("%-44s %8.2f M/s\n", name, (double)rows / best / 1e6);
}

// ---- Single rows.

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *name, double *times, size_t count)
{
    qsort(times, count, sizeof *times, by_value);
    printf("%-44s %8.1f us, p99 %.1f us\n", name, times[count / 2] * 1e6,
           times[count * 99 / 100] * 1e6);
}

static void bench_rows(struct segment *segment, const char *name, struct segment_cache *cache,
                       uint64_t rows, bool cold)
{
    static double times[READS];
    AUTO(segment_reader) reader = segment_reader_new();
    struct rand rand = {5};
    struct als_event event = {};
    for (int pass = 0; pass < (cold ? 1 : 2); pass++) {
        rand.state = 5;
        for (size_t i = 0; i < READS; i++) {
            uint32_t row = (uint32_t)rand_below(&rand, cold ? rows : rows / 20);
            double begin = now_s(CLOCK_MONOTONIC);
            must(segment_read(reader, segment, row, NULL, &event, &why), &why);
            times[i] = now_s(CLOCK_MONOTONIC) - begin;
        }
    }
    segment_reader_reset(reader);
    print_times(name, times, READS);
    (void)cache;
}

static struct segment *open_in(struct os_dir *dir, str name, struct segment_cache *cache)
{
    struct segment *segment = NULL;
    must(segment_open(os_posix(), dir, name, cache, &segment, &why), &why);
    return segment;
}

static void bench_reads(struct os_dir *dir, str name)
{
    struct segment_cache *large = segment_cache_new(UINT64_C(1) << 30);
    struct segment_cache *none = segment_cache_new(0);
    struct segment *segment = open_in(dir, name, none);
    uint64_t rows = segment_facts(segment)->rows;
    bench_rows(segment, "a row, nothing in the cache: p50", none, rows, true);
    segment_close(segment);
    segment = open_in(dir, name, large);
    bench_rows(segment, "a row, cache holds some: p50", large, rows, true);
    bench_rows(segment, "a row, its pages in the cache: p50", large, rows, false);
    bench_scan(segment, "scan, all fixed columns and names",
               SEGMENT_ALL & ~(SEGMENT_PAYLOAD | SEGMENT_METADATA));
    bench_scan(segment, "scan, position, entity, type, timestamp",
               SEGMENT_POSITION | SEGMENT_ENTITY | SEGMENT_TYPE | SEGMENT_TIMESTAMP);
    bench_scan(segment, "scan, all columns", SEGMENT_ALL);
    double begin = now_s(CLOCK_MONOTONIC);
    must(segment_verify(segment, NULL, NULL, &why), &why);
    printf("%-44s %8.2f M/s\n", "verify", (double)rows / (now_s(CLOCK_MONOTONIC) - begin) / 1e6);
    begin = now_s(CLOCK_MONOTONIC);
    struct segment *second = open_in(dir, name, large);
    printf("%-44s %8.1f us for %llu rows\n", "open", (now_s(CLOCK_MONOTONIC) - begin) * 1e6,
           (unsigned long long)rows);
    segment_close(second);
    segment_close(segment);
    segment_cache_free(none);
    segment_cache_free(large);
}

// ---- Kernels.

static void bench_kernels(const char *name, const struct bits_way *way)
{
    enum { COUNT = 4096, CALLS = 2000 };
    static uint64_t values[COUNT], decoded[COUNT + 64];
    static uint32_t numbers[COUNT], decoded_numbers[COUNT + 64];
    static uint8_t bytes[COUNT * 9 + 4096], number_bytes[COUNT * 5 + 4096];
    struct rand rand = {1};
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (i ? values[i - 1] : 0) + rand_below(&rand, 1 << 20);
        numbers[i] = (uint32_t)rand_below(&rand, 1000);
    }
    size_t size = delta_encode(values, COUNT, false, bytes);
    size_t number_size = runs_encode(numbers, COUNT, 10, number_bytes);
    double begin = now_s(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < CALLS; i++)
        (void)delta_decode(way, bytes, bytes + size, COUNT, decoded);
    double middle = now_s(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < CALLS; i++)
        (void)runs_decode(way, number_bytes, number_bytes + number_size, 10, COUNT,
                          decoded_numbers);
    double end = now_s(CLOCK_THREAD_CPUTIME_ID);
    printf("%-9s %-34s %8.0f M/s\n", name, "delta, 20 bits",
           COUNT * CALLS / (middle - begin) / 1e6);
    printf("%-9s %-34s %8.0f M/s\n", name, "dictionary numbers, 10 bits",
           COUNT * CALLS / (end - middle) / 1e6);
}

static void bench_crc(void)
{
    enum { SIZE = 1 << 20, CALLS = 200 };
    uint8_t *bytes = calloc(1, SIZE);
    volatile uint32_t keep_crc = 0;
    double begin = now_s(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < CALLS; i++)
        keep_crc = keep_crc + crc32_of(bytes, SIZE);
    double took = now_s(CLOCK_THREAD_CPUTIME_ID) - begin;
    printf("%-44s %8.1f GB/s\n", "CRC-32", (double)SIZE * CALLS / took / 1e9);
    free(bytes);
}

// ---- A file of events, a line each, as tools/flights.mjs makes them.

static str member(const struct json_member_walk *start, str wanted)
{
    struct json_member_walk walk = *start;
    struct json_pair pair;
    while (json_walk_next(&walk, &pair))
        if (str_equal(pair.key, wanted))
            return pair.value;
    return (str){};
}

static str unquoted(str text)
{
    return text.len < 2 ? text : (str){text.ptr + 1, text.len - 2};
}

struct version {
    uint64_t hash;
    als_version version;
};

static als_version next_version(struct version *versions, size_t count, str entity)
{
    uint64_t hash = hash_bytes(entity.ptr, entity.len, 1);
    size_t at = hash % count;
    while (versions[at].hash && versions[at].hash != hash)
        at = (at + 1) % count;
    versions[at].hash = hash;
    return ++versions[at].version;
}

static struct batch read_lines(const char *path)
{
    enum { EVENTS_MAX = 4000000, VERSIONS = 1 << 20 };
    struct batch batch = {calloc(EVENTS_MAX, sizeof(struct als_event)), 0, 0};
    struct version *versions = calloc(VERSIONS, sizeof *versions);
    FILE *file = fopen(path, "r");
    static char line[LINE_MAX_BYTES];
    struct rand rand = {1};
    if (!batch.events || !versions || !file)
        exit(1);
    while (batch.count < EVENTS_MAX && fgets(line, sizeof line, file)) {
        str text = str_trim(str_of(line));
        struct json_member_walk walk = json_walk(text);
        struct als_event *event = &batch.events[batch.count++];
        event->position = batch.count;
        event->entity = keep(unquoted(member(&walk, S("entity_id"))));
        event->type = keep(unquoted(member(&walk, S("event_type"))));
        event->payload = keep(member(&walk, S("payload")));
        event->version = next_version(versions, VERSIONS, event->entity);
        event->recorded_us = 1790000000000000 + (int64_t)(batch.count / 1000 * 20000);
        (void)time_parse(unquoted(member(&walk, S("timestamp"))), &event->timestamp_us);
        uint8_t random[10];
        for (size_t i = 0; i < sizeof random; i++)
            random[i] = (uint8_t)rand_next(&rand);
        event->id = uuid_v7(event->recorded_us, random);
        batch.bytes += text.len + 1;
    }
    fclose(file);
    free(versions);
    return batch;
}

static void bench_lines(struct os_dir *dir, const char *path)
{
    struct batch batch = read_lines(path);
    double cpu_s;
    struct segment_facts facts = seal(dir, S("lines"), &batch, &cpu_s);
    printf("%-44s %8.2f M/s, %.1f %% of %.1f B a line\n", "seal, lines of the file",
           (double)batch.count / cpu_s / 1e6, 100.0 * (double)facts.bytes / (double)batch.bytes,
           (double)batch.bytes / (double)batch.count);
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fprintf(stderr, "usage: segment_bench DIRECTORY [EVENTS [FILE.ndjson]]\n");
        return 2;
    }
    struct os *os = os_posix();
    struct os_dir *dir = NULL;
    must(os->dir_open(os, NULL, str_of(arguments[1]), true, &dir, &why), &why);
    size_t events = count > 2 ? (size_t)strtoull(arguments[2], NULL, 10) : 500000;
    struct batch batch = make_batch(events);
    bench_seal(dir, S("made"), &batch);
    bench_reads(dir, S("made"));
    bench_kernels("portable", &bits_portable);
    if (bits_best() != &bits_portable)
        bench_kernels("avx2", bits_best());
    bench_crc();
    if (count > 3)
        bench_lines(dir, arguments[3]);
    os->dir_close(dir);
    return 0;
}
