// SPDX-License-Identifier: Apache-2.0
#include "event/event.h"

#include "base/bytes.h"
#include "base/rand.h"
#include "test.h"

static const char *refusal(err (*check)(str, struct als_why *), str name)
{
    static struct als_why why;
    why.text[0] = '\0';
    return check(name, &why) == ALS_OK ? "" : why.text;
}

#define REFUSED(check, name, sentence) CHECK_STR(S(sentence), str_of(refusal(check, name)))
#define ACCEPTED(check, name) CHECK_STR(S(""), str_of(refusal(check, name)))

TEST(types_follow_the_contract_with_its_sentences)
{
    char long_name[129];
    memset(long_name, 'a', sizeof long_name);
    ACCEPTED(event_check_type, S("order.placed"));
    ACCEPTED(event_check_type, S("test"));
    ACCEPTED(event_check_type, S("a_1.b2"));
    ACCEPTED(event_check_type, S("caf\xc3\xa9"));
    ACCEPTED(event_check_type, S("\xc2\xbd")); // one half is numeric
    ACCEPTED(event_check_type, ((str){long_name, 128}));
    REFUSED(event_check_type, S(""), "Event type cannot be empty");
    REFUSED(event_check_type, ((str){long_name, 129}),
            "Event type cannot exceed 128 characters, got 129");
    REFUSED(event_check_type, S("Order.Placed"),
            "Event type 'Order.Placed' must be lowercase with dots/underscores. Convention: "
            "namespace.entity.action");
    REFUSED(event_check_type, S("a-b"),
            "Event type 'a-b' must be lowercase with dots/underscores. Convention: "
            "namespace.entity.action");
    REFUSED(event_check_type, S("\xe4\xb8\xad"),
            "Event type '\xe4\xb8\xad' must be lowercase with dots/underscores. Convention: "
            "namespace.entity.action");
    REFUSED(event_check_type, S(".a"), "Event type '.a' cannot start or end with a dot");
    REFUSED(event_check_type, S("a."), "Event type 'a.' cannot start or end with a dot");
    REFUSED(event_check_type, S("a..b"), "Event type 'a..b' cannot have consecutive dots");
    REFUSED(event_check_type, S("\xff"), "Event type must be valid UTF-8");
}

TEST(entities_follow_the_contract_with_its_sentences)
{
    char long_name[129];
    memset(long_name, 'a', sizeof long_name);
    ACCEPTED(event_check_entity, S("Order-42/\xe4\xb8\xad ?&"));
    ACCEPTED(event_check_entity, ((str){long_name, 128}));
    REFUSED(event_check_entity, S(""), "Entity ID cannot be empty");
    REFUSED(event_check_entity, ((str){long_name, 129}),
            "Entity ID cannot exceed 128 characters, got 129");
    REFUSED(event_check_entity, S("a\nb"), "Entity ID cannot contain control characters");
    REFUSED(event_check_entity, S("a\x7f"), "Entity ID cannot contain control characters");
    REFUSED(event_check_entity, S("a\xc2\x85z"), "Entity ID cannot contain control characters");
    REFUSED(event_check_entity, S("   "), "Entity ID cannot be only whitespace");
    REFUSED(event_check_entity, S(" a"), "Entity ID cannot have leading or trailing whitespace");
    REFUSED(event_check_entity, S("a\xc2\xa0"),
            "Entity ID cannot have leading or trailing whitespace");
}

TEST(tenants_follow_the_contract)
{
    char long_name[65];
    memset(long_name, 'a', sizeof long_name);
    ACCEPTED(event_check_tenant, S("default"));
    ACCEPTED(event_check_tenant, S("Acme_1-\xc3\x96"));
    ACCEPTED(event_check_tenant, ((str){long_name, 64}));
    CHECK(*refusal(event_check_tenant, S("")) && *refusal(event_check_tenant, S("../x")));
    CHECK(*refusal(event_check_tenant, (str){long_name, 65}));
    CHECK(*refusal(event_check_tenant, S("a b")) && *refusal(event_check_tenant, S("a.b")));
}

enum { BATCH_BYTES = 4096 };

// Three records with and without the optional parts; returns the batch's size.
static size_t write_batch(uint8_t *batch)
{
    static const char *const payloads[] = {"{}", "{\"n\":1}", "null"};
    batch_set_recorded(batch, 1700000000000001);
    uint32_t size = BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < 3; i++) {
        struct record_draft draft = {.entity = S("order-1"),
                                     .type = S("order.placed"),
                                     .timestamp_us = 1600000000000000 + i,
                                     .schema_version = i == 2 ? 7 : 0,
                                     .has_metadata = i > 0};
        draft.id.bytes[0] = (uint8_t)i;
        uint8_t *record = batch + size;
        uint8_t *at = record_begin(record, size, &draft);
        memcpy(at, payloads[i], strlen(payloads[i]));
        at = record_payload_done(record, strlen(payloads[i]));
        if (i > 0)
            memcpy(at, "{\"m\":2}", 7);
        record_set_version(record, 10 + i);
        size += record_finish(record, i > 0 ? 7 : 0, draft.schema_version);
    }
    return size;
}

TEST(a_record_is_read_as_it_was_written)
{
    uint8_t batch[BATCH_BYTES];
    size_t size = write_batch(batch);
    CHECK_OK(batch_check(batch, size, 3, NULL));
    const uint8_t *record = batch + BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < 3; i++, record = record_next(record)) {
        struct als_event event;
        record_decode(record, 100 + i, &event);
        CHECK_EQUAL(100 + i, event.position);
        CHECK_EQUAL(10 + i, event.version);
        CHECK_EQUAL(i, event.id.bytes[0]);
        CHECK_EQUAL(1600000000000000 + i, event.timestamp_us);
        CHECK_EQUAL(1700000000000001, event.recorded_us);
        CHECK_EQUAL(i == 2 ? 7 : 0, event.schema_version);
        CHECK_STR(S("order-1"), event.entity);
        CHECK_STR(S("order.placed"), event.type);
        CHECK_STR(i == 0 ? S("{}") : i == 1 ? S("{\"n\":1}") : S("null"), event.payload);
        CHECK_STR(i == 0 ? S("") : S("{\"m\":2}"), event.metadata);
    }
    CHECK(record == batch + size);
}

TEST(a_batch_of_another_length_or_count_is_refused)
{
    uint8_t batch[BATCH_BYTES];
    size_t size = write_batch(batch);
    for (size_t cut = 0; cut < size; cut++)
        CHECK_ERR(ALS_CORRUPT, batch_check(batch, cut, 3, NULL));
    CHECK_ERR(ALS_CORRUPT, batch_check(batch, size, 2, NULL));
    CHECK_ERR(ALS_CORRUPT, batch_check(batch, size, 4, NULL));
    batch[BATCH_HEAD_BYTES + 11] = 0x80; // a flag that nobody knows
    CHECK_ERR(ALS_FORMAT_TOO_NEW, batch_check(batch, size, 3, NULL));
}

// What passes the check can be decoded within its bounds, whatever the bytes are.
TEST(a_damaged_batch_never_leads_a_reader_outside_of_it)
{
    FOR_EACH_SEED(seed, 20'000) {
        struct rand rand = {seed};
        uint8_t batch[BATCH_BYTES];
        size_t size = write_batch(batch);
        for (uint64_t flips = 1 + rand_below(&rand, 4); flips; flips--)
            batch[rand_below(&rand, size)] ^= (uint8_t)(1u << rand_below(&rand, 8));
        if (batch_check(batch, size, 3, NULL) != ALS_OK)
            continue;
        const uint8_t *record = batch + BATCH_HEAD_BYTES;
        for (uint32_t i = 0; i < 3; i++, record = record_next(record)) {
            struct als_event event;
            record_decode(record, i, &event);
            const char *end = (const char *)record_next(record);
            CHECK(event.payload.ptr + event.payload.len <= end);
            CHECK(event.metadata.len == 0 || event.metadata.ptr + event.metadata.len <= end);
        }
    }
}
