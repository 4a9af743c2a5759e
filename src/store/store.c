// SPDX-License-Identifier: Apache-2.0
// A turn, in order: take what waits; judge each append (judge.c), which gives positions and
// versions and prepares the index; one log append, one sync; then, for what is durable, publish
// list entries and last of all the position; tell the watchers; answer everybody.
//
// Invariants:
// 1. A reader sees positions up to `position` and nothing behind it.
// 2. Everything up to `position` was made durable first (with STORE_SYNC_EACH).
// 3. An answer leaves after the fate of the whole turn is known: a refusal may rest on an event of
//    the same turn, and if that one fails, the refused one fails with it, not because of it.
// 4. recorded_us never goes back, whatever the clock does.
#include "store/inside.h"

#include "base/mutant.h"
#include "event/event.h"
#include "os/os.h"

#include <assert.h>
#include <stdlib.h>

// One event of the log joins the index; used by recovery, where nothing can be refused.
static err recover_event(struct store *store, als_position position, const uint8_t *record,
                         struct als_why *why)
{
    struct index *index = store->index;
    str names[2] = {record_entity(record), record_type(record)};
    struct index_list *lists[2];
    for (int by = INDEX_ENTITY; by <= INDEX_TYPE; by++) {
        uint64_t hash = index_hash_name(index, names[by]);
        lists[by] = index_list_of(index, (enum index_by)by, names[by], hash);
        if (!lists[by])
            return FAIL(why, ALS_NO_MEMORY, "the index cannot grow");
        TRY(index_reserve(index, lists[by], why));
    }
    if (index_pending(lists[INDEX_ENTITY]) != record_version(record))
        return FAIL(why, ALS_CORRUPT, "event %llu has version %llu of its entity, expected %llu",
                    (unsigned long long)position, (unsigned long long)record_version(record),
                    (unsigned long long)index_pending(lists[INDEX_ENTITY]));
    TRY(index_place(index, position, record, why));
    if (!MUTANT(STORE_IDS_NOT_RECOVERED))
        TRY(index_add_id(index, index_hash_id(index, record_id(record)), position, why));
    index_publish(index, INDEX_ENTITY, lists[INDEX_ENTITY], position);
    index_publish(index, INDEX_TYPE, lists[INDEX_TYPE], position);
    return ALS_OK;
}

static err recover_record(void *context, const struct log_record *found, struct als_why *why)
{
    struct store *store = context;
    als_position last = atomic_load_explicit(&store->position, memory_order_relaxed);
    if (found->first != last + 1)
        return FAIL(why, ALS_CORRUPT, "the log goes on with position %llu after %llu",
                    (unsigned long long)found->first, (unsigned long long)last);
    const uint8_t *batch = (const uint8_t *)found->body.ptr;
    TRY(batch_check(batch, found->body.len, found->count, why));
    const uint8_t *record = batch + BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < found->count; i++, record = record_next(record))
        TRY(recover_event(store, found->first + i, record, why));
    if (found->recorded_us > store->recorded_us)
        store->recorded_us = found->recorded_us;
    atomic_store_explicit(&store->position, last + found->count, memory_order_release);
    return ALS_OK;
}

static void keep_log_stat(struct store *store)
{
    struct log_stat stat = store->log->stat(store->log);
    lock_take(&store->stat_lock);
    store->log_stat = stat;
    lock_release(&store->stat_lock);
}

static struct store *store_new(struct os *os, struct store_options options)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    assert(options.tenant.len <= sizeof store->tenant);
    uint64_t seed;
    os->entropy(os, &seed, sizeof seed);
    store->os = os;
    store->options = options;
    memcpy(store->tenant, options.tenant.ptr, options.tenant.len);
    store->options.tenant.ptr = store->tenant;
    store->recorded_us = INT64_MIN;
    lock_init(&store->mailbox.lock, LOCK_MAILBOX);
    lock_init(&store->watches.lock, LOCK_WATCH);
    lock_init(&store->stat_lock, LOCK_POOL);
    atomic_store(&store->watches.next, UINT64_MAX);
    store->index = index_new(1, seed);
    if (store->index)
        return store;
    store_close(store);
    return NULL;
}

err store_open(struct os *os, struct os_dir *dir, struct store_options options,
               struct store_report *ret_report, struct store **ret_store, struct als_why *why)
{
    AUTO(store) store = store_new(os, options);
    if (!store)
        return FAIL(why, ALS_NO_MEMORY, "store '%.*s' cannot be opened", STR(options.tenant));
    struct store_report report = {0};
    TRY(file_log_open(os, dir, store->options, recover_record, store, &report, &store->log, why));
    report.events = store_position(store);
    keep_log_stat(store);
    *ret_report = report;
    *ret_store = MOVE(store);
    return ALS_OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    assert(atomic_load(&store->views) == 0);
    if (store->log) {
        while (store_turn(store))
            continue;
        (void)store_settle(store, NULL); // a failure is known to those who were answered with it
        store->log->close(store->log);
    }
    index_free(store->index);
    lock_deinit(&store->mailbox.lock);
    lock_deinit(&store->watches.lock);
    lock_deinit(&store->stat_lock);
    free(store);
}

str store_tenant(const struct store *store)
{
    return store->options.tenant;
}

uint64_t store_hash_name(const struct store *store, str name)
{
    return index_hash_name(store->index, name);
}

uint64_t store_hash_id(const struct store *store, als_id id)
{
    return index_hash_id(store->index, id);
}

err store_post(struct store *store, struct append *append, bool *ret_first, struct als_why *why)
{
    if (store_has_failed(store))
        return FAIL(why, ALS_STORAGE_FAILED,
                    "the disk of tenant '%.*s' has failed; it takes no more events until the "
                    "server is restarted",
                    STR(store->options.tenant));
    struct mailbox *mailbox = &store->mailbox;
    append->next = NULL;
    lock_take(&mailbox->lock);
    bool full = mailbox->count == APPEND_SLOTS;
    bool first = !full && !mailbox->scheduled;
    if (!full) {
        if (mailbox->last)
            mailbox->last->next = append;
        else
            mailbox->first = append;
        mailbox->last = append;
        mailbox->count++;
        mailbox->scheduled = true;
    }
    lock_release(&mailbox->lock);
    if (full)
        return FAIL(why, ALS_QUEUE_FULL, "%d appends wait for tenant '%.*s' already", APPEND_SLOTS,
                    STR(store->options.tenant));
    *ret_first = first;
    return ALS_OK;
}

// Takes appends in their order, as many as one sync should make durable.
static size_t take_turn(struct store *store)
{
    struct mailbox *mailbox = &store->mailbox;
    size_t count = 0;
    uint64_t bytes = 0;
    lock_take(&mailbox->lock);
    while (mailbox->first && count < TURN_BATCHES_MAX &&
           (count == 0 || bytes + mailbox->first->bytes.len <= TURN_BYTES_MAX)) {
        struct append *append = mailbox->first;
        mailbox->first = append->next;
        if (!mailbox->first)
            mailbox->last = NULL;
        mailbox->count--;
        bytes += append->bytes.len;
        store->turn_appends[count++] = append;
    }
    if (count == 0)
        mailbox->scheduled = false;
    lock_release(&mailbox->lock);
    return count;
}

// Moves the accepted ones to the front, keeping their order; returns how many.
static size_t judge_turn(struct store *store, size_t count)
{
    struct append **appends = store->turn_appends;
    struct append *accepted[TURN_BATCHES_MAX];
    size_t accepted_count = 0;
    store->next = store_position(store) + 1;
    int64_t now_us = store->os->now_us(store->os);
    if (now_us > store->recorded_us || MUTANT(STORE_TIME_GOES_BACK))
        store->recorded_us = now_us;
    for (size_t i = 0; i < count; i++) {
        judge(store, appends[i], accepted, accepted_count);
        if (appends[i]->code != ALS_OK || appends[i]->duplicate)
            continue;
        accepted[accepted_count] = appends[i];
        store->turn_records[accepted_count++] =
            (struct log_record){.first = appends[i]->first,
                                .count = appends[i]->count,
                                .recorded_us = store->recorded_us,
                                .body = buf_str(&appends[i]->bytes)};
    }
    return accepted_count;
}

static void publish(struct store *store, struct append *append, const uint8_t *body)
{
    struct index *index = store->index;
    for (uint32_t i = 0; i < append->count; i++) {
        struct append_event *event = &append->events[i];
        event->record = body + event->offset;
        // The place exists since judge(): setting it again cannot fail.
        err placed = index_place(index, event->position, event->record, NULL);
        assert(placed == ALS_OK);
        (void)placed;
        index_publish(index, INDEX_ENTITY, event->entity, event->position);
        index_publish(index, INDEX_TYPE, event->type, event->position);
    }
}

static err commit_turn(struct store *store, size_t accepted_count, struct als_why *why)
{
    bool sync = store->options.sync == STORE_SYNC_EACH && !MUTANT(STORE_ANSWERS_EARLY);
    uint64_t before_ns = store->os->monotonic_ns(store->os);
    struct log_head head = store->log->head(store->log);
    atomic_store(&store->unsettled, true);
    err code = store->log->append(store->log, head.last, store->turn_records, accepted_count, sync,
                                  store->turn_bodies, why);
    if (code == ALS_STORAGE_FAILED || code == ALS_FENCED)
        atomic_store(&store->failed, true);
    if (code == ALS_OK && sync && store->options.calls.synced)
        store->options.calls.synced(store->options.calls.context,
                                    store->os->monotonic_ns(store->os) - before_ns, accepted_count);
    keep_log_stat(store);
    return code;
}

// Judges, commits and publishes what is in turn_appends; every append has its verdict then.
static void run_turn(struct store *store, size_t count)
{
    size_t accepted_count = judge_turn(store, count);
    struct als_why why = {0};
    err code = accepted_count ? commit_turn(store, accepted_count, &why) : ALS_OK;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct append *append = store->turn_appends[i];
        if (append->code == ALS_OK && !append->duplicate) {
            if (code == ALS_OK)
                publish(store, append, store->turn_bodies[at++]);
            else
                judge_undo(append);
        }
        if (code != ALS_OK) {
            append->code = code;
            append->why = why;
        }
    }
    if (code == ALS_OK && accepted_count) {
        atomic_store(&store->position, store->next - 1); // in one order with watches.next
        watches_tell(store, store->next - 1);
    }
}

bool store_turn(struct store *store)
{
    size_t count = take_turn(store);
    if (count == 0)
        return false;
    run_turn(store, count);
    for (size_t i = 0; i < count; i++) {
        struct append *append = store->turn_appends[i];
        judge_explain(store, append);
        append->done(append);
    }
    return true;
}

bool store_has_work(struct store *store)
{
    lock_take(&store->mailbox.lock);
    bool work = store->mailbox.count > 0;
    store->mailbox.scheduled = work;
    lock_release(&store->mailbox.lock);
    return work;
}

err store_settle(struct store *store, struct als_why *why)
{
    if (!atomic_exchange(&store->unsettled, false))
        return ALS_OK;
    err code = store->log->settle(store->log, why);
    if (code == ALS_STORAGE_FAILED)
        atomic_store(&store->failed, true);
    if (code == ALS_STORAGE_FULL)
        atomic_store(&store->unsettled, true);
    keep_log_stat(store);
    return code;
}

bool store_is_settled(const struct store *store)
{
    return !atomic_load(&store->unsettled);
}

bool store_has_failed(const struct store *store)
{
    return atomic_load(&store->failed);
}

als_position store_position(const struct store *store)
{
    return atomic_load_explicit(&store->position, memory_order_acquire);
}

struct store_stat store_stat(struct store *store)
{
    lock_take(&store->mailbox.lock);
    uint32_t waiting = store->mailbox.count;
    lock_release(&store->mailbox.lock);
    lock_take(&store->stat_lock);
    struct log_stat log = store->log_stat;
    lock_release(&store->stat_lock);
    return (struct store_stat){.events = store_position(store),
                               .entities = index_names(store->index, INDEX_ENTITY),
                               .types = index_names(store->index, INDEX_TYPE),
                               .wal_files = log.files,
                               .wal_bytes = log.bytes,
                               .wal_bytes_allocated = log.bytes_allocated,
                               .wal_syncs = log.syncs,
                               .wal_sync_ns = log.sync_ns,
                               .index_bytes = index_bytes(store->index),
                               .waiting = waiting};
}
