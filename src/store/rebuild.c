// SPDX-License-Identifier: Apache-2.0
// Making the index of a segment anew from the segment, all of which is read and checked: of one,
// when it is wanted and of no use, and of all that a store has while nobody has it open.
//
// The new file is written under a name that is used once, synced, and checked against itself; only
// then does it take the old one's place. Whatever fails, and wherever the power goes, there is the
// old index, the new one, or none: and none grows back. A file left behind is removed by the next
// opening, for the manifest does not know its name.
#include "store/inside.h"

#include "os/os.h"
#include "wal/wal.h"

#include <stdio.h>
#include <string.h>

err named_segment_open(const struct segment_place *place, const struct segment_facts *facts,
                       struct segment **ret_segment, struct als_why *why)
{
    char space[SEGMENT_NAME_MAX];
    str name = part_name(facts, ".parquet", space);
    AUTO(segment) segment = NULL;
    TRY(segment_open(place->os, place->dir, name, place->cache, &segment, why));
    if (memcmp(segment_facts(segment)->identity, facts->identity, sizeof facts->identity) != 0)
        return FAIL(why, ALS_CORRUPT, "segment %.*s is not the one that the manifest names",
                    STR(name));
    *ret_segment = MOVE(segment);
    return ALS_OK;
}

// ---- One index

static err add_row(void *context, const struct als_event *event, struct als_why *why)
{
    return index_builder_add(context, event, why);
}

static err write_index(const struct segment_place *place, const struct segment_facts *facts,
                       str name, struct als_why *why)
{
    AUTO(segment) segment = NULL;
    AUTO(index_builder) builder = index_builder_new(facts->identity);
    if (!builder)
        return FAIL(why, ALS_NO_MEMORY, "the index of a segment");
    TRY(named_segment_open(place, facts, &segment, why));
    TRY(segment_verify(segment, add_row, builder, why));
    return index_builder_write(builder, place->os, place->dir, name, why);
}

static err check_index(const struct segment_place *place, const struct segment_facts *facts,
                       str name, uint64_t *ret_bytes, struct als_why *why)
{
    AUTO(index_file) file = NULL;
    TRY(index_file_open(place->os, place->dir, name, facts->identity, &file, why));
    TRY(index_file_verify(file, why));
    *ret_bytes = index_file_bytes(file);
    return ALS_OK;
}

err index_make_anew(const struct segment_place *place, const struct segment_facts *facts,
                    uint64_t *ret_bytes, struct als_why *why)
{
    char final_space[SEGMENT_NAME_MAX], space[SEGMENT_NAME_MAX], suffix[32];
    uint64_t random, bytes = 0;
    place->os->entropy(place->os, &random, sizeof random);
    (void)snprintf(suffix, sizeof suffix, "-%016llx.new", (unsigned long long)random);
    str name = part_name(facts, suffix, space);
    err code = write_index(place, facts, name, why);
    if (code == ALS_OK)
        code = check_index(place, facts, name, &bytes, why);
    if (code == ALS_OK)
        code = place->os->dir_rename(place->dir, name, part_name(facts, ".idx", final_space), why);
    if (code != ALS_OK) {
        (void)place->os->dir_unlink(place->dir, name, NULL); // perhaps it was never made
        return code;
    }
    *ret_bytes = bytes;
    return place->os->dir_sync(place->dir, why);
}

// ---- All of a store

struct rebuilding {
    struct segment_place place;
    struct store_rebuilt *rebuilt;
    store_rebuilt_each *each;
    void *context;
    err worst;
    struct als_why worst_why;
};

static void count_segments(struct store_rebuilt *rebuilt, const struct manifest_entry *entries,
                           size_t count)
{
    rebuilt->segments = count;
    for (size_t i = 0; i < count; i++)
        rebuilt->bytes += entries[i].facts.bytes;
}

static err tell(const struct rebuilding *rebuilding, struct als_why *why)
{
    return rebuilding->each ? rebuilding->each(rebuilding->context, rebuilding->rebuilt, why)
                            : ALS_OK;
}

// A segment that cannot be read has the index it had, and does not keep the others from theirs. The
// first one is told.
static err rebuild_one(struct rebuilding *rebuilding, const struct segment_facts *facts,
                       struct als_why *why)
{
    struct store_rebuilt *rebuilt = rebuilding->rebuilt;
    uint64_t index_bytes = 0;
    struct als_why reason = {""};
    err code = index_make_anew(&rebuilding->place, facts, &index_bytes, &reason);
    bool unreadable = code == ALS_CORRUPT || code == ALS_FORMAT_TOO_NEW;
    if (code != ALS_OK && !unreadable)
        return FAIL(why, code, "%s", reason.text);
    if (unreadable && rebuilding->worst == ALS_OK) {
        char space[SEGMENT_NAME_MAX];
        (void)snprintf(rebuilt->file, sizeof rebuilt->file, "segments/%.*s",
                       STR(part_name(facts, ".parquet", space)));
        rebuilding->worst = code;
        rebuilding->worst_why = reason;
    }
    rebuilt->bytes_done += facts->bytes;
    rebuilt->done += !unreadable;
    rebuilt->events += unreadable ? 0 : facts->rows;
    rebuilt->index_bytes += index_bytes;
    return tell(rebuilding, why);
}

static err rebuild_all(struct rebuilding *rebuilding, struct os_dir *dir, str tenant,
                       struct als_why *why)
{
    struct segment_place *place = &rebuilding->place;
    struct wal_verdict verdict = {.file = {NULL, 0}};
    size_t count;
    AUTO(manifest) manifest = NULL;
    TRY(manifest_read(place->os, dir, tenant, &verdict, &manifest, why));
    if (verdict.finding == WAL_DAMAGED)
        return FAIL(why, ALS_CORRUPT, "the manifest is damaged; verify tells more");
    const struct manifest_entry *entries = manifest_entries(manifest, &count);
    if (count == 0)
        return ALS_OK;
    TRY(place->os->dir_open(place->os, dir, S("segments"), false, &place->dir, why));
    count_segments(rebuilding->rebuilt, entries, count);
    TRY(tell(rebuilding, why));
    for (size_t i = 0; i < count; i++)
        TRY(rebuild_one(rebuilding, &entries[i].facts, why));
    return rebuilding->worst == ALS_OK
               ? ALS_OK
               : FAIL(why, rebuilding->worst, "%s", rebuilding->worst_why.text);
}

err store_rebuild_indexes(struct os *os, struct os_dir *dir, str tenant,
                          const struct store_rebuild_watch *watch,
                          struct store_rebuilt *ret_rebuilt, struct als_why *why)
{
    *ret_rebuilt = (struct store_rebuilt){.segments = 0};
    struct rebuilding rebuilding = {.place = {.os = os, .cache = segment_cache_new(0)},
                                    .rebuilt = ret_rebuilt,
                                    .each = watch ? watch->each : NULL,
                                    .context = watch ? watch->context : NULL};
    if (!rebuilding.place.cache)
        return FAIL(why, ALS_NO_MEMORY, "indexes cannot be made");
    err code = rebuild_all(&rebuilding, dir, tenant, why);
    segment_cache_free(rebuilding.place.cache);
    if (rebuilding.place.dir)
        os->dir_close(rebuilding.place.dir);
    return code;
}
