// SPDX-License-Identifier: Apache-2.0
// What survives a crash. Directories come first, in the order in which they are reached from the
// root: only what still has a name is looked at.
#include "disk.h"

#include <assert.h>
#include <stdlib.h>

struct crash {
    const struct sim *old;
    struct sim *now;
    enum sim_crash mode;
    struct rand rand;
    uint64_t chosen; // for SIM_CHOSEN: the bits that are left
};

const char *sim_crash_name(enum sim_crash mode)
{
    static const char *const names[] = {
        [SIM_KILL] = "kill",     [SIM_DROP] = "drop", [SIM_PREFIX] = "prefix",
        [SIM_SUBSET] = "subset", [SIM_TORN] = "torn", [SIM_CHOSEN] = "chosen",
    };
    return names[mode];
}

// Before a list of `count` changes: how many of the first are kept, where that is the question.
static size_t draw_prefix(struct crash *crash, size_t count)
{
    return crash->mode == SIM_PREFIX ? (size_t)rand_below(&crash->rand, count + 1) : 0;
}

static bool keeps(struct crash *crash, size_t index, size_t prefix)
{
    switch (crash->mode) {
    case SIM_SUBSET:
    case SIM_TORN:
        return rand_next(&crash->rand) & 1;
    case SIM_CHOSEN: {
        bool kept = crash->chosen & 1;
        crash->chosen >>= 1;
        return kept;
    }
    default:
        return index < prefix;
    }
}

// Each sector of the write is lost, or has only made the file longer, or is kept.
static void apply_torn(struct crash *crash, struct bytes *bytes, const struct change *change)
{
    uint64_t end = change->offset + change->size;
    for (uint64_t at = change->offset, next; at < end; at = next) {
        next = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
        next = next < end ? next : end;
        uint64_t fate = rand_below(&crash->rand, 4);
        if (fate == 1 && next > bytes->size)
            bytes_resize(bytes, next);
        if (fate >= 2)
            bytes_apply(bytes, &(struct change){CHANGE_WRITE, at, next - at,
                                                change->bytes + (at - change->offset)});
    }
}

static void copy_file(struct crash *crash, const struct inode *old, struct inode *now)
{
    static const char *const kinds[] = {"write", "size", "allocate"};
    bytes_copy(&now->current, inode_durable(old));
    FILE *tell = crash->old->tell;
    size_t prefix = draw_prefix(crash, old->change_count);
    for (size_t i = 0; i < old->change_count; i++) {
        const struct change *change = &old->changes[i];
        bool kept = keeps(crash, i, prefix);
        if (tell)
            fprintf(tell, "    %s %llu +%llu -> %s\n", kinds[change->kind],
                    (unsigned long long)change->offset, (unsigned long long)change->size,
                    !kept                     ? "lost"
                    : crash->mode == SIM_TORN ? "torn"
                                              : "kept");
        if (kept && crash->mode == SIM_TORN && change->kind == CHANGE_WRITE)
            apply_torn(crash, &now->current, change);
        else if (kept)
            bytes_apply(&now->current, change);
    }
}

static void copy_entries(struct entries *entries, const struct entries *source)
{
    for (size_t i = 0; i < source->count; i++) {
        entries->items =
            grow_array(entries->items, &entries->count, &entries->capacity, sizeof *entries->items);
        entries->items[i] = source->items[i];
    }
}

static void copy_directory(struct crash *crash, const struct inode *old, struct inode *now)
{
    static const char *const kinds[] = {"make", "rename", "remove"};
    copy_entries(&now->kept, &old->kept);
    size_t prefix = draw_prefix(crash, old->entry_change_count);
    for (size_t i = 0; i < old->entry_change_count; i++) {
        const struct entry_change *change = &old->entry_changes[i];
        bool kept = keeps(crash, i, prefix);
        if (crash->old->tell)
            fprintf(crash->old->tell, "  %s %s %s -> %s\n", kinds[change->kind], change->name,
                    change->target, kept ? "kept" : "lost");
        if (kept)
            entries_apply(&now->kept, change);
    }
    copy_entries(&now->listed, &now->kept);
}

// The page cache lives on.
static void copy_killed(const struct inode *old, struct inode *now)
{
    bytes_copy(&now->current, &old->current);
    now->apart = old->apart;
    if (old->apart)
        bytes_copy(&now->durable, &old->durable);
    for (size_t i = 0; i < old->change_count; i++) {
        struct change change = old->changes[i];
        if (change.size > 0) {
            uint8_t *bytes = malloc(change.size);
            if (!bytes)
                abort();
            change.bytes = memcpy(bytes, change.bytes, change.size);
        }
        now->changes =
            grow_array(now->changes, &now->change_count, &now->change_capacity, sizeof change);
        now->changes[i] = change;
    }
    copy_entries(&now->kept, &old->kept);
    copy_entries(&now->listed, &old->listed);
    for (size_t i = 0; i < old->entry_change_count; i++) {
        now->entry_changes = grow_array(now->entry_changes, &now->entry_change_count,
                                        &now->entry_change_capacity, sizeof *now->entry_changes);
        now->entry_changes[i] = old->entry_changes[i];
    }
}

static struct inode *put_inode(struct sim *sim, size_t number, bool directory)
{
    if (!sim->inodes[number]) {
        sim->inodes[number] = calloc(1, sizeof **sim->inodes);
        if (!sim->inodes[number])
            abort();
        sim->inodes[number]->directory = directory;
    }
    return sim->inodes[number];
}

static void keep_all(struct crash *crash)
{
    for (size_t i = 0; i < crash->old->inode_count; i++) {
        const struct inode *old = crash->old->inodes[i];
        if (!old)
            continue;
        struct inode *now = put_inode(crash->now, i, old->directory);
        now->names = old->names;
        copy_killed(old, now);
    }
}

static void keep_file(struct crash *crash, size_t number)
{
    const struct inode *old = crash->old->inodes[number];
    if (crash->old->tell && old->change_count > 0)
        fprintf(crash->old->tell, "  file %zu\n", number);
    copy_file(crash, old, crash->now->inodes[number]);
}

// A file that has its name here as a link may be older than the directory, and then the pass over
// all inodes has left it out.
static void keep_named(struct crash *crash, size_t directory, size_t number)
{
    bool is_directory = crash->old->inodes[number]->directory;
    bool passed = number < directory && !crash->now->inodes[number];
    assert(number > directory || !is_directory);
    put_inode(crash->now, number, is_directory)->names++;
    if (passed)
        keep_file(crash, number);
}

// Inodes get their numbers in the order in which they are made, so a directory has always a greater
// number than the one that names it.
static void keep_reachable(struct crash *crash)
{
    struct sim *now = crash->now;
    put_inode(now, ROOT, true)->names = 1;
    for (size_t i = 0; i < crash->old->inode_count; i++) {
        struct inode *inode = now->inodes[i];
        const struct inode *old = crash->old->inodes[i];
        if (!inode)
            continue;
        if (!old->directory) {
            keep_file(crash, i);
            continue;
        }
        copy_directory(crash, old, inode);
        for (size_t k = 0; k < inode->listed.count; k++)
            keep_named(crash, i, inode->listed.items[k].inode);
    }
}

struct sim *sim_crash(const struct sim *sim, uint64_t seed, enum sim_crash mode)
{
    struct crash crash = {.old = sim,
                          .now = sim_blank(seed),
                          .mode = mode,
                          .rand = {seed ^ 0x5ea1edc0ffee},
                          .chosen = seed};
    struct sim *now = crash.now;
    now->capacity = sim->capacity;
    now->now_us = sim->now_us;
    now->monotonic_ns = sim->monotonic_ns;
    now->inodes = calloc(sim->inode_count, sizeof *now->inodes);
    if (!now->inodes)
        abort();
    now->inode_count = now->inode_capacity = sim->inode_count;
    if (mode == SIM_KILL)
        keep_all(&crash);
    else
        keep_reachable(&crash);
    return now;
}

size_t sim_pending(const struct sim *sim)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->inode_count; i++)
        if (sim->inodes[i])
            count += sim->inodes[i]->change_count + sim->inodes[i]->entry_change_count;
    return count;
}
