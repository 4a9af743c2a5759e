// SPDX-License-Identifier: Apache-2.0
// Reading beside the writer.
//
// The reader knows from the writer how far the log goes, so it never has to judge its end: it
// follows the chain of numbers and positions and stops at the position it was told. What lies
// behind may be half written; it is not looked at. Files appear with their header complete, under
// their name, and are only ever removed from the front; so a listing may miss the newest file only
// if that was made after the position was published, and then it is not needed.
//
// A file may be longer than what counts in it: behind the batch at which its successor begins lies
// what was taken over by the successor (an end rewritten by a recovery). So a file is left at its
// successor's first batch.
#include "os/os.h"
#include "wal/scan.h"

#include <stdlib.h>

struct wal_reader {
    struct wal_scan scan;
    als_position up_to;
    struct wal_place start;
};

static const struct wal_file *file_at(const struct wal_reader *reader, size_t index)
{
    return index < reader->scan.files.count ? &reader->scan.files.items[index] : NULL;
}

// Mapping costs nothing until a page is touched, and files that are not needed are trimmed soon.
static err map_files(struct wal_reader *reader, struct os_dir *dir, als_position after,
                     struct als_why *why)
{
    struct wal_scan *scan = &reader->scan;
    TRY(wal_scan_list(scan, dir, why));
    for (size_t i = 0; i < scan->files.count; i++) {
        TRY(wal_scan_map(scan, dir, i, why));
        TRY(wal_scan_header(scan, i, why));
        if (scan->finding == WAL_DAMAGED)
            return FAIL(why, ALS_CORRUPT, "%s", scan->bad.text);
        const struct wal_link *before = &scan->files.items[i].before;
        if (i == 0 || before->position <= after)
            reader->start = (struct wal_place){i, 0, before->batch, before->position};
    }
    if (reader->start.position > after)
        return FAIL(why, ALS_CORRUPT, "the log begins behind position %llu, which was to be read",
                    (unsigned long long)after);
    return ALS_OK;
}

// Passes the frames before the one that holds the event behind `after`.
static err seek(struct wal_reader *reader, als_position after, struct als_why *why)
{
    struct wal_place place = reader->start;
    while (place.position < after && place.position < reader->up_to) {
        struct wal_batch batch;
        TRY(wal_reader_next(reader, &place, &batch, why));
        if (place.position <= after)
            reader->start = place;
    }
    return ALS_OK;
}

err wal_reader_open(struct os *os, struct os_dir *dir, als_position after, als_position up_to,
                    struct wal_reader **ret_reader, struct als_why *why)
{
    AUTO(wal_reader) reader = calloc(1, sizeof *reader);
    if (!reader)
        return FAIL(why, ALS_NO_MEMORY, "no memory to read the log");
    reader->scan.os = os;
    reader->up_to = up_to;
    TRY(map_files(reader, dir, after, why));
    TRY(seek(reader, after, why));
    *ret_reader = MOVE(reader);
    return ALS_OK;
}

struct wal_place wal_reader_start(const struct wal_reader *reader)
{
    return reader->start;
}

// Goes on to the file that begins where the place is, if there is one.
static void enter_next_file(const struct wal_reader *reader, struct wal_place *place)
{
    const struct wal_file *next = file_at(reader, place->file + 1);
    if (next && next->before.batch == place->batch) {
        place->file++;
        place->offset = 0;
    }
}

static err next_frame(const struct wal_reader *reader, struct wal_place *place,
                      struct wal_frame *ret_frame, const uint8_t **ret_at, struct als_why *why)
{
    enter_next_file(reader, place);
    const struct wal_file *file = file_at(reader, place->file);
    if (place->offset == 0)
        place->offset = WAL_HEADER_BYTES;
    uint64_t left = file && place->offset < file->size ? file->size - place->offset : 0;
    struct wal_frame frame = {};
    if (left >= WAL_FRAME_BYTES)
        wal_frame_load(file->bytes + place->offset, &frame);
    if (frame.size < WAL_FRAME_BYTES || wal_frame_span(frame.size) > left ||
        frame.number != place->batch + 1 || frame.first != place->position + 1)
        return FAIL(why, ALS_CORRUPT, "the log cannot be followed behind position %llu",
                    (unsigned long long)place->position);
    *ret_at = file->bytes + place->offset;
    place->offset += wal_frame_span(frame.size);
    place->batch = frame.number;
    place->position += frame.count;
    *ret_frame = frame;
    return ALS_OK;
}

err wal_reader_next(const struct wal_reader *reader, struct wal_place *place,
                    struct wal_batch *ret_batch, struct als_why *why)
{
    struct wal_frame frame = {};
    const uint8_t *at = NULL;
    while (frame.count == 0 && place->position < reader->up_to)
        TRY(next_frame(reader, place, &frame, &at, why));
    *ret_batch = (struct wal_batch){.number = frame.number,
                                    .first = frame.first,
                                    .count = frame.count,
                                    .recorded_us = frame.recorded_us,
                                    .body = at ? at + WAL_FRAME_BYTES : NULL,
                                    .size = at ? frame.size - WAL_FRAME_BYTES : 0};
    return ALS_OK;
}

void wal_reader_close(struct wal_reader *reader)
{
    if (!reader)
        return;
    wal_scan_deinit(&reader->scan);
    free(reader);
}
