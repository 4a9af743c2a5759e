// SPDX-License-Identifier: Apache-2.0
// Records of the registry, one a line, as they might come from a disk: taken, or refused with
// words.
#include "registry/registry.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); // so that the sanitizer sees its ends
    assert(copy);
    if (size)
        memcpy(copy, data, size);
    struct registry *registry = registry_new((struct registry_options){.hash_seed = 1});
    assert(registry);
    str rest = {copy, size};
    err code = ALS_OK;
    for (int64_t time = 1; rest.len && code == ALS_OK; time++) {
        struct registry_record record = {time, str_cut(&rest, '\n')};
        struct als_why why = {""};
        code = registry_apply(registry, &record, &why);
        assert(code == ALS_OK || why.text[0]);
    }
    if (code == ALS_OK)
        code = registry_begin(registry, NULL); // a schema that does not compile is refused here
    struct rules *rules = registry_rules(registry);
    assert(!rules || code == ALS_OK);
    if (rules)
        (void)rules_find(rules, S("a"));
    rules_unref(rules);
    registry_free(registry);
    free(copy);
    return 0;
}
