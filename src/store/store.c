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

#include "base/hash.h"
#include "base/mutant.h"
#include "event/event.h"
#include "os/os.h"

#include <assert.h>
#include <stdlib.h>

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
    os->entropy(os, &store->seed, sizeof store->seed);
    store->os = os;
    store->options = options;
    memcpy(store->tenant, options.tenant.ptr, options.tenant.len);
    store->options.tenant.ptr = store->tenant;
    store->recorded_us = INT64_MIN;
    lock_init(&store->mailbox.lock, LOCK_MAILBOX);
    lock_init(&store->watches.lock, LOCK_WATCH);
    lock_init(&store->view_lock, LOCK_VIEW);
    lock_init(&store->stat_lock, LOCK_POOL);
    gate_init(&store->gate);
    atomic_store(&store->watches.next, UINT64_MAX);
    atomic_store(&store->log_needed, UINT64_MAX);
    store->own_cache = options.cache ? NULL : segment_cache_new(STORE_CACHE_BYTES);
    store->cache = options.cache ? options.cache : store->own_cache;
    store->cursor = cursor_new();
    if (store->cache && store->cursor)
        return store;
    store_close(store);
    return NULL;
}

static void fill_options(struct store_options *options)
{
    if (options->seal_bytes == 0)
        options->seal_bytes = SEAL_BYTES_DEFAULT;
    if (options->seal_events == 0 || options->seal_events > SEAL_EVENTS_MAX)
        options->seal_events = SEAL_EVENTS_MAX;
}

// The log lets go of what is in segments and in no hot part that somebody still sees. What could
// not be removed is asked for again.
static void trim_log(struct store *store)
{
    als_position needed = atomic_load(&store->log_needed), sealed = atomic_load(&store->sealed);
    als_position up_to = needed - 1 < sealed ? needed - 1 : sealed;
    if (up_to <= store->trimmed || store->log->trim(store->log, up_to, NULL) != ALS_OK)
        return;
    store->trimmed = up_to;
    keep_log_stat(store);
}

err store_open(struct os *os, struct os_dir *dir, struct store_options options,
               struct store_report *ret_report, struct store **ret_store, struct als_why *why)
{
    fill_options(&options);
    AUTO(store) store = store_new(os, options);
    if (!store)
        return FAIL(why, ALS_NO_MEMORY, "store '%.*s' cannot be opened", STR(options.tenant));
    store->dir = dir;
    struct store_report report = {0};
    TRY(recover(store, &report, why));
    trim_log(store);
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
    }
    cursor_free(store->cursor);
    segment_reader_free(store->reader);
    parts_unref(store->parts);
    manifest_close(store->manifest);
    if (store->log)
        store->log->close(store->log);
    if (store->segments_dir)
        store->os->dir_close(store->segments_dir);
    segment_cache_free(store->own_cache);
    lock_deinit(&store->view_lock);
    lock_deinit(&store->mailbox.lock);
    lock_deinit(&store->watches.lock);
    lock_deinit(&store->stat_lock);
    gate_deinit(&store->gate);
    free(store);
}

str store_tenant(const struct store *store)
{
    return store->options.tenant;
}

// As every hot index of the store does, for they have its seed.
uint64_t store_hash_name(const struct store *store, str name)
{
    return hash_bytes(name.ptr, name.len, store->seed);
}

uint64_t store_hash_id(const struct store *store, als_id id)
{
    return hash_bytes(id.bytes, sizeof id.bytes, store->seed);
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
    struct index *index = store->filling->index;
    for (uint32_t i = 0; i < append->count; i++) {
        const struct append_event *event = &append->events[i];
        // The place exists since judge(): setting it again cannot fail.
        err placed = index_place(index, event->position, body + event->offset, NULL);
        assert(placed == ALS_OK);
        (void)placed;
        count_names(store, event->entity, event->type);
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
            if (code == ALS_OK) {
                publish(store, append, store->turn_bodies[at++]);
                store->filled_bytes += append->bytes.len;
            } else
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
    roll_when_full(store);
    store->turn = view_pin(store);
    run_turn(store, count);
    if (store->reader)
        segment_reader_reset(store->reader);
    view_unpin(store->turn);
    trim_log(store);
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
    trim_log(store);
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

bool store_is_thinned(const struct store *store)
{
    return atomic_load(&store->removed) > 0;
}

als_position store_position(const struct store *store)
{
    return atomic_load_explicit(&store->position, memory_order_acquire);
}

// The parts' own numbers; those of segments are in the manifest's words, no file is touched.
static void add_parts(struct store *store, struct store_stat *stat)
{
    struct view view = view_pin(store);
    for (uint32_t i = 0; i < view.parts->count; i++) {
        const struct part *part = view.parts->items[i];
        if (part_is_sealed(part)) {
            stat->segments++;
            stat->segment_bytes += part->facts.bytes;
            stat->unfit += atomic_load(&part->unfit);
        } else
            stat->index_bytes += index_bytes(part->index);
    }
    view_unpin(view);
}

uint64_t store_tail_bytes(struct store *store)
{
    struct store_stat stat = {.index_bytes = 0};
    add_parts(store, &stat);
    return stat.index_bytes;
}

uint64_t store_growing_bytes(const struct store *store)
{
    return index_bytes(store->filling->index);
}

struct store_stat store_stat(struct store *store)
{
    lock_take(&store->mailbox.lock);
    uint32_t waiting = store->mailbox.count;
    lock_release(&store->mailbox.lock);
    lock_take(&store->stat_lock);
    struct log_stat log = store->log_stat;
    lock_release(&store->stat_lock);
    uint64_t removed = atomic_load(&store->removed);
    struct store_stat stat = {.events = store_position(store) - removed,
                              .removed = removed,
                              .entities = atomic_load(&store->entities),
                              .types = atomic_load(&store->types),
                              .wal_files = log.files,
                              .wal_bytes = log.bytes,
                              .wal_bytes_allocated = log.bytes_allocated,
                              .wal_syncs = log.syncs,
                              .wal_sync_ns = log.sync_ns,
                              .sealed = atomic_load(&store->sealed),
                              .waiting = waiting};
    add_parts(store, &stat);
    return stat;
}
