// SPDX-License-Identifier: Apache-2.0
// For tests: a store on a simulated disk that is sealed piece by piece, what was appended to it,
// and whether a view sees exactly that.
#pragma once

#include "base/rand.h"
#include "event/event.h"
#include "os/os.h"
#include "sim.h"
#include "store/store.h"
#include "test.h"

#include <stdlib.h>

enum { ENTITIES = 40, TYPES = 6, EVENTS_MAX = 5000, PAYLOAD_MAX = 1024 };

struct world {
    struct sim *sim;
    struct os *os;
    struct os_dir *dir;
    struct store *store;
    struct store_report report;
    struct rand rand;
    struct segment_cache *cache; // the store's; NULL: its own
    bool varied;                 // one event in eight is some hundred bytes long
    uint32_t count;
    uint32_t entities[EVENTS_MAX], types[EVENTS_MAX]; // of each event
};

static inline void done(struct append *append)
{
    (void)append;
}

static inline str numbered(const char *kind, uint64_t number, char space[static 32])
{
    return (str){space, (size_t)snprintf(space, 32, "%s-%llu", kind, (unsigned long long)number)};
}

static inline als_id id_of(uint64_t position)
{
    als_id id = {{7}};
    memcpy(id.bytes + 8, &position, sizeof position);
    return id;
}

static inline size_t payload_of(const struct world *world, uint64_t id, char space[PAYLOAD_MAX])
{
    int fill = world->varied && id % 8 == 0 ? (int)(id % 800) + 1 : 1;
    return (size_t)snprintf(space, PAYLOAD_MAX, "{\"id\":%llu,\"f\":\"%0*d\"}",
                            (unsigned long long)id, fill, 7);
}

static inline void world_open(struct world *world, uint64_t seal_events)
{
    struct store_options options = {.tenant = S("default"),
                                    .wal_file_bytes = KIB(4),
                                    .seal_events = seal_events,
                                    .cache = world->cache};
    CHECK_OK(world->os->dir_open(world->os, NULL, S("data"), true, &world->dir, NULL));
    CHECK_OK(store_open(world->os, world->dir, options, &world->report, &world->store, NULL));
}

static inline void world_close(struct world *world)
{
    store_close(world->store);
    world->store = NULL;
    world->os->dir_close(world->dir);
}

static inline struct world *world_new(uint64_t seal_events)
{
    struct world *world = calloc(1, sizeof *world);
    CHECK(world);
    world->sim = sim_new(1);
    world->os = sim_os(world->sim);
    world->rand = (struct rand){1};
    world_open(world, seal_events);
    return world;
}

static inline void world_free(struct world *world)
{
    if (world->store)
        world_close(world);
    sim_free(world->sim);
    free(world);
}
AUTO_WITH(world, world_free)

struct draft {
    uint64_t entity, type, id;
    int64_t expected_version;
    const struct append_condition *condition;
};

// Appends one event in a turn of its own; the outcome is in `ret_append` but for its bytes.
static inline err append(struct world *world, const struct draft *draft, struct append *ret_append)
{
    char entity[32], type[32], payload[PAYLOAD_MAX];
    struct record_draft record_draft = {.entity = numbered("entity", draft->entity, entity),
                                        .type = numbered("type", draft->type, type),
                                        .id = id_of(draft->id)};
    size_t len = payload_of(world, draft->id, payload);
    static struct append_event event;
    event = (struct append_event){.offset = BATCH_HEAD_BYTES,
                                  .has_id = true,
                                  .expected_version = draft->expected_version,
                                  .entity_hash = store_hash_name(world->store, record_draft.entity),
                                  .type_hash = store_hash_name(world->store, record_draft.type),
                                  .id_hash = store_hash_id(world->store, record_draft.id)};
    *ret_append = (struct append){.events = &event,
                                  .count = 1,
                                  .conditions = draft->condition,
                                  .condition_count = draft->condition ? 1 : 0,
                                  .done = done};
    struct buf *bytes = &ret_append->bytes;
    static const uint8_t head[BATCH_HEAD_BYTES];
    buf_init(bytes, KIB(4));
    buf_put(bytes, head, sizeof head);
    uint8_t *record = (uint8_t *)buf_room(bytes, record_size_max(&record_draft, sizeof payload, 0));
    memcpy(record_begin(record, BATCH_HEAD_BYTES, &record_draft), payload, len);
    record_payload_done(record, len);
    buf_grew(bytes, record_finish(record, 0, 0));
    bool first;
    CHECK_OK(store_post(world->store, ret_append, &first, NULL));
    CHECK(store_turn(world->store));
    buf_deinit(bytes);
    return ret_append->code;
}

static inline void append_some(struct world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK(world->count < EVENTS_MAX);
        uint32_t at = world->count++;
        world->entities[at] = (uint32_t)rand_below(&world->rand, ENTITIES);
        world->types[at] = (uint32_t)rand_below(&world->rand, TYPES);
        struct draft draft = {.entity = world->entities[at],
                              .type = world->types[at],
                              .id = at + 1,
                              .expected_version = STORE_ANY_VERSION};
        struct append answer;
        CHECK_OK(append(world, &draft, &answer));
        CHECK_EQUAL(at + 1, answer.first);
    }
}

static inline uint32_t seal_all(struct world *world)
{
    uint32_t count = 0;
    bool sealed;
    do {
        CHECK_OK(store_seal(world->store, &sealed, NULL));
        count += sealed;
    } while (sealed);
    return count;
}

static inline uint64_t version_of(const struct world *world, uint32_t count, uint32_t entity)
{
    uint64_t version = 0;
    for (uint32_t i = 0; i < count; i++)
        version += world->entities[i] == entity;
    return version;
}

// ---- What readers see

static inline void check_names(struct world *world, struct view view, enum store_names_of of)
{
    enum { ROOM = 64 };
    struct store_name names[ROOM];
    const uint32_t *numbers = of == STORE_ENTITIES ? world->entities : world->types;
    const char *kind = of == STORE_ENTITIES ? "entity" : "type";
    uint64_t total = 0;
    size_t found;
    CHECK_OK(view_names(view, of, S(""), S(""), names, ROOM, &found, NULL));
    for (size_t i = 0; i < found; i++) {
        uint64_t count = 0, last = 0;
        char space[32];
        for (uint32_t k = 0; k < view.position; k++)
            if (str_equal(names[i].name, numbered(kind, numbers[k], space)))
                count++, last = k + 1;
        CHECK_EQUAL(count, names[i].count);
        CHECK_EQUAL(last, names[i].last);
        CHECK(i == 0 || str_compare(names[i - 1].name, names[i].name) < 0);
        total += count;
        if (i + 1 == found)
            continue;
        struct store_name next;
        size_t one;
        CHECK_OK(view_names(view, of, S(""), names[i].name, &next, 1, &one, NULL));
        CHECK(one == 1 && str_equal(next.name, names[i + 1].name));
    }
    CHECK_EQUAL(view.position, total);
}

static inline void check_event(const struct world *world, const struct als_event *event)
{
    char entity[32], type[32], payload[PAYLOAD_MAX];
    uint32_t at = (uint32_t)event->position - 1;
    size_t len = payload_of(world, event->position, payload);
    CHECK_STR(numbered("entity", world->entities[at], entity), event->entity);
    CHECK_STR(numbered("type", world->types[at], type), event->type);
    CHECK_STR(((str){payload, len}), event->payload);
    CHECK_STR(S("default"), event->tenant);
    CHECK_EQUAL(version_of(world, at + 1, world->entities[at]), event->version);
}

static inline void check_view(struct world *world, struct view view)
{
    AUTO(cursor) cursor = cursor_new();
    struct als_event event;
    CHECK_OK(cursor_over_all(cursor, view, (struct cursor_bounds){.up_to = UINT64_MAX}, NULL));
    for (als_position at = 1; at <= view.position; at++) {
        CHECK_OK(cursor_next(cursor, &event, NULL));
        CHECK_EQUAL(at, event.position);
        check_event(world, &event);
    }
    CHECK_OK(cursor_next(cursor, &event, NULL));
    CHECK_EQUAL(0, event.position);
    for (uint32_t entity = 0; entity < ENTITIES; entity++) {
        char space[32];
        als_version version;
        CHECK_OK(view_version(view, numbered("entity", entity, space), &version, NULL));
        CHECK_EQUAL(version_of(world, (uint32_t)view.position, entity), version);
    }
    check_names(world, view, STORE_ENTITIES);
    check_names(world, view, STORE_TYPES);
}

// All that was appended is there, and nothing else.
static inline void check_now(struct world *world)
{
    struct view view = view_pin(world->store);
    CHECK_EQUAL(world->count, view.position);
    check_view(world, view);
    view_unpin(view);
}

struct names {
    char names[64][SEGMENT_NAME_MAX + 1];
    size_t count;
};

static inline bool keep_name(void *context, const struct os_entry *entry)
{
    struct names *names = context;
    CHECK(names->count < COUNT_OF(names->names) && entry->name.len <= SEGMENT_NAME_MAX);
    snprintf(names->names[names->count++], sizeof names->names[0], "%.*s", STR(entry->name));
    return true;
}

static inline struct names segment_files(struct world *world, struct os_dir **ret_dir)
{
    struct names names = {.count = 0};
    struct os_dir *dir;
    CHECK_OK(world->os->dir_open(world->os, NULL, S("data"), false, &dir, NULL));
    CHECK_OK(world->os->dir_open(world->os, dir, S("segments"), false, ret_dir, NULL));
    world->os->dir_close(dir);
    CHECK_OK(world->os->dir_list(*ret_dir, keep_name, &names, NULL));
    return names;
}

static inline size_t count_files(struct world *world)
{
    struct os_dir *dir;
    size_t count = segment_files(world, &dir).count;
    world->os->dir_close(dir);
    return count;
}

// A disk that does not keep what it was given: when a file that has no name of its own yet is
// opened to be read back, one of its bits has flipped. One at a time.
struct rot {
    struct sim *sim;
    struct rand rand;
    uint32_t flips;
    err (*file_open)(struct os_dir *dir, str name, enum os_open how, struct os_file **ret_file,
                     struct als_why *why);
};
static struct rot rot;

static err rot_and_open(struct os_dir *dir, str name, enum os_open how, struct os_file **ret_file,
                        struct als_why *why)
{
    bool rots = how == OS_READ && str_ends(name, S(".new"));
    while (rots) {
        str found;
        uint64_t bit = rand_below(&rot.rand, sim_bits(rot.sim));
        sim_flip(rot.sim, bit, &found);
        if (str_equal(found, name))
            break;
        sim_flip(rot.sim, bit, NULL);
    }
    rot.flips += rots;
    return rot.file_open(dir, name, how, ret_file, why);
}

static inline void rot_begin(struct world *world, uint64_t seed)
{
    rot = (struct rot){.sim = world->sim, .rand = {seed}, .file_open = world->os->file_open};
    world->os->file_open = rot_and_open;
}

static inline uint32_t rot_end(struct world *world)
{
    world->os->file_open = rot.file_open;
    return rot.flips;
}
