// SPDX-License-Identifier: Apache-2.0
// The scan of an opening, and nothing after it.
#include "os/os.h"
#include "wal/scan.h"

#include <assert.h>

static err tell(const struct wal_scan *scan, wal_each *each, void *context,
                struct wal_verdict *ret_verdict, struct als_why *why)
{
    if (each)
        TRY(wal_files_each(&scan->files, each, context, why));
    static_assert(sizeof ret_verdict->space >= WAL_NAME_MAX, "a name must fit");
    ret_verdict->finding = scan->finding;
    ret_verdict->file = (str){};
    ret_verdict->offset = scan->bad_offset;
    ret_verdict->report = scan->report;
    ret_verdict->report.rewritten =
        scan->finding != WAL_DAMAGED && scan->last.batch > scan->durable;
    if (scan->finding != WAL_SOUND)
        ret_verdict->file = wal_name(scan->bad_file, ret_verdict->space);
    if (scan->finding == WAL_DAMAGED)
        err_explain(why, "%s", scan->bad.text);
    return ALS_OK;
}

err wal_verify(struct os *os, struct os_dir *dir, wal_each *each, void *context,
               struct wal_verdict *ret_verdict, struct als_why *why)
{
    struct wal_scan scan;
    TRY(wal_scan_init(&scan, os, dir, why));
    err code = tell(&scan, each, context, ret_verdict, why);
    wal_scan_deinit(&scan);
    return code;
}
