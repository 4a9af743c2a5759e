// SPDX-License-Identifier: Apache-2.0
// A few shards, each with a lock that is held for some look-ups and never while a page is decoded.
// Two threads that miss the same page both decode it; the second takes the first one's.
#include "segment/cache.h"

#include "base/hash.h"
#include "base/lock.h"
#include "os/os.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SHARDS_MAX = 8, SLOTS_MIN = 64, SLOTS_MAX = 1 << 18, EVICT_LOOKS = 64 };
// The system maps 64 KiB where one page is read, so about 16 MiB are resident at most.
enum { SEGMENT_READS_RESIDENT = 256 };
#define SHARD_BYTES_MIN MIB(8) // smaller ones would hold too few large pages
#define SLOT_BYTES KIB(4)

struct shard {
    struct lock lock; // guards all of it
    struct cache_entry **slots;
    size_t slot_count;
    struct cache_entry *newest, *oldest;
    uint64_t bytes, hits, misses, evictions;
};

enum { SEEN_MIN = 64, SEEN_MAX = 1 << 18 };
#define SEEN_BYTES KIB(8) // one for so many bytes of the cache

struct segment_cache {
    uint64_t shard_bytes_max;
    size_t shard_count;
    _Atomic uint64_t numbers;
    _Atomic uint32_t reads, files;
    struct lock lock; // guards the list of segments, and their files against being unmapped
    struct segment *segments;
    size_t seen_count;      // a power of two
    _Atomic uint64_t *seen; // pages that were asked for: 16 bits each, the newest lowest; a hint
    struct shard shards[SHARDS_MAX];
};

struct segment_cache *segment_cache_new(uint64_t bytes_max)
{
    struct segment_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->shard_count = bytes_max >= SHARDS_MAX * SHARD_BYTES_MIN ? SHARDS_MAX : 1;
    cache->shard_bytes_max = bytes_max / cache->shard_count;
    lock_init(&cache->lock, LOCK_POOL);
    size_t slot_count = SLOTS_MIN;
    while (slot_count < SLOTS_MAX && slot_count * SLOT_BYTES < cache->shard_bytes_max)
        slot_count *= 2;
    cache->seen_count = SEEN_MIN;
    while (cache->seen_count < SEEN_MAX && cache->seen_count * SEEN_BYTES < bytes_max)
        cache->seen_count *= 2;
    cache->seen = calloc(cache->seen_count, sizeof cache->seen[0]);
    bool made = cache->seen != NULL;
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        lock_init(&shard->lock, LOCK_POOL);
        shard->slot_count = slot_count;
        shard->slots = calloc(slot_count, sizeof(struct cache_entry *));
        made = made && shard->slots;
    }
    if (made)
        return cache;
    segment_cache_free(cache);
    return NULL;
}

void segment_cache_free(struct segment_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        while (shard->newest) {
            struct cache_entry *entry = shard->newest;
            assert(entry->pins == 0);
            shard->newest = entry->older;
            free(entry);
        }
        free(shard->slots);
        lock_deinit(&shard->lock);
    }
    lock_deinit(&cache->lock);
    free((void *)cache->seen);
    free(cache);
}

struct segment_cache_stat segment_cache_stat(struct segment_cache *cache)
{
    struct segment_cache_stat stat = {};
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        lock_take(&shard->lock);
        stat.bytes += shard->bytes;
        stat.hits += shard->hits;
        stat.misses += shard->misses;
        stat.evictions += shard->evictions;
        lock_release(&shard->lock);
    }
    return stat;
}

// ---- The segments that share it.

void cache_enter(struct segment_cache *cache, struct segment *segment)
{
    segment->cache = cache;
    segment->number = atomic_fetch_add_explicit(&cache->numbers, 1, memory_order_relaxed) + 1;
    lock_take(&cache->lock);
    segment->next = cache->segments;
    if (segment->next)
        segment->next->prior = segment;
    cache->segments = segment;
    lock_release(&cache->lock);
}

void cache_leave(struct segment *segment)
{
    struct segment_cache *cache = segment->cache;
    lock_take(&cache->lock);
    *(segment->prior ? &segment->prior->next : &cache->segments) = segment->next;
    if (segment->next)
        segment->next->prior = segment->prior;
    lock_release(&cache->lock);
}

bool cache_keeps_file(struct segment_cache *cache)
{
    bool keeps = atomic_fetch_add(&cache->files, 1) < SEGMENT_FILES_MAX;
    if (!keeps)
        cache_lets_go_file(cache);
    return keeps;
}

void cache_lets_go_file(struct segment_cache *cache)
{
    atomic_fetch_sub(&cache->files, 1);
}

static void forget_files(struct segment_cache *cache)
{
    lock_take(&cache->lock);
    for (struct segment *segment = cache->segments; segment; segment = segment->next)
        if (atomic_exchange(&segment->resident, false))
            segment->os->file_forget(segment->os, segment->bytes, segment->size);
    lock_release(&cache->lock);
}

void cache_has_read(struct segment *segment)
{
    struct segment_cache *cache = segment->cache;
    atomic_store_explicit(&segment->resident, true, memory_order_release);
    uint32_t reads = atomic_fetch_add_explicit(&cache->reads, 1, memory_order_relaxed) + 1;
    if (reads % SEGMENT_READS_RESIDENT == 0)
        forget_files(cache);
}

static uint64_t key_hash(struct cache_key key)
{
    uint64_t words[] = {key.segment, (uint64_t)key.group << 32 | key.column, key.page};
    return hash_bytes(words, sizeof words, 0);
}

static bool same_key(struct cache_key a, struct cache_key b)
{
    return a.segment == b.segment && a.group == b.group && a.column == b.column && a.page == b.page;
}

static struct shard *shard_of(struct segment_cache *cache, uint64_t hash)
{
    return &cache->shards[(hash >> 32) % cache->shard_count];
}

static struct cache_entry **slot_of(struct shard *shard, uint64_t hash)
{
    return &shard->slots[hash & (shard->slot_count - 1)];
}

// ---- With the shard's lock held.

static void unlink_entry(struct shard *shard, struct cache_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &shard->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &shard->oldest) = entry->newer;
}

static void link_newest(struct shard *shard, struct cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = entry;
    shard->newest = entry;
}

static struct cache_entry *find_and_pin(struct shard *shard, struct cache_key key, uint64_t hash)
{
    struct cache_entry *entry = *slot_of(shard, hash);
    while (entry && !same_key(entry->key, key))
        entry = entry->next;
    if (!entry)
        return NULL;
    entry->pins++;
    unlink_entry(shard, entry);
    link_newest(shard, entry);
    return entry;
}

static void drop(struct shard *shard, struct cache_entry *entry)
{
    struct cache_entry **at = slot_of(shard, entry->hash);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    unlink_entry(shard, entry);
    shard->bytes -= entry->bytes;
    free(entry);
}

// Pinned ones are passed over, but not for ever.
static void evict(struct shard *shard, uint64_t bytes_max)
{
    struct cache_entry *entry = shard->oldest;
    for (int looks = 0; entry && shard->bytes > bytes_max && looks < EVICT_LOOKS; looks++) {
        struct cache_entry *newer = entry->newer;
        if (entry->pins == 0) {
            drop(shard, entry);
            shard->evictions++;
            looks = 0;
        }
        entry = newer;
    }
}

// ---- The door of the room.

struct cache_entry *cache_pin(struct segment_cache *cache, struct cache_key key)
{
    uint64_t hash = key_hash(key);
    struct shard *shard = shard_of(cache, hash);
    lock_take(&shard->lock);
    struct cache_entry *entry = find_and_pin(shard, key, hash);
    *(entry ? &shard->hits : &shard->misses) += 1;
    lock_release(&shard->lock);
    return entry;
}

// Two threads at one place lose a page that was asked for; it will be asked for again.
bool cache_wants(struct segment_cache *cache, struct cache_key key)
{
    uint64_t hash = key_hash(key);
    _Atomic uint64_t *place = &cache->seen[hash & (cache->seen_count - 1)];
    uint64_t pages = atomic_load_explicit(place, memory_order_relaxed), mark = hash >> 48;
    for (unsigned shift = 0; shift < 64; shift += 16)
        if ((pages >> shift & UINT16_MAX) == mark)
            return true;
    atomic_store_explicit(place, pages << 16 | mark, memory_order_relaxed);
    return false;
}

// Four sizes for each power of two, so that what is evicted is exactly the room for what comes:
// with sizes of all kinds, the allocator held twice the bytes that are in use.
static size_t size_class(size_t bytes)
{
    size_t step = (size_t)1 << (63 - __builtin_clzll(bytes) - 2);
    return (bytes + step - 1) / step * step;
}

struct cache_entry *cache_entry_new(struct cache_key key, size_t memory)
{
    size_t bytes = size_class(sizeof(struct cache_entry) + memory);
    struct cache_entry *entry = malloc(bytes);
    if (!entry)
        return NULL;
    *entry = (struct cache_entry){.key = key, .hash = key_hash(key), .bytes = bytes};
    return entry;
}

void cache_entry_free(struct cache_entry *entry)
{
    free(entry);
}

struct cache_entry *cache_insert(struct segment_cache *cache, struct cache_entry *entry)
{
    struct shard *shard = shard_of(cache, entry->hash);
    lock_take(&shard->lock);
    struct cache_entry *other = find_and_pin(shard, entry->key, entry->hash);
    if (!other) {
        struct cache_entry **slot = slot_of(shard, entry->hash);
        entry->next = *slot;
        *slot = entry;
        entry->pins = 1;
        link_newest(shard, entry);
        shard->bytes += entry->bytes;
        evict(shard, cache->shard_bytes_max);
    }
    lock_release(&shard->lock);
    if (!other)
        return entry;
    cache_entry_free(entry);
    return other;
}

void cache_unpin(struct segment_cache *cache, struct cache_entry *entry)
{
    if (!entry)
        return;
    struct shard *shard = shard_of(cache, entry->hash);
    lock_take(&shard->lock);
    assert(entry->pins > 0);
    entry->pins--;
    if (entry->pins == 0 && shard->bytes > cache->shard_bytes_max)
        evict(shard, cache->shard_bytes_max);
    lock_release(&shard->lock);
}

void cache_forget(struct segment_cache *cache, uint64_t segment)
{
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        lock_take(&shard->lock);
        for (struct cache_entry *entry = shard->newest, *older; entry; entry = older) {
            older = entry->older;
            if (entry->key.segment == segment && entry->pins == 0)
                drop(shard, entry);
        }
        lock_release(&shard->lock);
    }
}
