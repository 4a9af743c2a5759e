// SPDX-License-Identifier: Apache-2.0
// From drafts to a batch: names, sizes and JSON are checked once, here, and the texts are minified
// straight into the batch that will be written. Everything that needs no order among appends
// (hashes, ids) is done on the caller's thread.
//
// Slots are reused, so an ordinary append allocates nothing; there are never more than
// APPEND_SLOTS.
#include "engine/engine.h"

#include "base/uuid.h"
#include "event/event.h"
#include "json/json.h"

#include <assert.h>
#include <stdlib.h>

enum {
    SLOT_BYTES_KEPT_MAX = 4 << 20,
    TEXTS_BLOCK_BYTES = 512,
    TEXTS_BYTES_MAX = 64 << 10,
    CHECKING_BLOCK_BYTES = 16 << 10,
    CHECKING_BYTES_A_BYTE = 64 // of payload: "[1,1,1" has a node of the tape for two bytes
};

static struct slot *slot_new(struct als *als)
{
    struct slot *slot = calloc(1, sizeof *slot);
    if (!slot)
        return NULL;
    slot->als = als;
    buf_init(&slot->append.bytes, BATCH_BYTES_MAX);
    arena_init(&slot->texts, TEXTS_BLOCK_BYTES, TEXTS_BYTES_MAX);
    arena_init(&slot->checking, CHECKING_BLOCK_BYTES,
               CHECKING_BLOCK_BYTES + CHECKING_BYTES_A_BYTE * als->options.event_bytes_max);
    als->os->entropy(als->os, &slot->random.state, sizeof slot->random.state);
    return slot;
}

static void slot_free(struct slot *slot)
{
    buf_deinit(&slot->append.bytes);
    arena_deinit(&slot->texts);
    arena_deinit(&slot->checking);
    free(slot->append.events);
    free(slot->appended);
    free(slot);
}

void slots_free(struct als *als)
{
    while (als->free_slots) {
        struct slot *slot = als->free_slots;
        als->free_slots = slot->next_free;
        slot_free(slot);
    }
}

static struct slot *slot_take(struct als *als)
{
    lock_take(&als->slots_lock);
    struct slot *slot = als->free_slots;
    bool make = !slot && als->slot_count < APPEND_SLOTS;
    if (slot)
        als->free_slots = slot->next_free;
    als->slot_count += make;
    lock_release(&als->slots_lock);
    if (!make)
        return slot;
    slot = slot_new(als);
    if (!slot) {
        lock_take(&als->slots_lock);
        als->slot_count--;
        lock_release(&als->slots_lock);
    }
    return slot;
}

static void slot_reset(struct slot *slot)
{
    if (slot->append.bytes.capacity > SLOT_BYTES_KEPT_MAX)
        buf_deinit(&slot->append.bytes);
    buf_reset(&slot->append.bytes);
    arena_reset(&slot->texts);
    arena_reset(&slot->checking);
}

static void give_chain(struct als *als, struct slot *first, struct slot *last)
{
    lock_take(&als->slots_lock);
    last->next_free = als->free_slots;
    als->free_slots = first;
    lock_release(&als->slots_lock);
}

static void slot_give(struct slot *slot)
{
    if (!slot)
        return;
    slot_reset(slot);
    give_chain(slot->als, slot, slot);
}

void slots_give(struct tenant *tenant)
{
    struct slot *first = tenant->used, *last = first;
    if (!first)
        return;
    while (last->next_free)
        last = last->next_free;
    tenant->used = NULL;
    give_chain(tenant->als, first, last);
}

AUTO_WITH(slot, slot_give)

// ---- Encoding

// `*known` is how much of that text is known by now, and in the end that it is checked.
static err check_text(str json, const char *what, enum als_json *known, struct als_why *why)
{
    struct als_why inner;
    bool spaced;
    if (*known != ALS_JSON_TEXT || json.len == 0)
        return ALS_OK;
    if (json_check_spaced(json, JSON_DEPTH_MAX, &spaced, &inner) != ALS_OK)
        return FAIL(why, ALS_INVALID_EVENT, "%s: %.200s", what, inner.text);
    *known = spaced ? ALS_JSON_CHECKED : ALS_JSON_MINIFIED;
    return ALS_OK;
}

static err check_draft(const struct als_draft *draft, struct als_why *why)
{
    TRY(event_check_type(draft->type, why));
    TRY(event_check_entity(draft->entity, why));
    if (draft->payload.len == 0)
        return FAIL(why, ALS_INVALID_EVENT, "payload is missing");
    if (draft->timestamp_us != ALS_TIME_UNSET &&
        (draft->timestamp_us < ALS_TIME_MIN || draft->timestamp_us > ALS_TIME_MAX))
        return FAIL(why, ALS_INVALID_EVENT, "timestamp lies outside of the years 0 to 9999");
    if (draft->expected_version < ALS_EXPECT_EXISTS && draft->expected_version != ALS_EXPECT_ANY)
        return FAIL(why, ALS_INVALID_INPUT, "expected_version: %lld, at least -1",
                    (long long)draft->expected_version);
    return ALS_OK;
}

static size_t put_text(uint8_t *target, str text, enum als_json json)
{
    if (json != ALS_JSON_MINIFIED)
        return json_minify(text, (char *)target);
    memcpy(target, text.ptr, text.len);
    return text.len;
}

static als_id make_id(struct slot *slot, int64_t now_us)
{
    uint64_t random[2] = {rand_next(&slot->random), rand_next(&slot->random)};
    return uuid_v7(now_us, (const uint8_t *)random);
}

// Appends the record of a checked draft to the batch.
static err encode(struct slot *slot, const struct als_draft *draft, const struct checked *checked,
                  struct append_event *event, int64_t now_us, struct als_why *why)
{
    struct buf *bytes = &slot->append.bytes;
    struct record_draft record_draft = {
        .entity = draft->entity,
        .type = draft->type,
        .id = draft->has_id ? draft->id : make_id(slot, now_us),
        .timestamp_us = draft->timestamp_us == ALS_TIME_UNSET ? 0 : draft->timestamp_us,
        .schema_version = checked->schema_version,
        .has_metadata = draft->metadata.len > 0};
    size_t most = record_size_max(&record_draft, draft->payload.len, draft->metadata.len);
    uint8_t *record = (uint8_t *)buf_room(bytes, most);
    if (!record)
        return FAIL(why, ALS_TOO_LARGE, "a batch is at most %llu bytes",
                    (unsigned long long)BATCH_BYTES_MAX);
    uint8_t *at = record_begin(record, (uint32_t)bytes->len, &record_draft);
    size_t payload_len = put_text(at, draft->payload, checked->payload);
    at = record_payload_done(record, payload_len);
    size_t metadata_len =
        draft->metadata.len ? put_text(at, draft->metadata, checked->metadata) : 0;
    uint64_t size = draft->entity.len + draft->type.len + payload_len + metadata_len;
    if (size > slot->als->options.event_bytes_max)
        return FAIL(why, ALS_TOO_LARGE, "an event is at most %llu bytes, got %llu",
                    (unsigned long long)slot->als->options.event_bytes_max,
                    (unsigned long long)size);
    *event = (struct append_event){.offset = (uint32_t)bytes->len,
                                   .has_id = draft->has_id,
                                   .has_timestamp = draft->timestamp_us != ALS_TIME_UNSET,
                                   .expected_version = draft->expected_version};
    buf_grew(bytes, record_finish(record, metadata_len, checked->schema_version));
    return ALS_OK;
}

static err make_room(struct slot *slot, size_t count, struct als_why *why)
{
    if (count > slot->event_room) {
        struct append_event *events =
            realloc(slot->append.events, count * sizeof *slot->append.events);
        if (!events)
            return FAIL(why, ALS_NO_MEMORY, "a batch of %zu events", count);
        slot->append.events = events;
        slot->event_room = count;
    }
    if (count > slot->appended_room) {
        struct als_appended *appended = realloc(slot->appended, count * sizeof *slot->appended);
        if (!appended)
            return FAIL(why, ALS_NO_MEMORY, "a batch of %zu events", count);
        slot->appended = appended;
        slot->appended_room = count;
    }
    return ALS_OK;
}

// Checks an event, by its schema too, and encodes it.
static err take_draft(struct slot *slot, struct checker *checker, const struct als_append *append,
                      size_t at, int64_t now_us, struct als_why *why)
{
    const struct als_draft *draft = &append->drafts[at];
    struct checked checked = {
        .payload = draft->json, .metadata = draft->json, .schema_version = draft->schema_version};
    TRY(check_draft(draft, why));
    if (checker->rules)
        TRY(checker_take(checker, append, draft, &checked, why));
    TRY(check_text(draft->payload, "payload", &checked.payload, why));
    TRY(check_text(draft->metadata, "metadata", &checked.metadata, why));
    return encode(slot, draft, &checked, &slot->append.events[at], now_us, why);
}

static err encode_all(struct slot *slot, const struct als_append *append, const struct rules *rules,
                      size_t *at, struct als_why *why)
{
    TRY(make_room(slot, append->count, why));
    static const uint8_t head[BATCH_HEAD_BYTES];
    buf_put(&slot->append.bytes, head, sizeof head);
    int64_t now_us = slot->als->os->now_us(slot->als->os);
    struct checker checker = {.rules = rules, .als = slot->als, .arena = &slot->checking};
    err code = ALS_OK;
    for (*at = 0; *at < append->count && code == ALS_OK; ++*at)
        code = take_draft(slot, &checker, append, *at, now_us, why);
    *at -= code != ALS_OK; // the loop has gone one too far
    checker_end(&checker, code == ALS_VALIDATION);
    slot->append.count = (uint32_t)append->count;
    return code;
}

// Hashes come second: their seed is the store's, which is made only for an append that is sound.
static void hash_all(struct slot *slot, const struct store *store)
{
    struct append *append = &slot->append;
    str type = {NULL, 0};
    uint64_t type_hash = 0;
    for (uint32_t i = 0; i < append->count; i++) {
        struct append_event *event = &append->events[i];
        const uint8_t *record = (const uint8_t *)append->bytes.ptr + event->offset;
        if (!str_equal(type, record_type(record))) {
            type = record_type(record);
            type_hash = store_hash_name(store, type);
        }
        event->entity_hash = store_hash_name(store, record_entity(record));
        event->type_hash = type_hash;
        event->id_hash = store_hash_id(store, record_id(record));
    }
}

static err keep_conditions(struct slot *slot, const struct als_append *append, struct als_why *why)
{
    struct append_condition *kept =
        ARENA_ARRAY(&slot->texts, struct append_condition, append->condition_count + 1);
    if (!kept)
        return FAIL(why, ALS_NO_MEMORY, "the conditions");
    for (size_t i = 0; i < append->condition_count; i++) {
        const struct als_condition *condition = &append->conditions[i];
        if (condition->entity.len)
            TRY(event_check_entity(condition->entity, why));
        if (condition->type.len)
            TRY(event_check_type(condition->type, why));
        kept[i] = (struct append_condition){.entity = arena_copy(&slot->texts, condition->entity),
                                            .type = arena_copy(&slot->texts, condition->type),
                                            .after = condition->after};
        if (!kept[i].entity.ptr || !kept[i].type.ptr)
            return FAIL(why, ALS_NO_MEMORY, "the conditions");
    }
    slot->append.conditions = kept;
    slot->append.condition_count = (uint32_t)append->condition_count;
    return ALS_OK;
}

// ---- The answer

static void fill_conflict(const struct slot *slot, struct als_outcome *outcome)
{
    const struct append *append = &slot->append;
    outcome->between_count = append->between_count;
    outcome->between_total = append->between_total;
    for (uint32_t i = 0; i < append->between_count; i++) {
        const struct append_between *between = &append->between[i];
        struct als_conflict_event *event = &outcome->between[i];
        event->id = between->id;
        event->position = between->position;
        event->version = between->version;
        memcpy(event->type, between->type, between->type_len);
        event->type[between->type_len] = '\0';
    }
}

static void fill_appended(struct slot *slot)
{
    const struct append *append = &slot->append;
    for (uint32_t i = 0; i < append->count; i++) {
        const struct append_event *event = &append->events[i];
        const uint8_t *record = (const uint8_t *)append->bytes.ptr + event->offset;
        slot->appended[i] = (struct als_appended){.id = record_id(record),
                                                  .position = event->position,
                                                  .version = event->version,
                                                  .timestamp_us = event->timestamp_us};
    }
}

static void slot_done(struct append *append)
{
    struct slot *slot = (struct slot *)append;
    struct als_outcome outcome = {.code = append->code, .count = append->count};
    if (append->code == ALS_OK) {
        outcome.first = append->first;
        outcome.last = append->events[append->count - 1].position;
        outcome.recorded_us = append->recorded_us;
        outcome.duplicate = append->duplicate;
        fill_appended(slot);
    } else {
        outcome.why = append->why;
        outcome.index = append->index;
        outcome.actual_version = append->actual_version;
        if (append->index < append->count)
            outcome.expected_version = append->events[append->index].expected_version;
        fill_conflict(slot, &outcome);
    }
    struct tenant *tenant = append->owner;
    if (append->code == ALS_STORAGE_FAILED || append->code == ALS_FENCED)
        notice(slot->als, ALS_NOTICE_STORAGE_FAILED, tenant_name(tenant), 0, append->why.text);
    else if (append->code == ALS_STORAGE_FULL)
        notice(slot->als, ALS_NOTICE_STORAGE_FULL, tenant_name(tenant), 0, append->why.text);
    slot->done(slot->context, &outcome, append->code == ALS_OK ? slot->appended : NULL);
    slot_reset(slot);
    slot->next_free = tenant->used; // goes back with the others of this turn
    tenant->used = slot;
}

// ---- The public calls

static err check_append(const struct als *als, const struct als_append *append, struct als_why *why)
{
    CHECK_SIZED(append, "append", why);
    if (!append->drafts || append->count == 0)
        return FAIL(why, ALS_INVALID_INPUT, "a batch needs at least one event");
    if (append->count > als->options.batch_events_max)
        return FAIL(why, ALS_TOO_LARGE, "a batch is at most %u events, got %zu",
                    als->options.batch_events_max, append->count);
    if (append->condition_count > BATCH_CONDITIONS_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "conditions: at most %d, got %zu", BATCH_CONDITIONS_MAX,
                    append->condition_count);
    return ALS_OK;
}

// Encodes and posts. `wake`: a writer shall come; else the caller takes turns itself.
static err post(struct als *als, const struct als_append *append, struct slot *given,
                size_t *ret_index, struct als_why *why)
{
    AUTO(slot) slot = given;
    struct tenant *tenant;
    TRY(tenant_find(als, append->tenant, &tenant, why));
    AUTO(rules) rules = checking_rules(tenant);
    size_t at = append->count;
    err code = encode_all(slot, append, rules, &at, why);
    if (code != ALS_OK && ret_index)
        *ret_index = at;
    TRY(code);
    TRY(keep_conditions(slot, append, why));
    if (!tenant || !atomic_load(&tenant->store))
        TRY(tenant_make(als, append->tenant, &tenant, why)); // only for an append that is sound
    struct store *store = atomic_load(&tenant->store);
    hash_all(slot, store);
    slot->append.done = slot_done;
    slot->append.owner = tenant;
    bool first;
    TRY(store_post(store, &slot->append, &first, why));
    (void)MOVE(slot); // it comes back by slot_done()
    if (first)
        schedule(tenant, !append->hold);
    return ALS_OK;
}

enum als_err als_append(struct als *als, const struct als_append *append, als_done *done,
                        void *context, size_t *ret_index, struct als_why *why)
{
    CHECK_ALS(als, why);
    TRY(check_append(als, append, why));
    if (!done)
        return FAIL(why, ALS_INVALID_INPUT, "done is NULL");
    struct slot *slot = slot_take(als);
    if (!slot)
        return FAIL(why, ALS_QUEUE_FULL, "%d appends are on their way already", APPEND_SLOTS);
    slot->done = done;
    slot->context = context;
    return post(als, append, slot, ret_index, why);
}

bool als_turn(struct als *als)
{
    return als && take_turns(als, NULL);
}

struct waiter {
    struct lock lock;
    struct signal signal;
    _Atomic bool done;
    struct als_appended *events;
    struct als_outcome *outcome;
};

static void waiter_done(void *context, const struct als_outcome *outcome,
                        const struct als_appended *events)
{
    struct waiter *waiter = context;
    *waiter->outcome = *outcome;
    if (events && waiter->events)
        memcpy(waiter->events, events, outcome->count * sizeof *events);
    lock_take(&waiter->lock);
    waiter->done = true;
    signal_one(&waiter->signal);
    lock_release(&waiter->lock);
}

enum als_err als_append_wait(struct als *als, const struct als_append *append,
                             struct als_appended *ret_events, struct als_outcome *ret_outcome)
{
    struct als_outcome outcome = {.code = ALS_OK}, refused = {.code = ALS_OK};
    struct waiter waiter = {.events = ret_events, .outcome = &outcome};
    lock_init(&waiter.lock, LOCK_WAITER);
    signal_init(&waiter.signal);
    // `outcome` is the writer's from here on: it may be filled before als_append() returns.
    struct als_append held = ALS_APPEND_INIT;
    if (append && append->size >= sizeof held)
        held = *append;
    held.hold = true;
    refused.code =
        als_append(als, append ? &held : NULL, waiter_done, &waiter, &refused.index, &refused.why);
    if (refused.code == ALS_OK) {
        (void)take_turns(als, &waiter.done); // here and now, unless a writer is at it
        lock_take(&waiter.lock);
        while (!waiter.done)
            signal_wait(&waiter.signal, &waiter.lock);
        lock_release(&waiter.lock);
    } else
        outcome = refused;
    signal_deinit(&waiter.signal);
    lock_deinit(&waiter.lock);
    if (ret_outcome)
        *ret_outcome = outcome;
    return outcome.code;
}
