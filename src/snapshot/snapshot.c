// SPDX-License-Identifier: Apache-2.0
// Making, forgetting and cleaning. A file is cleaned when less than a quarter of it is in the
// directory: what is in there is appended to the last file, and when that is durable, the file
// goes. A crash in between leaves records twice, with the same serial, which counts once. What says
// that older records of an entity are void moves on, too, as long as there is an older file.
#include "snapshot/inside.h"

#include "base/mutant.h"
#include "base/uuid.h"
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

enum { LIVE_SHARE = 4 }; // a file with less than one part in so many alive is mostly garbage

err snapshots_new(struct os *os, struct os_dir *dir, struct store *store,
                  struct snapshots_options options, struct snapshots **ret_snapshots,
                  struct als_why *why)
{
    assert(options.per_entity >= 1 && options.per_entity <= SNAPSHOTS_PER_ENTITY_MAX);
    struct snapshots *snapshots = calloc(1, sizeof *snapshots);
    if (!snapshots)
        return FAIL(why, ALS_NO_MEMORY, "no memory for snapshots");
    snapshots->os = os;
    snapshots->tenant_dir = dir;
    snapshots->store = store;
    snapshots->options = options;
    snapshots->directory.entries_max = options.count_max;
    lock_init(&snapshots->writer, LOCK_SNAPSHOT_WRITER);
    lock_init(&snapshots->lock, LOCK_SNAPSHOTS);
    *ret_snapshots = snapshots;
    return ALS_OK;
}

void snapshots_close(struct snapshots *snapshots)
{
    if (!snapshots)
        return;
    if (!MUTANT(SNAPSHOT_STOP_NOT_SYNCED))
        (void)files_sync(snapshots, NULL); // what is lost is made again
    files_close(snapshots);
    directory_deinit(&snapshots->directory);
    lock_deinit(&snapshots->writer);
    lock_deinit(&snapshots->lock);
    free(snapshots);
}

struct snapshots_stat snapshots_stat(struct snapshots *snapshots)
{
    struct snapshots_stat stat = {};
    lock_take(&snapshots->lock);
    stat.count = snapshots->directory.count;
    stat.entities = snapshots->directory.group_count;
    stat.files = snapshots->file_count;
    for (size_t i = 0; i < snapshots->file_count; i++) {
        stat.bytes += snapshots->files[i]->end;
        stat.live_bytes += snapshots->files[i]->live;
    }
    lock_release(&snapshots->lock);
    return stat;
}

// ---- Making

err snapshot_make(struct snapshots *snapshots, struct state *state, str entity, als_position as_of,
                  enum snapshot_kind kind, struct snapshot *ret_snapshot, struct als_why *why)
{
    struct state_bounds bounds = {.entity = entity, .as_of_us = INT64_MAX, .as_of = as_of};
    TRY(state_fold(state, snapshots, snapshots->store, &bounds, why));
    const struct folded *folded = state_folded(state);
    str json = state_json(state);
    if (folded->event_count == 0)
        return FAIL(why, ALS_ENTITY_NOT_FOUND, "%.*s", STR(entity));
    if (json.len > snapshots->options.state_bytes)
        return FAIL(why, ALS_TOO_LARGE, "a state of %zu bytes is not saved, only up to %llu",
                    json.len, (unsigned long long)snapshots->options.state_bytes);
    struct os *os = snapshots->os;
    uint8_t random[10];
    os->entropy(os, random, sizeof random);
    int64_t now_us = os->now_us(os);
    struct record record = {.snapshot = {.id = uuid_v7(now_us, random),
                                         .kind = kind,
                                         .created_us = now_us,
                                         .folded = *folded,
                                         .json_len = (uint32_t)json.len,
                                         .entity_len = (uint8_t)entity.len}};
    memcpy(record.snapshot.entity, entity.ptr, entity.len); // it has events, so its name is short
    files_load(snapshots);
    lock_take(&snapshots->writer);
    err code = files_append(snapshots, &record, json, why);
    lock_release(&snapshots->writer);
    if (code == ALS_OK)
        *ret_snapshot = record.snapshot;
    return code;
}

// ---- Forgetting

err snapshot_delete(struct snapshots *snapshots, str entity, uint64_t *ret_count,
                    struct als_why *why)
{
    files_load(snapshots);
    uint64_t hash = store_hash_name(snapshots->store, entity);
    lock_take(&snapshots->writer);
    lock_take(&snapshots->lock);
    const struct group *group = directory_find(&snapshots->directory, hash);
    uint64_t count = group ? group->count : 0;
    lock_release(&snapshots->lock);
    err code = ALS_OK;
    if (count) {
        struct record record = {.forget = true};
        record.snapshot.entity_len = (uint8_t)entity.len;
        memcpy(record.snapshot.entity, entity.ptr, entity.len);
        code = files_append(snapshots, &record, (str){NULL, 0}, why);
    }
    lock_release(&snapshots->writer);
    if (code == ALS_OK)
        *ret_count = count;
    return code;
}

// ---- Being due

// Since when the newest snapshot of the entity counts as young; `now_us` when there is none, for
// the first that comes will be younger. When it is due it counts as young from now on.
static int64_t young_since(struct snapshots *snapshots, uint64_t hash, int64_t now_us,
                           int64_t age_us, bool *ret_due)
{
    lock_take(&snapshots->lock);
    struct group *group = directory_find(&snapshots->directory, hash);
    int64_t since_us = now_us;
    if (group) {
        since_us = snapshots->directory.entries[group->first].created_us;
        since_us = group->asked_us > since_us ? group->asked_us : since_us;
    }
    *ret_due = now_us - since_us >= age_us;
    if (*ret_due)
        group->asked_us = since_us = now_us;
    lock_release(&snapshots->lock);
    return since_us;
}

bool snapshots_due(struct snapshots *snapshots, struct due_memory *memory, str entity,
                   int64_t recorded_us, uint32_t seconds)
{
    int64_t age_us = (int64_t)seconds * 1'000'000;
    uint64_t hash = store_hash_name(snapshots->store, entity);
    size_t place = hash % SNAPSHOT_DUE_REMEMBERED;
    if (memory->answers[place].hash == hash && recorded_us < memory->answers[place].before_us)
        return false;
    bool due;
    files_load(snapshots);
    int64_t since_us = young_since(snapshots, hash, recorded_us, age_us, &due);
    memory->answers[place].hash = hash;
    memory->answers[place].before_us = since_us + age_us;
    return due;
}

// ---- Cleaning. The writer's lock is held throughout.

static struct snapshot_file *find_victim(struct snapshots *snapshots)
{
    for (size_t i = 0; i < snapshots->file_count; i++) {
        struct snapshot_file *file = snapshots->files[i];
        if (file != snapshots->active && !file->unread && file->live * LIVE_SHARE < file->end)
            return file;
    }
    return NULL;
}

static bool find_live(struct snapshots *snapshots, const struct snapshot_file *file,
                      const struct record *record, struct entry *ret_entry)
{
    uint64_t hash = store_hash_name(snapshots->store, record_entity_of(record));
    bool live = false;
    lock_take(&snapshots->lock);
    const struct directory *directory = &snapshots->directory;
    const struct group *group = directory_find(directory, hash);
    for (uint32_t at = group ? group->first : 0; at && !live; at = directory->entries[at].next) {
        *ret_entry = directory->entries[at];
        live = ret_entry->file == file && ret_entry->serial == record->serial;
    }
    lock_release(&snapshots->lock);
    return live;
}

static err move_record(struct snapshots *snapshots, const struct snapshot_file *file,
                       struct record *record, struct buf *json, struct als_why *why)
{
    struct entry entry;
    if (record->forget) {
        bool needed = file != snapshots->files[0] && !MUTANT(SNAPSHOT_FORGET_LOST);
        return needed ? files_append(snapshots, record, (str){NULL, 0}, why) : ALS_OK;
    }
    if (!find_live(snapshots, file, record, &entry))
        return ALS_OK;
    err code = files_read(snapshots, &entry, record, json, why);
    if (code == ALS_CORRUPT)
        return ALS_OK; // it goes with the file
    TRY(code);
    return files_append(snapshots, record, buf_str(json), why);
}

static err move_all(struct snapshots *snapshots, struct snapshot_file *file, struct als_why *why)
{
    struct buf json;
    buf_init(&json, snapshots->options.state_bytes);
    struct record record;
    err code = ALS_OK;
    uint64_t offset = FILE_HEAD_BYTES;
    while (code == ALS_OK && offset < file->end) {
        code = files_read_top(snapshots, file, offset, &record, why);
        if (code != ALS_OK)
            break;
        offset += record_bytes(&record);
        code = move_record(snapshots, file, &record, &json, why);
    }
    buf_deinit(&json);
    return code == ALS_CORRUPT ? ALS_OK : code; // what is damaged goes with the file
}

bool snapshots_clean(struct snapshots *snapshots, struct als_why *why)
{
    files_load(snapshots);
    lock_take(&snapshots->writer);
    struct snapshot_file *victim = find_victim(snapshots);
    err code = victim ? move_all(snapshots, victim, why) : ALS_NOT_FOUND;
    if (code == ALS_OK && !MUTANT(SNAPSHOT_REWRITE_NOT_SYNCED))
        code = files_sync(snapshots, why);
    if (code == ALS_OK)
        code = files_remove(snapshots, victim, why);
    lock_release(&snapshots->writer);
    return code == ALS_OK;
}
