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

static void show_compacted(struct cli *cli, str body, struct buf *buf)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = 1};
    if (json_parse(body, options, cli->arena, &doc, NULL, NULL) != ALS_OK) {
        buf_put_str(buf, body);
        return;
    }
    uint64_t files = answer_number(&doc, S("files_compacted"));
    if (files == 0) {
        buf_put_str(buf, S("There is nothing to merge.\n"));
        return;
    }
    show_count(files, buf);
    buf_put_str(buf, S(" files of "));
    show_bytes(answer_number(&doc, S("bytes_before")), buf);
    buf_put_str(buf, S(" became "));
    show_count(answer_number(&doc, S("files_created")), buf);
    buf_put_str(buf, S(" of "));
    show_bytes(answer_number(&doc, S("bytes_after")), buf);
    buf_put_str(buf, S(": "));
    show_count(answer_number(&doc, S("events_compacted")), buf);
    buf_put_str(buf, S(" events in "));
    show_duration((double)answer_number(&doc, S("duration_ms")) / 1e3, buf);
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
    struct als_why why;
    struct buf body;
    buf_init(&body, 1 << 20);
    err failed = ask(remote, asked, &body, &why);
    int code = remote_end(remote, failed, &why, buf_str(&body), asked->remote.json, show_compacted);
    buf_deinit(&body);
    return code;
}

int verb_compact(struct cli *cli)
{
    struct compact_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    return words_accept(cli, &manual, &asked, &code) ? remote_run(cli, &asked, run) : code;
}
