// SPDX-License-Identifier: Apache-2.0
// How a log is read, and how a torn end is told from damage.
//
// A log is a chain. Every frame carries the number, position and hash that must come before it, and
// a file's header does so for its first frame. So the files are walked in the order of their
// numbers, and a frame counts when it is whole and follows. Where the chain stops:
//
//   1. In a file that has a successor, the chain must reach the batch before the successor's first:
//      all of it was durable before the successor was made. If it does not, that is damage. What
//      lies behind that batch has been taken over by the successor and is not looked at.
//   2. In the last file it is damage when the missing batch n is known to have been durable: when
//      the file's header says so, or when a whole frame m lies somewhere behind the bad place with
//      m - m.unsynced >= n, for then n was durable when m was written.
//   3. A whole frame in the right place that does not follow is damage: no interrupted write makes
//      one.
//   4. Otherwise the end is torn, if anything but zeros lies there: nobody was told of it. It is
//   torn,
//      too, if the file is shorter than it was made: that is what an interrupted clean-up leaves,
//      and what somebody leaves who cuts the file or removes its successor.
//
// A mark that ends the log has done its work once it is read. It is not counted as the end, so that
// the next frame takes its number and its place, and reopening a log leaves no trace in it.
#include "wal/scan.h"

#include "base/mutant.h"
#include "os/os.h"

#include <assert.h>
#include <stdlib.h>

// ---- Names.

struct listing {
    struct wal_scan *scan;
    err code;
    struct als_why *why;
};

static err note_leftover(struct wal_scan *scan, struct wal_leftover leftover, struct als_why *why)
{
    if (scan->leftover_count == scan->leftover_capacity) {
        size_t capacity = scan->leftover_capacity * 2 + 4;
        void *leftovers = realloc(scan->leftovers, capacity * sizeof leftover);
        if (!leftovers)
            return FAIL(why, ALS_NO_MEMORY, "no memory for the list of log files");
        scan->leftovers = leftovers;
        scan->leftover_capacity = capacity;
    }
    scan->leftovers[scan->leftover_count++] = leftover;
    return ALS_OK;
}

static bool note_entry(void *context, const struct os_entry *entry)
{
    struct listing *listing = context;
    struct wal_scan *scan = listing->scan;
    uint64_t number, epoch;
    if (entry->directory || !wal_name_parse(entry->name, &number, &epoch))
        return true; // not ours
    if (epoch != 0) {
        listing->code = note_leftover(scan, (struct wal_leftover){number, epoch}, listing->why);
    } else {
        listing->code = wal_files_reserve(&scan->files, listing->why);
        if (listing->code == ALS_OK)
            scan->files.items[scan->files.count++] = (struct wal_file){.number = number};
    }
    return listing->code == ALS_OK;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = ((const struct wal_file *)left)->number;
    uint64_t b = ((const struct wal_file *)right)->number;
    return (a > b) - (a < b);
}

err wal_scan_list(struct wal_scan *scan, struct os_dir *dir, struct als_why *why)
{
    struct listing listing = {.scan = scan, .why = why};
    TRY(scan->os->dir_list(dir, note_entry, &listing, why));
    TRY(listing.code);
    if (scan->files.count > 1)
        qsort(scan->files.items, scan->files.count, sizeof *scan->files.items, by_number);
    return ALS_OK;
}

// ---- Damage.

static void damaged(struct wal_scan *scan, const struct wal_file *file, uint64_t offset,
                    const char *what)
{
    char space[WAL_NAME_MAX];
    str name = wal_name(file->number, space);
    scan->finding = WAL_DAMAGED;
    scan->bad_file = file->number;
    scan->bad_offset = offset;
    err_explain(&scan->bad, "log file %.*s is damaged at byte %llu: %s; restore it from a backup",
                STR(name), (unsigned long long)offset, what);
}

static bool is_damaged(const struct wal_scan *scan, const struct wal_file *file)
{
    return scan->finding == WAL_DAMAGED && scan->bad_file == file->number;
}

// ---- Headers.

err wal_scan_map(struct wal_scan *scan, struct os_dir *dir, size_t index, struct als_why *why)
{
    struct wal_file *file = &scan->files.items[index];
    char space[WAL_NAME_MAX];
    struct os_file *opened = NULL;
    TRY(scan->os->file_open(dir, wal_name(file->number, space), OS_READ, &opened, why));
    uint64_t size = 0;
    err code = scan->os->file_size(opened, &size, why);
    if (code == ALS_OK && size > 0)
        code = scan->os->file_map(opened, size, &file->bytes, why);
    scan->os->file_close(opened);
    file->size = code == ALS_OK ? size : 0;
    return code;
}

static bool same_log(const struct wal_header *a, const struct wal_header *b)
{
    return a->log == b->log && a->label_size == b->label_size &&
           memcmp(a->label, b->label, a->label_size) == 0;
}

err wal_scan_header(struct wal_scan *scan, size_t index, struct als_why *why)
{
    struct wal_file *file = &scan->files.items[index];
    struct wal_header header;
    enum wal_header_state state =
        file->size < WAL_HEADER_BYTES ? WAL_HEADER_BAD : wal_header_decode(file->bytes, &header);
    if (state == WAL_HEADER_TOO_NEW)
        return FAIL(why, ALS_FORMAT_TOO_NEW,
                    "log file %016llx.wal was written by a newer version, which must read it",
                    (unsigned long long)file->number);
    if (state == WAL_HEADER_BAD)
        damaged(scan, file, 0, "its header is not what was written");
    else if (header.file != file->number)
        damaged(scan, file, 0, "its header has the number of another file");
    else if (index > 0 && !same_log(&scan->header, &header))
        damaged(scan, file, 0, "it belongs to another log");
    if (is_damaged(scan, file))
        return ALS_OK;
    file->before = header.before;
    file->durable = header.durable;
    file->end = WAL_HEADER_BYTES;
    scan->header = header;
    return ALS_OK;
}

// ---- Frames.

struct place {
    uint64_t offset;
    struct wal_link link;
};

// Takes in one whole frame that follows.
static err take(struct wal_scan *scan, struct wal_file *file, const struct wal_frame *frame,
                struct place *place, struct als_why *why)
{
    const uint8_t *at = file->bytes + place->offset;
    if (frame->flags != 0)
        return FAIL(why, ALS_FORMAT_TOO_NEW, "batch %llu was written by a newer version",
                    (unsigned long long)frame->number);
    place->link = wal_link_behind(place->link, frame, at, at + WAL_FRAME_BYTES);
    place->offset += wal_frame_span(frame->size);
    if (frame->number - frame->unsynced > scan->durable)
        scan->durable = frame->number - frame->unsynced;
    scan->report.bytes += wal_frame_span(frame->size);
    scan->report.batches += frame->count > 0;
    return ALS_OK;
}

// Walks the frames that follow, up to batch `limit`. A mark is taken into scan->last and file->end
// only when something follows it.
static err walk(struct wal_scan *scan, struct wal_file *file, uint64_t limit,
                struct place *ret_place, struct als_why *why)
{
    uint32_t salt = wal_salt(scan->header.log);
    struct place place = {WAL_HEADER_BYTES, file->before};
    struct wal_frame frame;
    while (place.link.batch < limit &&
           wal_frame_decode(file->bytes + place.offset, file->size - place.offset, salt, &frame)) {
        if (!wal_frame_follows(&frame, place.link)) {
            damaged(scan, file, place.offset, "a whole batch lies there that belongs elsewhere");
            break;
        }
        TRY(take(scan, file, &frame, &place, why));
        if (frame.count > 0 || place.link.batch == limit) {
            scan->last = place.link;
            file->end = place.offset;
        }
    }
    *ret_place = place;
    return ALS_OK;
}

// Behind the last byte that is not zero, or `from`. Files are made long and may be mostly unused,
// so this runs over megabytes.
static uint64_t end_of_content(const struct wal_file *file, uint64_t from)
{
    enum { STEP = 4096 };
    static const uint8_t zeros[STEP];
    uint64_t end = file->size;
    while (end - from >= STEP && memcmp(file->bytes + end - STEP, zeros, STEP) == 0)
        end -= STEP;
    while (end > from && file->bytes[end - 1] == 0)
        end--;
    return end;
}

// Whether a whole frame behind the bad place shows that batch `missing` was durable.
static bool shown_durable(const struct wal_scan *scan, const struct wal_file *file, uint64_t bad,
                          uint64_t end, uint64_t missing)
{
    uint32_t salt = wal_salt(scan->header.log);
    uint64_t number_max = missing + (end - bad) / WAL_FRAME_BYTES;
    for (uint64_t at = bad + WAL_ALIGN; at + WAL_FRAME_BYTES <= file->size && at < end;
         at += WAL_ALIGN) {
        uint64_t number = wal_frame_number(file->bytes + at); // cheap, and nearly always enough
        struct wal_frame frame;
        if (number > missing && number <= number_max &&
            wal_frame_decode(file->bytes + at, file->size - at, salt, &frame) &&
            frame.number - frame.unsynced >= missing)
            return true;
    }
    return false;
}

static void judge_end(struct wal_scan *scan, const struct wal_file *file, struct place place)
{
    uint64_t end = end_of_content(file, place.offset);
    uint64_t torn = end - place.offset;
    if (file->size < scan->header.size)
        torn += scan->header.size - file->size;
    if (place.link.batch < file->durable) {
        damaged(scan, file, place.offset, "a batch that was durable when the file was made");
    } else if (end > place.offset && !MUTANT(UNSYNCED_IGNORED) &&
               shown_durable(scan, file, place.offset, end, place.link.batch + 1)) {
        damaged(scan, file, place.offset, "a batch that a later one shows to have been durable");
    } else if (torn > 0) {
        scan->finding = WAL_TORN;
        scan->bad_file = scan->report.torn_file = file->number;
        scan->bad_offset = place.offset;
        scan->report.torn_bytes = torn;
    }
}

// `good` files have a good header; the chain can be followed to the end of the last of them.
static err read_frames(struct wal_scan *scan, size_t index, size_t good, struct als_why *why)
{
    struct wal_file *file = &scan->files.items[index];
    bool followed = index + 1 < good && !MUTANT(SUPERSEDED_SERVED);
    uint64_t limit = followed ? file[1].before.batch : UINT64_MAX;
    if (index == 0)
        scan->last = file->before;
    if (!wal_link_equal(scan->last, file->before)) {
        damaged(scan, file, 0, "it does not continue the file before it");
        return ALS_OK;
    }
    if (file->durable > scan->durable)
        scan->durable = file->durable;
    scan->report.files++;
    struct place place;
    TRY(walk(scan, file, limit, &place, why));
    if (is_damaged(scan, file))
        return ALS_OK;
    if (followed && place.link.batch != limit)
        damaged(scan, file, place.offset, "a batch that was durable when the next file was made");
    else if (index + 1 == scan->files.count)
        judge_end(scan, file, place);
    return ALS_OK;
}

static err read_files(struct wal_scan *scan, struct os_dir *dir, struct als_why *why)
{
    TRY(wal_scan_list(scan, dir, why));
    size_t good = 0;
    for (; good < scan->files.count; good++) {
        TRY(wal_scan_map(scan, dir, good, why));
        TRY(wal_scan_header(scan, good, why));
        if (scan->finding == WAL_DAMAGED)
            break;
    }
    for (size_t i = 0; i < good; i++) {
        TRY(read_frames(scan, i, good, why));
        if (is_damaged(scan, &scan->files.items[i]))
            break; // the first bad place; it hides one found in a later header
    }
    return ALS_OK;
}

err wal_scan_init(struct wal_scan *scan, struct os *os, struct os_dir *dir, struct als_why *why)
{
    *scan = (struct wal_scan){.os = os};
    err code = read_files(scan, dir, why);
    if (code != ALS_OK)
        wal_scan_deinit(scan);
    return code;
}

void wal_scan_deinit(struct wal_scan *scan)
{
    wal_files_deinit(&scan->files, scan->os);
    free(scan->leftovers);
    scan->leftovers = NULL;
}

// ---- What was read.

void wal_file_frame(const struct wal_file *file, uint64_t offset, struct wal_frame *ret_frame)
{
    assert(offset + WAL_FRAME_BYTES <= file->end);
    wal_frame_load(file->bytes + offset, ret_frame);
    assert(offset + ret_frame->size <= file->end);
}

err wal_files_each(const struct wal_files *files, wal_each *each, void *context,
                   struct als_why *why)
{
    struct wal_frame frame;
    for (size_t i = 0; i < files->count; i++) {
        const struct wal_file *file = &files->items[i];
        for (uint64_t at = WAL_HEADER_BYTES; at < file->end; at += wal_frame_span(frame.size)) {
            wal_file_frame(file, at, &frame);
            if (frame.count == 0)
                continue;
            struct wal_batch batch = {.number = frame.number,
                                      .first = frame.first,
                                      .count = frame.count,
                                      .recorded_us = frame.recorded_us,
                                      .body = file->bytes + at + WAL_FRAME_BYTES,
                                      .size = frame.size - WAL_FRAME_BYTES};
            TRY(each(context, &batch, why));
        }
    }
    return ALS_OK;
}
