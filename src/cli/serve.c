// SPDX-License-Identifier: Apache-2.0
#include "cli/verb.h"

// The server reads its own options, so that `allsource serve` and `allsourced` cannot differ.
int verb_serve(struct cli *cli)
{
    char name[] = "allsource serve";
    size_t count = cli->count + 1;
    char **words = ARENA_ARRAY(cli->arena, char *, count + 1);
    if (!words) {
        cli_say(cli, "too many words");
        return EXIT_USAGE;
    }
    words[0] = name;
    for (size_t i = 0; i < cli->count; i++)
        words[i + 1] = cli->words[i];
    words[count] = NULL;
    return cli->serve((int)count, words, cli->environment);
}
