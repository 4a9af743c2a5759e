// SPDX-License-Identifier: Apache-2.0
// `allsource schema`: a verb with verbs of its own, in a table.
#include "cli/schema.h"

static const struct command {
    const char *name, *verb, *help;
    int (*run)(struct cli *cli);
} commands[] = {
    {"test-suite", "schema test-suite", "run the official test suite of JSON Schema",
     schema_test_suite},
};

static void overview(FILE *file)
{
    fprintf(file, "usage: allsource schema VERB [FLAGS]\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(file, "  %-12s %s\n", commands[i].name, commands[i].help);
    fprintf(file, "\nEach explains itself: allsource schema VERB --help\n");
}

int verb_schema(struct cli *cli)
{
    const char *word = cli->count ? cli->words[0] : "";
    if (str_equal(str_of(word), S("--help")) || str_equal(str_of(word), S("-h"))) {
        overview(cli->out);
        return cli_finish(cli, EXIT_DONE);
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (!str_equal(str_of(word), str_of(commands[i].name)))
            continue;
        cli->verb = commands[i].verb;
        cli->words++;
        cli->count--;
        return commands[i].run(cli);
    }
    if (cli->count)
        fprintf(cli->err, "allsource schema: there is no verb '%.60s'\n\n", word);
    overview(cli->err);
    return EXIT_USAGE;
}
