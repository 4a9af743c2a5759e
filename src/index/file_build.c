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
        free(builder->kinds[kind].numbers);
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

// The number of a name, which is added when it is a new one.
static err number_of(struct index_builder *builder, enum index_by by, str name,
                     uint32_t *ret_number, struct als_why *why)
{
    struct built_names *names = &builder->kinds[by];
    assert(name.len <= UINT8_MAX);
    uint64_t hash = file_hash(builder->seed, (enum file_key)by, name.ptr, name.len);
    uint32_t number = names->count;
    if (!find_name(names, name, hash, &number))
        TRY(add_name(builder, names, name, hash, why));
    *ret_number = number;
    return ALS_OK;
}

// One more row has the name.
static void count_name(struct built_names *names, uint32_t number, als_position position)
{
    struct built_name *built = grow_at(&names->names, number);
    built->last = position;
    built->count++;
    names->newest = number;
}

static void count_entity(struct built_names *names, uint32_t number, als_position position,
                         als_version version)
{
    struct built_name *built = grow_at(&names->names, number);
    built->last_version = version;
    if (built->count == 0)
        built->first_version = version;
    count_name(names, number, position);
}

static err begin_row(struct index_builder *builder, struct built_row **ret_row, struct als_why *why)
{
    if (builder->row_count >= INDEX_EVENTS_MAX)
        return FAIL(why, ALS_INDEX, "the index of a segment holds no more than %u rows",
                    (unsigned)INDEX_EVENTS_MAX);
    *ret_row = grow_make(&builder->rows, builder->row_count);
    return *ret_row ? ALS_OK : FAIL(why, ALS_NO_MEMORY, "the index of a segment cannot grow");
}

err index_builder_add(struct index_builder *builder, const struct als_event *event,
                      struct als_why *why)
{
    struct built_names *entities = &builder->kinds[INDEX_ENTITY];
    struct built_names *types = &builder->kinds[INDEX_TYPE];
    struct built_row *row;
    TRY(begin_row(builder, &row, why));
    row->id_hash = file_hash(builder->seed, KEY_ID, event->id.bytes, sizeof event->id.bytes);
    TRY(number_of(builder, INDEX_ENTITY, event->entity, &row->names[INDEX_ENTITY], why));
    TRY(number_of(builder, INDEX_TYPE, event->type, &row->names[INDEX_TYPE], why));
    count_entity(entities, row->names[INDEX_ENTITY], event->position, event->version);
    count_name(types, row->names[INDEX_TYPE], event->position);
    builder->row_count++;
    return ALS_OK;
}

// ---- Rows with their names in a dictionary: each name is looked up once in it.

static err meet_dictionary(struct built_names *names, const struct index_named *named,
                           struct als_why *why)
{
    assert(named->dictionary != 0);
    if (named->dictionary == names->dictionary)
        return ALS_OK;
    if (named->count > names->numbers_room) {
        free(names->numbers);
        names->numbers_room = 0;
        names->numbers = malloc(named->count * sizeof names->numbers[0]);
        if (!names->numbers)
            return FAIL(why, ALS_NO_MEMORY, "the index of a segment cannot grow");
        names->numbers_room = named->count;
    }
    memset(names->numbers, 0, named->count * sizeof names->numbers[0]);
    names->dictionary = named->dictionary;
    return ALS_OK;
}

static err number_in(struct index_builder *builder, enum index_by by,
                     const struct index_named *named, uint32_t row, uint32_t *ret_number,
                     struct als_why *why)
{
    uint32_t *number = &builder->kinds[by].numbers[named->numbers[row]];
    if (*number == 0) {
        TRY(number_of(builder, by, named->names[named->numbers[row]], ret_number, why));
        *number = *ret_number + 1;
    }
    *ret_number = *number - 1;
    return ALS_OK;
}

err index_builder_add_rows(struct index_builder *builder, const struct index_columns *rows,
                           struct als_why *why)
{
    struct built_names *entities = &builder->kinds[INDEX_ENTITY];
    struct built_names *types = &builder->kinds[INDEX_TYPE];
    TRY(meet_dictionary(entities, &rows->entities, why));
    TRY(meet_dictionary(types, &rows->types, why));
    for (uint32_t i = 0; i < rows->count; i++) {
        struct built_row *row;
        TRY(begin_row(builder, &row, why));
        row->id_hash =
            file_hash(builder->seed, KEY_ID, rows->ids[i].bytes, sizeof rows->ids[i].bytes);
        uint32_t entity, type;
        TRY(number_in(builder, INDEX_ENTITY, &rows->entities, i, &entity, why));
        TRY(number_in(builder, INDEX_TYPE, &rows->types, i, &type, why));
        count_entity(entities, entity, rows->positions[i], rows->versions[i]);
        count_name(types, type, rows->positions[i]);
        row->names[INDEX_ENTITY] = entity;
        row->names[INDEX_TYPE] = type;
        builder->row_count++;
    }
    return ALS_OK;
}
