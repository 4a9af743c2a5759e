// SPDX-License-Identifier: Apache-2.0
// A group of 32 packed values begins and ends at a byte, whatever its width, and so does a group of
// 8. So groups are unpacked whole: the bits of value i begin at bit i * width, and eight bytes from
// there hold it if it has no more than 56.
#include "segment/bits.h"

#include "base/bytes.h"
#include "segment/format.h"

enum { BLOCK = 128, MINIBLOCK = 32, MINIBLOCKS = BLOCK / MINIBLOCK, FOREIGN_BLOCK_MAX = 1 << 16 };

static void portable_unpack32(const uint8_t *at, unsigned width, uint64_t *ret_values)
{
    uint64_t mask = (UINT64_C(1) << width) - 1;
    for (unsigned i = 0, bit = 0; i < 32; i++, bit += width)
        ret_values[i] = load_le64(at + bit / 8) >> (bit % 8) & mask;
}

static void portable_unpack8(const uint8_t *at, unsigned width, uint32_t *ret_values)
{
    uint32_t mask = (UINT32_C(1) << width) - 1;
    for (unsigned i = 0, bit = 0; i < 8; i++, bit += width)
        ret_values[i] = load_le32(at + bit / 8) >> (bit % 8) & mask;
}

static uint64_t portable_sum32(uint64_t *values, uint64_t before, uint64_t least)
{
    for (unsigned i = 0; i < 32; i++)
        values[i] = before += values[i] + least;
    return before;
}

const struct bits_way bits_portable = {portable_unpack32, portable_unpack8, portable_sum32};

const struct bits_way *bits_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return &bits_avx2;
#endif
    return &bits_portable;
}

// ---- Widths that the ways do not take; rare.

static uint64_t bits_at(const uint8_t *at, size_t bit, unsigned width)
{
    uint64_t value = load_le64(at + bit / 8) >> (bit % 8);
    if (bit % 8)
        value |= (uint64_t)at[bit / 8 + 8] << (64 - bit % 8);
    return width < 64 ? value & ((UINT64_C(1) << width) - 1) : value;
}

static void unpack32(const struct bits_way *way, const uint8_t *at, unsigned width,
                     uint64_t *ret_values)
{
    if (width <= 56) {
        way->unpack32(at, width, ret_values);
        return;
    }
    for (size_t i = 0; i < 32; i++)
        ret_values[i] = bits_at(at, i * width, width);
}

static void unpack8(const struct bits_way *way, const uint8_t *at, unsigned width,
                    uint32_t *ret_values)
{
    if (width <= 25) {
        way->unpack8(at, width, ret_values);
        return;
    }
    for (size_t i = 0; i < 8; i++)
        ret_values[i] = (uint32_t)bits_at(at, i * width, width);
}

// Packs `count` values behind each other; what is left of the last byte is zeros.
struct packer {
    uint8_t *at;
    __extension__ unsigned __int128 bits;
    unsigned held;
};

static inline void pack(struct packer *packer, uint64_t value, unsigned width)
{
    __extension__ typedef unsigned __int128 wide;
    packer->bits |= (wide)value << packer->held;
    packer->held += width;
    if (packer->held >= 64) {
        store_le64(packer->at, (uint64_t)packer->bits);
        packer->at += 8;
        packer->bits >>= 64;
        packer->held -= 64;
    }
}

static uint8_t *pack_end(struct packer *packer)
{
    for (; packer->held > 0; packer->held -= packer->held < 8 ? packer->held : 8) {
        *packer->at++ = (uint8_t)packer->bits;
        packer->bits >>= 8;
    }
    return packer->at;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_zigzag(uint8_t *at, uint64_t value)
{
    return put_varint(at, value << 1 ^ (uint64_t)((int64_t)value >> 63));
}

static const uint8_t *take_varint(const uint8_t *at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
        value |= (uint64_t)(*at & 0x7f) << shift;
        if (*at++ < 0x80) {
            *ret_value = value;
            return at;
        }
    }
    return NULL;
}

static const uint8_t *take_zigzag(const uint8_t *at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value;
    at = take_varint(at, end, &value);
    if (at)
        *ret_value = value >> 1 ^ (0 - (value & 1));
    return at;
}

// ---- Deltas.

size_t delta_size_max(size_t count)
{
    size_t blocks = count / BLOCK + 1;
    return 40 + blocks * (10 + MINIBLOCKS) + (count + BLOCK) * 8;
}

size_t delta_room(size_t count)
{
    return (count + 31) / 32 * 32 + 32;
}

// Differences of one block, values[-1] the value before; returns whether they are not all the same.
static bool differences(const uint64_t *values, size_t count, bool narrow, uint64_t *ret_deltas)
{
    for (size_t i = 0; i < count; i++)
        ret_deltas[i] = values[i] - values[(ptrdiff_t)i - 1];
    for (size_t i = 0; narrow && i < count; i++)
        ret_deltas[i] = (uint64_t)(int32_t)ret_deltas[i];
    uint64_t differ = 0;
    for (size_t i = 1; i < count; i++)
        differ |= ret_deltas[i] ^ ret_deltas[0];
    return differ != 0;
}

static uint64_t least_of(const uint64_t *deltas, size_t count)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < count; i++)
        least = (int64_t)deltas[i] < least ? (int64_t)deltas[i] : least;
    return (uint64_t)least;
}

// What goes up by the same each time, as positions do, takes no bits.
static uint8_t *encode_same(uint64_t delta, uint8_t *at)
{
    at = put_zigzag(at, delta);
    memset(at, 0, MINIBLOCKS); // widths
    return at + MINIBLOCKS;
}

static uint8_t *encode_block(const uint64_t *deltas, size_t count, uint64_t least, bool narrow,
                             uint8_t *at)
{
    uint64_t packed[BLOCK] = {};
    uint64_t mask = narrow ? UINT32_MAX : UINT64_MAX;
    for (size_t i = 0; i < count; i++)
        packed[i] = (deltas[i] - least) & mask;
    at = put_zigzag(at, least);
    uint8_t *widths = at;
    at += MINIBLOCKS;
    for (size_t m = 0; m < MINIBLOCKS; m++) {
        uint64_t all = 0;
        for (size_t i = 0; i < MINIBLOCK; i++)
            all |= packed[m * MINIBLOCK + i];
        unsigned width = bits_width(all);
        widths[m] = (uint8_t)width;
        struct packer packer = {.at = at};
        for (size_t i = 0; i < MINIBLOCK && width; i++)
            pack(&packer, packed[m * MINIBLOCK + i], width);
        at = pack_end(&packer);
    }
    return at;
}

size_t delta_encode(const uint64_t *values, size_t count, bool narrow, uint8_t *ret_bytes)
{
    uint8_t *at = put_varint(ret_bytes, BLOCK);
    at = put_varint(at, MINIBLOCKS);
    at = put_varint(at, count);
    uint64_t before = count ? values[0] : 0;
    at = put_zigzag(at, narrow ? (uint64_t)(int32_t)before : before);
    for (size_t done = 1; done < count; done += BLOCK) {
        size_t some = count - done < BLOCK ? count - done : BLOCK;
        uint64_t deltas[BLOCK];
        at = differences(values + done, some, narrow, deltas)
                 ? encode_block(deltas, some, least_of(deltas, some), narrow, at)
                 : encode_same(deltas[0], at);
    }
    return (size_t)(at - ret_bytes);
}

struct delta_head {
    uint64_t block, miniblocks, count, value;
};

static const uint8_t *delta_begin(const uint8_t *at, const uint8_t *end, struct delta_head *head)
{
    at = take_varint(at, end, &head->block);
    at = at ? take_varint(at, end, &head->miniblocks) : NULL;
    at = at ? take_varint(at, end, &head->count) : NULL;
    at = at ? take_zigzag(at, end, &head->value) : NULL;
    if (!at || head->block == 0 || head->block > FOREIGN_BLOCK_MAX || head->block % 128 ||
        head->miniblocks == 0 || head->miniblocks > head->block / 32 ||
        head->block % head->miniblocks || head->block / head->miniblocks % 32)
        return NULL;
    return at;
}

// One block: up to `count` values from `values` on; the rest of its groups is padding.
static const uint8_t *decode_block(const struct bits_way *way, const struct delta_head *head,
                                   const uint8_t *at, const uint8_t *end, size_t count,
                                   uint64_t *values)
{
    uint64_t least;
    at = take_zigzag(at, end, &least);
    if (!at || head->miniblocks > (uint64_t)(end - at))
        return NULL;
    const uint8_t *widths = at;
    at += head->miniblocks;
    size_t mini = head->block / head->miniblocks, done = 0;
    uint64_t before = values[-1];
    for (uint64_t m = 0; m < head->miniblocks && done < count; m++) {
        unsigned width = widths[m];
        if (width > 64 || mini * width / 8 > (uint64_t)(end - at))
            return NULL;
        for (size_t i = 0; i < mini && done < count; i += 32, done += 32) {
            unpack32(way, at + i * width / 8, width, values + done);
            before = way->sum32(values + done, before, least);
        }
        at += mini * width / 8;
    }
    return at;
}

const uint8_t *delta_decode(const struct bits_way *way, const uint8_t *at, const uint8_t *end,
                            size_t count, uint64_t *ret_values)
{
    struct delta_head head;
    at = delta_begin(at, end, &head);
    if (!at || head.count != count)
        return NULL;
    ret_values[0] = head.value;
    for (size_t done = 1; done < count && at; done += head.block) {
        size_t some = count - done < head.block ? count - done : head.block;
        at = decode_block(way, &head, at, end, some, ret_values + done);
    }
    return at;
}

// ---- Runs.

enum { RUN_MIN = 8 };

size_t runs_size_max(size_t count, unsigned width)
{
    return (count + 8) * width / 8 + (count / 8 + 2) * 15 + 32;
}

static uint8_t *put_packed(const uint32_t *values, size_t count, unsigned width, uint8_t *at)
{
    size_t groups = (count + 7) / 8;
    at = put_varint(at, groups << 1 | 1);
    struct packer packer = {.at = at};
    for (size_t i = 0; i < groups * 8; i++)
        pack(&packer, i < count ? values[i] : 0, width);
    return pack_end(&packer);
}

static uint8_t *put_run(uint32_t value, size_t count, unsigned width, uint8_t *at)
{
    at = put_varint(at, count << 1);
    for (unsigned i = 0; i < width; i += 8)
        *at++ = (uint8_t)(value >> i);
    return at;
}

size_t runs_encode(const uint32_t *values, size_t count, unsigned width, uint8_t *ret_bytes)
{
    uint8_t *at = ret_bytes;
    size_t loose = 0; // where the values begin that are in no run
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && values[end] == values[i])
            end++;
        size_t begin = i + (8 - (i - loose) % 8) % 8; // fills up the group before
        if (end >= begin + RUN_MIN) {
            if (begin > loose)
                at = put_packed(values + loose, begin - loose, width, at);
            at = put_run(values[i], end - begin, width, at);
            loose = end;
        }
        i = end;
    }
    if (loose < count)
        at = put_packed(values + loose, count - loose, width, at);
    return (size_t)(at - ret_bytes);
}

static const uint8_t *take_run(const uint8_t *at, const uint8_t *end, unsigned width, size_t count,
                               uint32_t *ret_values)
{
    unsigned bytes = (width + 7) / 8;
    if (bytes > (size_t)(end - at))
        return NULL;
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << (8 * i);
    for (size_t i = 0; i < count; i++)
        ret_values[i] = value;
    return at + bytes;
}

const uint8_t *runs_decode(const struct bits_way *way, const uint8_t *at, const uint8_t *end,
                           unsigned width, size_t count, uint32_t *ret_values)
{
    if (width > 32)
        return NULL;
    for (size_t done = 0; done < count && at;) {
        uint64_t head;
        at = take_varint(at, end, &head);
        if (!at || head >> 1 == 0)
            return NULL;
        size_t left = count - done;
        if (head & 1) {
            uint64_t groups = head >> 1, wanted = (left + 7) / 8;
            if (width && groups > (uint64_t)(end - at) / width)
                return NULL;
            size_t some = groups < wanted ? (size_t)groups : wanted;
            for (size_t g = 0; g < some; g++)
                unpack8(way, at + g * width, width, ret_values + done + g * 8);
            done += some * 8;
            at += groups * width;
            continue;
        }
        size_t some = head >> 1 < left ? (size_t)(head >> 1) : left;
        at = take_run(at, end, width, some, ret_values + done);
        done += some;
    }
    return at;
}
