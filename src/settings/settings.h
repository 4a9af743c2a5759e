// SPDX-License-Identifier: Apache-2.0
// The small second log of a tenant: what was set, when, and where the events stood then.
//
// A setting is a record that never changes; what is set now is a fold over all of them, kept by its
// owner (schemas by the registry). So settings survive a restart, take no position from the events,
// and can be asked for as of a time. The log is of the same make as the events' (wal/wal.h), in the
// directory settings/, which is made at the first setting. Format: docs/formats/settings.md.
// Threads: any; appends wait for each other. Settings are rare and small, each costs its own sync.
#pragma once

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

struct os;
struct os_dir;
struct settings;
struct wal_verdict;

enum setting_kind {
#define X(name, number, whose) SETTING_##name = (number),
#include "settings/settings.def"
#undef X
};

struct setting {
    uint64_t number;     // 1, 2, 3...
    uint32_t kind;       // a setting_kind, or one that a newer program has written
    int64_t recorded_us; // when it became durable; never goes back
    als_position events; // the last position of the tenant's events when it was made
    str body;            // valid until the settings are closed
};

typedef err settings_each(void *context, const struct setting *setting, struct als_why *why);

// Opens the settings of the tenant whose directory is `dir` and calls `each` for all of them in
// order. Unknown kinds are handed out, too: their owner is a newer program, and they are kept. A
// torn end is cut off; ALS_CORRUPT and ALS_FORMAT_TOO_NEW as wal_open(). Makes nothing on the disk.
err settings_open(KEEPS struct os *os, KEEPS struct os_dir *dir, str tenant, settings_each *each,
                  void *context, struct settings **ret_settings, struct als_why *why);
void settings_close(struct settings *settings);
AUTO_WITH(settings, settings_close)

// Durable when it returns. ALS_STORAGE_FULL, ALS_NO_MEMORY: it is not there and never will be; the
// next one may succeed. ALS_STORAGE_FAILED: the outcome is unknown and no more are taken until the
// settings are opened again; what was handed out stays readable. ALS_TOO_LARGE past
// SETTING_BYTES_MAX.
err settings_append(struct settings *settings, enum setting_kind kind, als_position events,
                    str body, struct setting *ret_setting, struct als_why *why);

// ---- Copies, for backup and restore: the settings up to the first that was made behind position
// `up_to` of the tenant's events become the directory settings/ of `target`, which has none; when
// there are none, nothing is made. Durable when it returns.

struct settings_copying {
    struct os_dir *target;
    str tenant;
    als_position up_to;
};
// Beside those who append.
err settings_copy_live(struct settings *settings, struct os *os,
                       const struct settings_copying *copying, struct als_why *why);
// From the directory of a tenant that nobody has open.
err settings_copy(struct os *os, struct os_dir *source, const struct settings_copying *copying,
                  struct als_why *why);

// ---- Offline: reads the settings of a tenant that nobody has open, changes nothing. A directory
// without settings is sound.
err settings_verify(struct os *os, struct os_dir *dir, struct wal_verdict *ret_verdict,
                    struct als_why *why);
