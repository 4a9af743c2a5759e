// SPDX-License-Identifier: Apache-2.0
// Backups below <allsource.h>: from the views or the directories of tenants to a directory that
// restore believes, and back. docs/backup.md, docs/formats/backup.md.
//
// Nothing here knows struct als, so the simulator can cut the power at every call. Threads: one at
// a time each.
#pragma once

#include <allsource.h>

#include "engine/catalog.h"
#include "store/store.h"

struct settings;

// ---- Making

struct backup_options {
    bool bytes;      // copies sealed files where a second name would do
    bool unverified; // what was copied is not read back and checked
    struct catalog_pace pace;
};

struct backup {
    struct os *os;
    struct os_dir *dir, *tenants; // `dir` is the caller's
    struct backup_options options;
    struct catalog_writer catalog;
    struct als_backup_report report;
};

// Begins one in `dir`, which must be empty: ALS_EXISTS.
err backup_begin(struct backup *backup, struct os *os, KEEPS struct os_dir *dir,
                 struct backup_options options, struct als_why *why);
// Everything that the view sees, with the settings that it needs; others may append meanwhile. The
// view is unpinned when it is copied, so what it held is not held while the copy is checked.
err backup_take_view(struct backup *backup, TAKES struct view view, struct settings *settings,
                     struct als_why *why);
// A tenant that nobody has open, from its directory.
err backup_take_directory(struct backup *backup, str tenant, struct os_dir *source,
                          struct als_why *why);
// Writes the catalog. When it returns ALS_OK the backup is whole and durable; before that there is
// none.
err backup_commit(struct backup *backup, struct als_why *why);
void backup_end(struct backup *backup);

// ---- Restoring

struct restore_options {
    str tenant;      // only this one; empty: all
    als_position at; // events up to here, of one tenant; 0: all
    struct catalog_pace pace;
};

// Compares every file of the backup with the catalog and checks that it is a sound history.
err backup_check(struct os *os, struct os_dir *backup, const struct restore_options *options,
                 struct als_backup_report *ret_report, struct als_why *why);
// Does that and makes a data directory of it in `target`, which must be empty: ALS_EXISTS. Until it
// has returned ALS_OK there is none in `target` that could be opened.
err backup_restore(struct os *os, struct os_dir *backup, struct os_dir *target,
                   const struct restore_options *options, struct als_backup_report *ret_report,
                   struct als_why *why);
// ALS_NOT_READY when a restore into this directory was begun and not finished.
err restore_check_finished(struct os *os, struct os_dir *dir, struct als_why *why);

// What the files of this door share.
err check_empty(struct os *os, struct os_dir *dir, struct als_why *why);
// Reads what was copied as als_verify() would, in a server in bounded memory.
struct copy_check {
    struct os_dir *dir; // the tenant's
    str tenant;
    const struct catalog_pace *pace;
    bool bytes_only; // the versions of entities are not followed
};
err check_copy(struct os *os, const struct copy_check *check, struct als_why *why);
// The directory `name` in `directory`, or that itself when the name is empty; made when absent.
err backup_directory(struct os *os, const char *directory, als_str name, struct os_dir **ret_dir,
                     struct als_why *why);
struct backup_options backup_options_of(const struct als_backup_options *asked,
                                        struct catalog_pace pace);
