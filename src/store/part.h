// SPDX-License-Identifier: Apache-2.0
// The parts of a store's history, oldest first.
//
// A part is a stretch of positions. A hot one has its records in the log and an index in memory; a
// sealed one is a segment file with an index file beside it. The last part is hot and the only one
// that grows. A list of parts never changes: sealing, compaction and retention put another list in
// its place, and what only older views still see dies with the last of them.
#pragma once

#include "base/lock.h"
#include "index/index.h"
#include "segment/segment.h"
#include "store/manifest.h"
#include "store/store.h"

#include <stdatomic.h>

struct part {
    _Atomic uint32_t refs;
    struct store *store;
    als_position first; // of a hot part that is empty yet: the one that it will get

    struct index *index;               // hot, else NULL
    struct part *next_hot, *prior_hot; // all that live; guarded by the store's view lock

    // Sealed.
    struct segment_facts facts;
    uint64_t new_types; // types whose first event is here, or was
    uint64_t removed;   // as the manifest's entry
    als_position removed_at;
    struct part
        *origin; // the same files under older numbers; they are its own; NULL: they are ours
    // Retention's.
    uint64_t looked;       // so many rows seemed to go, and it was not worth it
    uint64_t *type_bytes;  // of payloads and metadata, one a type of the index; NULL: not added up
    _Atomic bool dropped;  // no list has it any more: its files go when it dies
    _Atomic bool unfit;    // it cannot be read: compaction leaves it where it is
    struct lock open_lock; // guards opening the next two, which are set once
    _Atomic(struct segment *) segment;
    _Atomic(struct index_file *) file;
};

struct parts {
    _Atomic uint32_t refs;
    uint32_t count, room;
    struct part *items[];
};

// Each gives a part with one reference; NULL: no memory.
struct part *part_new_hot(struct store *store, als_position first);
struct part *part_new_sealed(struct store *store, const struct manifest_entry *entry);
struct part *part_ref(struct part *part);
void part_unref(struct part *part); // NULL is accepted
AUTO_WITH(part, part_unref)

// What the manifest has of it.
struct manifest_entry part_entry(const struct part *part);

static inline bool part_is_sealed(const struct part *part)
{
    return part->index == NULL;
}

// The files of a sealed part: mapped at the first call, and the index made anew when it is absent
// or of no use. They live as long as the part.
err part_segment(struct part *part, struct segment **ret_segment, struct als_why *why);
err part_file(struct part *part, struct index_file **ret_file, struct als_why *why);
// The segment once more, for the caller, who closes it and whose cache it uses.
err part_segment_apart(struct part *part, KEEPS struct segment_cache *cache,
                       struct segment **ret_segment, struct als_why *why);

// Removes the files of a sealed part. One that stays behind is found by the next opening: the
// manifest does not know it.
void part_remove_files(const struct part *part);

// What a sealed part's files are called: FIRST-LAST-GENERATION.parquet and .idx, in hexadecimal;
// while they are made, with a random number behind it.
str part_name(const struct segment_facts *facts, const char *suffix,
              char space[static SEGMENT_NAME_MAX]);

// rebuild.c: where the files of segments are, for those who have no part.
struct segment_place {
    struct os *os;
    struct os_dir *dir;
    struct segment_cache *cache;
};
// ALS_CORRUPT when it is not the one that the facts, which are the manifest's, are of.
err named_segment_open(const struct segment_place *place, const struct segment_facts *facts,
                       struct segment **ret_segment, struct als_why *why);
// Reads the segment and puts an index made from it into the place of the old one, if there is one.
// What fails leaves that as it was.
err index_make_anew(const struct segment_place *place, const struct segment_facts *facts,
                    uint64_t *ret_bytes, struct als_why *why);

// An empty list with room for so many parts. NULL: no memory.
struct parts *parts_new(uint32_t room);
void parts_add(struct parts *parts, TAKES struct part *part);
// Fills an empty list with another one's, of which `removed` parts from `at` on are replaced by
// `added` (NULL: by nothing).
struct parts_change {
    uint32_t at, removed;
    struct part *added;
};
void parts_fill(struct parts *parts, const struct parts *old, struct parts_change change);
void parts_unref(struct parts *parts);
AUTO_WITH(parts, parts_unref)

// The last position that part `at` may have: before the next one's first.
static inline als_position parts_last(const struct parts *parts, uint32_t at, als_position up_to)
{
    als_position last = at + 1 < parts->count ? parts->items[at + 1]->first - 1 : up_to;
    return last < up_to ? last : up_to;
}

// Whether a sealed part says at once that none of its rows has the name. An append asks all of them
// about each name that is new, so this is short; part_file() and what follows may still find none.
static inline bool part_denies(const struct part *part, enum index_by by, str name)
{
    const struct index_file *file = atomic_load_explicit(&part->file, memory_order_acquire);
    return file && index_file_denies(file, by, name);
}
static inline bool part_denies_id(const struct part *part, const als_id *id)
{
    const struct index_file *file = atomic_load_explicit(&part->file, memory_order_acquire);
    return file && index_file_denies_id(file, id);
}

// ---- Looking through the parts before `end`, newest first.

// The entity's version at the end of them, as of position `up_to` where the last is hot; 0 when
// none has it.
err parts_version(const struct parts *parts, uint32_t end, str entity, als_position up_to,
                  als_version *ret_version, struct als_why *why);
err parts_have_type(const struct parts *parts, uint32_t end, str type, bool *ret_have,
                    struct als_why *why);

bool same_id(const uint8_t *record, const void *id);

// The event with the id, at most `up_to`, in one part; position 0 when it is not there.
struct id_question {
    als_id id;
    uint64_t hash; // store_hash_id()
    als_position up_to;
};
// `reader` is made when it is NULL and needed.
err part_find_id(struct part *part, struct id_question question, struct segment_reader **reader,
                 struct als_event *ret_event, struct als_why *why);
