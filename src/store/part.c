// SPDX-License-Identifier: Apache-2.0
// Parts live as long as a list has them, and lists as long as a view or the store has them. A hot
// part that dies gives back its index and lets go of its stretch of the log; a sealed one that was
// replaced takes its files with it.
#include "store/part.h"

#include "event/event.h"
#include "os/os.h"
#include "store/inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct part *part_new(struct store *store, als_position first)
{
    struct part *part = calloc(1, sizeof *part);
    if (!part)
        return NULL;
    atomic_store(&part->refs, 1);
    part->store = store;
    part->first = first;
    lock_init(&part->open_lock, LOCK_PART);
    return part;
}

// What the log must keep is what the parts that live still read from it.
static void tell_needed_locked(struct store *store)
{
    als_position needed = UINT64_MAX;
    for (const struct part *hot = store->hot; hot; hot = hot->next_hot)
        needed = hot->first < needed ? hot->first : needed;
    atomic_store(&store->log_needed, needed);
}

static void link_hot(struct store *store, struct part *part)
{
    lock_take(&store->view_lock);
    part->next_hot = store->hot;
    if (store->hot)
        store->hot->prior_hot = part;
    store->hot = part;
    tell_needed_locked(store);
    lock_release(&store->view_lock);
}

static void unlink_hot(struct store *store, struct part *part)
{
    lock_take(&store->view_lock);
    if (part->next_hot)
        part->next_hot->prior_hot = part->prior_hot;
    if (part->prior_hot)
        part->prior_hot->next_hot = part->next_hot;
    else
        store->hot = part->next_hot;
    tell_needed_locked(store);
    lock_release(&store->view_lock);
}

struct part *part_new_hot(struct store *store, als_position first)
{
    AUTO(part) part = part_new(store, first);
    if (!part)
        return NULL;
    part->index = index_new(first, store->seed);
    if (!part->index)
        return NULL;
    link_hot(store, part);
    return MOVE(part);
}

struct part *part_new_sealed(struct store *store, const struct manifest_entry *entry)
{
    struct part *part = part_new(store, entry->facts.first);
    if (!part)
        return NULL;
    part->facts = entry->facts;
    part->facts.tenant = store_tenant(store);
    part->new_types = entry->new_types;
    part->removed = entry->removed;
    part->removed_at = entry->removed_at;
    return part;
}

struct manifest_entry part_entry(const struct part *part)
{
    return (struct manifest_entry){.facts = part->facts,
                                   .new_types = part->new_types,
                                   .removed = part->removed,
                                   .removed_at = part->removed_at};
}

struct part *part_ref(struct part *part)
{
    atomic_fetch_add_explicit(&part->refs, 1, memory_order_relaxed);
    return part;
}

void part_remove_files(const struct part *part)
{
    char space[SEGMENT_NAME_MAX];
    struct store *store = part->store;
    (void)store->os->dir_unlink(store->segments_dir, part_name(&part->facts, ".idx", space), NULL);
    (void)store->os->dir_unlink(store->segments_dir, part_name(&part->facts, ".parquet", space),
                                NULL);
}

void part_unref(struct part *part)
{
    if (!part || atomic_fetch_sub(&part->refs, 1) != 1)
        return;
    if (part->index) {
        unlink_hot(part->store, part);
        index_free(part->index);
    }
    index_file_close(part->file);
    segment_close(part->segment);
    struct part *origin = part->origin;
    bool dropped = atomic_load(&part->dropped);
    if (dropped && !origin)
        part_remove_files(part);
    lock_deinit(&part->open_lock);
    free(part->type_bytes);
    free(part);
    if (!origin)
        return;
    if (dropped)
        atomic_store(&origin->dropped, true);
    part_unref(origin); // which has none itself
}

str part_name(const struct segment_facts *facts, const char *suffix,
              char space[static SEGMENT_NAME_MAX])
{
    int len = snprintf(space, SEGMENT_NAME_MAX, "%016llx-%016llx-%08llx%s",
                       (unsigned long long)facts->first, (unsigned long long)facts->last,
                       (unsigned long long)facts->generation, suffix);
    return (str){space, (size_t)len};
}

// ---- Opening

static struct segment_place place_of(const struct part *part)
{
    struct store *store = part->store;
    return (struct segment_place){store->os, store->segments_dir, store->cache};
}

err part_segment_apart(struct part *part, struct segment_cache *cache, struct segment **ret_segment,
                       struct als_why *why)
{
    struct segment_place place = place_of(part);
    place.cache = cache;
    return named_segment_open(&place, &part->facts, ret_segment, why);
}

err part_segment(struct part *part, struct segment **ret_segment, struct als_why *why)
{
    assert(part_is_sealed(part));
    struct segment *segment = atomic_load_explicit(&part->segment, memory_order_acquire);
    if (!segment) {
        lock_take(&part->open_lock);
        segment = atomic_load(&part->segment);
        struct segment_place place = place_of(part);
        err code = segment ? ALS_OK : named_segment_open(&place, &part->facts, &segment, why);
        atomic_store_explicit(&part->segment, segment, memory_order_release);
        lock_release(&part->open_lock);
        TRY(code);
    }
    *ret_segment = segment;
    return ALS_OK;
}

static err open_index(struct part *part, struct index_file **ret_file, struct als_why *why)
{
    struct store *store = part->store;
    char space[SEGMENT_NAME_MAX];
    str name = part_name(&part->facts, ".idx", space);
    err code =
        index_file_open(store->os, store->segments_dir, name, part->facts.identity, ret_file, why);
    if (code != ALS_NOT_FOUND && code != ALS_CORRUPT && code != ALS_FORMAT_TOO_NEW)
        return code;
    struct segment_place place = place_of(part);
    uint64_t bytes;
    TRY(index_make_anew(&place, &part->facts, &bytes, why));
    return index_file_open(store->os, store->segments_dir, name, part->facts.identity, ret_file,
                           why);
}

// The system maps 64 KiB where one block is looked at, so about 32 MiB are resident at most, and
// the filters.
enum { INDEX_BLOCKS_RESIDENT = 512 };

static void forget_indexes(struct store *store)
{
    if (atomic_exchange(&store->index_blocks, 0) == 0)
        return; // somebody else is at it
    struct view view = view_pin(store);
    for (uint32_t i = 0; i < view.parts->count; i++) {
        struct index_file *file = atomic_load(&view.parts->items[i]->file);
        if (file)
            index_file_forget(file);
    }
    view_unpin(view);
}

static err open_file(struct part *part, struct als_why *why)
{
    struct index_file *file = NULL;
    err code = ALS_OK;
    lock_take(&part->open_lock);
    if (!atomic_load(&part->file)) { // nobody was faster
        code = open_index(part, &file, why);
        if (code == ALS_OK)
            index_file_count(file, &part->store->index_blocks);
        atomic_store_explicit(&part->file, file, memory_order_release);
    }
    lock_release(&part->open_lock);
    return code;
}

// Short where there is nothing to do: an append asks for the files of all parts.
err part_file(struct part *part, struct index_file **ret_file, struct als_why *why)
{
    struct store *store = part->store;
    assert(part_is_sealed(part));
    if (!atomic_load_explicit(&part->file, memory_order_acquire))
        TRY(open_file(part, why));
    if (atomic_load_explicit(&store->index_blocks, memory_order_relaxed) >= INDEX_BLOCKS_RESIDENT)
        forget_indexes(store);
    *ret_file = atomic_load_explicit(&part->file, memory_order_acquire);
    return ALS_OK;
}

// ---- Lists

struct parts *parts_new(uint32_t room)
{
    struct parts *parts = malloc(sizeof *parts + room * sizeof(struct part *));
    if (!parts)
        return NULL;
    atomic_init(&parts->refs, 1);
    parts->count = 0;
    parts->room = room;
    return parts;
}

void parts_add(struct parts *parts, struct part *part)
{
    assert(parts->count < parts->room);
    parts->items[parts->count++] = part;
}

void parts_fill(struct parts *parts, const struct parts *old, struct parts_change change)
{
    assert(parts->count == 0 && change.at + change.removed <= old->count);
    for (uint32_t i = 0; i < change.at; i++)
        parts_add(parts, part_ref(old->items[i]));
    if (change.added)
        parts_add(parts, part_ref(change.added));
    for (uint32_t i = change.at + change.removed; i < old->count; i++)
        parts_add(parts, part_ref(old->items[i]));
}

void parts_unref(struct parts *parts)
{
    if (!parts || atomic_fetch_sub(&parts->refs, 1) != 1)
        return;
    for (uint32_t i = 0; i < parts->count; i++)
        part_unref(parts->items[i]);
    free(parts);
}

// ---- Looking

err parts_version(const struct parts *parts, uint32_t end, str entity, als_position up_to,
                  als_version *ret_version, struct als_why *why)
{
    for (uint32_t i = end; i-- > 0;) {
        struct part *part = parts->items[i];
        if (!part_is_sealed(part)) {
            const struct index_list *list = index_find(part->index, INDEX_ENTITY, entity);
            if (!list)
                continue;
            *ret_version =
                index_before(list) + index_list_count_to(list, index_base(part->index), up_to);
            return ALS_OK;
        }
        struct index_rows rows;
        struct index_file *file;
        if (part_denies(part, INDEX_ENTITY, entity))
            continue;
        TRY(part_file(part, &file, why));
        TRY(index_file_find(file, INDEX_ENTITY, entity, &rows, why));
        if (rows.count == 0)
            continue;
        *ret_version = rows.last_version;
        return ALS_OK;
    }
    *ret_version = 0;
    return ALS_OK;
}

err parts_have_type(const struct parts *parts, uint32_t end, str type, bool *ret_have,
                    struct als_why *why)
{
    bool have = false;
    for (uint32_t i = end; i-- > 0 && !have;) {
        struct part *part = parts->items[i];
        struct index_rows rows = {.count = 0};
        if (part_is_sealed(part)) {
            struct index_file *file;
            TRY(part_file(part, &file, why));
            TRY(index_file_find(file, INDEX_TYPE, type, &rows, why));
        }
        have = part_is_sealed(part) ? rows.count > 0
                                    : index_find(part->index, INDEX_TYPE, type) != NULL;
    }
    *ret_have = have;
    return ALS_OK;
}

bool same_id(const uint8_t *record, const void *id)
{
    als_id found = record_id(record);
    return memcmp(found.bytes, id, sizeof found.bytes) == 0;
}

enum { CANDIDATES = 16 };

static err find_sealed(struct part *part, const struct id_question *question,
                       struct segment_reader **reader, struct als_event *ret_event,
                       struct als_why *why)
{
    uint32_t rows[CANDIDATES];
    size_t found;
    struct index_file *file;
    struct segment *segment = NULL;
    if (part_denies_id(part, &question->id))
        return ALS_OK;
    TRY(part_file(part, &file, why));
    TRY(index_file_find_id(file, question->id, rows, COUNT_OF(rows), &found, why));
    if (found == 0)
        return ALS_OK;
    TRY(part_segment(part, &segment, why));
    if (!*reader && !(*reader = segment_reader_new()))
        return FAIL(why, ALS_NO_MEMORY, "a segment cannot be read");
    for (size_t i = 0; i < found; i++) {
        struct als_event event;
        TRY(segment_read(*reader, segment, rows[i], NULL, &event, why));
        if (memcmp(event.id.bytes, question->id.bytes, sizeof event.id.bytes) == 0 &&
            event.position <= question->up_to) {
            *ret_event = event;
            ret_event->tenant = store_tenant(part->store);
            return ALS_OK;
        }
    }
    if (found == COUNT_OF(rows)) // as good as impossible, and not to be guessed at
        return FAIL(why, ALS_INDEX, "more than %d events may have the id", CANDIDATES);
    return ALS_OK;
}

err part_find_id(struct part *part, struct id_question question, struct segment_reader **reader,
                 struct als_event *ret_event, struct als_why *why)
{
    ret_event->position = 0;
    if (part_is_sealed(part))
        return find_sealed(part, &question, reader, ret_event, why);
    als_position position =
        index_find_id(part->index, question.hash, question.up_to, same_id, question.id.bytes);
    if (position == 0)
        return ALS_OK;
    record_decode(index_record(part->index, position), position, ret_event);
    ret_event->tenant = store_tenant(part->store);
    return ALS_OK;
}
