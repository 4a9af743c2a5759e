// SPDX-License-Identifier: Apache-2.0
// An event store inside a program. Run it twice: the second time the order is there already.
//     cc -std=c99 embed.c $(pkg-config --cflags --libs allsource) -o embed && ./embed orders
#include <allsource.h>

#include <stdio.h>

static void append(struct als *als, const char *payload, int64_t expected_version)
{
    struct als_draft draft = ALS_DRAFT_INIT;
    draft.entity = als_text("order-42");
    draft.type = als_text("order.changed");
    draft.payload = als_text(payload);
    draft.expected_version = expected_version; // refused if somebody was faster
    struct als_append append = ALS_APPEND_INIT;
    append.drafts = &draft;
    append.count = 1;
    struct als_outcome outcome;
    if (als_append_wait(als, &append, NULL, &outcome))
        printf("not appended: %s\n", outcome.why.text);
}

int main(int count, char **words)
{
    struct als *als;
    struct als_why why;
    if (als_open(count > 1 ? words[1] : NULL, NULL, &als, &why))
        return fprintf(stderr, "%s\n", why.text), 1;

    append(als, "{\"total\":99,\"paid\":false}", ALS_EXPECT_NONE);
    append(als, "{\"paid\":true}", 1);

    struct als_query query = ALS_QUERY_INIT;
    query.entity = als_text("order-42");
    struct als_cursor *cursor = NULL;
    struct als_event event;
    if (!als_query_open(als, &query, &cursor, &why))
        while (!als_cursor_next(cursor, &event, &why) && event.position)
            printf("%d %.*s\n", (int)event.position, (int)event.payload.len, event.payload.ptr);
    als_cursor_close(cursor);

    struct als_state_query now = ALS_STATE_QUERY_INIT;
    now.entity = query.entity;
    struct als_state *state = NULL;
    if (!als_state_open(als, &now, &state, &why))
        printf("state %.*s\n", (int)als_state_view(state).json.len, als_state_view(state).json.ptr);
    als_state_close(state);
    als_close(als);
    return 0;
}
