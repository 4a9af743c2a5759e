// SPDX-License-Identifier: Apache-2.0
// The header holds counts only. Where a section lies follows from them, so there are no offsets
// that could disagree with each other, and the file's own size proves the sum.
#include "index/file_format.h"

#include "base/hash.h"
#include "base/limits.h"

static const char magic[8] = {'A', 'L', 'S', 'I', 'D', 'X', '\r', '\n'};

enum { // offsets in the header
    AT_FORMAT = 8,
    AT_HEADER_BYTES = 12,
    AT_IDENTITY = 16,
    AT_ROWS = 32,
    AT_NAMES = 40,
    AT_TEXT_BYTES = AT_NAMES + 8 * FILE_KINDS,
    AT_FILTER_BLOCKS = AT_TEXT_BYTES + 8 * FILE_KINDS,
    AT_CELLS = AT_FILTER_BLOCKS + 8 * FILE_KEYS,
    AT_FILE_BYTES = AT_CELLS + 8 * FILE_KEYS,
    AT_RESERVED = AT_FILE_BYTES + 8,
    AT_HEADER_CRC = 252,
};
static_assert(AT_RESERVED == 128, "as docs/formats/index.md says");
static_assert(AT_RESERVED <= AT_HEADER_CRC, "the header is full");
static_assert(ENTITY_BYTES_MAX <= UINT8_MAX && TYPE_BYTES_MAX <= UINT8_MAX, "a length is a byte");
static_assert(FILE_BLOCK_BYTES % FILE_ALIGN == 0, "a cache line lies in one block");
static_assert(FILE_HEADER_BYTES % FILE_ALIGN == 0, "the first section is aligned");

enum { FILTER_KEYS_A_BLOCK = 21 }; // 12 bits a key: 1 in 200 absent keys passes

static uint64_t keys_of(const struct file_header *header, enum file_key key)
{
    return key == KEY_ID ? header->rows : header->names[key];
}

void file_header_size(struct file_header *header)
{
    for (enum file_key key = 0; key < FILE_KEYS; key++) {
        uint64_t keys = keys_of(header, key), cells = keys + keys / 4 + 1;
        header->filter_blocks[key] = keys / FILTER_KEYS_A_BLOCK + 1;
        header->cells[key] = cells < UINT32_MAX ? cells : UINT32_MAX;
    }
}

static uint64_t bytes_of(const struct file_header *header, enum file_section section)
{
    if (section < SECTION_CELLS)
        return header->filter_blocks[section - SECTION_FILTERS] * FILE_FILTER_BYTES;
    if (section < SECTION_NAMES)
        return header->cells[section - SECTION_CELLS] * FILE_CELL_BYTES;
    if (section < SECTION_TEXTS)
        return header->names[section - SECTION_NAMES] * FILE_NAME_BYTES;
    if (section < SECTION_ROWS)
        return header->text_bytes[section - SECTION_TEXTS];
    return header->rows * FILE_ROW_BYTES;
}

void file_layout_of(const struct file_header *header, struct file_layout *ret_layout)
{
    uint64_t at = FILE_HEADER_BYTES;
    for (enum file_section section = 0; section < SECTION_CHECKS; section++) {
        ret_layout->at[section] = at;
        ret_layout->bytes[section] = bytes_of(header, section);
        at = (at + ret_layout->bytes[section] + FILE_ALIGN - 1) / FILE_ALIGN * FILE_ALIGN;
    }
    ret_layout->blocks = (at + FILE_BLOCK_BYTES - 1) / FILE_BLOCK_BYTES;
    ret_layout->at[SECTION_CHECKS] = at;
    ret_layout->bytes[SECTION_CHECKS] = ret_layout->blocks * FILE_CHECK_BYTES;
    ret_layout->end = at + ret_layout->bytes[SECTION_CHECKS];
}

static void store_all(uint8_t *bytes, const uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_le64(bytes + 8 * i, values[i]);
}

static void load_all(const uint8_t *bytes, uint64_t *ret_values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret_values[i] = load_le64(bytes + 8 * i);
}

void file_header_encode(const struct file_header *header, uint8_t bytes[static FILE_HEADER_BYTES])
{
    struct file_layout layout;
    file_layout_of(header, &layout);
    memset(bytes, 0, FILE_HEADER_BYTES);
    memcpy(bytes, magic, sizeof magic);
    store_le32(bytes + AT_FORMAT, FILE_FORMAT);
    store_le32(bytes + AT_HEADER_BYTES, FILE_HEADER_BYTES);
    memcpy(bytes + AT_IDENTITY, header->identity, sizeof header->identity);
    store_le64(bytes + AT_ROWS, header->rows);
    store_all(bytes + AT_NAMES, header->names, FILE_KINDS);
    store_all(bytes + AT_TEXT_BYTES, header->text_bytes, FILE_KINDS);
    store_all(bytes + AT_FILTER_BLOCKS, header->filter_blocks, FILE_KEYS);
    store_all(bytes + AT_CELLS, header->cells, FILE_KEYS);
    store_le64(bytes + AT_FILE_BYTES, layout.end);
    store_le32(bytes + AT_HEADER_CRC, crc32c(0, bytes, AT_HEADER_CRC));
}

static bool is_sane(const struct file_header *header)
{
    if (header->rows > INDEX_EVENTS_MAX)
        return false;
    for (unsigned kind = 0; kind < FILE_KINDS; kind++)
        if (header->names[kind] > header->rows ||
            header->text_bytes[kind] > header->names[kind] * UINT8_MAX)
            return false;
    for (enum file_key key = 0; key < FILE_KEYS; key++)
        if (header->filter_blocks[key] == 0 || header->filter_blocks[key] > UINT32_MAX ||
            header->cells[key] <= keys_of(header, key) || header->cells[key] > UINT32_MAX)
            return false;
    return true;
}

err file_header_decode(const uint8_t bytes[static FILE_HEADER_BYTES],
                       struct file_header *ret_header, struct als_why *why)
{
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return FAIL(why, ALS_CORRUPT, "it does not begin as an index");
    if (load_le32(bytes + AT_HEADER_CRC) != crc32c(0, bytes, AT_HEADER_CRC))
        return FAIL(why, ALS_CORRUPT, "the checksum of its header is wrong");
    uint32_t format = load_le32(bytes + AT_FORMAT);
    if (format > FILE_FORMAT)
        return FAIL(why, ALS_FORMAT_TOO_NEW, "its format is %u, and this version knows up to %d",
                    format, FILE_FORMAT);
    struct file_header header = {.rows = load_le64(bytes + AT_ROWS)};
    memcpy(header.identity, bytes + AT_IDENTITY, sizeof header.identity);
    load_all(bytes + AT_NAMES, header.names, FILE_KINDS);
    load_all(bytes + AT_TEXT_BYTES, header.text_bytes, FILE_KINDS);
    load_all(bytes + AT_FILTER_BLOCKS, header.filter_blocks, FILE_KEYS);
    load_all(bytes + AT_CELLS, header.cells, FILE_KEYS);
    if (format != FILE_FORMAT || load_le32(bytes + AT_HEADER_BYTES) != FILE_HEADER_BYTES ||
        !is_sane(&header))
        return FAIL(why, ALS_CORRUPT, "its header makes no sense");
    struct file_layout layout;
    file_layout_of(&header, &layout);
    if (load_le64(bytes + AT_FILE_BYTES) != layout.end)
        return FAIL(why, ALS_CORRUPT, "its header contradicts itself");
    *ret_header = header;
    return ALS_OK;
}

uint64_t file_seed(const uint8_t identity[static 16])
{
    return hash_bytes(identity, 16, 0);
}

uint64_t file_hash(uint64_t seed, enum file_key key, const void *bytes, size_t size)
{
    return hash_bytes(bytes, size, seed + key);
}

uint64_t file_check(uint64_t seed, uint64_t block, const uint8_t *bytes, size_t size)
{
    return hash_bytes(bytes, size, seed + FILE_KEYS + block);
}
