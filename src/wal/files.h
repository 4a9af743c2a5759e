// SPDX-License-Identifier: Apache-2.0
// The files of a log: their names, and the list of those that are mapped.
#pragma once

#include "base/err.h"
#include "wal/format.h"

struct os;
struct os_dir;
struct os_file;

enum { WAL_NAME_MAX = 40 };

// "000000000000002a.wal"
str wal_name(uint64_t number, char space[static WAL_NAME_MAX]);
// What a file is called until its content is durable: "000000000000002a-<epoch>.new". The epoch is
// random, so no such name is ever used twice.
str wal_name_new(uint64_t number, uint64_t epoch, char space[static WAL_NAME_MAX]);
// False when the name is neither; `epoch` is 0 for the first kind.
bool wal_name_parse(str name, uint64_t *ret_number, uint64_t *ret_epoch);

struct wal_file {
    uint64_t number;
    struct wal_link before; // where the log stood when the file began
    uint64_t durable;       // the last batch known to be durable when the file got its name
    uint64_t end;           // behind the last frame that counts; the header's size when none does
    uint64_t size;          // of the mapping
    const uint8_t *bytes;   // owned
};

struct wal_files {
    struct wal_file *items; // oldest first
    size_t count, capacity;
};

// Makes room for one more, so that adding it cannot fail.
err wal_files_reserve(struct wal_files *files, struct als_why *why);
void wal_files_remove(struct wal_files *files, struct os *os, size_t index); // unmaps it
void wal_files_deinit(struct wal_files *files, struct os *os);

static inline struct wal_file *wal_files_last(const struct wal_files *files)
{
    return files->count ? &files->items[files->count - 1] : NULL;
}
