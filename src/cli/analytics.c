// SPDX-License-Identifier: Apache-2.0
#include "cli/remote.h"

struct analytics_words {
    struct remote_words remote;
    str question, entity, since, until, window, a, b;
    struct word_list types;
    struct word_number within;
};

#define AT(member) offsetof(struct analytics_words, member)
static const struct flag flags[] = {
    REMOTE_FLAGS,
    {"since", "MOMENT", FLAG_MOMENT, AT(since), NULL, "what happened then or later"},
    {"until", "MOMENT", FLAG_MOMENT, AT(until), NULL, "what happened then or before"},
    {"entity", "ID", FLAG_TEXT, AT(entity), NULL, "only events of this entity"},
    {"type", "TYPE", FLAG_LIST, AT(types), NULL,
     "frequency, summary: only this event type; 'order.*' is a prefix"},
    {"window", "UNIT", FLAG_TEXT, AT(window), NULL, "frequency: minute, hour, day, week or month"},
    {"a", "TYPE", FLAG_TEXT, AT(a), NULL, "correlation: events of this type"},
    {"b", "TYPE", FLAG_TEXT, AT(b), NULL, "correlation: that have one of this type"},
    {"within", "SECONDS", FLAG_NUMBER, AT(within), NULL, "correlation: so near, before or after"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,
     "JSON on one line, also on a terminal"},
};
#undef AT

static const struct manual manual = {
    .usage = "[FLAGS] frequency|summary|correlation",
    .text = "Asks how many events there are in each window of time (frequency), of what and whom\n"
            "they are (summary), or which events of one type have one of another near them in the\n"
            "same entity (correlation).\n"
            "On a terminal indented, otherwise on one line.\n"
            "A MOMENT is RFC 3339, a date (midnight UTC), or an age: 90s, 15m, 2h, 7d, 1w.\n",
    .examples = "  allsource analytics frequency --since 7d --window day\n"
                "  allsource analytics summary --type 'order.*' --since 2026-01-01\n"
                "  allsource analytics correlation --a order.placed --b order.paid --within 3600\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
    .operand = "QUESTION",
    .operand_at = offsetof(struct analytics_words, question),
    .operand_needed = true,
};

static const char *const questions[] = {"frequency", "summary", "correlation"};

static void put_url(const struct remote *remote, const struct analytics_words *asked,
                    struct buf *url)
{
    const struct {
        const char *name;
        str value;
    } texts[] = {{"since", asked->since},      {"until", asked->until},
                 {"entity_id", asked->entity}, {"window", asked->window},
                 {"event_type_a", asked->a},   {"event_type_b", asked->b}};
    url_begin(url, remote, S("/api/v1/analytics"));
    url_segment(url, asked->question);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i].value.ptr)
            url_parameter(url, texts[i].name, texts[i].value);
    for (size_t i = 0; i < asked->types.count; i++)
        url_parameter(url, "event_type", asked->types.items[i]);
    url_number(url, "time_window_seconds", asked->within);
}

static err ask(struct remote *remote, const struct analytics_words *asked, struct buf *body,
               struct als_why *why)
{
    struct buf url;
    buf_init(&url, 64 << 10);
    put_url(remote, asked, &url);
    struct remote_request request = {.method = S("GET"), .url = buf_str(&url)};
    err code = remote_call(remote, request, body, why);
    buf_deinit(&url);
    return code;
}

static int run(struct remote *remote, const void *words)
{
    const struct analytics_words *asked = words;
    struct als_why why;
    struct buf body;
    buf_init(&body, (size_t)1 << 32);
    err failed = ask(remote, asked, &body, &why);
    int code = remote_end(remote, failed, &why, buf_str(&body), asked->remote.json, NULL);
    buf_deinit(&body);
    return code;
}

static bool is_question(struct cli *cli, str word)
{
    for (size_t i = 0; i < COUNT_OF(questions); i++)
        if (str_equal(word, str_of(questions[i])))
            return true;
    const char *near = words_nearest(word, questions, COUNT_OF(questions));
    cli_say(cli, "'%.*s' is none of frequency, summary, correlation%s%s%s", STR(word),
            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return false;
}

int verb_analytics(struct cli *cli)
{
    struct analytics_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    return is_question(cli, asked.question) ? remote_run(cli, &asked, run) : EXIT_USAGE;
}
