// SPDX-License-Identifier: Apache-2.0
// The world as a struct: files, directories, clocks, entropy.
//
// Everything that decides durability goes through here, so that the simulator (tests/sim/lib) can
// be the world instead of POSIX and cut the power before every call. Threads and sockets are not
// here: threads are made in `engine` and `http` only, and the simulator takes the turns itself.
//
// Errors: ALS_NOT_FOUND (no such name), ALS_STORAGE_FULL (no space, quota), ALS_LOCKED,
// ALS_NO_MEMORY (too many open files, too), ALS_STORAGE for the rest; `why` names the call, the
// path and the system's reason. No caller ever sees errno. EINTR is retried inside. Threads: calls
// on different files and directories may be made by any thread; one file's writer is one thread.
// Names are single path components without '/'.
#pragma once

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

struct os;
struct os_file;
struct os_dir;

enum os_open {
    OS_READ,        // must exist
    OS_READ_WRITE,  // must exist
    OS_CREATE,      // read and write; must not exist yet
    OS_CREATE_OPEN, // read and write; made when absent
};

struct os_entry {
    str name;
    bool directory;
};

// Returns false to end the listing early.
typedef bool os_each_entry(void *context, const struct os_entry *entry);

enum os_hint {
    OS_HINT_RANDOM, // here and there: the system reads what is touched and nothing around it
    OS_HINT_SOON,   // whole, at once: the system begins to read it
};

struct os {
    // Directories. The parent of a directory that is made is synced before the call returns.
    // A NULL parent means `name` is a path of the host's (POSIX form) or of the world's root.
    err (*dir_open)(struct os *os, struct os_dir *parent, str name, bool create,
                    struct os_dir **ret_dir, struct als_why *why);
    void (*dir_close)(struct os_dir *dir);
    // Entries in no order, without "." and "..".
    err (*dir_list)(struct os_dir *dir, os_each_entry *each, void *context, struct als_why *why);
    // Makes created, renamed and unlinked names durable.
    err (*dir_sync)(struct os_dir *dir, struct als_why *why);
    err (*dir_rename)(struct os_dir *dir, str source, str target, struct als_why *why);
    err (*dir_unlink)(struct os_dir *dir, str name, struct als_why *why);
    // Gives a file a second name, in `target`. ALS_UNSUPPORTED when that cannot be (another file
    // system, one without such links, too many of them).
    err (*dir_link)(struct os_dir *source, str name, struct os_dir *target, struct als_why *why);
    // An advisory lock that dies with the process; ALS_LOCKED when another process has it.
    err (*dir_lock)(struct os_dir *dir, str name, struct os_file **ret_file, struct als_why *why);

    err (*file_open)(struct os_dir *dir, str name, enum os_open how, struct os_file **ret_file,
                     struct als_why *why);
    void (*file_close)(struct os_file *file);
    err (*file_size)(struct os_file *file, uint64_t *ret_size, struct als_why *why);
    // Reads up to `size` bytes; fewer only at the end of the file.
    err (*file_read)(struct os_file *file, uint64_t offset, void *bytes, size_t size,
                     size_t *ret_read, struct als_why *why);
    // Writes all slices one behind the other, in one call where the system can. When it fails, any
    // part of it may have been written.
    err (*file_write)(struct os_file *file, uint64_t offset, const str *slices, size_t count,
                      struct als_why *why);
    // Sets the size; what lay behind it is gone, what is new reads as zeros.
    err (*file_truncate)(struct os_file *file, uint64_t size, struct als_why *why);
    // Reserves space up to `size` and makes the file that long; what is new reads as zeros.
    err (*file_allocate)(struct os_file *file, uint64_t size, struct als_why *why);
    // Makes the content (and the size) durable. After a failure nothing is known of what was
    // written since the last success, and no later success says anything about it.
    err (*file_sync)(struct os_file *file, struct als_why *why);
    // The first `size` bytes of the file, read-only and shared: later writes show through. `size`
    // is at most the file's size. The mapping outlives file_close(). What a truncation cuts off
    // must not be read until the file is that long again.
    err (*file_map)(struct os_file *file, uint64_t size, const uint8_t **ret_bytes,
                    struct als_why *why);
    void (*file_unmap)(struct os *os, const uint8_t *bytes, uint64_t size);
    // Lets go of the memory that holds pages of a mapping, or of a part of one (the pages that lie
    // in it whole): they come back when they are read. Any thread, whoever is reading.
    void (*file_forget)(struct os *os, const uint8_t *bytes, uint64_t size);
    // How a mapping, or a part of one, is going to be read. Any thread.
    void (*file_hint)(struct os *os, const uint8_t *bytes, uint64_t size, enum os_hint hint);

    int64_t (*now_us)(struct os *os);        // wall clock, UTC microseconds since 1970; may jump
    uint64_t (*monotonic_ns)(struct os *os); // never goes back
    void (*entropy)(struct os *os, void *bytes, size_t size); // unpredictable; never fails
};

// The host's files and clocks. The struct is static and has no state: any thread may use it.
struct os *os_posix(void);
// The same without syncs, for what is thrown away at the end anyway.
struct os *os_posix_unsynced(void);

static inline err os_write_one(struct os *os, struct os_file *file, uint64_t offset, str bytes,
                               struct als_why *why)
{
    return os->file_write(file, offset, &bytes, 1, why);
}

// The same for a file that will be mapped and looked at here and there. Where one byte is looked
// at, the system may map all that one write has put into its cache as one piece, which can be
// mebibytes. So no write crosses a multiple of MAPPED_PIECE_BYTES.
enum { MAPPED_PIECE_BYTES = 64 << 10 };
err os_write_mapped(struct os *os, struct os_file *file, uint64_t offset, str bytes,
                    struct als_why *why);
