// SPDX-License-Identifier: Apache-2.0
// A mapping on the first line, a payload behind it: whatever is asked, what comes out is JSON, and
// the same whenever it is asked.
#include "registry/inside.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_BYTES_MAX MIB(64)

static void apply(const struct mapping *mapping, str payload, struct upcast *ret_upcast,
                  struct arena *arena)
{
    err code = mapping_apply(mapping, payload, 1, 4, arena, ret_upcast);
    assert(code == ALS_OK || code == ALS_TOO_LARGE);
    if (code != ALS_OK)
        *ret_upcast = (struct upcast){.payload = payload};
    assert(json_check(ret_upcast->payload, JSON_DEPTH_CAP, NULL) == ALS_OK);
    assert(ret_upcast->trouble.len == 0 || ret_upcast->payload.ptr == payload.ptr);
}

static void check(const struct mapping *mapping, str payload)
{
    struct arena first, second;
    struct upcast one, other;
    arena_init(&first, 4096, ARENA_BYTES_MAX);
    arena_init(&second, 4096, ARENA_BYTES_MAX);
    apply(mapping, payload, &one, &first);
    apply(mapping, payload, &other, &second);
    assert(str_equal(one.payload, other.payload) && str_equal(one.trouble, other.trouble));
    arena_deinit(&first);
    arena_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); // so that the sanitizer sees its ends
    assert(copy);
    if (size)
        memcpy(copy, data, size);
    str payload = {copy, size}, text = str_cut(&payload, '\n');
    struct mapping *mapping;
    if (json_check(payload, JSON_DEPTH_MAX, NULL) == ALS_OK &&
        mapping_read(text, &mapping, NULL) == ALS_OK) {
        payload = (str){copy, json_minify(payload, copy)}; // over the mapping, which has its own
        check(mapping, payload);
        mapping_unref(mapping);
    }
    free(copy);
    return 0;
}
