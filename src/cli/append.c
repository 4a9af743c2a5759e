// SPDX-License-Identifier: Apache-2.0
// Lines go out in batches, each stored whole or not at all, one after the other; so what is stored
// is always a beginning of the input, and the first line that is not is where to go on.
//
// Every event that is sent has an id, ours if the line has none. That makes sending a batch again
// harmless, which is what happens when the connection is lost before the answer came.
#include "cli/draft.h"
#include "cli/lines.h"
#include "cli/progress.h"
#include "cli/remote.h"
#include "cli/show.h"
#include "json/json.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BATCH_DEFAULT = 1'000,
    BATCH_MAX = 100'000,
    BATCH_BYTES = 8 << 20,     // a batch of long events is sent before it has its count
    LINE_BYTES_MAX = 64 << 20, // the server takes less; it says what it takes
    READ_BYTES = 256 << 10,
    QUIET_INPUT_MS = 100, // an input that pauses this long is not to delay what it gave
    TRIES_MAX = 7,
    RETRY_MS_MIN = 250,
};

struct append_words {
    struct remote_words remote;
    str file;
    struct word_number batch, from_line;
    bool keep_going, quiet;
};

#define AT(member) offsetof(struct append_words, member)
static const struct flag flags[] = {
    REMOTE_FLAGS,
    {"batch", "N", FLAG_NUMBER, AT(batch), NULL, "events of one append; default 1000"},
    {"from-line", "N", FLAG_NUMBER, AT(from_line), NULL, "begin with line N of the input"},
    {"keep-going", NULL, FLAG_SWITCH, AT(keep_going), NULL,
     "tell and skip lines that are no events"},
    {"quiet", NULL, FLAG_SWITCH, AT(quiet), NULL, "no progress and no summary"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct remote_words, json), NULL,
     "the summary as one line of JSON"},
};
#undef AT

static const struct manual manual = {
    .usage = "[FLAGS] [FILE]",
    .text =
        "Reads events, one JSON object a line, from FILE or standard input, and appends them in\n"
        "order. Each batch is stored whole or not at all. It stops at the first line that cannot\n"
        "be stored, says why and where to go on, and has stored everything before.\n"
        "\n"
        "A line has event_type, entity_id and payload, and may have id (a UUID: the same event is\n"
        "stored once, however often it is sent), timestamp (RFC 3339), metadata,\n"
        "expected_version (of the entity before this event; 0: must not exist) and tenant_id.\n",
    .examples =
        "  allsource append events.ndjson\n"
        "  gunzip -c events.ndjson.gz | allsource append --batch 5000\n"
        "  allsource append --from-line 48001 events.ndjson\n"
        "  echo "
        "'{\"event_type\":\"user.created\",\"entity_id\":\"u1\",\"payload\":{\"name\":\"Ada\"}}'"
        " | allsource append\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
    .operand = "FILE",
    .operand_at = offsetof(struct append_words, file),
};

struct appending {
    struct remote *remote;
    const struct append_words *asked;
    struct progress progress;
    struct arena arena; // of one line
    struct lines input;

    struct buf body;       // the batch
    uint64_t *batch_lines; // the number of each event's line
    size_t batch_count, batch_max;
    struct buf answer, url;

    uint64_t line, input_bytes;           // read
    uint64_t appended, duplicates;        // stored now; stored before, under the same ids
    uint64_t batches, skipped, last_line; // last_line: everything up to it is stored or skipped
    uint64_t first_position, last_position;

    err failed;
    uint64_t failed_line; // 0: no line is to blame
    bool unknown;         // whether the last batch was stored
    struct als_why why;
};

// ---- Sending

// "events[16]" in the error's field: the line it came from, or 0.
static uint64_t blamed_line(const struct appending *appending, struct arena *arena)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = 1};
    if (json_parse(buf_str(&appending->answer), options, arena, &doc, NULL, NULL) != ALS_OK)
        return 0;
    const struct json_node *node = json_member(&doc, json_root(&doc), S("field"));
    if (!node || node->kind != JSON_STRING)
        return 0;
    str field = json_text(&doc, node, arena);
    uint64_t index;
    if (!str_starts(field, S("events[")))
        return 0;
    field = str_from(field, 7);
    if (!str_to_u64(str_cut(&field, ']'), &index) || index >= appending->batch_count)
        return 0;
    return appending->batch_lines[index];
}

// The words of the server speak of "events[16]"; those for the person speak of a line.
static void say_without_index(struct als_why *why)
{
    str words = str_of(why->text), rest = words;
    if (!str_starts(words, S("events[")))
        return;
    (void)str_cut(&rest, ' ');
    memmove(why->text, rest.ptr, rest.len + 1);
}

static void count_answer(struct appending *appending)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = 1};
    arena_reset(&appending->arena);
    appending->batches++;
    appending->last_line = appending->batch_lines[appending->batch_count - 1];
    bool read = json_parse(buf_str(&appending->answer), options, &appending->arena, &doc, NULL,
                           NULL) == ALS_OK;
    const struct json_node *root = read ? json_root(&doc) : NULL;
    const struct json_node *first = read ? json_member(&doc, root, S("first_position")) : NULL;
    const struct json_node *last = read ? json_member(&doc, root, S("last_position")) : NULL;
    const struct json_node *before = read ? json_member(&doc, root, S("duplicate")) : NULL;
    if (before && before->kind == JSON_TRUE) {
        appending->duplicates += appending->batch_count;
        return;
    }
    appending->appended += appending->batch_count;
    if (first && appending->first_position == 0)
        (void)json_to_u64(json_span(&doc, first), &appending->first_position); // else unknown: 0
    if (last)
        (void)json_to_u64(json_span(&doc, last), &appending->last_position);
}

static bool worth_retrying(const struct appending *appending, err code)
{
    if (appending->remote->unreachable)
        return appending->batches > 0; // at the very first it is probably a wrong address
    return code == ALS_QUEUE_FULL || code == ALS_NOT_READY || code == ALS_TIMEOUT;
}

static err post(struct appending *appending)
{
    struct remote_request request = {
        .method = S("POST"),
        .url = buf_str(&appending->url),
        .content_type = S("application/x-ndjson"),
        .body = buf_str(&appending->body),
    };
    uint32_t wait_ms = RETRY_MS_MIN;
    for (int tries = 1;; tries++) {
        err code = remote_call(appending->remote, request, &appending->answer, &appending->why);
        bool lost = appending->remote->unreachable || code == ALS_TIMEOUT;
        appending->unknown |= (lost && appending->remote->sent) || code == ALS_STORAGE_FAILED;
        if (code == ALS_OK || tries == TRIES_MAX || !worth_retrying(appending, code))
            return code;
        progress_clear(&appending->progress);
        cli_say(appending->remote->cli, "%s; trying again", appending->why.text);
        cli_pause(wait_ms);
        wait_ms *= 2;
    }
}

// False when it failed; `failed` tells.
static bool send_batch(struct appending *appending)
{
    if (appending->batch_count == 0)
        return true;
    appending->unknown = false;
    err code = post(appending);
    if (code != ALS_OK) {
        arena_reset(&appending->arena);
        appending->failed = code;
        appending->failed_line = blamed_line(appending, &appending->arena);
        say_without_index(&appending->why);
        return false;
    }
    count_answer(appending);
    appending->batch_count = 0;
    buf_reset(&appending->body);
    progress_show(&appending->progress, appending->input_bytes,
                  appending->appended + appending->duplicates);
    return true;
}

// ---- Reading

// Ends the input at a line: what went before is stored first, or that is the earlier failure.
static void stop(struct appending *appending, uint64_t line, err code, const struct als_why *why)
{
    if (!send_batch(appending))
        return;
    appending->failed = code;
    appending->failed_line = line;
    appending->why = *why;
}

static bool bad_line(struct appending *appending, err code, const struct als_why *why)
{
    if (!appending->asked->keep_going) {
        stop(appending, appending->line, code, why);
        return false;
    }
    progress_clear(&appending->progress);
    cli_say(appending->remote->cli, "line %llu skipped: %s%s", (unsigned long long)appending->line,
            err_prefix(code), why->text);
    appending->skipped++;
    return true;
}

static bool each_line(void *context, str line)
{
    struct appending *appending = context;
    struct als_why why;
    appending->line++;
    appending->input_bytes += line.len + 1;
    const struct word_number *from = &appending->asked->from_line;
    if (from->given && appending->line < from->value)
        return true;
    if (str_trim(line).len == 0)
        return true;
    err code =
        draft_put(line, appending->remote->cli->os, &appending->arena, &appending->body, &why);
    if (code != ALS_OK)
        return bad_line(appending, code, &why);
    appending->batch_lines[appending->batch_count++] = appending->line;
    if (appending->batch_count < appending->batch_max && appending->body.len < BATCH_BYTES)
        return true;
    return send_batch(appending);
}

static bool input_is_quiet(int input)
{
    struct pollfd wanted = {.fd = input, .events = POLLIN};
    return poll(&wanted, 1, QUIET_INPUT_MS) == 0;
}

// Feeds the input line by line until it ends, a line ends it, or it cannot be read.
static err feed_input(struct appending *appending, int input, char *bytes, struct als_why *why)
{
    for (;;) {
        if (appending->batch_count && input_is_quiet(input) && !send_batch(appending))
            return ALS_OK; // told by `failed`
        ssize_t len = read(input, bytes, READ_BYTES);
        if (len < 0)
            return FAIL(why, ALS_STORAGE, "the input cannot be read: %m"); // %m: glibc's reason
        if (len == 0)
            return ALS_OK;
        if (!lines_feed(&appending->input, (str){bytes, (size_t)len}))
            break;
    }
    if (appending->input.too_long)
        return FAIL(why, ALS_TOO_LARGE, "the line is longer than %d bytes", LINE_BYTES_MAX);
    return ALS_OK;
}

static void read_input(struct appending *appending, int input)
{
    struct als_why why;
    char *bytes = arena_alloc(appending->remote->cli->arena, READ_BYTES);
    err code = ALS_OK;
    if (bytes)
        code = feed_input(appending, input, bytes, &why);
    else
        code = FAIL(&why, ALS_NO_MEMORY, "no memory to read into");
    if (code != ALS_OK)
        stop(appending, appending->line + 1, code, &why);
    else if (!appending->failed && lines_end(&appending->input))
        (void)send_batch(appending); // `failed` tells
}

// ---- Telling

static void tell_failure(struct appending *appending)
{
    struct cli *cli = appending->remote->cli;
    if (appending->failed_line)
        cli_say(cli, "line %llu: %s%s", (unsigned long long)appending->failed_line,
                err_prefix(appending->failed), appending->why.text);
    else
        (void)remote_failed(appending->remote, appending->failed, &appending->why);
    unsigned long long next = appending->last_line + 1;
    if (appending->batches)
        fprintf(cli->err, "Everything before line %llu is stored; go on with --from-line %llu\n",
                next, next);
    if (appending->unknown && appending->batch_count)
        fprintf(cli->err,
                "Whether lines %llu to %llu are stored is not known; look before you send them "
                "again\n",
                (unsigned long long)appending->batch_lines[0],
                (unsigned long long)appending->batch_lines[appending->batch_count - 1]);
    else if (!appending->batches)
        fprintf(cli->err, "Nothing was stored\n");
}

static void summary_json(const struct appending *appending, double seconds, struct buf *buf)
{
    uint64_t events = appending->appended + appending->duplicates;
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_object(&writer);
    json_field_u64(&writer, S("appended"), appending->appended);
    json_field_u64(&writer, S("duplicates"), appending->duplicates);
    json_field_u64(&writer, S("skipped"), appending->skipped);
    json_field_u64(&writer, S("batches"), appending->batches);
    json_field_u64(&writer, S("input_bytes"), appending->input_bytes);
    json_field_u64(&writer, S("first_position"), appending->first_position);
    json_field_u64(&writer, S("last_position"), appending->last_position);
    json_key(&writer, S("seconds"));
    json_put_double(&writer, seconds);
    json_key(&writer, S("events_per_second"));
    json_put_double(&writer, seconds > 0 ? (double)events / seconds : 0);
    json_field_u64(&writer, S("next_line"), appending->last_line + 1);
    if (appending->failed) {
        json_field_string(&writer, S("error"), str_of(appending->why.text));
        json_field_string(&writer, S("code"), str_of(err_code(appending->failed)));
    }
    if (appending->failed_line)
        json_field_u64(&writer, S("line"), appending->failed_line);
    json_close_object(&writer);
    buf_put_char(buf, '\n');
}

static void summary_words(const struct appending *appending, double seconds, struct buf *buf)
{
    uint64_t events = appending->appended + appending->duplicates;
    show_count(appending->appended, buf);
    buf_put_str(buf, appending->appended == 1 ? S(" event appended") : S(" events appended"));
    if (appending->first_position)
        buf_printf(buf, " at positions %llu to %llu", (unsigned long long)appending->first_position,
                   (unsigned long long)appending->last_position);
    if (appending->duplicates) {
        buf_put_str(buf, S(", "));
        show_count(appending->duplicates, buf);
        buf_put_str(buf, S(" were there already"));
    }
    if (appending->skipped) {
        buf_put_str(buf, S(", "));
        show_count(appending->skipped, buf);
        buf_put_str(buf, S(" lines skipped"));
    }
    buf_put_str(buf, S(", in "));
    show_duration(seconds, buf);
    buf_put_str(buf, S(" ("));
    show_count(seconds > 0 ? (uint64_t)((double)events / seconds) : 0, buf);
    buf_put_str(buf, S(" events/s)\n"));
}

static int tell(struct appending *appending)
{
    struct cli *cli = appending->remote->cli;
    double seconds = progress_seconds(&appending->progress);
    progress_clear(&appending->progress);
    struct buf buf;
    buf_init(&buf, 64 << 10);
    if (appending->asked->remote.json)
        summary_json(appending, seconds, &buf);
    else if (!appending->asked->quiet && (appending->batches || !appending->failed))
        summary_words(appending, seconds, &buf);
    cli_write(cli, buf_str(&buf));
    buf_deinit(&buf);
    if (appending->failed)
        tell_failure(appending);
    return cli_finish(cli, appending->failed || appending->skipped ? EXIT_FAILED : EXIT_DONE);
}

// ---- The verb

static int append_from(struct remote *remote, const struct append_words *asked, int input,
                       uint64_t input_bytes)
{
    size_t batch_max = asked->batch.given ? (size_t)asked->batch.value : BATCH_DEFAULT;
    struct appending appending = {.remote = remote, .asked = asked, .batch_max = batch_max};
    appending.batch_lines = ARENA_ARRAY(remote->cli->arena, uint64_t, batch_max);
    if (!appending.batch_lines) {
        cli_say(remote->cli, "no memory for a batch");
        return EXIT_FAILED;
    }
    arena_init(&appending.arena, 64 << 10, (size_t)1 << 30);
    lines_init(&appending.input, LINE_BYTES_MAX, each_line, &appending);
    buf_init(&appending.body, (size_t)1 << 30);
    buf_init(&appending.answer, 1 << 20);
    buf_init(&appending.url, 64 << 10);
    url_begin(&appending.url, remote, S("/api/v1/events/batch"));
    url_parameter(&appending.url, "ack", S("summary"));
    progress_begin(&appending.progress, remote->cli, "events", !asked->quiet, input_bytes);
    if (asked->from_line.given && asked->from_line.value)
        appending.last_line = asked->from_line.value - 1;

    read_input(&appending, input);
    int code = tell(&appending);

    buf_deinit(&appending.url);
    buf_deinit(&appending.answer);
    buf_deinit(&appending.body);
    lines_deinit(&appending.input);
    arena_deinit(&appending.arena);
    return code;
}

static int run(struct remote *remote, const void *words)
{
    const struct append_words *asked = words;
    struct cli *cli = remote->cli;
    bool standard = !asked->file.ptr || str_equal(asked->file, S("-"));
    int input = standard ? STDIN_FILENO : open(asked->file.ptr, O_RDONLY | O_CLOEXEC);
    if (input < 0) {
        struct als_why why;
        err code = FAIL(&why, ALS_NOT_FOUND, "'%s' cannot be opened: %m", asked->file.ptr);
        return cli_failed(cli, code, &why);
    }
    if (standard && isatty(input))
        fprintf(cli->err, "Type events, one JSON object a line; end with Ctrl-D.\n");
    struct stat stat;
    bool sized = fstat(input, &stat) == 0 && S_ISREG(stat.st_mode);
    int code = append_from(remote, asked, input, sized ? (uint64_t)stat.st_size : 0);
    if (!standard)
        (void)close(input); // it was only read
    return code;
}

int verb_append(struct cli *cli)
{
    struct append_words asked = {.remote = REMOTE_WORDS_INIT};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    if (asked.batch.given && (asked.batch.value < 1 || asked.batch.value > BATCH_MAX)) {
        cli_say(cli, "--batch takes 1 to %d", BATCH_MAX);
        return EXIT_USAGE;
    }
    return remote_run(cli, &asked, run);
}
