// SPDX-License-Identifier: Apache-2.0
// A list of entries for each entity, the greatest position first, and a table from the hash of its
// name to the list. Names are in the files only: whoever uses an entry compares them there.
#include "snapshot/inside.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_ENTRIES = 64, FIRST_GROUPS = 64 };

void directory_deinit(struct directory *directory)
{
    free(directory->entries);
    free(directory->groups);
    *directory = (struct directory){};
}

static struct group *place_of(struct group *groups, uint32_t room, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & (room - 1);
    while (groups[at].first && groups[at].hash != hash)
        at = (at + 1) & (room - 1);
    return &groups[at];
}

struct group *directory_find(const struct directory *directory, uint64_t hash)
{
    if (directory->group_room == 0)
        return NULL;
    struct group *group = place_of(directory->groups, directory->group_room, hash);
    return group->first ? group : NULL;
}

static bool grow_groups(struct directory *directory)
{
    if ((directory->group_count + 1) * 2 <= directory->group_room)
        return true;
    uint32_t room = directory->group_room ? directory->group_room * 2 : FIRST_GROUPS;
    struct group *groups = calloc(room, sizeof *groups);
    if (!groups)
        return false;
    for (uint32_t i = 0; i < directory->group_room; i++)
        if (directory->groups[i].first)
            *place_of(groups, room, directory->groups[i].hash) = directory->groups[i];
    free(directory->groups);
    directory->groups = groups;
    directory->group_room = room;
    return true;
}

// Closes the hole, so that no search ends too early: whatever stands behind it and may stand in it
// moves up.
static void remove_group(struct directory *directory, struct group *group)
{
    uint32_t mask = directory->group_room - 1;
    uint32_t hole = (uint32_t)(group - directory->groups);
    for (uint32_t at = (hole + 1) & mask; directory->groups[at].first; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)directory->groups[at].hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        directory->groups[hole] = directory->groups[at];
        hole = at;
    }
    directory->groups[hole] = (struct group){};
    directory->group_count--;
}

static bool grow_entries(struct directory *directory)
{
    if (directory->free || directory->entry_count + 1 < directory->entry_room)
        return true;
    uint32_t room = directory->entry_room ? directory->entry_room * 2 : FIRST_ENTRIES;
    struct entry *entries = realloc(directory->entries, room * sizeof *entries);
    if (!entries)
        return false;
    directory->entries = entries;
    directory->entry_room = room;
    return true;
}

static uint32_t take_entry(struct directory *directory)
{
    uint32_t index = directory->free;
    if (index)
        directory->free = directory->entries[index].next;
    else
        index = ++directory->entry_count;
    directory->count++;
    return index;
}

void directory_drop(struct directory *directory, uint32_t index)
{
    struct entry *entry = &directory->entries[index];
    struct group *group = directory_find(directory, entry->hash);
    assert(group && entry->file);
    uint32_t *link = &group->first;
    while (*link != index)
        link = &directory->entries[*link].next;
    *link = entry->next;
    entry->file->live -= entry->bytes;
    *entry = (struct entry){.next = directory->free};
    directory->free = index;
    directory->count--;
    group->count--;
    if (group->count == 0)
        remove_group(directory, group);
}

static void drop_serial(struct directory *directory, const struct group *group, uint64_t serial)
{
    for (uint32_t at = group ? group->first : 0; at; at = directory->entries[at].next)
        if (directory->entries[at].serial == serial) {
            directory_drop(directory, at);
            return;
        }
}

static bool is_newer(const struct entry *a, const struct entry *b)
{
    return a->position != b->position ? a->position > b->position : a->serial > b->serial;
}

static uint32_t last_of(const struct directory *directory, const struct group *group)
{
    uint32_t last = group->first;
    while (directory->entries[last].next)
        last = directory->entries[last].next;
    return last;
}

err directory_add(struct directory *directory, const struct entry *entry, uint32_t per_entity)
{
    drop_serial(directory, directory_find(directory, entry->hash), entry->serial);
    if (directory->count >= directory->entries_max)
        return ALS_TOO_LARGE;
    if (!grow_entries(directory) || !grow_groups(directory))
        return ALS_NO_MEMORY;
    struct group *group = place_of(directory->groups, directory->group_room, entry->hash);
    if (group->first == 0) {
        *group = (struct group){.hash = entry->hash};
        directory->group_count++;
    }
    uint32_t index = take_entry(directory), *link = &group->first;
    while (*link && is_newer(&directory->entries[*link], entry))
        link = &directory->entries[*link].next;
    directory->entries[index] = *entry;
    directory->entries[index].next = *link;
    *link = index;
    entry->file->live += entry->bytes;
    group->count++;
    if (group->count > per_entity)
        directory_drop(directory, last_of(directory, group));
    return ALS_OK;
}

uint32_t directory_forget(struct directory *directory, uint64_t hash, uint64_t serial)
{
    const struct group *group = directory_find(directory, hash);
    uint32_t dropped = 0;
    for (uint32_t at = group ? group->first : 0; at;) {
        uint32_t next = directory->entries[at].next;
        if (directory->entries[at].serial < serial) {
            directory_drop(directory, at); // the group may go with its last entry
            dropped++;
        }
        at = next;
    }
    return dropped;
}

void directory_drop_file(struct directory *directory, const struct snapshot_file *file)
{
    for (uint32_t i = 1; i <= directory->entry_count; i++)
        if (directory->entries[i].file == file)
            directory_drop(directory, i);
}
