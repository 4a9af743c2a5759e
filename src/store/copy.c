// SPDX-License-Identifier: Apache-2.0
// Copies of a store: what a backup is made of, and what becomes of one when it is restored.
//
// A copy has the sealed segments under their names, with a second name of the same file where the
// file system allows it, for sealed files never change. Its manifest is written anew, for exactly
// those segments. So is its log: the batches behind them go into a log of its own, which begins
// where the manifest ends and is chained from its first frame on; cutting a copied file instead
// would leave what looks like a torn end.
//
// A copy that ends within a segment has no segment there: the rows before its end go into the log,
// as batches of what was recorded at one moment, and are sealed again one day.
#include "store/inside.h"

#include "base/mutant.h"
#include "event/event.h"
#include "os/os.h"
#include "wal/wal.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 64 << 10, BATCH_BYTES = 1 << 20, OPEN_TRIES = 10 };

struct copy {
    struct os *os;
    const struct store_copying *options;
    struct os_dir *source_segments, *target, *segments; // `target` is the caller's
    struct manifest_entry *entries;                     // that the copy gets
    size_t count;
    als_position sealed, up_to;
    struct os_dir *log_dir;
    struct wal *log;
    bool measuring, measured; // batches are only looked at; were
    uint64_t log_bytes;
    uint8_t *chunk;
    struct buf batch; // one that is made of rows
    uint32_t batch_count;
    int64_t batch_recorded_us;
    struct store_copied done;
};

static void copy_deinit(struct copy *copy)
{
    struct os_dir *dirs[] = {copy->source_segments, copy->segments, copy->log_dir};
    wal_close(copy->log);
    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        if (dirs[i])
            copy->os->dir_close(dirs[i]);
    buf_deinit(&copy->batch);
    free(copy->entries);
    free(copy->chunk);
}

static err pace(const struct copy *copy, uint64_t bytes, struct als_why *why)
{
    const struct store_copying *options = copy->options;
    if (options->paced && !options->paced(options->context, bytes))
        return FAIL(why, ALS_NOT_READY, "the copying was ended");
    return ALS_OK;
}

// ---- Files

static err pour(struct copy *copy, struct os_file *from, struct os_file *to, struct als_why *why)
{
    for (uint64_t at = 0;;) {
        size_t got;
        TRY(copy->os->file_read(from, at, copy->chunk, CHUNK_BYTES, &got, why));
        if (got == 0)
            break;
        TRY(os_write_one(copy->os, to, at, (str){(const char *)copy->chunk, got}, why));
        at += got;
        TRY(pace(copy, got, why));
    }
    return MUTANT(COPY_BYTES_NOT_SYNCED) ? ALS_OK : copy->os->file_sync(to, why);
}

static err copy_bytes(struct copy *copy, str name, struct als_why *why)
{
    struct os_file *from = NULL, *to = NULL;
    if (!copy->chunk)
        copy->chunk = malloc(CHUNK_BYTES);
    if (!copy->chunk)
        return FAIL(why, ALS_NO_MEMORY, "a file cannot be copied");
    TRY(copy->os->file_open(copy->source_segments, name, OS_READ, &from, why));
    err code = copy->os->file_open(copy->segments, name, OS_CREATE, &to, why);
    if (code == ALS_OK) {
        code = pour(copy, from, to, why);
        copy->os->file_close(to);
    }
    copy->os->file_close(from);
    return code;
}

static err copy_file(struct copy *copy, str name, uint64_t bytes, struct als_why *why)
{
    if (copy->options->bytes)
        return copy_bytes(copy, name, why);
    err code = copy->os->dir_link(copy->source_segments, name, copy->segments, why);
    if (code == ALS_UNSUPPORTED)
        return copy_bytes(copy, name, why);
    TRY(code);
    copy->done.linked++;
    return pace(copy, bytes, why);
}

static err copy_segment(struct copy *copy, const struct manifest_entry *entry, struct als_why *why)
{
    char space[SEGMENT_NAME_MAX];
    TRY(copy_file(copy, part_name(&entry->facts, ".parquet", space), entry->facts.bytes, why));
    err code = copy_file(copy, part_name(&entry->facts, ".idx", space), 0, why);
    copy->done.segments++;
    copy->done.events += entry->facts.rows;
    return code == ALS_NOT_FOUND ? ALS_OK : code; // it grows back
}

static err copy_segments(struct copy *copy, struct als_why *why)
{
    struct os *os = copy->os;
    if (copy->count == 0)
        return ALS_OK;
    TRY(os->dir_open(os, copy->target, S("segments"), true, &copy->segments, why));
    for (size_t i = 0; i < copy->count; i++)
        TRY(copy_segment(copy, &copy->entries[i], why));
    return MUTANT(COPY_NAMES_NOT_SYNCED) ? ALS_OK : os->dir_sync(copy->segments, why);
}

static err write_manifest(struct copy *copy, struct als_why *why)
{
    if (copy->sealed == 0)
        return ALS_OK;
    AUTO(manifest) manifest = NULL;
    TRY(manifest_open(copy->os, copy->target, copy->options->tenant, WAL_FILE_BYTES_MIN, &manifest,
                      why));
    return manifest_begin(manifest, copy->entries, copy->count, copy->sealed, why);
}

// ---- The log

static err no_batch(void *context, const struct wal_batch *batch, struct als_why *why)
{
    (void)context;
    return FAIL(why, ALS_INVALID_INPUT, "the target has a log already, with position %llu",
                (unsigned long long)batch->first);
}

// Room for what was measured and nothing more: who opens the copy to append makes another file.
static uint64_t file_bytes_of(const struct copy *copy)
{
    uint64_t bytes = wal_file_bytes_least + copy->log_bytes;
    if (!copy->measured || bytes > WAL_FILE_BYTES_DEFAULT)
        return WAL_FILE_BYTES_DEFAULT;
    return bytes > WAL_FILE_BYTES_MIN ? bytes : WAL_FILE_BYTES_MIN;
}

static err begin_log(struct copy *copy, struct als_why *why)
{
    struct os *os = copy->os;
    struct wal_options options = {.file_bytes = file_bytes_of(copy),
                                  .batch_bytes_max = BATCH_BYTES_MAX,
                                  .label = copy->options->tenant};
    struct wal_report report;
    TRY(os->dir_open(os, copy->target, S("wal"), true, &copy->log_dir, why));
    TRY(wal_open(os, copy->log_dir, options, no_batch, NULL, &report, &copy->log, why));
    TRY(wal_begin(copy->log, copy->sealed, why));
    copy->done.position = copy->sealed;
    return ALS_OK;
}

static err put_draft(struct copy *copy, const struct wal_draft *draft, struct als_why *why)
{
    const uint8_t *body;
    struct wal_head head = wal_head(copy->log);
    if (draft->first != head.position + 1)
        return FAIL(why, ALS_CORRUPT, "the history goes on with position %llu after %llu",
                    (unsigned long long)draft->first, (unsigned long long)head.position);
    TRY(wal_append(copy->log, head.batch, draft, 1, false, &body, why));
    copy->done.position = draft->first + draft->count - 1;
    copy->done.events += draft->count;
    return pace(copy, draft->body.len, why);
}

// How many bytes the first `count` records of a batch take, with what stands before them.
static size_t bytes_of(const uint8_t *batch, uint32_t count)
{
    const uint8_t *record = batch + BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < count; i++)
        record = record_next(record);
    return (size_t)(record - batch);
}

static err put_batch(void *context, const struct wal_batch *batch, struct als_why *why)
{
    struct copy *copy = context;
    if (batch->first + batch->count - 1 <= copy->sealed || batch->first > copy->up_to)
        return ALS_OK;
    if (copy->measuring) {
        copy->log_bytes += wal_batch_span(batch->size);
        return ALS_OK;
    }
    struct wal_draft draft = {.first = batch->first,
                              .count = batch->count,
                              .recorded_us = batch->recorded_us,
                              .body = {(const char *)batch->body, batch->size}};
    if (batch->first + batch->count - 1 > copy->up_to) {
        TRY(batch_check(batch->body, batch->size, batch->count, why));
        draft.count = (uint32_t)(copy->up_to + 1 - batch->first);
        draft.body.len = bytes_of(batch->body, draft.count);
    }
    return put_draft(copy, &draft, why);
}

static err end_log(struct copy *copy, struct als_why *why)
{
    TRY(wal_sync(copy->log, why));
    return wal_mark(copy->log, why);
}

// ---- From a view

// The log beside its writer. A file that nobody needs may go between its being listed and opened.
static err open_reader(const struct copy *copy, struct os_dir *dir, struct wal_reader **ret_reader,
                       struct als_why *why)
{
    err code = ALS_NOT_FOUND;
    for (int i = 0; i < OPEN_TRIES && code == ALS_NOT_FOUND; i++)
        code = wal_reader_open(copy->os, dir, copy->sealed, copy->up_to, ret_reader, why);
    return code;
}

static err read_log(struct copy *copy, struct wal_reader *reader, struct als_why *why)
{
    struct wal_place place = wal_reader_start(reader);
    for (;;) {
        struct wal_batch batch;
        TRY(wal_reader_next(reader, &place, &batch, why));
        if (batch.count == 0)
            return ALS_OK;
        TRY(put_batch(copy, &batch, why));
    }
}

static err put_log(struct copy *copy, struct os_dir *dir, struct als_why *why)
{
    AUTO(wal_reader) reader = NULL;
    TRY(open_reader(copy, dir, &reader, why));
    copy->measuring = true;
    TRY(read_log(copy, reader, why));
    copy->measuring = false;
    TRY(begin_log(copy, why));
    return read_log(copy, reader, why);
}

static err put_tail_of_view(struct copy *copy, struct view view, struct als_why *why)
{
    copy->measured = true;
    if (view.position == copy->sealed)
        return begin_log(copy, why);
    struct os_dir *dir;
    TRY(copy->os->dir_open(copy->os, view.store->dir, S("wal"), false, &dir, why));
    err code = put_log(copy, dir, why);
    copy->os->dir_close(dir);
    if (code == ALS_OK && copy->done.position != view.position)
        code = FAIL(why, ALS_CORRUPT, "the log ends at position %llu, but %llu was seen",
                    (unsigned long long)copy->done.position, (unsigned long long)view.position);
    return code;
}

static err take_segments(struct copy *copy, struct view view, struct als_why *why)
{
    copy->count = view_segments(view, NULL, 0);
    copy->entries = calloc(copy->count + 1, sizeof copy->entries[0]);
    if (!copy->entries)
        return FAIL(why, ALS_NO_MEMORY, "a list of %zu segments", copy->count);
    for (size_t i = 0; i < copy->count; i++) {
        copy->entries[i] = part_entry(view.parts->items[i]);
    }
    if (copy->count)
        TRY(copy->os->dir_open(copy->os, view.store->dir, S("segments"), false,
                               &copy->source_segments, why));
    return ALS_OK;
}

static err copy_view(struct copy *copy, struct view view, struct als_why *why)
{
    TRY(take_segments(copy, view, why));
    TRY(copy_segments(copy, why));
    TRY(write_manifest(copy, why));
    TRY(put_tail_of_view(copy, view, why));
    return end_log(copy, why);
}

static err finish(struct copy *copy, err code, struct store_copied *ret_copied)
{
    if (code == ALS_OK)
        *ret_copied = copy->done;
    copy_deinit(copy);
    return code;
}

err store_copy_view(struct os *os, struct view view, struct os_dir *target,
                    const struct store_copying *copying, struct store_copied *ret_copied,
                    struct als_why *why)
{
    assert(view.store);
    struct copy copy = {.os = os,
                        .options = copying,
                        .target = target,
                        .sealed = view_sealed(view),
                        .up_to = view.position};
    buf_init(&copy.batch, BATCH_BYTES_MAX);
    return finish(&copy, copy_view(&copy, view, why), ret_copied);
}

// ---- From a store that nobody has open: rows of the segment in which the copy ends

static err flush_rows(struct copy *copy, struct als_why *why)
{
    if (copy->batch_count == 0)
        return ALS_OK;
    if (buf_failed(&copy->batch))
        return FAIL(why, ALS_NO_MEMORY, "a batch of %u events", copy->batch_count);
    batch_set_recorded((uint8_t *)copy->batch.ptr, copy->batch_recorded_us);
    struct wal_draft draft = {.first = copy->done.position + 1,
                              .count = copy->batch_count,
                              .recorded_us = copy->batch_recorded_us,
                              .body = buf_str(&copy->batch)};
    copy->batch_count = 0;
    return put_draft(copy, &draft, why);
}

static void encode_row(struct buf *batch, const struct als_event *event)
{
    struct record_draft draft = {.entity = event->entity,
                                 .type = event->type,
                                 .id = event->id,
                                 .timestamp_us = event->timestamp_us,
                                 .schema_version = event->schema_version,
                                 .has_metadata = event->metadata.len > 0};
    size_t room = record_size_max(&draft, event->payload.len, event->metadata.len);
    uint8_t *record = (uint8_t *)buf_room(batch, room);
    if (!record)
        return; // the buffer says so
    uint8_t *at = record_begin(record, (uint32_t)batch->len, &draft);
    memcpy(at, event->payload.ptr, event->payload.len);
    at = record_payload_done(record, event->payload.len);
    if (event->metadata.len)
        memcpy(at, event->metadata.ptr, event->metadata.len);
    record_set_version(record, event->version);
    buf_grew(batch, record_finish(record, event->metadata.len, event->schema_version));
}

static err put_row(void *context, const struct als_event *event, struct als_why *why)
{
    struct copy *copy = context;
    if (event->position > copy->up_to)
        return ALS_OK;
    bool full = copy->batch_count == BATCH_EVENTS_MAX || copy->batch.len > BATCH_BYTES;
    if (full || event->recorded_us != copy->batch_recorded_us)
        TRY(flush_rows(copy, why));
    if (event->position != copy->done.position + copy->batch_count + 1)
        return FAIL(why, ALS_UNSUPPORTED,
                    "position %llu lies in a segment from which events were removed",
                    (unsigned long long)copy->up_to);
    if (copy->batch_count == 0) {
        static const uint8_t head[BATCH_HEAD_BYTES];
        buf_reset(&copy->batch);
        buf_put(&copy->batch, head, sizeof head);
        copy->batch_recorded_us = event->recorded_us;
    }
    encode_row(&copy->batch, event);
    copy->batch_count++;
    return ALS_OK;
}

static err put_rows(struct copy *copy, const struct manifest_entry *entry, struct als_why *why)
{
    char space[SEGMENT_NAME_MAX];
    str name = part_name(&entry->facts, ".parquet", space);
    AUTO(segment_cache) cache = segment_cache_new(STORE_CACHE_BYTES);
    if (!cache)
        return FAIL(why, ALS_NO_MEMORY, "a segment cannot be read");
    struct segment *segment = NULL;
    TRY(segment_open(copy->os, copy->source_segments, name, cache, &segment, why));
    err code = segment_verify(segment, put_row, copy, why);
    segment_close(segment); // before its cache
    TRY(code);
    return flush_rows(copy, why);
}

// ---- From a store that nobody has open

struct source {
    struct os_dir *dir;
    struct manifest *manifest;
    const struct manifest_entry *cut; // the segment in which the copy ends, or NULL
};

// A torn end is no damage: nobody was told that it was stored, and the copy goes without it.
static err check_sound(const struct wal_verdict *verdict, const char *which, struct als_why *why)
{
    if (verdict->finding != WAL_DAMAGED)
        return ALS_OK;
    return FAIL(why, ALS_CORRUPT, "%s/%.*s is damaged at byte %llu", which, STR(verdict->file),
                (unsigned long long)verdict->offset);
}

static err choose_segments(struct copy *copy, struct source *source, struct als_why *why)
{
    size_t count;
    const struct manifest_entry *entries = manifest_entries(source->manifest, &count);
    als_position sealed = manifest_sealed(source->manifest);
    while (copy->count < count && entries[copy->count].facts.last <= copy->up_to)
        copy->count++;
    if (copy->count < count && entries[copy->count].facts.first <= copy->up_to)
        source->cut = &entries[copy->count];
    for (size_t i = 0; i < count && entries[i].facts.first <= copy->up_to; i++)
        if (entries[i].removed_at > copy->up_to)
            return FAIL(why, ALS_UNSUPPORTED,
                        "position %llu lies before %llu, where retention removed events that only "
                        "newer ones made superfluous: the tenant can be copied as it was then or "
                        "later",
                        (unsigned long long)copy->up_to, (unsigned long long)entries[i].removed_at);
    copy->sealed = sealed < copy->up_to ? sealed : copy->up_to;
    if (source->cut)
        copy->sealed = source->cut->facts.first - 1;
    copy->entries = calloc(copy->count + 1, sizeof entries[0]);
    if (!copy->entries)
        return FAIL(why, ALS_NO_MEMORY, "a list of %zu segments", copy->count);
    if (copy->count)
        memcpy(copy->entries, entries, copy->count * sizeof entries[0]);
    if (count)
        TRY(copy->os->dir_open(copy->os, source->dir, S("segments"), false, &copy->source_segments,
                               why));
    return ALS_OK;
}

static err verify_log(struct copy *copy, struct os_dir *dir, struct als_why *why)
{
    struct wal_verdict verdict;
    TRY(wal_verify(copy->os, dir, put_batch, copy, &verdict, why));
    return check_sound(&verdict, "wal", why);
}

static err put_tail(struct copy *copy, const struct source *source, struct als_why *why)
{
    struct os_dir *dir;
    copy->measured = !source->cut; // rows are not measured
    err code = copy->os->dir_open(copy->os, source->dir, S("wal"), false, &dir, why);
    if (code == ALS_NOT_FOUND && copy->sealed == 0)
        return begin_log(copy, why); // a crash came before its first event
    TRY(code);
    copy->measuring = copy->measured;
    code = copy->measuring ? verify_log(copy, dir, why) : ALS_OK;
    copy->measuring = false;
    if (code == ALS_OK)
        code = begin_log(copy, why);
    if (code == ALS_OK)
        code = source->cut ? put_rows(copy, source->cut, why) : verify_log(copy, dir, why);
    copy->os->dir_close(dir);
    return code;
}

static err copy_store(struct copy *copy, struct source *source, struct als_why *why)
{
    struct wal_verdict verdict = {.finding = WAL_SOUND};
    TRY(manifest_read(copy->os, source->dir, copy->options->tenant, &verdict, &source->manifest,
                      why));
    TRY(check_sound(&verdict, "manifest", why));
    TRY(choose_segments(copy, source, why));
    TRY(copy_segments(copy, why));
    TRY(write_manifest(copy, why));
    TRY(put_tail(copy, source, why));
    return end_log(copy, why);
}

err store_copy(struct os *os, struct os_dir *dir, struct os_dir *target,
               const struct store_copying *copying, struct store_copied *ret_copied,
               struct als_why *why)
{
    struct source source = {.dir = dir};
    struct copy copy = {.os = os, .options = copying, .target = target, .up_to = copying->up_to};
    buf_init(&copy.batch, BATCH_BYTES_MAX);
    err code = finish(&copy, copy_store(&copy, &source, why), ret_copied);
    manifest_close(source.manifest);
    return code;
}
