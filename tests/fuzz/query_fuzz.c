// SPDX-License-Identifier: Apache-2.0
// Any bytes as what stands behind the '?', and as a path.
#include "base/limits.h"
#include "server/filter.h"
#include "server/route.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct route routes[] = {
#define X(method_, path_, handler, body_)                                                          \
    {{#method_, sizeof #method_ - 1}, {path_, sizeof path_ - 1}, NULL, body_},
#include "server/routes.def"
#undef X
};

static void check_query(str query, struct arena *arena)
{
    struct params params = {};
    struct filter filter;
    struct flaw flaw = {};
    if (params_from_query(query, arena, &params, &flaw) || filter_read(&params, &filter, &flaw)) {
        assert(flaw.why.text[0]);
        return;
    }
    for (size_t i = 0; i < params.count; i++)
        assert(str_is_utf8(params.items[i].name) && str_is_utf8(params.items[i].value));
    assert(filter.query.type_count <= QUERY_TYPES_MAX);
    assert(filter.query.until_us <= ALS_TIME_MAX && filter.query.since_us >= ALS_TIME_MIN);
    for (size_t i = 0; i < filter.query.type_count; i++)
        assert(filter.query.types[i].ptr);
}

static void check_path(str path, struct arena *arena)
{
    struct route_match match = {};
    if (route_find(routes, COUNT_OF(routes), S("GET"), path, arena, &match) != ROUTE_FOUND)
        return;
    assert(match.route && path.ptr[0] == '/' && path.ptr[path.len - 1] != '/');
    for (size_t i = 0; i < ROUTE_PARAMETERS_MAX; i++)
        assert(!match.parameters[i].ptr ||
               (match.parameters[i].len > 0 && str_is_utf8(match.parameters[i])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); // so that the sanitizer sees its ends
    assert(copy);
    if (size)
        memcpy(copy, data, size);
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    check_query((str){copy, size}, &arena);
    check_path((str){copy, size}, &arena);
    arena_deinit(&arena);
    free(copy);
    return 0;
}
