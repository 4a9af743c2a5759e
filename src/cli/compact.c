// SPDX-License-Identifier: Apache-2.0
#include "cli/remote.h"
#include "cli/show.h"
#include "json/json.h"

struct compact_words {
    struct remote_words remote;
    str strategy;
};

static const struct flag flags[] = {
    REMOTE_FLAGS,
    {"strategy", "HOW", FLAG_TEXT, offsetof(struct compact_words, strategy), NULL,
     "sizebased, timebased, countbased or fullcompaction; default: the server's"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,
     "JSON, also on a terminal"},
};

static const struct manual manual = {
    .usage = "[FLAGS]",
    .text = "Has the server merge the tenant's Parquet files until nothing is left to merge, and\n"
            "prints what became of them. Nothing that can be read changes by it. The server does\n"
            "it by itself, too, more slowly.\n",
    .examples = "  allsource compact\n"
                "  allsource compact --strategy fullcompaction --json\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
};

static uint64_t number_of(const struct json_doc *doc, str name)
{
    uint64_t number = 0;
    const struct json_node *node = json_member(doc, json_root(doc), name);
    if (node && node->kind == JSON_NUMBER)
        (void)json_to_u64(json_span(doc, node), &number);
    return number;
}

static void show_compacted(struct cli *cli, str body, struct buf *buf)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = 1};
    if (json_parse(body, options, cli->arena, &doc, NULL, NULL) != ALS_OK) {
        buf_put_str(buf, body);
        return;
    }
    uint64_t files = number_of(&doc, S("files_compacted"));
    if (files == 0) {
        buf_put_str(buf, S("There is nothing to merge.\n"));
        return;
    }
    show_count(files, buf);
    buf_put_str(buf, S(" files of "));
    show_bytes(number_of(&doc, S("bytes_before")), buf);
    buf_put_str(buf, S(" became "));
    show_count(number_of(&doc, S("files_created")), buf);
    buf_put_str(buf, S(" of "));
    show_bytes(number_of(&doc, S("bytes_after")), buf);
    buf_put_str(buf, S(": "));
    show_count(number_of(&doc, S("events_compacted")), buf);
    buf_put_str(buf, S(" events in "));
    show_duration((double)number_of(&doc, S("duration_ms")) / 1e3, buf);
    buf_put_str(buf, S(".\n"));
}

// It takes as long as it takes.
static err ask(struct remote *remote, const struct compact_words *asked, struct buf *body,
               struct als_why *why)
{
    struct buf url;
    buf_init(&url, 64 << 10);
    url_begin(&url, remote, S("/api/v1/compaction/trigger"));
    if (asked->strategy.ptr)
        url_parameter(&url, "strategy", asked->strategy);
    struct remote_request request = {.method = S("POST"), .url = buf_str(&url)};
    err code = remote_call(remote, request, body, why);
    buf_deinit(&url);
    return code;
}

static int run(struct remote *remote, const void *words)
{
    const struct compact_words *asked = words;
    struct cli *cli = remote->cli;
    struct als_why why;
    struct buf body, text;
    buf_init(&body, 1 << 20);
    buf_init(&text, 1 << 20);
    int code;
    err failed = ask(remote, asked, &body, &why);
    if (failed != ALS_OK) {
        code = remote_failed(remote, failed, &why);
    } else {
        if (cli->out_terminal && !asked->remote.json)
            show_compacted(cli, buf_str(&body), &text);
        else
            buf_printf(&text, "%.*s\n", STR(str_trim(buf_str(&body))));
        cli_write(cli, buf_str(&text));
        code = cli_finish(cli, EXIT_DONE);
    }
    buf_deinit(&text);
    buf_deinit(&body);
    return code;
}

int verb_compact(struct cli *cli)
{
    struct compact_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    return words_accept(cli, &manual, &asked, &code) ? remote_run(cli, &asked, run) : code;
}
