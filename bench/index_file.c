// SPDX-License-Identifier: Apache-2.0
// The index beside a sealed segment: building one, and looking things up in it.
#include "bench/bench.h"

#include "base/hash.h"
#include "index/index.h"
#include "os/os.h"

#include <stdio.h>
#include <stdlib.h>

static const uint8_t identity[16] = "of one segment";

enum { NAME_BYTES = 32, LOOKUPS = 1 << 16 };

// Spreads numbers, so that neighbours in time lie far apart in the file.
static uint64_t spread(uint64_t number)
{
    return hash_bytes(&number, sizeof number, 0);
}

static als_id id_of(uint64_t number)
{
    als_id id;
    store_le64(id.bytes, spread(number));
    store_le64(id.bytes + 8, number);
    return id;
}

static str name_of(char space[static NAME_BYTES], uint64_t number)
{
    return (str){space,
                 (size_t)snprintf(space, NAME_BYTES, "entity-%010llu", (unsigned long long)number)};
}

struct sample_file {
    struct os *os;
    struct os_dir *dir;
    uint64_t rows, entities;
    struct als_event *events;
    char (*names)[NAME_BYTES];
};

static struct sample_file sample_make(const char *path, uint64_t rows, uint64_t entities)
{
    struct sample_file sample = {.os = os_posix(), .rows = rows, .entities = entities};
    struct als_why why = {""};
    must(sample.os->dir_open(sample.os, NULL, str_of(path), false, &sample.dir, &why), &why, path);
    sample.events = calloc(rows, sizeof *sample.events);
    sample.names = calloc(entities, sizeof *sample.names);
    must_be(sample.events && sample.names, "malloc");
    static const str types[] = {S("order.placed"), S("order.paid"), S("order.sent"),
                                S("order.delivered")};
    for (uint64_t n = 0; n < entities; n++)
        (void)name_of(sample.names[n], n);
    for (uint64_t row = 0; row < rows; row++) {
        uint64_t entity = entities == rows ? row : spread(row) % entities;
        sample.events[row] = (struct als_event){.position = row + 1,
                                                .version = 1 + row / entities,
                                                .id = id_of(row),
                                                .entity = str_of(sample.names[entity]),
                                                .type = types[row % COUNT_OF(types)]};
    }
    return sample;
}

static void sample_end(struct sample_file *sample)
{
    sample->os->dir_close(sample->dir);
    free(sample->events);
    free(sample->names);
}

// Events a second, from the first row to the last byte written; the sync is the disk's.
static double build(const struct sample_file *sample)
{
    struct als_why why = {""};
    uint64_t start_ns = clock_ns();
    AUTO(index_builder) builder = index_builder_new(identity);
    must_be(builder != NULL, "malloc");
    for (uint64_t row = 0; row < sample->rows; row++)
        must(index_builder_add(builder, &sample->events[row], &why), &why, "index_builder_add");
    struct os *os = os_posix_unsynced();
    must(index_builder_write(builder, os, sample->dir, S("bench.idx"), &why), &why,
         "index_builder_write");
    return (double)sample->rows / clock_seconds_since(start_ns);
}

static void add_build(const struct bench *bench, const struct sample_file *sample, const char *name)
{
    struct row row = {.what = "gather the rows and write the file, not synced",
                      .unit = "events/s",
                      .better = BETTER_HIGHER,
                      .count = sample->rows,
                      .target = 3e6};
    snprintf(row.name, sizeof row.name, "index/build %s", name);
    struct samples samples = {.count = 0};
    struct als_why why = {""};
    for (size_t i = 0; i < bench_rounds(bench, 7); i++) {
        samples_add(&samples, build(sample));
        must(sample->os->dir_unlink(sample->dir, S("bench.idx"), &why), &why, "unlink");
    }
    table_add(bench->table, &row, &samples);
}

// One lookup of what `number` stands for; what is found is added up, so that nothing is left out.
typedef uint64_t looking(struct index_file *file, uint64_t number);

static uint64_t look_for_id(struct index_file *file, uint64_t number)
{
    uint32_t rows[4];
    size_t found = 0;
    struct als_why why = {""};
    must(index_file_find_id(file, id_of(number), rows, COUNT_OF(rows), &found, &why), &why,
         "index_file_find_id");
    return found;
}

static uint64_t look_for_entity(struct index_file *file, uint64_t number)
{
    char space[NAME_BYTES] = "entity-0000000000";
    for (char *digit = space + 16; number; number /= 10)
        *digit-- = (char)('0' + number % 10);
    struct index_rows rows;
    struct als_why why = {""};
    must(index_file_find(file, INDEX_ENTITY, (str){space, 17}, &rows, &why), &why,
         "index_file_find");
    return rows.count > 0;
}

struct lookups {
    const char *name, *what;
    looking *look;
    uint64_t first, count; // of the numbers to look for
    bool hit;
    double target;
};

static void add_lookups(const struct bench *bench, struct index_file *file,
                        const struct lookups *lookups)
{
    struct row row = {.what = lookups->what,
                      .unit = "ns",
                      .better = BETTER_LOWER,
                      .count = LOOKUPS,
                      .target = lookups->target};
    snprintf(row.name, sizeof row.name, "index/%s", lookups->name);
    struct samples samples = {.count = 0};
    must_be(lookups->count > 0, "something to look for");
    for (size_t i = 0; i < bench_rounds(bench, 15) + 1; i++) {
        uint64_t found = 0, start_ns = clock_ns();
        for (uint64_t n = 0; n < LOOKUPS; n++)
            found += lookups->look(file, lookups->first + spread(n) % lookups->count);
        double ns = clock_seconds_since(start_ns) * 1e9 / LOOKUPS;
        must_be(lookups->hit ? found >= LOOKUPS : found < LOOKUPS / 100, "what was looked for");
        if (i > 0) // the first one warms
            samples_add(&samples, ns);
    }
    table_add(bench->table, &row, &samples);
}

static void add_all_lookups(const struct bench *bench, const struct sample_file *sample)
{
    struct als_why why = {""};
    struct index_file *file = NULL;
    (void)build(sample); // its speed was measured before
    must(index_file_open(sample->os, sample->dir, S("bench.idx"), identity, &file, &why), &why,
         "index_file_open");
    const struct lookups all[] = {
        {"id hit", "find the row of an id", look_for_id, 0, sample->rows, true, 0},
        {"id miss", "find out that an id is not there", look_for_id, sample->rows, sample->rows,
         false, 100},
        {"entity hit", "find an entity", look_for_entity, 0, sample->entities, true, 0},
        {"entity miss", "find out that an entity is not there", look_for_entity, sample->entities,
         sample->entities, false, 100},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        add_lookups(bench, file, &all[i]);
    struct row row = {.name = "index/bytes",
                      .what = "the file's size a row",
                      .unit = "bytes",
                      .better = BETTER_LOWER};
    struct samples samples = {.count = 0};
    samples_add(&samples, (double)index_file_bytes(file) / (double)sample->rows);
    table_add(bench->table, &row, &samples);
    index_file_close(file);
    must(sample->os->dir_unlink(sample->dir, S("bench.idx"), &why), &why, "unlink");
}

void bench_index_file(const struct bench *bench)
{
    uint64_t rows = bench->quick ? 200000 : 1000000;
    char path[PATH_BYTES];
    directory_make(bench, path);
    struct sample_file sample = sample_make(path, rows, rows / 100);
    add_build(bench, &sample, "100 events an entity");
    add_all_lookups(bench, &sample);
    sample_end(&sample);
    sample = sample_make(path, rows, rows);
    add_build(bench, &sample, "1 event an entity");
    sample_end(&sample);
    directory_remove(path);
}
