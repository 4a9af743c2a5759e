// SPDX-License-Identifier: Apache-2.0
// What an append may demand: that its ids are new (or all of it is a repetition), that nothing of
// a kind exists behind a position, that entities have a version. Ids come first, for a repetition
// must succeed although the versions have moved on since.
//
// The events of this turn count as if they were stored: their lists are reserved, their records
// placed (in the append's own buffer, for now), their ids added. If the turn fails, judge_undo()
// takes the reservations back; places and ids behind the published position mean nothing.
//
// What was stored before is looked for in the part that is being filled, and then in the parts
// before it, newest first, which `turn` keeps in place.
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

static uint8_t *draft_record(const struct append *append, uint32_t i)
{
    return (uint8_t *)append->bytes.ptr + append->events[i].offset;
}

// A time that the client did not say does not count: the first try was at another moment.
static bool same_content(const struct als_event *stored, const uint8_t *draft, bool has_timestamp)
{
    struct als_event event;
    record_decode(draft, 0, &event);
    return str_equal(stored->entity, event.entity) && str_equal(stored->type, event.type) &&
           str_equal(stored->payload, event.payload) &&
           str_equal(stored->metadata, event.metadata) &&
           (!has_timestamp || stored->timestamp_us == event.timestamp_us);
}

// The stored event with the id of event i, if there is one; position 0 if not.
static err find_twin(struct store *store, struct append *append, uint32_t i,
                     struct als_event *ret_event)
{
    const struct append_event *event = &append->events[i];
    ret_event->position = 0;
    if (!event->has_id)
        return ALS_OK;
    struct id_question question = {
        .id = record_id(draft_record(append, i)), .hash = event->id_hash, .up_to = store->next - 1};
    const struct parts *parts = store->turn.parts;
    for (uint32_t at = parts->count; at-- > 0 && ret_event->position == 0;)
        TRY(part_find_id(parts->items[at], question, &store->reader, ret_event, &append->why));
    return ALS_OK;
}

// Event i has the id of a stored one: it must be the same, and gets its place.
static err take_twin(struct append *append, uint32_t i, const struct als_event *twin)
{
    struct append_event *event = &append->events[i];
    if (!same_content(twin, draft_record(append, i), event->has_timestamp))
        return FAIL(&append->why, refuse(append, i, ALS_ID_CONFLICT),
                    "the id is that of the event at position %llu, which has another content",
                    (unsigned long long)twin->position);
    event->version = twin->version;
    event->timestamp_us = twin->timestamp_us;
    if (i > 0)
        return ALS_OK;
    append->first = twin->position;
    append->recorded_us = twin->recorded_us;
    return ALS_OK;
}

// Finds those events that are stored already.
static err judge_ids(struct store *store, struct append *append)
{
    uint32_t found = 0, first_new = append->count, first_found = 0;
    for (uint32_t i = 0; i < append->count; i++) {
        struct als_event twin;
        TRY(find_twin(store, append, i, &twin));
        append->events[i].position = twin.position;
        if (twin.position == 0) {
            first_new = first_new == append->count ? i : first_new;
            continue;
        }
        first_found = found++ ? first_found : i;
        TRY(take_twin(append, i, &twin));
    }
    if (found && found < append->count)
        return FAIL(&append->why, refuse(append, first_found, ALS_ID_CONFLICT),
                    "the event is stored at position %llu already, but event %u of the same batch "
                    "is not: a batch is all or nothing",
                    (unsigned long long)append->events[first_found].position, first_new);
    append->duplicate = found > 0;
    return ALS_OK;
}

// ---- Conditions

static bool is_pending(const struct index_list *list)
{
    return index_pending(list) > index_list_count(list);
}

static struct index_list *pending_list(struct store *store, enum index_by by, str name)
{
    struct index_list *list =
        index_list_get(store->filling->index, by, name, store_hash_name(store, name));
    return list && is_pending(list) ? list : NULL;
}

// Whether an event of this turn matches.
static bool pending_matches(struct store *store, const struct append_condition *condition,
                            struct append *const *accepted, size_t accepted_count)
{
    const struct index_list *entity = NULL, *type = NULL;
    if (condition->entity.len && !(entity = pending_list(store, INDEX_ENTITY, condition->entity)))
        return false;
    if (condition->type.len && !(type = pending_list(store, INDEX_TYPE, condition->type)))
        return false;
    if ((!entity || !type) && condition->after <= store->turn.position)
        return true;
    for (size_t i = 0; i < accepted_count; i++)
        for (uint32_t k = 0; k < accepted[i]->count; k++) {
            const struct append_event *event = &accepted[i]->events[k];
            if (event->position > condition->after && (!entity || event->entity == entity) &&
                (!type || event->type == type))
                return true;
        }
    return false;
}

// Whether a list has an event behind `after`, and how many.
static uint64_t behind(const struct part *part, const struct index_list *list, als_position after)
{
    return index_list_count(list) - index_list_count_to(list, index_base(part->index), after);
}

// Both lists hold the events that are looked for: the one with fewer behind `after` is walked.
static bool hot_has_both(const struct part *part, const struct index_list *entity,
                         const struct index_list *type, const struct append_condition *condition)
{
    als_position after = condition->after;
    bool by_entity = behind(part, entity, after) <= behind(part, type, after);
    struct index_walk walk =
        index_walk_from(by_entity ? entity : type, index_base(part->index), UINT64_MAX);
    for (als_position at; (at = index_walk_previous(&walk)) > after;) {
        const uint8_t *record = index_record(part->index, at);
        if (by_entity ? str_equal(record_type(record), condition->type)
                      : str_equal(record_entity(record), condition->entity))
            return true;
    }
    return false;
}

static bool hot_has(struct part *part, const struct append_condition *condition)
{
    const struct index_list *entity = NULL, *type = NULL;
    if (condition->entity.len) {
        entity = index_find(part->index, INDEX_ENTITY, condition->entity);
        if (!entity || behind(part, entity, condition->after) == 0)
            return false;
    }
    if (condition->type.len) {
        type = index_find(part->index, INDEX_TYPE, condition->type);
        if (!type || behind(part, type, condition->after) == 0)
            return false;
    }
    return !entity || !type || hot_has_both(part, entity, type, condition);
}

// Whether two lists of rows have one in common from row `least` on.
static err have_common_row(const struct index_rows *a, const struct index_rows *b, uint32_t least,
                           bool *ret_common, struct als_why *why)
{
    const struct index_rows *few = a->count <= b->count ? a : b, *many = few == a ? b : a;
    *ret_common = false;
    for (uint32_t n = few->count; n-- > 0 && !*ret_common;) {
        uint32_t row, count, other = UINT32_MAX;
        TRY(index_row(few, n, &row, why));
        if (row < least)
            break;
        TRY(index_rows_to(many, row, &count, why));
        if (count)
            TRY(index_row(many, count - 1, &other, why));
        *ret_common = other == row;
    }
    return ALS_OK;
}

static err sealed_has(struct part *part, const struct append_condition *condition, bool *ret_has,
                      struct als_why *why)
{
    struct index_file *file;
    struct segment *segment;
    struct index_rows entity = {.count = 0}, type = {.count = 0};
    uint32_t least;
    *ret_has = false;
    TRY(part_file(part, &file, why));
    if (condition->entity.len) {
        TRY(index_file_find(file, INDEX_ENTITY, condition->entity, &entity, why));
        if (entity.count == 0 || entity.last <= condition->after)
            return ALS_OK;
    }
    if (condition->type.len) {
        TRY(index_file_find(file, INDEX_TYPE, condition->type, &type, why));
        if (type.count == 0 || type.last <= condition->after)
            return ALS_OK;
    }
    *ret_has = true;
    if (condition->entity.len == 0 || condition->type.len == 0)
        return ALS_OK;
    TRY(part_segment(part, &segment, why));
    TRY(segment_row_of(segment, condition->after + 1, &least, why));
    return have_common_row(&entity, &type, least, ret_has, why);
}

// Whether a published event matches. Parts that end before `after` are not asked.
static err published_matches(struct store *store, const struct append_condition *condition,
                             bool *ret_has, struct als_why *why)
{
    const struct parts *parts = store->turn.parts;
    *ret_has = false;
    for (uint32_t at = parts->count; at-- > 0 && !*ret_has;) {
        struct part *part = parts->items[at];
        if (parts_last(parts, at, store->turn.position) <= condition->after)
            break;
        if (!part_is_sealed(part))
            *ret_has = hot_has(part, condition);
        else if (!condition->entity.len || !part_denies(part, INDEX_ENTITY, condition->entity))
            TRY(sealed_has(part, condition, ret_has, why));
    }
    return ALS_OK;
}

static err is_violated(struct store *store, const struct append_condition *condition,
                       struct append *const *accepted, size_t accepted_count, bool *ret_violated,
                       struct als_why *why)
{
    bool blind = MUTANT(STORE_CONDITION_BLIND);
    if (condition->entity.len == 0 && condition->type.len == 0) {
        *ret_violated = (blind ? store_position(store) : store->next - 1) > condition->after;
        return ALS_OK;
    }
    *ret_violated = !blind && pending_matches(store, condition, accepted, accepted_count);
    return *ret_violated ? ALS_OK : published_matches(store, condition, ret_violated, why);
}

static err judge_conditions(struct store *store, struct append *append,
                            struct append *const *accepted, size_t accepted_count)
{
    for (uint32_t i = 0; i < append->condition_count; i++) {
        const struct append_condition *condition = &append->conditions[i];
        bool violated;
        TRY(is_violated(store, condition, accepted, accepted_count, &violated, &append->why));
        if (violated)
            return FAIL(&append->why, refuse(append, i, ALS_CONDITION_FAILED),
                        "conditions[%u]: a matching event exists behind position %llu", i,
                        (unsigned long long)condition->after);
    }
    return ALS_OK;
}

static als_version version_of(const struct index_list *entity)
{
    return index_before(entity) +
           (MUTANT(STORE_VERSION_OF_PUBLISHED) ? index_list_count(entity) : index_pending(entity));
}

static err judge_version(struct store *store, struct append *append, uint32_t i)
{
    struct append_event *event = &append->events[i];
    bool first_of_entity = index_stamp(event->entity, store->stamp);
    int64_t expected = event->expected_version;
    if (!first_of_entity || expected == STORE_ANY_VERSION)
        return ALS_OK;
    append->actual_version = version_of(event->entity);
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
    struct index *index = store->filling->index;
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
    event->version = index_before(event->entity) + index_pending(event->entity) + 1;
    event->timestamp_us = record_timestamp(record);
    record_set_version(record, event->version);
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
    TRY(find_list(store, INDEX_ENTITY, entity, event->entity_hash, &event->entity, &append->why));
    if (same_type)
        event->type = previous->type;
    else
        TRY(find_list(store, INDEX_TYPE, type, event->type_hash, &event->type, &append->why));
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
            index_prefetch(store->filling->index, later->entity_hash, later->id_hash);
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

// ---- Explaining

// At most so many events of an entity are looked at for those of a type: the writer waits.
enum { EXPLAIN_LOOKS_MAX = 16384 };

static void add_between(struct append *append, const struct als_event *event)
{
    struct append_between *between = &append->between[append->between_count++];
    *between = (struct append_between){.position = event->position,
                                       .version = event->version,
                                       .id = event->id,
                                       .type_len = (uint8_t)event->type.len};
    memcpy(between->type, event->type.ptr, event->type.len);
}

// Of the events that an open cursor gives, newest first: those up to a version and of a type.
static err collect(struct store *store, struct append *append, als_version up_to, str type,
                   struct als_why *why)
{
    for (int looks = 0; looks < EXPLAIN_LOOKS_MAX && append->between_count < APPEND_BETWEEN_MAX;
         looks++) {
        struct als_event event;
        TRY(cursor_next(store->cursor, &event, why));
        if (event.position == 0)
            break;
        if (event.version <= up_to && (type.len == 0 || str_equal(event.type, type)))
            add_between(append, &event);
    }
    return ALS_OK;
}

static err explain_version(struct store *store, struct append *append, struct view view,
                           struct als_why *why)
{
    const struct append_event *event = &append->events[append->index];
    if (event->expected_version < 0 || (uint64_t)event->expected_version >= append->actual_version)
        return ALS_OK;
    append->between_total = append->actual_version - (uint64_t)event->expected_version;
    struct cursor_bounds bounds = {.up_to = UINT64_MAX, .descending = true};
    str entity = record_entity(draft_record(append, append->index));
    TRY(cursor_over_entity(store->cursor, view, entity, bounds, why));
    TRY(collect(store, append, append->actual_version, (str){NULL, 0}, why));
    if (append->between_count > append->between_total) // those before were expected
        append->between_count = (uint32_t)append->between_total;
    return ALS_OK;
}

static err explain_condition(struct store *store, struct append *append, struct view view,
                             struct als_why *why)
{
    const struct append_condition *condition = &append->conditions[append->index];
    struct cursor_bounds bounds = {
        .after = condition->after, .up_to = UINT64_MAX, .descending = true};
    struct cursor *cursor = store->cursor;
    bool any = condition->entity.len == 0 && condition->type.len == 0;
    if (condition->entity.len)
        TRY(cursor_over_entity(cursor, view, condition->entity, bounds, why));
    else if (condition->type.len)
        TRY(cursor_over_types(cursor, view, &condition->type, 1, bounds, why));
    else
        TRY(cursor_over_all(cursor, view, bounds, why));
    TRY(collect(store, append, UINT64_MAX, condition->type, why));
    append->between_total = any ? view.position - condition->after : append->between_count;
    return ALS_OK;
}

// What cannot be told, because it cannot be read, is left out: the refusal stands.
void judge_explain(struct store *store, struct append *append)
{
    if (append->code != ALS_VERSION_CONFLICT && append->code != ALS_CONDITION_FAILED)
        return;
    struct view view = view_pin(store);
    if (append->code == ALS_VERSION_CONFLICT)
        (void)explain_version(store, append, view, NULL);
    else
        (void)explain_condition(store, append, view, NULL);
    cursor_reset(store->cursor);
    view_unpin(view);
}
