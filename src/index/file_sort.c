// SPDX-License-Identifier: Apache-2.0
// Names of entities begin alike and lie anywhere in memory, so comparing whole names costs a cache
// miss and many equal bytes each time. Here eight bytes of each name are kept beside it as one
// number and sorted; only those whose eight bytes are the same are looked at again, eight bytes
// further on. A name that has ended counts as zeros; names that differ in nothing but zeros at the
// end are ordered by length at last.
//
// Keys are sorted byte by byte from the first, in place: each name is swapped to where names with
// its byte go, then those with the same byte are sorted by the next. Few are sorted by insertion.
// Comparing costs qsort() some twenty calls a name, this none.
#include "index/file_sort.h"

#include <assert.h>
#include <stdlib.h>

enum { FEW = 32, KEY_BYTES = 8, DEPTH_MAX = (UINT8_MAX + KEY_BYTES - 1) / KEY_BYTES };

static uint64_t key_at(const struct sort_name *name, size_t from)
{
    size_t len = from < name->len ? name->len - from : 0;
    uint64_t bytes = 0;
    memcpy(&bytes, len ? name->text + from : "", len < KEY_BYTES ? len : KEY_BYTES);
    return __builtin_bswap64(bytes); // so that the first byte weighs most
}

static void swap(struct sort_name *a, struct sort_name *b)
{
    struct sort_name name = *a;
    *a = *b;
    *b = name;
}

static void insert_by_key(struct sort_name *names, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct sort_name name = names[i];
        size_t at = i;
        for (; at > 0 && names[at - 1].key > name.key; at--)
            names[at] = names[at - 1];
        names[at] = name;
    }
}

static unsigned byte_of(const struct sort_name *name, unsigned shift)
{
    return (unsigned)(name->key >> shift) & UINT8_MAX;
}

// Brings names with the same byte together; `ends` is where those of each byte end.
static void part_by_byte(struct sort_name *names, size_t count, unsigned shift, uint32_t ends[256])
{
    uint32_t next[256], total = 0;
    memset(ends, 0, 256 * sizeof ends[0]);
    for (size_t i = 0; i < count; i++)
        ends[byte_of(&names[i], shift)]++;
    for (size_t byte = 0; byte < 256; byte++) {
        next[byte] = total;
        ends[byte] = total += ends[byte];
    }
    for (unsigned byte = 0; byte < 256; byte++)
        while (next[byte] < ends[byte]) {
            unsigned its = byte_of(&names[next[byte]], shift);
            uint32_t place = next[its]++;
            if (its != byte)
                swap(&names[next[byte]], &names[place]);
        }
}

// By what `shift` leaves of the key, and the bytes behind: the recursion ends with the key.
static void sort_by_key(struct sort_name *names, size_t count, unsigned shift)
{
    if (count <= FEW) {
        insert_by_key(names, count);
        return;
    }
    uint32_t ends[256];
    part_by_byte(names, count, shift, ends);
    for (size_t byte = 0, at = 0; shift > 0 && byte < 256; at = ends[byte++])
        if (ends[byte] - at > 1)
            sort_by_key(names + at, ends[byte] - at, shift - 8);
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
        sort_by_key(names, count, 8 * (KEY_BYTES - 1));
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
