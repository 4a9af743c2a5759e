// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include "cli/show.h"
#include "cli/verb.h"
#include "json/json.h"

static void put(const struct als_backup_report *report, str name, bool json, struct buf *buf)
{
    if (!json) {
        buf_printf(buf, "%.*s: ", STR(name));
        show_count(report->tenants, buf);
        buf_put_str(buf, report->tenants == 1 ? S(" tenant, ") : S(" tenants, "));
        show_count(report->events, buf);
        buf_put_str(buf, S(" events, "));
        show_count(report->files, buf);
        buf_put_str(buf, S(" files, "));
        show_bytes(report->bytes, buf);
        buf_put_char(buf, '\n');
        return;
    }
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_object(&writer);
    json_field_string(&writer, S("name"), name);
    json_field_u64(&writer, S("tenants"), report->tenants);
    json_field_u64(&writer, S("events"), report->events);
    json_field_u64(&writer, S("files"), report->files);
    json_field_u64(&writer, S("bytes"), report->bytes);
    if (report->tenants == 1)
        json_field_u64(&writer, S("position"), report->position);
    json_close_object(&writer);
    buf_put_char(buf, '\n');
}

bool report_moved(void *context, uint64_t bytes)
{
    struct report_progress *progress = context;
    progress->bytes += bytes;
    progress_show(&progress->line, progress->bytes, progress->bytes >> 20); // MiB
    return true;
}

int report_end(struct cli *cli, const struct als_backup_report *report, str name, bool json)
{
    struct buf buf;
    buf_init(&buf, 64 << 10);
    put(report, name, json, &buf);
    cli_write(cli, buf_str(&buf));
    buf_deinit(&buf);
    return cli_finish(cli, EXIT_DONE);
}
