// SPDX-License-Identifier: Apache-2.0
// Durable appends that wait for their answer, by one thread and by 64, in rounds that alternate
// with the device's own writes: a disk shared with others changes its rate by the minute, and only
// neighbours in time may be compared.
#include "bench/latency.h"
#include "bench/workload.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DEVICE_BYTES = 16 << 20, WRITE_BYTES = 400, CLIENTS_MOST = 64 };

// ---- The device

void device_open(struct device *device, const struct bench *bench)
{
    static const char zeros[1 << 16];
    snprintf(device->path, sizeof device->path, "%s/device", bench->directory);
    device->descriptor = open(device->path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    device->offset = 0;
    must_be(device->descriptor >= 0, device->path);
    must_be(posix_fallocate(device->descriptor, 0, DEVICE_BYTES) == 0, device->path);
    for (off_t at = 0; at < DEVICE_BYTES; at += (off_t)sizeof zeros)
        must_be(pwrite(device->descriptor, zeros, sizeof zeros, at) == sizeof zeros, device->path);
    must_be(fsync(device->descriptor) == 0, device->path);
}

void device_close(struct device *device)
{
    must_be(close(device->descriptor) == 0 && unlink(device->path) == 0, device->path);
}

void device_run(struct device *device, double seconds, struct latencies *latencies)
{
    char block[WRITE_BYTES];
    memset(block, 'x', sizeof block);
    for (uint64_t start_ns = clock_ns(); clock_seconds_since(start_ns) < seconds;) {
        uint64_t write_ns = clock_ns();
        must_be(pwrite(device->descriptor, block, sizeof block, (off_t)device->offset) ==
                        sizeof block &&
                    fdatasync(device->descriptor) == 0,
                device->path);
        latencies_add(latencies, clock_ns() - write_ns);
        device->offset = (device->offset + sizeof block) % (DEVICE_BYTES - sizeof block);
    }
}

// ---- Summaries

void summary_add(struct summary *summary, struct latencies *latencies, double seconds)
{
    latencies_sort(latencies);
    samples_add(&summary->rate, (double)latencies->count / seconds);
    samples_add(&summary->p50, latencies_us(latencies, 0.5));
    samples_add(&summary->p99, latencies_us(latencies, 0.99));
    samples_add(&summary->p999, latencies_us(latencies, 0.999));
    summary->count += latencies->count;
    latencies->count = 0;
}

void summary_rows(const struct bench *bench, const struct summary *summary, const char *name,
                  const char *what, double rate_target)
{
    const struct {
        const char *name;
        const struct samples *samples;
    } percentiles[] = {{"p50", &summary->p50}, {"p99", &summary->p99}, {"p99.9", &summary->p999}};
    struct row row = {.what = what,
                      .unit = "/s",
                      .count = summary->count,
                      .better = BETTER_HIGHER,
                      .target = rate_target};
    snprintf(row.name, sizeof row.name, "%s/rate", name);
    table_add(bench->table, &row, &summary->rate);
    row.unit = "µs";
    row.better = BETTER_LOWER;
    row.target = 0;
    for (size_t i = 0; i < COUNT_OF(percentiles); i++) {
        snprintf(row.name, sizeof row.name, "%s/%s", name, percentiles[i].name);
        table_add(bench->table, &row, percentiles[i].samples);
    }
}

// ---- Clients that wait

struct client {
    pthread_t thread;
    struct als *als;
    uint64_t number, deadline_ns;
    struct latencies latencies;
};

static void *client_run(void *context)
{
    struct client *client = context;
    while (clock_ns() < client->deadline_ns) {
        struct als_draft draft;
        struct draft_text text;
        draft_make(&draft, &text, &shape_256, client->number++);
        struct als_append append = ALS_APPEND_INIT;
        append.drafts = &draft;
        append.count = 1;
        struct als_outcome outcome;
        uint64_t start_ns = clock_ns();
        must(als_append_wait(client->als, &append, NULL, &outcome), &outcome.why, "als_append");
        latencies_add(&client->latencies, clock_ns() - start_ns);
    }
    return NULL;
}

static void clients_run(struct als *als, size_t count, double seconds, struct latencies *latencies)
{
    static struct client clients[CLIENTS_MOST];
    uint64_t deadline_ns = clock_ns() + (uint64_t)(seconds * 1e9);
    for (size_t i = 0; i < count; i++) {
        clients[i] = (struct client){.als = als, .number = i, .deadline_ns = deadline_ns};
        must_be(pthread_create(&clients[i].thread, NULL, client_run, &clients[i]) == 0, "a thread");
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(clients[i].thread, NULL);
        for (size_t at = 0; at < clients[i].latencies.count; at++)
            latencies_add(latencies, clients[i].latencies.ns[at]);
        latencies_deinit(&clients[i].latencies);
    }
}

static void add_ratio(const struct bench *bench, const struct summary *one,
                      const struct summary *device)
{
    struct row row = {.name = "latency/1 client/of device",
                      .what = "appends/s over the device's own synced writes/s, round by round",
                      .unit = "ratio",
                      .better = BETTER_HIGHER,
                      .target = 0.8};
    struct samples ratios = {.count = 0};
    for (size_t i = 0; i < one->rate.count; i++)
        samples_add(&ratios, one->rate.values[i] / device->rate.values[i]);
    table_add(bench->table, &row, &ratios);
}

// What 0.6 was measured with as "WAL sync": a hundred appends in turn, with opening and closing.
static void add_hundred(const struct bench *bench)
{
    struct row row = {.name = "latency/100 in turn",
                      .what = "open, 100 durable appends one after the other, close",
                      .unit = "ms",
                      .count = 100,
                      .better = BETTER_LOWER,
                      .reference = 13.9};
    struct samples samples = {.count = 0};
    for (size_t i = 0; i < bench_rounds(bench, 11); i++) {
        struct place place;
        place_make(&place, bench, KIND_DURABLE);
        uint64_t start_ns = clock_ns();
        place_open(&place);
        for (uint64_t number = 0; number < 100; number++)
            append_many(place.als, &shape_plain, number * 100, 1, 1);
        place_close(&place);
        samples_add(&samples, clock_seconds_since(start_ns) * 1e3);
        place_remove(&place);
    }
    table_add(bench->table, &row, &samples);
}

void bench_latency(const struct bench *bench)
{
    double seconds = bench->quick ? 0.2 : 1;
    struct latencies latencies = {0};
    struct summary by_device = {0}, by_one = {0}, by_many = {0};
    struct device device;
    struct place place;
    device_open(&device, bench);
    place_make(&place, bench, KIND_DURABLE);
    place_open(&place);
    clients_run(place.als, 1, seconds / 4, &latencies); // makes the tenant and its first file
    latencies.count = 0;
    for (size_t i = 0; i < bench_rounds(bench, 9); i++) {
        device_run(&device, seconds, &latencies);
        summary_add(&by_device, &latencies, seconds);
        clients_run(place.als, 1, seconds, &latencies);
        summary_add(&by_one, &latencies, seconds);
        clients_run(place.als, CLIENTS_MOST, seconds, &latencies);
        summary_add(&by_many, &latencies, seconds);
    }
    latencies_deinit(&latencies);
    place_close(&place);
    place_remove(&place);
    device_close(&device);
    summary_rows(bench, &by_device, "latency/device", "pwrite of 400 bytes and fdatasync", 0);
    summary_rows(bench, &by_one, "latency/1 client", "a durable append, awaited, 256 B payload", 0);
    add_ratio(bench, &by_one, &by_device);
    summary_rows(bench, &by_many, "latency/64 clients",
                 "the same by 64 threads at once: what one of them waits", 0);
    add_hundred(bench);
}
