// SPDX-License-Identifier: Apache-2.0
// For tests: events drawn from a seed, and segments of them on a simulated disk.
#pragma once

#include "base/rand.h"
#include "segment/format.h"
#include "segment/segment.h"
#include "sim.h"
#include "test.h"

#include <stdlib.h>

// What kind of events; sums of these.
enum {
    MADE_SPARSE = 1,        // positions have gaps
    MADE_NO_METADATA = 2,   // no row has any
    MADE_MANY_ENTITIES = 4, // a row an entity: no dictionary
    MADE_LONG_TEXTS = 8,    // some payloads are longer than a page
    MADE_EXTREME = 16,      // numbers of all 64 bits
    MADE_SHORT_NAMES = 32,  // an empty name among them
};

struct made {
    unsigned kind;
    struct rand rand;
    uint64_t count;
    struct als_event event;
    char entity[ENTITY_BYTES_MAX], type[TYPE_BYTES_MAX], metadata[200], payload[60000];
};

static inline str made_text(struct made *made, char *space, size_t len)
{
    for (size_t i = 0; i < len; i++)
        space[i] = "abcdefgh \"{}:,01"[rand_below(&made->rand, 16)];
    return (str){space, len};
}

static inline struct made *made_new(uint64_t seed, unsigned kind)
{
    struct made *made = calloc(1, sizeof *made);
    CHECK(made);
    made->rand.state = seed;
    made->kind = kind;
    return made;
}

// The next event; its slices live until the call after it.
static inline const struct als_event *made_next(struct made *made)
{
    struct als_event *event = &made->event;
    struct rand *rand = &made->rand;
    uint64_t row = made->count++;
    unsigned kind = made->kind;
    event->position += 1 + (kind & MADE_SPARSE ? rand_below(rand, 3) : 0);
    event->version = kind & MADE_EXTREME ? rand_next(rand) : 1 + rand_below(rand, 5);
    event->timestamp_us = kind & MADE_EXTREME
                              ? (int64_t)rand_next(rand)
                              : 1700000000000000 + (int64_t)rand_below(rand, 1000000000);
    event->recorded_us = 1700000000000000 + (int64_t)(row / 10 * 1000);
    event->schema_version = kind & MADE_EXTREME ? (uint32_t)rand_next(rand) : 3;
    for (size_t i = 0; i < sizeof event->id.bytes; i++)
        event->id.bytes[i] = (uint8_t)rand_next(rand);
    uint64_t entity = kind & MADE_MANY_ENTITIES ? row : rand_below(rand, 40);
    int len =
        snprintf(made->entity, sizeof made->entity, "entity-%llu", (unsigned long long)entity);
    event->entity = (str){made->entity, (size_t)len};
    if (kind & MADE_SHORT_NAMES)
        event->entity = made_text(made, made->entity, rand_below(rand, 3));
    len = snprintf(made->type, sizeof made->type, "type.%u", (unsigned)rand_below(rand, 3));
    event->type = (str){made->type, (size_t)len};
    bool longer = kind & MADE_LONG_TEXTS && rand_below(rand, 20) == 0;
    event->payload = made_text(made, made->payload, rand_below(rand, longer ? 60000 : 150));
    bool none = kind & MADE_NO_METADATA || rand_below(rand, 3) == 0;
    event->metadata = none ? (str){} : made_text(made, made->metadata, 1 + rand_below(rand, 199));
    return event;
}

static inline void made_check_equal(const struct als_event *want, const struct als_event *got)
{
    CHECK_EQUAL(want->position, got->position);
    CHECK_EQUAL(want->version, got->version);
    CHECK_EQUAL(want->timestamp_us, got->timestamp_us);
    CHECK_EQUAL(want->recorded_us, got->recorded_us);
    CHECK_EQUAL(want->schema_version, got->schema_version);
    CHECK(memcmp(&want->id, &got->id, sizeof want->id) == 0);
    CHECK_STR(want->entity, got->entity);
    CHECK_STR(want->type, got->type);
    CHECK_STR(want->payload, got->payload);
    CHECK_STR(want->metadata, got->metadata);
}

// A machine with one directory that holds the file "s".
struct made_disk {
    struct sim *sim;
    struct os *os;
    struct os_dir *dir;
    struct segment_cache *cache;
    struct segment_facts facts;
};

static inline struct made_disk made_disk_new(uint64_t seed)
{
    struct made_disk disk = {.sim = sim_new(seed), .cache = segment_cache_new(MIB(8))};
    disk.os = sim_os(disk.sim);
    CHECK_OK(disk.os->dir_open(disk.os, NULL, S("segments"), true, &disk.dir, NULL));
    CHECK(disk.cache);
    return disk;
}

static inline void made_disk_end(struct made_disk *disk)
{
    segment_cache_free(disk->cache);
    disk->os->dir_close(disk->dir);
    sim_free(disk->sim);
}

static inline void made_write(struct made_disk *disk, uint64_t seed, unsigned kind, uint64_t rows)
{
    struct segment_write_options options = {.tenant = S("default"), .generation = 7};
    AUTO(segment_writer) writer = NULL;
    CHECK_OK(segment_writer_open(disk->os, disk->dir, S("s"), options, &writer, NULL));
    struct made *made = made_new(seed, kind);
    for (uint64_t i = 0; i < rows; i++)
        CHECK_OK(segment_writer_add(writer, made_next(made), NULL));
    CHECK_OK(segment_writer_finish(writer, &disk->facts, NULL));
    disk->facts.tenant = options.tenant;
    free(made);
}

static inline struct segment *made_open(struct made_disk *disk)
{
    struct segment *segment = NULL;
    struct als_why why = {""};
    err code = segment_open(disk->os, disk->dir, S("s"), disk->cache, &segment, &why);
    if (code != ALS_OK)
        fprintf(stderr, "    %s\n", why.text);
    CHECK_OK(code);
    return segment;
}

// The bytes of the file, and a file of other bytes in its place.
static inline str made_bytes(struct made_disk *disk)
{
    struct os_file *file = NULL;
    CHECK_OK(disk->os->file_open(disk->dir, S("s"), OS_READ, &file, NULL));
    uint64_t size = 0;
    size_t got = 0;
    CHECK_OK(disk->os->file_size(file, &size, NULL));
    char *bytes = malloc(size ? size : 1);
    CHECK(bytes);
    CHECK_OK(disk->os->file_read(file, 0, bytes, size, &got, NULL));
    disk->os->file_close(file);
    CHECK_EQUAL(size, got);
    return (str){bytes, got};
}

static inline void made_replace(struct made_disk *disk, str bytes)
{
    struct os_file *file = NULL;
    CHECK_OK(disk->os->file_open(disk->dir, S("s"), OS_CREATE_OPEN, &file, NULL));
    CHECK_OK(disk->os->file_truncate(file, 0, NULL));
    CHECK_OK(os_write_one(disk->os, file, 0, bytes, NULL));
    disk->os->file_close(file);
}

// Row i of the block, as an event.
static inline struct als_event event_of(const struct segment_block *block, uint32_t i)
{
    CHECK(block->entities[i] < block->entity_count && block->types[i] < block->type_count);
    return (struct als_event){
        .position = block->positions[i],
        .version = block->versions[i],
        .id = block->ids[i],
        .timestamp_us = block->timestamps_us[i],
        .recorded_us = block->recorded_us[i],
        .schema_version = block->schema_versions[i],
        .entity = block->entity_names[block->entities[i]],
        .type = block->type_names[block->types[i]],
        .payload = block->payloads[i],
        .metadata = block->metadatas[i],
    };
}
