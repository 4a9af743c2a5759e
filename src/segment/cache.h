// SPDX-License-Identifier: Apache-2.0
// Pages in memory, found by where they are from; the least recently used leave first, unless they
// are pinned.
#pragma once

#include "segment/inside.h"

#include <stddef.h>

struct cache_key {
    uint64_t segment; // segment->number
    uint32_t group, column, page;
};

struct cache_entry {
    struct cache_key key;
    uint64_t hash;
    size_t bytes;             // of all of it
    uint32_t pins;            // guarded by the shard's lock, as all below
    struct cache_entry *next; // in its slot
    struct cache_entry *newer, *older;
    struct page page;                       // decoded into `memory`
    _Alignas(max_align_t) uint8_t memory[]; // or a directory
};

// A segment that is opened gets a number, and is known until it is closed.
void cache_enter(struct segment_cache *cache, struct segment *segment);
void cache_leave(struct segment *segment);
// Whether one more segment may keep its file open; each that does says when it no longer does.
bool cache_keeps_file(struct segment_cache *cache);
void cache_lets_go_file(struct segment_cache *cache);
// Something was read where the segment's file is mapped. What is read is decoded and kept here, so
// the file's own pages are of no more use: now and then all segments forget them.
void cache_has_read(struct segment *segment);
// Pinned, or NULL when it is not there.
struct cache_entry *cache_pin(struct segment_cache *cache, struct cache_key key);
// Whether a page that is not there should come: true from the second time on that it is asked for
// within a while. Any thread.
bool cache_wants(struct segment_cache *cache, struct cache_key key);
struct cache_entry *cache_entry_new(struct cache_key key, size_t memory); // NULL: no memory
void cache_entry_free(struct cache_entry *entry);                         // never inserted
AUTO_WITH(cache_entry, cache_entry_free)
// Returns it pinned, or the one that somebody else has brought meanwhile.
struct cache_entry *cache_insert(struct segment_cache *cache, TAKES struct cache_entry *entry);
void cache_unpin(struct segment_cache *cache, struct cache_entry *entry); // takes NULL
void cache_forget(struct segment_cache *cache, uint64_t segment);         // what is not pinned
