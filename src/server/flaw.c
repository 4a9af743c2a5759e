// SPDX-License-Identifier: Apache-2.0
#include "server/flaw.h"

#include <stdarg.h>
#include <stdio.h>

err flaw_set(struct flaw *flaw, err code, str field, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(flaw->why.text, sizeof flaw->why.text, format, arguments); // cut is fine
    va_end(arguments);
    (void)snprintf(flaw->field, sizeof flaw->field, "%.*s", STR(field));
    flaw->limit = 0;
    return code;
}

void flaw_within(struct flaw *flaw, const char *list, size_t index)
{
    struct flaw inner = *flaw;
    (void)snprintf(flaw->field, sizeof flaw->field, "%s[%zu]%s%.60s", list, index,
                   inner.field[0] ? "." : "", inner.field);
    (void)snprintf(flaw->why.text, sizeof flaw->why.text, "%s: %.140s", flaw->field,
                   inner.why.text);
}
