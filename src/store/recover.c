// SPDX-License-Identifier: Apache-2.0
// Opening: the segments that the manifest has, then the log behind them. What of the log is sealed
// already is passed over; so what is read is as long as the tail, however long the history is.
#include "store/inside.h"
#include "store/manifest.h"
#include "store/part.h"

#include "base/mutant.h"
#include "event/event.h"
#include "os/os.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// ---- What recovery and turns have in common

static err count_before(struct store *store, enum index_by by, str name, uint64_t *ret_before,
                        struct als_why *why)
{
    const struct parts *parts = store->turn.parts;
    uint32_t end = parts->count - 1; // the last one is being filled
    if (MUTANT(STORE_FORGETS_PARTS)) {
        *ret_before = 0;
        return ALS_OK;
    }
    if (by == INDEX_ENTITY)
        return parts_version(parts, end, name, UINT64_MAX, ret_before, why);
    bool have;
    TRY(parts_have_type(parts, end, name, &have, why));
    *ret_before = have;
    return ALS_OK;
}

err find_list(struct store *store, enum index_by by, str name, uint64_t hash,
              struct index_list **ret_list, struct als_why *why)
{
    struct index_list *list = index_list_of(store->filling->index, by, name, hash);
    if (!list)
        return FAIL(why, ALS_NO_MEMORY, "the index cannot grow");
    if (!index_has_before(list)) {
        uint64_t before = 0;
        if (store->turn.parts->count > 1)
            TRY(count_before(store, by, name, &before, why));
        index_set_before(list, before);
    }
    *ret_list = list;
    return ALS_OK;
}

static bool is_new(const struct index_list *list)
{
    return index_before(list) == 0 && index_list_count(list) == 0;
}

void count_names(struct store *store, const struct index_list *entity,
                 const struct index_list *type)
{
    if (is_new(entity))
        atomic_fetch_add_explicit(&store->entities, 1, memory_order_relaxed);
    if (is_new(type)) {
        atomic_fetch_add_explicit(&store->types, 1, memory_order_relaxed);
        store->filling->new_types++;
    }
}

static uint64_t growing_events(const struct store *store)
{
    return store_position(store) + 1 - store->filling->first;
}

static bool is_full(const struct store *store)
{
    uint64_t events = growing_events(store);
    return events > 0 && (store->filled_bytes >= store->options.seal_bytes ||
                          events >= store->options.seal_events);
}

// When sealing does not keep up, parts grow instead of becoming more.
static bool has_many_hot(struct store *store)
{
    uint32_t hot = 0;
    lock_take(&store->view_lock);
    for (uint32_t i = store->parts->count; i-- > 0 && !part_is_sealed(store->parts->items[i]);)
        hot++;
    lock_release(&store->view_lock);
    return hot >= HOT_PARTS_MAX;
}

static void roll(struct store *store)
{
    if (has_many_hot(store))
        return;
    // What is sealed must be durable, and the log need not know of the segment.
    bool later = store->options.sync == STORE_SYNC_LATER && store->log;
    if (later && store->log->settle(store->log, NULL) != ALS_OK)
        return;
    AUTO(part) part = part_new_hot(store, store_position(store) + 1);
    if (!part || store_extend(store, part, NULL) != ALS_OK)
        return;
    store->filling = part;
    store->filled_bytes = 0;
    atomic_store(&store->closed, part->first - 1);
}

void roll_when_full(struct store *store)
{
    if (is_full(store))
        roll(store);
}

void store_end_stretch(struct store *store)
{
    if (growing_events(store) > 0 && !store_has_failed(store))
        roll(store);
}

// ---- The log

// What came before an entity's first event of the part is what that event says: to look for it in
// the segments would make opening as slow as there are entities in the log.
static err recover_lists(struct store *store, const uint8_t *record, struct index_list **ret_lists,
                         struct als_why *why)
{
    struct index *index = store->filling->index;
    str entity = record_entity(record), type = record_type(record);
    struct index_list *list =
        index_list_of(index, INDEX_ENTITY, entity, index_hash_name(index, entity));
    if (!list)
        return FAIL(why, ALS_NO_MEMORY, "the index cannot grow");
    if (!index_has_before(list))
        index_set_before(list, record_version(record) - 1);
    ret_lists[INDEX_ENTITY] = list;
    return find_list(store, INDEX_TYPE, type, index_hash_name(index, type), &ret_lists[INDEX_TYPE],
                     why);
}

static err recover_event(struct store *store, als_position position, const uint8_t *record,
                         struct als_why *why)
{
    struct index *index = store->filling->index;
    struct index_list *lists[2];
    TRY(recover_lists(store, record, lists, why));
    TRY(index_reserve(index, lists[INDEX_ENTITY], why));
    TRY(index_reserve(index, lists[INDEX_TYPE], why));
    als_version version = index_before(lists[INDEX_ENTITY]) + index_pending(lists[INDEX_ENTITY]);
    if (version != record_version(record))
        return FAIL(why, ALS_CORRUPT, "event %llu has version %llu of its entity, expected %llu",
                    (unsigned long long)position, (unsigned long long)record_version(record),
                    (unsigned long long)version);
    TRY(index_place(index, position, record, why));
    if (!MUTANT(STORE_IDS_NOT_RECOVERED))
        TRY(index_add_id(index, index_hash_id(index, record_id(record)), position, why));
    count_names(store, lists[INDEX_ENTITY], lists[INDEX_TYPE]);
    index_publish(index, INDEX_ENTITY, lists[INDEX_ENTITY], position);
    index_publish(index, INDEX_TYPE, lists[INDEX_TYPE], position);
    return ALS_OK;
}

static err recover_batch(struct store *store, const struct log_record *found, struct als_why *why)
{
    const uint8_t *batch = (const uint8_t *)found->body.ptr;
    TRY(batch_check(batch, found->body.len, found->count, why));
    const uint8_t *record = batch + BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < found->count; i++, record = record_next(record))
        TRY(recover_event(store, found->first + i, record, why));
    return ALS_OK;
}

static err recover_record(void *context, const struct log_record *found, struct als_why *why)
{
    struct store *store = context;
    als_position last = store_position(store);
    if (found->first + found->count - 1 <= atomic_load(&store->sealed))
        return ALS_OK; // in a segment
    if (found->first != last + 1)
        return FAIL(why, ALS_CORRUPT, "the log goes on with position %llu after %llu",
                    (unsigned long long)found->first, (unsigned long long)last);
    roll_when_full(store);
    store->turn = view_pin(store);
    err code = recover_batch(store, found, why);
    view_unpin(store->turn);
    TRY(code);
    store->filled_bytes += found->body.len;
    if (found->recorded_us > store->recorded_us)
        store->recorded_us = found->recorded_us;
    atomic_store_explicit(&store->position, last + found->count, memory_order_release);
    return ALS_OK;
}

// ---- Segments

// A file of the directory is one that the manifest has, or a leftover of ours, or nothing to us.
enum { SWEEP_LEFTOVERS = 32 };
struct sweep {
    const struct manifest_entry *entries;
    size_t count;
    bool *found; // one a segment
    char leftovers[SWEEP_LEFTOVERS][SEGMENT_NAME_MAX + 1];
    size_t leftover_count;
};

static bool is_file_of(str name, const struct segment_facts *facts, const char *suffix)
{
    char space[SEGMENT_NAME_MAX];
    return str_equal(name, part_name(facts, suffix, space));
}

// Names begin with their first position in digits of equal number, so entries can be searched.
static size_t find_entry(const struct sweep *sweep, str name)
{
    size_t low = 0, high = sweep->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        char space[SEGMENT_NAME_MAX];
        str entry = part_name(&sweep->entries[middle].facts, "", space);
        if (str_compare(entry, str_first(name, entry.len)) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool sweep_entry(void *context, const struct os_entry *entry)
{
    struct sweep *sweep = context;
    size_t at = find_entry(sweep, entry->name);
    if (at < sweep->count) {
        const struct segment_facts *facts = &sweep->entries[at].facts;
        if (is_file_of(entry->name, facts, ".parquet"))
            return sweep->found[at] = true;
        if (is_file_of(entry->name, facts, ".idx"))
            return true;
    }
    bool ours = str_ends(entry->name, S(".parquet")) || str_ends(entry->name, S(".idx")) ||
                str_ends(entry->name, S(".new"));
    if (!ours || entry->directory || entry->name.len > SEGMENT_NAME_MAX)
        return true;
    char *leftover = sweep->leftovers[sweep->leftover_count++];
    memcpy(leftover, entry->name.ptr, entry->name.len);
    leftover[entry->name.len] = '\0';
    return sweep->leftover_count < SWEEP_LEFTOVERS;
}

// Removes leftovers, a few at a time: a directory is not changed while it is listed.
static err sweep_files(struct store *store, struct sweep *sweep, struct als_why *why)
{
    do {
        sweep->leftover_count = 0;
        TRY(store->os->dir_list(store->segments_dir, sweep_entry, sweep, why));
        for (size_t i = 0; i < sweep->leftover_count; i++)
            TRY(store->os->dir_unlink(store->segments_dir, str_of(sweep->leftovers[i]), why));
    } while (sweep->leftover_count == SWEEP_LEFTOVERS);
    for (size_t i = 0; i < sweep->count; i++) {
        char space[SEGMENT_NAME_MAX];
        if (!sweep->found[i])
            return FAIL(why, ALS_CORRUPT, "segment %.*s is missing; restore it from a backup",
                        STR(part_name(&sweep->entries[i].facts, ".parquet", space)));
    }
    return ALS_OK;
}

// Every segment of the manifest is there, and nothing else is.
static err check_files(struct store *store, const struct manifest_entry *entries, size_t count,
                       struct als_why *why)
{
    err code =
        store->os->dir_open(store->os, store->dir, S("segments"), false, &store->segments_dir, why);
    if (code == ALS_NOT_FOUND && count == 0)
        return ALS_OK;
    TRY(code);
    struct sweep sweep = {.entries = entries, .count = count};
    sweep.found = calloc(count + 1, sizeof sweep.found[0]);
    if (!sweep.found)
        return FAIL(why, ALS_NO_MEMORY, "a list of %zu segments", count);
    code = sweep_files(store, &sweep, why);
    free(sweep.found);
    return code;
}

static void count_entry(struct store *store, const struct manifest_entry *entry)
{
    atomic_fetch_add(&store->entities, entry->facts.new_entities);
    atomic_fetch_add(&store->types, entry->new_types);
    atomic_fetch_add(&store->removed, entry->removed);
    store->recorded_us = entry->facts.recorded_last_us;
}

// The sealed parts, and an empty one behind them for the log's events.
static err make_parts(struct store *store, const struct manifest_entry *entries, size_t count,
                      struct als_why *why)
{
    store->parts = parts_new((uint32_t)count + 1);
    for (size_t i = 0; store->parts && i < count; i++) {
        struct part *part = part_new_sealed(store, &entries[i]);
        if (!part)
            return FAIL(why, ALS_NO_MEMORY, "a list of %zu segments", count);
        parts_add(store->parts, part);
        count_entry(store, &entries[i]);
    }
    atomic_store(&store->closed, store_position(store));
    store->filling = store->parts ? part_new_hot(store, store_position(store) + 1) : NULL;
    if (!store->filling)
        return FAIL(why, ALS_NO_MEMORY, "store '%.*s' cannot be opened", STR(store_tenant(store)));
    parts_add(store->parts, store->filling);
    return ALS_OK;
}

err recover(struct store *store, struct store_report *ret_report, struct als_why *why)
{
    uint64_t file_bytes = store->options.wal_file_bytes;
    file_bytes = file_bytes < MANIFEST_FILE_BYTES ? file_bytes : MANIFEST_FILE_BYTES;
    TRY(manifest_open(store->os, store->dir, store->options.tenant, file_bytes, &store->manifest,
                      why));
    size_t count;
    const struct manifest_entry *entries = manifest_entries(store->manifest, &count);
    TRY(check_files(store, entries, count, why));
    atomic_store(&store->sealed, manifest_sealed(store->manifest));
    atomic_store(&store->position, manifest_sealed(store->manifest));
    TRY(make_parts(store, entries, count, why));
    TRY(file_log_open(store->os, store->dir, store->options, recover_record, store, ret_report,
                      &store->log, why));
    als_position sealed = manifest_sealed(store->manifest);
    als_position last = store->log->head(store->log).position;
    if (last < sealed)
        return FAIL(why, ALS_CORRUPT,
                    "the log ends at position %llu, but segments have events up to %llu: a part of "
                    "it is missing; restore it from a backup",
                    (unsigned long long)last, (unsigned long long)sealed);
    ret_report->segments = count;
    ret_report->events = store_position(store);
    return ALS_OK;
}
