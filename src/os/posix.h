// SPDX-License-Identifier: Apache-2.0
// The POSIX form, inside: how its pieces reach each other. errno stops here.
#pragma once

#include "os/os.h"

struct os_dir {
    int fd;
    char path[]; // for messages
};

struct os_file {
    int fd;
    char path[]; // for messages
};

enum { OS_NAME_MAX = 255, OS_PATH_MAX = 4095 };

// What errno says, as one of our codes, and in words: "open 'data/LOCK': Permission denied".
err posix_failed(struct als_why *why, const char *call, const char *path);

// A name with its NUL behind it. Names are made by us, so a wrong one is a bug.
const char *posix_name(str name, char space[static OS_NAME_MAX + 1]);

// A file that owns `fd` from now on; closes it when there is no memory.
err posix_file_new(int fd, struct os_dir *dir, str name, struct os_file **ret_file,
                   struct als_why *why);

err posix_dir_open(struct os *os, struct os_dir *parent, str name, bool create,
                   struct os_dir **ret_dir, struct als_why *why);
void posix_dir_close(struct os_dir *dir);
err posix_dir_list(struct os_dir *dir, os_each_entry *each, void *context, struct als_why *why);
err posix_dir_sync(struct os_dir *dir, struct als_why *why);
err posix_dir_rename(struct os_dir *dir, str source, str target, struct als_why *why);
err posix_dir_unlink(struct os_dir *dir, str name, struct als_why *why);
err posix_dir_link(struct os_dir *source, str name, struct os_dir *target, struct als_why *why);
err posix_dir_lock(struct os_dir *dir, str name, struct os_file **ret_file, struct als_why *why);

err posix_file_open(struct os_dir *dir, str name, enum os_open how, struct os_file **ret_file,
                    struct als_why *why);
void posix_file_close(struct os_file *file);
err posix_file_size(struct os_file *file, uint64_t *ret_size, struct als_why *why);
err posix_file_read(struct os_file *file, uint64_t offset, void *bytes, size_t size,
                    size_t *ret_read, struct als_why *why);
err posix_file_write(struct os_file *file, uint64_t offset, const str *slices, size_t count,
                     struct als_why *why);
err posix_file_truncate(struct os_file *file, uint64_t size, struct als_why *why);
err posix_file_allocate(struct os_file *file, uint64_t size, struct als_why *why);
err posix_file_sync(struct os_file *file, struct als_why *why);
err posix_file_map(struct os_file *file, uint64_t size, const uint8_t **ret_bytes,
                   struct als_why *why);
void posix_file_unmap(struct os *os, const uint8_t *bytes, uint64_t size);
void posix_file_forget(struct os *os, const uint8_t *bytes, uint64_t size);
void posix_file_hint(struct os *os, const uint8_t *bytes, uint64_t size, enum os_hint hint);
