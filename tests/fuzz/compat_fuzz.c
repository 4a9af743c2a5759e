// SPDX-License-Identifier: Apache-2.0
// Two schema texts, the old one ends at the first NUL: any bytes get an answer, a schema is
// compatible with itself, and FULL says what the two directions say.
#include "compat/compat.h"
#include "json/json.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BLOCK_BYTES = 1 << 16, ARENA_BYTES_MAX = 16 << 20 };

// 1: compatible, 0: not, -1: no answer.
static int answer_of(str old_schema, str new_schema, struct compat_options options)
{
    struct arena arena;
    arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    struct compat_answer answer = {};
    err code = compat_check(old_schema, new_schema, options, &arena, &answer, NULL);
    int said = code == ALS_OK ? answer.compatible : -1;
    if (code == ALS_OK) {
        assert(answer.compatible == (answer.count == 0));
        assert(answer.count <= COMPAT_REASONS_MAX);
        for (uint32_t i = 0; i < answer.count; i++) {
            const struct compat_reason *reason = &answer.reasons[i];
            assert(reason->message.len > 0 && str_is_utf8(reason->message));
            assert(reason->old_location.len == 0 || *reason->old_location.ptr == '/');
            assert(reason->new_location.len == 0 || *reason->new_location.ptr == '/');
            assert(reason->example.len == 0 || json_check(reason->example, 0, NULL) == ALS_OK);
        }
    }
    arena_deinit(&arena);
    return said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size ? size : 1); // exactly as large: the sanitizer guards both ends
    assert(bytes);
    if (size)
        memcpy(bytes, data, size);
    str new_schema = {bytes, size};
    str old_schema = str_cut(&new_schema, '\0');
    struct compat_options backward = {.direction = COMPAT_BACKWARD};
    struct compat_options forward = {.direction = COMPAT_FORWARD};
    struct compat_options full = {.direction = COMPAT_FULL, .assert_formats = size % 2};
    backward.assert_formats = forward.assert_formats = full.assert_formats;
    int one = answer_of(old_schema, new_schema, backward);
    int other = answer_of(old_schema, new_schema, forward);
    int both = answer_of(old_schema, new_schema, full);
    assert((one < 0) == (other < 0));
    // One arena serves both directions, so FULL may run out of it where each alone did not.
    if (both > 0)
        assert(one > 0 && other > 0);
    free(bytes);
    return 0;
}
