// SPDX-License-Identifier: Apache-2.0
// The JSON answer of a SQL query as a table for people.
#pragma once

#include "cli/verb.h"

// Aligned columns, numbers to the right, and a line that tells how many rows there are. The arena
// holds the parsed answer.
err sql_table_print(struct cli *cli, str answer, struct arena *arena, struct als_why *why);
