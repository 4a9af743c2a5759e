// SPDX-License-Identifier: Apache-2.0
// `allsource schema`: a verb of verbs.
#include "cli/schema.h"
#include "cli/schema_registry.h"
#include "cli/words.h"

static const struct sub_verb {
    const char *name, *verb, *help;
    int (*run)(struct cli *cli);
} sub_verbs[] = {
#define X(name, function, help) {name, "schema " name, help, function},
#include "cli/schema_verbs.def"
#undef X
};

static void overview_print(FILE *file)
{
    fprintf(file, "usage: allsource schema VERB [FLAGS]\n\n"
                  "What the payloads of a type of event must look like.\n\n");
    for (size_t i = 0; i < COUNT_OF(sub_verbs); i++)
        fprintf(file, "  %-11s %s\n", sub_verbs[i].name, sub_verbs[i].help);
    fprintf(file, "\nExamples:\n"
                  "  allsource schema register order.placed --file order.json --enforce true\n"
                  "  allsource schema validate order.placed --file payload.json\n"
                  "\nEach explains itself: allsource schema VERB --help\n"
                  "\nExit codes: 0 done, 1 it failed or the answer is no, 2 the command line is "
                  "wrong\n");
}

static int unknown_verb(struct cli *cli, const char *word)
{
    const char *names[COUNT_OF(sub_verbs)];
    for (size_t i = 0; i < COUNT_OF(sub_verbs); i++)
        names[i] = sub_verbs[i].name;
    const char *nearest = words_nearest(str_of(word), names, COUNT_OF(names));
    if (nearest)
        cli_say(cli, "there is no verb '%.60s'; did you mean '%s'?", word, nearest);
    else
        cli_say(cli, "there is no verb '%.60s'; see allsource schema --help", word);
    return EXIT_USAGE;
}

int verb_schema(struct cli *cli)
{
    if (cli->count == 0) {
        overview_print(cli->err);
        return EXIT_USAGE;
    }
    const char *word = cli->words[0];
    if (str_equal(str_of(word), S("--help"))) {
        overview_print(cli->out);
        return cli_finish(cli, EXIT_DONE);
    }
    for (size_t i = 0; i < COUNT_OF(sub_verbs); i++)
        if (str_equal(str_of(word), str_of(sub_verbs[i].name))) {
            cli->verb = sub_verbs[i].verb;
            cli->words++;
            cli->count--;
            return sub_verbs[i].run(cli);
        }
    return unknown_verb(cli, word);
}
