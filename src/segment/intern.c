// SPDX-License-Identifier: Apache-2.0
#include "segment/intern.h"

#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>

enum { SLOTS = 32768 };
static_assert(SLOTS >= GROUP_ROWS + GROUP_ROWS / 2, "chains stay short");
#define NAME_BYTES_MAX ((uint64_t)GROUP_ROWS * ENTITY_BYTES_MAX)

struct intern_slot {
    uint32_t hash;
    uint32_t number; // and 1; 0: free
};

bool intern_init(struct intern *intern)
{
    buf_init(&intern->bytes, NAME_BYTES_MAX);
    intern->numbers = malloc(GROUP_ROWS * sizeof *intern->numbers);
    intern->starts = malloc((GROUP_ROWS + 1) * sizeof *intern->starts);
    intern->pages = malloc(GROUP_ROWS * sizeof *intern->pages);
    intern->slots = malloc(SLOTS * sizeof *intern->slots);
    bool made = intern->numbers && intern->starts && intern->pages && intern->slots &&
                buf_room(&intern->bytes, KIB(64)); // so that `ptr` is never NULL
    if (made)
        intern_reset(intern);
    return made;
}

void intern_deinit(struct intern *intern)
{
    free(intern->numbers);
    free(intern->starts);
    free(intern->pages);
    free(intern->slots);
    buf_deinit(&intern->bytes);
}

void intern_reset(struct intern *intern)
{
    intern->rows = intern->count = 0;
    intern->row_bytes = 0;
    intern->starts[0] = 0;
    buf_reset(&intern->bytes);
    memset(intern->slots, 0, SLOTS * sizeof *intern->slots);
}

static bool add_name(struct intern *intern, str name)
{
    buf_put_str(&intern->bytes, name);
    intern->pages[intern->count++] = 0;
    intern->starts[intern->count] = (uint32_t)intern->bytes.len;
    return !buf_failed(&intern->bytes);
}

bool intern_add(struct intern *intern, str name)
{
    assert(intern->rows < GROUP_ROWS);
    uint32_t hash = (uint32_t)hash_bytes(name.ptr, name.len, 0);
    uint32_t at = hash % SLOTS;
    struct intern_slot *slot = &intern->slots[at];
    while (slot->number &&
           (slot->hash != hash || !str_equal(intern_name(intern, slot->number - 1), name))) {
        at = (at + 1) % SLOTS;
        slot = &intern->slots[at];
    }
    if (!slot->number) {
        if (!add_name(intern, name))
            return false;
        *slot = (struct intern_slot){hash, intern->count};
    }
    intern->numbers[intern->rows++] = slot->number - 1;
    intern->row_bytes += name.len;
    return true;
}
