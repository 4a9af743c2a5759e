// SPDX-License-Identifier: Apache-2.0
#include "cli/remote.h"
#include "cli/show.h"
#include "json/json.h"

struct stats_words {
    struct remote_words remote;
};

static const struct flag flags[] = {
    REMOTE_FLAGS,
    {"json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,
     "JSON, also on a terminal"},
};

static const struct manual manual = {
    .usage = "[FLAGS]",
    .text = "Prints how many events, entities and event types the tenant has.\n"
            "On a terminal as a list, otherwise as one line of JSON.\n",
    .examples = "  allsource stats\n"
                "  allsource stats --tenant acme --json\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
};

// "total_events" -> "total events"; numbers with separators.
static void show_member(const struct json_doc *doc, const struct json_node *node, struct buf *buf)
{
    size_t start = buf->len;
    str key = json_key_span(doc, node), value = json_span(doc, node);
    for (size_t i = 0; i < key.len; i++)
        buf_put_char(buf, key.ptr[i] == '_' ? ' ' : key.ptr[i]);
    while (buf->len < start + 24)
        buf_put_char(buf, ' ');
    uint64_t count;
    if (node->kind == JSON_NUMBER && json_to_u64(value, &count))
        show_count(count, buf);
    else
        show_json(value, buf);
    buf_put_char(buf, '\n');
}

static void show_stats(struct cli *cli, str body, struct buf *buf)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = 1};
    if (json_parse(body, options, cli->arena, &doc, NULL, NULL) != ALS_OK) {
        buf_put_str(buf, body);
        return;
    }
    const struct json_node *root = json_root(&doc);
    for (const struct json_node *node = json_first(&doc, root); node;
         node = json_after(&doc, root, node))
        show_member(&doc, node, buf);
}

static err ask(struct remote *remote, struct buf *body, struct als_why *why)
{
    struct buf url;
    buf_init(&url, 64 << 10);
    url_begin(&url, remote, S("/api/v1/stats"));
    struct remote_request request = {
        .method = S("GET"), .url = buf_str(&url), .timeout_ms = 60'000};
    err code = remote_call(remote, request, body, why);
    buf_deinit(&url);
    return code;
}

static int run(struct remote *remote, const void *words)
{
    const struct stats_words *asked = words;
    struct als_why why;
    struct buf body;
    buf_init(&body, 1 << 20);
    err failed = ask(remote, &body, &why);
    int code = remote_end(remote, failed, &why, buf_str(&body), asked->remote.json, show_stats);
    buf_deinit(&body);
    return code;
}

int verb_stats(struct cli *cli)
{
    struct stats_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    return words_accept(cli, &manual, &asked, &code) ? remote_run(cli, &asked, run) : code;
}
