// SPDX-License-Identifier: Apache-2.0
#include "cli/sse.h"

static bool dispatch(struct sse *sse)
{
    bool more = true;
    if (sse->has_data)
        more = sse->each(sse->context, (str){sse->id, sse->id_len}, buf_str(&sse->data));
    buf_reset(&sse->data);
    sse->has_data = false;
    return more;
}

static bool each_line(void *context, str line)
{
    struct sse *sse = context;
    if (line.len == 0)
        return dispatch(sse);
    str value = line;
    str field = str_cut(&value, ':'); // empty for a comment
    if (str_starts(value, S(" ")))
        value = str_from(value, 1);
    if (str_equal(field, S("data"))) {
        if (sse->has_data)
            buf_put_char(&sse->data, '\n');
        buf_put_str(&sse->data, value);
        sse->has_data = true;
    } else if (str_equal(field, S("id")) && value.len <= SSE_ID_MAX) {
        if (value.len)
            memcpy(sse->id, value.ptr, value.len);
        sse->id_len = value.len;
    }
    return !buf_failed(&sse->data);
}

void sse_init(struct sse *sse, size_t message_bytes_max, sse_each *each, void *context)
{
    *sse = (struct sse){.each = each, .context = context};
    buf_init(&sse->data, message_bytes_max);
    lines_init(&sse->lines, message_bytes_max, each_line, sse);
}

void sse_deinit(struct sse *sse)
{
    buf_deinit(&sse->data);
    lines_deinit(&sse->lines);
}

bool sse_feed(struct sse *sse, str piece)
{
    return lines_feed(&sse->lines, piece);
}

void sse_reset(struct sse *sse)
{
    lines_reset(&sse->lines);
    buf_reset(&sse->data);
    sse->has_data = false;
}
