// SPDX-License-Identifier: Apache-2.0
// Any bytes as the body of a request. The first byte says of which: 'e' an event, 'b' a batch,
// 'l' lines, 'q' a query.
//
// What is accepted keeps its promises: every draft points to checked JSON, a minified one is
// minified, and an event made of it is JSON again. What is refused says why.
#include "base/limits.h"
#include "server/draft.h"
#include "server/event_json.h"
#include "server/filter.h"
#include "json/json.h"

#include <assert.h>
#include <stdlib.h>

enum { EVENTS_MAX = 50, ARENA_MAX = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_minified(str text)
{
    char *small = malloc(text.len);
    assert(small);
    assert(json_minify(text, small) == text.len);
    free(small);
}

static void check_draft(const struct als_draft *draft)
{
    assert(json_check(draft->payload, 0, NULL) == ALS_OK);
    assert(draft->metadata.len == 0 || json_check(draft->metadata, 0, NULL) == ALS_OK);
    if (draft->json == ALS_JSON_MINIFIED) {
        check_minified(draft->payload);
        if (draft->metadata.len)
            check_minified(draft->metadata);
    }
    assert(draft->expected_version == ALS_EXPECT_ANY ||
           draft->expected_version >= ALS_EXPECT_EXISTS);
    if (draft->type.len > TYPE_BYTES_MAX || draft->entity.len > ENTITY_BYTES_MAX)
        return; // the engine refuses it

    struct als_event event = {
        .position = 1,
        .version = 1,
        .id = draft->id,
        .timestamp_us = draft->timestamp_us == ALS_TIME_UNSET ? 0 : draft->timestamp_us,
        .tenant = {"t", 1},
        .entity = draft->entity,
        .type = draft->type,
        .payload = draft->payload,
        .metadata = draft->metadata,
    };
    struct buf buf;
    buf_init(&buf, ARENA_MAX);
    event_json_put(&buf, &event);
    assert(!buf_failed(&buf));
    assert(json_check(buf_str(&buf), JSON_DEPTH_MAX + 1, NULL) == ALS_OK);
    buf_deinit(&buf);
}

static void check_drafts(enum draft_form form, str body, struct arena *arena)
{
    struct draft_list list = {};
    struct flaw flaw = {};
    if (draft_read(form, body, EVENTS_MAX, arena, &list, &flaw)) {
        assert(flaw.why.text[0]);
        assert(list.count == 0 && !list.drafts);
        return;
    }
    assert(list.count >= 1 && list.count <= EVENTS_MAX);
    assert(list.condition_count <= BATCH_CONDITIONS_MAX);
    for (size_t i = 0; i < list.count; i++)
        check_draft(&list.drafts[i]);
}

static void check_query(str body, struct arena *arena)
{
    struct json_doc doc;
    struct params params = {};
    struct filter filter;
    struct flaw flaw = {};
    if (json_parse(body, (struct json_options){.span_depth = 2}, arena, &doc, NULL, NULL))
        return;
    if (params_from_json(&doc, arena, &params, &flaw) || filter_read(&params, &filter, &flaw)) {
        assert(flaw.why.text[0]);
        return;
    }
    assert(filter.query.type_count <= QUERY_TYPES_MAX);
    assert(filter.query.until_us <= ALS_TIME_MAX && filter.query.since_us >= ALS_TIME_MIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *copy = malloc(size); // so that the sanitizer sees its ends
    assert(copy);
    memcpy(copy, data + 1, size - 1);
    str body = {copy, size - 1};
    struct arena arena;
    arena_init(&arena, 4096, ARENA_MAX);
    switch (data[0]) {
    case 'e':
        check_drafts(DRAFT_EVENT, body, &arena);
        break;
    case 'b':
        check_drafts(DRAFT_BATCH, body, &arena);
        break;
    case 'l':
        check_drafts(DRAFT_LINES, body, &arena);
        break;
    default:
        check_query(body, &arena);
    }
    arena_deinit(&arena);
    free(copy);
    return 0;
}
