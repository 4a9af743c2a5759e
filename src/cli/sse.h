// SPDX-License-Identifier: Apache-2.0
// Server-Sent Events (the WHATWG's text/event-stream) out of the pieces of an answer.
#pragma once

#include "cli/lines.h"

enum { SSE_ID_MAX = 64 };

// One message; `id` is the last that was told, by this message or an earlier one.
typedef bool sse_each(void *context, str id, str data);

struct sse {
    struct lines lines;
    struct buf data;
    char id[SSE_ID_MAX];
    size_t id_len;
    bool has_data;
    sse_each *each;
    void *context;
};

void sse_init(struct sse *sse, size_t message_bytes_max, sse_each *each, void *context);
void sse_deinit(struct sse *sse);
bool sse_feed(struct sse *sse, str piece); // false when `each` ended it, or a message is too long
void sse_reset(struct sse *sse);           // a new connection; the last id stays
