// SPDX-License-Identifier: Apache-2.0
// Gathering rows: 16 bytes a row (its id's hash and the numbers of its names), and for each name
// its text and what is said of it. Nothing moves when it grows.
#include "index/file_build.h"

#include <assert.h>
#include <stdlib.h>

enum { ARENA_BLOCK_BYTES = 64 * 1024 };

struct index_builder *index_builder_new(const uint8_t identity[static 16])
{
    struct index_builder *builder =
        aligned_alloc(64, (sizeof *builder + 63) & ~(size_t)63); // as its slots want it
    if (!builder)
        return NULL;
    memset(builder, 0, sizeof *builder);
    memcpy(builder->identity, identity, sizeof builder->identity);
    builder->seed = file_seed(identity);
    for (unsigned kind = 0; kind < FILE_KINDS; kind++) {
        slots_init(&builder->kinds[kind].slots);
        grow_init(&builder->kinds[kind].names, sizeof(struct built_name));
    }
    grow_init(&builder->rows, sizeof(struct built_row));
    arena_init(&builder->texts, ARENA_BLOCK_BYTES, SIZE_MAX);
    return builder;
}

void index_builder_free(struct index_builder *builder)
{
    if (!builder)
        return;
    for (unsigned kind = 0; kind < FILE_KINDS; kind++) {
        slots_deinit(&builder->kinds[kind].slots);
        grow_deinit(&builder->kinds[kind].names);
    }
    grow_deinit(&builder->rows);
    arena_deinit(&builder->texts);
    free(builder);
}

static bool is_name(const struct built_name *built, str name)
{
    return built->len == name.len && memcmp(built->text, name.ptr, name.len) == 0;
}

static bool find_name(struct built_names *names, str name, uint64_t hash, uint32_t *ret_number)
{
    uint32_t number = names->newest; // neighbours are often alike
    if (names->count && is_name(grow_at(&names->names, number), name)) {
        *ret_number = number;
        return true;
    }
    bool found = false;
    struct slots_probe probe = slots_enter_alone(&names->slots, hash);
    while (!found && slots_next(&probe, &number))
        found = is_name(grow_at(&names->names, number), name);
    if (found)
        *ret_number = number;
    return found;
}

static err add_name(struct index_builder *builder, struct built_names *names, str name,
                    uint64_t hash, struct als_why *why)
{
    struct built_name *built = grow_make(&names->names, names->count);
    str copy = built ? arena_copy(&builder->texts, name) : (str){NULL, 0};
    if (!copy.ptr || !slots_add(&names->slots, hash, names->count))
        return FAIL(why, ALS_NO_MEMORY, "the index of a segment cannot grow");
    *built = (struct built_name){.text = copy.ptr, .len = (uint8_t)copy.len};
    names->text_bytes += copy.len;
    names->count++;
    return ALS_OK;
}

// Gives the number of the name, which one more row has.
static err count_name(struct index_builder *builder, enum index_by by,
                      const struct als_event *event, uint32_t *ret_number, struct als_why *why)
{
    struct built_names *names = &builder->kinds[by];
    str name = by == INDEX_ENTITY ? event->entity : event->type;
    assert(name.len <= UINT8_MAX);
    uint64_t hash = file_hash(builder->seed, (enum file_key)by, name.ptr, name.len);
    uint32_t number = names->count;
    if (!find_name(names, name, hash, &number))
        TRY(add_name(builder, names, name, hash, why));
    struct built_name *built = built_name(builder, by, number);
    if (by == INDEX_ENTITY) {
        built->last_version = event->version;
        if (built->count == 0)
            built->first_version = event->version;
    }
    built->last = event->position;
    built->count++;
    names->newest = number;
    *ret_number = number;
    return ALS_OK;
}

err index_builder_add(struct index_builder *builder, const struct als_event *event,
                      struct als_why *why)
{
    if (builder->row_count >= INDEX_EVENTS_MAX)
        return FAIL(why, ALS_INDEX, "the index of a segment holds no more than %u rows",
                    (unsigned)INDEX_EVENTS_MAX);
    struct built_row *row = grow_make(&builder->rows, builder->row_count);
    if (!row)
        return FAIL(why, ALS_NO_MEMORY, "the index of a segment cannot grow");
    row->id_hash = file_hash(builder->seed, KEY_ID, event->id.bytes, sizeof event->id.bytes);
    for (unsigned kind = 0; kind < FILE_KINDS; kind++)
        TRY(count_name(builder, (enum index_by)kind, event, &row->names[kind], why));
    builder->row_count++;
    return ALS_OK;
}
