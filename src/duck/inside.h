// SPDX-License-Identifier: Apache-2.0
// The worker, inside: how its pieces reach each other.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "sql/sql.h"

#include <duckdb.h>
#include <stdatomic.h>
#include <strings.h>

struct ArrowSchema;
struct json_doc;
struct wal_reader;

// ---- guard.c

struct guard {
    uint64_t memory_bytes;
    const char *directory; // the only one that may be read; NULL: none
};
// Bounds this process for good. It has one thread; those to come inherit the bounds.
err guard_enter(struct guard guard, struct als_why *why);
// Lets the process use so much more CPU time; past it the kernel ends the process.
void guard_cpu(uint64_t time_ms_max, unsigned threads);

// ---- check.c

static inline bool same_word(str a, str b) // names are compared without case
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

// What is known of the rows of `events` that a query can need. Wide open when nothing is known.
struct bounds {
    als_position after, up_to;
    int64_t since_us, until_us;
    str entity, type; // any if `ptr` is NULL
};

struct checked {
    bool entities;        // the view `entities` is used
    uint32_t events_uses; // how often `events` is named
    bool multiplies;      // unnest or a window: rows are not one for one
};

// Whether the tree that json_serialize_sql() made may run: ALS_INVALID_QUERY says what may not.
err check_tree(const struct json_doc *tree, struct arena *arena, struct checked *ret_checked,
               struct als_why *why);
bool check_function_known(str name);      // for the test
const char *const *check_functions(void); // sorted, NULL-ended

// ---- plan.c

struct plan {
    struct bounds bounds;
    als_position tail_after, tail_up_to; // what the log is read for; nothing when equal
    const struct sql_file **files;       // that may hold a row that is needed
    size_t file_count;
};

// What has to be read. `checked` is of the same tree.
err plan_make(const struct json_doc *tree, const struct checked *checked,
              const struct sql_question *question, struct arena *arena, struct plan *ret_plan,
              struct als_why *why);
// The statement that makes the view `events` over what is read.
void plan_put_events(const struct plan *plan, const struct sql_question *question, struct buf *buf);
extern const char plan_entities[]; // the statement that makes the view `entities`

// ---- live.c: the table function `live`

struct live {                  // what of the log the question in hand may see
    struct wal_reader *reader; // NULL: no rows
    als_position after, up_to;
    struct bounds bounds;
    _Atomic uint64_t rows_read;
};
err live_register(duckdb_connection connection, KEEPS struct live *live, struct als_why *why);
// What the scans of the next query read, from `directory`/wal.
err live_open(struct live *live, str directory, const struct plan *plan, struct als_why *why);
// When nothing of the query is left: rows may point into the log's files until then.
void live_close(struct live *live);

// ---- print.c: values as text

struct column {
    const char *name;
    duckdb_logical_type type;
    bool json; // a VARCHAR that is known to be JSON
};
bool print_can(duckdb_type id); // whether its values can be put at all
bool print_is_json(duckdb_logical_type type);
void print_type(struct buf *buf, duckdb_logical_type type);
// The value as JSON.
void print_json(struct buf *buf, const struct column *column, duckdb_vector vector, idx_t row);
// The value as a cell of CSV; nothing when it is NULL.
void print_cell(struct buf *buf, const struct column *column, duckdb_vector vector, idx_t row);
void print_cell_text(struct buf *buf, str text); // between quotes where it needs them
void print_quoted(struct buf *buf, str text);    // as a JSON string

// ---- answer.c: the body, format by format

struct result {
    const struct sql_question *question;
    const struct plan *plan;
    struct live *live;
    duckdb_result *duck;
    struct column *columns;
    size_t column_count;
    duckdb_vector *vectors; // as many; of the chunk in hand
    duckdb_connection connection;
    uint64_t rows;
    bool truncated;
    uint64_t duration_us;
    struct ArrowSchema *schema; // of Arrow: these three
    duckdb_arrow_options arrow_options;
    uint8_t *scratch;
};
err answer_begin(struct result *result, struct buf *buf, struct als_why *why);
// A row of the chunk whose vectors these are; `rows` has been counted up to the chunk. Not Arrow.
err answer_row(struct result *result, duckdb_vector *vectors, idx_t row, struct buf *buf,
               struct als_why *why);
err answer_end(struct result *result, struct buf *buf, struct als_why *why);

// ---- arrow.c: the Arrow IPC stream format

err arrow_schema(struct result *result, struct buf *buf, struct als_why *why);
err arrow_batch(struct result *result, duckdb_data_chunk chunk, idx_t count, struct buf *buf,
                struct als_why *why);
void arrow_end(struct buf *buf);
void arrow_free(struct result *result);

// ---- open.c, run.c

struct worker {
    duckdb_database database;
    duckdb_connection connection;
    duckdb_prepared_statement parse; // SELECT json_serialize_sql(?::VARCHAR)
    struct live live;
    struct arena arena; // of one question
    unsigned threads;
    int socket;
    atomic_bool interrupted; // the server wants the query to end
    bool broken;             // take no further question
};
// In this order: open, guard_enter(), lock.
err worker_open(struct worker *worker, uint64_t memory_bytes, struct als_why *why);
err worker_lock(struct worker *worker, unsigned threads, str directory, struct als_why *why);
void worker_close(struct worker *worker);
// Runs a statement of our own.
err worker_say(struct worker *worker, const char *statement, struct als_why *why);
// Answers one question. False when the worker is to end: the socket is gone, or it is broken.
bool worker_answer(struct worker *worker, str question);
// Writes a frame; false when the server is gone.
bool frame_write(int socket, enum sql_kind kind, str content);
bool socket_write(int socket, str bytes);
