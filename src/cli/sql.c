// SPDX-License-Identifier: Apache-2.0
// On a terminal the answer is gathered and printed as a table; otherwise it is handed on as it
// comes, so it may be of any length.
//
// The status of an answer is known only when all of it has arrived. An error is an object that
// begins with its "error"; a first piece that does is held back until then.
#include "cli/remote.h"
#include "cli/sql_table.h"
#include "json/json.h"

#include <stdio.h>

enum { QUERY_BYTES_MAX = 1 << 20 };
#define TABLE_BYTES_MAX ((size_t)256 << 20)

struct sql_words {
    struct remote_words remote;
    str query, as_of;
    struct word_number as_of_position, limit, timeout_ms;
    bool csv, arrow, table;
};

#define AT(member) offsetof(struct sql_words, member)
static const struct flag flags[] = {
    REMOTE_FLAGS,
    {"as-of", "MOMENT", FLAG_MOMENT, AT(as_of), NULL, "only events that had happened by then"},
    {"as-of-position", "N", FLAG_NUMBER, AT(as_of_position), NULL,
     "only positions up to N: the store as it was"},
    {"limit", "N", FLAG_NUMBER, AT(limit), NULL, "at most N rows"},
    {"timeout", "MS", FLAG_NUMBER, AT(timeout_ms), NULL, "milliseconds the query may take"},
    {"csv", NULL, FLAG_SWITCH, AT(csv), NULL, "CSV with a line of names"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,
     "a line of JSON a row, also on a terminal"},
    {"arrow", NULL, FLAG_SWITCH, AT(arrow), NULL, "an Arrow IPC stream"},
    {"table", NULL, FLAG_SWITCH, AT(table), NULL, "aligned columns, also into a file"},
};
#undef AT

static const struct manual manual = {
    .usage = "[FLAGS] [QUERY]",
    .text = "Answers one SELECT over the tables `events` and `entities`. Without QUERY it is read\n"
            "from standard input.\n"
            "On a terminal as a table, otherwise one JSON object a line.\n"
            "A MOMENT is RFC 3339, a date (midnight UTC), or an age: 90s, 15m, 2h, 7d, 1w.\n",
    .examples =
        "  allsource sql 'SELECT event_type, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC'\n"
        "  allsource sql \"SELECT payload->>'total' FROM events WHERE entity_id = 'order-7'\"\n"
        "  allsource sql --as-of 7d 'SELECT count(*) FROM entities'\n"
        "  allsource sql --csv 'SELECT * FROM events' >events.csv\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
    .operand = "QUERY",
    .operand_at = offsetof(struct sql_words, query),
};

static void put_number(struct json_writer *writer, str key, struct word_number number)
{
    if (number.given)
        json_field_u64(writer, key, number.value);
}

static void put_question(const struct sql_words *asked, struct buf *buf)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_object(&writer);
    json_field_string(&writer, S("query"), asked->query);
    if (asked->as_of.ptr)
        json_field_string(&writer, S("as_of"), asked->as_of);
    put_number(&writer, S("as_of_position"), asked->as_of_position);
    put_number(&writer, S("limit"), asked->limit);
    put_number(&writer, S("timeout_ms"), asked->timeout_ms);
    json_close_object(&writer);
}

// ---- Handed on as it comes.

struct passing {
    struct cli *cli;
    bool begun, failed; // `failed`: the first piece looks like an error
    struct buf held;
};

static bool pass(void *context, str piece)
{
    struct passing *passing = context;
    if (!passing->begun)
        passing->failed = str_starts(piece, S("{\"error\":"));
    passing->begun = true;
    if (!passing->failed)
        return cli_write(passing->cli, piece);
    buf_put_str(&passing->held, piece);
    return !buf_failed(&passing->held);
}

static err pass_on(struct remote *remote, struct remote_request request, struct als_why *why)
{
    struct passing passing = {.cli = remote->cli};
    buf_init(&passing.held, TABLE_BYTES_MAX);
    request.sink = pass;
    request.context = &passing;
    int status = 0;
    err code = remote_exchange(remote, &request, &status, why);
    str held = buf_str(&passing.held);
    if (code == ALS_OK && status >= 400)
        code = remote_error(status, held, why);
    else if (code == ALS_OK)
        cli_write(remote->cli, held); // rows whose first column is called error
    buf_deinit(&passing.held);
    return code;
}

// ---- A table.

static err print_table(struct remote *remote, struct remote_request request, struct als_why *why)
{
    struct buf body;
    struct arena arena;
    buf_init(&body, TABLE_BYTES_MAX);
    arena_init(&arena, 1 << 20, 2 * TABLE_BYTES_MAX);
    err code = remote_call(remote, request, &body, why);
    if (code == ALS_OK)
        code = sql_table_print(remote->cli, buf_str(&body), &arena, why);
    arena_deinit(&arena);
    buf_deinit(&body);
    return code;
}

static str accepted(const struct sql_words *asked, bool as_table)
{
    if (as_table)
        return S("application/json");
    if (asked->arrow)
        return S("application/vnd.apache.arrow.stream");
    return asked->csv ? S("text/csv") : S("application/x-ndjson");
}

static int run(struct remote *remote, const void *words)
{
    const struct sql_words *asked = words;
    struct cli *cli = remote->cli;
    bool as_table = asked->table || (cli->out_terminal && !asked->remote.json && !asked->csv);
    struct buf url, question;
    buf_init(&url, 64 << 10);
    buf_init(&question, 8 * QUERY_BYTES_MAX);
    url_begin(&url, remote, S("/api/v1/sql"));
    put_question(asked, &question);
    struct remote_request request = {.method = S("POST"),
                                     .url = buf_str(&url),
                                     .content_type = S("application/json"),
                                     .body = buf_str(&question),
                                     .accept = accepted(asked, as_table)};
    struct als_why why = {""};
    err failed = as_table ? print_table(remote, request, &why) : pass_on(remote, request, &why);
    buf_deinit(&question);
    buf_deinit(&url);
    return failed == ALS_OK ? cli_finish(cli, EXIT_DONE) : remote_failed(remote, failed, &why);
}

static bool read_query(struct cli *cli, struct sql_words *asked)
{
    char *text = arena_alloc(cli->arena, QUERY_BYTES_MAX);
    size_t len = text ? fread(text, 1, QUERY_BYTES_MAX, stdin) : 0;
    asked->query = str_trim((str){text, len});
    if (asked->query.len && len < QUERY_BYTES_MAX)
        return true;
    cli_say(cli, "%s", len == QUERY_BYTES_MAX ? "the query is too long" : "there is no query");
    return false;
}

int verb_sql(struct cli *cli)
{
    struct sql_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    if (asked.csv + asked.arrow + asked.table + asked.remote.json > 1) {
        cli_say(cli, "only one of --csv, --json, --arrow and --table can be had");
        return EXIT_USAGE;
    }
    if (asked.arrow && cli->out_terminal) {
        cli_say(cli, "an Arrow stream is not for a terminal; send it to a file or a program");
        return EXIT_USAGE;
    }
    if (!asked.query.ptr && !read_query(cli, &asked))
        return EXIT_USAGE;
    return remote_run(cli, &asked, run);
}
