// SPDX-License-Identifier: Apache-2.0
#include "index/index.h"

#include "base/rand.h"
#include "index/file.h"
#include "index/file_sort.h"
#include "sim.h"
#include "test.h"

#include <pthread.h>
#include <stdlib.h>

static const uint8_t identity[16] = "the segment's 16";

static als_id id_of(uint64_t n)
{
    als_id id = {{0}};
    store_le64(id.bytes, n * UINT64_C(0x9e3779b97f4a7c15));
    store_le64(id.bytes + 8, n);
    return id;
}

// ---- The order of names.

enum { SORTED = 3000, SORTED_LEN_MAX = 40 };

static int by_bytes(const void *a, const void *b)
{
    const struct sort_name *x = a, *y = b;
    return str_compare((str){x->text, x->len}, (str){y->text, y->len});
}

// Names that begin alike for a while, and some that begin others, with every byte in them.
TEST(sorted_names_are_in_bytewise_order)
{
    struct rand rand = {21};
    static char texts[SORTED][SORTED_LEN_MAX];
    static struct sort_name names[SORTED], wanted[SORTED];
    for (uint32_t i = 0; i < SORTED; i++) {
        size_t alike = rand_below(&rand, 4) * 8, len = alike;
        memset(texts[i], 'a', alike);
        while (len < SORTED_LEN_MAX - 4 && rand_below(&rand, 4))
            texts[i][len++] = (char)(rand_below(&rand, 2) ? 'a' : rand_next(&rand));
        memcpy(texts[i] + len, &i, sizeof i); // so that no two are the same
        names[i] =
            (struct sort_name){.text = texts[i], .number = i, .len = (uint8_t)(len + sizeof i)};
    }
    memcpy(wanted, names, sizeof names);
    qsort(wanted, SORTED, sizeof wanted[0], by_bytes);
    sort_names(names, SORTED);
    for (uint32_t i = 0; i < SORTED; i++)
        CHECK_EQUAL(wanted[i].number, names[i].number);
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

static void write_to(struct world *world, struct index_builder *builder, str name)
{
    struct als_why why = {""};
    CHECK_OK(index_builder_write(builder, world->os, world->dir, name, &why));
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

static struct index_builder *build_for(const struct model *model, const uint8_t own[static 16])
{
    struct index_builder *builder = index_builder_new(own);
    CHECK(builder);
    for (uint32_t row = 0; row < model->count; row++)
        CHECK_OK(index_builder_add(builder, &model->events[row], NULL));
    return builder;
}

static struct index_builder *build(const struct model *model)
{
    return build_for(model, identity);
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
    CHECK(!found || !index_file_denies(file, by, name));
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
    memset(space, 0xff, sizeof space); // longer than any name
    CHECK_OK(index_file_seek(file, by, (str){space, sizeof space}, &at, NULL));
    CHECK_EQUAL(names, at);
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

// Tables this small are full of chains that go on at the beginning.
// ---- Rows as they lie in a segment.

enum { DICTIONARY_ROWS = 100 };

// The names of some rows, each once, in the order in which they come.
struct folded {
    uint32_t numbers[DICTIONARY_ROWS];
    str names[DICTIONARY_ROWS];
    uint32_t count;
};

static void fold(const struct model *model, uint32_t first, uint32_t rows, enum index_by by,
                 struct folded *folded)
{
    folded->count = 0;
    for (uint32_t i = 0; i < rows; i++) {
        str name = name_in(&model->events[first + i], by);
        uint32_t number = 0;
        while (number < folded->count && !str_equal(folded->names[number], name))
            number++;
        if (number == folded->count)
            folded->names[folded->count++] = name;
        folded->numbers[i] = number;
    }
}

static struct index_named named_from(const struct folded *folded, uint32_t row, uint64_t dictionary)
{
    return (struct index_named){folded->numbers + row, folded->names, folded->count, dictionary};
}

static struct index_builder *build_by_rows(const struct model *model)
{
    struct index_builder *builder = index_builder_new(identity);
    CHECK(builder);
    struct folded entities, types;
    for (uint32_t row = 0; row < model->count; row++) {
        const struct als_event *event = &model->events[row];
        uint32_t inner = row % DICTIONARY_ROWS, left = model->count - row;
        if (inner == 0) {
            uint32_t rows = left < DICTIONARY_ROWS ? left : DICTIONARY_ROWS;
            fold(model, row, rows, INDEX_ENTITY, &entities);
            fold(model, row, rows, INDEX_TYPE, &types);
        }
        struct index_columns one = {
            .count = 1,
            .positions = &event->position,
            .versions = &event->version,
            .ids = &event->id,
            .entities = named_from(&entities, inner, row / DICTIONARY_ROWS + 1),
            .types = named_from(&types, inner, row / DICTIONARY_ROWS + 1),
        };
        CHECK_OK(index_builder_add_rows(builder, &one, NULL));
    }
    return builder;
}

static str bytes_of(struct world *world, str name, char *space, size_t room)
{
    struct os_file *file;
    size_t size;
    CHECK_OK(world->os->file_open(world->dir, name, OS_READ, &file, NULL));
    CHECK_OK(world->os->file_read(file, 0, space, room, &size, NULL));
    world->os->file_close(file);
    CHECK(size > 0 && size < room);
    return (str){space, size};
}

TEST(rows_with_their_names_in_dictionaries_give_the_same_index_as_events)
{
    enum { ROOM = 1 << 18 };
    static char space[2][ROOM];
    struct world world = world_new();
    struct model model = model_of(3, 950, 60, 9);
    AUTO(index_builder) by_events = build(&model);
    AUTO(index_builder) by_rows = build_by_rows(&model);
    write_to(&world, by_events, S("e.idx"));
    write_to(&world, by_rows, S("r.idx"));
    CHECK_STR(bytes_of(&world, S("e.idx"), space[0], ROOM),
              bytes_of(&world, S("r.idx"), space[1], ROOM));
    model_end(&model);
    world_end(&world);
}

TEST(an_index_of_few_rows_finds_each_of_them_whatever_its_identity)
{
    FOR_EACH_SEED(seed, 300) {
        struct world world = world_new();
        struct rand rand = {seed};
        uint8_t own[16];
        store_le64(own, rand_next(&rand));
        store_le64(own + 8, rand_next(&rand));
        struct model model = model_of(seed, (uint32_t)rand_below(&rand, 24), 20, 4);
        AUTO(index_builder) builder = build_for(&model, own);
        struct index_file *file = NULL;
        CHECK_OK(index_builder_write(builder, world.os, world.dir, S("1.idx"), NULL));
        CHECK_OK(index_file_open(world.os, world.dir, S("1.idx"), own, &file, NULL));
        CHECK_OK(index_file_verify(file, NULL));
        for (uint32_t row = 0; row < model.count; row++) {
            CHECK(has_row(file, model.events[row].id, row));
            check_name(&model, file, INDEX_ENTITY, model.events[row].entity);
            check_name(&model, file, INDEX_TYPE, model.events[row].type);
        }
        index_file_close(file);
        model_end(&model);
        world_end(&world);
    }
}

TEST(an_index_without_rows_finds_nothing)
{
    struct world world = world_new();
    AUTO(index_builder) builder = index_builder_new(identity);
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

// ---- Fingerprints of 32 bits that are the same.

enum { CANDIDATES = 300000, PAIRS_MAX = 32 };

struct candidate {
    uint32_t fingerprint, n;
};

static int by_fingerprint(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return (x->fingerprint > y->fingerprint) - (x->fingerprint < y->fingerprint);
}

static str candidate_name(char space[static NAME_ROOM], uint32_t n)
{
    return (str){space, (size_t)snprintf(space, NAME_ROOM, "order-%u", n)};
}

static uint32_t fingerprint_of(enum file_key key, uint32_t n)
{
    char space[NAME_ROOM];
    als_id id = id_of(n);
    str name = candidate_name(space, n);
    uint64_t seed = file_seed(identity);
    return file_fingerprint(key == KEY_ID ? file_hash(seed, key, id.bytes, sizeof id.bytes)
                                          : file_hash(seed, key, name.ptr, name.len));
}

// Numbers whose ids or names share a fingerprint, two by two.
static size_t find_pairs(enum file_key key, uint32_t pairs[static PAIRS_MAX][2])
{
    static struct candidate candidates[CANDIDATES];
    for (uint32_t n = 0; n < CANDIDATES; n++)
        candidates[n] = (struct candidate){fingerprint_of(key, n), n};
    qsort(candidates, CANDIDATES, sizeof candidates[0], by_fingerprint);
    size_t found = 0;
    for (uint32_t i = 0; i + 1 < CANDIDATES && found < PAIRS_MAX; i++)
        if (candidates[i].fingerprint == candidates[i + 1].fingerprint) {
            pairs[found][0] = candidates[i].n;
            pairs[found++][1] = candidates[++i].n;
        }
    CHECK(found > 0);
    return found;
}

static void add_number(struct index_builder *builder, uint32_t n)
{
    char space[NAME_ROOM];
    struct als_event event = {.position = n + 1,
                              .version = 1,
                              .id = id_of(n),
                              .entity = candidate_name(space, n),
                              .type = S("type")};
    CHECK_OK(index_builder_add(builder, &event, NULL));
}

TEST(two_ids_with_one_fingerprint_are_both_candidates)
{
    struct world world = world_new();
    uint32_t pairs[PAIRS_MAX][2];
    size_t count = find_pairs(KEY_ID, pairs);
    AUTO(index_builder) builder = index_builder_new(identity);
    for (size_t i = 0; i < 2 * count; i++)
        add_number(builder, pairs[i / 2][i % 2]);
    write_to(&world, builder, S("1.idx"));
    struct index_file *file = open_from(&world, S("1.idx"));
    for (uint32_t i = 0; i < count; i++) {
        for (int side = 0; side < 2; side++) {
            uint32_t rows[4];
            size_t found = 0;
            als_id id = id_of(pairs[i][side]);
            CHECK_OK(index_file_find_id(file, id, rows, COUNT_OF(rows), &found, NULL));
            CHECK_EQUAL(2, found);
            CHECK_EQUAL(4 * i + 1, rows[0] + rows[1]);
            CHECK_OK(index_file_find_id(file, id, rows, 1, &found, NULL));
            CHECK_EQUAL(1, found);
        }
    }
    index_file_close(file);
    world_end(&world);
}

TEST(two_names_with_one_fingerprint_are_told_apart)
{
    struct world world = world_new();
    uint32_t pairs[PAIRS_MAX][2];
    size_t count = find_pairs(KEY_ENTITY, pairs);
    AUTO(index_builder) builder = index_builder_new(identity);
    for (size_t i = 0; i < 2 * count; i++)
        if (i != 1) // one of a pair is not there
            add_number(builder, pairs[i / 2][i % 2]);
    write_to(&world, builder, S("1.idx"));
    struct index_file *file = open_from(&world, S("1.idx"));
    CHECK_OK(index_file_verify(file, NULL));
    for (size_t i = 0; i < 2 * count; i++) {
        char space[NAME_ROOM];
        str name = candidate_name(space, pairs[i / 2][i % 2]);
        struct index_rows rows;
        CHECK_OK(index_file_find(file, INDEX_ENTITY, name, &rows, NULL));
        CHECK_EQUAL(i != 1, rows.count);
        CHECK(i == 1 || rows.last == (als_position)pairs[i / 2][i % 2] + 1);
    }
    index_file_close(file);
    world_end(&world);
}

// ---- Sizes.

// Rows 0, 1, ... with an id and an entity each.
static struct index_file *numbered_file(struct world *world, uint32_t rows)
{
    AUTO(index_builder) builder = index_builder_new(identity);
    for (uint32_t n = 0; n < rows; n++)
        add_number(builder, n);
    write_to(world, builder, S("1.idx"));
    return open_from(world, S("1.idx"));
}

TEST(of_a_thousand_absent_ids_at_most_twenty_pass_the_filter)
{
    enum { ROWS = 50000 };
    struct world world = world_new();
    struct index_file *file = numbered_file(&world, ROWS);
    CHECK(index_file_bytes(file) / ROWS <= 20 + 65); // a row, and an entity with its name
    uint64_t seed = file_seed(identity);
    uint32_t passed = 0;
    struct als_why why;
    for (uint32_t n = ROWS; n < 2 * ROWS; n++) {
        als_id id = id_of(n);
        bool may = false;
        uint64_t hash = file_hash(seed, KEY_ID, id.bytes, sizeof id.bytes);
        CHECK_OK(file_may_have(file, KEY_ID, hash, &may, &why));
        passed += may;
    }
    CHECK(passed > 0 && passed <= ROWS / 50);
    index_file_close(file);
    world_end(&world);
}

TEST(what_is_absent_is_denied_where_the_filter_was_found_sound_and_nothing_that_is_there)
{
    enum { ROWS = 5000 };
    struct world world = world_new();
    struct index_file *file = numbered_file(&world, ROWS);
    uint32_t denied = 0;
    for (int looks = 0; looks < 2; looks++) { // before it was looked at, and behind that
        for (uint32_t n = 0; n < 2 * ROWS; n++) {
            als_id id = id_of(n);
            char space[NAME_ROOM];
            str name = candidate_name(space, n);
            bool denies = index_file_denies(file, INDEX_ENTITY, name);
            bool denies_id = index_file_denies_id(file, &id);
            CHECK(n >= ROWS || (!denies && !denies_id));
            denied += denies + denies_id;
        }
        CHECK(looks ? denied > 2 * ROWS / 100 * 98 : denied == 0);
        CHECK_OK(file_check_blocks(file, 0, file->layout.at[SECTION_CELLS], NULL));
    }
    index_file_close(file);
    world_end(&world);
}

// ---- Many threads touch a file for the first time; ThreadSanitizer looks on.

struct shared {
    struct index_file *file;
    const struct model *model;
    bool right;
};

static void *look_up_all(void *context)
{
    struct shared *shared = context;
    bool right = true;
    for (uint32_t row = 0; row < shared->model->count; row++) {
        const struct als_event *event = &shared->model->events[row];
        struct index_rows rows = {.count = 0};
        uint32_t found_row = UINT32_MAX, up_to = 0;
        size_t found = 0;
        right &=
            index_file_find_id(shared->file, event->id, &found_row, 1, &found, NULL) == ALS_OK &&
            found == 1 && found_row == row;
        right &= index_file_find(shared->file, INDEX_ENTITY, event->entity, &rows, NULL) == ALS_OK;
        right &= rows.count && index_rows_to(&rows, row, &up_to, NULL) == ALS_OK && up_to;
    }
    shared->right = right;
    return NULL;
}

TEST(an_index_that_forgot_what_was_looked_at_answers_as_before_and_counts_it_anew)
{
    struct world world = world_new();
    struct model model = model_of(1, 3000, 500, 5);
    AUTO(index_builder) builder = build(&model);
    write_to(&world, builder, S("1.idx"));
    struct index_file *file = open_from(&world, S("1.idx"));
    struct shared shared = {file, &model, false};
    _Atomic uint64_t blocks = 0;
    index_file_count(file, &blocks);
    look_up_all(&shared);
    uint64_t looked_at = blocks;
    CHECK(shared.right && looked_at > 10);
    look_up_all(&shared);
    CHECK(shared.right && blocks == looked_at); // nothing was new
    index_file_forget(file);
    look_up_all(&shared);
    CHECK(shared.right && blocks == 2 * looked_at);
    index_file_close(file);
    model_end(&model);
    world_end(&world);
}

TEST(threads_that_touch_a_file_for_the_first_time_together_find_everything)
{
    enum { THREADS = 3 };
    struct world world = world_new();
    struct model model = model_of(1, 3000, 500, 5);
    AUTO(index_builder) builder = build(&model);
    write_to(&world, builder, S("1.idx"));
    struct index_file *file = open_from(&world, S("1.idx"));
    struct shared shared[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        shared[i] = (struct shared){file, &model, false};
        CHECK(pthread_create(&threads[i], NULL, look_up_all, &shared[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(shared[i].right);
    }
    index_file_close(file);
    model_end(&model);
    world_end(&world);
}
