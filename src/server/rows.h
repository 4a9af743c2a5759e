// SPDX-License-Identifier: Apache-2.0
// Answers with any number of events, in bounded memory.
//
// Events go from the cursor into chunks as fast as the client reads. An answer that fits into the
// first chunk is sent in one piece with its length; and what fails before the first chunk is full
// is still answered with its proper status. Later the connection is cut, so that the client sees
// that the answer is not whole.
#pragma once

#include "base/buf.h"
#include "server/call.h"

enum { ROWS_CHUNK_BYTES = 64 << 10 };

// Lives in the arena of its call.
struct rows {
    struct call *call;
    struct als_cursor *cursor;
    void (*put)(struct buf *buf, const struct als_event *event);
    struct als_upcaster *upcaster; // events are put as it gives them; NULL: by `put`. Closed here
    // Ends the answer, from what was counted. NULL: nothing.
    void (*put_tail)(const struct rows *rows, struct buf *buf);
    void *context;  // of put_tail
    uint64_t limit; // give at most so many; the cursor has one more when there is more
    str content_type;
    bool lines;   // events end with a line feed, else commas stand between them
    bool metered; // counts as a query
    // Filled while rows are given:
    uint64_t count;
    als_position last; // the position of the last one
    bool cut;          // there were more than `limit`
    str begun;         // the first chunk, once the answer is a stream
};

// Opens the query, with one event more than `limit` so that `cut` is known. Answers and returns
// NULL when it cannot.
struct rows *rows_open(struct call *call, struct als_query query);
// Answers. What stands before the events is in the request's buffer already; it may be empty.
void rows_answer(struct rows *rows);
