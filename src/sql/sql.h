// SPDX-License-Identifier: Apache-2.0
// What the server asks its SQL worker, and how the worker answers: the bytes between the two.
//
// Both are frames on one socket: u32 size of the content, u32 kind, content; little-endian. The
// server sends one SQL_ASK. The worker answers with SQL_BEGIN, any number of SQL_DATA and SQL_END,
// or at any point with SQL_FAILED, which is the last. Both sides come from one build, so there are
// no versions; but the server trusts nothing that a worker says.
// Threads: plain functions over the caller's memory.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    SQL_HEAD_BYTES = 8,
    SQL_DATA_BYTES = 64 << 10,         // of one SQL_DATA, at most
    SQL_QUERY_BYTES_MAX = 64 << 10,    // the text of a query
    SQL_FILES_MAX = 100000,            // Parquet files of one tenant
    SQL_QUESTION_BYTES_MAX = 64 << 20, // all of a question
};

enum sql_kind {
    SQL_ASK = 1, // a question
    SQL_BEGIN,   // the query runs, and its first rows are there
    SQL_DATA,    // the next bytes of the answer's body
    SQL_END,     // the body is complete
    SQL_FAILED,  // the stable name of a code, a line feed, words
};

struct sql_frame {
    enum sql_kind kind;
    uint32_t size; // of the content
};
void sql_head_put(struct sql_frame frame, uint8_t head[static SQL_HEAD_BYTES]);
// False when no frame begins so.
bool sql_head_read(const uint8_t head[static SQL_HEAD_BYTES], struct sql_frame *ret_frame);

// The code that has this name, ALS_INTERNAL when none has; and the words behind the line feed, made
// UTF-8.
err sql_failure_read(str content, struct als_why *why);

enum sql_format { SQL_JSON, SQL_LINES, SQL_CSV, SQL_ARROW };
enum { SQL_FORMATS = SQL_ARROW + 1 };

struct sql_file { // sealed events, as Parquet
    str path;     // absolute
    als_position first, last;
    uint64_t rows;
    int64_t least_us, greatest_us; // timestamps in it
};

struct sql_question {
    str query;
    str directory; // the tenant's; its log is in wal/
    enum sql_format format;
    als_position sealed;   // events up to here are in the files, those behind it in the log
    als_position position; // events up to here exist
    int64_t as_of_us;      // and with a timestamp up to this
    uint64_t rows_max;     // of the answer
    bool rows_cut;         // the client asked for no more rows; else more of them is a failure
    uint64_t bytes_max;    // of the answer; more is a failure
    uint32_t time_ms_max;
    const struct sql_file *files;
    size_t file_count;
};

// The frame whole, with its head.
void sql_question_put(struct buf *buf, const struct sql_question *question);
// From the content of a frame. Slices point into it, the list of files is in the arena.
err sql_question_read(str content, struct arena *arena, struct sql_question *ret_question,
                      struct als_why *why);
