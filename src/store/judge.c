// SPDX-License-Identifier: Apache-2.0
// What an append may demand: that its ids are new (or all of it is a repetition), that nothing of
// a kind exists behind a position, that entities have a version. Ids come first, for a repetition
// must succeed although the versions have moved on since.
//
// The events of this turn count as if they were stored: their lists are reserved, their records
// placed (in the append's own buffer, for now), their ids added. If the turn fails, judge_undo()
// takes the reservations back; places and ids behind the published position mean nothing.
#include "store/inside.h"

#include "base/mutant.h"
#include "base/uuid.h"
#include "event/event.h"

#include <assert.h>

static err refuse(struct append *append, uint32_t index, err code)
{
    append->index = index;
    return code;
}

bool same_id(const uint8_t *record, const void *id)
{
    return uuid_equal(record_id(record), *(const als_id *)id);
}

static als_position find_id(struct store *store, const struct append_event *event,
                            const uint8_t *record)
{
    als_id id = record_id(record);
    return index_find_id(store->index, event->id_hash, store->next - 1, same_id, &id);
}

static uint8_t *draft_record(const struct append *append, uint32_t i)
{
    return (uint8_t *)append->bytes.ptr + append->events[i].offset;
}

// A time that the client did not say does not count: the first try was at another moment.
static bool same_content(const uint8_t *stored, const uint8_t *draft, bool has_timestamp)
{
    struct als_event a, b;
    record_decode(stored, 0, &a);
    record_decode(draft, 0, &b);
    return str_equal(a.entity, b.entity) && str_equal(a.type, b.type) &&
           str_equal(a.payload, b.payload) && str_equal(a.metadata, b.metadata) &&
           (!has_timestamp || a.timestamp_us == b.timestamp_us);
}

// Finds those events that are stored already.
static err judge_ids(struct store *store, struct append *append)
{
    uint32_t found = 0, first_new = append->count, first_found = 0;
    for (uint32_t i = 0; i < append->count; i++) {
        struct append_event *event = &append->events[i];
        const uint8_t *draft = draft_record(append, i);
        event->position = event->has_id ? find_id(store, event, draft) : 0;
        if (event->position == 0) {
            first_new = first_new == append->count ? i : first_new;
            continue;
        }
        first_found = found++ ? first_found : i;
        if (!same_content(index_record(store->index, event->position), draft, event->has_timestamp))
            return FAIL(&append->why, refuse(append, i, ALS_ID_CONFLICT),
                        "the id is that of the event at position %llu, which has another content",
                        (unsigned long long)event->position);
    }
    if (found && found < append->count)
        return FAIL(&append->why, refuse(append, first_found, ALS_ID_CONFLICT),
                    "the event is stored at position %llu already, but event %u of the same batch "
                    "is not: a batch is all or nothing",
                    (unsigned long long)append->events[first_found].position, first_new);
    append->duplicate = found > 0;
    return ALS_OK;
}

static struct index_list *list_of(struct store *store, enum index_by by, str name)
{
    return index_list_of(store->index, by, name, index_hash_name(store->index, name));
}

static uint64_t behind(const struct store *store, const struct index_list *list, als_position after)
{
    return index_pending(list) - index_list_count_to(list, index_base(store->index), after);
}

static bool pending_matches(const struct index_list *entity, const struct index_list *type,
                            struct append *const *accepted, size_t accepted_count,
                            als_position after)
{
    for (size_t i = 0; i < accepted_count; i++)
        for (uint32_t k = 0; k < accepted[i]->count; k++) {
            const struct append_event *event = &accepted[i]->events[k];
            if (event->entity == entity && event->type == type && event->position > after)
                return true;
        }
    return false;
}

// Gives the published events of an entity that have the type, newest first, while behind `after`.
static als_position next_match(const struct store *store, struct index_walk *walk,
                               const struct append_condition *condition)
{
    for (;;) {
        als_position position = index_walk_previous(walk);
        if (position <= condition->after)
            return 0;
        const uint8_t *record = index_record(store->index, position);
        if ((condition->type.len == 0 || str_equal(record_type(record), condition->type)) &&
            (condition->entity.len == 0 || str_equal(record_entity(record), condition->entity)))
            return position;
    }
}

static struct index_walk walk_back(const struct store *store, const struct index_list *list)
{
    return index_walk_from(list, index_base(store->index), UINT64_MAX);
}

// Both lists hold the events that are looked for; the one with fewer behind `after` is walked.
static const struct index_list *shorter(const struct store *store, const struct index_list *a,
                                        const struct index_list *b, als_position after)
{
    if (!a || !b)
        return a ? a : b;
    return behind(store, a, after) <= behind(store, b, after) ? a : b;
}

static bool is_violated(struct store *store, const struct append_condition *condition,
                        struct append *const *accepted, size_t accepted_count)
{
    if (condition->entity.len == 0 && condition->type.len == 0)
        return (MUTANT(STORE_CONDITION_BLIND) ? store_position(store) : store->next - 1) >
               condition->after;
    struct index_list *entity =
        condition->entity.len ? list_of(store, INDEX_ENTITY, condition->entity) : NULL;
    struct index_list *type =
        condition->type.len ? list_of(store, INDEX_TYPE, condition->type) : NULL;
    const struct index_list *list = shorter(store, entity, type, condition->after);
    if (!list || behind(store, list, condition->after) == 0)
        return false;
    if (!entity || !type)
        return true;
    struct index_walk walk = walk_back(store, list);
    return next_match(store, &walk, condition) ||
           pending_matches(entity, type, accepted, accepted_count, condition->after);
}

static err judge_conditions(struct store *store, struct append *append,
                            struct append *const *accepted, size_t accepted_count)
{
    for (uint32_t i = 0; i < append->condition_count; i++) {
        const struct append_condition *condition = &append->conditions[i];
        if (is_violated(store, condition, accepted, accepted_count))
            return FAIL(&append->why, refuse(append, i, ALS_CONDITION_FAILED),
                        "conditions[%u]: a matching event exists behind position %llu", i,
                        (unsigned long long)condition->after);
    }
    return ALS_OK;
}

static err judge_version(struct store *store, struct append *append, uint32_t i)
{
    struct append_event *event = &append->events[i];
    bool first_of_entity = index_stamp(event->entity, store->stamp);
    int64_t expected = event->expected_version;
    if (!first_of_entity || expected == STORE_ANY_VERSION)
        return ALS_OK;
    append->actual_version = MUTANT(STORE_VERSION_OF_PUBLISHED) ? index_list_count(event->entity)
                                                                : index_pending(event->entity);
    if (expected == -1 ? append->actual_version > 0 : (uint64_t)expected == append->actual_version)
        return ALS_OK;
    str entity = record_entity(draft_record(append, i));
    if (expected == -1)
        return FAIL(&append->why, refuse(append, i, ALS_VERSION_CONFLICT),
                    "entity '%.*s' was expected to exist and does not", STR(entity));
    return FAIL(&append->why, refuse(append, i, ALS_VERSION_CONFLICT),
                "entity '%.*s' was expected at version %lld, but it is at %llu", STR(entity),
                (long long)expected, (unsigned long long)append->actual_version);
}

// Prepares event i, which gets the position; what it reserved is counted by `*ret_reserved`.
static err prepare_event(struct store *store, struct append *append, uint32_t i,
                         als_position position)
{
    struct append_event *event = &append->events[i];
    struct index *index = store->index;
    uint8_t *record = draft_record(append, i);
    if (event->has_id) {
        als_id id = record_id(record);
        als_position twin = index_find_id(index, event->id_hash, position - 1, same_id, &id);
        if (twin)
            return FAIL(&append->why, refuse(append, i, ALS_INVALID_INPUT),
                        "id: events %llu and %u of the batch have the same",
                        (unsigned long long)(twin - store->next), i);
    }
    if (!event->has_timestamp)
        record_set_timestamp(record, store->recorded_us);
    record_set_version(record, index_pending(event->entity) + 1);
    event->position = position;
    TRY(index_place(index, position, record, &append->why));
    TRY(index_add_id(index, event->id_hash, position, &append->why));
    TRY(index_reserve(index, event->entity, &append->why));
    err code = index_reserve(index, event->type, &append->why);
    if (code != ALS_OK)
        index_unreserve(event->entity);
    return code;
}

static void unreserve(struct append *append, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        index_unreserve(append->events[i].entity);
        index_unreserve(append->events[i].type);
    }
}

static err find_lists(struct store *store, struct append *append, uint32_t i)
{
    struct append_event *event = &append->events[i];
    const uint8_t *record = draft_record(append, i);
    str entity = record_entity(record), type = record_type(record);
    const struct append_event *previous = i ? event - 1 : NULL;
    bool same_type = previous && previous->type_hash == event->type_hash &&
                     str_equal(index_list_name(previous->type), type);
    event->entity = index_list_of(store->index, INDEX_ENTITY, entity, event->entity_hash);
    event->type = same_type ? previous->type
                            : index_list_of(store->index, INDEX_TYPE, type, event->type_hash);
    if (!event->entity || !event->type)
        return FAIL(&append->why, ALS_NO_MEMORY, "the index cannot grow");
    return ALS_OK;
}

enum { PREFETCH_AHEAD = 6 };

static err prepare(struct store *store, struct append *append)
{
    store->stamp++;
    batch_set_recorded((uint8_t *)append->bytes.ptr, store->recorded_us);
    for (uint32_t i = 0; i < append->count; i++) {
        if (i + PREFETCH_AHEAD < append->count) {
            const struct append_event *later = &append->events[i + PREFETCH_AHEAD];
            index_prefetch(store->index, later->entity_hash, later->id_hash);
        }
        err code = find_lists(store, append, i);
        if (code == ALS_OK)
            code = judge_version(store, append, i);
        if (code == ALS_OK)
            code = prepare_event(store, append, i, store->next + i);
        if (code != ALS_OK) {
            unreserve(append, i);
            return code;
        }
    }
    append->first = store->next;
    append->recorded_us = store->recorded_us;
    store->next += append->count;
    return ALS_OK;
}

void judge(struct store *store, struct append *append, struct append *const *accepted,
           size_t accepted_count)
{
    append->duplicate = false;
    append->between_count = 0;
    append->between_total = 0;
    append->code = judge_ids(store, append);
    if (append->code != ALS_OK || append->duplicate)
        return;
    append->code = judge_conditions(store, append, accepted, accepted_count);
    if (append->code == ALS_OK)
        append->code = prepare(store, append);
}

void judge_undo(struct append *append)
{
    if (MUTANT(STORE_TURN_NOT_UNDONE))
        return;
    unreserve(append, append->count);
}

static void explain_version(struct store *store, struct append *append)
{
    const struct append_event *event = &append->events[append->index];
    if (event->expected_version < 0 || (uint64_t)event->expected_version >= append->actual_version)
        return;
    append->between_total = append->actual_version - (uint64_t)event->expected_version;
    struct index_walk walk =
        index_walk_from(event->entity, index_base(store->index), append->actual_version);
    while (append->between_count < APPEND_BETWEEN_MAX &&
           append->between_count < append->between_total)
        append->between[append->between_count++] = index_walk_previous(&walk);
}

static void explain_condition(struct store *store, struct append *append)
{
    const struct append_condition *condition = &append->conditions[append->index];
    const struct index_list *entity =
        condition->entity.len ? list_of(store, INDEX_ENTITY, condition->entity) : NULL;
    const struct index_list *type =
        condition->type.len ? list_of(store, INDEX_TYPE, condition->type) : NULL;
    const struct index_list *list = shorter(store, entity, type, condition->after);
    als_position position = store_position(store);
    struct index_walk walk = {0};
    if (list)
        walk = walk_back(store, list);
    else
        append->between_total = position - condition->after;
    for (;;) {
        position = list ? next_match(store, &walk, condition) : position;
        if (position <= condition->after || append->between_count == APPEND_BETWEEN_MAX)
            break;
        append->between[append->between_count++] = position--;
    }
    append->between_total = list ? append->between_count : append->between_total;
}

void judge_explain(struct store *store, struct append *append)
{
    if (append->code == ALS_VERSION_CONFLICT)
        explain_version(store, append);
    else if (append->code == ALS_CONDITION_FAILED)
        explain_condition(store, append);
    if (!append->duplicate || append->code != ALS_OK)
        return;
    // A repetition may have come in the same turn as the first: its records are in the log now.
    for (uint32_t i = 0; i < append->count; i++)
        append->events[i].record = index_record(store->index, append->events[i].position);
    struct als_event first;
    record_decode(append->events[0].record, append->events[0].position, &first);
    append->first = first.position;
    append->recorded_us = first.recorded_us;
}
