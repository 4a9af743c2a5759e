// SPDX-License-Identifier: Apache-2.0
// The table function `live`: the log's tail as rows.
//
// The log's files are mapped and read beside the server's writer (wal_reader_open()). Threads take
// batches one at a time under a lock and decode them on their own; a batch is some microseconds of
// work, taking it some nanoseconds. Only columns that the query uses are filled. Texts are not
// copied: a vector's string points into the mapping, which is closed when the answer is through.
// Filters are not handed to a table function of the C interface, so what plan.c found in the query
// is applied here, before a row costs anything.
#include "inside.h"

#include "base/bytes.h"
#include "base/lock.h"
#include "event/event.h"
#include "os/os.h"
#include "wal/wal.h"

#include <assert.h>
#include <stdlib.h>

enum column_id {
    COLUMN_POSITION,
    COLUMN_ENTITY,
    COLUMN_VERSION,
    COLUMN_TYPE,
    COLUMN_ID,
    COLUMN_TIMESTAMP,
    COLUMN_RECORDED,
    COLUMN_PAYLOAD,
    COLUMN_METADATA,
    COLUMN_SCHEMA_VERSION,
    COLUMNS
};

static const struct {
    const char *name;
    duckdb_type type;
    bool json;
} table[COLUMNS] = {
    [COLUMN_POSITION] = {"position", DUCKDB_TYPE_UBIGINT, false},
    [COLUMN_ENTITY] = {"entity_id", DUCKDB_TYPE_VARCHAR, false},
    [COLUMN_VERSION] = {"version", DUCKDB_TYPE_UBIGINT, false},
    [COLUMN_TYPE] = {"event_type", DUCKDB_TYPE_VARCHAR, false},
    [COLUMN_ID] = {"id", DUCKDB_TYPE_UUID, false},
    [COLUMN_TIMESTAMP] = {"timestamp", DUCKDB_TYPE_TIMESTAMP_TZ, false},
    [COLUMN_RECORDED] = {"recorded_at", DUCKDB_TYPE_TIMESTAMP_TZ, false},
    [COLUMN_PAYLOAD] = {"payload", DUCKDB_TYPE_VARCHAR, true},
    [COLUMN_METADATA] = {"metadata", DUCKDB_TYPE_VARCHAR, true},
    [COLUMN_SCHEMA_VERSION] = {"schema_version", DUCKDB_TYPE_UINTEGER, false},
};

enum { THREADS_MAX = 16 };

// One scan of the table; a query that names `events` twice has two, and a recursive one has many.
struct scan {
    struct live *live;
    struct lock lock; // guards the place
    struct wal_place place;
};

struct part { // of one thread
    idx_t column_count;
    enum column_id columns[COLUMNS + 1];
    struct wal_batch batch;
    const uint8_t *record; // the next one
    uint32_t left;         // records
    als_position position; // of the next one
};

static void bind(duckdb_bind_info info)
{
    const struct live *live = duckdb_bind_get_extra_info(info);
    for (size_t i = 0; i < COLUMNS; i++) {
        duckdb_logical_type type = duckdb_create_logical_type(table[i].type);
        if (table[i].json)
            duckdb_logical_type_set_alias(type, "JSON");
        duckdb_bind_add_result_column(info, table[i].name, type);
        duckdb_destroy_logical_type(&type);
    }
    duckdb_bind_set_cardinality(info, live->up_to - live->after, false);
}

static void scan_free(void *data)
{
    struct scan *scan = data;
    lock_deinit(&scan->lock);
    free(scan);
}

static void scan_begin(duckdb_init_info info)
{
    struct scan *scan = calloc(1, sizeof *scan);
    if (!scan) {
        duckdb_init_set_error(info, "no memory");
        return;
    }
    scan->live = duckdb_init_get_extra_info(info);
    lock_init(&scan->lock, LOCK_POOL);
    if (scan->live->reader)
        scan->place = wal_reader_start(scan->live->reader);
    duckdb_init_set_init_data(info, scan, scan_free);
    duckdb_init_set_max_threads(info, THREADS_MAX);
}

static void part_begin(duckdb_init_info info)
{
    struct part *part = calloc(1, sizeof *part);
    if (!part) {
        duckdb_init_set_error(info, "no memory");
        return;
    }
    idx_t count = duckdb_init_get_column_count(info);
    part->column_count = count <= COLUMNS ? count : COLUMNS;
    for (idx_t i = 0; i < part->column_count; i++)
        part->columns[i] = (enum column_id)duckdb_init_get_column_index(info, i);
    duckdb_init_set_init_data(info, part, free);
}

// ---- Filling.

struct target {
    void *data[COLUMNS];
    uint64_t *validity[COLUMNS];
};

static void put_text(void *data, idx_t row, str text)
{
    assert(data);
    duckdb_string_t *target = (duckdb_string_t *)data + row;
    memset(target, 0, sizeof *target);
    if (text.len <= sizeof target->value.inlined.inlined) {
        target->value.inlined.length = (uint32_t)text.len;
        if (text.len)
            memcpy(target->value.inlined.inlined, text.ptr, text.len);
        return;
    }
    union { // the vector only wants the pointer not to be const
        const char *given;
        char *wanted;
    } pointer = {text.ptr};
    target->value.pointer.length = (uint32_t)text.len;
    memcpy(target->value.pointer.prefix, text.ptr, sizeof target->value.pointer.prefix);
    target->value.pointer.ptr = pointer.wanted;
}

// A UUID is a signed 128-bit number whose highest bit is turned, so that it sorts as its text.
static duckdb_hugeint uuid_value(als_id id)
{
    uint64_t upper = __builtin_bswap64(load_le64(id.bytes));
    uint64_t lower = __builtin_bswap64(load_le64(id.bytes + 8));
    return (duckdb_hugeint){.lower = lower, .upper = (int64_t)(upper ^ (UINT64_C(1) << 63))};
}

static void put_value(const struct als_event *event, enum column_id column, void *data,
                      uint64_t *validity, idx_t row)
{
    switch (column) {
    case COLUMN_POSITION:
        ((uint64_t *)data)[row] = event->position;
        return;
    case COLUMN_VERSION:
        ((uint64_t *)data)[row] = event->version;
        return;
    case COLUMN_ENTITY:
        put_text(data, row, event->entity);
        return;
    case COLUMN_TYPE:
        put_text(data, row, event->type);
        return;
    case COLUMN_ID:
        ((duckdb_hugeint *)data)[row] = uuid_value(event->id);
        return;
    case COLUMN_TIMESTAMP:
        ((int64_t *)data)[row] = event->timestamp_us;
        return;
    case COLUMN_RECORDED:
        ((int64_t *)data)[row] = event->recorded_us;
        return;
    case COLUMN_PAYLOAD:
        put_text(data, row, event->payload);
        return;
    case COLUMN_METADATA:
        put_text(data, row, event->metadata);
        if (event->metadata.len == 0)
            duckdb_validity_set_row_invalid(validity, row);
        return;
    case COLUMN_SCHEMA_VERSION:
        ((uint32_t *)data)[row] = event->schema_version;
        return;
    case COLUMNS:
        return;
    }
}

static bool wanted(const struct bounds *bounds, const uint8_t *record, als_position position)
{
    int64_t us = record_timestamp(record);
    return position > bounds->after && position <= bounds->up_to && us >= bounds->since_us &&
           us <= bounds->until_us &&
           (!bounds->entity.ptr || str_equal(bounds->entity, record_entity(record))) &&
           (!bounds->type.ptr || str_equal(bounds->type, record_type(record)));
}

static err next_batch(struct scan *scan, struct part *part, struct als_why *why)
{
    part->batch = (struct wal_batch){};
    if (scan->live->reader) {
        lock_take(&scan->lock);
        err code = wal_reader_next(scan->live->reader, &scan->place, &part->batch, why);
        lock_release(&scan->lock);
        TRY(code);
    }
    if (part->batch.count == 0)
        return ALS_OK;
    TRY(batch_check(part->batch.body, part->batch.size, part->batch.count, why));
    part->record = part->batch.body + BATCH_HEAD_BYTES;
    part->left = part->batch.count;
    part->position = part->batch.first;
    return ALS_OK;
}

static struct target target_of(const struct part *part, duckdb_data_chunk chunk)
{
    struct target target = {};
    for (idx_t i = 0; i < part->column_count; i++) {
        duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, i);
        target.data[i] = duckdb_vector_get_data(vector);
        if (part->columns[i] == COLUMN_METADATA) {
            duckdb_vector_ensure_validity_writable(vector);
            target.validity[i] = duckdb_vector_get_validity(vector);
        }
    }
    return target;
}

static void put_row(const struct part *part, const struct target *target, idx_t row)
{
    struct als_event event = {};
    record_decode(part->record, part->position, &event);
    for (idx_t i = 0; i < part->column_count; i++)
        put_value(&event, part->columns[i], target->data[i], target->validity[i], row);
}

static void fill(duckdb_function_info info, duckdb_data_chunk chunk)
{
    struct scan *scan = duckdb_function_get_init_data(info);
    struct part *part = duckdb_function_get_local_init_data(info);
    struct target target = target_of(part, chunk);
    idx_t rows = 0, room = duckdb_vector_size();
    uint64_t looked_at = 0;
    struct als_why why = {""};
    while (rows < room) {
        if (part->left == 0 && next_batch(scan, part, &why) != ALS_OK) {
            duckdb_function_set_error(info, why.text);
            return;
        }
        if (part->left == 0)
            break;
        if (wanted(&scan->live->bounds, part->record, part->position))
            put_row(part, &target, rows++);
        part->record = record_next(part->record);
        part->position++;
        part->left--;
        looked_at++;
    }
    atomic_fetch_add(&scan->live->rows_read, looked_at);
    duckdb_data_chunk_set_size(chunk, rows);
}

// ---- Life.

err live_register(duckdb_connection connection, struct live *live, struct als_why *why)
{
    duckdb_table_function function = duckdb_create_table_function();
    duckdb_table_function_set_name(function, "live");
    duckdb_table_function_set_extra_info(function, live, NULL);
    duckdb_table_function_set_bind(function, bind);
    duckdb_table_function_set_init(function, scan_begin);
    duckdb_table_function_set_local_init(function, part_begin);
    duckdb_table_function_set_function(function, fill);
    duckdb_table_function_supports_projection_pushdown(function, true);
    duckdb_state state = duckdb_register_table_function(connection, function);
    duckdb_destroy_table_function(&function);
    return state == DuckDBSuccess ? ALS_OK
                                  : FAIL(why, ALS_INTERNAL, "the log cannot be made a table");
}

err live_open(struct live *live, str directory, const struct plan *plan, struct als_why *why)
{
    live_close(live);
    live->after = plan->tail_after;
    live->up_to = plan->tail_up_to;
    live->bounds = plan->bounds;
    atomic_store(&live->rows_read, 0);
    if (live->up_to == live->after)
        return ALS_OK;
    struct os *os = os_posix();
    struct os_dir *tenant = NULL, *dir = NULL;
    TRY(os->dir_open(os, NULL, directory, false, &tenant, why));
    err code = os->dir_open(os, tenant, S("wal"), false, &dir, why);
    os->dir_close(tenant);
    TRY(code);
    code = wal_reader_open(os, dir, live->after, live->up_to, &live->reader, why);
    os->dir_close(dir);
    return code;
}

void live_close(struct live *live)
{
    wal_reader_close(live->reader);
    live->reader = NULL;
}
