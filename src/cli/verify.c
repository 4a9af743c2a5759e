// SPDX-License-Identifier: Apache-2.0
#include "cli/show.h"
#include "cli/words.h"
#include "json/json.h"

#include <allsource.h>

struct verify_words {
    str directory;
    bool json;
};

static const struct flag flags[] = {
    {"data-dir", "DIR", FLAG_TEXT, offsetof(struct verify_words, directory), "ALLSOURCE_DATA_DIR",
     "the directory; default ./data"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct verify_words, json), NULL,
     "a line of JSON a tenant"},
};

static const struct manual manual = {
    .usage = "[FLAGS]",
    .text =
        "Reads every byte of a data directory that no server has open and checks every checksum,\n"
        "the chain of batches, positions and versions. Changes nothing. For each damaged tenant "
        "it\n"
        "names the file and the offset of the first bad byte.\n"
        "A torn end is no damage: a crash cut an append that nobody had been told was stored, and\n"
        "the server cuts it off when it starts. A damaged index is none either: `allsource\n"
        "rebuild-index` makes it anew.\n"
        "Exits with 0 when all is sound, 1 when something is damaged.\n",
    .examples = "  allsource verify --data-dir ./data\n"
                "  allsource verify --data-dir /backup/data --json | jq 'select(.sound | not)'\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
};

struct verifying {
    struct cli *cli;
    bool json;
    uint64_t tenants, damaged, mild, events, bytes;
};

// Every event is there.
static bool is_sound(enum als_err code)
{
    return code == ALS_OK || code == ALS_STORAGE || code == ALS_INDEX;
}

static void finding_json(const struct als_finding *finding, struct buf *buf)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_object(&writer);
    json_field_string(&writer, S("tenant_id"), finding->tenant);
    json_key(&writer, S("sound"));
    json_put_bool(&writer, is_sound(finding->code));
    json_key(&writer, S("index_damaged"));
    json_put_bool(&writer, finding->code == ALS_INDEX);
    json_key(&writer, S("torn_end"));
    json_put_bool(&writer, finding->code == ALS_STORAGE);
    json_field_u64(&writer, S("files"), finding->files);
    json_field_u64(&writer, S("bytes"), finding->bytes);
    json_field_u64(&writer, S("events"), finding->events);
    if (finding->code != ALS_OK) {
        json_field_string(&writer, S("file"), finding->file);
        json_field_u64(&writer, S("offset"), finding->offset);
        json_field_string(&writer, S("why"), str_of(finding->why.text));
    }
    json_close_object(&writer);
    buf_put_char(buf, '\n');
}

static const char *verdict_of(enum als_err code)
{
    switch (code) {
    case ALS_OK:
        return "sound";
    case ALS_STORAGE:
        return "sound, with a torn end";
    case ALS_INDEX:
        return "sound, with a damaged index: see `allsource rebuild-index`";
    case ALS_CORRUPT:
        return "DAMAGED";
    case ALS_FORMAT_TOO_NEW:
        return "UNREADABLE, written by a newer version";
    default:
        return "UNREADABLE";
    }
}

static void finding_words(const struct als_finding *finding, struct buf *buf)
{
    buf_printf(buf, "%.*s: %s; ", STR(finding->tenant), verdict_of(finding->code));
    show_count(finding->events, buf);
    buf_put_str(buf, S(" events, "));
    show_count(finding->files, buf);
    buf_put_str(buf, finding->files == 1 ? S(" file, ") : S(" files, "));
    show_bytes(finding->bytes, buf);
    buf_put_char(buf, '\n');
    if (finding->code != ALS_OK)
        buf_printf(buf, "  %.*s at byte %llu: %s\n", STR(finding->file),
                   (unsigned long long)finding->offset, finding->why.text);
}

static bool each_finding(void *context, const struct als_finding *finding)
{
    struct verifying *verifying = context;
    verifying->tenants++;
    verifying->mild += finding->code != ALS_OK && is_sound(finding->code);
    verifying->damaged += !is_sound(finding->code);
    verifying->events += finding->events;
    verifying->bytes += finding->bytes;
    struct buf buf;
    buf_init(&buf, 64 << 10);
    if (verifying->json)
        finding_json(finding, &buf);
    else
        finding_words(finding, &buf);
    bool done = cli_write(verifying->cli, buf_str(&buf));
    buf_deinit(&buf);
    return fflush(verifying->cli->out) == 0 && done; // a large directory takes a while: tell now
}

static void summary(const struct verifying *verifying, struct buf *buf)
{
    if (verifying->damaged)
        buf_printf(
            buf,
            "%llu of %llu tenants damaged or unreadable. Nothing was changed. Bring damaged "
            "files back\nfrom a backup, and read newer ones with the version that wrote them; "
            "until then `allsource dump --tenant NAME` gives the events "
            "before the first bad byte.\n",
            (unsigned long long)verifying->damaged, (unsigned long long)verifying->tenants);
    else if (verifying->tenants == 0)
        buf_put_str(buf, S("The directory holds no tenant.\n"));
    else {
        buf_put_str(buf, S("All sound: "));
        show_count(verifying->tenants, buf);
        buf_put_str(buf, verifying->tenants == 1 ? S(" tenant, ") : S(" tenants, "));
        show_count(verifying->events, buf);
        buf_put_str(buf, S(" events, "));
        show_bytes(verifying->bytes, buf);
        buf_put_str(buf, S(" read.\n"));
    }
}

int verb_verify(struct cli *cli)
{
    struct verify_words asked = {.directory = S("./data")};
    int code;
    if (!words_accept(cli, &manual, &asked, &code))
        return code;
    struct verifying verifying = {.cli = cli, .json = asked.json};
    struct als_why why = {""};
    err result = als_verify(asked.directory.ptr, each_finding, &verifying, &why);
    // The result is the worst finding's code, or why there are no findings.
    bool found = (is_sound(result) && verifying.mild) || verifying.damaged;
    if (result != ALS_OK && !found) {
        code = cli_failed(cli, result, &why);
        if (result == ALS_LOCKED)
            fprintf(cli->err, "A server has the directory open: stop it first, or check a copy.\n");
        return code;
    }
    struct buf buf;
    buf_init(&buf, 64 << 10);
    if (!asked.json)
        summary(&verifying, &buf);
    cli_write(cli, buf_str(&buf));
    buf_deinit(&buf);
    return cli_finish(cli, verifying.damaged ? EXIT_FAILED : EXIT_DONE);
}
