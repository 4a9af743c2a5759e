// SPDX-License-Identifier: Apache-2.0
// The store under power cuts: random appends with versions, ids and conditions, several to a turn,
// sealed, merged and thinned now and then, against a model that is an array of events and loops.
// Whatever survives a crash must be the first so many batches of the model, whole, at least all
// that were answered, with every index right.
#include "base/limits.h"
#include "base/rand.h"
#include "crash.h"
#include "event/event.h"
#include "store/store.h"
#include "test.h"

#include <stdlib.h>

enum { EVENTS_MAX = 400, TURN_MAX = 4, BATCH_MAX = 4, ENTITIES = 3, TYPES = 2, PAYLOAD_MAX = 300 };

struct model_event {
    uint32_t salt; // what it says is drawn from it
    uint32_t entity, type, batch;
    bool has_id;
    bool may_go, gone; // retention was asked to remove it; did
    int64_t recorded_us;
};

struct model {
    struct model_event events[EVENTS_MAX];
    uint32_t acknowledged, tried; // how many of them
    uint32_t batches, salt;
    uint32_t seal_events; // of one segment
};

// ---- What an event says.

static str name_of(char kind, uint32_t number, char space[static 8])
{
    return (str){space, (size_t)snprintf(space, 8, "%c%u", kind, number)};
}

static als_id id_of(uint32_t salt)
{
    als_id id = {{0x11, 0x22, 0, 0, 0, 0, 0x70}};
    memcpy(id.bytes + 10, &salt, sizeof salt);
    return id;
}

static str payload_of(uint32_t salt, char space[static PAYLOAD_MAX + 32])
{
    struct rand rand = {salt};
    int fill = (int)rand_below(&rand, PAYLOAD_MAX);
    int len = snprintf(space, PAYLOAD_MAX + 32, "{\"n\":%u,\"f\":\"%0*d\"}", salt, fill, 7);
    return (str){space, (size_t)len};
}

static uint32_t version_of(const struct model *model, uint32_t count, uint32_t entity)
{
    uint32_t version = 0;
    for (uint32_t i = 0; i < count; i++)
        version += model->events[i].entity == entity;
    return version;
}

// ---- An append, encoded as the engine would.

struct post {
    struct append append; // first
    struct append_event events[BATCH_MAX];
    struct append_condition condition;
    char entity_space[8], type_space[8];
    bool answered;
    err expected; // what the model says; ALS_OK
    bool duplicate;
};

static void answered(struct append *append)
{
    ((struct post *)append)->answered = true;
}

static void post_init(struct post *post)
{
    *post = (struct post){.append = {.done = answered, .events = post->events}};
    buf_init(&post->append.bytes, 1 << 20);
    static const uint8_t head[BATCH_HEAD_BYTES];
    buf_put(&post->append.bytes, head, sizeof head);
}

static void post_add(struct post *post, const struct store *store, const struct model_event *event,
                     int64_t expected_version)
{
    char entity[8], type[8], payload_space[PAYLOAD_MAX + 32];
    struct buf *bytes = &post->append.bytes;
    struct record_draft draft = {.entity = name_of('e', event->entity, entity),
                                 .type = name_of('t', event->type, type),
                                 .id = id_of(event->salt),
                                 .timestamp_us = event->salt};
    str payload = payload_of(event->salt, payload_space);
    uint8_t *record = (uint8_t *)buf_room(bytes, record_size_max(&draft, payload.len, 0));
    uint8_t *at = record_begin(record, (uint32_t)bytes->len, &draft);
    memcpy(at, payload.ptr, payload.len);
    record_payload_done(record, payload.len);
    post->events[post->append.count++] =
        (struct append_event){.offset = (uint32_t)bytes->len,
                              .has_id = event->has_id,
                              .has_timestamp = true,
                              .expected_version = expected_version,
                              .entity_hash = store_hash_name(store, draft.entity),
                              .type_hash = store_hash_name(store, draft.type),
                              .id_hash = store_hash_id(store, draft.id)};
    buf_grew(bytes, record_finish(record, 0, 0));
}

// ---- Comparing.

static err same_event(struct model *model, uint32_t i, const struct als_event *found,
                      int64_t *recorded_us, struct als_why *why)
{
    const struct model_event *wanted = &model->events[i];
    char entity[8], type[8], payload[PAYLOAD_MAX + 32];
    if (found->position != i + 1 ||
        !str_equal(found->entity, name_of('e', wanted->entity, entity)) ||
        !str_equal(found->type, name_of('t', wanted->type, type)) ||
        !str_equal(found->payload, payload_of(wanted->salt, payload)) ||
        found->version != version_of(model, i + 1, wanted->entity) ||
        found->timestamp_us != wanted->salt)
        return FAIL(why, ALS_INTERNAL, "event %u is not what was appended", i + 1);
    if (found->recorded_us < *recorded_us)
        return FAIL(why, ALS_INTERNAL, "recorded_at of event %u goes back", i + 1);
    *recorded_us = found->recorded_us;
    return ALS_OK;
}

// Every index gives what the model has, for the first `count` events.
static err same_indexes(struct model *model, struct view view, struct cursor *cursor,
                        struct als_why *why)
{
    uint32_t count = (uint32_t)view.position;
    struct als_event event;
    char space[8];
    als_version version;
    for (uint32_t entity = 0; entity < ENTITIES; entity++) {
        uint32_t found = 0;
        TRY(cursor_over_entity(cursor, view, name_of('e', entity, space),
                               (struct cursor_bounds){.up_to = count}, why));
        for (;; found++) {
            TRY(cursor_next(cursor, &event, why));
            if (event.position == 0)
                break;
            if (model->events[event.position - 1].entity != entity)
                return FAIL(why, ALS_INTERNAL, "position %u is not of entity %u",
                            (uint32_t)event.position, entity);
        }
        for (uint32_t i = 0; i < count; i++)
            found += model->events[i].gone && model->events[i].entity == entity;
        if (found != version_of(model, count, entity))
            return FAIL(why, ALS_INTERNAL, "entity %u has %u events", entity, found);
        TRY(view_version(view, name_of('e', entity, space), &version, why));
        if (version != found)
            return FAIL(why, ALS_INTERNAL, "entity %u has version %u", entity, (uint32_t)version);
    }
    for (uint32_t i = 0; i < count; i++) {
        TRY(cursor_over_id(cursor, view, id_of(model->events[i].salt),
                           (struct cursor_bounds){.up_to = count}, why));
        TRY(cursor_next(cursor, &event, why));
        if (event.position != (model->events[i].gone ? 0 : i + 1))
            return FAIL(why, ALS_INTERNAL, "the id of event %u leads elsewhere", i + 1);
    }
    return ALS_OK;
}

static err same_events(struct model *model, struct view view, struct cursor *cursor,
                       struct als_why *why)
{
    int64_t recorded_us = INT64_MIN;
    struct als_event event;
    TRY(cursor_over_all(cursor, view, (struct cursor_bounds){.up_to = UINT64_MAX}, why));
    TRY(cursor_next(cursor, &event, why));
    for (uint32_t i = 0; i < view.position; i++) {
        struct model_event *wanted = &model->events[i];
        wanted->gone = wanted->may_go && event.position != i + 1;
        if (wanted->gone)
            continue;
        TRY(same_event(model, i, &event, &recorded_us, why));
        wanted->recorded_us = recorded_us;
        TRY(cursor_next(cursor, &event, why));
    }
    return event.position == 0 ? ALS_OK : FAIL(why, ALS_INTERNAL, "there are too many events");
}

static uint32_t distinct(const struct model *model, uint32_t count, bool types)
{
    bool seen[ENTITIES + TYPES + 1] = {false};
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = types ? model->events[i].type : model->events[i].entity;
        found += !seen[number];
        seen[number] = true;
    }
    return found;
}

static err same_counts(const struct model *model, struct store *store, uint32_t count,
                       struct als_why *why)
{
    struct store_stat stat = store_stat(store);
    uint32_t entities = distinct(model, count, false), types = distinct(model, count, true);
    uint32_t gone = 0;
    for (uint32_t i = 0; i < count; i++)
        gone += model->events[i].gone;
    if (stat.removed != gone || stat.events != count - gone)
        return FAIL(why, ALS_INTERNAL, "%u events are gone, %u were counted", gone,
                    (uint32_t)stat.removed);
    if (stat.entities != entities || stat.types != types)
        return FAIL(why, ALS_INTERNAL, "%u entities and %u types, counted were %u and %u", entities,
                    types, (uint32_t)stat.entities, (uint32_t)stat.types);
    return ALS_OK;
}

static err same_store(struct model *model, struct store *store, struct cursor *cursor,
                      struct als_why *why)
{
    struct view view = view_pin(store);
    uint32_t found = (uint32_t)view.position;
    err code = ALS_OK;
    if (found < model->acknowledged || found > model->tried)
        code = FAIL(why, ALS_INTERNAL, "%u events acknowledged, %u tried, %u found",
                    model->acknowledged, model->tried, found);
    else if (found && found < model->tried &&
             model->events[found - 1].batch == model->events[found].batch)
        code = FAIL(why, ALS_INTERNAL, "half a batch: it ends at %u", found);
    if (code == ALS_OK)
        code = same_events(model, view, cursor, why);
    if (code == ALS_OK)
        code = same_indexes(model, view, cursor, why);
    if (code == ALS_OK)
        code = same_counts(model, store, found, why);
    cursor_reset(cursor);
    view_unpin(view);
    return code;
}

struct opened {
    struct os *os;
    struct os_dir *dir;
    struct store *store;
    struct cursor *cursor;
};

static void opened_close(struct opened *opened)
{
    cursor_free(opened->cursor);
    store_close(opened->store);
    if (opened->dir)
        opened->os->dir_close(opened->dir);
    *opened = (struct opened){};
}

static err model_open(struct model *model, struct sim *sim, struct opened *opened,
                      struct als_why *why)
{
    *opened = (struct opened){.os = sim_os(sim), .cursor = cursor_new()};
    struct store_options options = {.tenant = S("default"),
                                    .wal_file_bytes = WAL_FILE_BYTES_MIN,
                                    .seal_events = model->seal_events};
    struct store_report report;
    err code = opened->os->dir_open(opened->os, NULL, S("data"), true, &opened->dir, why);
    if (code == ALS_OK)
        code = store_open(opened->os, opened->dir, options, &report, &opened->store, why);
    if (code == ALS_OK)
        code = same_store(model, opened->store, opened->cursor, why);
    if (code != ALS_OK)
        opened_close(opened);
    return code;
}

// ---- The workload.

struct work {
    struct model *model;
    struct sim *sim;
    struct rand rand;
    struct opened opened;
    struct post posts[TURN_MAX];
};

static void draw_event(struct work *work, struct model_event *event)
{
    *event = (struct model_event){.salt = ++work->model->salt,
                                  .entity = (uint32_t)rand_below(&work->rand, ENTITIES),
                                  .type = (uint32_t)rand_below(&work->rand, TYPES),
                                  .batch = work->model->batches,
                                  .has_id = rand_below(&work->rand, 2) == 0};
}

// Repeats an event that has an id, with the same content or another.
static void draw_repetition(struct work *work, struct post *post)
{
    struct model *model = work->model;
    uint32_t i = (uint32_t)rand_below(&work->rand, model->tried + 1);
    while (i < model->tried && (!model->events[i].has_id || model->events[i].gone))
        i++;
    if (i >= model->tried)
        return;
    struct model_event again = model->events[i];
    bool other = rand_below(&work->rand, 3) == 0;
    again.type = other ? again.type + 1 : again.type;
    post_add(post, work->opened.store, &again, 0); // its version was 0 at the most
    post->duplicate = !other;
    post->expected = other ? ALS_ID_CONFLICT : ALS_OK;
}

// That no event of an entity, of a type, of both, or none at all lies behind a position. Returns
// whether one of the first `count` does.
static bool draw_condition(struct work *work, struct post *post, uint32_t count)
{
    struct append_condition *condition = &post->condition;
    bool by_entity = rand_below(&work->rand, 2), by_type = rand_below(&work->rand, 2);
    uint32_t entity = (uint32_t)rand_below(&work->rand, ENTITIES);
    uint32_t type = (uint32_t)rand_below(&work->rand, TYPES);
    condition->after = rand_below(&work->rand, 2) ? count : rand_below(&work->rand, count + 1);
    condition->entity = by_entity ? name_of('e', entity, post->entity_space) : (str){NULL, 0};
    condition->type = by_type ? name_of('t', type, post->type_space) : (str){NULL, 0};
    post->append.conditions = condition;
    post->append.condition_count = 1;
    bool violated = false;
    for (uint32_t i = (uint32_t)condition->after; i < count; i++) {
        const struct model_event *event = &work->model->events[i];
        violated |= !event->gone && (!by_entity || event->entity == entity) &&
                    (!by_type || event->type == type);
    }
    return violated;
}

// Some demand a version, right or wrong; the model moves on when it will be accepted.
static void draw_batch(struct work *work, struct post *post)
{
    struct model *model = work->model;
    uint32_t count = 1 + (uint32_t)rand_below(&work->rand, BATCH_MAX), before = model->tried;
    model->batches++;
    for (uint32_t i = 0; i < count; i++) {
        struct model_event *event = &model->events[model->tried];
        draw_event(work, event);
        int64_t expected = STORE_ANY_VERSION;
        if (i == 0 && rand_below(&work->rand, 2) == 0) {
            expected = version_of(model, model->tried, event->entity);
            if (rand_below(&work->rand, 4) == 0)
                post->expected = ALS_VERSION_CONFLICT, expected++;
        }
        post_add(post, work->opened.store, event, expected);
        model->tried++;
    }
    if (rand_below(&work->rand, 4) == 0) {
        bool violated = draw_condition(work, post, before);
        post->expected = violated ? ALS_CONDITION_FAILED : post->expected;
    }
    if (post->expected != ALS_OK)
        model->tried = before;
}

static err check_answers(struct work *work, uint32_t count, uint32_t before, struct als_why *why)
{
    struct model *model = work->model;
    err turn = ALS_OK;
    for (uint32_t i = 0; i < count; i++) {
        struct post *post = &work->posts[i];
        err code = post->append.code;
        if (!post->answered)
            return FAIL(why, ALS_INTERNAL, "an append was not answered");
        if (code == ALS_STORAGE_FULL || code == ALS_STORAGE_FAILED || code == ALS_NO_MEMORY ||
            code == ALS_STORAGE)
            turn = code;
        else if (code != post->expected || (code == ALS_OK && //
                                            post->append.duplicate != post->duplicate))
            return FAIL(why, ALS_INTERNAL, "answered %s, the model says %s: %.100s", err_code(code),
                        err_code(post->expected), post->append.why.text);
    }
    if (turn == ALS_OK)
        model->acknowledged = model->tried;
    else if (turn != ALS_STORAGE_FAILED)
        model->tried = before; // refused for certain
    return turn;
}

static err take_turn(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    uint32_t before = model->tried, count = 1 + (uint32_t)rand_below(&work->rand, TURN_MAX);
    uint32_t posted = 0;
    for (uint32_t i = 0; i < count && model->tried + BATCH_MAX < EVENTS_MAX; i++) {
        struct post *post = &work->posts[posted];
        post_init(post);
        if (rand_below(&work->rand, 5) == 0)
            draw_repetition(work, post);
        else
            draw_batch(work, post);
        bool first;
        err code = post->append.count ? store_post(work->opened.store, &post->append, &first, why)
                                      : ALS_FENCED;
        if (code == ALS_STORAGE_FAILED)
            model->tried = before;
        if (code == ALS_OK)
            posted++;
        else
            buf_deinit(&post->append.bytes);
    }
    while (store_turn(work->opened.store))
        continue;
    err code = check_answers(work, posted, before, why);
    for (uint32_t i = 0; i < posted; i++)
        buf_deinit(&work->posts[i].append.bytes);
    return code;
}

// What was closed first becomes a segment, if it can; and readers see what they saw.
static err seal(struct work *work, struct als_why *why)
{
    bool sealed;
    err code = store_seal(work->opened.store, &sealed, why);
    if (code == ALS_CORRUPT)
        return code;
    TRY(same_store(work->model, work->opened.store, work->opened.cursor, why));
    return code;
}

// Indexes are made anew while nobody has the store open. A fault of the disk may keep them from it.
static err rebuild(struct work *work, struct als_why *why)
{
    struct os *os = sim_os(work->sim);
    struct os_dir *dir = NULL;
    struct store_rebuilt rebuilt = {.segments = 0};
    struct als_why reason = {""};
    err code = os->dir_open(os, NULL, S("data"), true, &dir, &reason);
    if (code == ALS_OK) {
        code = store_rebuild_indexes(os, dir, S("default"), NULL, &rebuilt, &reason);
        os->dir_close(dir);
    }
    if (code == ALS_CORRUPT || (code == ALS_OK && rebuilt.done != rebuilt.segments))
        return FAIL(why, ALS_INTERNAL, "%u of %u indexes were made anew: %.100s",
                    (unsigned)rebuilt.done, (unsigned)rebuilt.segments, reason.text);
    return ALS_OK;
}

// So are neighbouring segments one.
static err compact(struct work *work, struct als_why *why)
{
    enum store_strategy strategy = (enum store_strategy)rand_below(&work->rand, STORE_ALL + 1);
    struct store_compaction how = {.strategy = strategy,
                                   .files_min = 2,
                                   .target_bytes = GIB(1),
                                   .small_bytes = KIB(4),
                                   .before_us = INT64_MAX};
    struct store_compacted compacted;
    err code = store_compact(work->opened.store, &how, &compacted, why);
    if (code == ALS_CORRUPT)
        return code;
    TRY(same_store(work->model, work->opened.store, work->opened.cursor, why));
    return code;
}

// Whether a rule lets go of event `at`; the newest of its entity and its type always stays.
static bool lets_go(const struct model *model, uint32_t at, const struct store_rule *rule)
{
    const struct model_event *event = &model->events[at];
    uint64_t of_type = 0, of_entity = 0;
    char type[8];
    for (uint32_t i = at + 1; i < model->tried; i++) {
        of_type += !model->events[i].gone && model->events[i].type == event->type;
        of_entity += model->events[i].entity == event->entity;
    }
    bool old = event->recorded_us < rule->before_us;
    bool many = rule->count_max && of_type >= rule->count_max;
    return type_matches(rule->types, name_of('t', event->type, type)) && (old || many) &&
           of_type > 0 && of_entity > 0;
}

// Some of what is sealed goes, and what is left stays what it was.
static err retain(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    struct rand *rand = &work->rand;
    char type[8];
    TRY(same_store(model, work->opened.store, work->opened.cursor, why));
    struct store_rule rule = {.before_us = STORE_ANY_AGE, .count_max = rand_below(rand, 4)};
    rule.types = rand_below(rand, 2) ? S("*") : name_of('t', (uint32_t)rand_below(rand, 2), type);
    if (model->tried && rand_below(rand, 2))
        rule.before_us = model->events[rand_below(rand, model->tried)].recorded_us + 1;
    for (uint32_t i = 0; i < model->tried; i++)
        model->events[i].may_go |= lets_go(model, i, &rule);
    struct store_retention how = {.rules = &rule, .rule_count = 1, .all = rand_below(rand, 4) > 0};
    struct store_retained retained;
    err code = store_retain(work->opened.store, &how, &retained, why);
    if (code == ALS_CORRUPT)
        return code;
    TRY(same_store(model, work->opened.store, work->opened.cursor, why));
    return code;
}

static err reopen(struct work *work, struct als_why *why)
{
    struct model *model = work->model;
    opened_close(&work->opened);
    if (rand_below(&work->rand, 4) == 0)
        TRY(rebuild(work, why));
    bool faulty = sim_fault_pending(work->sim);
    err code = model_open(model, work->sim, &work->opened, why);
    if (code != ALS_OK && code != ALS_INTERNAL && code != ALS_CORRUPT && faulty &&
        !sim_fault_pending(work->sim))
        code = model_open(model, work->sim, &work->opened, why);
    TRY(code);
    model->tried = model->acknowledged = (uint32_t)store_position(work->opened.store);
    return ALS_OK;
}

static err step(struct work *work, struct als_why *why)
{
    uint64_t choice = rand_below(&work->rand, 14);
    err code;
    if (choice > 11)
        code = retain(work, why);
    else if (choice > 9)
        code = compact(work, why);
    else if (choice > 7)
        code = seal(work, why);
    else if (choice < 6)
        code = take_turn(work, why);
    else if (choice == 6)
        code = store_settle(work->opened.store, why);
    else
        return reopen(work, why);
    if (code == ALS_STORAGE_FULL && rand_below(&work->rand, 3) == 0)
        sim_heal(work->sim);
    if (code == ALS_STORAGE_FULL || code == ALS_NO_MEMORY || code == ALS_STORAGE)
        return ALS_OK;
    return code == ALS_STORAGE_FAILED ? reopen(work, why) : code;
}

static bool work(void *context, struct sim *sim, uint64_t seed, struct als_why *why)
{
    struct model *model = context;
    *model = (struct model){.salt = 0};
    struct work work = {.model = model, .sim = sim, .rand = {seed}};
    model->seal_events = 1 + (uint32_t)rand_below(&work.rand, 12);
    err code = reopen(&work, why);
    uint64_t steps = 6 + rand_below(&work.rand, 10);
    for (uint64_t i = 0; i < steps && code == ALS_OK; i++) {
        // The clock may stand still or jump back; recorded_at must not.
        sim_set_now_us(sim, (int64_t)(1'000'000 + rand_below(&work.rand, 1000)));
        code = step(&work, why);
    }
    opened_close(&work.opened);
    return code == ALS_OK;
}

// ---- After a crash.

static bool check(void *context, struct sim *sim, struct als_why *why)
{
    struct model model = *(const struct model *)context;
    struct work work = {.model = &model, .sim = sim, .rand = {1}};
    err code = model_open(&model, sim, &work.opened, why);
    sim_set_hook(sim, NULL, NULL);
    if (code != ALS_OK)
        return false;
    sim_heal(sim);
    model.tried = model.acknowledged = (uint32_t)store_position(work.opened.store);
    model.salt += 1000;
    code = take_turn(&work, why);
    if (code == ALS_OK)
        code = seal(&work, why);
    if (code == ALS_OK)
        code = retain(&work, why);
    if (code == ALS_OK)
        code = compact(&work, why);
    if (code == ALS_OK) {
        AUTO(sim) after = sim_crash(sim, 1, SIM_DROP);
        struct opened again;
        code = model_open(&model, after, &again, why);
        if (code == ALS_OK)
            opened_close(&again);
    }
    opened_close(&work.opened);
    return code == ALS_OK;
}

static bool attempt(void *context, struct sim *sim, struct als_why *why)
{
    struct model model = *(const struct model *)context;
    struct opened opened;
    err code = model_open(&model, sim, &opened, why);
    if (code == ALS_OK)
        opened_close(&opened);
    return code != ALS_CORRUPT && code != ALS_INTERNAL;
}

static struct crash_subject subject(struct model *model)
{
    return (struct crash_subject){.context = model,
                                  .work = work,
                                  .check = check,
                                  .attempt = attempt,
                                  .capacity_min = 400,
                                  .capacity_max = 40'000};
}

static uint64_t seeds(uint64_t usual)
{
    const char *text = getenv("ALLSOURCE_CRASH_SEEDS");
    return text ? strtoull(text, NULL, 10) : usual;
}

TEST(the_store_keeps_its_promises_at_every_crash_point)
{
    static struct model model;
    struct crash_subject store = subject(&model);
    struct crash_options options = {.seed_first = test_seed_first(),
                                    .seed_last = test_seed_last(seeds(50))};
    struct crash_result result;
    crash_run(&store, &options, &result);
    crash_print("store", &result);
    CHECK_EQUAL(0, result.failures);
}

#ifdef ALLSOURCE_MUTANTS
TEST(every_bug_planted_in_the_store_is_caught)
{
    static struct model model;
    struct crash_subject store = subject(&model);
    struct crash_options options = {.seed_first = 1, .seed_last = 200};
    CHECK_EQUAL(0, crash_plant("store", &store, &options, MUTANT_STORE_FIRST, MUTANT_SEAL_LAST));
}
#endif
