// SPDX-License-Identifier: Apache-2.0
#include "cli/lines.h"

void lines_init(struct lines *lines, size_t line_bytes_max, lines_each *each, void *context)
{
    *lines = (struct lines){.each = each, .context = context};
    buf_init(&lines->partial, line_bytes_max);
}

void lines_deinit(struct lines *lines)
{
    buf_deinit(&lines->partial);
}

void lines_reset(struct lines *lines)
{
    buf_reset(&lines->partial);
    lines->too_long = false;
}

static bool hand_on(struct lines *lines, str line)
{
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return lines->each(lines->context, line);
}

static bool gather(struct lines *lines, str piece)
{
    buf_put_str(&lines->partial, piece);
    lines->too_long = buf_failed(&lines->partial);
    return !lines->too_long;
}

bool lines_feed(struct lines *lines, str piece)
{
    while (piece.len) {
        size_t at = str_find(piece, '\n');
        if (at == piece.len)
            return gather(lines, piece);
        str line = str_first(piece, at);
        piece = str_from(piece, at + 1);
        if (lines->partial.len == 0) { // the usual case copies nothing
            if (!hand_on(lines, line))
                return false;
            continue;
        }
        if (!gather(lines, line))
            return false;
        bool more = hand_on(lines, buf_str(&lines->partial));
        buf_reset(&lines->partial);
        if (!more)
            return false;
    }
    return true;
}

bool lines_end(struct lines *lines)
{
    if (lines->partial.len == 0)
        return true;
    bool more = hand_on(lines, buf_str(&lines->partial));
    buf_reset(&lines->partial);
    return more;
}
