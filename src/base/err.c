// SPDX-License-Identifier: Apache-2.0
// Everything here is printed from the table <allsource/err.def>.
#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *code;
    int http;
    const char *prefix;
} rows[] = {
#define X(name, http, prefix) {#name, http, prefix},
#include <allsource/err.def>
#undef X
};

// The table spells names in capitals, clients see lower case. Filled before main(), never again.
static char codes[ALS_ERR_COUNT][24];

__attribute__((constructor)) static void spell_codes(void)
{
    for (int i = 0; i < ALS_ERR_COUNT; i++) {
        size_t at = 0;
        for (const char *c = rows[i].code; *c; c++) {
            assert(at + 1 < sizeof codes[i]);
            codes[i][at++] = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
        }
        codes[i][at] = '\0';
    }
}

const char *err_code(err code)
{
    assert((unsigned)code < ALS_ERR_COUNT);
    return codes[code];
}

int err_http(err code)
{
    assert((unsigned)code < ALS_ERR_COUNT);
    return rows[code].http;
}

const char *err_prefix(err code)
{
    assert((unsigned)code < ALS_ERR_COUNT);
    return rows[code].prefix;
}

void err_explain(struct als_why *why, const char *format, ...)
{
    if (!why)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why->text, sizeof why->text, format, arguments); // cut at the end is fine
    va_end(arguments);
}
