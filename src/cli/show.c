// SPDX-License-Identifier: Apache-2.0
#include "cli/show.h"

#include <stdio.h>

// ---- Text for terminals

// C0 controls, DEL, and the C1 controls U+0080 to U+009F, which UTF-8 writes as C2 80 to C2 9F:
// some terminals obey them as escape sequences.
static bool is_control(str rest)
{
    unsigned char first = (unsigned char)rest.ptr[0];
    if (first < 0x20 || first == 0x7f)
        return true;
    return first == 0xc2 && rest.len > 1 && (unsigned char)rest.ptr[1] < 0xa0;
}

// The bytes of the character at the start, whatever they are: never 0, never past the end.
static size_t character_len(str rest)
{
    size_t len = 1;
    while (len < rest.len && ((unsigned char)rest.ptr[len] & 0xc0) == 0x80)
        len++;
    return len;
}

size_t show_width(str text)
{
    size_t width = 0;
    for (; text.len; text = str_from(text, character_len(text)))
        width++;
    return width;
}

void show_cell(str text, size_t columns, bool pad, struct buf *buf)
{
    size_t width = 0;
    while (text.len && width < columns) {
        size_t len = character_len(text);
        if (width + 1 == columns && text.len > len) {
            buf_put_str(buf, S("…"));
            width++;
            break;
        }
        if (is_control(text))
            buf_put_char(buf, '?');
        else
            buf_put(buf, text.ptr, len);
        text = str_from(text, len);
        width++;
    }
    for (; pad && width < columns; width++)
        buf_put_char(buf, ' ');
}

// ---- JSON

static void new_line(size_t depth, struct buf *buf)
{
    buf_put_char(buf, '\n');
    for (size_t i = 0; i < depth; i++)
        buf_put_str(buf, S("  "));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Copies the string that begins at `rest` and returns its length with the quotes.
static size_t show_string(str rest, struct buf *buf)
{
    buf_put_char(buf, '"');
    size_t at = 1;
    while (at < rest.len && rest.ptr[at] != '"') {
        str here = str_from(rest, at);
        size_t len = here.ptr[0] == '\\' ? (here.len < 2 ? 1 : 2) : character_len(here);
        if (here.ptr[0] != '\\' && is_control(here))
            buf_printf(buf, "\\u%04x", (unsigned char)here.ptr[len - 1]);
        else
            buf_put(buf, here.ptr, len);
        at += len;
    }
    buf_put_char(buf, '"');
    return at + 1;
}

static char first_solid(str rest)
{
    while (rest.len && is_blank(rest.ptr[0]))
        rest = str_from(rest, 1);
    return rest.len ? rest.ptr[0] : 0;
}

void show_json(str json, struct buf *buf)
{
    size_t depth = 0;
    while (json.len) {
        char c = json.ptr[0];
        size_t len = 1;
        if (c == '"') {
            len = show_string(json, buf);
        } else if (c == '{' || c == '[') {
            buf_put_char(buf, c);
            char next = first_solid(str_from(json, 1));
            depth++;
            if (next != '}' && next != ']')
                new_line(depth, buf);
        } else if (c == '}' || c == ']') {
            bool empty =
                buf->len && (buf->ptr[buf->len - 1] == '{' || buf->ptr[buf->len - 1] == '[');
            depth -= depth ? 1 : 0;
            if (!empty)
                new_line(depth, buf);
            buf_put_char(buf, c);
        } else if (c == ',') {
            buf_put_char(buf, c);
            new_line(depth, buf);
        } else if (c == ':') {
            buf_put_str(buf, S(": "));
        } else if (!is_blank(c)) {
            buf_put_char(buf, c);
        }
        json = str_from(json, len);
    }
}

// ---- Numbers

void show_count(uint64_t count, struct buf *buf)
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            buf_put_char(buf, ',');
        buf_put_char(buf, digits[i]);
    }
}

void show_bytes(uint64_t bytes, struct buf *buf)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    double amount = (double)bytes;
    size_t unit = 0;
    // 999.95 would round up to "1000.0".
    while (amount >= (unit ? 999.95 : 1000) && unit + 1 < sizeof units / sizeof *units) {
        amount /= 1000;
        unit++;
    }
    buf_printf(buf, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
}

void show_duration(double seconds, struct buf *buf)
{
    if (seconds < 0)
        seconds = 0;
    if (seconds < 1)
        buf_printf(buf, "%.3f s", seconds);
    else if (seconds < 59.95)
        buf_printf(buf, "%.1f s", seconds);
    else {
        uint64_t whole = (uint64_t)(seconds + 0.5);
        if (whole < 3600)
            buf_printf(buf, "%u:%02u min", (unsigned)(whole / 60), (unsigned)(whole % 60));
        else
            buf_printf(buf, "%llu:%02u:%02u h", (unsigned long long)(whole / 3600),
                       (unsigned)(whole / 60 % 60), (unsigned)(whole % 60));
    }
}
