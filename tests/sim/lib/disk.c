// SPDX-License-Identifier: Apache-2.0
// Inodes. A file has two contents, what readers see and what is on the disk, and the list of
// changes between them. As long as nothing has changed the second is not kept, so that a clone of
// a machine copies each file once.
//
// Mappings must stay where they are while the file grows. When the bytes have to move, the old
// place becomes a mirror, which gets every later write, too.
#include "disk.h"

#include <assert.h>
#include <stdlib.h>

static void *must_have(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

void *grow_array(void *items, size_t *count, size_t *capacity, size_t size)
{
    char *grown = items;
    if (*count == *capacity) {
        *capacity = *capacity * 2 + 4;
        grown = must_have(realloc(items, *capacity * size));
    }
    memset(grown + *count * size, 0, size);
    ++*count;
    return grown;
}

// ---- Bytes.

static void bytes_move(struct bytes *bytes, uint64_t capacity)
{
    uint8_t *moved = must_have(malloc(capacity));
    if (bytes->size > 0)
        memcpy(moved, bytes->ptr, bytes->size);
    memset(moved + bytes->size, 0, capacity - bytes->size);
    bytes->ptr = moved;
    bytes->capacity = capacity;
}

void bytes_resize(struct bytes *bytes, uint64_t size)
{
    if (size > bytes->capacity) {
        uint8_t *old = bytes->ptr;
        bytes_move(bytes, size + size / 4 + 64);
        free(old);
    }
    if (size < bytes->size)
        memset(bytes->ptr + size, 0, bytes->size - size);
    bytes->size = size;
    bytes->space = bytes->space < sectors(size) ? bytes->space : sectors(size);
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void bytes_apply(struct bytes *bytes, const struct change *change)
{
    uint64_t end = change->offset + change->size;
    if (change->kind == CHANGE_SIZE || end > bytes->size)
        bytes_resize(bytes, end);
    if (change->kind != CHANGE_SIZE)
        bytes->space = greater(bytes->space, sectors(end));
    if (change->size > 0)
        memmove(bytes->ptr + change->offset, change->bytes, change->size);
}

void bytes_copy(struct bytes *bytes, const struct bytes *source)
{
    *bytes = (struct bytes){};
    bytes_resize(bytes, source->size);
    if (source->size > 0)
        memcpy(bytes->ptr, source->ptr, source->size);
    bytes->space = source->space;
}

// ---- Files.

size_t inode_new(struct sim *sim, bool directory)
{
    sim->inodes =
        grow_array(sim->inodes, &sim->inode_count, &sim->inode_capacity, sizeof *sim->inodes);
    struct inode *inode = must_have(calloc(1, sizeof *inode));
    inode->directory = directory;
    sim->inodes[sim->inode_count - 1] = inode;
    return sim->inode_count - 1;
}

void inode_free(struct inode *inode)
{
    if (!inode)
        return;
    inode_forget(inode);
    while (inode->mirrors) {
        struct mirror *next = inode->mirrors->next;
        free(inode->mirrors->ptr);
        free(inode->mirrors);
        inode->mirrors = next;
    }
    free(inode->changes);
    free(inode->current.ptr);
    free(inode->durable.ptr);
    free(inode->listed.items);
    free(inode->kept.items);
    free(inode->entry_changes);
    free(inode);
}

const struct bytes *inode_durable(const struct inode *inode)
{
    return inode->apart ? &inode->durable : &inode->current;
}

static struct change *note_change(struct inode *inode)
{
    if (!inode->apart) {
        bytes_copy(&inode->durable, &inode->current);
        inode->apart = true;
    }
    inode->changes = grow_array(inode->changes, &inode->change_count, &inode->change_capacity,
                                sizeof *inode->changes);
    return &inode->changes[inode->change_count - 1];
}

static void apply_current(struct inode *inode, const struct change *change)
{
    uint64_t end = change->offset + change->size;
    if (end > inode->current.capacity && inode->maps > 0) {
        struct mirror *mirror = must_have(malloc(sizeof *mirror));
        *mirror = (struct mirror){inode->current.ptr, inode->current.size, inode->mirrors};
        inode->mirrors = mirror;
        bytes_move(&inode->current, end + end / 4);
    }
    bytes_apply(&inode->current, change);
    for (struct mirror *at = inode->mirrors; at; at = at->next) {
        uint64_t size = at->size < inode->current.size ? at->size : inode->current.size;
        memcpy(at->ptr, inode->current.ptr, size);
    }
}

void inode_write(struct inode *inode, uint64_t offset, str slice)
{
    if (slice.len == 0)
        return;
    struct change *change = note_change(inode);
    uint8_t *bytes = must_have(malloc(slice.len)); // copied first: it may be of our own mapping
    memcpy(bytes, slice.ptr, slice.len);
    *change = (struct change){CHANGE_WRITE, offset, slice.len, bytes};
    apply_current(inode, change);
}

void inode_resize(struct inode *inode, uint64_t size)
{
    struct change *change = note_change(inode);
    *change = (struct change){.kind = CHANGE_SIZE, .offset = size};
    apply_current(inode, change);
}

void inode_allocate(struct inode *inode, uint64_t size)
{
    struct change *change = note_change(inode);
    *change = (struct change){.kind = CHANGE_ALLOCATE, .offset = size};
    apply_current(inode, change);
}

void inode_sync(struct inode *inode)
{
    for (size_t i = 0; i < inode->change_count; i++)
        bytes_apply(&inode->durable, &inode->changes[i]);
    inode_forget(inode);
}

void inode_forget(struct inode *inode)
{
    for (size_t i = 0; i < inode->change_count; i++)
        free(inode->changes[i].bytes);
    inode->change_count = 0;
}

// ---- Directories.

struct entry *entries_find(const struct entries *entries, str name)
{
    for (size_t i = 0; i < entries->count; i++)
        if (str_equal(str_of(entries->items[i].name), name))
            return &entries->items[i];
    return NULL;
}

static void entries_remove(struct entries *entries, struct entry *entry)
{
    if (entry)
        *entry = entries->items[--entries->count];
}

// A change whose name is not there (its making was lost) does nothing.
void entries_apply(struct entries *entries, const struct entry_change *change)
{
    struct entry *entry = entries_find(entries, str_of(change->name));
    if (change->kind == ENTRY_REMOVED || (change->kind == ENTRY_RENAMED && !entry)) {
        entries_remove(entries, entry);
        return;
    }
    if (change->kind == ENTRY_RENAMED) {
        struct entry moved = *entry;
        entries_remove(entries, entry);
        entries_remove(entries, entries_find(entries, str_of(change->target)));
        memcpy(moved.name, change->target, sizeof moved.name);
        entries->items =
            grow_array(entries->items, &entries->count, &entries->capacity, sizeof moved);
        entries->items[entries->count - 1] = moved;
        return;
    }
    if (!entry) {
        entries->items =
            grow_array(entries->items, &entries->count, &entries->capacity, sizeof *entry);
        entry = &entries->items[entries->count - 1];
        memcpy(entry->name, change->name, sizeof entry->name);
    }
    entry->inode = change->inode;
}

void inode_change_entry(struct sim *sim, struct inode *directory, struct entry_change change)
{
    const struct entry *gone = entries_find(
        &directory->listed, str_of(change.kind == ENTRY_RENAMED ? change.target : change.name));
    if (gone && change.kind != ENTRY_MADE)
        sim->inodes[gone->inode]->names--;
    if (change.kind == ENTRY_MADE)
        sim->inodes[change.inode]->names++;
    directory->entry_changes = grow_array(directory->entry_changes, &directory->entry_change_count,
                                          &directory->entry_change_capacity, sizeof change);
    directory->entry_changes[directory->entry_change_count - 1] = change;
    entries_apply(&directory->listed, &change);
}

void inode_sync_entries(struct inode *directory)
{
    for (size_t i = 0; i < directory->entry_change_count; i++)
        entries_apply(&directory->kept, &directory->entry_changes[i]);
    directory->entry_change_count = 0;
}
