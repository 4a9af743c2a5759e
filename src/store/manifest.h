// SPDX-License-Identifier: Apache-2.0
// Which segments exist: a log of changes to the list of them, in a directory of its own beside the
// log of events and of the same make (wal.h), so the same care and the same tests keep it whole.
// Format: docs/formats/manifest.md.
// Threads: one at a time.
#pragma once

#include "base/err.h"
#include "base/own.h"
#include "segment/segment.h"

struct os;
struct os_dir;
struct manifest;

// A segment as the manifest knows it. What it says of entities that began in it is inherited like
// the types, where the segment's footer counts its own rows. Its generation is its number: no two
// segments of a store ever have the same.
struct manifest_entry {
    struct segment_facts facts;
    uint64_t new_types; // types whose first event is in it, or was
    // What retention took out of the history here, or next to it. It may have rested on newer
    // events up to the last, so a copy that ends before that would not be what the store was.
    uint64_t removed;
    als_position removed_at; // the greatest manifest_sealed() at which it did; 0: never
};

// Opens what is there; a store that has never sealed has no manifest, and none is made. Its log has
// files of `file_bytes`, when that suffices.
err manifest_open(KEEPS struct os *os, KEEPS struct os_dir *dir, KEEPS str tenant,
                  uint64_t file_bytes, struct manifest **ret_manifest, struct als_why *why);
// The same, changing nothing and not for writing. What is wrong with its log is in `ret_verdict`.
struct wal_verdict;
err manifest_read(struct os *os, struct os_dir *dir, KEEPS str tenant,
                  struct wal_verdict *ret_verdict, struct manifest **ret_manifest,
                  struct als_why *why);
void manifest_close(struct manifest *manifest);
AUTO_WITH(manifest, manifest_close)

// The segments that exist, by position.
const struct manifest_entry *manifest_entries(const struct manifest *manifest, size_t *ret_count);
// The last position that ever was in a segment; 0: none was.
als_position manifest_sealed(const struct manifest *manifest);
bool manifest_failed(const struct manifest *manifest); // takes no more changes
// A number that no segment has had and no other call gives; it is durable with the first change
// after it.
uint64_t manifest_take_generation(struct manifest *manifest);

// Replaces `removed` entries from `at` on by those that were added (by position, in the same
// stretch). Durable when it returns. ALS_STORAGE_FULL, ALS_NO_MEMORY: nothing happened.
// ALS_STORAGE_FAILED: the outcome is unknown and the manifest takes no more changes.
struct manifest_change {
    size_t at, removed;
    const struct manifest_entry *added;
    size_t added_count;
};
err manifest_commit(struct manifest *manifest, const struct manifest_change *change,
                    struct als_why *why);
// The first record of a manifest that has none: the whole list. `sealed` is what
// manifest_sealed() is to be. The directory of the manifest is made.
err manifest_begin(struct manifest *manifest, const struct manifest_entry *entries, size_t count,
                   als_position sealed, struct als_why *why);
