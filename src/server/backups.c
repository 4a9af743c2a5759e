// SPDX-License-Identifier: Apache-2.0
// POST and GET /api/v1/backups, GET /api/v1/backups/{name}: backups beside running clients.
//
// One is made at a time, on a thread of the engine; what became of the last one is remembered here
// until the next. All others are what lies in the directory. Clients choose names, never paths.
#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/time.h"
#include "config/config.h"
#include "http/http.h"
#include "os/os.h"
#include "server/body.h"
#include "server/desk.h"
#include "server/reply.h"
#include "json/json.h"

#include <limits.h>
#include <stdlib.h>

struct backups {
    struct server *server;
    const char *directory; // where they are made
    atomic_ulong bytes;    // that the one under way has copied or read

    struct lock lock; // LOCK_SERVER: guards the rest, which is about the last one
    enum { BACKUP_NONE, BACKUP_RUNNING, BACKUP_COMPLETE, BACKUP_FAILED } state;
    char name[BACKUP_NAME_BYTES_MAX + 1];
    err code;
    struct als_why why;
    uint64_t start_ns;
};

err backups_start(struct server *server, const struct config *config, struct als_why *why)
{
    struct backups *backups = calloc(1, sizeof *backups);
    if (!backups)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the server");
    lock_init(&backups->lock, LOCK_SERVER);
    backups->server = server;
    server->backups = backups;
    struct buf path;
    buf_init(&path, PATH_MAX);
    if (str_find(config->backup_dir, '/') == config->backup_dir.len)
        buf_printf(&path, "%.*s/", STR(config->data_dir));
    buf_put_str(&path, config->backup_dir);
    str directory = arena_copy(&server->arena, buf_str(&path)); // with a NUL behind it
    bool fits = !buf_failed(&path) && directory.ptr;
    buf_deinit(&path);
    if (!fits)
        return FAIL(why, ALS_INVALID_INPUT, "the name of the backup directory is too long");
    backups->directory = directory.ptr;
    return ALS_OK;
}

void backups_free(struct server *server)
{
    if (!server->backups)
        return;
    lock_deinit(&server->backups->lock);
    free(server->backups);
    server->backups = NULL;
}

// ---- The one under way

static bool progress(void *context, uint64_t bytes)
{
    struct backups *backups = context;
    atomic_fetch_add(&backups->bytes, bytes);
    return true;
}

static void tell_end(const struct backups *backups, err code,
                     const struct als_backup_report *report, const struct als_why *why,
                     uint64_t duration_ns)
{
    char text[LOG_QUOTED_MAX];
    struct metrics *metrics = backups->server->metrics;
    str result[] = {code == ALS_OK ? S("ok") : S("failed")};
    metrics_add(metrics, METRIC_backups_total, 1, result);
    if (code != ALS_OK) {
        LOG_LINE(LOG_ERROR, "backup failed", "name=%s code=%s why=%s", backups->name,
                 als_err_code(code), log_quoted(str_of(why->text), text));
        return;
    }
    metrics_set(metrics, METRIC_backup_last_timestamp_seconds, (double)report->created_us / 1e6);
    LOG_LINE(LOG_INFO, "backup made", "name=%s tenants=%llu events=%llu bytes=%llu ms=%llu",
             backups->name, (unsigned long long)report->tenants, (unsigned long long)report->events,
             (unsigned long long)report->bytes, (unsigned long long)(duration_ns / 1000000));
}

static void done(void *context, enum als_err code, const struct als_backup_report *report,
                 const struct als_why *why)
{
    struct backups *backups = context;
    struct os *os = backups->server->os;
    tell_end(backups, code, report, why, os->monotonic_ns(os) - backups->start_ns);
    lock_take(&backups->lock);
    backups->state = code == ALS_OK ? BACKUP_COMPLETE : BACKUP_FAILED;
    backups->code = code;
    backups->why = *why;
    lock_release(&backups->lock);
}

// ---- Making

// The moment, as a name: 2026-11-27T07-35-02Z.
static str name_of_now(struct os *os, char space[static TIME_TEXT_MAX])
{
    time_format(os->now_us(os), space);
    enum { SECONDS_LEN = 19 };
    for (int i = 0; i < SECONDS_LEN; i++)
        if (space[i] == ':')
            space[i] = '-';
    space[SECONDS_LEN] = 'Z';
    return (str){space, SECONDS_LEN + 1};
}

static err read_request(struct call *call, struct als_backup_options *options, struct flaw *flaw)
{
    struct body body;
    TRY(body_read(call, &body, flaw));
    TRY(body_text(&body, S("name"), FIELD_OPTIONAL, &options->name, flaw));
    TRY(body_text(&body, S("tenant_id"), FIELD_OPTIONAL, &options->tenant, flaw));
    TRY(body_optional_switch(&body, S("copy"), &options->copy, flaw));
    bool verify = true;
    TRY(body_optional_switch(&body, S("verify"), &verify, flaw));
    options->unverified = !verify;
    if (options->name.len > BACKUP_NAME_BYTES_MAX)
        return flaw_set(flaw, ALS_INVALID_INPUT, S("name"), "`name` has at most %d bytes",
                        BACKUP_NAME_BYTES_MAX);
    return ALS_OK;
}

// Returns false when one is under way.
static bool claim(struct backups *backups, str name)
{
    lock_take(&backups->lock);
    bool free = backups->state != BACKUP_RUNNING;
    if (free) {
        backups->state = BACKUP_RUNNING;
        backups->start_ns = backups->server->os->monotonic_ns(backups->server->os);
        atomic_store(&backups->bytes, 0);
        memcpy(backups->name, name.ptr, name.len);
        backups->name[name.len] = '\0';
    }
    lock_release(&backups->lock);
    return free;
}

static void unclaim(struct backups *backups)
{
    lock_take(&backups->lock);
    backups->state = BACKUP_NONE;
    lock_release(&backups->lock);
}

static err start(struct call *call, struct als_backup_options *options, struct flaw *flaw)
{
    struct backups *backups = call->server->backups;
    options->progress = progress;
    options->context = backups;
    if (!claim(backups, options->name))
        return flaw_set(flaw, ALS_BUSY, S(""), "a backup is being made");
    err code =
        als_backup_start(call->server->als, backups->directory, options, done, backups, &flaw->why);
    if (code != ALS_OK)
        unclaim(backups);
    return code;
}

static void make(struct call *call)
{
    struct flaw flaw = {};
    struct als_backup_options options = ALS_BACKUP_OPTIONS_INIT;
    char space[TIME_TEXT_MAX];
    err code = read_request(call, &options, &flaw);
    if (!options.name.len)
        options.name = name_of_now(call->server->os, space);
    if (code == ALS_OK)
        code = start(call, &options, &flaw);
    if (code != ALS_OK) {
        reply_flaw(call, code, &flaw);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("name"), options.name);
    json_field_string(&writer, S("state"), S("running"));
    json_close_object(&writer);
    reply_json(call, 202);
}

void backup_make(struct call *call)
{
    desk_do(call, make, reply_error);
}

// ---- Showing

// A running or a failed one. False: it is none of these.
static bool put_last(struct backups *backups, struct json_writer *writer)
{
    lock_take(&backups->lock);
    bool running = backups->state == BACKUP_RUNNING;
    bool known = running || backups->state == BACKUP_FAILED;
    if (known) {
        json_open_object(writer);
        json_field_string(writer, S("name"), str_of(backups->name));
        json_field_string(writer, S("state"), running ? S("running") : S("failed"));
        json_field_u64(writer, S("bytes_done"), atomic_load(&backups->bytes));
        if (!running) {
            json_field_string(writer, S("code"), str_of(als_err_code(backups->code)));
            json_field_string(writer, S("error"), str_of(backups->why.text));
        }
        json_close_object(writer);
    }
    lock_release(&backups->lock);
    return known;
}

static bool is_last(struct backups *backups, str name)
{
    lock_take(&backups->lock);
    bool same = (backups->state == BACKUP_RUNNING || backups->state == BACKUP_FAILED) &&
                str_equal(str_of(backups->name), name);
    lock_release(&backups->lock);
    return same;
}

static void put_backup(struct json_writer *writer, str name, const struct als_backup_report *report)
{
    char text[TIME_TEXT_MAX];
    json_open_object(writer);
    json_field_string(writer, S("name"), name);
    json_field_string(writer, S("state"), S("complete"));
    json_field_string(writer, S("created_at"), (str){text, time_format(report->created_us, text)});
    json_field_u64(writer, S("tenants"), report->tenants);
    json_field_u64(writer, S("events"), report->events);
    json_field_u64(writer, S("files"), report->files);
    json_field_u64(writer, S("bytes"), report->bytes);
    if (report->tenants == 1)
        json_field_u64(writer, S("position"), report->position);
    json_close_object(writer);
}

struct listing {
    struct json_writer *writer;
    str only; // ptr NULL: all
    bool found;
};

static bool each_backup(void *context, als_str name, const struct als_backup_report *report)
{
    struct listing *listing = context;
    if (listing->only.ptr && !str_equal(listing->only, name))
        return true;
    put_backup(listing->writer, name, report);
    listing->found = true;
    return !listing->only.ptr;
}

static void list(struct call *call)
{
    struct backups *backups = call->server->backups;
    struct als_why why = {""};
    struct json_writer writer = reply_writer(call);
    struct listing listing = {.writer = &writer};
    json_open_object(&writer);
    json_key(&writer, S("backups"));
    json_open_array(&writer);
    (void)put_last(backups, &writer);
    err code = als_backups(call->server->als, backups->directory, each_backup, &listing, &why);
    json_close_array(&writer);
    json_close_object(&writer);
    if (code == ALS_OK)
        reply_json(call, 200);
    else
        reply_error(call, code, &why);
}

void backups_list(struct call *call)
{
    desk_do(call, list, reply_error);
}

static void show(struct call *call)
{
    struct backups *backups = call->server->backups;
    struct als_why why = {""};
    struct json_writer writer = reply_writer(call);
    struct listing listing = {.writer = &writer, .only = call->match.parameters[0]};
    err code = ALS_OK;
    if (!is_last(backups, listing.only) || !put_last(backups, &writer))
        code = als_backups(call->server->als, backups->directory, each_backup, &listing, &why);
    else
        listing.found = true;
    if (code == ALS_OK && !listing.found)
        code = FAIL(&why, ALS_NOT_FOUND, "there is no backup '%.*s'", STR(listing.only));
    if (code == ALS_OK)
        reply_json(call, 200);
    else
        reply_error(call, code, &why);
}

void backup_show(struct call *call)
{
    desk_do(call, show, reply_error);
}
