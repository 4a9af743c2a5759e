// SPDX-License-Identifier: Apache-2.0
// The simulator, inside: what the disk is made of.
#pragma once

#include "base/rand.h"
#include "sim.h"

enum { SECTOR_BYTES = 512, NAME_MAX_BYTES = 160, ROOT = 0 };

// What awaits a sync in a file: `size` bytes at `offset`, or a new size.
struct change {
    enum { CHANGE_WRITE, CHANGE_SIZE, CHANGE_ALLOCATE } kind;
    uint64_t offset; // or the new size
    uint64_t size;
    uint8_t *bytes; // owned
};

// What awaits a sync in a directory.
struct entry_change {
    enum { ENTRY_MADE, ENTRY_RENAMED, ENTRY_REMOVED } kind;
    size_t inode; // of what was made
    char name[NAME_MAX_BYTES], target[NAME_MAX_BYTES];
};

struct entry {
    size_t inode;
    char name[NAME_MAX_BYTES];
};

struct entries {
    struct entry *items;
    size_t count, capacity;
};

struct bytes {
    uint8_t *ptr; // zero from size to capacity
    uint64_t size, capacity;
    uint64_t space; // whole sectors taken: up to the last byte that was written or reserved
};

struct mirror { // a mapping of bytes that have moved since
    uint8_t *ptr;
    uint64_t size;
    struct mirror *next;
};

struct inode {
    bool directory;
    bool locked;
    unsigned names, handles, maps;

    // A file: what reads see; and the disk's, which is the same until `apart`.
    struct bytes current, durable;
    bool apart;
    struct change *changes;
    size_t change_count, change_capacity;
    struct mirror *mirrors;

    // A directory.
    struct entries listed, kept; // what readers see, what is on the disk
    struct entry_change *entry_changes;
    size_t entry_change_count, entry_change_capacity;
};

struct sim {
    struct os os; // first: a struct os is a struct sim
    struct inode **inodes;
    size_t inode_count, inode_capacity;
    struct rand rand;
    int64_t now_us;
    uint64_t monotonic_ns;

    sim_hook *hook;
    void *hook_context;
    uint64_t calls;
    unsigned fault_kinds;
    uint64_t fault_nth;
    err fault_code;
    uint64_t capacity;
    FILE *tell;
};

struct sim *sim_of(struct os *os);
struct sim *sim_blank(uint64_t seed); // without a root
size_t inode_new(struct sim *sim, bool directory);
void inode_free(struct inode *inode);

// Grows a counted array of `size`-byte items by one; returns the new one, zeroed.
void *grow_array(void *items, size_t *count, size_t *capacity, size_t size);

static inline uint64_t sectors(uint64_t size) // in bytes, rounded up
{
    return (size + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
}

void bytes_resize(struct bytes *bytes, uint64_t size);
void bytes_apply(struct bytes *bytes, const struct change *change);
void bytes_copy(struct bytes *bytes, const struct bytes *source);

// Changes what readers see, and notes the change for the next sync.
void inode_write(struct inode *inode, uint64_t offset, str slice);
void inode_resize(struct inode *inode, uint64_t size);
void inode_allocate(struct inode *inode, uint64_t size); // makes it longer, never shorter
void inode_sync(struct inode *inode);                    // changes become durable
void inode_forget(struct inode *inode);                  // changes are dropped and called clean
const struct bytes *inode_durable(const struct inode *inode);

struct entry *entries_find(const struct entries *entries, str name);
void entries_apply(struct entries *entries, const struct entry_change *change);
// Changes what readers see of a directory, and notes it.
void inode_change_entry(struct sim *sim, struct inode *directory, struct entry_change change);
void inode_sync_entries(struct inode *directory);
