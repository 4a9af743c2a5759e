// SPDX-License-Identifier: Apache-2.0
// The machine: struct os over the disk, with faults, capacity, clock and entropy.
#include "disk.h"

#include <assert.h>
#include <stdlib.h>

struct os_dir {
    struct sim *sim;
    size_t inode;
};

struct os_file {
    struct sim *sim;
    size_t inode;
    bool lock;
    char name[NAME_MAX_BYTES];
};

struct sim *sim_of(struct os *os)
{
    return (struct sim *)os;
}

// Before each call that changes the disk.
static void begin(struct sim *sim, const char *call, str name)
{
    if (sim->hook)
        sim->hook(sim->hook_context, sim, call, name);
    sim->calls++;
}

static err fault(struct sim *sim, enum sim_fault kind, const char *call, str name,
                 struct als_why *why)
{
    if (!(sim->fault_kinds & kind) || --sim->fault_nth > 0)
        return ALS_OK;
    sim->fault_kinds = 0;
    return FAIL(why, sim->fault_code, "%s '%.*s': simulated fault", call, STR(name));
}

static void copy_name(char target[static NAME_MAX_BYTES], str name)
{
    assert(name.len > 0 && name.len < NAME_MAX_BYTES);
    assert(str_find(name, '/') == name.len);
    memcpy(target, name.ptr, name.len);
    target[name.len] = '\0';
}

// ---- Directories.

static err sync_directory(struct sim *sim, struct inode *directory, struct als_why *why)
{
    begin(sim, "sync directory", S(""));
    TRY(fault(sim, SIM_FAIL_DIRECTORY, "sync directory", S(""), why));
    inode_sync_entries(directory);
    return ALS_OK;
}

// One step down, making the directory if asked to.
static err step_into(struct sim *sim, size_t *at, str name, bool create, struct als_why *why)
{
    struct inode *parent = sim->inodes[*at];
    const struct entry *entry = entries_find(&parent->listed, name);
    if (!entry && !create)
        return FAIL(why, ALS_NOT_FOUND, "open '%.*s': no such directory", STR(name));
    if (entry && !sim->inodes[entry->inode]->directory)
        return FAIL(why, ALS_STORAGE, "open '%.*s': not a directory", STR(name));
    size_t number = entry ? entry->inode : 0;
    if (!entry) {
        begin(sim, "make directory", name);
        TRY(fault(sim, SIM_FAIL_DIRECTORY, "make directory", name, why));
        number = inode_new(sim, true);
        struct entry_change change = {.kind = ENTRY_MADE, .inode = number};
        copy_name(change.name, name);
        inode_change_entry(sim, parent, change);
    }
    if (create)
        TRY(sync_directory(sim, parent, why));
    *at = number;
    return ALS_OK;
}

static err sim_dir_open(struct os *os, struct os_dir *parent, str name, bool create,
                        struct os_dir **ret_dir, struct als_why *why)
{
    struct sim *sim = sim_of(os);
    TRY(fault(sim, SIM_FAIL_OPEN, "open", name, why));
    size_t at = parent ? parent->inode : ROOT;
    for (str rest = name; rest.len > 0;) {
        str step = str_cut(&rest, '/');
        if (step.len > 0)
            TRY(step_into(sim, &at, step, create, why));
    }
    struct os_dir *dir = malloc(sizeof *dir);
    if (!dir)
        abort();
    *dir = (struct os_dir){sim, at};
    sim->inodes[at]->handles++;
    *ret_dir = dir;
    return ALS_OK;
}

static void sim_dir_close(struct os_dir *dir)
{
    if (!dir)
        return;
    dir->sim->inodes[dir->inode]->handles--;
    free(dir);
}

static err sim_dir_list(struct os_dir *dir, os_each_entry *each, void *context, struct als_why *why)
{
    struct sim *sim = dir->sim;
    TRY(fault(sim, SIM_FAIL_READ, "list", S(""), why));
    struct inode *inode = sim->inodes[dir->inode];
    for (size_t i = 0; i < inode->listed.count; i++) {
        const struct entry *entry = &inode->listed.items[i];
        bool directory = sim->inodes[entry->inode]->directory;
        if (!each(context, &(struct os_entry){str_of(entry->name), directory}))
            break;
    }
    return ALS_OK;
}

static err sim_dir_sync(struct os_dir *dir, struct als_why *why)
{
    return sync_directory(dir->sim, dir->sim->inodes[dir->inode], why);
}

static err sim_dir_rename(struct os_dir *dir, str source, str target, struct als_why *why)
{
    struct sim *sim = dir->sim;
    struct inode *directory = sim->inodes[dir->inode];
    if (!entries_find(&directory->listed, source))
        return FAIL(why, ALS_NOT_FOUND, "rename '%.*s': no such file", STR(source));
    begin(sim, "rename", source);
    TRY(fault(sim, SIM_FAIL_DIRECTORY, "rename", source, why));
    struct entry_change change = {.kind = ENTRY_RENAMED};
    copy_name(change.name, source);
    copy_name(change.target, target);
    inode_change_entry(sim, directory, change);
    return ALS_OK;
}

static err sim_dir_unlink(struct os_dir *dir, str name, struct als_why *why)
{
    struct sim *sim = dir->sim;
    struct inode *directory = sim->inodes[dir->inode];
    const struct entry *entry = entries_find(&directory->listed, name);
    if (!entry)
        return FAIL(why, ALS_NOT_FOUND, "remove '%.*s': no such file", STR(name));
    if (sim->inodes[entry->inode]->directory)
        return FAIL(why, ALS_STORAGE, "remove '%.*s': is a directory", STR(name));
    begin(sim, "unlink", name);
    TRY(fault(sim, SIM_FAIL_DIRECTORY, "remove", name, why));
    struct entry_change change = {.kind = ENTRY_REMOVED};
    copy_name(change.name, name);
    inode_change_entry(sim, directory, change);
    return ALS_OK;
}

static err sim_dir_link(struct os_dir *source, str name, struct os_dir *target, struct als_why *why)
{
    struct sim *sim = source->sim;
    struct inode *directory = sim->inodes[target->inode];
    const struct entry *entry = entries_find(&sim->inodes[source->inode]->listed, name);
    if (!entry)
        return FAIL(why, ALS_NOT_FOUND, "link '%.*s': no such file", STR(name));
    if (entries_find(&directory->listed, name))
        return FAIL(why, ALS_STORAGE, "link '%.*s': it exists", STR(name));
    begin(sim, "link", name);
    TRY(fault(sim, SIM_FAIL_DIRECTORY, "link", name, why));
    struct entry_change change = {.kind = ENTRY_MADE, .inode = entry->inode};
    copy_name(change.name, name);
    inode_change_entry(sim, directory, change);
    return ALS_OK;
}

// ---- Files.

static void open_inode(struct sim *sim, size_t inode, str name, struct os_file **ret_file)
{
    struct os_file *file = calloc(1, sizeof *file);
    if (!file)
        abort();
    file->sim = sim;
    file->inode = inode;
    copy_name(file->name, name);
    sim->inodes[inode]->handles++;
    *ret_file = file;
}

static err sim_file_open(struct os_dir *dir, str name, enum os_open how, struct os_file **ret_file,
                         struct als_why *why)
{
    struct sim *sim = dir->sim;
    struct inode *directory = sim->inodes[dir->inode];
    const struct entry *entry = entries_find(&directory->listed, name);
    if (entry && how == OS_CREATE)
        return FAIL(why, ALS_STORAGE, "open '%.*s': it exists", STR(name));
    if (entry && sim->inodes[entry->inode]->directory)
        return FAIL(why, ALS_STORAGE, "open '%.*s': is a directory", STR(name));
    if (!entry && how != OS_CREATE && how != OS_CREATE_OPEN)
        return FAIL(why, ALS_NOT_FOUND, "open '%.*s': no such file", STR(name));
    TRY(fault(sim, SIM_FAIL_OPEN, "open", name, why));
    size_t number = entry ? entry->inode : 0;
    if (!entry) {
        begin(sim, "create", name);
        TRY(fault(sim, SIM_FAIL_DIRECTORY, "create", name, why));
        number = inode_new(sim, false);
        struct entry_change change = {.kind = ENTRY_MADE, .inode = number};
        copy_name(change.name, name);
        inode_change_entry(sim, directory, change);
    }
    open_inode(sim, number, name, ret_file);
    return ALS_OK;
}

static err sim_dir_lock(struct os_dir *dir, str name, struct os_file **ret_file,
                        struct als_why *why)
{
    struct os_file *file = NULL;
    TRY(sim_file_open(dir, name, OS_CREATE_OPEN, &file, why));
    struct inode *inode = dir->sim->inodes[file->inode];
    if (inode->locked) {
        dir->sim->os.file_close(file);
        return FAIL(why, ALS_LOCKED, "'%.*s' is held by another process", STR(name));
    }
    inode->locked = file->lock = true;
    *ret_file = file;
    return ALS_OK;
}

static void sim_file_close(struct os_file *file)
{
    if (!file)
        return;
    struct inode *inode = file->sim->inodes[file->inode];
    inode->handles--;
    if (file->lock)
        inode->locked = false;
    free(file);
}

static struct inode *inode_of(const struct os_file *file)
{
    return file->sim->inodes[file->inode];
}

static err sim_file_size(struct os_file *file, uint64_t *ret_size, struct als_why *why)
{
    TRY(fault(file->sim, SIM_FAIL_READ, "stat", str_of(file->name), why));
    *ret_size = inode_of(file)->current.size;
    return ALS_OK;
}

static err sim_file_read(struct os_file *file, uint64_t offset, void *bytes, size_t size,
                         size_t *ret_read, struct als_why *why)
{
    TRY(fault(file->sim, SIM_FAIL_READ, "read", str_of(file->name), why));
    const struct bytes *current = &inode_of(file)->current;
    uint64_t left = offset < current->size ? current->size - offset : 0;
    size_t got = left < size ? (size_t)left : size;
    if (got > 0)
        memcpy(bytes, current->ptr + offset, got);
    *ret_read = got;
    return ALS_OK;
}

// How far the file may reach with what the disk has left.
static uint64_t space_limit(struct sim *sim, const struct inode *inode)
{
    if (sim->capacity == 0)
        return UINT64_MAX;
    uint64_t own = inode->current.space;
    uint64_t others = sim_space(sim) - own;
    uint64_t limit = others < sim->capacity ? sim->capacity - others : 0;
    limit -= limit % SECTOR_BYTES;
    return limit > own ? limit : own;
}

static uint64_t total_size(const str *slices, size_t count)
{
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += slices[i].len;
    return size;
}

static err sim_file_write(struct os_file *file, uint64_t offset, const str *slices, size_t count,
                          struct als_why *why)
{
    struct sim *sim = file->sim;
    struct inode *inode = inode_of(file);
    str name = str_of(file->name);
    uint64_t size = total_size(slices, count);
    begin(sim, "write", name);
    TRY(fault(sim, SIM_FAIL_WRITE, "write", name, why));
    err code = fault(sim, SIM_FAIL_PART, "write", name, why);
    uint64_t part = code == ALS_OK ? size : rand_below(&sim->rand, size + 1);
    uint64_t limit = space_limit(sim, inode);
    if (offset + part > limit) {
        part = offset < limit ? limit - offset : 0;
        code = FAIL(why, ALS_STORAGE_FULL, "write '%.*s': no space left", STR(name));
    }
    uint8_t *joined = malloc(size + 1);
    if (!joined)
        abort();
    uint64_t at = 0;
    for (size_t i = 0; i < count; at += slices[i++].len)
        if (slices[i].len > 0)
            memcpy(joined + at, slices[i].ptr, slices[i].len);
    inode_write(inode, offset, (str){(const char *)joined, part});
    free(joined);
    return code;
}

static err sim_file_truncate(struct os_file *file, uint64_t size, struct als_why *why)
{
    struct inode *inode = inode_of(file);
    begin(file->sim, "truncate", str_of(file->name));
    TRY(fault(file->sim, SIM_FAIL_TRUNCATE, "truncate", str_of(file->name), why));
    inode_resize(inode, size);
    return ALS_OK;
}

static err sim_file_allocate(struct os_file *file, uint64_t size, struct als_why *why)
{
    struct sim *sim = file->sim;
    struct inode *inode = inode_of(file);
    str name = str_of(file->name);
    begin(sim, "allocate", name);
    TRY(fault(sim, SIM_FAIL_ALLOCATE, "allocate", name, why));
    if (size > space_limit(sim, inode))
        return FAIL(why, ALS_STORAGE_FULL, "allocate '%.*s': no space left", STR(name));
    inode_allocate(inode, size);
    return ALS_OK;
}

static err sim_file_sync(struct os_file *file, struct als_why *why)
{
    begin(file->sim, "sync", str_of(file->name));
    err code = fault(file->sim, SIM_FAIL_SYNC, "sync", str_of(file->name), why);
    if (code == ALS_OK)
        inode_sync(inode_of(file));
    else
        inode_forget(inode_of(file));
    return code;
}

static err sim_file_map(struct os_file *file, uint64_t size, const uint8_t **ret_bytes,
                        struct als_why *why)
{
    struct inode *inode = inode_of(file);
    assert(size > 0 && size <= inode->current.size);
    TRY(fault(file->sim, SIM_FAIL_MAP, "map", str_of(file->name), why));
    inode->maps++;
    *ret_bytes = inode->current.ptr;
    return ALS_OK;
}

static bool is_mapped_at(const struct inode *inode, const uint8_t *bytes)
{
    bool found = inode->current.ptr == bytes;
    for (const struct mirror *at = inode->mirrors; at && !found; at = at->next)
        found = at->ptr == bytes;
    return found;
}

static void sim_file_unmap(struct os *os, const uint8_t *bytes, uint64_t size)
{
    (void)size;
    struct sim *sim = sim_of(os);
    for (size_t i = 0; bytes && i < sim->inode_count; i++) {
        struct inode *inode = sim->inodes[i];
        if (inode && inode->maps > 0 && is_mapped_at(inode, bytes)) {
            inode->maps--;
            return;
        }
    }
    assert(!bytes); // else it was never mapped
}

// The simulated memory holds the disk itself.
static void sim_file_forget(struct os *os, const uint8_t *bytes, uint64_t size)
{
    (void)os, (void)bytes, (void)size;
}

static void sim_file_hint(struct os *os, const uint8_t *bytes, uint64_t size, enum os_hint hint)
{
    (void)os, (void)bytes, (void)size, (void)hint;
}

// ---- Clock and entropy.

static int64_t sim_now_us(struct os *os)
{
    return sim_of(os)->now_us;
}

static uint64_t sim_monotonic_ns(struct os *os)
{
    return sim_of(os)->monotonic_ns;
}

static void sim_entropy(struct os *os, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)rand_next(&sim_of(os)->rand);
}

void sim_advance_us(struct sim *sim, uint64_t us)
{
    sim->now_us += (int64_t)us;
    sim->monotonic_ns += us * 1000;
}

void sim_set_now_us(struct sim *sim, int64_t us)
{
    sim->now_us = us;
}

// ---- The machine.

struct sim *sim_blank(uint64_t seed)
{
    struct sim *sim = calloc(1, sizeof *sim);
    if (!sim)
        abort();
    sim->os = (struct os){
        .dir_open = sim_dir_open,
        .dir_close = sim_dir_close,
        .dir_list = sim_dir_list,
        .dir_sync = sim_dir_sync,
        .dir_rename = sim_dir_rename,
        .dir_link = sim_dir_link,
        .dir_unlink = sim_dir_unlink,
        .dir_lock = sim_dir_lock,
        .file_open = sim_file_open,
        .file_close = sim_file_close,
        .file_size = sim_file_size,
        .file_read = sim_file_read,
        .file_write = sim_file_write,
        .file_truncate = sim_file_truncate,
        .file_allocate = sim_file_allocate,
        .file_sync = sim_file_sync,
        .file_map = sim_file_map,
        .file_unmap = sim_file_unmap,
        .file_forget = sim_file_forget,
        .file_hint = sim_file_hint,
        .now_us = sim_now_us,
        .monotonic_ns = sim_monotonic_ns,
        .entropy = sim_entropy,
    };
    sim->rand.state = seed;
    sim->now_us = 1'700'000'000'000'000;
    sim->monotonic_ns = 1'000'000'000;
    return sim;
}

struct sim *sim_new(uint64_t seed)
{
    struct sim *sim = sim_blank(seed);
    size_t root = inode_new(sim, true);
    assert(root == ROOT);
    sim->inodes[root]->names = 1;
    return sim;
}

void sim_free(struct sim *sim)
{
    if (!sim)
        return;
    for (size_t i = 0; i < sim->inode_count; i++)
        inode_free(sim->inodes[i]);
    free(sim->inodes);
    free(sim);
}

struct os *sim_os(struct sim *sim)
{
    return &sim->os;
}

void sim_set_hook(struct sim *sim, sim_hook *hook, void *context)
{
    sim->hook = hook;
    sim->hook_context = context;
}

void sim_set_tell(struct sim *sim, FILE *out)
{
    sim->tell = out;
}

uint64_t sim_calls(const struct sim *sim)
{
    return sim->calls;
}

void sim_fail(struct sim *sim, unsigned kinds, uint64_t nth, err code)
{
    assert(nth > 0 && code != ALS_OK);
    sim->fault_kinds = kinds;
    sim->fault_nth = nth;
    sim->fault_code = code;
}

bool sim_fault_pending(const struct sim *sim)
{
    return sim->fault_kinds != 0;
}

void sim_set_capacity(struct sim *sim, uint64_t bytes)
{
    sim->capacity = bytes;
}

uint64_t sim_space(const struct sim *sim)
{
    uint64_t space = 0;
    for (size_t i = 0; i < sim->inode_count; i++) {
        const struct inode *inode = sim->inodes[i];
        if (inode && (inode->names > 0 || inode->handles > 0 || inode->maps > 0))
            space += inode->current.space;
    }
    return space;
}

void sim_heal(struct sim *sim)
{
    sim->fault_kinds = 0;
    sim->capacity = 0;
}

uint64_t sim_bits(const struct sim *sim)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < sim->inode_count; i++)
        if (sim->inodes[i] && sim->inodes[i]->names > 0)
            bits += inode_durable(sim->inodes[i])->size * 8;
    return bits;
}

static str name_of(const struct sim *sim, size_t inode)
{
    for (size_t i = 0; i < sim->inode_count; i++)
        for (size_t k = 0; sim->inodes[i] && k < sim->inodes[i]->listed.count; k++)
            if (sim->inodes[i]->listed.items[k].inode == inode)
                return str_of(sim->inodes[i]->listed.items[k].name);
    return (str){};
}

void sim_flip(struct sim *sim, uint64_t bit, str *ret_name)
{
    assert(bit < sim_bits(sim));
    for (size_t i = 0; i < sim->inode_count; i++) {
        struct inode *inode = sim->inodes[i];
        if (!inode || inode->names == 0)
            continue;
        uint64_t bits = inode_durable(inode)->size * 8;
        if (bit >= bits) {
            bit -= bits;
            continue;
        }
        uint8_t mask = (uint8_t)(1 << bit % 8);
        if (inode->apart)
            inode->durable.ptr[bit / 8] ^= mask;
        if (bit / 8 < inode->current.size)
            inode->current.ptr[bit / 8] ^= mask;
        if (ret_name)
            *ret_name = name_of(sim, i);
        return;
    }
}
