// SPDX-License-Identifier: Apache-2.0
// The write-ahead log: the one place where an event becomes durable.
//
// Appends batches to numbered files and hands them back in order; what a batch means is not its
// business. Format: docs/formats/wal.md. Not here: indexing, sealing, retention.
// Threads: one writer calls append, sync, mark and trim; batches that were handed out may be read
// by anyone until they are trimmed or the log is closed.
#pragma once

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

struct os;
struct os_dir;
struct wal;

struct wal_options {
    uint64_t file_bytes; // a file is made this long, and rolled when a group does not fit
    uint64_t batch_bytes_max;
    str label; // whose log it is (the tenant); stands in every file's header
};

// A batch as it lies in the log. `body` points into the mapped file and stays valid and unchanged
// until wal_trim() passes the batch or the log is closed.
struct wal_batch {
    uint64_t number;     // 1, 2, 3...; marks have numbers, too
    als_position first;  // position of its first event
    uint32_t count;      // how many events; 0 in a mark
    int64_t recorded_us; // when it was made durable, by the store's clock
    const uint8_t *body;
    size_t size;
};

// A batch that is to be written.
struct wal_draft {
    als_position first;
    uint32_t count;
    int64_t recorded_us;
    str body;
};

// What recovery found and did.
struct wal_report {
    uint64_t files, batches, bytes; // batches without marks; bytes of frames
    uint64_t torn_bytes;            // behind the last whole batch: cut off, or missing
    uint64_t torn_file;             // in which file, when torn_bytes is not 0
    bool rewritten;                 // the end may not have been durable: copied to a new file
};

typedef err wal_each(void *context, const struct wal_batch *batch, struct als_why *why);

// Opens the log in `dir`, empty if there is none, and calls `each` for every batch in order (not
// for marks) before it returns. A torn end is cut off, for nobody was told it was safe; damage
// anywhere else is ALS_CORRUPT, names file and offset, and leaves the files as they are. A newer
// format is ALS_FORMAT_TOO_NEW, another label ALS_CORRUPT. What is handed to `each` is durable when
// wal_open() returns: an end that may only be in the page cache is first copied to a new file and
// synced. An error of `each` ends the opening and is returned.
err wal_open(KEEPS struct os *os, KEEPS struct os_dir *dir, struct wal_options options,
             wal_each *each, void *context, struct wal_report *ret_report, struct wal **ret_wal,
             struct als_why *why);
// Makes the first file of a log that has none, durable with its name, so that its first batch comes
// behind position `after`.
err wal_begin(struct wal *wal, als_position after, struct als_why *why);
// What a batch with so many bytes takes of a file, and what a file takes without one, its mark
// included.
uint64_t wal_batch_span(uint64_t size);
extern const uint64_t wal_file_bytes_least;
// Marks the end as durable when it can be; then closes. What was not synced may be lost.
void wal_close(struct wal *wal);
AUTO_WITH(wal, wal_close)

// Writes a group of 1 to TURN_BATCHES_MAX batches with one write. Positions go on without a gap:
// each batch begins behind the one before it, the log's first at 1; none is empty. With `sync` they
// are durable when it returns, and so is all before them. ret_bodies[i] is where the body of batch
// i now lies. ALS_STORAGE_FULL, ALS_NO_MEMORY: nothing of the group is in the log, nor will it be
// after a crash; the next call may succeed. ALS_STORAGE_FAILED: the outcome is unknown and the log
// takes no more for good; what was handed out stays readable. The number of the first batch is
// `expect_last` + 1, else ALS_FENCED.
err wal_append(struct wal *wal, uint64_t expect_last, const struct wal_draft *drafts, size_t count,
               bool sync, const uint8_t **ret_bodies, struct als_why *why);
// Makes durable what was appended without sync. ALS_STORAGE_FAILED as above.
err wal_sync(struct wal *wal, struct als_why *why);
// Says in the log that everything before is durable, so that damage to it is told from a torn end.
// Called when the writer has been idle for a while; does nothing when there is nothing to say.
err wal_mark(struct wal *wal, struct als_why *why);
// Removes the files that hold only positions up to `up_to`; never the last file.
err wal_trim(struct wal *wal, als_position up_to, struct als_why *why);

struct wal_head {
    uint64_t batch;        // number of the last batch or mark, 0 in an empty log
    als_position position; // of the last event
    als_position durable;  // the last position known to be durable
    bool failed;           // takes no more
};
struct wal_head wal_head(const struct wal *wal);

struct wal_stat {
    uint64_t files;
    uint64_t bytes_used, bytes_allocated;
    uint64_t syncs, sync_ns; // since open
};
struct wal_stat wal_stat(const struct wal *wal);

// ---- Offline: reads a log that nobody has open, changes nothing.

enum wal_finding {
    WAL_SOUND,
    WAL_TORN,    // the end was cut by a crash; opening it will cut it off
    WAL_DAMAGED, // committed bytes are not what was written
};

struct wal_verdict {
    enum wal_finding finding;
    str file;        // into `space`; empty when sound
    uint64_t offset; // of the first bad byte or frame in that file
    struct wal_report report;
    char space[64];
};

// Reads every byte. `each` may be NULL; it sees the batches up to the first bad one.
err wal_verify(struct os *os, struct os_dir *dir, wal_each *each, void *context,
               struct wal_verdict *ret_verdict, struct als_why *why);

// ---- Beside the writer: reads a log that another process may be appending to, changes nothing.

struct wal_reader;

// Maps the files of the log in `dir` that hold batches behind position `after`, up to the batch
// that has `up_to`. The caller knows that both are in the log, that what lies between them is not
// trimmed while the reader is open, and that all of it was checked by the one who writes: checksums
// are not looked at again, the chain of numbers and positions is. ALS_CORRUPT when it breaks.
err wal_reader_open(struct os *os, struct os_dir *dir, als_position after, als_position up_to,
                    struct wal_reader **ret_reader, struct als_why *why);
struct wal_place { // where somebody stands in it; a plain value
    size_t file;
    uint64_t offset; // in that file; 0: before its first frame
    uint64_t batch;  // the last one that was passed, and its last position
    als_position position;
};
struct wal_place wal_reader_start(const struct wal_reader *reader);
// The next batch, in order; marks are left out. `count` is 0 at the end. The first batch may begin
// before `after`, the last one may go on behind `up_to`. The body is valid until the reader is
// closed. Any number of threads, each at a place of its own.
err wal_reader_next(const struct wal_reader *reader, struct wal_place *place,
                    struct wal_batch *ret_batch, struct als_why *why);
void wal_reader_close(struct wal_reader *reader);
AUTO_WITH(wal_reader, wal_reader_close)
