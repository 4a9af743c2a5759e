// SPDX-License-Identifier: Apache-2.0
// A flow keeps up to in_flight_max appends unanswered. Its sender takes a credit for every a_credit
// appends beyond those; the answers give one for as many. So the sender sleeps where it is ahead,
// and wakes are few. As the flow knows its total, the last answer gives a credit, too; the sender
// takes every credit before it ends, so nothing touches the flow behind that.
#include "bench/workload.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_IN_FLIGHT_MAX = 16384, APPENDS_IN_FLIGHT_MAX = 512, CREDITS = 2 };

const struct shape shape_plain = {.entity = "entity-",
                                  .entities = 100,
                                  .type = "benchmark.event",
                                  .payload_before = "{\"index\":",
                                  .payload_after = ",\"data\":\"payload\"}"};
const struct shape shape_256 = {.entity = "entity-",
                                .entities = 100,
                                .type = "benchmark.event",
                                .payload_before = "{\"index\":",
                                .payload_after = "\"}",
                                .payload_bytes = 256};

// Ten fields of the kinds that events have: names, an amount, a choice, times, a list, an object.
const char shape_order_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,"
    "\"required\":[\"order\",\"customer\",\"currency\",\"total\",\"items\",\"number\"],"
    "\"properties\":{"
    "\"order\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64},"
    "\"customer\":{\"type\":\"string\",\"maxLength\":64},"
    "\"currency\":{\"enum\":[\"EUR\",\"CHF\",\"USD\"]},"
    "\"total\":{\"type\":\"number\",\"minimum\":0},"
    "\"paid\":{\"type\":\"boolean\"},"
    "\"placed_at\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"items\":{\"type\":\"array\",\"maxItems\":100,\"items\":{\"type\":\"string\"}},"
    "\"address\":{\"type\":\"object\",\"required\":[\"city\"],\"properties\":{"
    "\"city\":{\"type\":\"string\"},\"zip\":{\"type\":\"string\"}}},"
    "\"note\":{\"type\":[\"string\",\"null\"]},"
    "\"number\":{\"type\":\"integer\",\"minimum\":0}}}";

const struct shape shape_order = {
    .entity = "order-",
    .entities = 1000,
    .type = "order.placed",
    .payload_before = "{\"order\":\"A-2026-000417\",\"customer\":\"c-99120\",\"currency\":\"EUR\","
                      "\"total\":149.90,\"paid\":true,\"placed_at\":\"2026-11-23T19:49:39Z\","
                      "\"items\":[\"sku-1\",\"sku-2\",\"sku-3\"],"
                      "\"address\":{\"city\":\"Bern\",\"zip\":\"3000\"},\"note\":null,\"number\":",
    .payload_after = "}"};

static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
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

static char *put_filling(char *at, const char *from, size_t payload_bytes, size_t tail)
{
    static const char before[] = ",\"text\":\"";
    at = put_text(at, before);
    size_t len = (size_t)(at - from) + tail;
    assert(len <= payload_bytes);
    memset(at, 'x', payload_bytes - len);
    return at + (payload_bytes - len);
}

void draft_make(struct als_draft *draft, struct draft_text *text, const struct shape *shape,
                uint64_t number)
{
    *draft = (struct als_draft)ALS_DRAFT_INIT;
    if (shape->draw) {
        shape->draw(draft, text, number);
        return;
    }
    char *start = text->bytes;
    char *at = put_text(start, shape->entity);
    at = put_number(at, shape->entities ? number % shape->entities : number);
    draft->entity = (als_str){start, (size_t)(at - start)};
    start = at;
    at = put_text(at, shape->type);
    if (shape->types)
        at = put_number(at, number % shape->types);
    draft->type = (als_str){start, (size_t)(at - start)};
    start = at;
    at = put_number(put_text(at, shape->payload_before), number);
    if (shape->payload_bytes)
        at = put_filling(at, start, shape->payload_bytes, strlen(shape->payload_after));
    at = put_text(at, shape->payload_after);
    draft->payload = (als_str){start, (size_t)(at - start)};
}

// ---- A store to measure

void place_make(struct place *place, const struct bench *bench, enum kind kind)
{
    *place = (struct place){NULL, ""};
    if (kind == KIND_DURABLE)
        directory_make(bench, place->path);
}

void place_open_with(struct place *place, const struct als_options *options)
{
    struct als_why why = {""};
    const char *path = place->path[0] ? place->path : NULL;
    must(als_open(path, options, &place->als, &why), &why, "als_open");
}

void place_open(struct place *place)
{
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = place->path[0] ? ALS_DURABILITY_SYNC : ALS_DURABILITY_NONE;
    place_open_with(place, &options);
}

void place_close(struct place *place)
{
    als_close(place->als);
    place->als = NULL;
}

void place_remove(struct place *place)
{
    if (place->path[0])
        directory_remove(place->path);
}

// ---- Appending without waiting for each answer

void flow_init(struct flow *flow, struct als *als, uint64_t total, size_t batch)
{
    uint64_t most = EVENTS_IN_FLIGHT_MAX / batch;
    most = most > APPENDS_IN_FLIGHT_MAX ? APPENDS_IN_FLIGHT_MAX : most;
    *flow = (struct flow){
        .als = als, .total = total, .in_flight_max = most, .a_credit = most / CREDITS};
    must_be(sem_init(&flow->credits, 0, 0) == 0, "sem_init");
}

static void flow_answered(void *context, const struct als_outcome *outcome,
                          const struct als_appended *events)
{
    (void)events;
    struct flow *flow = context;
    uint64_t total = flow->total, a_credit = flow->a_credit;
    if (outcome->code != ALS_OK)
        atomic_store(&flow->failed, outcome->code);
    // Behind this the flow may be gone, unless there is a credit to give.
    uint64_t answered = atomic_fetch_add(&flow->answered, 1) + 1;
    if (answered % a_credit == 0 || answered == total)
        sem_post(&flow->credits);
}

static void flow_wait(struct flow *flow)
{
    while (sem_wait(&flow->credits) != 0)
        must_be(errno == EINTR, "sem_wait");
    flow->credits_taken++;
}

void flow_append(struct flow *flow, const struct als_draft *drafts, size_t count)
{
    if (flow->sent >= flow->in_flight_max && flow->sent % flow->a_credit == 0)
        flow_wait(flow);
    struct als_append append = ALS_APPEND_INIT;
    append.drafts = drafts;
    append.count = count;
    struct als_why why = {""};
    err code;
    while ((code = als_append(flow->als, &append, flow_answered, flow, NULL, &why)) ==
           ALS_QUEUE_FULL)
        sched_yield(); // other flows fill the queue; its writer is at work
    must(code, &why, "als_append");
    flow->sent++;
}

void flow_finish(struct flow *flow)
{
    assert(flow->sent == flow->total);
    while (flow->credits_taken < (flow->total + flow->a_credit - 1) / flow->a_credit)
        flow_wait(flow);
    sem_destroy(&flow->credits);
    struct als_why why = {"an append that was taken has failed"};
    must(atomic_load(&flow->failed), &why, "als_append");
}

static void append_single(struct als *als, const struct shape *shape, uint64_t first,
                          uint64_t count)
{
    struct flow flow;
    flow_init(&flow, als, count, 1);
    for (uint64_t i = first; i < first + count; i++) {
        struct als_draft draft;
        struct draft_text text;
        draft_make(&draft, &text, shape, i);
        flow_append(&flow, &draft, 1);
    }
    flow_finish(&flow);
}

void append_many(struct als *als, const struct shape *shape, uint64_t first, uint64_t count,
                 size_t batch)
{
    if (batch == 1) {
        append_single(als, shape, first, count);
        return;
    }
    struct als_draft *drafts = malloc(batch * sizeof *drafts);
    struct draft_text *texts = malloc(batch * sizeof *texts);
    must_be(drafts && texts, "malloc");
    struct flow flow;
    flow_init(&flow, als, (count + batch - 1) / batch, batch);
    for (uint64_t done = 0; done < count;) {
        size_t size = count - done < batch ? (size_t)(count - done) : batch;
        for (size_t i = 0; i < size; i++)
            draft_make(&drafts[i], &texts[i], shape, first + done + i);
        flow_append(&flow, drafts, size);
        done += size;
    }
    flow_finish(&flow);
    free(drafts);
    free(texts);
}
