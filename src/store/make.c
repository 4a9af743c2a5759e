// SPDX-License-Identifier: Apache-2.0
// From events to the two files of a segment. The segment is written under a name that is used once,
// and synced; it is read back from its file, every event compared with where it came from, and the
// index made of what was read; the index is written and synced; then both get their names, which
// become durable. Who asked tells the manifest.
#include "store/inside.h"

#include "base/mutant.h"
#include "os/os.h"

#include <stdio.h>
#include <string.h>

struct files { // on their way
    struct store *store;
    const struct making *making;
    struct cursor *cursor;
    struct index_builder *builder; // while the segment is read back
    struct segment_facts facts;
    uint64_t digest; // of the hashes that were written
    char segment_space[SEGMENT_NAME_MAX], index_space[SEGMENT_NAME_MAX];
    str segment_name, index_name;      // empty: not made yet
    const char *read_begin, *read_end; // a stretch of the log that was read and not yet let go
};

static str temporary_name(char space[static SEGMENT_NAME_MAX], const struct segment_facts *facts,
                          uint64_t random)
{
    char suffix[32];
    (void)snprintf(suffix, sizeof suffix, "-%016llx.new", (unsigned long long)random);
    return part_name(facts, suffix, space);
}

static void name_files(struct files *files)
{
    struct store *store = files->store;
    uint64_t random[2];
    store->os->entropy(store->os, random, sizeof random);
    files->facts.first = files->making->first;
    files->facts.last = files->making->last;
    files->segment_name = temporary_name(files->segment_space, &files->facts, random[0]);
    files->index_name = temporary_name(files->index_space, &files->facts, random[1]);
}

// ---- The events

static err begin(struct files *files, struct als_why *why)
{
    const struct making *making = files->making;
    struct cursor_bounds bounds = {.after = making->first - 1, .up_to = making->last};
    return cursor_over_all(files->cursor, making->view, bounds, why);
}

// A stretch of the log is as long as what is sealed; its pages are let go some time after they were
// read. Records lie one behind the other but for where a file of the log ends.
enum { FORGET_BYTES = 1 << 20, GAP_BYTES_MAX = 4095 };

static void forget_behind(struct files *files, const struct als_event *event)
{
    const struct store_log *log = files->store->log;
    const char *begin = event->entity.ptr, *end = event->payload.ptr + event->payload.len;
    if (event->metadata.len)
        end = event->metadata.ptr + event->metadata.len;
    bool follows = (uintptr_t)begin - (uintptr_t)files->read_end <= GAP_BYTES_MAX;
    size_t size = (size_t)(files->read_end - files->read_begin);
    if (!follows || size >= FORGET_BYTES) {
        log->forget(log, files->read_begin, size);
        files->read_begin = begin;
    }
    files->read_end = end;
}

// The next event that is kept; position 0 at the end.
static err next(struct files *files, struct als_event *ret_event, struct als_why *why)
{
    const struct making *making = files->making;
    do {
        TRY(cursor_next(files->cursor, ret_event, why));
        if (ret_event->position && cursor_lasts(files->cursor))
            forget_behind(files, ret_event);
        if (ret_event->position && making->paced && !making->paced(making->context))
            return FAIL(why, ALS_NOT_READY, "the making of a segment was given up");
    } while (ret_event->position && making->keeps && !making->keeps(making->context, ret_event));
    return ALS_OK;
}

// ---- The files

static err write_rows(struct files *files, struct segment_writer *writer, uint64_t *ret_rows,
                      struct als_why *why)
{
    *ret_rows = 0;
    TRY(begin(files, why));
    for (;; ++*ret_rows) {
        struct als_event event;
        TRY(next(files, &event, why));
        if (event.position == 0)
            return ALS_OK;
        TRY(segment_writer_add(writer, &event, why));
    }
}

static err write_segment(struct files *files, struct als_why *why)
{
    struct store *store = files->store;
    struct segment_write_options options = {.tenant = store_tenant(store),
                                            .generation = files->facts.generation,
                                            .zstd_level = store->options.zstd_level};
    uint64_t rows;
    AUTO(segment_writer) writer = NULL;
    TRY(segment_writer_open(store->os, store->segments_dir, files->segment_name, options, &writer,
                            why));
    TRY(write_rows(files, writer, &rows, why));
    if (rows == 0)
        return FAIL(why, ALS_NOT_FOUND, "no event is kept");
    TRY(segment_writer_finish(writer, &files->facts, why));
    files->facts.tenant = store_tenant(store);
    files->digest = segment_writer_digest(writer);
    return ALS_OK;
}

static bool same_row(const struct segment_block *block, uint32_t i, const struct als_event *event)
{
    return block->positions[i] == event->position && block->versions[i] == event->version &&
           memcmp(block->ids[i].bytes, event->id.bytes, sizeof event->id.bytes) == 0 &&
           block->timestamps_us[i] == event->timestamp_us &&
           block->recorded_us[i] == event->recorded_us &&
           block->schema_versions[i] == event->schema_version &&
           str_equal(block->entity_names[block->entities[i]], event->entity) &&
           str_equal(block->type_names[block->types[i]], event->type) &&
           str_equal(block->payloads[i], event->payload) &&
           str_equal(block->metadatas[i], event->metadata);
}

static err compare(struct files *files, const struct segment_block *block, struct als_why *why)
{
    for (uint32_t i = 0; i < block->count; i++) {
        struct als_event wanted;
        TRY(next(files, &wanted, why));
        if (!same_row(block, i, &wanted))
            return FAIL(why, ALS_CORRUPT,
                        "position %llu does not stand in the new segment as it was",
                        (unsigned long long)wanted.position);
    }
    return ALS_OK;
}

// What is right goes into the index.
static err take_block(void *context, const struct segment_block *block, struct als_why *why)
{
    struct files *files = context;
    struct index_columns rows = {
        .count = block->count,
        .positions = block->positions,
        .versions = block->versions,
        .ids = block->ids,
        .entities = {block->entities, block->entity_names, block->entity_count,
                     block->entity_dictionary},
        .types = {block->types, block->type_names, block->type_count, block->type_dictionary},
    };
    TRY(compare(files, block, why));
    return index_builder_add_rows(files->builder, &rows, why);
}

// segment_verify_written() reads past the cache: what is read back is not what readers will want.
static err read_back(struct files *files, struct als_why *why)
{
    struct store *store = files->store;
    AUTO(segment) segment = NULL;
    struct als_event end;
    TRY(segment_open(store->os, store->segments_dir, files->segment_name, store->cache, &segment,
                     why));
    TRY(begin(files, why));
    TRY(segment_verify_written(segment, files->digest, take_block, files, why));
    TRY(next(files, &end, why));
    if (end.position)
        return FAIL(why, ALS_CORRUPT, "the new segment ends before position %llu",
                    (unsigned long long)end.position);
    return ALS_OK;
}

static err write_index(struct files *files, struct als_why *why)
{
    struct store *store = files->store;
    AUTO(index_builder) builder = index_builder_new(files->facts.identity);
    if (!builder)
        return FAIL(why, ALS_NO_MEMORY, "the index of a segment");
    files->builder = builder;
    TRY(read_back(files, why));
    return index_builder_write(builder, store->os, store->segments_dir, files->index_name, why);
}

static err give_name(struct files *files, str *name, const char *suffix,
                     char space[static SEGMENT_NAME_MAX], struct als_why *why)
{
    struct store *store = files->store;
    char final_space[SEGMENT_NAME_MAX];
    str final = part_name(&files->facts, suffix, final_space);
    TRY(store->os->dir_rename(store->segments_dir, *name, final, why));
    memcpy(space, final_space, final.len);
    *name = (str){space, final.len};
    return ALS_OK;
}

static err give_names(struct files *files, struct als_why *why)
{
    struct store *store = files->store;
    TRY(give_name(files, &files->segment_name, ".parquet", files->segment_space, why));
    TRY(give_name(files, &files->index_name, ".idx", files->index_space, why));
    if (MUTANT(SEAL_NAMES_NOT_SYNCED))
        return ALS_OK;
    return store->os->dir_sync(store->segments_dir, why);
}

static err make_files(struct files *files, struct als_why *why)
{
    TRY(store_begin_segment(files->store, &files->facts.generation, why));
    name_files(files);
    TRY(write_segment(files, why));
    TRY(write_index(files, why));
    return give_names(files, why);
}

// What failed leaves nothing behind, as far as the disk lets us; the next opening sees to the rest.
static void remove_files(const struct files *files)
{
    struct store *store = files->store;
    if (!files->segment_name.ptr)
        return;
    (void)store->os->dir_unlink(store->segments_dir, files->segment_name, NULL);
    (void)store->os->dir_unlink(store->segments_dir, files->index_name, NULL);
}

err make_segment(struct store *store, const struct making *making, struct segment_facts *ret_facts,
                 struct als_why *why)
{
    // What is read here is not what readers will want: it does not push anything out of their
    // cache.
    AUTO(segment_cache) cache = segment_cache_new(STORE_CACHE_BYTES);
    struct files files = {.store = store, .making = making, .cursor = cache ? cursor_new() : NULL};
    if (!files.cursor)
        return FAIL(why, ALS_NO_MEMORY, "a segment cannot be made");
    cursor_read_apart(files.cursor, cache);
    err code = make_files(&files, why);
    if (code != ALS_OK)
        remove_files(&files);
    cursor_free(files.cursor);
    *ret_facts = files.facts;
    return code;
}
