// SPDX-License-Identifier: Apache-2.0
// What a disk, another segment or another version can do to an index file.
#include "index/index.h"

#include "base/hash.h"
#include "index/file_format.h"
#include "sim.h"
#include "test.h"

#include <stdlib.h>

static const uint8_t identity[16] = "the segment's 16";

enum { ROWS = 33, ENTITIES = 5, TYPES = 3, FILE_ROOM = 32 * 1024 };

static als_id id_of(uint64_t n)
{
    als_id id = {{0}};
    store_le64(id.bytes, n * UINT64_C(0x9e3779b97f4a7c15));
    store_le64(id.bytes + 8, n);
    return id;
}

static str name_of(char space[static 32], const char *kind, uint64_t n)
{
    return (str){space, (size_t)snprintf(space, 32, "%s-%llu", kind, (unsigned long long)n)};
}

static void add_rows(struct index_builder *builder)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        char entity[32], type[32];
        struct als_event event = {.position = 100 + row,
                                  .version = 1 + row / ENTITIES,
                                  .id = id_of(row),
                                  .entity = name_of(entity, "order", row % ENTITIES),
                                  .type = name_of(type, "type", row % TYPES)};
        CHECK_OK(index_builder_add(builder, &event, NULL));
    }
}

// Whether a lookup was refused; a wrong answer fails the test.
static bool refused(err code, bool right)
{
    CHECK(code == ALS_OK || code == ALS_CORRUPT);
    CHECK(code == ALS_CORRUPT || right);
    return code == ALS_CORRUPT;
}

static bool name_is_refused(struct index_file *file, enum index_by by, str name, uint32_t first,
                            uint32_t step)
{
    struct index_rows rows = {.count = 0};
    uint32_t count = first < step ? (ROWS - first + step - 1) / step : 0;
    CHECK(count == 0 || !index_file_denies(file, by, name));
    err code = index_file_find(file, by, name, &rows, NULL);
    if (refused(code, rows.count == count))
        return true;
    bool bad = false;
    for (uint32_t n = 0; n < rows.count; n++) {
        uint32_t row = 0, up_to = 0;
        code = index_row(&rows, n, &row, NULL);
        bad |= refused(code, row == first + n * step);
        code = index_rows_to(&rows, first + n * step, &up_to, NULL);
        bad |= refused(code, up_to == n + 1);
    }
    if (count)
        CHECK_EQUAL(100 + first + (count - 1) * step, rows.last);
    if (count && by == INDEX_ENTITY)
        CHECK(rows.first_version == 1 && rows.last_version == count);
    return bad;
}

static bool id_is_refused(struct index_file *file, uint32_t row)
{
    uint32_t rows[4];
    size_t found = 0;
    als_id id = id_of(row);
    CHECK(row >= ROWS || !index_file_denies_id(file, &id));
    err code = index_file_find_id(file, id, rows, COUNT_OF(rows), &found, NULL);
    bool right = false;
    for (size_t i = 0; i < found; i++)
        right |= rows[i] == row;
    return refused(code, row < ROWS ? right : found == 0);
}

static bool order_is_refused(struct index_file *file, enum index_by by, const char *kind)
{
    bool bad = false;
    for (uint32_t number = 0; number < index_file_names(file, by); number++) {
        char space[32];
        str name = name_of(space, kind, number);
        struct index_rows rows = {.count = 0};
        uint32_t at = UINT32_MAX;
        err code = index_file_name(file, by, number, &rows, NULL);
        bad |= refused(code, str_equal(rows.name, name));
        code = index_file_seek(file, by, name, &at, NULL);
        bad |= refused(code, at == number);
    }
    return bad;
}

// Asks for everything; whether any of it was refused.
static bool anything_is_refused(struct index_file *file)
{
    bool bad = order_is_refused(file, INDEX_ENTITY, "order");
    bad |= order_is_refused(file, INDEX_TYPE, "type");
    char space[32];
    for (uint32_t n = 0; n < ENTITIES + 3; n++)
        bad |= name_is_refused(file, INDEX_ENTITY, name_of(space, "order", n), n, ENTITIES);
    for (uint32_t n = 0; n < TYPES + 3; n++)
        bad |= name_is_refused(file, INDEX_TYPE, name_of(space, "type", n), n, TYPES);
    for (uint32_t row = 0; row < ROWS + 20; row++)
        bad |= id_is_refused(file, row);
    return bad;
}

struct world {
    struct sim *sim;
    struct os *os;
    struct os_dir *dir;
};

static struct world world_on(struct sim *sim)
{
    struct world world = {.sim = sim, .os = sim_os(sim)};
    CHECK_OK(world.os->dir_open(world.os, NULL, S("segments"), true, &world.dir, NULL));
    return world;
}

static struct world world_with_file(void)
{
    struct world world = world_on(sim_new(1));
    AUTO(index_builder) builder = index_builder_new(identity);
    add_rows(builder);
    CHECK_OK(index_builder_write(builder, world.os, world.dir, S("1.idx"), NULL));
    return world;
}

static void world_end(struct world *world)
{
    world->os->dir_close(world->dir);
    sim_free(world->sim);
}

static err open_it(struct world *world, struct index_file **ret_file, struct als_why *why)
{
    return index_file_open(world->os, world->dir, S("1.idx"), identity, ret_file, why);
}

// The bytes of the file, for changing them.
static size_t read_file(struct world *world, uint8_t bytes[static FILE_ROOM])
{
    struct os_file *file = NULL;
    size_t size = 0;
    CHECK_OK(world->os->file_open(world->dir, S("1.idx"), OS_READ, &file, NULL));
    CHECK_OK(world->os->file_read(file, 0, bytes, FILE_ROOM, &size, NULL));
    world->os->file_close(file);
    CHECK(size < FILE_ROOM);
    return size;
}

static void write_file(struct world *world, const uint8_t *bytes, size_t size)
{
    struct os_file *file = NULL;
    CHECK_OK(world->os->file_open(world->dir, S("1.idx"), OS_CREATE_OPEN, &file, NULL));
    CHECK_OK(world->os->file_truncate(file, size, NULL));
    CHECK_OK(os_write_one(world->os, file, 0, (str){(const char *)bytes, size}, NULL));
    world->os->file_close(file);
}

TEST(every_flipped_bit_of_an_index_is_found_and_none_gives_a_wrong_answer)
{
    struct world world = world_with_file();
    uint64_t bits = sim_bits(world.sim), opened = 0, met = 0;
    for (uint64_t bit = 0; bit < bits; bit++) {
        sim_flip(world.sim, bit, NULL);
        struct index_file *file = NULL;
        struct als_why why = {""};
        err code = open_it(&world, &file, &why);
        CHECK(code == ALS_OK || code == ALS_CORRUPT);
        if (code == ALS_OK) {
            opened++;
            met += anything_is_refused(file);
            CHECK_ERR(ALS_CORRUPT, index_file_verify(file, &why));
        }
        CHECK(why.text[0]);
        index_file_close(file);
        sim_flip(world.sim, bit, NULL);
    }
    CHECK_EQUAL(FILE_HEADER_BYTES * 8, bits - opened); // opening checks the header alone
    CHECK(met > opened / 2);
    struct index_file *file = NULL;
    CHECK_OK(open_it(&world, &file, NULL));
    CHECK(!anything_is_refused(file));
    index_file_close(file);
    world_end(&world);
}

TEST(an_index_of_any_other_length_is_refused)
{
    struct world world = world_with_file();
    static uint8_t bytes[FILE_ROOM];
    size_t size = read_file(&world, bytes);
    for (size_t cut = 0; cut < size + 100; cut++) {
        write_file(&world, bytes, cut);
        struct index_file *file = NULL;
        CHECK_ERR(cut == size ? ALS_OK : ALS_CORRUPT, open_it(&world, &file, NULL));
        index_file_close(file);
    }
    world_end(&world);
}

TEST(swapped_neighbours_of_64_bytes_are_found)
{
    struct world world = world_with_file();
    static uint8_t bytes[FILE_ROOM], block[64];
    size_t size = read_file(&world, bytes), at = FILE_HEADER_BYTES;
    for (; at + 128 <= size; at += 64) {
        memcpy(block, bytes + at, 64);
        memmove(bytes + at, bytes + at + 64, 64);
        memcpy(bytes + at + 64, block, 64);
        write_file(&world, bytes, size);
        struct index_file *file = NULL;
        CHECK_OK(open_it(&world, &file, NULL));
        bool same = memcmp(bytes + at, bytes + at + 64, 64) == 0;
        CHECK_ERR(same ? ALS_OK : ALS_CORRUPT, index_file_verify(file, NULL));
        index_file_close(file);
        memcpy(bytes + at + 64, bytes + at, 64);
        memcpy(bytes + at, block, 64);
    }
    world_end(&world);
}

TEST(an_index_of_another_segment_is_refused)
{
    struct world world = world_with_file();
    struct index_file *file = NULL;
    struct als_why why = {""};
    for (int i = 0; i < 16; i++) {
        uint8_t other[16];
        memcpy(other, identity, 16);
        other[i] ^= 1;
        CHECK_ERR(ALS_CORRUPT,
                  index_file_open(world.os, world.dir, S("1.idx"), other, &file, &why));
        CHECK_STR(S("index '1.idx': it is another segment's"), str_of(why.text));
    }
    CHECK_ERR(ALS_NOT_FOUND,
              index_file_open(world.os, world.dir, S("2.idx"), identity, &file, &why));
    CHECK(!file);
    world_end(&world);
}

TEST(an_index_of_a_later_format_says_so)
{
    struct world world = world_with_file();
    static uint8_t bytes[FILE_ROOM];
    size_t size = read_file(&world, bytes);
    store_le32(bytes + 8, FILE_FORMAT + 1);
    store_le32(bytes + 252, crc32c(0, bytes, 252));
    write_file(&world, bytes, size);
    struct index_file *file = NULL;
    CHECK_ERR(ALS_FORMAT_TOO_NEW, open_it(&world, &file, NULL));
    world_end(&world);
}

// Every count of the header, with its checksum made right. A text that is a little shorter leaves
// all sections where they are; then it is the names that do not fit into it.
TEST(an_index_whose_counts_cannot_be_is_refused)
{
    struct world world = world_with_file();
    static uint8_t bytes[FILE_ROOM];
    size_t size = read_file(&world, bytes);
    static const uint64_t values[] = {
        0, 1, 255, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX / 8, UINT64_MAX};
    for (size_t at = 32; at < 128; at += 8) {
        uint64_t right = load_le64(bytes + at);
        for (size_t i = 0; i < COUNT_OF(values); i++) {
            if (values[i] == right)
                continue;
            store_le64(bytes + at, values[i]);
            store_le32(bytes + 252, crc32c(0, bytes, 252));
            write_file(&world, bytes, size);
            struct index_file *file = NULL;
            err code = open_it(&world, &file, NULL);
            CHECK_ERR(ALS_CORRUPT, file ? index_file_verify(file, NULL) : code);
            index_file_close(file);
        }
        store_le64(bytes + at, right);
    }
    world_end(&world);
}

TEST(the_same_rows_and_identity_give_the_same_bytes)
{
    struct world one = world_with_file();
    static uint8_t bytes[FILE_ROOM], again[FILE_ROOM];
    size_t size = read_file(&one, bytes);
    CHECK_OK(one.os->dir_unlink(one.dir, S("1.idx"), NULL));
    AUTO(index_builder) builder = index_builder_new(identity);
    add_rows(builder);
    CHECK_OK(index_builder_write(builder, one.os, one.dir, S("1.idx"), NULL));
    CHECK_EQUAL(size, read_file(&one, again));
    CHECK(memcmp(bytes, again, size) == 0);
    world_end(&one);
}

TEST(a_written_index_survives_a_power_cut_once_its_name_is_synced)
{
    struct world world = world_with_file();
    CHECK_OK(world.os->dir_sync(world.dir, NULL));
    struct world after = world_on(sim_crash(world.sim, 1, SIM_DROP));
    struct index_file *file = NULL;
    CHECK_OK(open_it(&after, &file, NULL));
    CHECK_OK(index_file_verify(file, NULL));
    index_file_close(file);
    world_end(&after);
    world_end(&world);
}

TEST(whatever_fails_while_an_index_is_written_or_opened_is_told)
{
    static const unsigned kinds = SIM_FAIL_SYNC | SIM_FAIL_WRITE | SIM_FAIL_PART |
                                  SIM_FAIL_DIRECTORY | SIM_FAIL_OPEN | SIM_FAIL_READ | SIM_FAIL_MAP;
    AUTO(index_builder) builder = index_builder_new(identity);
    add_rows(builder);
    uint64_t failures = 0;
    for (uint64_t nth = 1;; nth++) {
        struct world world = world_on(sim_new(1));
        sim_fail(world.sim, kinds, nth, ALS_STORAGE);
        struct index_file *file = NULL;
        struct als_why why = {""};
        err code = index_builder_write(builder, world.os, world.dir, S("1.idx"), &why);
        if (code == ALS_OK)
            code = open_it(&world, &file, &why);
        bool struck = !sim_fault_pending(world.sim);
        CHECK_ERR(struck ? ALS_STORAGE : ALS_OK, code);
        CHECK((code != ALS_OK) == (why.text[0] != '\0'));
        failures += struck;
        index_file_close(file);
        world_end(&world);
        if (!struck)
            break;
    }
    CHECK(failures >= 6); // create, two writes, sync, open, size, map
}
