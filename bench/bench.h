// SPDX-License-Identifier: Apache-2.0
// What the groups of allsource-bench share: the run's options, clocks, and giving up.
//
// A group measures one kind of thing and adds its rows to the table. Nothing here recovers from an
// error: a bench that could not do what it was to time has no figures to show, so it ends.
#pragma once

#include "base/err.h"
#include "bench/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench {
    struct table *table;
    bool quick;            // small sizes, few rounds
    uint64_t events;       // of the longest history
    const char *directory; // on the disk that is to be measured; exists, and is the run's own
    const char *server;    // path of allsourced; NULL: leave the groups over HTTP out
};

void bench_ingest(const struct bench *bench);  // in process: appending, as the clients of 0.6 did
void bench_schemas(const struct bench *bench); // in process: what checking payloads costs
void bench_reads(const struct bench *bench);   // in process: queries and states
void bench_latency(const struct bench *bench); // durable appends beside the device's own syncs
void bench_http(const struct bench *bench);    // over HTTP, against a server that it starts
void bench_index_file(const struct bench *bench); // the index beside a sealed segment
void bench_space(const struct bench *bench);      // bytes an event takes, in memory and on the disk
void bench_analytics(const struct bench *bench);  // over sealed history, and pairs of one entity
void bench_snapshots(const struct bench *bench);  // states with snapshots and without
void bench_sealing(const struct bench *bench);    // appending while sealing goes on
void bench_history(const struct bench *bench);    // a long history that is sealed
void bench_compaction(const struct bench *bench); // merging sealed files
void bench_http_schemas(const struct bench *bench); // the same with payloads that are checked

static inline size_t bench_rounds(const struct bench *bench, size_t full)
{
    return bench->quick ? 3 : full;
}

uint64_t clock_ns(void); // monotonic
double clock_seconds_since(uint64_t start_ns);

void must(err code, const struct als_why *why, const char *what);
void must_be(bool held, const char *what); // says errno

// Puts the path of a new directory within the run's own into `path`.
enum { PATH_BYTES = 512 };
void directory_make(const struct bench *bench, char path[static PATH_BYTES]);
void directory_remove(const char *path); // with all that is in it
