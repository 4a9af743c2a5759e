// SPDX-License-Identifier: Apache-2.0
// Reading in process. Every event that a query finds is copied out, texts and all, into memory of
// the caller's, for 0.6 was measured handing out copies.
#include "bench/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPIES_MAX = 4096, BATCH = 1000 };

// What a caller keeps of a query's result.
struct copies {
    struct als_event *events;
    size_t count;
    struct buf text;
};

static als_str copy_text(struct copies *copies, als_str text)
{
    char *at = copies->text.ptr + copies->text.len;
    memcpy(at, text.ptr, text.len);
    copies->text.len += text.len;
    return (als_str){at, text.len};
}

// The room was made before, for texts must not move; what does not fit ends the bench.
static void copy_event(struct copies *copies, const struct als_event *event)
{
    size_t size = event->tenant.len + event->entity.len + event->type.len + event->payload.len +
                  event->metadata.len;
    must_be(copies->count < COPIES_MAX && size <= copies->text.capacity - copies->text.len,
            "room for the result");
    struct als_event *copy = &copies->events[copies->count++];
    *copy = *event;
    copy->tenant = copy_text(copies, event->tenant);
    copy->entity = copy_text(copies, event->entity);
    copy->type = copy_text(copies, event->type);
    copy->payload = copy_text(copies, event->payload);
    if (event->metadata.len)
        copy->metadata = copy_text(copies, event->metadata);
}

static void copies_init(struct copies *copies)
{
    enum { TEXT_BYTES = 4 << 20 };
    copies->events = calloc(COPIES_MAX, sizeof *copies->events);
    buf_init(&copies->text, TEXT_BYTES);
    must_be(copies->events && buf_room(&copies->text, TEXT_BYTES), "malloc");
}

static void copies_deinit(struct copies *copies)
{
    free(copies->events);
    buf_deinit(&copies->text);
}

// ---- Timing

// What is asked again and again.
struct question {
    struct als *als;
    struct copies *copies;
    struct als_query query;
    struct als_state_query state;
    size_t expected; // events, so that nothing is timed that did not happen
};
typedef void asking(const struct question *question);

static void ask_query(const struct question *question)
{
    struct als_why why = {""};
    struct als_cursor *cursor;
    must(als_query_open(question->als, &question->query, &cursor, &why), &why, "als_query_open");
    question->copies->count = 0;
    question->copies->text.len = 0;
    struct als_event event;
    for (;;) {
        must(als_cursor_next(cursor, &event, &why), &why, "als_cursor_next");
        if (event.position == 0)
            break;
        copy_event(question->copies, &event);
    }
    als_cursor_close(cursor);
    must_be(question->copies->count == question->expected, "the number of events found");
}

static void ask_state(const struct question *question)
{
    struct als_why why = {""};
    struct als_state *state;
    must(als_state_open(question->als, &question->state, &state, &why), &why, "als_state_open");
    struct als_state_view view = als_state_view(state);
    must_be(view.event_count == question->expected, "the number of events folded");
    must_be(view.json.len <= question->copies->text.capacity, "room for the state");
    memcpy(question->copies->text.ptr, view.json.ptr, view.json.len);
    als_state_close(state);
}

// Microseconds a call; a sample is as many calls as take `sample_ns`.
static void add_question(const struct bench *bench, struct row row, asking *ask,
                         const struct question *question)
{
    uint64_t sample_ns = bench->quick ? 5000000 : 50000000;
    row.unit = "µs";
    row.better = BETTER_LOWER;
    row.count = question->expected;
    struct samples samples = {.count = 0};
    ask(question); // caches warm
    for (size_t i = 0; i < bench_rounds(bench, 15); i++) {
        uint64_t start_ns = clock_ns(), calls = 0;
        for (; clock_ns() - start_ns < sample_ns; calls += 4)
            for (int again = 0; again < 4; again++)
                ask(question);
        samples_add(&samples, clock_seconds_since(start_ns) * 1e6 / (double)calls);
    }
    table_add(bench->table, &row, &samples);
}

static struct question query_of(struct als *als, struct copies *copies, size_t expected)
{
    struct question question = {.als = als,
                                .copies = copies,
                                .query = ALS_QUERY_INIT,
                                .state = ALS_STATE_QUERY_INIT,
                                .expected = expected};
    return question;
}

// ---- The stores

static struct place store_of(const struct bench *bench, const struct shape *shape, uint64_t count)
{
    struct place place;
    place_make(&place, bench, KIND_MEMORY);
    place_open(&place);
    append_many(place.als, shape, 0, count, BATCH);
    return place;
}

// An entity of 100 events, and the first 100 of a type that all events have.
static void add_queries(const struct bench *bench, struct copies *copies, uint64_t count)
{
    struct shape shape = {.entity = "entity-",
                          .entities = count / 100,
                          .type = "query.test",
                          .payload_before = "{\"value\":",
                          .payload_after = "}"};
    struct place place = store_of(bench, &shape, count);
    const char *size = count == 10000 ? "10K" : "1M";
    bool published = count == 10000;
    struct row row = {.what = "fetch all 100 events of an entity, copied out",
                      .target = 3,
                      .reference = published ? 14.1 : 0};
    snprintf(row.name, sizeof row.name, "reads/entity 100 of %s", size);
    struct question question = query_of(place.als, copies, 100);
    question.query.entity = als_text("entity-42");
    add_question(bench, row, ask_query, &question);

    als_str type = als_text("query.test");
    row = (struct row){.what = "fetch the first 100 events of the one type, copied out",
                       .target = 10,
                       .reference = published ? 6500 : 0};
    snprintf(row.name, sizeof row.name, "reads/type limit 100 of %s", size);
    question = query_of(place.als, copies, 100);
    question.query.types = &type;
    question.query.type_count = 1;
    question.query.limit = 100;
    add_question(bench, row, ask_query, &question);
    place_close(&place);
}

// 10,000 events of 100 entities and ten types.
static void add_lookups(const struct bench *bench, struct copies *copies)
{
    struct shape shape = {.entity = "entity-",
                          .entities = 100,
                          .type = "event.type.",
                          .types = 10,
                          .payload_before = "{\"value\":",
                          .payload_after = "}"};
    struct place place = store_of(bench, &shape, 10000);
    struct row row = {.name = "reads/index entity", .reference = 20};
    row.what = "fetch the 100 events of an entity, copied out";
    struct question question = query_of(place.als, copies, 100);
    question.query.entity = als_text("entity-42");
    add_question(bench, row, ask_query, &question);

    row = (struct row){.name = "reads/index type", .reference = 190};
    row.what = "fetch all 1,000 events of a type, copied out";
    als_str type = als_text("event.type.5");
    question = query_of(place.als, copies, 1000);
    question.query.types = &type;
    question.query.type_count = 1;
    add_question(bench, row, ask_query, &question);
    place_close(&place);
}

static void add_states(const struct bench *bench, struct copies *copies)
{
    struct shape shape = {.entity = "entity-",
                          .entities = 1,
                          .type = "state.update",
                          .payload_before = "{\"value\":",
                          .payload_after = ",\"timestamp\":1760000000000000}"};
    struct place place = store_of(bench, &shape, 1000);
    struct question question = query_of(place.als, copies, 1000);
    question.state.entity = als_text("entity-0");
    struct row row = {.name = "reads/state of 1000", .reference = 824};
    row.what = "fold 1,000 events (0.6: without its snapshots; 3.2 with)";
    add_question(bench, row, ask_state, &question);

    row = (struct row){.name = "reads/state at 500 of 1000", .reference = 4.4};
    row.what = "fold the first 500 of 1,000 events (0.6: from a snapshot)";
    question.expected = 500;
    question.state.as_of = 500;
    add_question(bench, row, ask_state, &question);
    place_close(&place);
}

void bench_reads(const struct bench *bench)
{
    struct copies copies;
    copies_init(&copies);
    add_queries(bench, &copies, 10000);
    if (!bench->quick)
        add_queries(bench, &copies, 1000000);
    add_lookups(bench, &copies);
    add_states(bench, &copies);
    copies_deinit(&copies);
}
