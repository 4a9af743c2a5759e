// SPDX-License-Identifier: Apache-2.0
// The verbs of `allsource schema`; each is run as a verb_NAME() is.
#pragma once

#include "cli/verb.h"

int schema_test_suite(struct cli *cli);
