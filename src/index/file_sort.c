// SPDX-License-Identifier: Apache-2.0
// Names of entities begin alike and lie anywhere in memory, so comparing whole names costs a cache
// miss and many equal bytes each time. Here eight bytes of each name are kept beside it as one
// number and sorted; only those whose eight bytes are the same are looked at again, eight bytes
// further on. A name that has ended counts as zeros; names that differ in nothing but zeros at the
// end are ordered by length at last.
#include "index/file_sort.h"

#include <assert.h>
#include <stdlib.h>

enum { KEY_BYTES = 8, DEPTH_MAX = (UINT8_MAX + KEY_BYTES - 1) / KEY_BYTES };

static uint64_t key_at(const struct sort_name *name, size_t from)
{
    size_t len = from < name->len ? name->len - from : 0;
    uint64_t bytes = 0;
    memcpy(&bytes, len ? name->text + from : "", len < KEY_BYTES ? len : KEY_BYTES);
    return __builtin_bswap64(bytes); // so that the first byte weighs most
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct sort_name *)a)->key, y = ((const struct sort_name *)b)->key;
    return (x > y) - (x < y);
}

static int by_length(const void *a, const void *b)
{
    return ((const struct sort_name *)a)->len - ((const struct sort_name *)b)->len;
}

// How many names behind the first have its key, and the first.
static size_t run_of(const struct sort_name *names, size_t count)
{
    size_t run = 1;
    while (run < count && names[run].key == names[0].key)
        run++;
    return run;
}

// Sorts names that are the same in their first `depth` keys. The depth bounds the recursion.
static void sort_from(struct sort_name *names, size_t count, size_t depth)
{
    if (depth == DEPTH_MAX) {
        qsort(names, count, sizeof *names, by_length);
        return;
    }
    for (size_t i = 0; i < count; i++)
        names[i].key = key_at(&names[i], depth * KEY_BYTES);
    if (run_of(names, count) < count)
        qsort(names, count, sizeof *names, by_key);
    for (size_t at = 0, run; at < count; at += run) {
        run = run_of(names + at, count - at);
        if (run > 1)
            sort_from(names + at, run, depth + 1);
    }
}

void sort_names(struct sort_name *names, size_t count)
{
    if (count > 1)
        sort_from(names, count, 0);
}
