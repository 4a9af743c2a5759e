// SPDX-License-Identifier: Apache-2.0
#include "base/uuid.h"

static const char digits[] = "0123456789abcdef";

static bool hyphen_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void uuid_format(als_id id, char text[static UUID_TEXT_LEN])
{
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        if (hyphen_before(i))
            *text++ = '-';
        *text++ = digits[id.bytes[i] >> 4];
        *text++ = digits[id.bytes[i] & 15];
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool uuid_parse(str text, als_id *ret_id)
{
    if (str_starts(text, S("urn:uuid:")))
        text = str_from(text, 9);
    else if (text.len >= 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}')
        text = (str){text.ptr + 1, text.len - 2};
    bool hyphens = text.len == UUID_TEXT_LEN;
    if (!hyphens && text.len != 32)
        return false;
    als_id id;
    const char *at = text.ptr;
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        if (hyphens && hyphen_before(i) && *at++ != '-')
            return false;
        int high = hex_value(at[0]), low = hex_value(at[1]);
        if (high < 0 || low < 0)
            return false;
        id.bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    *ret_id = id;
    return true;
}

als_id uuid_v7(int64_t now_us, const uint8_t random[static 10])
{
    uint64_t ms = now_us < 0 ? 0 : (uint64_t)now_us / 1000;
    als_id id;
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ms >> (8 * (5 - i)));
    memcpy(id.bytes + 6, random, 10);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x70);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}
