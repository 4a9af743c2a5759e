// SPDX-License-Identifier: Apache-2.0
#include "schema/metaschema.h"

#include "base/own.h"

#define DRAFT_07 "http://json-schema.org/draft-07/schema"
#define DRAFT_2020 "https://json-schema.org/draft/2020-12/schema"

static const struct {
    const char *uri, *text;
} metaschemas[] = {
#define X(uri, ...) {uri, #__VA_ARGS__},
#include "schema/metaschema.def"
#undef X
};

str metaschema_text(str uri)
{
    for (size_t i = 0; i < COUNT_OF(metaschemas); i++)
        if (str_equal(str_of(metaschemas[i].uri), uri))
            return str_of(metaschemas[i].text);
    return (str){NULL, 0};
}

str metaschema_uri(enum schema_draft draft)
{
    return draft == SCHEMA_DRAFT_07 ? S(DRAFT_07) : S(DRAFT_2020);
}

enum schema_draft metaschema_draft(str uri)
{
    if (str_ends(uri, S("#")))
        uri.len--;
    if (str_equal(uri, S(DRAFT_07)) || str_equal(uri, S("https://json-schema.org/draft-07/schema")))
        return SCHEMA_DRAFT_07;
    return str_equal(uri, S(DRAFT_2020)) ? SCHEMA_DRAFT_2020_12 : SCHEMA_DRAFT_DEFAULT;
}
