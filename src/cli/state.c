// SPDX-License-Identifier: Apache-2.0
#include "cli/remote.h"

struct state_words {
    struct remote_words remote;
    str entity, as_of;
    struct word_number as_of_position, at_version;
    bool history;
};

#define AT(member) offsetof(struct state_words, member)
static const struct flag flags[] = {
    REMOTE_FLAGS,
    {"as-of", "MOMENT", FLAG_MOMENT, AT(as_of), NULL, "only what had happened by then"},
    {"as-of-position", "N", FLAG_NUMBER, AT(as_of_position), NULL,
     "only events up to this position"},
    {"at-version", "N", FLAG_NUMBER, AT(at_version), NULL, "only the entity's first N events"},
    {"history", NULL, FLAG_SWITCH, AT(history), NULL, "with the events that led there"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,
     "JSON on one line, also on a terminal"},
};
#undef AT

static const struct manual manual = {
    .usage = "[FLAGS] ENTITY",
    .text =
        "Prints the state of an entity: the payloads of its events merged key by key, in order.\n"
        "Any earlier state can be asked for: by time, by position in the log, by version.\n"
        "On a terminal indented, otherwise on one line.\n"
        "A MOMENT is RFC 3339, a date (midnight UTC), or an age: 90s, 15m, 2h, 7d, 1w.\n",
    .examples = "  allsource state user-42\n"
                "  allsource state user-42 --as-of 2025-01-31T12:00:00Z\n"
                "  allsource state user-42 --as-of 2h --history\n"
                "  allsource state user-42 --at-version 3 | jq .current_state\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
    .operand = "ENTITY",
    .operand_at = offsetof(struct state_words, entity),
    .operand_needed = true,
};

static err ask(struct remote *remote, const struct state_words *asked, struct buf *body,
               struct als_why *why)
{
    struct buf url;
    buf_init(&url, 64 << 10);
    url_begin(&url, remote, S("/api/v1/entities"));
    url_segment(&url, asked->entity);
    buf_put_str(&url, S("/state"));
    if (asked->as_of.ptr)
        url_parameter(&url, "as_of", asked->as_of);
    url_number(&url, "as_of_position", asked->as_of_position);
    url_number(&url, "at_version", asked->at_version);
    url_parameter(&url, "history", asked->history ? S("all") : S("none"));
    struct remote_request request = {.method = S("GET"), .url = buf_str(&url)};
    err code = remote_call(remote, request, body, why);
    buf_deinit(&url);
    return code;
}

static int run(struct remote *remote, const void *words)
{
    const struct state_words *asked = words;
    struct als_why why;
    struct buf body;
    buf_init(&body, (size_t)1 << 32);
    err failed = ask(remote, asked, &body, &why);
    int code = remote_end(remote, failed, &why, buf_str(&body), asked->remote.json, NULL);
    buf_deinit(&body);
    return code;
}

int verb_state(struct cli *cli)
{
    struct state_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    return words_accept(cli, &manual, &asked, &code) ? remote_run(cli, &asked, run) : code;
}
