// SPDX-License-Identifier: Apache-2.0
// A record of the log is one change: the generations that go, and the entries that come. Now and
// then it is the whole list instead, so that what lies before it may be trimmed and the manifest of
// an old store is read as quickly as that of a young one.
//
// A change:  at 0  u16 format, 1      at 2  u16 kind (1 change, 2 whole list)
//            at 4  u32 how many go    at 8  u32 how many come    at 12 u32 0
//            at 16 u64 the next generation
//            at 24 u64 the last position that ever was in a segment
//            at 32 u64 generations of those that go, then entries of ENTRY_BYTES, by position
#include "store/manifest.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mutant.h"
#include "os/os.h"
#include "wal/wal.h"

#include <assert.h>
#include <stdlib.h>

enum { FORMAT = 1, HEAD_BYTES = 32, ENTRY_BYTES = 128, REMOVED_AT = 112 };
enum { KIND_CHANGE = 1, KIND_LIST = 2 };
// A whole list is written when so many changes more than there are segments lie behind the last.
enum { CHANGES_BEFORE_LIST = 256 };

struct manifest {
    struct os *os;
    struct os_dir *parent, *dir; // `dir` and `wal` are NULL while there has been no change
    struct wal *wal;
    str tenant;
    struct manifest_entry *entries;
    size_t count, room;
    uint64_t generation;
    als_position sealed;
    size_t changes;      // behind the last whole list
    uint64_t file_bytes; // of its log
    bool seen, begun;    // a record; the first one of all, or a whole list
    struct buf record;
};

// ---- Bytes

static void encode_entry(uint8_t *at, const struct manifest_entry *entry)
{
    const struct segment_facts *facts = &entry->facts;
    uint64_t numbers[] = {facts->first,
                          facts->last,
                          facts->rows,
                          (uint64_t)facts->least_us,
                          (uint64_t)facts->greatest_us,
                          (uint64_t)facts->recorded_first_us,
                          (uint64_t)facts->recorded_last_us,
                          facts->new_entities,
                          entry->new_types,
                          facts->bytes,
                          facts->raw_bytes,
                          facts->generation};
    static_assert(sizeof numbers + sizeof facts->identity == REMOVED_AT);
    memset(at, 0, ENTRY_BYTES);
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        store_le64(at + i * 8, numbers[i]);
    memcpy(at + sizeof numbers, facts->identity, sizeof facts->identity);
    store_le64(at + REMOVED_AT, entry->removed);
    store_le64(at + REMOVED_AT + 8, entry->removed_at);
}

static void decode_entry(const uint8_t *at, struct manifest_entry *entry)
{
    struct segment_facts *facts = &entry->facts;
    *facts = (struct segment_facts){.first = load_le64(at),
                                    .last = load_le64(at + 8),
                                    .rows = load_le64(at + 16),
                                    .least_us = (int64_t)load_le64(at + 24),
                                    .greatest_us = (int64_t)load_le64(at + 32),
                                    .recorded_first_us = (int64_t)load_le64(at + 40),
                                    .recorded_last_us = (int64_t)load_le64(at + 48),
                                    .new_entities = load_le64(at + 56),
                                    .bytes = load_le64(at + 72),
                                    .raw_bytes = load_le64(at + 80),
                                    .generation = load_le64(at + 88)};
    entry->new_types = load_le64(at + 64);
    memcpy(facts->identity, at + 96, sizeof facts->identity);
    entry->removed = load_le64(at + REMOVED_AT);
    entry->removed_at = load_le64(at + REMOVED_AT + 8);
}

static err bad(const char *what, struct als_why *why)
{
    return FAIL(why, ALS_CORRUPT, "the manifest is damaged: %s; restore it from a backup", what);
}

// ---- The list in memory

static err make_room(struct manifest *manifest, size_t more, struct als_why *why)
{
    size_t room = manifest->count + more;
    if (room <= manifest->room)
        return ALS_OK;
    room = room < 2 * manifest->room ? 2 * manifest->room : room + 8;
    struct manifest_entry *entries = realloc(manifest->entries, room * sizeof *entries);
    if (!entries)
        return FAIL(why, ALS_NO_MEMORY, "a list of %zu segments", room);
    manifest->entries = entries;
    manifest->room = room;
    return ALS_OK;
}

// There is room.
static void splice(struct manifest *manifest, const struct manifest_change *change)
{
    struct manifest_entry *at = manifest->entries + change->at;
    size_t behind = manifest->count - change->at - change->removed;
    if (behind)
        memmove(at + change->added_count, at + change->removed, behind * sizeof *at);
    if (change->added_count)
        memcpy(at, change->added, change->added_count * sizeof *at);
    manifest->count = change->at + change->added_count + behind;
}

// Entries lie one behind the other, and no generation is one that is to come.
static err check_list(const struct manifest *manifest, struct als_why *why)
{
    for (size_t i = 0; i < manifest->count; i++) {
        const struct segment_facts *facts = &manifest->entries[i].facts;
        if (facts->first == 0 || facts->first > facts->last || facts->rows == 0 ||
            facts->rows > facts->last - facts->first + 1)
            return bad("a segment has impossible positions", why);
        if (i > 0 && manifest->entries[i - 1].facts.last >= facts->first)
            return bad("two segments have the same position", why);
        if (facts->generation >= manifest->generation)
            return bad("a segment comes from the future", why);
    }
    if (manifest->count && manifest->entries[manifest->count - 1].facts.last > manifest->sealed)
        return bad("a segment lies behind the end", why);
    return ALS_OK;
}

// ---- Reading

struct reading {
    struct manifest *manifest;
    uint32_t removed, added;
    const uint8_t *generations, *entries;
};

static err read_head(struct reading *reading, const struct wal_batch *batch, bool *ret_list,
                     struct als_why *why)
{
    if (batch->size < HEAD_BYTES)
        return bad("a record is cut", why);
    if (load_le16(batch->body) != FORMAT)
        return FAIL(why, ALS_FORMAT_TOO_NEW,
                    "the manifest was written by a newer version, which must read it");
    uint16_t kind = load_le16(batch->body + 2);
    reading->removed = load_le32(batch->body + 4);
    reading->added = load_le32(batch->body + 8);
    uint64_t size =
        HEAD_BYTES + (uint64_t)reading->removed * 8 + (uint64_t)reading->added * ENTRY_BYTES;
    if ((kind != KIND_CHANGE && kind != KIND_LIST) || size != batch->size)
        return bad("a record has impossible lengths", why);
    reading->generations = batch->body + HEAD_BYTES;
    reading->entries = reading->generations + (size_t)reading->removed * 8;
    *ret_list = kind == KIND_LIST;
    return ALS_OK;
}

static size_t find_generation(const struct manifest *manifest, uint64_t generation)
{
    size_t at = 0;
    while (at < manifest->count && manifest->entries[at].facts.generation != generation)
        at++;
    return at;
}

// Where the first entry of a change belongs when it replaces none.
static size_t place_of(const struct manifest *manifest, als_position first)
{
    size_t at = manifest->count;
    while (at > 0 && manifest->entries[at - 1].facts.first > first)
        at--;
    return at;
}

static err read_change(struct reading *reading, struct als_why *why)
{
    struct manifest *manifest = reading->manifest;
    struct manifest_change change = {.removed = reading->removed, .added_count = reading->added};
    struct manifest_entry *added = malloc((reading->added + 1) * sizeof *added);
    if (!added)
        return FAIL(why, ALS_NO_MEMORY, "a list of %u segments", reading->added);
    for (uint32_t i = 0; i < reading->added; i++)
        decode_entry(reading->entries + (size_t)i * ENTRY_BYTES, &added[i]);
    change.added = added;
    change.at = reading->removed ? find_generation(manifest, load_le64(reading->generations))
                                 : place_of(manifest, reading->added ? added[0].facts.first : 0);
    err code = ALS_OK;
    if (change.at + change.removed > manifest->count)
        code = bad("a segment goes that is not there", why);
    for (uint32_t i = 0; code == ALS_OK && i < reading->removed; i++)
        if (manifest->entries[change.at + i].facts.generation !=
            load_le64(reading->generations + (size_t)i * 8))
            code = bad("a segment goes that is not there", why);
    if (code == ALS_OK)
        code = make_room(manifest, reading->added, why);
    if (code == ALS_OK)
        splice(manifest, &change);
    free(added);
    return code;
}

static err read_record(void *context, const struct wal_batch *batch, struct als_why *why)
{
    struct manifest *manifest = context;
    struct reading reading = {.manifest = manifest};
    bool list;
    TRY(read_head(&reading, batch, &list, why));
    manifest->seen = true;
    // What a trim has left of the time before a whole list tells of segments nobody knows.
    manifest->begun |= list || batch->first == 1;
    if (!manifest->begun)
        return ALS_OK;
    if (list)
        manifest->count = manifest->changes = 0;
    else
        manifest->changes++;
    manifest->generation = load_le64(batch->body + 16);
    manifest->sealed = load_le64(batch->body + 24);
    TRY(read_change(&reading, why));
    return check_list(manifest, why);
}

static err check_begun(const struct manifest *manifest, struct als_why *why)
{
    return !manifest->seen || manifest->begun ? ALS_OK : bad("its beginning is missing", why);
}

static err open_log(struct manifest *manifest, bool create, struct als_why *why)
{
    if (!manifest->dir)
        TRY(manifest->os->dir_open(manifest->os, manifest->parent, S("manifest"), create,
                                   &manifest->dir, why));
    struct wal_options options = {.file_bytes = manifest->file_bytes,
                                  .batch_bytes_max = BATCH_BYTES_MAX,
                                  .label = manifest->tenant};
    struct wal_report report;
    return wal_open(manifest->os, manifest->dir, options, read_record, manifest, &report,
                    &manifest->wal, why);
}

static struct manifest *manifest_new(struct os *os, struct os_dir *dir, str tenant)
{
    struct manifest *manifest = calloc(1, sizeof *manifest);
    if (!manifest)
        return NULL;
    manifest->os = os;
    manifest->parent = dir;
    manifest->tenant = tenant;
    manifest->generation = 1;
    buf_init(&manifest->record, BATCH_BYTES_MAX);
    return manifest;
}

err manifest_open(struct os *os, struct os_dir *dir, str tenant, uint64_t file_bytes,
                  struct manifest **ret_manifest, struct als_why *why)
{
    AUTO(manifest) manifest = manifest_new(os, dir, tenant);
    if (!manifest)
        return FAIL(why, ALS_NO_MEMORY, "the manifest cannot be opened");
    manifest->file_bytes = file_bytes;
    err code = open_log(manifest, false, why);
    if (code != ALS_OK && code != ALS_NOT_FOUND)
        return code;
    TRY(check_begun(manifest, why));
    *ret_manifest = MOVE(manifest);
    return ALS_OK;
}

err manifest_read(struct os *os, struct os_dir *dir, str tenant, struct wal_verdict *ret_verdict,
                  struct manifest **ret_manifest, struct als_why *why)
{
    AUTO(manifest) manifest = manifest_new(os, dir, tenant);
    if (!manifest)
        return FAIL(why, ALS_NO_MEMORY, "the manifest cannot be read");
    err code = os->dir_open(os, dir, S("manifest"), false, &manifest->dir, why);
    if (code == ALS_OK)
        code = wal_verify(os, manifest->dir, read_record, manifest, ret_verdict, why);
    if (code != ALS_OK && code != ALS_NOT_FOUND)
        return code;
    TRY(check_begun(manifest, why));
    *ret_manifest = MOVE(manifest);
    return ALS_OK;
}

void manifest_close(struct manifest *manifest)
{
    if (!manifest)
        return;
    wal_close(manifest->wal);
    if (manifest->dir)
        manifest->os->dir_close(manifest->dir);
    buf_deinit(&manifest->record);
    free(manifest->entries);
    free(manifest);
}

const struct manifest_entry *manifest_entries(const struct manifest *manifest, size_t *ret_count)
{
    *ret_count = manifest->count;
    return manifest->entries;
}

als_position manifest_sealed(const struct manifest *manifest)
{
    return manifest->sealed;
}

bool manifest_failed(const struct manifest *manifest)
{
    return manifest->wal && wal_head(manifest->wal).failed;
}

uint64_t manifest_take_generation(struct manifest *manifest)
{
    return manifest->generation++;
}

// ---- Writing

struct head {
    uint64_t generation;
    als_position sealed;
};

static struct head next_head(const struct manifest *manifest, const struct manifest_change *change)
{
    struct head next = {manifest->generation, manifest->sealed};
    for (size_t i = 0; i < change->added_count; i++) {
        const struct segment_facts *facts = &change->added[i].facts;
        if (facts->generation >= next.generation)
            next.generation = facts->generation + 1;
        if (facts->last > next.sealed)
            next.sealed = facts->last;
    }
    return next;
}

static void put_entries(struct buf *record, const struct manifest_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[ENTRY_BYTES];
        encode_entry(bytes, &entries[i]);
        buf_put(record, bytes, sizeof bytes);
    }
}

static void put_head(struct buf *record, uint16_t kind, size_t removed, size_t added,
                     struct head next)
{
    uint8_t head[HEAD_BYTES] = {0};
    store_le16(head, FORMAT);
    store_le16(head + 2, kind);
    store_le32(head + 4, (uint32_t)removed);
    store_le32(head + 8, (uint32_t)added);
    store_le64(head + 16, next.generation);
    store_le64(head + 24, next.sealed);
    buf_reset(record);
    buf_put(record, head, sizeof head);
}

static err append_record(struct manifest *manifest, struct als_why *why)
{
    if (buf_failed(&manifest->record))
        return FAIL(why, ALS_TOO_LARGE, "the manifest has too many segments");
    struct wal_head head = wal_head(manifest->wal);
    struct wal_draft draft = {.first = head.position + 1,
                              .count = 1,
                              .recorded_us = manifest->os->now_us(manifest->os),
                              .body = buf_str(&manifest->record)};
    const uint8_t *body;
    bool sync = !MUTANT(MANIFEST_NOT_SYNCED);
    TRY(wal_append(manifest->wal, head.batch, &draft, 1, sync, &body, why));
    return ALS_OK;
}

// That the list is not written now is no harm: the changes before it are all there.
static void write_list(struct manifest *manifest)
{
    als_position before = wal_head(manifest->wal).position;
    put_head(&manifest->record, KIND_LIST, 0, manifest->count,
             (struct head){manifest->generation, manifest->sealed});
    put_entries(&manifest->record, manifest->entries, manifest->count);
    if (append_record(manifest, NULL) != ALS_OK)
        return;
    manifest->changes = 0;
    (void)wal_trim(manifest->wal, before, NULL); // what stays is read once more, no harm either
}

err manifest_begin(struct manifest *manifest, const struct manifest_entry *entries, size_t count,
                   als_position sealed, struct als_why *why)
{
    assert(!manifest->seen && manifest->count == 0);
    TRY(open_log(manifest, true, why));
    TRY(make_room(manifest, count, why));
    struct manifest_change change = {.added = entries, .added_count = count};
    splice(manifest, &change);
    manifest->generation = next_head(manifest, &change).generation;
    manifest->sealed = sealed;
    put_head(&manifest->record, KIND_LIST, 0, count, (struct head){manifest->generation, sealed});
    put_entries(&manifest->record, entries, count);
    TRY(check_list(manifest, why));
    return append_record(manifest, why);
}

err manifest_commit(struct manifest *manifest, const struct manifest_change *change,
                    struct als_why *why)
{
    assert(change->at + change->removed <= manifest->count);
    if (!manifest->wal)
        TRY(open_log(manifest, true, why));
    TRY(make_room(manifest, change->added_count, why));
    struct head next = next_head(manifest, change);
    put_head(&manifest->record, KIND_CHANGE, change->removed, change->added_count, next);
    for (size_t i = 0; i < change->removed; i++) {
        uint8_t bytes[8];
        store_le64(bytes, manifest->entries[change->at + i].facts.generation);
        buf_put(&manifest->record, bytes, sizeof bytes);
    }
    put_entries(&manifest->record, change->added, change->added_count);
    TRY(append_record(manifest, why));
    splice(manifest, change);
    manifest->generation = next.generation;
    manifest->sealed = next.sealed;
    if (++manifest->changes > manifest->count + CHANGES_BEFORE_LIST)
        write_list(manifest);
    return ALS_OK;
}
