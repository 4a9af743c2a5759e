// SPDX-License-Identifier: Apache-2.0
#include "cli/remote.h"
#include "cli/show.h"
#include "json/json.h"

#include <stdio.h>

enum { RULES_BYTES_MAX = 1 << 20 };

struct retention_words {
    struct remote_words remote;
    str action, file;
};

static const struct flag flags[] = {
    REMOTE_FLAGS,
    {"file", "FILE", FLAG_TEXT, offsetof(struct retention_words, file), NULL,
     "the rules to set; default: standard input"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,
     "JSON, also on a terminal"},
};

static const struct manual manual = {
    .usage = "[FLAGS] [show | set | run]",
    .text =
        "What is kept of a tenant's events, by event type: show prints the rules and what they\n"
        "have removed, set takes the place of all rules, and run removes at once whatever no\n"
        "rule keeps. The newest sealed event of each entity and type stays in any case. What\n"
        "was removed cannot be had back but from a backup.\n",
    .examples = "  allsource retention\n"
                "  echo '{\"rules\":[{\"event_type\":\"log.*\",\"max_age_seconds\":604800}]}' |\n"
                "      allsource retention set\n"
                "  allsource retention run\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
    .operand = "ACTION",
    .operand_at = offsetof(struct retention_words, action),
};

static err read_stream(FILE *file, struct buf *rules, struct als_why *why)
{
    char piece[4096];
    for (size_t len; (len = fread(piece, 1, sizeof piece, file)) > 0;)
        buf_put(rules, piece, len);
    if (ferror(file))
        return FAIL(why, ALS_STORAGE, "the rules cannot be read");
    if (buf_failed(rules))
        return FAIL(why, ALS_TOO_LARGE, "rules take at most %d bytes", RULES_BYTES_MAX);
    return ALS_OK;
}

static err read_rules(str name, struct buf *rules, struct als_why *why)
{
    bool standard = !name.ptr || str_equal(name, S("-"));
    FILE *file = standard ? stdin : fopen(name.ptr, "re");
    if (!file)
        return FAIL(why, ALS_INVALID_INPUT, "%.180s cannot be opened", name.ptr);
    err code = read_stream(file, rules, why);
    if (!standard)
        fclose(file);
    return code;
}

static err ask(struct remote *remote, const struct retention_words *asked, struct buf *body,
               struct als_why *why)
{
    bool sets = str_equal(asked->action, S("set")), runs = str_equal(asked->action, S("run"));
    struct buf url, rules;
    buf_init(&url, 64 << 10);
    buf_init(&rules, RULES_BYTES_MAX);
    url_begin(&url, remote, runs ? S("/api/v1/retention/run") : S("/api/v1/retention"));
    err code = sets ? read_rules(asked->file, &rules, why) : ALS_OK;
    struct remote_request request = {.method = sets   ? S("PUT")
                                               : runs ? S("POST")
                                                      : S("GET"),
                                     .url = buf_str(&url),
                                     .content_type = sets ? S("application/json") : S(""),
                                     .body = buf_str(&rules)};
    if (code == ALS_OK)
        code = remote_call(remote, request, body, why);
    buf_deinit(&rules);
    buf_deinit(&url);
    return code;
}

static void show_run(struct cli *cli, str body, struct buf *buf)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = 1};
    if (json_parse(body, options, cli->arena, &doc, NULL, NULL) != ALS_OK) {
        buf_put_str(buf, body);
        return;
    }
    show_count(answer_number(&doc, S("events_removed")), buf);
    buf_put_str(buf, S(" events were removed. "));
    show_count(answer_number(&doc, S("files_removed")), buf);
    buf_put_str(buf, S(" files are gone, "));
    show_count(answer_number(&doc, S("files_rewritten")), buf);
    buf_put_str(buf, S(" were made anew: "));
    show_bytes(answer_number(&doc, S("bytes_before")), buf);
    buf_put_str(buf, S(" became "));
    show_bytes(answer_number(&doc, S("bytes_after")), buf);
    buf_put_str(buf, S(".\n"));
}

static int run(struct remote *remote, const void *words)
{
    const struct retention_words *asked = words;
    bool runs = str_equal(asked->action, S("run"));
    struct als_why why;
    struct buf body;
    buf_init(&body, 2 * RULES_BYTES_MAX);
    err failed = ask(remote, asked, &body, &why);
    int code = remote_end(remote, failed, &why, buf_str(&body), asked->remote.json,
                          runs ? show_run : NULL);
    buf_deinit(&body);
    return code;
}

int verb_retention(struct cli *cli)
{
    static const str actions[] = {{"show", 4}, {"set", 3}, {"run", 3}};
    struct retention_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    if (!asked.action.ptr)
        asked.action = actions[0];
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (str_equal(asked.action, actions[i]))
            return remote_run(cli, &asked, run);
    cli_say(cli, "'%.*s' is none of show, set and run; see allsource retention --help",
            STR(str_first(asked.action, 60)));
    return EXIT_USAGE;
}
