// SPDX-License-Identifier: Apache-2.0
// Checking a store that nobody has open: the manifest, every segment that it has with the index
// beside it, then the log behind them. All events pass by in order; what is looked at on the way is
// that positions and the versions of entities go on as they should.
#include "store/inside.h"

#include "base/hash.h"
#include "event/event.h"
#include "os/os.h"
#include "wal/wal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The last version of each entity, by the hash of its name. That two of n names have the same one
// happens once in 2^65 / n^2 histories.
struct versions {
    struct version_slot {
        uint64_t hash; // 0: free
        als_version version;
    } * slots;
    size_t used, room; // a power of two
    uint64_t seed;
};

struct verifying {
    struct os *os;
    struct os_dir *dir, *segments_dir, *log_dir;
    str tenant;
    struct segment_cache *cache;
    struct manifest *manifest;
    bool bytes_only; // versions are not followed
    struct versions versions;
    als_position position;
    bool sealed;                      // what is taken comes from segments
    uint64_t removed;                 // that the manifest tells of
    uint64_t holes, versions_missing; // in what is there
    store_each *each;
    void *context;
    struct store_verdict *verdict;
};

// ---- Versions

static struct version_slot *slot_of(const struct versions *versions, uint64_t hash)
{
    size_t at = hash & (versions->room - 1);
    while (versions->slots[at].hash && versions->slots[at].hash != hash)
        at = (at + 1) & (versions->room - 1);
    return &versions->slots[at];
}

static err grow(struct versions *versions, struct als_why *why)
{
    if (versions->used * 4 < versions->room * 3)
        return ALS_OK;
    struct versions larger = {.room = versions->room ? versions->room * 2 : 1024,
                              .used = versions->used,
                              .seed = versions->seed};
    larger.slots = calloc(larger.room, sizeof larger.slots[0]);
    if (!larger.slots)
        return FAIL(why, ALS_NO_MEMORY, "the versions of %zu entities", versions->used);
    for (size_t i = 0; i < versions->room; i++)
        if (versions->slots[i].hash)
            *slot_of(&larger, versions->slots[i].hash) = versions->slots[i];
    free(versions->slots);
    *versions = larger;
    return ALS_OK;
}

static err check_version(struct verifying *verifying, const struct als_event *event,
                         struct als_why *why)
{
    struct versions *versions = &verifying->versions;
    TRY(grow(versions, why));
    uint64_t hash = hash_bytes(event->entity.ptr, event->entity.len, versions->seed);
    struct version_slot *slot = slot_of(versions, hash ? hash : 1);
    versions->used += slot->hash == 0;
    slot->hash = hash ? hash : 1;
    als_version expected = slot->version + 1;
    slot->version = event->version;
    if (verifying->sealed && event->version > expected)
        verifying->versions_missing += event->version - expected;
    else if (event->version != expected)
        return FAIL(why, ALS_CORRUPT, "event %llu has version %llu of its entity, expected %llu",
                    (unsigned long long)event->position, (unsigned long long)event->version,
                    (unsigned long long)expected);
    return ALS_OK;
}

static err take(struct verifying *verifying, const struct als_event *event, struct als_why *why)
{
    if (verifying->sealed && event->position > verifying->position)
        verifying->holes += event->position - verifying->position - 1;
    else if (event->position != verifying->position + 1)
        return FAIL(why, ALS_CORRUPT, "the history goes on with position %llu after %llu",
                    (unsigned long long)event->position, (unsigned long long)verifying->position);
    if (!verifying->bytes_only)
        TRY(check_version(verifying, event, why));
    verifying->position = event->position;
    verifying->verdict->events++;
    return verifying->each ? verifying->each(verifying->context, event, why) : ALS_OK;
}

// ---- Segments

__attribute__((format(printf, 2, 3))) static void set_file(struct store_verdict *verdict,
                                                           const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(verdict->file, sizeof verdict->file, format, arguments);
    va_end(arguments);
}

static err take_row(void *context, const struct als_event *event, struct als_why *why)
{
    struct verifying *verifying = context;
    struct als_event whole = *event;
    whole.tenant = verifying->tenant;
    return take(verifying, &whole, why);
}

static bool same_facts(const struct segment_facts *a, const struct segment_facts *b)
{
    return a->first == b->first && a->last == b->last && a->rows == b->rows &&
           a->bytes == b->bytes && memcmp(a->identity, b->identity, sizeof a->identity) == 0;
}

static err verify_segment(struct verifying *verifying, const struct manifest_entry *entry,
                          struct als_why *why)
{
    char space[SEGMENT_NAME_MAX];
    str name = part_name(&entry->facts, ".parquet", space);
    set_file(verifying->verdict, "segments/%.*s", STR(name));
    AUTO(segment) segment = NULL;
    TRY(segment_open(verifying->os, verifying->segments_dir, name, verifying->cache, &segment,
                     why));
    if (!same_facts(segment_facts(segment), &entry->facts))
        return FAIL(why, ALS_CORRUPT, "the segment is not the one that the manifest names");
    TRY(segment_verify(segment, take_row, verifying, why));
    verifying->verdict->files++;
    verifying->verdict->bytes += entry->facts.bytes;
    verifying->verdict->file[0] = '\0';
    return ALS_OK;
}

// An index that is absent or damaged grows back: it is told, and no damage.
static err verify_index(struct verifying *verifying, const struct manifest_entry *entry,
                        struct als_why *why)
{
    char space[SEGMENT_NAME_MAX];
    str name = part_name(&entry->facts, ".idx", space);
    AUTO(index_file) file = NULL;
    err code = index_file_open(verifying->os, verifying->segments_dir, name, entry->facts.identity,
                               &file, why);
    if (code == ALS_OK)
        code = index_file_verify(file, why);
    if (code == ALS_NOT_FOUND)
        return ALS_OK;
    if (code == ALS_CORRUPT && verifying->verdict->finding == STORE_SOUND) {
        verifying->verdict->finding = STORE_INDEX_DAMAGED;
        set_file(verifying->verdict, "segments/%.*s", STR(name));
        code = ALS_OK;
    }
    if (code == ALS_OK) {
        verifying->verdict->files++;
        verifying->verdict->bytes += file ? index_file_bytes(file) : 0;
    }
    return code;
}

// Each removed event has left a hole, and a newer one of its entity with a greater version.
static err check_removed(const struct verifying *verifying, struct als_why *why)
{
    uint64_t removed = verifying->removed;
    if (verifying->holes != removed)
        return FAIL(why, ALS_CORRUPT, "%llu sealed positions have no event, %llu were removed",
                    (unsigned long long)verifying->holes, (unsigned long long)removed);
    if (!verifying->bytes_only && verifying->versions_missing != removed)
        return FAIL(why, ALS_CORRUPT, "%llu sealed versions have no event, %llu were removed",
                    (unsigned long long)verifying->versions_missing, (unsigned long long)removed);
    return ALS_OK;
}

static err verify_segments(struct verifying *verifying, struct als_why *why)
{
    struct store_verdict index = *verifying->verdict;
    size_t count;
    const struct manifest_entry *entries = manifest_entries(verifying->manifest, &count);
    if (count)
        TRY(verifying->os->dir_open(verifying->os, verifying->dir, S("segments"), false,
                                    &verifying->segments_dir, why));
    verifying->sealed = true;
    for (size_t i = 0; i < count; i++) {
        verifying->removed += entries[i].removed;
        TRY(verify_segment(verifying, &entries[i], why));
        TRY(verify_index(verifying, &entries[i], why));
        if (verifying->verdict->finding == STORE_INDEX_DAMAGED && index.finding == STORE_SOUND)
            index = *verifying->verdict; // the first one is told, unless there is worse to come
    }
    if (index.finding == STORE_INDEX_DAMAGED)
        memcpy(verifying->verdict->file, index.file, sizeof index.file);
    verifying->sealed = false;
    return check_removed(verifying, why);
}

// ---- Logs

static err take_batch(void *context, const struct wal_batch *batch, struct als_why *why)
{
    struct verifying *verifying = context;
    if (batch->first + batch->count - 1 <= manifest_sealed(verifying->manifest))
        return ALS_OK; // in a segment
    TRY(batch_check(batch->body, batch->size, batch->count, why));
    const uint8_t *record = batch->body + BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < batch->count; i++, record = record_next(record)) {
        struct als_event event;
        record_decode(record, batch->first + i, &event);
        event.tenant = verifying->tenant;
        TRY(take(verifying, &event, why));
    }
    return ALS_OK;
}

// What a log's verdict adds to the store's.
static err judge_log(struct store_verdict *verdict, const char *where,
                     const struct wal_verdict *found)
{
    verdict->files += found->report.files;
    verdict->bytes += found->report.bytes;
    if (found->finding == WAL_SOUND)
        return ALS_OK;
    set_file(verdict, "%s/%.*s", where, STR(found->file));
    verdict->offset = found->offset;
    if (found->finding == WAL_DAMAGED)
        return ALS_CORRUPT;
    verdict->finding = STORE_TORN;
    verdict->torn_bytes = found->report.torn_bytes;
    return ALS_OK;
}

static err verify_manifest(struct verifying *verifying, struct als_why *why)
{
    struct wal_verdict found = {.file = {NULL, 0}};
    TRY(manifest_read(verifying->os, verifying->dir, verifying->tenant, &found,
                      &verifying->manifest, why));
    return judge_log(verifying->verdict, "manifest", &found);
}

static err verify_log(struct verifying *verifying, struct als_why *why)
{
    struct wal_verdict found = {.file = {NULL, 0}};
    TRY(verifying->os->dir_open(verifying->os, verifying->dir, S("wal"), false, &verifying->log_dir,
                                why));
    TRY(wal_verify(verifying->os, verifying->log_dir, take_batch, verifying, &found, why));
    TRY(judge_log(verifying->verdict, "wal", &found));
    als_position sealed = manifest_sealed(verifying->manifest);
    if (verifying->position < sealed)
        return FAIL(why, ALS_CORRUPT, "the history ends at position %llu, but was sealed to %llu",
                    (unsigned long long)verifying->position, (unsigned long long)sealed);
    return ALS_OK;
}

static err verify_all(struct verifying *verifying, struct als_why *why)
{
    verifying->cache = segment_cache_new(STORE_CACHE_BYTES);
    if (!verifying->cache)
        return FAIL(why, ALS_NO_MEMORY, "a store cannot be checked");
    verifying->os->entropy(verifying->os, &verifying->versions.seed,
                           sizeof verifying->versions.seed);
    TRY(verify_manifest(verifying, why));
    TRY(verify_segments(verifying, why));
    return verify_log(verifying, why);
}

static err verify(struct verifying *verifying, struct store_verdict *ret_verdict,
                  struct als_why *why)
{
    *ret_verdict = (struct store_verdict){.finding = STORE_SOUND};
    verifying->verdict = ret_verdict;
    err code = verify_all(verifying, why);
    manifest_close(verifying->manifest);
    segment_cache_free(verifying->cache);
    free(verifying->versions.slots);
    if (verifying->segments_dir)
        verifying->os->dir_close(verifying->segments_dir);
    if (verifying->log_dir)
        verifying->os->dir_close(verifying->log_dir);
    return code;
}

err store_verify(struct os *os, struct os_dir *dir, str tenant, store_each *each, void *context,
                 struct store_verdict *ret_verdict, struct als_why *why)
{
    struct verifying verifying = {
        .os = os, .dir = dir, .tenant = tenant, .each = each, .context = context};
    return verify(&verifying, ret_verdict, why);
}

err store_verify_bytes(struct os *os, struct os_dir *dir, str tenant, store_each *each,
                       void *context, struct store_verdict *ret_verdict, struct als_why *why)
{
    struct verifying verifying = {.os = os,
                                  .dir = dir,
                                  .tenant = tenant,
                                  .each = each,
                                  .context = context,
                                  .bytes_only = true};
    return verify(&verifying, ret_verdict, why);
}
