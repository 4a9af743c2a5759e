// SPDX-License-Identifier: Apache-2.0
// Every plan against the same loop over an array: whatever path is taken, the answer is that of
// looking at each event.
#include "query/query.h"

#include "base/rand.h"
#include "event/event.h"
#include "os/os.h"
#include "sim.h"
#include "test.h"

#include <stdlib.h>

enum { EVENTS = 400, ENTITIES = 7, TYPES = 5 };

static const char *const types[TYPES] = {"order.paid", "order.placed", "orders", "user.seen", "x"};
static const char *const patterns[] = {"order.*", "order*", "x",       "user.seen", "orders",
                                       "*",       "no*",    "nothing", "order.paid"};

struct model_event {
    int entity, type;
    int64_t timestamp_us;
};

struct world {
    struct sim *sim;
    struct os_dir *dir;
    struct store *store;
    struct model_event events[EVENTS];
};

static void done(struct append *append)
{
    (void)append;
}

static str entity_name(int entity, char space[static 16])
{
    return (str){space, (size_t)snprintf(space, 16, "entity-%d", entity)};
}

static void append_one(struct world *world, struct rand *rand, int i)
{
    struct model_event *event = &world->events[i];
    *event = (struct model_event){.entity = (int)rand_below(rand, ENTITIES),
                                  .type = (int)rand_below(rand, TYPES),
                                  .timestamp_us = (int64_t)rand_below(rand, 100)};
    char space[16];
    struct record_draft draft = {.entity = entity_name(event->entity, space),
                                 .type = str_of(types[event->type]),
                                 .id = {{(uint8_t)i, (uint8_t)(i >> 8), 1}},
                                 .timestamp_us = event->timestamp_us};
    uint8_t bytes[256];
    memset(bytes, 0, BATCH_HEAD_BYTES);
    uint8_t *record = bytes + BATCH_HEAD_BYTES;
    uint8_t *at = record_begin(record, BATCH_HEAD_BYTES, &draft);
    memcpy(at, "{}", 2);
    record_payload_done(record, 2);
    uint32_t size = BATCH_HEAD_BYTES + record_finish(record, 0, 0);
    struct append_event append_event = {.offset = BATCH_HEAD_BYTES,
                                        .has_timestamp = true,
                                        .expected_version = STORE_ANY_VERSION,
                                        .entity_hash = store_hash_name(world->store, draft.entity),
                                        .type_hash = store_hash_name(world->store, draft.type),
                                        .id_hash = store_hash_id(world->store, draft.id)};
    struct append append = {.events = &append_event, .count = 1, .done = done};
    buf_init(&append.bytes, 1024);
    buf_put(&append.bytes, bytes, size);
    bool first;
    CHECK_OK(store_post(world->store, &append, &first, NULL));
    CHECK(store_turn(world->store));
    CHECK_OK(append.code);
    buf_deinit(&append.bytes);
}

// With parts of `seal_events`, of which all but the last `hot` are sealed; 0: all is in one.
static void world_init(struct world *world, uint64_t seed, uint64_t seal_events, int hot)
{
    struct rand rand = {seed};
    world->sim = sim_new(seed);
    struct os *os = sim_os(world->sim);
    struct store_options options = {
        .tenant = S("default"), .wal_file_bytes = 1 << 20, .seal_events = seal_events};
    struct store_report report;
    CHECK_OK(os->dir_open(os, NULL, S("data"), true, &world->dir, NULL));
    CHECK_OK(store_open(os, world->dir, options, &report, &world->store, NULL));
    for (int i = 0; i < EVENTS; i++)
        append_one(world, &rand, i);
    bool sealed = seal_events > 0;
    for (int left = seal_events ? EVENTS / (int)seal_events - hot : 0; left > 0 && sealed; left--)
        CHECK_OK(store_seal(world->store, &sealed, NULL));
}

static void world_deinit(struct world *world)
{
    store_close(world->store);
    sim_os(world->sim)->dir_close(world->dir);
    sim_free(world->sim);
}

static bool wanted(const struct world *world, const struct query *query, int i)
{
    const struct model_event *event = &world->events[i];
    char space[16];
    als_position position = (als_position)i + 1;
    bool type = query->type_count == 0;
    for (size_t k = 0; k < query->type_count; k++)
        type |= type_matches(query->types[k], str_of(types[event->type]));
    return type && position > query->after && position <= query->up_to &&
           event->timestamp_us >= query->since_us && event->timestamp_us <= query->until_us &&
           (!query->by_entity || str_equal(query->entity, entity_name(event->entity, space))) &&
           (!query->by_id ||
            (query->id.bytes[0] == (uint8_t)i && query->id.bytes[1] == (uint8_t)(i >> 8)));
}

static void compare(struct world *world, const struct query *query, struct results *results)
{
    CHECK_OK(results_open(results, world->store, query, NULL));
    uint64_t skip = query->offset, left = query->limit;
    for (int k = 0; k < EVENTS && left; k++) {
        int i = query->descending ? EVENTS - 1 - k : k;
        if (!wanted(world, query, i) || (skip && skip--))
            continue;
        struct als_event event;
        CHECK_OK(results_next(results, &event, NULL));
        CHECK_EQUAL(i + 1, event.position);
        left--;
    }
    struct als_event end;
    CHECK_OK(results_next(results, &end, NULL));
    CHECK_EQUAL(0, end.position);
    results_close(results);
}

static struct query draw(struct rand *rand, char entity[static 16], str chosen[static 3])
{
    struct query query = {.since_us = INT64_MIN,
                          .until_us = INT64_MAX,
                          .up_to = UINT64_MAX,
                          .limit = UINT64_MAX,
                          .descending = rand_below(rand, 2)};
    if (rand_below(rand, 2)) {
        query.by_entity = true;
        query.entity = entity_name((int)rand_below(rand, ENTITIES + 1), entity);
    }
    query.type_count = rand_below(rand, 4);
    query.types = chosen;
    for (size_t i = 0; i < query.type_count; i++)
        chosen[i] = str_of(patterns[rand_below(rand, COUNT_OF(patterns))]);
    if (rand_below(rand, 8) == 0) {
        query.by_id = true;
        query.id = (als_id){{(uint8_t)rand_below(rand, 256), (uint8_t)rand_below(rand, 2), 1}};
    }
    if (rand_below(rand, 3) == 0)
        query.since_us = (int64_t)rand_below(rand, 100);
    if (rand_below(rand, 3) == 0)
        query.until_us = (int64_t)rand_below(rand, 100);
    if (rand_below(rand, 3) == 0)
        query.after = rand_below(rand, EVENTS + 10);
    if (rand_below(rand, 3) == 0)
        query.up_to = rand_below(rand, EVENTS + 10);
    if (rand_below(rand, 3) == 0)
        query.offset = rand_below(rand, 20);
    if (rand_below(rand, 3) == 0)
        query.limit = rand_below(rand, 20);
    return query;
}

static void compare_plans(uint64_t seal_events, int hot)
{
    static struct world world;
    world_init(&world, 1, seal_events, hot);
    AUTO(results) results = results_new();
    FOR_EACH_SEED(seed, 5000) {
        struct rand rand = {seed};
        char entity[16];
        str chosen[3];
        struct query query = draw(&rand, entity, chosen);
        compare(&world, &query, results);
    }
    world_deinit(&world);
}

TEST(every_plan_gives_what_looking_at_each_event_gives)
{
    compare_plans(0, 0);
}

TEST(every_plan_gives_the_same_over_history_that_is_sealed_in_part)
{
    compare_plans(37, 3);
}

TEST(a_query_takes_the_narrowest_path)
{
    static struct world world;
    world_init(&world, 2, 0, 0);
    AUTO(results) results = results_new();
    str type = S("x");
    struct query query = {.until_us = INT64_MAX, .up_to = UINT64_MAX, .limit = 1};
    CHECK_OK(results_open(results, world.store, &query, NULL));
    CHECK_EQUAL(CURSOR_SCAN, results_path(results));
    results_close(results);
    query.types = &type;
    query.type_count = 1;
    CHECK_OK(results_open(results, world.store, &query, NULL));
    CHECK_EQUAL(CURSOR_TYPE, results_path(results));
    results_close(results);
    query.by_entity = true;
    query.entity = S("entity-1");
    CHECK_OK(results_open(results, world.store, &query, NULL));
    CHECK_EQUAL(CURSOR_ENTITY, results_path(results));
    results_close(results);
    query.by_id = true;
    CHECK_OK(results_open(results, world.store, &query, NULL));
    CHECK_EQUAL(CURSOR_ID, results_path(results));
    results_close(results);
    world_deinit(&world);
}
