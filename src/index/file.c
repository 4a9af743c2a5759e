// SPDX-License-Identifier: Apache-2.0
// Looking things up in a mapped file.
//
// Two things stand between a damaged file and a wrong answer. Nothing is used before the checksum
// of its block was found right, once (file_need()). And what the bytes then say is still held
// against the bounds of what they point into, because a file may have been made to mislead.
// A lookup goes through the filter, the cells, and for a name its record and its text; each is a
// cache line or two.
#include "index/file.h"

#include "os/os.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

// ---- Opening

static err map_file(struct os *os, struct os_file *handle, uint64_t *ret_size,
                    const uint8_t **ret_bytes, struct als_why *why)
{
    TRY(os->file_size(handle, ret_size, why));
    if (*ret_size < FILE_HEADER_BYTES)
        return FAIL(why, ALS_CORRUPT, "it is shorter than a header");
    return os->file_map(handle, *ret_size, ret_bytes, why);
}

static err check_header(const uint8_t *bytes, uint64_t size, const uint8_t identity[static 16],
                        struct file_header *ret_header, struct als_why *why)
{
    struct file_layout layout;
    TRY(file_header_decode(bytes, ret_header, why));
    file_layout_of(ret_header, &layout);
    if (size != layout.end)
        return FAIL(why, ALS_CORRUPT, "it is %llu bytes long and should be %llu",
                    (unsigned long long)size, (unsigned long long)layout.end);
    if (memcmp(ret_header->identity, identity, sizeof ret_header->identity) != 0)
        return FAIL(why, ALS_CORRUPT, "it is another segment's");
    return ALS_OK;
}

static err make_file(struct os *os, const uint8_t *bytes, const struct file_header *header,
                     struct index_file **ret_file, struct als_why *why)
{
    struct file_layout layout;
    file_layout_of(header, &layout);
    size_t words = layout.blocks / 64 + 1;
    struct index_file *file = calloc(1, sizeof *file + words * sizeof file->checked[0]);
    if (!file)
        return FAIL(why, ALS_NO_MEMORY, "no memory to open it");
    file->os = os;
    file->bytes = bytes;
    file->header = *header;
    file->layout = layout;
    file->seed = file_seed(header->identity);
    os->file_hint(os, bytes, layout.end, OS_HINT_RANDOM);
    *ret_file = file;
    return ALS_OK;
}

// What is wrong with it, without its name.
static err open_handle(struct os *os, struct os_file *handle, const uint8_t identity[static 16],
                       struct index_file **ret_file, struct als_why *why)
{
    uint64_t size = 0;
    const uint8_t *bytes = NULL;
    TRY(map_file(os, handle, &size, &bytes, why));
    struct file_header header;
    err code = check_header(bytes, size, identity, &header, why);
    if (code == ALS_OK)
        code = make_file(os, bytes, &header, ret_file, why);
    if (code != ALS_OK)
        os->file_unmap(os, bytes, size);
    return code;
}

err index_file_open(struct os *os, struct os_dir *dir, str name, const uint8_t identity[static 16],
                    struct index_file **ret_file, struct als_why *why)
{
    struct os_file *handle = NULL;
    TRY(os->file_open(dir, name, OS_READ, &handle, why));
    struct als_why reason = {""};
    struct index_file *file = NULL;
    err code = open_handle(os, handle, identity, &file, &reason);
    os->file_close(handle);
    if (code == ALS_CORRUPT || code == ALS_FORMAT_TOO_NEW)
        return FAIL(why, code, "index '%.*s': %.120s", STR(str_first(name, FILE_LABEL_BYTES)),
                    reason.text);
    if (code != ALS_OK)
        return FAIL(why, code, "%s", reason.text);
    (void)snprintf(file->label, sizeof file->label, "%.*s", STR(name)); // cut at the end is fine
    *ret_file = file;
    return ALS_OK;
}

void index_file_close(struct index_file *file)
{
    if (!file)
        return;
    file->os->file_unmap(file->os, file->bytes, file->layout.end);
    free(file);
}

uint64_t index_file_bytes(const struct index_file *file)
{
    return file->layout.end;
}

uint32_t index_file_names(const struct index_file *file, enum index_by by)
{
    return (uint32_t)file->header.names[by];
}

// ---- Integrity

err file_nonsense(const struct index_file *file, const char *what, uint64_t number,
                  struct als_why *why)
{
    return FAIL(why, ALS_CORRUPT, "index '%s': %s %llu makes no sense", file->label, what,
                (unsigned long long)number);
}

static uint64_t filters_end(const struct index_file *file)
{
    unsigned last = SECTION_FILTERS + FILE_KEYS - 1;
    return file->layout.at[last] + file->layout.bytes[last];
}

static void count_block(struct index_file *file, uint64_t start)
{
    if (file->counted && start >= filters_end(file))
        atomic_fetch_add_explicit(file->counted, 1, memory_order_relaxed);
}

err file_check_blocks(struct index_file *file, uint64_t at, uint64_t size, struct als_why *why)
{
    uint64_t end = file->layout.at[SECTION_CHECKS];
    assert(size > 0 && at < end && size <= end - at);
    for (uint64_t block = at / FILE_BLOCK_BYTES; block * FILE_BLOCK_BYTES < at + size; block++) {
        uint64_t bit = (uint64_t)1 << (block % 64), start = block * FILE_BLOCK_BYTES;
        if (atomic_load_explicit(&file->checked[block / 64], memory_order_relaxed) & bit)
            continue;
        uint64_t left = end - start;
        uint64_t check = file_check(file->seed, block, file->bytes + start,
                                    left < FILE_BLOCK_BYTES ? left : FILE_BLOCK_BYTES);
        if (check != load_le64(file->bytes + end + block * FILE_CHECK_BYTES))
            return FAIL(why, ALS_CORRUPT,
                        "index '%s': the checksum of the block at byte %llu is "
                        "wrong",
                        file->label, (unsigned long long)start);
        atomic_fetch_or_explicit(&file->checked[block / 64], bit, memory_order_relaxed);
        count_block(file, start);
    }
    return ALS_OK;
}

void index_file_count(struct index_file *file, _Atomic uint64_t *blocks)
{
    file->counted = blocks;
}

// What is looked at again is checked again, and counted again. Whoever was told that a block is
// sound goes on with it: it comes back as it was.
void index_file_forget(struct index_file *file)
{
    uint64_t filters = filters_end(file);
    uint64_t first = (filters + FILE_BLOCK_BYTES - 1) / FILE_BLOCK_BYTES;
    bool any = false;
    for (uint64_t word = first / 64; word <= file->layout.blocks / 64; word++) {
        uint64_t keep = word == first / 64 ? ((uint64_t)1 << (first % 64)) - 1 : 0;
        any |= atomic_fetch_and_explicit(&file->checked[word], keep, memory_order_relaxed) & ~keep;
    }
    if (any)
        file->os->file_forget(file->os, file->bytes + filters, file->layout.end - filters);
}

// ---- Filters and cells

// The bit that a key sets in a word of its block, if the block has not got it.
static inline uint32_t absent_bit(const uint8_t *block, uint64_t hash, unsigned word)
{
    return file_filter_bit(hash, word) & ~load_le32(block + 4 * word);
}

// Half of it at once without a branch: nearly always a bit of these is absent.
static inline bool lacks(const uint8_t *block, uint64_t hash)
{
    static_assert(FILE_FILTER_BYTES == 8 * 4, "eight words");
    uint32_t absent = absent_bit(block, hash, 0) | absent_bit(block, hash, 1) |
                      absent_bit(block, hash, 2) | absent_bit(block, hash, 3);
    if (absent)
        return true;
    absent = absent_bit(block, hash, 4) | absent_bit(block, hash, 5) | absent_bit(block, hash, 6) |
             absent_bit(block, hash, 7);
    return absent != 0;
}

static inline uint64_t place_in_filter(const struct index_file *file, enum file_key key,
                                       uint64_t hash)
{
    return file->layout.at[SECTION_FILTERS + key] +
           file_filter_block(hash, file->header.filter_blocks[key]) * FILE_FILTER_BYTES;
}

err file_may_have(struct index_file *file, enum file_key key, uint64_t hash, bool *ret_may,
                  struct als_why *why)
{
    uint64_t at = place_in_filter(file, key, hash);
    TRY(file_need(file, at, FILE_FILTER_BYTES, why));
    *ret_may = !lacks(file->bytes + at, hash);
    return ALS_OK;
}

// What was not found right yet is left to those who can say that it is not.
static inline bool denies(const struct index_file *file, enum file_key key, uint64_t hash)
{
    uint64_t at = place_in_filter(file, key, hash);
    return file_is_checked(file, at / FILE_BLOCK_BYTES) && lacks(file->bytes + at, hash);
}

bool index_file_denies(const struct index_file *file, enum index_by by, str name)
{
    enum file_key key = (enum file_key)by;
    return denies(file, key, file_hash(file->seed, key, name.ptr, name.len));
}

bool index_file_denies_id(const struct index_file *file, const als_id *id)
{
    return denies(file, KEY_ID, file_hash(file->seed, KEY_ID, id->bytes, sizeof id->bytes));
}

struct file_probe file_probe_begin(const struct index_file *file, enum file_key key, uint64_t hash)
{
    uint64_t cells = file->header.cells[key];
    uint32_t fingerprint = file_fingerprint(hash);
    return (struct file_probe){
        .key = key, .fingerprint = fingerprint, .at = file_home(fingerprint, cells), .left = cells};
}

err file_probe_next(struct index_file *file, struct file_probe *probe, bool *ret_found,
                    uint32_t *ret_value, struct als_why *why)
{
    uint64_t cells = file->header.cells[probe->key];
    while (probe->left) {
        uint64_t at = file->layout.at[SECTION_CELLS + probe->key] + probe->at * FILE_CELL_BYTES;
        TRY(file_need(file, at, FILE_CELL_BYTES, why));
        uint32_t value = load_le32(file->bytes + at + 4);
        if (value == 0)
            break;
        probe->at = probe->at + 1 == cells ? 0 : probe->at + 1;
        probe->left--;
        if (load_le32(file->bytes + at) == probe->fingerprint) {
            *ret_found = true;
            *ret_value = value - 1;
            return ALS_OK;
        }
    }
    *ret_found = false;
    return ALS_OK;
}

// ---- Names

// The record of a name that exists.
static err load_rows(struct index_file *file, enum index_by by, uint32_t number,
                     struct index_rows *ret_rows, struct als_why *why)
{
    uint64_t at = file->layout.at[SECTION_NAMES + by] + (uint64_t)number * FILE_NAME_BYTES;
    TRY(file_need(file, at, FILE_NAME_BYTES, why));
    const uint8_t *name = file->bytes + at;
    uint64_t text_at = load_le64(name) >> 8, start = load_le32(name + 8);
    struct index_rows rows = {
        .name = {NULL, name[0]},
        .file = file,
        .at = file->layout.at[SECTION_ROWS + by] + start * FILE_ROW_BYTES,
        .count = load_le32(name + 12),
        .first_version = load_le64(name + 16),
        .last_version = load_le64(name + 24),
        .last = load_le64(name + 32),
    };
    uint64_t text_bytes = file->header.text_bytes[by];
    bool fits = text_at <= text_bytes && rows.name.len <= text_bytes - text_at && rows.count > 0 &&
                start + rows.count <= file->header.rows;
    if (!fits)
        return file_nonsense(file, by == INDEX_ENTITY ? "entity" : "type", number, why);
    uint64_t text = file->layout.at[SECTION_TEXTS + by] + text_at;
    if (rows.name.len)
        TRY(file_need(file, text, rows.name.len, why));
    rows.name.ptr = (const char *)file->bytes + text;
    *ret_rows = rows;
    return ALS_OK;
}

// A name that the filter does not deny.
static err find_name(struct index_file *file, enum index_by by, str name, uint64_t hash,
                     struct index_rows *ret_rows, struct als_why *why)
{
    struct file_probe probe = file_probe_begin(file, (enum file_key)by, hash);
    for (;;) {
        uint32_t number = 0;
        bool found = false;
        struct index_rows rows;
        TRY(file_probe_next(file, &probe, &found, &number, why));
        if (!found)
            break;
        if (number >= file->header.names[by])
            return file_nonsense(file, "the number of a name", number, why);
        TRY(load_rows(file, by, number, &rows, why));
        if (str_equal(rows.name, name)) {
            *ret_rows = rows;
            return ALS_OK;
        }
    }
    *ret_rows = (struct index_rows){.count = 0};
    return ALS_OK;
}

err index_file_find(struct index_file *file, enum index_by by, str name,
                    struct index_rows *ret_rows, struct als_why *why)
{
    uint64_t hash = file_hash(file->seed, (enum file_key)by, name.ptr, name.len);
    bool may = false;
    TRY(file_may_have(file, (enum file_key)by, hash, &may, why));
    if (may)
        return find_name(file, by, name, hash, ret_rows, why);
    *ret_rows = (struct index_rows){.count = 0};
    return ALS_OK;
}

err index_file_name(struct index_file *file, enum index_by by, uint32_t number,
                    struct index_rows *ret_rows, struct als_why *why)
{
    assert(number < file->header.names[by]);
    return load_rows(file, by, number, ret_rows, why);
}

err index_file_seek(struct index_file *file, enum index_by by, str name, uint32_t *ret_number,
                    struct als_why *why)
{
    uint32_t low = 0, high = (uint32_t)file->header.names[by];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct index_rows rows;
        TRY(load_rows(file, by, middle, &rows, why));
        if (str_compare(rows.name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_number = low;
    return ALS_OK;
}

// ---- Rows

err index_row(const struct index_rows *rows, uint32_t n, uint32_t *ret_row, struct als_why *why)
{
    assert(n < rows->count);
    uint64_t at = rows->at + (uint64_t)n * FILE_ROW_BYTES;
    TRY(file_need(rows->file, at, FILE_ROW_BYTES, why));
    uint32_t row = load_le32(rows->file->bytes + at);
    if (row >= rows->file->header.rows)
        return file_nonsense(rows->file, "row", row, why);
    *ret_row = row;
    return ALS_OK;
}

err index_rows_to(const struct index_rows *rows, uint32_t row, uint32_t *ret_count,
                  struct als_why *why)
{
    uint32_t low = 0, high = rows->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2, found = 0;
        TRY(index_row(rows, middle, &found, why));
        if (found <= row)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_count = low;
    return ALS_OK;
}

// ---- Ids

static err find_id(struct index_file *file, uint64_t hash, uint32_t *ret_rows, size_t room,
                   size_t *ret_found, struct als_why *why)
{
    struct file_probe probe = file_probe_begin(file, KEY_ID, hash);
    size_t found = 0;
    for (bool more = true; more && found < room;) {
        uint32_t row = 0;
        TRY(file_probe_next(file, &probe, &more, &row, why));
        if (!more)
            break;
        if (row >= file->header.rows)
            return file_nonsense(file, "the row of an id", row, why);
        ret_rows[found++] = row;
    }
    *ret_found = found;
    return ALS_OK;
}

err index_file_find_id(struct index_file *file, als_id id, uint32_t *ret_rows, size_t room,
                       size_t *ret_found, struct als_why *why)
{
    uint64_t hash = file_hash(file->seed, KEY_ID, id.bytes, sizeof id.bytes);
    bool may = false;
    TRY(file_may_have(file, KEY_ID, hash, &may, why));
    if (may)
        return find_id(file, hash, ret_rows, room, ret_found, why);
    *ret_found = 0;
    return ALS_OK;
}
