// SPDX-License-Identifier: Apache-2.0
// docs/api/openapi.yaml and routes.def list the same routes. The file is read by its indentation:
// below "paths:" a path stands two columns in, its methods four.
#include "server/route.h"

#include "base/own.h"

#include "test.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

enum { TEXT_MAX = 1 << 20, ROUTES_MAX = 200 };

static const struct {
    const char *method, *path;
} routes[] = {
#define X(method, path, handler, body) {#method, path},
#include "server/routes.def"
#undef X
};

static size_t read_document(char *space)
{
    char path[1024];
    const char *end = strstr(__FILE__, "src/server/openapi_test.c");
    CHECK(end);
    (void)snprintf(path, sizeof path, "%.*sdocs/api/openapi.yaml", (int)(end - __FILE__), __FILE__);
    FILE *file = fopen(path, "r");
    CHECK(file);
    size_t len = fread(space, 1, TEXT_MAX, file);
    (void)fclose(file); // was only read
    CHECK(len > 0 && len < TEXT_MAX);
    return len;
}

static bool is_method(str word)
{
    static const char *const methods[] = {"get", "post", "put", "delete", "patch"};
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (str_equal(word, str_of(methods[i])))
            return true;
    return false;
}

static bool in_table(str method, str path)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        if (strlen(routes[i].method) == method.len &&
            strncasecmp(routes[i].method, method.ptr, method.len) == 0 &&
            str_equal(str_of(routes[i].path), path))
            return true;
    return false;
}

// How many routes the document lists; each must be in the table.
static size_t check_paths(str rest)
{
    size_t count = 0;
    bool inside = false;
    str path = {NULL, 0};
    while (rest.len) {
        str line = str_cut(&rest, '\n');
        if (line.len && isalpha((unsigned char)line.ptr[0]))
            inside = str_equal(line, S("paths:"));
        if (!inside || !str_ends(line, S(":")))
            continue;
        str word = str_first(line, line.len - 1);
        if (str_starts(word, S("  /")))
            path = str_from(word, 2);
        else if (str_starts(word, S("    ")) && is_method(str_from(word, 4))) {
            if (!in_table(str_from(word, 4), path))
                test_fail(__FILE__, __LINE__, "%.*s %.*s is not in routes.def",
                          STR(str_from(word, 4)), STR(path));
            count++;
        }
    }
    return count;
}

// The table has no route twice (another test), so equal numbers mean equal sets.
TEST(the_api_document_lists_the_routes_of_the_table_and_no_others)
{
    char *space = malloc(TEXT_MAX);
    CHECK(space);
    size_t count = check_paths((str){space, read_document(space)});
    free(space);
    CHECK_EQUAL(COUNT_OF(routes), count);
}
