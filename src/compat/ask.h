// SPDX-License-Identifier: Apache-2.0
// For the tests: a comparison that must come to an answer.
#pragma once

#include "compat/compat.h"
#include "test.h"

static inline struct compat_answer ask(struct arena *arena, const char *old_schema,
                                       const char *new_schema, struct compat_options options)
{
    struct compat_answer answer = {};
    struct als_why why;
    err code = compat_check(str_of(old_schema), str_of(new_schema), options, arena, &answer, &why);
    if (code != ALS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", err_code(code), why.text);
    return answer;
}
