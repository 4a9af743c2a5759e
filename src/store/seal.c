// SPDX-License-Identifier: Apache-2.0
// From a closed stretch of the log to a segment.
//
//   1. Segment and index are written under names that are used once, and synced.
//   2. The segment is read back from the file and every event compared with the log.
//   3. Both get their names, which become durable.
//   4. The manifest says that the segment exists: from here on the log's copy is not needed.
//   5. New views see the segment. When the last older view is gone, the hot part dies and the
//      writer lets the log go.
// A crash before 4 leaves files that no manifest knows, which the next opening removes; after 4 the
// log's copy is passed over.
#include "store/inside.h"
#include "store/manifest.h"
#include "store/part.h"

#include "base/mutant.h"
#include "event/event.h"
#include "os/os.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

// A segment on its way.
struct sealing {
    struct store *store;
    struct part *source;
    als_position last;
    struct segment_facts facts;
    char segment_space[SEGMENT_NAME_MAX], index_space[SEGMENT_NAME_MAX];
    str segment_name, index_name; // temporary
    als_position compared;
};

static void event_at(const struct sealing *sealing, als_position position,
                     struct als_event *ret_event)
{
    record_decode(index_record(sealing->source->index, position), position, ret_event);
    ret_event->tenant = store_tenant(sealing->store);
}

static str temporary_name(char space[static SEGMENT_NAME_MAX], const struct segment_facts *facts,
                          uint64_t random)
{
    char suffix[32];
    (void)snprintf(suffix, sizeof suffix, "-%016llx.new", (unsigned long long)random);
    return part_name(facts, suffix, space);
}

static void name_files(struct sealing *sealing)
{
    struct store *store = sealing->store;
    uint64_t random[2];
    store->os->entropy(store->os, random, sizeof random);
    sealing->facts = (struct segment_facts){.first = sealing->source->first,
                                            .last = sealing->last,
                                            .generation = manifest_generation(store->manifest)};
    sealing->segment_name = temporary_name(sealing->segment_space, &sealing->facts, random[0]);
    sealing->index_name = temporary_name(sealing->index_space, &sealing->facts, random[1]);
}

static err write_files(struct sealing *sealing, struct als_why *why)
{
    struct store *store = sealing->store;
    struct segment_write_options options = {.tenant = store_tenant(store),
                                            .generation = sealing->facts.generation,
                                            .zstd_level = store->options.zstd_level};
    AUTO(segment_writer) writer = NULL;
    AUTO(index_builder) builder = index_builder_new(store->seed);
    if (!builder)
        return FAIL(why, ALS_NO_MEMORY, "the index of a segment");
    TRY(segment_writer_open(store->os, store->segments_dir, sealing->segment_name, options, &writer,
                            why));
    for (als_position at = sealing->source->first; at <= sealing->last; at++) {
        struct als_event event;
        event_at(sealing, at, &event);
        TRY(segment_writer_add(writer, &event, why));
        TRY(index_builder_add(builder, &event, why));
    }
    TRY(segment_writer_finish(writer, &sealing->facts, why));
    return index_builder_write(builder, store->os, store->segments_dir, sealing->index_name,
                               sealing->facts.identity, why);
}

static bool same_event(const struct als_event *a, const struct als_event *b)
{
    return a->position == b->position && a->version == b->version &&
           memcmp(a->id.bytes, b->id.bytes, sizeof a->id.bytes) == 0 &&
           a->timestamp_us == b->timestamp_us && a->recorded_us == b->recorded_us &&
           a->schema_version == b->schema_version && str_equal(a->entity, b->entity) &&
           str_equal(a->type, b->type) && str_equal(a->payload, b->payload) &&
           str_equal(a->metadata, b->metadata);
}

static err compare(void *context, const struct als_event *event, struct als_why *why)
{
    struct sealing *sealing = context;
    struct als_event wanted;
    als_position position = ++sealing->compared;
    if (position <= sealing->last)
        event_at(sealing, position, &wanted);
    if (position > sealing->last || !same_event(event, &wanted))
        return FAIL(why, ALS_CORRUPT, "position %llu was not sealed as it stands in the log",
                    (unsigned long long)position);
    return ALS_OK;
}

// segment_verify() reads past the cache: what is read back is not what readers will want.
static err read_back(struct sealing *sealing, struct als_why *why)
{
    struct store *store = sealing->store;
    AUTO(segment) segment = NULL;
    TRY(segment_open(store->os, store->segments_dir, sealing->segment_name, store->cache, &segment,
                     why));
    sealing->compared = sealing->source->first - 1;
    TRY(segment_verify(segment, compare, sealing, why));
    if (sealing->compared != sealing->last)
        return FAIL(why, ALS_CORRUPT, "the segment ends before position %llu",
                    (unsigned long long)sealing->last);
    return ALS_OK;
}

static err give_name(struct sealing *sealing, str *name, const char *suffix,
                     char space[static SEGMENT_NAME_MAX], struct als_why *why)
{
    struct store *store = sealing->store;
    char final_space[SEGMENT_NAME_MAX];
    str final = part_name(&sealing->facts, suffix, final_space);
    TRY(store->os->dir_rename(store->segments_dir, *name, final, why));
    memcpy(space, final_space, final.len);
    *name = (str){space, final.len};
    return ALS_OK;
}

static err give_names(struct sealing *sealing, struct als_why *why)
{
    struct store *store = sealing->store;
    TRY(give_name(sealing, &sealing->segment_name, ".parquet", sealing->segment_space, why));
    TRY(give_name(sealing, &sealing->index_name, ".idx", sealing->index_space, why));
    if (MUTANT(SEAL_NAMES_NOT_SYNCED))
        return ALS_OK;
    return store->os->dir_sync(store->segments_dir, why);
}

// What failed leaves nothing behind, as far as the disk lets us; the next opening sees to the rest.
static void remove_files(const struct sealing *sealing)
{
    struct store *store = sealing->store;
    if (!sealing->segment_name.ptr)
        return;
    (void)store->os->dir_unlink(store->segments_dir, sealing->segment_name, NULL);
    (void)store->os->dir_unlink(store->segments_dir, sealing->index_name, NULL);
}

static err make_files(struct sealing *sealing, struct als_why *why)
{
    struct store *store = sealing->store;
    if (!store->segments_dir)
        TRY(store->os->dir_open(store->os, store->dir, S("segments"), true, &store->segments_dir,
                                why));
    name_files(sealing);
    err code = write_files(sealing, why);
    if (code == ALS_OK)
        code = read_back(sealing, why);
    if (code == ALS_OK)
        code = give_names(sealing, why);
    return code;
}

static err tell_manifest(struct sealing *sealing, struct als_why *why)
{
    struct manifest *manifest = sealing->store->manifest;
    struct manifest_entry entry = {.facts = sealing->facts,
                                   .new_types = sealing->source->new_types};
    struct manifest_change change = {.added = &entry, .added_count = 1};
    (void)manifest_entries(manifest, &change.at); // behind all others
    return manifest_commit(manifest, &change, why);
}

static err make(struct sealing *sealing, struct als_why *why)
{
    err code = make_files(sealing, why);
    if (code == ALS_OK)
        code = tell_manifest(sealing, why);
    if (code != ALS_OK && !manifest_failed(sealing->store->manifest)) // else it may have them
        remove_files(sealing);
    return code;
}

// The last time the manifest took it, and then there was no memory for showing it.
static bool is_made(const struct sealing *sealing)
{
    return sealing->last <= manifest_sealed(sealing->store->manifest);
}

static err seal(struct sealing *sealing, struct als_why *why)
{
    struct store *store = sealing->store;
    size_t count;
    if (!is_made(sealing))
        TRY(make(sealing, why));
    const struct manifest_entry *entries = manifest_entries(store->manifest, &count);
    const struct manifest_entry *entry = &entries[count - 1];
    AUTO(part) part = part_new_sealed(store, &entry->facts, entry->new_types);
    if (!part)
        return FAIL(why, ALS_NO_MEMORY, "a segment cannot be shown");
    TRY(store_replace(store, sealing->source, 1, part, why));
    atomic_store(&store->sealed, sealing->last);
    return ALS_OK;
}

// The oldest hot part, if it is not the one that is being filled.
static struct part *source_of(const struct view view, als_position *ret_last)
{
    for (uint32_t i = 0; i + 1 < view.parts->count; i++)
        if (!part_is_sealed(view.parts->items[i])) {
            *ret_last = parts_last(view.parts, i, view.position);
            return view.parts->items[i];
        }
    return NULL;
}

bool store_wants_seal(struct store *store)
{
    return atomic_load(&store->closed) > atomic_load(&store->sealed) && !store_has_failed(store);
}

err store_seal(struct store *store, bool *ret_sealed, struct als_why *why)
{
    *ret_sealed = false;
    if (store_has_failed(store) || manifest_failed(store->manifest))
        return FAIL(why, ALS_STORAGE_FAILED,
                    "the disk has failed: nothing is sealed until the server is restarted");
    struct view view = view_pin(store);
    struct sealing sealing = {.store = store};
    sealing.source = source_of(view, &sealing.last);
    err code = sealing.source ? seal(&sealing, why) : ALS_OK;
    *ret_sealed = sealing.source && code == ALS_OK;
    view_unpin(view);
    return code;
}
