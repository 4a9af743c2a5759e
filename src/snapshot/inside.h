// SPDX-License-Identifier: Apache-2.0
// What the files of this room share: the bytes of a file, the directory in memory, the files.
#pragma once

#include "base/buf.h"
#include "base/lock.h"
#include "os/os.h"
#include "snapshot/snapshot.h"

#include <stdatomic.h>

// ---- format.c: bytes

enum {
    FILE_HEAD_BYTES = 64,
    RECORD_HEAD_BYTES = 128,
    RECORD_TOP_BYTES_MAX = RECORD_HEAD_BYTES + ENTITY_BYTES_MAX,
    RECORD_FORGET = 255, // in place of a kind: older records of the entity are void
};

struct record {
    struct snapshot snapshot;
    uint64_t serial; // records are counted through all files; one that is moved keeps its own
    bool forget;
    uint32_t json_crc;
};

static inline uint64_t record_bytes(const struct record *record)
{
    uint64_t bytes =
        RECORD_HEAD_BYTES + (uint64_t)record->snapshot.entity_len + record->snapshot.json_len;
    return (bytes + 7) / 8 * 8;
}
static inline str record_entity_of(const struct record *record)
{
    return (str){record->snapshot.entity, record->snapshot.entity_len};
}

void file_head_encode(uint64_t number, uint64_t epoch, uint8_t bytes[static FILE_HEAD_BYTES]);
enum file_head { FILE_HEAD_GOOD, FILE_HEAD_TORN, FILE_HEAD_FOREIGN }; // foreign: of a later version
// `*ret_salt` begins every checksum in the file.
enum file_head file_head_decode(const uint8_t bytes[static FILE_HEAD_BYTES], uint64_t number,
                                uint32_t *ret_salt);
// Head and name; returns their length. The JSON follows, then zeros up to a multiple of 8.
size_t record_encode(const struct record *record, str json, uint32_t salt,
                     uint8_t bytes[static RECORD_TOP_BYTES_MAX]);
// `len` bytes from where a record should begin. False when there is no whole head.
bool record_decode_top(const uint8_t *bytes, size_t len, uint32_t salt, struct record *ret_record);
bool record_json_is_whole(const struct record *record, str json, uint32_t salt);

enum { SNAPSHOT_NAME_MAX = 32 };
str snapshot_file_name(uint64_t number, char space[static SNAPSHOT_NAME_MAX]);
bool snapshot_file_number(str name, uint64_t *ret_number);

// ---- directory.c: what is where

struct snapshot_file {
    uint64_t number;
    uint64_t end;  // behind the last record
    uint64_t live; // bytes of the records that are in the directory
    uint32_t salt;
    uint32_t readers; // guarded by the lock
    bool removed;     // closed when the last reader goes
    bool unread;      // the disk could not read it: it is left alone
    bool dirty;       // written since its last sync; the writer's
    struct os_file *file;
};

struct entry {
    uint64_t hash; // of the entity's name
    uint32_t next; // the one before it of the same entity, or the next free one; 0: none
    uint32_t bytes;
    struct snapshot_file *file; // NULL: free
    uint64_t offset;
    uint64_t serial;
    als_position position;
    als_version version;
    int64_t as_of_us, greatest_us, created_us;
    bool proven; // its last event is in the log
};

struct group { // of an entity
    uint64_t hash;
    uint32_t first; // newest; 0: the place is free
    uint32_t count;
    int64_t asked_us; // when it was last called due
};

struct directory {
    struct entry *entries; // 1...; 0 is none
    uint32_t entry_count, entry_room, entries_max, free;
    uint32_t count;
    struct group *groups; // open addressing, a power of two
    uint32_t group_count, group_room;
};

void directory_deinit(struct directory *directory);
struct group *directory_find(const struct directory *directory, uint64_t hash); // NULL: none
// Adds it in its place, the greatest position first; an entry of the same serial is replaced, and
// what is then one too many goes. ALS_NO_MEMORY; ALS_TOO_LARGE when it is full.
err directory_add(struct directory *directory, const struct entry *entry, uint32_t per_entity);
void directory_drop(struct directory *directory, uint32_t index);
// Those of an entity that are older than `serial`; returns how many.
uint32_t directory_forget(struct directory *directory, uint64_t hash, uint64_t serial);
void directory_drop_file(struct directory *directory, const struct snapshot_file *file);

// ---- files.c

struct snapshots {
    struct os *os;
    struct os_dir *tenant_dir, *dir; // dir: NULL before there is one
    struct store *store;
    struct snapshots_options options;

    struct lock writer; // LOCK_SNAPSHOT_WRITER: one at a time appends, cleans, loads
    struct lock lock;   // LOCK_SNAPSHOTS: guards the directory and the list of files
    atomic_bool loaded;
    struct directory directory;
    struct snapshot_file **files; // oldest first
    size_t file_count, file_room;
    struct snapshot_file *active; // the last one, when it may be appended to
    bool names_dirty;             // a name is not durable yet
    uint64_t serial;              // of the last record
    uint64_t number;              // of the last file
};

// Reads the heads of all records, once.
void files_load(struct snapshots *snapshots);
// Appends and enters it in the directory. Gives the record a serial unless it has one. The caller
// has the writer's lock.
err files_append(struct snapshots *snapshots, struct record *record, str json, struct als_why *why);
// Makes everything that was written durable. The caller has the writer's lock.
err files_sync(struct snapshots *snapshots, struct als_why *why);
// Takes the file out of the list and off the disk. The caller has the writer's lock.
err files_remove(struct snapshots *snapshots, struct snapshot_file *file, struct als_why *why);
void files_close(struct snapshots *snapshots);

// A copy of the newest entry of the entity that passes, its file kept for reading until
// files_unpin(). False: there is none.
typedef bool entry_passes(const struct entry *entry, const void *context);
bool files_pick(struct snapshots *snapshots, uint64_t hash, entry_passes *passes,
                const void *context, struct entry *ret_entry);
void files_unpin(struct snapshots *snapshots, const struct entry *entry);
// The record of an entry, and its JSON when `json` is not NULL. ALS_CORRUPT.
err files_read(struct snapshots *snapshots, const struct entry *entry, struct record *ret_record,
               struct buf *json, struct als_why *why);
// The top of what may be a record at `offset`. ALS_CORRUPT: it is none.
err files_read_top(struct snapshots *snapshots, const struct snapshot_file *file, uint64_t offset,
                   struct record *ret_record, struct als_why *why);
// An entry that turned out to be useless is dropped; one whose event was found says so.
void files_drop(struct snapshots *snapshots, uint64_t hash, uint64_t serial);
void files_prove(struct snapshots *snapshots, uint64_t hash, uint64_t serial);

// ---- state.c

// Reads the record of an entry that is kept for reading, and its JSON when `with_json`.
// ALS_NOT_FOUND: it is damaged or of another history, and not in the directory any more.
err state_use(struct state *state, struct snapshots *snapshots, const struct entry *entry,
              bool with_json, struct record *ret_record, struct als_why *why);
