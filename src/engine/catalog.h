// SPDX-License-Identifier: Apache-2.0
// The file that says a backup is whole: which tenants it has up to which position, and every file
// with its size and checksum. It is written last of all, so a backup without it was never finished.
// Format: docs/formats/backup.md. Threads: one at a time.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

struct os;
struct os_dir;

struct catalog_tenant {
    str directory; // its name below tenants/
    als_position position;
    uint64_t events;
    size_t first_file, file_count;
};

struct catalog_file {
    str sub, name; // tenants/DIRECTORY/SUB/NAME
    uint64_t bytes;
    uint32_t crc;
};

struct catalog {
    struct buf text; // what all slices point into
    int64_t created_us;
    struct catalog_tenant *tenants;
    size_t tenant_count, tenant_room;
    struct catalog_file *files;
    size_t file_count, file_room;
    uint64_t bytes;
};

// Told how many more bytes were read; false ends it with ALS_NOT_READY. `paced` may be NULL.
struct catalog_pace {
    bool (*paced)(void *context, uint64_t bytes);
    void *context;
};

// ---- Writing

struct catalog_writer {
    struct os *os;
    struct catalog_pace pace;
    struct buf text;
    int64_t created_us;
    uint64_t files, bytes;
};
void catalog_begin(struct catalog_writer *writer, struct os *os, struct catalog_pace pace);
void catalog_end(struct catalog_writer *writer);
// Reads all files of a tenant that is copied: `tenant->directory` below `tenants`.
err catalog_add(struct catalog_writer *writer, struct os_dir *tenants,
                const struct catalog_tenant *tenant, struct als_why *why);
// Writes it into the backup's directory and makes it durable: from here on the backup is whole.
err catalog_write(struct catalog_writer *writer, struct os_dir *backup, struct als_why *why);

// ---- Reading

// ALS_NOT_FOUND: the backup was never finished. ALS_CORRUPT, ALS_FORMAT_TOO_NEW.
err catalog_read(struct os *os, struct os_dir *backup, struct catalog **ret_catalog,
                 struct als_why *why);
// Of its bytes, which are copied.
err catalog_parse(str text, struct catalog **ret_catalog, struct als_why *why);
void catalog_free(struct catalog *catalog);
AUTO_WITH(catalog, catalog_free)
// Reads every file of the tenant and compares it with the catalog. ALS_CORRUPT names the first that
// is not what was written, is missing, or that the catalog does not know.
err catalog_check(const struct catalog *catalog, const struct catalog_tenant *tenant, struct os *os,
                  struct os_dir *tenants, const struct catalog_pace *pace, struct als_why *why);
