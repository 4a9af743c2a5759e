// SPDX-License-Identifier: Apache-2.0
// The roof of `allsource`: the tools, and the server that they are for.
#include "cli/cli.h"
#include "server/server.h"

int main(int count, char **words, char **environment)
{
    return cli_main(count, words, environment, server_main);
}
