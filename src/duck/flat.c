// SPDX-License-Identifier: Apache-2.0
#include "duck/flat.h"

#include "base/bytes.h"

enum { ALIGN_MAX = 8 };

static void push(struct flat *flat, const void *bytes, size_t size)
{
    if (flat->full || flat->size - flat->used < size) {
        flat->full = true;
        return;
    }
    flat->used += size;
    if (size)
        memcpy(flat->bytes + flat->size - flat->used, bytes, size);
}

// So that something of `size` bytes pushed next begins at a multiple of `align` from the end.
static void align_for(struct flat *flat, size_t size, size_t align)
{
    static const uint8_t zeros[ALIGN_MAX];
    size_t over = (flat->used + size) % align;
    if (over)
        push(flat, zeros, align - over);
}

static void push_u32(struct flat *flat, uint32_t value)
{
    uint8_t bytes[4];
    store_le32(bytes, value);
    push(flat, bytes, sizeof bytes);
}

// How far it is from a place that is pushed next to an earlier one.
static void push_distance(struct flat *flat, flat_place place)
{
    push_u32(flat, (uint32_t)(flat->used + 4) - place);
}

flat_place flat_text(struct flat *flat, str text)
{
    align_for(flat, text.len + 1, 4);
    push(flat, "", 1);
    push(flat, text.ptr, text.len);
    push_u32(flat, (uint32_t)text.len);
    return (flat_place)flat->used;
}

flat_place flat_structs(struct flat *flat, const void *items, size_t count, size_t item_size)
{
    align_for(flat, count * item_size, ALIGN_MAX);
    push(flat, items, count * item_size);
    push_u32(flat, (uint32_t)count);
    return (flat_place)flat->used;
}

flat_place flat_places(struct flat *flat, const flat_place *places, size_t count)
{
    align_for(flat, count * 4, 4);
    for (size_t i = count; i > 0; i--)
        push_distance(flat, places[i - 1]);
    push_u32(flat, (uint32_t)count);
    return (flat_place)flat->used;
}

struct flat_table flat_table_begin(struct flat *flat)
{
    return (struct flat_table){.end = flat->used};
}

void flat_field(struct flat *flat, struct flat_table *table, unsigned field, uint64_t value,
                size_t size)
{
    uint8_t bytes[8];
    store_le64(bytes, value);
    align_for(flat, size, size);
    push(flat, bytes, size);
    table->fields[field] = (flat_place)flat->used;
}

void flat_field_place(struct flat *flat, struct flat_table *table, unsigned field, flat_place place)
{
    if (place == 0)
        return;
    align_for(flat, 4, 4);
    push_distance(flat, place);
    table->fields[field] = (flat_place)flat->used;
}

// Before a table stands its list of fields: u16 size of the list, u16 size of the table, then for
// each field its distance from the table's first byte, 0 for one that is not there.
flat_place flat_table_end(struct flat *flat, struct flat_table *table)
{
    unsigned count = FLAT_FIELDS_MAX;
    while (count > 0 && table->fields[count - 1] == 0)
        count--;
    uint32_t list_size = 4 + 2 * count;
    align_for(flat, 4, 4);
    push_u32(flat, list_size); // the list begins that much before the table
    flat_place place = (flat_place)flat->used;
    for (unsigned i = count; i > 0; i--) {
        uint8_t bytes[2];
        flat_place field = table->fields[i - 1];
        store_le16(bytes, field ? (uint16_t)(place - field) : 0);
        push(flat, bytes, sizeof bytes);
    }
    uint8_t head[4];
    store_le16(head, (uint16_t)list_size);
    store_le16(head + 2, (uint16_t)(place - table->end));
    push(flat, head, sizeof head);
    return place;
}

str flat_done(struct flat *flat, flat_place root)
{
    align_for(flat, 4, ALIGN_MAX);
    push_distance(flat, root);
    if (flat->full)
        return (str){NULL, 0};
    return (str){(const char *)flat->bytes + flat->size - flat->used, flat->used};
}
