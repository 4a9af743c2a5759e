// SPDX-License-Identifier: Apache-2.0
// The command line program `allsource`: a server, and the tools around it.
//
// commands.def is the table of verbs; each is a file. `serve` is the server's own program, handed
// in by the roof because this room may not look up to it; `verify` and `dump` read a data directory
// through <allsource.h>; all others talk HTTP to a server.
// Exit codes of every verb: 0 done, 1 it failed or the answer is no, 2 the words were wrong.
#pragma once

typedef int cli_serve(int count, char **words, char **environment);

// words[0] is the program's name. The environment is NULL-ended. One thread.
int cli_main(int count, char **words, char **environment, cli_serve *serve);
