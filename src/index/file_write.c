// SPDX-License-Identifier: Apache-2.0
// Writing what was gathered, and each block is hashed as it leaves. Sections of which the places
// are filled in no order are made in memory, one at a time; names and their texts are put out as
// they come. Names are numbered anew in their order. Everything follows from the rows and the
// identity, so the same rows give the same bytes.
#include "index/file_build.h"

#include "base/mutant.h"
#include "index/file_sort.h"
#include "os/os.h"

#include <assert.h>
#include <stdlib.h>

enum { OUTPUT_BLOCKS_MAX = 256 };

struct writing {
    const struct index_builder *builder;
    struct file_header header;
    struct file_layout layout;
    uint64_t seed;
    struct sort_name *names[FILE_KINDS]; // in order
    uint8_t *section;                    // the one in work

    struct os *os;
    struct os_file *file;
    uint64_t written; // bytes in the file; whole blocks but at the end
    uint8_t *output;  // what follows them
    size_t pending, room;
    uint8_t *checks; // of all blocks
};

// ---- Output

// Hashes and writes what is pending.
static err flush(struct writing *writing, struct als_why *why)
{
    for (size_t at = 0; at < writing->pending; at += FILE_BLOCK_BYTES) {
        size_t left = writing->pending - at;
        uint64_t block = (writing->written + at) / FILE_BLOCK_BYTES;
        uint64_t check = file_check(writing->seed, block, writing->output + at,
                                    left < FILE_BLOCK_BYTES ? left : FILE_BLOCK_BYTES);
        store_le64(writing->checks + block * FILE_CHECK_BYTES, check);
    }
    if (writing->pending == 0)
        return ALS_OK;
    str bytes = {(const char *)writing->output, writing->pending};
    TRY(os_write_mapped(writing->os, writing->file, writing->written, bytes, why));
    writing->written += writing->pending;
    writing->pending = 0;
    return ALS_OK;
}

static err put(struct writing *writing, const void *bytes, size_t size, struct als_why *why)
{
    while (size) {
        size_t room = writing->room - writing->pending, part = size < room ? size : room;
        memcpy(writing->output + writing->pending, bytes, part);
        writing->pending += part;
        bytes = (const uint8_t *)bytes + part;
        size -= part;
        if (writing->pending == writing->room)
            TRY(flush(writing, why));
    }
    return ALS_OK;
}

static err go_to_section(struct writing *writing, enum file_section section, struct als_why *why)
{
    static const uint8_t zeros[FILE_ALIGN];
    uint64_t at = writing->written + writing->pending;
    assert(at <= writing->layout.at[section] && writing->layout.at[section] - at < FILE_ALIGN);
    return put(writing, zeros, writing->layout.at[section] - at, why);
}

// One that is made in memory.
static err begin_section(struct writing *writing, enum file_section section, struct als_why *why)
{
    TRY(go_to_section(writing, section, why));
    uint64_t size = writing->layout.bytes[section];
    writing->section = calloc(1, size ? size : 1);
    if (!writing->section)
        return FAIL(why, ALS_NO_MEMORY, "no memory to write the index of a segment");
    return ALS_OK;
}

static err end_section(struct writing *writing, enum file_section section, struct als_why *why)
{
    TRY(put(writing, writing->section, writing->layout.bytes[section], why));
    free(writing->section);
    writing->section = NULL;
    return ALS_OK;
}

// ---- Sections

static uint32_t keys_of(const struct writing *writing, enum file_key key)
{
    return (uint32_t)(key == KEY_ID ? writing->header.rows : writing->header.names[key]);
}

static uint64_t hash_of(const struct writing *writing, enum file_key key, uint32_t n)
{
    if (key == KEY_ID)
        return built_row(writing->builder, n)->id_hash;
    const struct sort_name *name = &writing->names[key][n];
    return file_hash(writing->seed, key, name->text, name->len);
}

// Keys are entered some at a time: the places they go to lie all over the section, and are fetched
// side by side.
enum { TOGETHER = 64 };
struct entering {
    uint32_t first, count; // keys
    uint64_t hashes[TOGETHER];
};

// The next keys; false when there are none.
static bool enter_next(const struct writing *writing, enum file_key key, struct entering *entering)
{
    entering->first += entering->count;
    uint32_t left = keys_of(writing, key) - entering->first;
    entering->count = left < TOGETHER ? left : TOGETHER;
    for (uint32_t i = 0; i < entering->count; i++)
        entering->hashes[i] = hash_of(writing, key, entering->first + i);
    return entering->count > 0;
}

static err put_filter(struct writing *writing, enum file_key key, struct als_why *why)
{
    TRY(begin_section(writing, SECTION_FILTERS + key, why));
    uint64_t blocks = writing->header.filter_blocks[key];
    struct entering entering = {.count = 0};
    while (enter_next(writing, key, &entering))
        for (uint32_t i = 0; i < entering.count; i++) {
            uint64_t hash = entering.hashes[i];
            uint8_t *block = writing->section + file_filter_block(hash, blocks) * FILE_FILTER_BYTES;
            for (unsigned word = 0; word < FILE_FILTER_BYTES / 4; word++)
                store_le32(block + 4 * word,
                           load_le32(block + 4 * word) | file_filter_bit(hash, word));
        }
    return end_section(writing, SECTION_FILTERS + key, why);
}

static void enter_cell(uint8_t *table, uint64_t cells, uint64_t hash, uint32_t value)
{
    uint32_t fingerprint = file_fingerprint(hash);
    uint64_t at = file_home(fingerprint, cells);
    while (load_le32(table + at * FILE_CELL_BYTES + 4))
        at = at + 1 == cells ? 0 : at + 1;
    store_le32(table + at * FILE_CELL_BYTES, fingerprint);
    store_le32(table + at * FILE_CELL_BYTES + 4, value + 1);
}

static err put_cells(struct writing *writing, enum file_key key, struct als_why *why)
{
    TRY(begin_section(writing, SECTION_CELLS + key, why));
    uint64_t cells = writing->header.cells[key];
    struct entering entering = {.count = 0};
    while (enter_next(writing, key, &entering)) {
        for (uint32_t i = 0; i < entering.count; i++) {
            uint64_t home = file_home(file_fingerprint(entering.hashes[i]), cells);
            __builtin_prefetch(writing->section + home * FILE_CELL_BYTES, 1);
        }
        for (uint32_t i = 0; i < entering.count; i++)
            enter_cell(writing->section, cells, entering.hashes[i], entering.first + i);
    }
    return end_section(writing, SECTION_CELLS + key, why);
}

static err put_names(struct writing *writing, unsigned kind, struct als_why *why)
{
    TRY(go_to_section(writing, SECTION_NAMES + kind, why));
    uint64_t text_at = 0;
    uint32_t start = 0;
    for (uint32_t n = 0; n < writing->header.names[kind]; n++) {
        uint8_t name[FILE_NAME_BYTES];
        const struct built_name *built =
            built_name(writing->builder, kind, writing->names[kind][n].number);
        store_le64(name, text_at << 8 | built->len);
        store_le32(name + 8, start);
        store_le32(name + 12, built->count);
        store_le64(name + 16, built->first_version);
        store_le64(name + 24, built->last_version);
        store_le64(name + 32, built->last);
        text_at += built->len;
        start += built->count;
        TRY(put(writing, name, sizeof name, why));
    }
    return ALS_OK;
}

static err put_texts(struct writing *writing, unsigned kind, struct als_why *why)
{
    TRY(go_to_section(writing, SECTION_TEXTS + kind, why));
    for (uint32_t n = 0; n < writing->header.names[kind]; n++) {
        const struct sort_name *name = &writing->names[kind][n];
        TRY(put(writing, name->text, name->len, why));
    }
    return ALS_OK;
}

static err put_rows(struct writing *writing, unsigned kind, struct als_why *why)
{
    TRY(begin_section(writing, SECTION_ROWS + kind, why));
    const struct index_builder *builder = writing->builder;
    uint32_t count = builder->kinds[kind].count, start = 0;
    uint32_t *next = malloc(((size_t)count + 1) * sizeof *next); // by number of the builder's
    if (!next)
        return FAIL(why, ALS_NO_MEMORY, "no memory to write the index of a segment");
    for (uint32_t n = 0; n < count; n++) {
        uint32_t number = writing->names[kind][n].number;
        next[number] = start;
        start += built_name(builder, kind, number)->count;
    }
    for (uint32_t row = 0; row < builder->row_count; row++) {
        uint32_t at = next[built_row(builder, row)->names[kind]]++;
        store_le32(writing->section + (size_t)at * FILE_ROW_BYTES, row);
    }
    free(next);
    return end_section(writing, SECTION_ROWS + kind, why);
}

// ---- All of it

static err put_all(struct writing *writing, struct als_why *why)
{
    uint8_t header[FILE_HEADER_BYTES];
    file_header_encode(&writing->header, header);
    TRY(put(writing, header, sizeof header, why));
    for (enum file_key key = 0; key < FILE_KEYS; key++)
        TRY(put_filter(writing, key, why));
    for (enum file_key key = 0; key < FILE_KEYS; key++)
        TRY(put_cells(writing, key, why));
    for (unsigned kind = 0; kind < FILE_KINDS; kind++)
        TRY(put_names(writing, kind, why));
    for (unsigned kind = 0; kind < FILE_KINDS; kind++)
        TRY(put_texts(writing, kind, why));
    for (unsigned kind = 0; kind < FILE_KINDS; kind++)
        TRY(put_rows(writing, kind, why));
    TRY(go_to_section(writing, SECTION_CHECKS, why));
    TRY(flush(writing, why));
    str checks = {(const char *)writing->checks, writing->layout.bytes[SECTION_CHECKS]};
    TRY(os_write_mapped(writing->os, writing->file, writing->written, checks, why));
    if (MUTANT(INDEX_NOT_SYNCED))
        return ALS_OK;
    return writing->os->file_sync(writing->file, why);
}

static err order_names(struct writing *writing, unsigned kind, struct als_why *why)
{
    uint32_t count = writing->builder->kinds[kind].count;
    struct sort_name *names = malloc(((size_t)count + 1) * sizeof *names);
    if (!names)
        return FAIL(why, ALS_NO_MEMORY, "no memory to put the names of a segment in order");
    for (uint32_t n = 0; n < count; n++) {
        const struct built_name *built = built_name(writing->builder, kind, n);
        names[n] = (struct sort_name){.text = built->text, .len = built->len, .number = n};
    }
    sort_names(names, count);
    writing->names[kind] = names;
    return ALS_OK;
}

static err prepare(struct writing *writing, struct als_why *why)
{
    struct file_header *header = &writing->header;
    memcpy(header->identity, writing->builder->identity, sizeof header->identity);
    header->rows = writing->builder->row_count;
    for (unsigned kind = 0; kind < FILE_KINDS; kind++) {
        header->names[kind] = writing->builder->kinds[kind].count;
        header->text_bytes[kind] = writing->builder->kinds[kind].text_bytes;
        TRY(order_names(writing, kind, why));
    }
    file_header_size(header);
    file_layout_of(header, &writing->layout);
    writing->seed = writing->builder->seed;
    uint64_t blocks = writing->layout.blocks;
    writing->room = (blocks < OUTPUT_BLOCKS_MAX ? blocks : OUTPUT_BLOCKS_MAX) * FILE_BLOCK_BYTES;
    writing->output = malloc(writing->room);
    writing->checks = malloc(writing->layout.bytes[SECTION_CHECKS]);
    if (!writing->output || !writing->checks)
        return FAIL(why, ALS_NO_MEMORY, "no memory to write the index of a segment");
    return ALS_OK;
}

err index_builder_write(struct index_builder *builder, struct os *os, struct os_dir *dir, str name,
                        struct als_why *why)
{
    struct writing writing = {.builder = builder, .os = os};
    for (unsigned kind = 0; kind < FILE_KINDS; kind++) { // nothing is looked up any more
        slots_deinit(&builder->kinds[kind].slots);
        slots_init(&builder->kinds[kind].slots);
    }
    err code = prepare(&writing, why);
    if (code == ALS_OK)
        code = os->file_open(dir, name, OS_CREATE, &writing.file, why);
    if (code == ALS_OK) {
        code = put_all(&writing, why);
        os->file_close(writing.file);
    }
    for (unsigned kind = 0; kind < FILE_KINDS; kind++)
        free(writing.names[kind]);
    free(writing.section);
    free(writing.output);
    free(writing.checks);
    return code;
}
