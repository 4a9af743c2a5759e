// SPDX-License-Identifier: Apache-2.0
#include "index/index.h"

#include "base/rand.h"
#include "sim.h"
#include "test.h"

#include <stdlib.h>

static const uint8_t identity[16] = "the segment's 16";

static als_id id_of(uint64_t n)
{
    als_id id = {{0}};
    store_le64(id.bytes, n * UINT64_C(0x9e3779b97f4a7c15));
    store_le64(id.bytes + 8, n);
    return id;
}

// ---- A world with one directory.

struct world {
    struct sim *sim;
    struct os *os;
    struct os_dir *dir;
};

static struct world world_new(void)
{
    struct world world = {.sim = sim_new(1)};
    world.os = sim_os(world.sim);
    CHECK_OK(world.os->dir_open(world.os, NULL, S("segments"), true, &world.dir, NULL));
    return world;
}

static void world_end(struct world *world)
{
    world->os->dir_close(world->dir);
    sim_free(world->sim);
}

static void write_to(struct world *world, const struct index_builder *builder, str name)
{
    struct als_why why = {""};
    CHECK_OK(index_builder_write(builder, world->os, world->dir, name, identity, &why));
}

static struct index_file *open_from(struct world *world, str name)
{
    struct index_file *file = NULL;
    struct als_why why = {""};
    CHECK_OK(index_file_open(world->os, world->dir, name, identity, &file, &why));
    return file;
}

// ---- The model: an array of events, and loops over it.

enum { NAME_ROOM = 129 };

struct model {
    struct als_event *events;
    char (*names)[2][NAME_ROOM];
    uint32_t count;
};

static void model_end(struct model *model)
{
    free(model->events);
    free(model->names);
}

// A name of `len` bytes or fewer, any bytes, alike at the beginning with many others.
static str draw_name(struct rand *rand, char *space, uint64_t names)
{
    static const char *const begins[] = {"order-", "user/", "", "größe.", "order-order-order-"};
    uint64_t n = rand_below(rand, names);
    struct rand own = {n};
    int len =
        snprintf(space, NAME_ROOM, "%s%llu", begins[n % COUNT_OF(begins)], (unsigned long long)n);
    if (n % 7 == 3) { // as long as names get
        while (len < 128)
            space[len++] = (char)rand_below(&own, 256);
    }
    if (n % 11 == 5) // differs from nothing but a NUL
        space[len++] = '\0';
    return (str){space, (size_t)(len > 128 ? 128 : len)};
}

static struct model model_of(uint64_t seed, uint32_t count, uint64_t entities, uint64_t types)
{
    struct rand rand = {seed};
    struct model model = {.events = calloc(count + 1, sizeof *model.events),
                          .names = calloc(count + 1, sizeof *model.names),
                          .count = count};
    CHECK(model.events && model.names);
    als_position position = 1000;
    for (uint32_t row = 0; row < count; row++) {
        struct als_event *event = &model.events[row];
        event->position = position += 1 + (rand_below(&rand, 4) ? 0 : rand_below(&rand, 100));
        event->id = id_of(event->position);
        event->entity = draw_name(&rand, model.names[row][0], entities);
        event->type = draw_name(&rand, model.names[row][1], types);
        event->version = position; // goes up within each entity
    }
    return model;
}

static struct index_builder *build(const struct model *model)
{
    struct index_builder *builder = index_builder_new(7);
    CHECK(builder);
    for (uint32_t row = 0; row < model->count; row++)
        CHECK_OK(index_builder_add(builder, &model->events[row], NULL));
    return builder;
}

static str name_in(const struct als_event *event, enum index_by by)
{
    return by == INDEX_ENTITY ? event->entity : event->type;
}

static uint32_t row_at(const struct index_rows *rows, uint32_t n)
{
    uint32_t row = 0;
    CHECK_OK(index_row(rows, n, &row, NULL));
    return row;
}

static uint32_t rows_to(const struct index_rows *rows, uint32_t row)
{
    uint32_t count = 0;
    CHECK_OK(index_rows_to(rows, row, &count, NULL));
    return count;
}

static void check_name(const struct model *model, struct index_file *file, enum index_by by,
                       str name)
{
    struct index_rows rows;
    CHECK_OK(index_file_find(file, by, name, &rows, NULL));
    uint32_t found = 0;
    als_version first = 0;
    for (uint32_t row = 0; row < model->count; row++) {
        const struct als_event *event = &model->events[row];
        if (str_equal(name_in(event, by), name)) {
            CHECK(found < rows.count);
            first = found ? first : event->version;
            CHECK_EQUAL(row, row_at(&rows, found));
            CHECK_EQUAL(found, row ? rows_to(&rows, row - 1) : 0);
            found++;
            CHECK_EQUAL(found, rows_to(&rows, row));
            CHECK(found < rows.count || rows.last == event->position);
            CHECK(found < rows.count || by == INDEX_TYPE || rows.last_version == event->version);
        }
    }
    CHECK_EQUAL(found, rows.count);
    CHECK(by == INDEX_TYPE || rows.first_version == first);
    if (found) {
        CHECK_STR(name, rows.name);
        CHECK_EQUAL(found, rows_to(&rows, UINT32_MAX));
    }
}

// All names in order, each once, and seeking any of them, or what lies right behind it.
static void check_order(const struct model *model, struct index_file *file, enum index_by by)
{
    uint32_t names = index_file_names(file, by);
    uint64_t rows_of_all = 0;
    char space[NAME_ROOM + 1];
    str before = S("");
    for (uint32_t number = 0; number < names; number++) {
        struct index_rows rows;
        CHECK_OK(index_file_name(file, by, number, &rows, NULL));
        CHECK(number == 0 || str_compare(before, rows.name) < 0);
        before = rows.name;
        rows_of_all += rows.count;
        uint32_t at = 0;
        CHECK_OK(index_file_seek(file, by, rows.name, &at, NULL));
        CHECK_EQUAL(number, at);
        memcpy(space, rows.name.ptr, rows.name.len);
        space[rows.name.len] = '\0';
        CHECK_OK(index_file_seek(file, by, (str){space, rows.name.len + 1}, &at, NULL));
        CHECK_EQUAL(number + 1, at);
    }
    CHECK_EQUAL(model->count, rows_of_all);
    uint32_t at = 1;
    CHECK_OK(index_file_seek(file, by, S(""), &at, NULL));
    CHECK_EQUAL(0, at);
    CHECK_OK(index_file_seek(file, by, S("\xff\xff\xff\xff"), &at, NULL));
    CHECK(at >= names - (names > 0 && (uint8_t)before.ptr[0] == 0xff));
}

static bool has_row(struct index_file *file, als_id id, uint32_t row)
{
    uint32_t rows[8];
    size_t found = 0;
    CHECK_OK(index_file_find_id(file, id, rows, COUNT_OF(rows), &found, NULL));
    for (size_t i = 0; i < found; i++)
        if (rows[i] == row)
            return true;
    return false;
}

static void check_all(const struct model *model, struct index_file *file)
{
    struct als_why why = {""};
    CHECK_OK(index_file_verify(file, &why));
    struct rand rand = {model->count};
    for (int i = 0; i < 300 && model->count; i++) {
        const struct als_event *event = &model->events[rand_below(&rand, model->count)];
        check_name(model, file, INDEX_ENTITY, event->entity);
        check_name(model, file, INDEX_TYPE, event->type);
        check_name(model, file, INDEX_ENTITY, event->type);
        check_name(model, file, INDEX_TYPE, S("absent"));
    }
    check_order(model, file, INDEX_ENTITY);
    check_order(model, file, INDEX_TYPE);
    for (uint32_t row = 0; row < model->count; row++)
        CHECK(has_row(file, model->events[row].id, row));
}

TEST(an_index_file_answers_as_loops_over_the_rows_do)
{
    static const struct {
        uint32_t rows;
        uint64_t entities, types;
    } shapes[] = {{1, 1, 1},     {2, 1, 2},       {3, 100, 1},        {100, 1, 1},
                  {1000, 40, 5}, {3000, 3000, 3}, {2000, 1000000, 9}, {5000, 1, 1000000}};
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct world world = world_new();
        struct model model = model_of(i + 1, shapes[i].rows, shapes[i].entities, shapes[i].types);
        AUTO(index_builder) builder = build(&model);
        write_to(&world, builder, S("1.idx"));
        struct index_file *file = open_from(&world, S("1.idx"));
        check_all(&model, file);
        index_file_close(file);
        model_end(&model);
        world_end(&world);
    }
}

TEST(an_index_without_rows_finds_nothing)
{
    struct world world = world_new();
    AUTO(index_builder) builder = index_builder_new(1);
    write_to(&world, builder, S("1.idx"));
    struct index_file *file = open_from(&world, S("1.idx"));
    struct index_rows rows;
    CHECK_OK(index_file_verify(file, NULL));
    CHECK_OK(index_file_find(file, INDEX_ENTITY, S("order-1"), &rows, NULL));
    CHECK_EQUAL(0, rows.count);
    CHECK_EQUAL(0, index_file_names(file, INDEX_TYPE));
    CHECK(!has_row(file, id_of(1), 0));
    index_file_close(file);
    world_end(&world);
}
