// SPDX-License-Identifier: Apache-2.0
// Follows by Server-Sent Events. Every event has its position as id, so a lost connection is taken
// up behind the last one that was printed: nothing is missed and nothing comes twice.
//
// That needs a position to begin with, too: "from now on" is asked of the server once, as the
// number of events it has, which in a gapless order is the last position.
#include "cli/event_text.h"
#include "cli/remote.h"
#include "cli/sse.h"
#include "cli/table.h"
#include "json/json.h"

enum {
    RETRY_MS_MIN = 250,
    RETRY_MS_MAX = 8'000,
    STATS_TIMEOUT_MS = 30'000,
};

struct tail_words {
    struct remote_words remote;
    str entity;
    struct word_list types;
    struct word_number from, last, count;
};

#define AT(member) offsetof(struct tail_words, member)
static const struct flag flags[] = {
    REMOTE_FLAGS,
    {"entity", "ID", FLAG_TEXT, AT(entity), NULL, "only events of this entity"},
    {"type", "TYPE", FLAG_LIST, AT(types), NULL, "only this event type; 'order.*' is a prefix"},
    {"from", "N", FLAG_NUMBER, AT(from), NULL, "begin behind position N; 0: with the first event"},
    {"last", "N", FLAG_NUMBER, AT(last), NULL, "begin with the last N positions"},
    {"count", "N", FLAG_NUMBER, AT(count), NULL, "end after N events"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,
     "a line of JSON an event, also on a terminal"},
};
#undef AT

static const struct manual manual = {
    .usage = "[FLAGS]",
    .text = "Prints events as they are appended, from now on or from any position, until it is\n"
            "interrupted. When the connection is lost it waits for the server and goes on behind\n"
            "the last event it printed.\n",
    .examples = "  allsource tail\n"
                "  allsource tail --last 10 --type 'order.*'\n"
                "  allsource tail --from 0 --entity user-42 --json\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
};

struct tailing {
    struct cli *cli;
    const struct tail_words *asked;
    bool as_table;
    uint64_t position; // everything up to here is printed or filtered out
    uint64_t printed;
    bool ended;     // by --count, or because the output cannot be written
    bool connected; // something came since the last try
    struct sse sse;
    struct table table;
    struct arena arena;
    struct buf begin; // of the answer, should it be an error
};

static bool print_event(struct tailing *tailing, str data)
{
    struct cli *cli = tailing->cli;
    bool done;
    if (tailing->as_table) {
        str cells[EVENT_COLUMNS];
        arena_reset(&tailing->arena);
        done = event_cells(data, &tailing->arena, cells) && table_row(&tailing->table, cells);
    } else {
        done = cli_write(cli, data) && cli_write(cli, S("\n"));
    }
    return fflush(cli->out) == 0 && done;
}

static bool each_message(void *context, str id, str data)
{
    struct tailing *tailing = context;
    uint64_t position;
    if (!str_to_u64(id, &position))
        return true; // a message that is no event
    if (!print_event(tailing, data)) {
        tailing->ended = true;
        return false;
    }
    tailing->position = position;
    tailing->printed++;
    const struct word_number *count = &tailing->asked->count;
    tailing->ended = count->given && tailing->printed >= count->value;
    return !tailing->ended;
}

static bool feed(void *context, str piece)
{
    struct tailing *tailing = context;
    tailing->connected = true;
    if (tailing->begin.len < 4096)
        buf_put_str(&tailing->begin, str_first(piece, 4096));
    return sse_feed(&tailing->sse, piece);
}

static err last_position(struct remote *remote, uint64_t *ret_position, struct als_why *why)
{
    struct buf url, body;
    buf_init(&url, 64 << 10);
    buf_init(&body, 1 << 20);
    url_begin(&url, remote, S("/api/v1/stats"));
    struct remote_request request = {
        .method = S("GET"), .url = buf_str(&url), .timeout_ms = STATS_TIMEOUT_MS};
    err code = remote_call(remote, request, &body, why);
    struct json_doc doc;
    struct json_options options = {.span_depth = 1};
    if (code == ALS_OK)
        code = json_parse(buf_str(&body), options, remote->cli->arena, &doc, NULL, why);
    if (code == ALS_OK) {
        const struct json_node *node = json_member(&doc, json_root(&doc), S("total_events"));
        if (!node || !json_to_u64(json_span(&doc, node), ret_position))
            code = FAIL(why, ALS_SERIALIZATION, "the server's statistics have no total_events");
    }
    buf_deinit(&body);
    buf_deinit(&url);
    return code;
}

static err first_position(struct remote *remote, const struct tail_words *asked,
                          uint64_t *ret_position, struct als_why *why)
{
    if (asked->from.given) {
        *ret_position = asked->from.value;
        return ALS_OK;
    }
    uint64_t newest;
    TRY(last_position(remote, &newest, why));
    uint64_t back = asked->last.given ? asked->last.value : 0;
    *ret_position = newest > back ? newest - back : 0;
    return ALS_OK;
}

// One connection, until it ends: ALS_OK when the person has what was asked for.
static err follow(struct remote *remote, struct tailing *tailing, struct als_why *why)
{
    struct buf url;
    buf_init(&url, 64 << 10);
    url_begin(&url, remote, S("/api/v1/events/sse"));
    struct word_number from = {tailing->position, true};
    url_number(&url, "from_position", from);
    if (tailing->asked->entity.ptr)
        url_parameter(&url, "entity_id", tailing->asked->entity);
    for (size_t i = 0; i < tailing->asked->types.count; i++)
        url_parameter(&url, "event_type", tailing->asked->types.items[i]);
    char id[24];
    int id_len = snprintf(id, sizeof id, "%llu", (unsigned long long)tailing->position);
    struct remote_request request = {.method = S("GET"),
                                     .url = buf_str(&url),
                                     .accept = S("text/event-stream"),
                                     .last_event_id = {id, (size_t)id_len},
                                     .sink = feed,
                                     .context = tailing};
    sse_reset(&tailing->sse);
    buf_reset(&tailing->begin);
    tailing->connected = false;
    int status = 0;
    err code = remote_exchange(remote, &request, &status, why);
    buf_deinit(&url);
    if (tailing->ended)
        return ALS_OK;
    TRY(code);
    if (status >= 400) {
        tailing->connected = false;
        return remote_error(status, buf_str(&tailing->begin), why);
    }
    return FAIL(why, ALS_NOT_READY, "the server ended the stream");
}

static bool worth_retrying(const struct remote *remote, err code)
{
    return remote->unreachable || code == ALS_NOT_READY || code == ALS_TIMEOUT ||
           code == ALS_QUEUE_FULL || code == ALS_TENANT_LIMIT;
}

static int follow_on(struct remote *remote, struct tailing *tailing)
{
    struct als_why why;
    err failed = first_position(remote, tailing->asked, &tailing->position, &why);
    if (failed != ALS_OK)
        return remote_failed(remote, failed, &why);
    uint32_t wait_ms = RETRY_MS_MIN;
    bool ever = false;
    for (;;) {
        failed = follow(remote, tailing, &why);
        if (failed == ALS_OK)
            return cli_finish(tailing->cli, EXIT_DONE);
        ever |= tailing->connected;
        if (!worth_retrying(remote, failed) || (!ever && tailing->asked->from.given))
            return remote_failed(remote, failed, &why);
        if (tailing->connected)
            wait_ms = RETRY_MS_MIN;
        if (tailing->connected || wait_ms == RETRY_MS_MIN)
            cli_say(tailing->cli,
                    "connection lost (%s); going on behind position %llu when the "
                    "server is back",
                    why.text, (unsigned long long)tailing->position);
        cli_pause(wait_ms);
        wait_ms = wait_ms * 2 > RETRY_MS_MAX ? RETRY_MS_MAX : wait_ms * 2;
    }
}

static int run(struct remote *remote, const void *words)
{
    struct cli *cli = remote->cli;
    struct tailing tailing = {.cli = cli, .asked = words};
    tailing.as_table = cli->out_terminal && !tailing.asked->remote.json;
    sse_init(&tailing.sse, (size_t)1 << 30, each_message, &tailing);
    arena_init(&tailing.arena, 64 << 10, (size_t)1 << 30);
    buf_init(&tailing.begin, 64 << 10);
    table_init(&tailing.table, cli, event_columns, EVENT_COLUMNS, 0);
    int code = follow_on(remote, &tailing);
    table_deinit(&tailing.table);
    buf_deinit(&tailing.begin);
    arena_deinit(&tailing.arena);
    sse_deinit(&tailing.sse);
    return code;
}

int verb_tail(struct cli *cli)
{
    struct tail_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    if (asked.from.given && asked.last.given) {
        cli_say(cli, "--from and --last are two ways to say where to begin; give one");
        return EXIT_USAGE;
    }
    return remote_run(cli, &asked, run);
}
