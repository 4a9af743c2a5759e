// SPDX-License-Identifier: Apache-2.0
#include "cli/event_text.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/words.h"

#include <allsource.h>

enum { WRITE_BYTES = 64 << 10 };

struct dump_words {
    str directory, tenant;
};

static const struct flag flags[] = {
    {"data-dir", "DIR", FLAG_TEXT, offsetof(struct dump_words, directory), "ALLSOURCE_DATA_DIR",
     "the directory; default ./data"},
    {"tenant", "NAME", FLAG_TEXT, offsetof(struct dump_words, tenant), "ALLSOURCE_TENANT",
     "whose events; default: default"},
};

static const struct manual manual = {
    .usage = "[FLAGS]",
    .text =
        "Prints all events of a tenant in order, one JSON object a line, from a data directory\n"
        "that no server has open. The objects are those that the server's queries give, and\n"
        "`allsource append` takes them back: same ids, times and payloads. A damaged log is\n"
        "printed up to its first bad byte; the exit code is 1 then.\n",
    .examples = "  allsource dump --data-dir ./data > events.ndjson\n"
                "  allsource dump --tenant acme | gzip > acme.ndjson.gz\n"
                "  allsource dump --data-dir old | allsource append --url http://127.0.0.1:8080\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
};

struct dumping {
    struct cli *cli;
    struct buf buf;
    struct progress progress;
    uint64_t events;
    bool failed; // the output takes no more
};

static bool flush(struct dumping *dumping)
{
    bool done = !buf_failed(&dumping->buf) && cli_write(dumping->cli, buf_str(&dumping->buf));
    buf_reset(&dumping->buf);
    dumping->failed |= !done;
    return done;
}

static bool each_event(void *context, const struct als_event *event)
{
    struct dumping *dumping = context;
    event_json(event, &dumping->buf);
    buf_put_char(&dumping->buf, '\n');
    dumping->events++;
    if (dumping->buf.len < WRITE_BYTES)
        return true;
    progress_show(&dumping->progress, 0, dumping->events);
    return flush(dumping);
}

int verb_dump(struct cli *cli)
{
    struct dump_words asked = {.directory = S("./data"), .tenant = S("default")};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    struct dumping dumping = {.cli = cli};
    buf_init(&dumping.buf, (size_t)256 << 20);
    progress_begin(&dumping.progress, cli, "events", !cli->out_terminal, 0);
    struct als_why why = {""};
    err result = als_dump(asked.directory.ptr, asked.tenant, each_event, &dumping, &why);
    flush(&dumping);
    progress_clear(&dumping.progress);
    buf_deinit(&dumping.buf);
    if (dumping.failed || result == ALS_OK)
        return cli_finish(cli, dumping.failed ? EXIT_FAILED : EXIT_DONE);
    code = cli_failed(cli, result, &why);
    if (result == ALS_LOCKED)
        fprintf(cli->err, "A server has the directory open: stop it first, or dump a copy.\n");
    return code;
}
