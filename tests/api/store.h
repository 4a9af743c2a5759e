// SPDX-License-Identifier: Apache-2.0
// What the tests of the public header share: stores, drafts and appends in few words.
#pragma once

#include "base/own.h"
#include "test.h"

#include <allsource.h>

#include <pthread.h>
#include <stdlib.h>

AUTO_WITH(als, als_close)
AUTO_WITH(als_cursor, als_cursor_close)
AUTO_WITH(als_state, als_state_close)
AUTO_WITH(als_names, als_names_close)
AUTO_WITH(als_follower, als_follower_close)

static inline struct als *store_open(const char *directory)
{
    struct als *als = NULL;
    struct als_why why;
    if (als_open(directory, NULL, &als, &why) != ALS_OK)
        test_fail(__FILE__, __LINE__, "%s", why.text);
    return als;
}

// In memory as far as the system likes: for tests that are not about durability.
static inline struct als *store_open_quick(void)
{
    struct als *als = NULL;
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    CHECK_OK(als_open(NULL, &options, &als, NULL));
    return als;
}

static inline struct als_draft draft_of(const char *entity, const char *type, const char *payload)
{
    struct als_draft draft = ALS_DRAFT_INIT;
    draft.entity = als_text(entity);
    draft.type = als_text(type);
    draft.payload = als_text(payload);
    return draft;
}

static inline als_id id_of(uint8_t number)
{
    als_id id = {{0x01, 0x8f, 0, 0, 0, 0, 0x70, 0, 0x80}};
    id.bytes[15] = number;
    return id;
}

static inline err append_to(struct als *als, const char *tenant, const struct als_draft *drafts,
                            size_t count, struct als_appended *ret_events,
                            struct als_outcome *ret_outcome)
{
    struct als_append append = ALS_APPEND_INIT;
    append.tenant = als_text(tenant);
    append.drafts = drafts;
    append.count = count;
    return als_append_wait(als, &append, ret_events, ret_outcome);
}

// One event for the default tenant; what became of it.
static inline struct als_outcome append_draft(struct als *als, struct als_draft draft)
{
    struct als_outcome outcome;
    if (append_to(als, NULL, &draft, 1, NULL, &outcome) != outcome.code)
        test_fail(__FILE__, __LINE__, "the result is not the outcome's code");
    return outcome;
}

static inline als_position append_ok(struct als *als, const char *entity, const char *type,
                                     const char *payload)
{
    struct als_outcome outcome = append_draft(als, draft_of(entity, type, payload));
    if (outcome.code != ALS_OK)
        test_fail(__FILE__, __LINE__, "%s", outcome.why.text);
    return outcome.first;
}

static inline als_position append_for(struct als *als, const char *tenant, const char *entity,
                                      const char *type, const char *payload)
{
    struct als_draft draft = draft_of(entity, type, payload);
    struct als_outcome outcome;
    CHECK_OK(append_to(als, tenant, &draft, 1, NULL, &outcome));
    return outcome.first;
}

static inline uint64_t count_of(struct als *als, struct als_query query)
{
    AUTO(als_cursor) cursor = NULL;
    struct als_event event;
    uint64_t count = 0;
    CHECK_OK(als_query_open(als, &query, &cursor, NULL));
    for (;;) {
        CHECK_OK(als_cursor_next(cursor, &event, NULL));
        if (event.position == 0)
            return count;
        count++;
    }
}

static inline uint64_t event_count(struct als *als, const char *tenant)
{
    struct als_query query = ALS_QUERY_INIT;
    query.tenant = als_text(tenant);
    return count_of(als, query);
}

// A number that other threads raise and a test waits for.
struct counter {
    pthread_mutex_t mutex;
    pthread_cond_t raised;
    uint64_t count;
};
#define COUNTER_INIT                                                                               \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                     \
    }

static inline void counter_raise(struct counter *counter)
{
    pthread_mutex_lock(&counter->mutex);
    counter->count++;
    pthread_cond_broadcast(&counter->raised);
    pthread_mutex_unlock(&counter->mutex);
}

static inline void counter_wait(struct counter *counter, uint64_t count)
{
    pthread_mutex_lock(&counter->mutex);
    while (counter->count < count)
        pthread_cond_wait(&counter->raised, &counter->mutex);
    pthread_mutex_unlock(&counter->mutex);
}

static inline uint64_t counter_read(struct counter *counter)
{
    pthread_mutex_lock(&counter->mutex);
    uint64_t count = counter->count;
    pthread_mutex_unlock(&counter->mutex);
    return count;
}
