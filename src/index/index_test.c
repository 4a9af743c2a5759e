// SPDX-License-Identifier: Apache-2.0
#include "index/index.h"

#include "base/bytes.h"
#include "base/rand.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

// Records are the business of `event`; here one is the 16 bytes of its id.
static bool same(const uint8_t *record, const void *id)
{
    return memcmp(record, id, 16) == 0;
}

static als_id id_of(uint64_t n)
{
    als_id id = {{0}};
    store_le64(id.bytes, n * UINT64_C(0x9e3779b97f4a7c15));
    store_le64(id.bytes + 8, n);
    return id;
}

static str name_of(char *space, const char *kind, uint64_t n)
{
    return (str){space, (size_t)snprintf(space, 32, "%s-%llu", kind, (unsigned long long)n)};
}

static struct index_list *add(struct index *index, enum index_by by, str name,
                              als_position position)
{
    struct index_list *list = index_list_of(index, by, name, index_hash_name(index, name));
    CHECK(list);
    CHECK_OK(index_reserve(index, list, NULL));
    index_publish(index, by, list, position);
    return list;
}

TEST(a_list_gives_its_positions_both_ways_and_from_anywhere)
{
    AUTO(index) index = index_new(100, 1);
    struct rand rand = {1};
    enum { COUNT = 5000 };
    static als_position model[COUNT];
    als_position position = 100;
    for (int i = 0; i < COUNT; i++) {
        model[i] = position += 1 + rand_below(&rand, 5);
        add(index, INDEX_ENTITY, S("order-1"), position);
    }
    const struct index_list *list = index_find(index, INDEX_ENTITY, S("order-1"));
    CHECK(list && index_list_count(list) == COUNT);
    for (uint64_t at = 0; at <= COUNT; at += 1 + rand_below(&rand, 97)) {
        struct index_walk forward = index_walk_from(list, 100, at), back = forward;
        for (uint64_t i = at; i < COUNT && i < at + 50; i++)
            CHECK_EQUAL(model[i], index_walk_next(&forward));
        for (uint64_t i = at; i > 0 && i + 50 > at; i--)
            CHECK_EQUAL(model[i - 1], index_walk_previous(&back));
    }
    struct index_walk end = index_walk_from(list, 100, UINT64_MAX);
    CHECK_EQUAL(0, index_walk_next(&end));
    CHECK_EQUAL(model[COUNT - 1], index_walk_previous(&end));
    for (als_position up_to = 0; up_to < position + 10; up_to++) {
        uint64_t count = 0;
        while (count < COUNT && model[count] <= up_to)
            count++;
        CHECK_EQUAL(count, index_list_count_to(list, 100, up_to));
    }
}

TEST(a_name_without_a_published_event_does_not_exist)
{
    AUTO(index) index = index_new(1, 1);
    str name = S("order-1");
    struct index_list *list =
        index_list_of(index, INDEX_ENTITY, name, index_hash_name(index, name));
    CHECK_OK(index_reserve(index, list, NULL));
    CHECK_EQUAL(1, index_pending(list));
    CHECK(!index_find(index, INDEX_ENTITY, name));
    CHECK_EQUAL(0, index_names(index, INDEX_ENTITY));
    index_unreserve(list); // the turn failed
    CHECK_EQUAL(0, index_pending(list));
    add(index, INDEX_ENTITY, name, 1);
    CHECK(index_find(index, INDEX_ENTITY, name) == list);
    CHECK(!index_find(index, INDEX_TYPE, name));
    CHECK_EQUAL(1, index_names(index, INDEX_ENTITY));
}

TEST(an_id_is_found_up_to_the_position_that_one_may_see)
{
    enum { COUNT = 50000 };
    AUTO(index) index = index_new(1, 7);
    static als_id records[COUNT + 1];
    for (als_position p = 1; p <= COUNT; p++) {
        records[p] = id_of(p);
        CHECK_OK(index_place(index, p, records[p].bytes, NULL));
        CHECK_OK(index_add_id(index, index_hash_id(index, records[p]), p, NULL));
    }
    for (als_position p = 1; p <= COUNT; p += 7) {
        uint64_t hash = index_hash_id(index, records[p]);
        CHECK_EQUAL(p, index_find_id(index, hash, COUNT, same, &records[p]));
        CHECK_EQUAL(p, index_find_id(index, hash, p, same, &records[p]));
        CHECK_EQUAL(0, index_find_id(index, hash, p - 1, same, &records[p]));
        als_id strange = id_of(p + COUNT);
        CHECK_EQUAL(0, index_find_id(index, index_hash_id(index, strange), COUNT, same, &strange));
    }
}

TEST(an_id_whose_turn_failed_is_not_mistaken_for_the_event_that_took_its_place)
{
    AUTO(index) index = index_new(1, 7);
    als_id lost = id_of(1), kept = id_of(2);
    CHECK_OK(index_place(index, 1, lost.bytes, NULL));
    CHECK_OK(index_add_id(index, index_hash_id(index, lost), 1, NULL));
    CHECK_OK(index_place(index, 1, kept.bytes, NULL)); // the next turn reuses the position
    CHECK_OK(index_add_id(index, index_hash_id(index, kept), 1, NULL));
    CHECK_EQUAL(0, index_find_id(index, index_hash_id(index, lost), 1, same, &lost));
    CHECK_EQUAL(1, index_find_id(index, index_hash_id(index, kept), 1, same, &kept));
}

TEST(pages_give_every_name_once_in_bytewise_order_while_more_come)
{
    AUTO(index) index = index_new(1, 3);
    char space[32];
    als_position position = 0;
    for (uint64_t n = 0; n < 3000; n++)
        add(index, INDEX_TYPE, name_of(space, n % 3 ? "order" : "user", n), ++position);
    static const struct index_list *lists[64];
    struct index_page page = {.prefix = S("order-"), .count = 64};
    size_t found = 64, total = 0;
    str before = S("");
    while (found == 64) {
        CHECK_OK(index_page(index, INDEX_TYPE, page, lists, &found, NULL));
        for (size_t i = 0; i < found; i++) {
            CHECK(str_compare(before, index_list_name(lists[i])) < 0);
            before = index_list_name(lists[i]);
        }
        total += found;
        page.after = before;
        if (total == 640) // sorts before all that was given, so it is not met again
            add(index, INDEX_TYPE, S("order-"), ++position);
    }
    CHECK_EQUAL(2000, total);
    page = (struct index_page){.prefix = S("zebra"), .count = 64};
    CHECK_OK(index_page(index, INDEX_TYPE, page, lists, &found, NULL));
    CHECK_EQUAL(0, found);
}

TEST(the_index_takes_at_most_48_bytes_an_event_and_200_an_entity)
{
    enum { COUNT = 300000 };
    AUTO(index) index = index_new(1, 3);
    char space[32];
    static const uint8_t record[16];
    for (als_position p = 1; p <= COUNT; p++) {
        CHECK_OK(index_place(index, p, record, NULL));
        CHECK_OK(index_add_id(index, index_hash_id(index, id_of(p)), p, NULL));
        add(index, INDEX_ENTITY, name_of(space, "entity", p % 100), p);
        add(index, INDEX_TYPE, S("benchmark.event"), p);
    }
    uint64_t bytes = index_bytes(index);
    CHECK(bytes / COUNT <= 48);
    for (uint64_t n = 0; n < COUNT; n++) {
        str name = name_of(space, "another", n);
        CHECK(index_list_of(index, INDEX_ENTITY, name, index_hash_name(index, name)));
        add(index, INDEX_ENTITY, name, COUNT + 1 + n);
    }
    CHECK((index_bytes(index) - bytes) / COUNT <= 200);
}

// ---- One writer, several readers; ThreadSanitizer looks on.

enum { SHARED_EVENTS = 20000, SHARED_NAMES = 500, SHARED_READERS = 3 };

struct shared {
    struct index *index;
    _Atomic als_position position;
    als_id records[SHARED_EVENTS + 1];
    _Atomic int wrong;
};

static void *read_shared(void *context)
{
    struct shared *shared = context;
    struct rand rand = {(uint64_t)(uintptr_t)&rand};
    char space[32];
    for (als_position up_to = 0; up_to < SHARED_EVENTS;) {
        up_to = atomic_load(&shared->position);
        if (up_to == 0)
            continue;
        als_position p = 1 + rand_below(&rand, up_to);
        const als_id *id = &shared->records[p];
        uint64_t hash = index_hash_id(shared->index, *id);
        bool right = index_find_id(shared->index, hash, up_to, same, id) == p;
        str name = name_of(space, "entity", p % SHARED_NAMES);
        const struct index_list *list = index_find(shared->index, INDEX_ENTITY, name);
        right &= list && index_list_count_to(list, 1, up_to) >= 1;
        struct index_walk walk = list ? index_walk_from(list, 1, 0) : (struct index_walk){0};
        for (als_position q, last = 0; right && (q = index_walk_next(&walk)) != 0; last = q)
            right = q > last && q % SHARED_NAMES == p % SHARED_NAMES;
        const struct index_list *page[8];
        size_t found = 0;
        struct index_page first = {.count = 8};
        right &= index_page(shared->index, INDEX_ENTITY, first, page, &found, NULL) == ALS_OK;
        if (!right)
            atomic_fetch_add(&shared->wrong, 1);
    }
    return NULL;
}

TEST(readers_find_everything_published_while_the_tables_grow)
{
    static struct shared shared;
    shared.index = index_new(1, 5);
    pthread_t readers[SHARED_READERS];
    for (int i = 0; i < SHARED_READERS; i++)
        CHECK(pthread_create(&readers[i], NULL, read_shared, &shared) == 0);
    char space[32];
    for (als_position p = 1; p <= SHARED_EVENTS; p++) {
        shared.records[p] = id_of(p);
        CHECK_OK(index_place(shared.index, p, shared.records[p].bytes, NULL));
        CHECK_OK(
            index_add_id(shared.index, index_hash_id(shared.index, shared.records[p]), p, NULL));
        add(shared.index, INDEX_ENTITY, name_of(space, "entity", p % SHARED_NAMES), p);
        add(shared.index, INDEX_TYPE, name_of(space, "type", p % 11), p);
        atomic_store(&shared.position, p);
    }
    for (int i = 0; i < SHARED_READERS; i++)
        pthread_join(readers[i], NULL);
    CHECK_EQUAL(0, shared.wrong);
    index_free(shared.index);
}
