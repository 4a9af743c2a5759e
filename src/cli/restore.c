// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"
#include "cli/words.h"

struct restore_words {
    str backup, directory, tenant;
    struct word_number at_position;
    bool quiet, json;
};

static const struct flag flags[] = {
    {"data-dir", "DIR", FLAG_TEXT, offsetof(struct restore_words, directory), NULL,
     "the data directory to make; without it the backup is only checked"},
    {"tenant", "NAME", FLAG_TEXT, offsetof(struct restore_words, tenant), NULL,
     "only this tenant; default: all"},
    {"at-position", "N", FLAG_NUMBER, offsetof(struct restore_words, at_position), NULL,
     "only events up to this position of the one tenant"},
    {"quiet", NULL, FLAG_SWITCH, offsetof(struct restore_words, quiet), NULL, "no progress"},
    {"json", NULL, FLAG_SWITCH, offsetof(struct restore_words, json), NULL, "the summary as JSON"},
};

static const struct manual manual = {
    .usage = "[FLAGS] BACKUP",
    .text =
        "Makes a data directory of a backup. Every file of the backup is compared with its\n"
        "CATALOG, and the history in it is checked as `allsource verify` does, before the\n"
        "answer is yes. DIR is made when absent and must be empty; until all is done no server\n"
        "opens it. Without --data-dir the backup is checked and nothing is made.\n"
        "With --at-position the tenant is as it was at that position, its schemas, too.\n"
        "Exits with 0 when all is there, 1 when something is damaged or missing: the file is\n"
        "named.\n",
    .examples = "  allsource restore ./data/backups/nightly-1\n"
                "  allsource restore /mnt/backup/today --data-dir ./restored\n"
                "  allsource restore today --data-dir ./then --tenant acme --at-position 1200\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
    .operand = "BACKUP",
    .operand_at = offsetof(struct restore_words, backup),
    .operand_needed = true,
};

int verb_restore(struct cli *cli)
{
    struct restore_words asked = {.tenant = {NULL, 0}};
    struct report_progress progress = {.bytes = 0};
    struct als_restore_options options = ALS_RESTORE_OPTIONS_INIT;
    struct als_backup_report report;
    struct als_why why = {""};
    int exit_code;
    if (!words_accept(cli, &manual, &asked, &exit_code))
        return exit_code;
    if (asked.at_position.given && asked.at_position.value == 0) {
        cli_say(cli, "--at-position: positions begin with 1");
        return EXIT_USAGE;
    }
    progress_begin(&progress.line, cli, "MiB", !asked.quiet, 0);
    options.tenant = asked.tenant;
    options.at_position = asked.at_position.value;
    options.progress = report_moved;
    options.context = &progress;
    err code = als_restore(asked.backup.ptr, asked.directory.ptr, &options, &report, &why);
    progress_clear(&progress.line);
    if (code != ALS_OK)
        return cli_failed(cli, code, &why);
    return report_end(cli, &report, asked.directory.ptr ? asked.directory : asked.backup,
                      asked.json);
}
