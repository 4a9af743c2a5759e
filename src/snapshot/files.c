// SPDX-License-Identifier: Apache-2.0
// Files that are only appended to, numbered from 1. Nothing refers from one file to another, each
// record says all of itself, and the directory is built from their heads; so what is left of a
// crash is simply the records that are whole. Behind the last whole record of a file nothing is
// read, and the next one is written there: older bytes that show behind it are records that were
// once written with this file's salt, or nothing.
#include "snapshot/inside.h"

#include "base/mutant.h"
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

// ---- Readers

bool files_pick(struct snapshots *snapshots, uint64_t hash, entry_passes *passes,
                const void *context, struct entry *ret_entry)
{
    lock_take(&snapshots->lock);
    const struct directory *directory = &snapshots->directory;
    const struct group *group = directory_find(directory, hash);
    uint32_t at = group ? group->first : 0;
    while (at && !passes(&directory->entries[at], context))
        at = directory->entries[at].next;
    if (at) {
        *ret_entry = directory->entries[at];
        ret_entry->file->readers++;
    }
    lock_release(&snapshots->lock);
    return at != 0;
}

static void file_free(struct snapshots *snapshots, struct snapshot_file *file)
{
    snapshots->os->file_close(file->file);
    free(file);
}

void files_unpin(struct snapshots *snapshots, const struct entry *entry)
{
    lock_take(&snapshots->lock);
    struct snapshot_file *file = entry->file;
    bool last = --file->readers == 0 && file->removed;
    lock_release(&snapshots->lock);
    if (last)
        file_free(snapshots, file);
}

err files_read_top(struct snapshots *snapshots, const struct snapshot_file *file, uint64_t offset,
                   struct record *ret_record, struct als_why *why)
{
    uint8_t top[RECORD_TOP_BYTES_MAX];
    size_t got;
    TRY(snapshots->os->file_read(file->file, offset, top, sizeof top, &got, why));
    if (!record_decode_top(top, got, file->salt, ret_record))
        return FAIL(why, ALS_CORRUPT, "there is no snapshot");
    return ALS_OK;
}

err files_read(struct snapshots *snapshots, const struct entry *entry, struct record *ret_record,
               struct buf *json, struct als_why *why)
{
    struct record record;
    TRY(files_read_top(snapshots, entry->file, entry->offset, &record, why));
    if (record.serial != entry->serial)
        return FAIL(why, ALS_CORRUPT, "a snapshot is damaged");
    uint32_t len = record.snapshot.json_len;
    if (json) {
        buf_reset(json);
        char *room = buf_room(json, len);
        if (!room)
            return FAIL(why, ALS_NO_MEMORY, "no memory for a snapshot of %u bytes", len);
        size_t got;
        uint64_t at = entry->offset + RECORD_HEAD_BYTES + record.snapshot.entity_len;
        TRY(snapshots->os->file_read(entry->file->file, at, room, len, &got, why));
        buf_grew(json, got);
        if (!record_json_is_whole(&record, buf_str(json), entry->file->salt))
            return FAIL(why, ALS_CORRUPT, "a snapshot is damaged");
    }
    *ret_record = record;
    return ALS_OK;
}

static uint32_t find_locked(const struct snapshots *snapshots, uint64_t hash, uint64_t serial)
{
    const struct group *group = directory_find(&snapshots->directory, hash);
    uint32_t at = group ? group->first : 0;
    while (at && snapshots->directory.entries[at].serial != serial)
        at = snapshots->directory.entries[at].next;
    return at;
}

void files_drop(struct snapshots *snapshots, uint64_t hash, uint64_t serial)
{
    lock_take(&snapshots->lock);
    uint32_t at = find_locked(snapshots, hash, serial);
    if (at)
        directory_drop(&snapshots->directory, at);
    lock_release(&snapshots->lock);
}

void files_prove(struct snapshots *snapshots, uint64_t hash, uint64_t serial)
{
    lock_take(&snapshots->lock);
    uint32_t at = find_locked(snapshots, hash, serial);
    if (at)
        snapshots->directory.entries[at].proven = true;
    lock_release(&snapshots->lock);
}

// ---- The list of files; changed under both locks

static err list_add(struct snapshots *snapshots, struct snapshot_file *file)
{
    if (snapshots->file_count == snapshots->file_room) {
        size_t room = snapshots->file_room ? snapshots->file_room * 2 : 16;
        struct snapshot_file **files =
            realloc(snapshots->files, room * sizeof(struct snapshot_file *));
        if (!files)
            return ALS_NO_MEMORY;
        snapshots->files = files;
        snapshots->file_room = room;
    }
    snapshots->files[snapshots->file_count++] = file;
    return ALS_OK;
}

err files_remove(struct snapshots *snapshots, struct snapshot_file *file, struct als_why *why)
{
    char space[SNAPSHOT_NAME_MAX];
    TRY(snapshots->os->dir_unlink(snapshots->dir, snapshot_file_name(file->number, space), why));
    lock_take(&snapshots->lock);
    directory_drop_file(&snapshots->directory, file);
    size_t at = 0;
    while (snapshots->files[at] != file)
        at++;
    snapshots->file_count--;
    memmove(snapshots->files + at, snapshots->files + at + 1,
            (snapshots->file_count - at) * sizeof(struct snapshot_file *));
    if (snapshots->active == file)
        snapshots->active = NULL;
    file->removed = true;
    bool unread = file->readers == 0;
    lock_release(&snapshots->lock);
    if (unread)
        file_free(snapshots, file);
    return ALS_OK;
}

err files_sync(struct snapshots *snapshots, struct als_why *why)
{
    for (size_t i = 0; i < snapshots->file_count; i++) {
        struct snapshot_file *file = snapshots->files[i];
        if (!file->dirty)
            continue;
        TRY(snapshots->os->file_sync(file->file, why));
        file->dirty = false;
    }
    if (snapshots->names_dirty && !MUTANT(SNAPSHOT_NAME_NOT_SYNCED))
        TRY(snapshots->os->dir_sync(snapshots->dir, why));
    snapshots->names_dirty = false;
    return ALS_OK;
}

void files_close(struct snapshots *snapshots)
{
    for (size_t i = 0; i < snapshots->file_count; i++) {
        assert(snapshots->files[i]->readers == 0);
        file_free(snapshots, snapshots->files[i]);
    }
    free(snapshots->files);
    if (snapshots->dir)
        snapshots->os->dir_close(snapshots->dir);
}

// ---- Loading

static struct entry entry_of(const struct snapshots *snapshots, const struct record *record,
                             struct snapshot_file *file, uint64_t offset)
{
    const struct folded *folded = &record->snapshot.folded;
    return (struct entry){.hash = store_hash_name(snapshots->store, record_entity_of(record)),
                          .bytes = (uint32_t)record_bytes(record),
                          .file = file,
                          .offset = offset,
                          .serial = record->serial,
                          .position = folded->position,
                          .version = folded->version,
                          .as_of_us = folded->as_of_us,
                          .greatest_us = folded->greatest_us,
                          .created_us = record->snapshot.created_us};
}

// A record that finds no place in a full directory is garbage.
static void load_record(struct snapshots *snapshots, const struct record *record,
                        struct snapshot_file *file)
{
    if (record->serial > snapshots->serial)
        snapshots->serial = record->serial;
    struct entry entry = entry_of(snapshots, record, file, file->end);
    if (record->forget)
        (void)directory_forget(&snapshots->directory, entry.hash, entry.serial);
    else
        (void)directory_add(&snapshots->directory, &entry, snapshots->options.per_entity);
}

static void load_records(struct snapshots *snapshots, struct snapshot_file *file, uint64_t size)
{
    struct record record;
    err code;
    while ((code = files_read_top(snapshots, file, file->end, &record, NULL)) == ALS_OK) {
        if (file->end + record_bytes(&record) > size)
            return;
        load_record(snapshots, &record, file);
        file->end += record_bytes(&record);
    }
    file->unread = code != ALS_CORRUPT; // there may be more
}

// Without a good head the file is garbage, unless a later version wrote it.
static bool load_file(struct snapshots *snapshots, struct snapshot_file *file)
{
    struct os *os = snapshots->os;
    char space[SNAPSHOT_NAME_MAX];
    uint8_t head[FILE_HEAD_BYTES];
    uint64_t size;
    size_t got;
    if (os->file_open(snapshots->dir, snapshot_file_name(file->number, space), OS_READ_WRITE,
                      &file->file, NULL) != ALS_OK)
        return false;
    bool read = os->file_size(file->file, &size, NULL) == ALS_OK &&
                os->file_read(file->file, 0, head, sizeof head, &got, NULL) == ALS_OK;
    enum file_head kind = FILE_HEAD_TORN;
    if (read && got == sizeof head)
        kind = file_head_decode(head, file->number, &file->salt);
    if (!read || kind == FILE_HEAD_FOREIGN) {
        os->file_close(file->file);
        return false;
    }
    file->end = FILE_HEAD_BYTES;
    if (kind == FILE_HEAD_TORN)
        return true;
    load_records(snapshots, file, size);
    if (!file->unread && file->end < snapshots->options.file_bytes)
        snapshots->active = file;
    return true;
}

struct numbers {
    uint64_t *items;
    size_t count, room;
};

static bool note_number(void *context, const struct os_entry *entry)
{
    struct numbers *numbers = context;
    uint64_t number;
    if (entry->directory || !snapshot_file_number(entry->name, &number))
        return true;
    if (numbers->count == numbers->room) {
        size_t room = numbers->room ? numbers->room * 2 : 16;
        uint64_t *items = realloc(numbers->items, room * sizeof *items);
        if (!items)
            return false;
        numbers->items = items;
        numbers->room = room;
    }
    numbers->items[numbers->count++] = number;
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void load_all(struct snapshots *snapshots)
{
    struct numbers numbers = {};
    struct os *os = snapshots->os;
    if (os->dir_open(os, snapshots->tenant_dir, S("snapshots"), false, &snapshots->dir, NULL) !=
        ALS_OK)
        return; // none yet, or unreadable: then a new one will be tried
    (void)os->dir_list(snapshots->dir, note_number, &numbers, NULL); // what is not seen is not used
    if (numbers.count)
        qsort(numbers.items, numbers.count, sizeof *numbers.items, by_number);
    for (size_t i = 0; i < numbers.count; i++) {
        struct snapshot_file *file = calloc(1, sizeof *file);
        if (!file)
            break;
        snapshots->active = NULL; // only the last file grows
        snapshots->number = file->number = numbers.items[i];
        if (load_file(snapshots, file) && list_add(snapshots, file) == ALS_OK)
            continue;
        free(file);
    }
    free(numbers.items);
}

void files_load(struct snapshots *snapshots)
{
    if (atomic_load(&snapshots->loaded))
        return;
    lock_take(&snapshots->writer);
    lock_take(&snapshots->lock);
    if (!atomic_load(&snapshots->loaded))
        load_all(snapshots);
    atomic_store(&snapshots->loaded, true);
    lock_release(&snapshots->lock);
    lock_release(&snapshots->writer);
}

// ---- Appending

static err make_file(struct snapshots *snapshots, struct als_why *why)
{
    struct os *os = snapshots->os;
    if (!snapshots->dir)
        TRY(os->dir_open(os, snapshots->tenant_dir, S("snapshots"), true, &snapshots->dir, why));
    struct snapshot_file *file = calloc(1, sizeof *file);
    if (!file)
        return FAIL(why, ALS_NO_MEMORY, "a file of snapshots cannot be made");
    char space[SNAPSHOT_NAME_MAX];
    uint8_t head[FILE_HEAD_BYTES];
    uint64_t epoch;
    os->entropy(os, &epoch, sizeof epoch);
    *file = (struct snapshot_file){.number = ++snapshots->number, .end = FILE_HEAD_BYTES};
    file_head_encode(file->number, epoch, head);
    (void)file_head_decode(head, file->number, &file->salt); // our own, so it is good
    str name = snapshot_file_name(file->number, space);
    err code = os->file_open(snapshots->dir, name, OS_CREATE, &file->file, why);
    if (code != ALS_OK) {
        free(file);
        return code;
    }
    code = os_write_one(os, file->file, 0, (str){(const char *)head, sizeof head}, why);
    lock_take(&snapshots->lock);
    if (code == ALS_OK)
        code = list_add(snapshots, file);
    lock_release(&snapshots->lock);
    if (code != ALS_OK) {
        file_free(snapshots, file);
        (void)os->dir_unlink(snapshots->dir, name, NULL); // if it stays, it is garbage
        return code;
    }
    snapshots->active = file;
    snapshots->names_dirty = true;
    return ALS_OK;
}

static uint64_t bytes_of(const struct snapshots *snapshots)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < snapshots->file_count; i++)
        bytes += snapshots->files[i]->end;
    return bytes;
}

// Room in the directory and on the disk, and a file to append to.
static err make_room(struct snapshots *snapshots, struct als_why *why)
{
    const struct snapshots_options *options = &snapshots->options;
    while (snapshots->file_count && (snapshots->directory.count >= options->count_max ||
                                     bytes_of(snapshots) > options->bytes_max))
        TRY(files_remove(snapshots, snapshots->files[0], why));
    if (snapshots->active && snapshots->active->end < options->file_bytes)
        return ALS_OK;
    return make_file(snapshots, why);
}

err files_append(struct snapshots *snapshots, struct record *record, str json, struct als_why *why)
{
    static const char zeros[8];
    TRY(make_room(snapshots, why));
    struct snapshot_file *file = snapshots->active;
    if (record->serial == 0)
        record->serial = ++snapshots->serial;
    uint8_t top[RECORD_TOP_BYTES_MAX];
    size_t top_len = record_encode(record, json, file->salt, top);
    uint64_t bytes = record_bytes(record);
    str slices[] = {{(const char *)top, top_len}, json, {zeros, bytes - top_len - json.len}};
    file->dirty = true;
    err code = snapshots->os->file_write(file->file, file->end, slices, COUNT_OF(slices), why);
    if (code != ALS_OK) {
        snapshots->active = NULL; // nobody knows what is at its end
        return code;
    }
    struct entry entry = entry_of(snapshots, record, file, file->end);
    entry.proven = true;
    lock_take(&snapshots->lock);
    file->end += bytes;
    if (record->forget)
        (void)directory_forget(&snapshots->directory, entry.hash, entry.serial);
    else
        code = directory_add(&snapshots->directory, &entry, snapshots->options.per_entity);
    lock_release(&snapshots->lock);
    return code == ALS_OK ? ALS_OK : FAIL(why, code, "no memory for one more snapshot");
}
