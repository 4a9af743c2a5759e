// SPDX-License-Identifier: Apache-2.0
#include "cli/remote.h"
#include "cli/report.h"
#include "json/json.h"

#include <allsource.h>

enum { POLL_MS = 100 };

struct backup_words {
    struct remote_words remote;
    str directory; // of the data; ptr NULL: a server's
    str target;
    bool copy, unverified, quiet;
};

static const struct flag flags[] = {
    {"url", "URL", FLAG_TEXT, offsetof(struct remote_words, url), "ALLSOURCE_URL",
     "the server; default http://127.0.0.1:8080"},
    {"data-dir", "DIR", FLAG_TEXT, offsetof(struct backup_words, directory), NULL,
     "back up this directory, which no server has open"},
    {"tenant", "NAME", FLAG_TEXT, offsetof(struct remote_words, tenant), NULL,
     "only this tenant; default: all"},
    {"copy", NULL, FLAG_SWITCH, offsetof(struct backup_words, copy), NULL,
     "copy sealed files, too, instead of giving them a second name"},
    {"no-verify", NULL, FLAG_SWITCH, offsetof(struct backup_words, unverified), NULL,
     "do not read the backup back and check it"},
    {"quiet", NULL, FLAG_SWITCH, offsetof(struct backup_words, quiet), NULL, "no progress"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL, "the summary as JSON"},
};

static const struct manual manual = {
    .usage = "[FLAGS] [TARGET]",
    .text =
        "Makes a backup: of each tenant all events up to one position, with its settings, and a\n"
        "list of all files with their checksums. Appending goes on meanwhile.\n"
        "A running server makes it in its --backup-dir, in a directory named TARGET; without\n"
        "one the moment is the name. With --data-dir no server takes part and TARGET is a\n"
        "directory, which is made when absent and must be empty.\n"
        "Sealed files get a second name where the file system allows it, so copy the backup\n"
        "to another disk, or use --copy there.\n"
        "Exits with 0 when the backup is whole and durable, else with 1.\n",
    .examples = "  allsource backup\n"
                "  allsource backup nightly-1 --url http://127.0.0.1:8080\n"
                "  allsource backup --data-dir ./data /mnt/backup/today --copy\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
    .operand = "TARGET",
    .operand_at = offsetof(struct backup_words, target),
};

// ---- A directory that nobody has open

static int back_up_offline(struct cli *cli, const struct backup_words *asked)
{
    struct report_progress progress = {.bytes = 0};
    struct als_backup_options options = ALS_BACKUP_OPTIONS_INIT;
    struct als_backup_report report;
    struct als_why why = {""};
    if (!asked->target.ptr) {
        cli_say(cli, "where to is missing: allsource backup --data-dir DIR TARGET");
        return EXIT_USAGE;
    }
    progress_begin(&progress.line, cli, "MiB", !asked->quiet, 0);
    options.tenant = asked->remote.tenant;
    options.copy = asked->copy;
    options.unverified = asked->unverified;
    options.progress = report_moved;
    options.context = &progress;
    err code = als_backup_offline(asked->directory.ptr, asked->target.ptr, &options, &report, &why);
    progress_clear(&progress.line);
    if (code == ALS_OK)
        return report_end(cli, &report, asked->target, asked->remote.json);
    int exit_code = cli_failed(cli, code, &why);
    if (code == ALS_LOCKED)
        fprintf(cli->err, "A server has the directory open: let it make the backup, without "
                          "--data-dir.\n");
    return exit_code;
}

// ---- A server

static err start(struct remote *remote, const struct backup_words *asked, struct buf *body,
                 struct als_why *why)
{
    struct buf url, text;
    struct json_writer writer;
    buf_init(&url, 64 << 10);
    buf_init(&text, 64 << 10);
    url_begin(&url, remote, S("/api/v1/backups"));
    json_writer_init(&writer, &text);
    json_open_object(&writer);
    if (asked->target.ptr)
        json_field_string(&writer, S("name"), asked->target);
    if (asked->remote.tenant.ptr)
        json_field_string(&writer, S("tenant_id"), asked->remote.tenant);
    json_key(&writer, S("copy"));
    json_put_bool(&writer, asked->copy);
    json_key(&writer, S("verify"));
    json_put_bool(&writer, !asked->unverified);
    json_close_object(&writer);
    struct remote_request request = {.method = S("POST"),
                                     .url = buf_str(&url),
                                     .content_type = S("application/json"),
                                     .body = buf_str(&text),
                                     .timeout_ms = 60'000};
    err code = remote_call(remote, request, body, why);
    buf_deinit(&text);
    buf_deinit(&url);
    return code;
}

struct answer { // what the server says of the backup
    str name, state, error;
    uint64_t bytes_done;
    struct als_backup_report report;
};

static str text_of(const struct json_doc *doc, str name, struct arena *arena)
{
    const struct json_node *node = json_member(doc, json_root(doc), name);
    return node && node->kind == JSON_STRING ? json_text(doc, node, arena) : (str){NULL, 0};
}

static err read_answer(struct cli *cli, str body, struct answer *answer, struct als_why *why)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = 1};
    arena_reset(cli->arena);
    TRY(json_parse(body, options, cli->arena, &doc, NULL, why));
    if (json_root(&doc)->kind != JSON_OBJECT)
        return FAIL(why, ALS_INTERNAL, "the server's answer is no object");
    *answer = (struct answer){.name = text_of(&doc, S("name"), cli->arena),
                              .state = text_of(&doc, S("state"), cli->arena),
                              .error = text_of(&doc, S("error"), cli->arena),
                              .bytes_done = answer_number(&doc, S("bytes_done")),
                              .report = {.tenants = answer_number(&doc, S("tenants")),
                                         .events = answer_number(&doc, S("events")),
                                         .files = answer_number(&doc, S("files")),
                                         .bytes = answer_number(&doc, S("bytes")),
                                         .position = answer_number(&doc, S("position"))}};
    return ALS_OK;
}

static err ask(struct remote *remote, str url, struct buf *body, struct answer *answer,
               struct als_why *why)
{
    struct remote_request request = {.method = S("GET"), .url = url, .timeout_ms = 60'000};
    TRY(remote_call(remote, request, body, why));
    return read_answer(remote->cli, buf_str(body), answer, why);
}

// Asks again and again until it is made or has failed.
static err follow(struct remote *remote, const struct backup_words *asked, str url,
                  struct buf *body, struct answer *answer, struct als_why *why)
{
    struct report_progress progress = {.bytes = 0};
    progress_begin(&progress.line, remote->cli, "MiB", !asked->quiet, 0);
    err code = ask(remote, url, body, answer, why);
    while (code == ALS_OK && str_equal(answer->state, S("running"))) {
        (void)report_moved(&progress, answer->bytes_done - progress.bytes);
        cli_pause(POLL_MS);
        code = ask(remote, url, body, answer, why);
    }
    progress_clear(&progress.line);
    if (code == ALS_OK && !str_equal(answer->state, S("complete")))
        code = FAIL(why, ALS_INTERNAL, "the backup was not made: %.*s", STR(answer->error));
    return code;
}

static err back_up(struct remote *remote, const struct backup_words *asked, struct buf *body,
                   struct answer *answer, struct als_why *why)
{
    struct buf url;
    TRY(start(remote, asked, body, why));
    TRY(read_answer(remote->cli, buf_str(body), answer, why));
    buf_init(&url, 64 << 10);
    url_begin(&url, remote, S("/api/v1/backups"));
    url_segment(&url, answer->name);
    err code = follow(remote, asked, buf_str(&url), body, answer, why);
    buf_deinit(&url);
    return code;
}

static int run(struct remote *remote, const void *words)
{
    const struct backup_words *asked = words;
    struct als_why why = {""};
    struct answer answer;
    struct buf body;
    buf_init(&body, 1 << 20);
    err code = back_up(remote, asked, &body, &answer, &why);
    int exit_code = code == ALS_OK
                        ? report_end(remote->cli, &answer.report, answer.name, asked->remote.json)
                        : remote_failed(remote, code, &why);
    buf_deinit(&body);
    return exit_code;
}

int verb_backup(struct cli *cli)
{
    struct backup_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    return asked.directory.ptr ? back_up_offline(cli, &asked) : remote_run(cli, &asked, run);
}
