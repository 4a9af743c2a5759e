// SPDX-License-Identifier: Apache-2.0
// The sub-verbs of `allsource schema` that talk to a server's registry.
#pragma once

struct cli;

int verb_schema_register(struct cli *cli);
int verb_schema_list(struct cli *cli);
int verb_schema_show(struct cli *cli);
int verb_schema_validate(struct cli *cli);
int verb_schema_check(struct cli *cli);
