// SPDX-License-Identifier: Apache-2.0
// Any bytes as the catalog of a backup. When the first byte is odd, the checksum in the last line
// is made right, so that the lines before it are reached.
//
// It is refused with a reason, or its parts lie within it, in order, with names that lead nowhere
// else.
#include "base/hash.h"
#include "engine/catalog.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 1 << 16, LAST_BYTES = 15 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(str name)
{
    assert(name.len > 0 && name.ptr[0] != '.');
    assert(str_find(name, '/') == name.len && str_find(name, '\0') == name.len);
}

static void check(const struct catalog *catalog)
{
    size_t next = 0;
    for (size_t i = 0; i < catalog->tenant_count; i++) {
        const struct catalog_tenant *tenant = &catalog->tenants[i];
        assert(tenant->first_file == next && tenant->events <= tenant->position);
        next += tenant->file_count;
        check_name(tenant->directory);
    }
    assert(next == catalog->file_count);
    for (size_t i = 0; i < catalog->file_count; i++) {
        check_name(catalog->files[i].sub);
        check_name(catalog->files[i].name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > BYTES_MAX)
        return 0;
    size--;
    char *text = malloc(size + LAST_BYTES + 1);
    if (!text)
        return 0;
    memcpy(text, data + 1, size);
    if (data[0] & 1)
        size +=
            (size_t)snprintf(text + size, LAST_BYTES + 1, "whole %08x\n", crc32c(0, text, size));
    struct als_why why = {""};
    struct catalog *catalog = NULL;
    err code = catalog_parse((str){text, size}, &catalog, &why);
    assert(code == ALS_OK ? catalog != NULL : why.text[0] != '\0');
    if (code == ALS_OK)
        check(catalog);
    catalog_free(catalog);
    free(text);
    return 0;
}
