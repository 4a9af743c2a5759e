// SPDX-License-Identifier: Apache-2.0
// Schemas by <allsource.h>: what the server does is tests/http/test_schemas.py's to prove.
#include "base/own.h"
#include "test.h"

#include <allsource.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

AUTO_WITH(als, als_close)
AUTO_WITH(als_validation, als_validation_close)

static struct als *open_als(bool strict)
{
    struct als *als;
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.schemas_strict = strict;
    CHECK_OK(als_open(NULL, &options, &als, NULL));
    return als;
}

static struct als_schema_version register_schema(struct als *als, const char *subject,
                                                 const char *json, enum als_enforcement enforcement)
{
    struct als_schema_version schema;
    struct als_why why = {""};
    struct als_schema_draft draft = ALS_SCHEMA_DRAFT_INIT;
    draft.subject = als_text(subject);
    draft.json = als_text(json);
    draft.compatibility = ALS_COMPATIBILITY_NONE;
    draft.enforcement = enforcement;
    if (als_schema_register(als, &draft, &schema, NULL, &why) != ALS_OK)
        test_fail(__FILE__, __LINE__, "%s", why.text);
    return schema;
}

static struct als_draft draft_of(const char *type, const char *payload)
{
    struct als_draft draft = ALS_DRAFT_INIT;
    draft.entity = als_text("e");
    draft.type = als_text(type);
    draft.payload = als_text(payload);
    return draft;
}

static err append_one(struct als *als, struct als_draft draft, struct als_outcome *ret_outcome)
{
    struct als_append append = ALS_APPEND_INIT;
    append.drafts = &draft;
    append.count = 1;
    return als_append_wait(als, &append, NULL, ret_outcome);
}

TEST(a_refused_payload_says_which_one_and_why)
{
    AUTO(als) als = open_als(true);
    register_schema(als, "t", "{\"required\":[\"a\"]}", ALS_ENFORCEMENT_KEEP);
    struct als_draft drafts[] = {draft_of("t", "{\"a\":1}"), draft_of("free", "1"),
                                 draft_of("t", " {} ")};
    struct als_outcome outcome;
    AUTO(als_validation) validation = NULL;
    struct als_append append = ALS_APPEND_INIT;
    append.drafts = drafts;
    append.count = COUNT_OF(drafts);
    append.ret_validation = &validation;
    CHECK_ERR(ALS_VALIDATION, als_append_wait(als, &append, NULL, &outcome));
    CHECK_EQUAL(2, outcome.index);
    CHECK(validation);
    struct als_validation_view view = als_validation_view(validation);
    CHECK(!view.valid);
    CHECK_EQUAL(1, view.count);
    CHECK_STR(S("t"), view.subject);
    CHECK_EQUAL(1, view.version);
    CHECK_STR(S("Missing required field: a"), als_validation_error(validation, 0).message);
    CHECK_STR(S("/required"), als_validation_error(validation, 0).location);
    CHECK(als_validation_error(validation, 1).message.ptr == NULL);
    CHECK_STR(S("{\"valid\":false}"), als_validation_json(validation, ALS_SCHEMA_FLAG));
}

TEST(the_largest_event_can_be_checked_and_a_larger_one_is_too_large)
{
    struct als *made;
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.event_bytes_max = 65536;
    options.schemas_strict = true;
    CHECK_OK(als_open(NULL, &options, &made, NULL));
    AUTO(als) als = made;
    register_schema(als, "t", "{\"type\":\"array\",\"items\":{\"const\":1}}", ALS_ENFORCEMENT_KEEP);
    char *payload = malloc(1 << 20);
    CHECK(payload);
    struct als_draft draft = draft_of("t", "");
    draft.payload.ptr = payload;
    for (size_t size = 65533; size <= 65535; size += 2) { // and two bytes of names
        for (size_t i = 1; i + 1 < size; i++)
            payload[i] = i % 2 ? '1' : ',';
        payload[0] = '[';
        payload[size - 1] = ']';
        draft.payload.len = size;
        CHECK_ERR(size == 65533 ? ALS_OK : ALS_TOO_LARGE, append_one(als, draft, NULL));
    }
    memset(payload, '[', 1 << 20);
    draft.payload.len = 1 << 20;
    CHECK_ERR(ALS_INVALID_EVENT, append_one(als, draft, NULL));
    draft.payload = S("{\"a\":");
    CHECK_ERR(ALS_INVALID_EVENT, append_one(als, draft, NULL));
    draft.payload = S(" [ 1 , 1 ] ");
    draft.metadata = S("{");
    CHECK_ERR(ALS_INVALID_EVENT, append_one(als, draft, NULL));
    draft.metadata = S(" { } ");
    CHECK_OK(append_one(als, draft, NULL));
    free(payload);
}

TEST(what_is_checked_is_stored_minified)
{
    AUTO(als) als = open_als(true);
    register_schema(als, "t", "true", ALS_ENFORCEMENT_KEEP);
    static const char *const payloads[][2] = {{"[1,2]", "[1,2]"},  {" [1,2]", "[1,2]"},
                                              {"[1, 2]", "[1,2]"}, {"[1,2]\n", "[1,2]"},
                                              {" 7 ", "7"},        {"\"a b\"", "\"a b\""}};
    for (size_t i = 0; i < COUNT_OF(payloads); i++)
        CHECK_OK(append_one(als, draft_of("t", payloads[i][0]), NULL));
    struct als_query query = ALS_QUERY_INIT;
    struct als_cursor *cursor;
    struct als_event event;
    CHECK_OK(als_query_open(als, &query, &cursor, NULL));
    for (size_t i = 0; i < COUNT_OF(payloads); i++) {
        CHECK_OK(als_cursor_next(cursor, &event, NULL));
        CHECK_STR(str_of(payloads[i][1]), event.payload);
        CHECK_EQUAL(1, event.schema_version);
    }
    als_cursor_close(cursor);
}

TEST(the_version_of_a_draft_is_kept_where_nothing_is_enforced)
{
    AUTO(als) als = open_als(false);
    register_schema(als, "t", "{}", ALS_ENFORCEMENT_KEEP);
    struct als_draft draft = draft_of("t", "1");
    draft.schema_version = 7;
    CHECK_OK(append_one(als, draft, NULL));
    struct als_query query = ALS_QUERY_INIT;
    struct als_cursor *cursor;
    struct als_event event;
    CHECK_OK(als_query_open(als, &query, &cursor, NULL));
    CHECK_OK(als_cursor_next(cursor, &event, NULL));
    CHECK_EQUAL(7, event.schema_version);
    als_cursor_close(cursor);
}

TEST(bad_arguments_are_told)
{
    AUTO(als) als = open_als(false);
    struct als_schema_version schema;
    struct als_subject subject;
    struct als_schema_query query = ALS_SCHEMA_QUERY_INIT;
    struct als_schema_draft draft = ALS_SCHEMA_DRAFT_INIT, no_size = {0};
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_register(NULL, &draft, NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_register(als, NULL, NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_register(als, &no_size, NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_register(als, &draft, NULL, NULL, NULL));
    draft.subject = als_text("t");
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_register(als, &draft, NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_find(als, &query, NULL, NULL));
    CHECK_ERR(ALS_SUBJECT_NOT_FOUND, als_schema_find(als, &query, &schema, NULL));
    CHECK_ERR(ALS_SCHEMA_NOT_FOUND, als_schema_of_id(als, S(""), 1, &schema, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_schemas(als, S(""), S(""), NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_subject_show(als, S(""), S("t"), NULL, NULL));
    subject = (struct als_subject){.compatibility = (enum als_compatibility)99};
    CHECK_ERR(ALS_INVALID_INPUT, als_subject_set(als, S(""), S("t"), &subject, NULL));
    subject = (struct als_subject){.enforcement = (enum als_enforcement)99};
    CHECK_ERR(ALS_INVALID_INPUT, als_subject_set(als, S(""), S("t"), &subject, NULL));
    struct als_upcaster *upcaster;
    CHECK_ERR(ALS_INVALID_INPUT, als_upcaster_open(als, S(""), 0, &upcaster, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_upcaster_open(als, S(""), 1, NULL, NULL));
}

TEST(a_tenant_that_nobody_wrote_to_has_no_schemas_and_stays_unmade)
{
    AUTO(als) als = open_als(false);
    struct als_subject subject;
    struct als_stats stats;
    CHECK_OK(als_subject_show(als, als_text("nobody"), als_text("t"), &subject, NULL));
    CHECK_EQUAL(ALS_COMPATIBILITY_BACKWARD, subject.effective);
    CHECK_EQUAL(ALS_COMPATIBILITY_INHERIT, subject.compatibility);
    CHECK_OK(als_stats(als, S(""), &stats, NULL));
    CHECK_EQUAL(0, stats.tenants);
}

TEST(names_of_modes_go_both_ways)
{
    for (unsigned i = 0; i <= ALS_COMPATIBILITY_FULL_TRANSITIVE; i++) {
        enum als_compatibility mode = (enum als_compatibility)i, back;
        als_str name = als_compatibility_name(mode);
        CHECK_EQUAL(i >= ALS_COMPATIBILITY_NONE, name.len > 0);
        if (name.len)
            CHECK(als_compatibility_named(name, &back) && back == mode);
    }
    enum als_compatibility mode;
    CHECK(!als_compatibility_named(S("full"), &mode));
}

// ---- Threads: schemas change while events are checked by them.

struct changing {
    struct als *als;
    _Atomic bool over;
    _Atomic uint64_t appended;
};

static void *append_until_over(void *context)
{
    struct changing *changing = context;
    do {
        struct als_outcome outcome;
        err code = append_one(changing->als, draft_of("t", "{\"a\":1}"), &outcome);
        if (code == ALS_OK)
            atomic_fetch_add(&changing->appended, 1);
        else if (code != ALS_VALIDATION)
            test_fail(__FILE__, __LINE__, "%s", outcome.why.text);
    } while (!atomic_load(&changing->over));
    return NULL;
}

TEST(schemas_change_while_events_are_checked)
{
    AUTO(als) als = open_als(false);
    register_schema(als, "t", "{\"required\":[\"a\"]}", ALS_ENFORCEMENT_ON);
    struct changing changing = {.als = als};
    pthread_t threads[3];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_EQUAL(0, pthread_create(&threads[i], NULL, append_until_over, &changing));
    for (int i = 0; i < 60; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"required\":[\"%s\"],\"maxProperties\":%d}",
                 i % 2 ? "a" : "b", i + 1);
        register_schema(als, "t", json, i % 5 ? ALS_ENFORCEMENT_KEEP : ALS_ENFORCEMENT_ON);
        if (i % 7 == 0)
            CHECK_OK(als_schema_deprecate(als, S(""), als_text("t"), (uint32_t)i + 1, NULL));
    }
    atomic_store(&changing.over, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_EQUAL(0, pthread_join(threads[i], NULL));
    struct als_stats stats;
    CHECK_OK(als_stats(als, als_text("default"), &stats, NULL));
    CHECK_EQUAL(atomic_load(&changing.appended), stats.events);
}

// ---- Memory. The sanitizers' runtime counts for us; other builds run the test without the count.

extern int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *,
                                                                       size_t),
                                                     void (*freed)(const volatile void *))
    __attribute__((weak));

static _Atomic uint64_t allocations;

static void count_allocation(const volatile void *memory, size_t size)
{
    (void)memory, (void)size;
    atomic_fetch_add(&allocations, 1);
}

static void ignore_free(const volatile void *memory)
{
    (void)memory;
}

static void append_checked(struct als *als, int count)
{
    for (int i = 0; i < count; i++)
        CHECK_OK(append_one(
            als, draft_of("t", "{\"a\":[1,2.5,{\"b\":\"text\"}],\"c\":null,\"d\":\"e\"}"), NULL));
}

TEST(checking_payloads_allocates_nothing)
{
    struct als *als = open_als(true);
    register_schema(als, "t",
                    "{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":"
                    "\"array\",\"items\":{\"type\":[\"number\",\"object\"]}},\"d\":{\"pattern\":"
                    "\"^e$\"}}}",
                    ALS_ENFORCEMENT_KEEP);
    append_checked(als, 500); // fills the pools
    if (__sanitizer_install_malloc_and_free_hooks)
        (void)__sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_free);
    atomic_store(&allocations, 0);
    append_checked(als, 12'000);
    uint64_t made = atomic_load(&allocations);
    als_close(als);
    if (made > 600) // the growth of the index
        test_fail(__FILE__, __LINE__, "%llu allocations in 12,000 checked appends",
                  (unsigned long long)made);
}
