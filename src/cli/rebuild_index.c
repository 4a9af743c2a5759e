// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/words.h"
#include "json/json.h"

#include <allsource.h>

struct rebuild_words {
    str directory, tenant;
    bool json;
};

static const struct flag flags[] = {
    {"data-dir", "DIR", FLAG_TEXT, offsetof(struct rebuild_words, directory), "ALLSOURCE_DATA_DIR",
     "the directory; default ./data"},
    {"tenant", "NAME", FLAG_TEXT, offsetof(struct rebuild_words, tenant), NULL,
     "only this one; default: all"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct rebuild_words, json), NULL,
     "a line of JSON a tenant"},
};

static const struct manual manual = {
    .usage = "[FLAGS]",
    .text =
        "Makes the index beside every sealed file of a data directory anew, from the file, while "
        "no\n"
        "server has the directory open. An index holds nothing that the file does not, so nothing\n"
        "can be lost; one that is missing grows back by itself when it is first wanted. This verb\n"
        "is for those that are damaged inside (`allsource verify` names them), and for whoever\n"
        "wants all of them there before the server starts.\n"
        "The files are read and checked whole. An index is replaced when the new one is safe on\n"
        "the disk, so the verb may be broken off at any moment.\n"
        "Exits with 0 when all were made, 1 when a sealed file is damaged.\n",
    .examples = "  allsource rebuild-index --data-dir ./data\n"
                "  allsource rebuild-index --data-dir ./data --tenant acme --json\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
};

struct rebuilding {
    struct cli *cli;
    bool json;
    struct progress progress; // of the tenant at hand
    bool begun;               // the tenant has its progress
    uint64_t tenants, failed, files, events, bytes;
};

static void tenant_json(const struct als_rebuilding *told, struct buf *buf)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_object(&writer);
    json_field_string(&writer, S("tenant_id"), told->tenant);
    json_key(&writer, S("rebuilt"));
    json_put_bool(&writer, told->code == ALS_OK);
    json_field_u64(&writer, S("files"), told->files);
    json_field_u64(&writer, S("files_done"), told->files_done);
    json_field_u64(&writer, S("events"), told->events_done);
    json_field_u64(&writer, S("index_bytes"), told->index_bytes_done);
    if (told->code != ALS_OK) {
        json_field_string(&writer, S("file"), told->file);
        json_field_string(&writer, S("why"), str_of(told->why.text));
    }
    json_close_object(&writer);
    buf_put_char(buf, '\n');
}

static void tenant_words(const struct als_rebuilding *told, struct buf *buf)
{
    buf_printf(buf, "%.*s: %s; ", STR(told->tenant), told->code == ALS_OK ? "done" : "FAILED");
    show_count(told->files_done, buf);
    if (told->files_done != told->files) {
        buf_put_str(buf, S(" of "));
        show_count(told->files, buf);
    }
    buf_put_str(buf, told->files == 1 ? S(" index, ") : S(" indexes, "));
    show_count(told->events_done, buf);
    buf_put_str(buf, S(" events, "));
    show_bytes(told->index_bytes_done, buf);
    buf_put_char(buf, '\n');
    if (told->code != ALS_OK)
        buf_printf(buf, "  %.*s%s%s%s\n", STR(told->file), told->file.len ? ": " : "",
                   err_prefix(told->code), told->why.text);
}

static bool tenant_ended(struct rebuilding *rebuilding, const struct als_rebuilding *told)
{
    struct cli *cli = rebuilding->cli;
    rebuilding->tenants++;
    rebuilding->failed += told->code != ALS_OK;
    rebuilding->files += told->files_done;
    rebuilding->events += told->events_done;
    rebuilding->bytes += told->index_bytes_done;
    rebuilding->begun = false;
    progress_clear(&rebuilding->progress);
    struct buf buf;
    buf_init(&buf, 64 << 10);
    if (rebuilding->json)
        tenant_json(told, &buf);
    else
        tenant_words(told, &buf);
    bool done = cli_write(cli, buf_str(&buf));
    buf_deinit(&buf);
    return fflush(cli->out) == 0 && done;
}

static bool each(void *context, const struct als_rebuilding *told)
{
    struct rebuilding *rebuilding = context;
    if (!rebuilding->begun)
        progress_begin(&rebuilding->progress, rebuilding->cli, "events", true, told->bytes);
    rebuilding->begun = true;
    progress_show(&rebuilding->progress, told->bytes_done, told->events_done);
    return !told->ended || tenant_ended(rebuilding, told);
}

static void summary(const struct rebuilding *rebuilding, struct buf *buf)
{
    if (rebuilding->failed)
        buf_printf(buf,
                   "%llu of %llu tenants have a damaged file. Its index was left as it was, and so "
                   "were those\nbehind it. `allsource verify` tells more; bring the file back "
                   "from a backup.\n",
                   (unsigned long long)rebuilding->failed, (unsigned long long)rebuilding->tenants);
    else if (rebuilding->files == 0)
        buf_put_str(buf, S("Nothing is sealed yet: there are no indexes to make.\n"));
    else {
        buf_put_str(buf, S("All made anew: "));
        show_count(rebuilding->files, buf);
        buf_put_str(buf, rebuilding->files == 1 ? S(" index, ") : S(" indexes, "));
        show_count(rebuilding->events, buf);
        buf_put_str(buf, S(" events, "));
        show_bytes(rebuilding->bytes, buf);
        buf_put_str(buf, S(".\n"));
    }
}

int verb_rebuild_index(struct cli *cli)
{
    struct rebuild_words asked = {.directory = S("./data"), .tenant = S("")};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    struct rebuilding rebuilding = {.cli = cli, .json = asked.json};
    struct als_why why = {""};
    err result = als_rebuild_index(asked.directory.ptr, asked.tenant, each, &rebuilding, &why);
    progress_clear(&rebuilding.progress);
    if (result != ALS_OK && rebuilding.failed == 0) {
        code = cli_failed(cli, result, &why);
        if (result == ALS_LOCKED)
            fprintf(cli->err, "A server has the directory open: stop it first.\n");
        return code;
    }
    struct buf buf;
    buf_init(&buf, 64 << 10);
    if (!asked.json)
        summary(&rebuilding, &buf);
    cli_write(cli, buf_str(&buf));
    buf_deinit(&buf);
    return cli_finish(cli, rebuilding.failed ? EXIT_FAILED : EXIT_DONE);
}
