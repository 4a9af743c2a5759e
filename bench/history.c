// SPDX-License-Identifier: Apache-2.0
// One store that grows: at each length it is opened some times, and asked how fast it takes more
// beside an empty store; at the greatest it is read, scanned, and its memory is watched.
#include "bench/history.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000, LENGTHS_MAX = 4, LOOK_MS = 20 };

const char history_rare[] = "history.rare";

// ---- Events

static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);
    return (char *)memcpy(at, text, len) + len;
}

static char *put_number(char *at, uint64_t number)
{
    char digits[20];
    size_t start = sizeof digits;
    do {
        digits[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    memcpy(at, digits + start, sizeof digits - start);
    return at + (sizeof digits - start);
}

static als_str numbered(const char *before, uint64_t number, char space[static HISTORY_NAME_BYTES])
{
    char *end = put_number(put_text(space, before), number);
    return (als_str){space, (size_t)(end - space)};
}

als_str life_name(uint64_t stretch, uint64_t number, char space[static HISTORY_NAME_BYTES])
{
    return numbered("life-", stretch * (LIFE_ENTITIES + 1) + number, space);
}

als_str long_name(uint64_t number, char space[static HISTORY_NAME_BYTES])
{
    return numbered("long-", number, space);
}

als_str history_type(uint64_t number, char space[static HISTORY_NAME_BYTES])
{
    return numbered("history.type_", number, space);
}

// The bits of a number's hash, a few at a time: no two payloads are alike, and they cost little.
struct dice {
    uint64_t bits;
};

static uint64_t roll(struct dice *dice, uint64_t sides)
{
    dice->bits = dice->bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (dice->bits >> 32) * sides >> 32;
}

// An order: some 256 bytes, half of them names of fields.
static char *put_order(char *at, uint64_t number)
{
    static const char *const cities[] = {"Bern",   "Lyon",  "Graz",   "Porto", "Ghent",  "Turin",
                                         "Malmo",  "Delft", "Krakow", "Leeds", "Galway", "Bonn",
                                         "Aarhus", "Basel", "Nantes", "Split"};
    static const char *const currencies[] = {"EUR", "CHF", "USD", "GBP"};
    struct dice dice = {(number + 1) * UINT64_C(0x9E3779B97F4A7C15)};
    at = put_number(put_text(at, "{\"order\":\"A-2026-"), 1000000 + number);
    at = put_number(put_text(at, "\",\"customer\":\"c-"), 10000 + roll(&dice, 90000));
    at = put_text(put_text(at, "\",\"currency\":\""), currencies[roll(&dice, 4)]);
    at = put_number(put_text(at, "\",\"total\":"), 1 + roll(&dice, 900));
    at = put_number(put_text(at, "."), 10 + roll(&dice, 90));
    at = put_text(put_text(at, ",\"paid\":"), roll(&dice, 2) ? "true" : "false");
    at = put_number(put_text(at, ",\"placed_at\":\"2026-11-23T19:"), 10 + roll(&dice, 50));
    at = put_number(put_text(at, ":"), 10 + roll(&dice, 50));
    at = put_text(at, "Z\",\"items\":[");
    for (int item = 0; item < 3; item++) {
        at = put_number(put_text(at, item ? ",{\"sku\":" : "{\"sku\":"), roll(&dice, 20000));
        at = put_text(put_number(put_text(at, ",\"pieces\":"), 1 + roll(&dice, 5)), "}");
    }
    at = put_text(put_text(at, "],\"address\":{\"city\":\""), cities[roll(&dice, 16)]);
    at = put_number(put_text(at, "\",\"zip\":\""), 1000 + roll(&dice, 9000));
    return put_text(at, "\"},\"note\":null}");
}

static void draw(struct als_draft *draft, struct draft_text *text, uint64_t number)
{
    uint64_t stretch = number / LIFE_STRETCH, place = number % (LIFE_ENTITIES + 1);
    char *at = text->bytes;
    draft->entity = place == LIFE_ENTITIES
                        ? long_name(number / (LIFE_ENTITIES + 1) % LONG_ENTITIES, at)
                        : life_name(stretch, place, at);
    at += HISTORY_NAME_BYTES;
    draft->type = number % RARE_EVERY == RARE_EVERY / 2 ? als_text(history_rare)
                                                        : history_type(number % HISTORY_TYPES, at);
    at += HISTORY_NAME_BYTES;
    draft->payload = (als_str){at, (size_t)(put_order(at, number) - at)};
}

const struct shape shape_history = {.draw = draw};

// ---- The store

#define NEVER_SEAL (UINT64_C(1) << 30) // not in a minute of appending

static void open_with(struct place *place, uint64_t seal_bytes)
{
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.seal_bytes = seal_bytes;
    options.no_auto_snapshot = true; // else the long entities are all due at once
    place_open_with(place, &options);
}

void history_open(struct place *place)
{
    open_with(place, 0); // as it is by default
}

static struct als_stats stats_of(struct als *als)
{
    struct als_stats stats;
    struct als_why why = {""};
    must(als_stats(als, (als_str){NULL, 0}, &stats, &why), &why, "als_stats");
    return stats;
}

// What is not sealed then is less than one file takes.
void history_settle(struct place *place)
{
    enum { AN_EVENT_BYTES = 300, SEAL_BYTES = 64 << 20 }; // at least; the default
    for (;;) {
        struct als_stats stats = stats_of(place->als);
        if ((stats.events - stats.sealed) * AN_EVENT_BYTES < SEAL_BYTES)
            return;
        nanosleep(&(struct timespec){0, LOOK_MS * 1000000}, NULL);
    }
}

void history_reopen(struct place *place)
{
    place_close(place);
    history_open(place);
}

void history_add_row(const struct bench *bench, struct row row, const char *name,
                     const struct samples *samples)
{
    snprintf(row.name, sizeof row.name, "history/%s", name);
    table_add(bench->table, &row, samples);
}

// ---- Growing

static const char *length_name(uint64_t events, char space[static 16])
{
    snprintf(space, 16, "%lluM", (unsigned long long)(events / 1000000));
    return space;
}

static double append_rate(struct als *als, uint64_t first, uint64_t count)
{
    uint64_t start_ns = clock_ns();
    append_many(als, &shape_history, first, count, BATCH);
    return (double)count / clock_seconds_since(start_ns);
}

static double rate_of_empty(const struct bench *bench, uint64_t count)
{
    struct place empty;
    place_make(&empty, bench, KIND_DURABLE);
    open_with(&empty, NEVER_SEAL);
    double rate = append_rate(empty.als, 0, count);
    place_close(&empty);
    place_remove(&empty);
    return rate;
}

// What is sealed is sealed afterwards: two runs that each meet another part of it say little.
static double rate_behind(struct place *place, uint64_t events, uint64_t count)
{
    place_close(place);
    open_with(place, NEVER_SEAL);
    double rate = append_rate(place->als, events, count);
    history_reopen(place);
    history_settle(place);
    return rate;
}

// How fast the long store takes more, over how fast an empty one does, in turns; and that over the
// same of the shortest, `first`: what the machine does meanwhile cancels out.
static void add_ingest(const struct bench *bench, struct place *place, uint64_t *events,
                       struct samples *first)
{
    const uint64_t count = bench->quick ? 200000 : 400000;
    char length[16], name[48];
    struct samples ratios = {.count = 0}, rates = {.count = 0};
    length_name(*events, length);
    for (size_t i = 0; i < bench_rounds(bench, 5); i++) {
        double before = i % 2 ? 0 : rate_of_empty(bench, count);
        double rate = rate_behind(place, *events, count);
        double alone = i % 2 ? rate_of_empty(bench, count) : before;
        *events += count;
        samples_add(&ratios, rate / alone);
        samples_add(&rates, rate);
    }
    struct row row = {.what = "make and append events behind so many, sealing waits",
                      .unit = "events/s",
                      .count = count,
                      .better = BETTER_HIGHER};
    snprintf(name, sizeof name, "ingest behind %s", length);
    history_add_row(bench, row, name, &rates);
    row.what = "the same over what an empty store takes, in turns";
    row.unit = "ratio";
    snprintf(name, sizeof name, "ingest behind %s of empty", length);
    history_add_row(bench, row, name, &ratios);
    if (first->count == 0) {
        *first = ratios;
        return;
    }
    double shortest = samples_median(*first);
    for (size_t i = 0; i < ratios.count; i++)
        ratios.values[i] /= shortest;
    row.what = "that over the same behind 1M";
    row.target = 0.95;
    snprintf(name, sizeof name, "ingest behind %s of 1M", length);
    history_add_row(bench, row, name, &ratios);
}

static void add_opening(const struct bench *bench, struct place *place, uint64_t events)
{
    char length[16], name[48];
    struct samples samples = {.count = 0};
    for (size_t i = 0; i < bench_rounds(bench, 7); i++) {
        place_close(place);
        uint64_t start_ns = clock_ns();
        history_open(place);
        samples_add(&samples, clock_seconds_since(start_ns) * 1e3);
    }
    struct als_stats stats = stats_of(place->als);
    must_be(stats.events == events, "the number of events");
    struct row row = {.what = "open it: the manifest, and the events that are not sealed",
                      .unit = "ms",
                      .count = events,
                      .better = BETTER_LOWER,
                      .target = 500};
    snprintf(name, sizeof name, "open %s", length_name(events, length));
    history_add_row(bench, row, name, &samples);
    samples = (struct samples){.count = 0};
    samples_add(&samples, (double)(stats.events - stats.sealed));
    row = (struct row){.what = "those of them that are not sealed", .unit = "events"};
    snprintf(name, sizeof name, "open %s, its tail", length);
    history_add_row(bench, row, name, &samples);
}

void bench_history(const struct bench *bench)
{
    static const uint64_t lengths[LENGTHS_MAX] = {1000000, 10000000, 30000000, 100000000};
    struct place place;
    struct samples first = {.count = 0};
    uint64_t events = 0;
    place_make(&place, bench, KIND_DURABLE);
    history_open(&place);
    for (size_t i = 0; i < LENGTHS_MAX && lengths[i] <= bench->events; i++) {
        append_many(place.als, &shape_history, events, lengths[i] - events, BATCH);
        history_settle(&place);
        events = lengths[i];
        add_opening(bench, &place, events);
        if (lengths[i] == bench->events || i + 1 == LENGTHS_MAX) {
            history_add_reads(bench, &place, events);
            history_add_scans(bench, &place, events);
        }
        add_ingest(bench, &place, &events, &first);
    }
    place_close(&place);
    history_add_memory(bench, &place, events);
    place_remove(&place);
}
