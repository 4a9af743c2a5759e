// SPDX-License-Identifier: Apache-2.0
// The answer is asked for as a line an event and printed as it comes, so it may be of any length.
//
// The status of the answer is known only when all of it has arrived; but an error is one object
// that begins with its "error", which no Event does. So the first line tells which of the two this
// is, and is held back until it is complete.
#include "cli/event_text.h"
#include "cli/lines.h"
#include "cli/remote.h"
#include "cli/table.h"

enum { ROWS_HELD = 200 };

struct query_words {
    struct remote_words remote;
    str entity, since, until, as_of, order;
    struct word_list types;
    struct word_number as_of_position, after, before, limit, offset;
};

#define AT(member) offsetof(struct query_words, member)
static const struct flag flags[] = {
    REMOTE_FLAGS,
    {"entity", "ID", FLAG_TEXT, AT(entity), NULL, "only events of this entity"},
    {"type", "TYPE", FLAG_LIST, AT(types), NULL, "only this event type; 'order.*' is a prefix"},
    {"since", "MOMENT", FLAG_MOMENT, AT(since), NULL, "what happened then or later"},
    {"until", "MOMENT", FLAG_MOMENT, AT(until), NULL, "what happened then or before"},
    {"as-of", "MOMENT", FLAG_MOMENT, AT(as_of), NULL, "what had happened by then"},
    {"as-of-position", "N", FLAG_NUMBER, AT(as_of_position), NULL,
     "positions up to N: the store as it was"},
    {"after", "N", FLAG_NUMBER, AT(after), NULL, "positions behind N"},
    {"before", "N", FLAG_NUMBER, AT(before), NULL, "positions before N"},
    {"order", "asc|desc", FLAG_TEXT, AT(order), NULL, "oldest (default) or newest position first"},
    {"limit", "N", FLAG_NUMBER, AT(limit), NULL, "at most N events"},
    {"offset", "N", FLAG_NUMBER, AT(offset), NULL, "skip the first N"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,
     "a line of JSON an event, also on a terminal"},
};
#undef AT

static const struct manual manual = {
    .usage = "[FLAGS]",
    .text = "Prints the events that pass all filters, in the order of their positions.\n"
            "On a terminal as a table, otherwise (or with --json) one JSON object a line, which\n"
            "`allsource append` takes back.\n"
            "A MOMENT is RFC 3339, a date (midnight UTC), or an age: 90s, 15m, 2h, 7d, 1w.\n",
    .examples = "  allsource query --entity user-42\n"
                "  allsource query --type order.placed --type order.paid --since 2h\n"
                "  allsource query --type 'order.*' --order desc --limit 20\n"
                "  allsource query --after 1000 --limit 500 --json | jq .payload\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
};

struct answer {
    struct cli *cli;
    bool as_table;
    bool begun;      // the first line has been seen
    struct buf flaw; // the error, when the first line was one
    bool broken;     // a line was no event, or the output failed
    struct table table;
    struct arena arena; // of one row
};

static bool print_row(struct answer *answer, str line)
{
    str cells[EVENT_COLUMNS];
    arena_reset(&answer->arena);
    if (!event_cells(line, &answer->arena, cells))
        return false;
    return table_row(&answer->table, cells);
}

static bool print_line(struct answer *answer, str line)
{
    return cli_write(answer->cli, line) && cli_write(answer->cli, S("\n"));
}

static bool each_line(void *context, str line)
{
    struct answer *answer = context;
    if (line.len == 0)
        return true;
    if (!answer->begun && str_starts(line, S("{\"error\":"))) {
        buf_put_str(&answer->flaw, line);
        return false;
    }
    answer->begun = true;
    bool done = answer->as_table ? print_row(answer, line) : print_line(answer, line);
    answer->broken |= !done;
    return done;
}

static bool feed(void *context, str piece)
{
    return lines_feed(context, piece);
}

static void query_url(struct remote *remote, const struct query_words *asked, struct buf *url)
{
    url_begin(url, remote, S("/api/v1/events/query"));
    if (asked->entity.ptr)
        url_parameter(url, "entity_id", asked->entity);
    for (size_t i = 0; i < asked->types.count; i++)
        url_parameter(url, "event_type", asked->types.items[i]);
    if (asked->since.ptr)
        url_parameter(url, "since", asked->since);
    if (asked->until.ptr)
        url_parameter(url, "until", asked->until);
    if (asked->as_of.ptr)
        url_parameter(url, "as_of", asked->as_of);
    url_number(url, "as_of_position", asked->as_of_position);
    url_number(url, "after_position", asked->after);
    url_number(url, "before_position", asked->before);
    url_number(url, "limit", asked->limit);
    url_number(url, "offset", asked->offset);
    if (asked->order.ptr)
        url_parameter(url, "order", asked->order);
}

static err ask(struct remote *remote, const struct query_words *asked, struct lines *lines,
               struct als_why *why)
{
    struct answer *answer = lines->context;
    struct buf url;
    buf_init(&url, 64 << 10);
    query_url(remote, asked, &url);
    struct remote_request request = {.method = S("GET"),
                                     .url = buf_str(&url),
                                     .accept = S("application/x-ndjson"),
                                     .sink = feed,
                                     .context = lines};
    int status = 0;
    err code = remote_exchange(remote, &request, &status, why);
    buf_deinit(&url);
    if (code == ALS_OK)
        lines_end(lines);
    if (answer->as_table)
        table_flush(&answer->table); // what came before a failure is worth seeing, too
    TRY(code);
    if (answer->flaw.len)
        return remote_error(status, buf_str(&answer->flaw), why);
    if (lines->too_long)
        return FAIL(why, ALS_TOO_LARGE, "a line of the answer does not fit into memory");
    if (answer->broken && !ferror(answer->cli->out))
        return FAIL(why, ALS_SERIALIZATION, "the answer holds something that is no event");
    return ALS_OK;
}

static int run(struct remote *remote, const void *words)
{
    const struct query_words *asked = words;
    struct cli *cli = remote->cli;
    struct answer answer = {.cli = cli, .as_table = cli->out_terminal && !asked->remote.json};
    struct lines lines;
    lines_init(&lines, (size_t)1 << 30, each_line, &answer);
    buf_init(&answer.flaw, 1 << 20);
    arena_init(&answer.arena, 64 << 10, (size_t)1 << 30);
    table_init(&answer.table, cli, event_columns, EVENT_COLUMNS, ROWS_HELD);
    struct als_why why;
    err failed = ask(remote, asked, &lines, &why);
    if (failed == ALS_OK && answer.as_table && !answer.begun)
        fprintf(cli->err, "No events.\n");
    int code = failed == ALS_OK ? cli_finish(cli, EXIT_DONE) : remote_failed(remote, failed, &why);
    table_deinit(&answer.table);
    arena_deinit(&answer.arena);
    buf_deinit(&answer.flaw);
    lines_deinit(&lines);
    return code;
}

int verb_query(struct cli *cli)
{
    struct query_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    if (asked.order.ptr && !str_equal(asked.order, S("asc")) &&
        !str_equal(asked.order, S("desc"))) {
        cli_say(cli, "--order takes asc or desc, not '%.*s'", STR(asked.order));
        return EXIT_USAGE;
    }
    return remote_run(cli, &asked, run);
}
