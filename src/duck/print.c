// SPDX-License-Identifier: Apache-2.0
// DuckDB's values as text: JSON values, and cells of CSV.
//
// JSON: whole numbers, decimals and finite doubles are numbers with all their digits; NaN and the
// infinities are texts, since JSON has none; dates, times and intervals are texts (RFC 3339, ISO
// 8601); a column of the type JSON is put as the JSON that it is; lists are arrays, structs and
// maps objects. A cell of CSV is the same without the quotes of a text; nested values are JSON.
#include "inside.h"

#include "base/time.h"
#include "base/uuid.h"
#include "json/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NESTING_MAX = 64 };

// ---- The names of types.

static const char *type_name(duckdb_type id)
{
    static const char *const names[] = {
        [DUCKDB_TYPE_BOOLEAN] = "BOOLEAN",
        [DUCKDB_TYPE_TINYINT] = "TINYINT",
        [DUCKDB_TYPE_SMALLINT] = "SMALLINT",
        [DUCKDB_TYPE_INTEGER] = "INTEGER",
        [DUCKDB_TYPE_BIGINT] = "BIGINT",
        [DUCKDB_TYPE_UTINYINT] = "UTINYINT",
        [DUCKDB_TYPE_USMALLINT] = "USMALLINT",
        [DUCKDB_TYPE_UINTEGER] = "UINTEGER",
        [DUCKDB_TYPE_UBIGINT] = "UBIGINT",
        [DUCKDB_TYPE_FLOAT] = "FLOAT",
        [DUCKDB_TYPE_DOUBLE] = "DOUBLE",
        [DUCKDB_TYPE_TIMESTAMP] = "TIMESTAMP",
        [DUCKDB_TYPE_DATE] = "DATE",
        [DUCKDB_TYPE_TIME] = "TIME",
        [DUCKDB_TYPE_INTERVAL] = "INTERVAL",
        [DUCKDB_TYPE_HUGEINT] = "HUGEINT",
        [DUCKDB_TYPE_UHUGEINT] = "UHUGEINT",
        [DUCKDB_TYPE_VARCHAR] = "VARCHAR",
        [DUCKDB_TYPE_BLOB] = "BLOB",
        [DUCKDB_TYPE_DECIMAL] = "DECIMAL",
        [DUCKDB_TYPE_TIMESTAMP_S] = "TIMESTAMP_S",
        [DUCKDB_TYPE_TIMESTAMP_MS] = "TIMESTAMP_MS",
        [DUCKDB_TYPE_TIMESTAMP_NS] = "TIMESTAMP_NS",
        [DUCKDB_TYPE_ENUM] = "ENUM",
        [DUCKDB_TYPE_LIST] = "LIST",
        [DUCKDB_TYPE_STRUCT] = "STRUCT",
        [DUCKDB_TYPE_MAP] = "MAP",
        [DUCKDB_TYPE_ARRAY] = "ARRAY",
        [DUCKDB_TYPE_UUID] = "UUID",
        [DUCKDB_TYPE_UNION] = "UNION",
        [DUCKDB_TYPE_BIT] = "BIT",
        [DUCKDB_TYPE_TIME_TZ] = "TIME WITH TIME ZONE",
        [DUCKDB_TYPE_TIMESTAMP_TZ] = "TIMESTAMP WITH TIME ZONE",
        [DUCKDB_TYPE_SQLNULL] = "NULL",
    };
    const char *name = (size_t)id < COUNT_OF(names) ? names[id] : NULL;
    return name ? name : "?";
}

void print_type(struct buf *buf, duckdb_logical_type type)
{
    char *alias = duckdb_logical_type_get_alias(type);
    duckdb_type id = duckdb_get_type_id(type);
    if (alias && alias[0])
        buf_put_str(buf, str_of(alias));
    else if (id == DUCKDB_TYPE_DECIMAL)
        buf_printf(buf, "DECIMAL(%u,%u)", duckdb_decimal_width(type), duckdb_decimal_scale(type));
    else
        buf_put_str(buf, str_of(type_name(id)));
    duckdb_free(alias);
}

// ---- Texts.

static str text_at(const void *data, idx_t row)
{
    const duckdb_string_t *text = (const duckdb_string_t *)data + row;
    uint32_t len = text->value.inlined.length;
    bool inlined = len <= sizeof text->value.inlined.inlined;
    return (str){inlined ? text->value.inlined.inlined : text->value.pointer.ptr, len};
}

void print_quoted(struct buf *buf, str text)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_put_string(&writer, text);
}

// ---- Numbers and moments, without quotes.

static void put_huge(struct buf *buf, unsigned __int128 value, bool negative, unsigned scale)
{
    char digits[48];
    size_t at = sizeof digits;
    for (unsigned i = 0; value || i <= scale; i++) {
        if (i == scale && scale)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (unsigned)(value % 10));
        value /= 10;
    }
    if (negative)
        digits[--at] = '-';
    buf_put(buf, digits + at, sizeof digits - at);
}

static unsigned __int128 magnitude(__int128 value)
{
    return value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
}

static __int128 huge_at(const void *data, idx_t row)
{
    const duckdb_hugeint *value = (const duckdb_hugeint *)data + row;
    return (__int128)((unsigned __int128)(uint64_t)value->upper << 64 | value->lower);
}

static void put_decimal(struct buf *buf, duckdb_logical_type type, const void *data, idx_t row)
{
    __int128 value;
    switch (duckdb_decimal_internal_type(type)) {
    case DUCKDB_TYPE_SMALLINT:
        value = ((const int16_t *)data)[row];
        break;
    case DUCKDB_TYPE_INTEGER:
        value = ((const int32_t *)data)[row];
        break;
    case DUCKDB_TYPE_BIGINT:
        value = ((const int64_t *)data)[row];
        break;
    default:
        value = huge_at(data, row);
    }
    put_huge(buf, magnitude(value), value < 0, duckdb_decimal_scale(type));
}

static void put_double(struct buf *buf, double value)
{
    if (isfinite(value)) {
        struct json_writer writer;
        json_writer_init(&writer, buf);
        json_put_double(&writer, value);
        return;
    }
    buf_put_str(buf, isnan(value) ? S("NaN") : value < 0 ? S("-Infinity") : S("Infinity"));
}

static void put_moment(struct buf *buf, int64_t us, bool zone)
{
    char text[TIME_TEXT_MAX];
    if (us == INT64_MAX || us <= -INT64_MAX) {
        buf_put_str(buf, us > 0 ? S("infinity") : S("-infinity"));
    } else if (us < TIME_US_MIN || us > TIME_US_MAX) {
        duckdb_timestamp_struct parts = duckdb_from_timestamp((duckdb_timestamp){us});
        buf_printf(buf, "%d-%02d-%02dT%02d:%02d:%02d.%06d%s", parts.date.year, parts.date.month,
                   parts.date.day, parts.time.hour, parts.time.min, parts.time.sec,
                   parts.time.micros, zone ? "Z" : "");
    } else {
        size_t len = time_format(us, text);
        buf_put(buf, text, zone ? len : len - 1); // without the Z
    }
}

static void put_date(struct buf *buf, int32_t days)
{
    if (days == INT32_MAX || days == -INT32_MAX) {
        buf_put_str(buf, days > 0 ? S("infinity") : S("-infinity"));
        return;
    }
    duckdb_date_struct date = duckdb_from_date((duckdb_date){days});
    buf_printf(buf, "%04d-%02d-%02d", date.year, date.month, date.day);
}

static void put_time(struct buf *buf, int64_t us)
{
    duckdb_time_struct time = duckdb_from_time((duckdb_time){us});
    buf_printf(buf, "%02d:%02d:%02d", time.hour, time.min, time.sec);
    if (time.micros)
        buf_printf(buf, ".%06d", time.micros);
}

static void put_interval(struct buf *buf, duckdb_interval value)
{
    buf_printf(buf, "P%dM%dDT%s%" PRIu64 ".%06" PRIu64 "S", value.months, value.days,
               value.micros < 0 ? "-" : "", (uint64_t)llabs(value.micros) / 1000000,
               (uint64_t)llabs(value.micros) % 1000000);
}

static void put_bytes(struct buf *buf, str bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        buf_put_char(buf, digits[(unsigned char)bytes.ptr[i] >> 4]);
        buf_put_char(buf, digits[(unsigned char)bytes.ptr[i] & 15]);
    }
}

static void put_uuid(struct buf *buf, const void *data, idx_t row)
{
    unsigned __int128 value = (unsigned __int128)huge_at(data, row) ^ (unsigned __int128)1 << 127;
    als_id id;
    for (size_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)(value >> (120 - 8 * i));
    char text[UUID_TEXT_LEN];
    uuid_format(id, text);
    buf_put(buf, text, sizeof text);
}

// The text is to be freed with duckdb_free().
static char *enum_text(duckdb_logical_type type, const void *data, idx_t row)
{
    switch (duckdb_enum_internal_type(type)) {
    case DUCKDB_TYPE_UTINYINT:
        return duckdb_enum_dictionary_value(type, ((const uint8_t *)data)[row]);
    case DUCKDB_TYPE_USMALLINT:
        return duckdb_enum_dictionary_value(type, ((const uint16_t *)data)[row]);
    default:
        return duckdb_enum_dictionary_value(type, ((const uint32_t *)data)[row]);
    }
}

// ---- One value.

enum shape {
    SHAPE_NUMBER, // stands for itself in JSON and CSV
    SHAPE_PLAIN,  // a text without anything to escape
    SHAPE_TEXT,   // any text
    SHAPE_NESTED, // JSON
};

static enum shape shape_of(duckdb_type id, const void *data, idx_t row)
{
    switch (id) {
    case DUCKDB_TYPE_BOOLEAN:
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UHUGEINT:
    case DUCKDB_TYPE_DECIMAL:
        return SHAPE_NUMBER;
    case DUCKDB_TYPE_FLOAT:
        return isfinite(((const float *)data)[row]) ? SHAPE_NUMBER : SHAPE_PLAIN;
    case DUCKDB_TYPE_DOUBLE:
        return isfinite(((const double *)data)[row]) ? SHAPE_NUMBER : SHAPE_PLAIN;
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_ENUM:
        return SHAPE_TEXT;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_STRUCT:
    case DUCKDB_TYPE_MAP:
        return SHAPE_NESTED;
    default:
        return SHAPE_PLAIN;
    }
}

static void put_whole(struct buf *buf, duckdb_type id, const void *data, idx_t row)
{
    switch (id) {
    case DUCKDB_TYPE_BOOLEAN:
        buf_put_str(buf, ((const bool *)data)[row] ? S("true") : S("false"));
        return;
    case DUCKDB_TYPE_TINYINT:
        buf_put_i64(buf, ((const int8_t *)data)[row]);
        return;
    case DUCKDB_TYPE_SMALLINT:
        buf_put_i64(buf, ((const int16_t *)data)[row]);
        return;
    case DUCKDB_TYPE_INTEGER:
        buf_put_i64(buf, ((const int32_t *)data)[row]);
        return;
    case DUCKDB_TYPE_BIGINT:
        buf_put_i64(buf, ((const int64_t *)data)[row]);
        return;
    case DUCKDB_TYPE_UTINYINT:
        buf_put_u64(buf, ((const uint8_t *)data)[row]);
        return;
    case DUCKDB_TYPE_USMALLINT:
        buf_put_u64(buf, ((const uint16_t *)data)[row]);
        return;
    case DUCKDB_TYPE_UINTEGER:
        buf_put_u64(buf, ((const uint32_t *)data)[row]);
        return;
    case DUCKDB_TYPE_UBIGINT:
        buf_put_u64(buf, ((const uint64_t *)data)[row]);
        return;
    case DUCKDB_TYPE_UHUGEINT:
        put_huge(buf, (unsigned __int128)huge_at(data, row), false, 0);
        return;
    default: // HUGEINT
        put_huge(buf, magnitude(huge_at(data, row)), huge_at(data, row) < 0, 0);
    }
}

static void put_number(struct buf *buf, duckdb_logical_type type, const void *data, idx_t row)
{
    duckdb_type id = duckdb_get_type_id(type);
    if (id == DUCKDB_TYPE_DECIMAL)
        put_decimal(buf, type, data, row);
    else if (id == DUCKDB_TYPE_FLOAT)
        put_double(buf, (double)((const float *)data)[row]);
    else if (id == DUCKDB_TYPE_DOUBLE)
        put_double(buf, ((const double *)data)[row]);
    else
        put_whole(buf, id, data, row);
}

static void put_plain(struct buf *buf, duckdb_type id, const void *data, idx_t row)
{
    const int64_t *ticks = data;
    switch (id) {
    case DUCKDB_TYPE_FLOAT:
        put_double(buf, (double)((const float *)data)[row]);
        return;
    case DUCKDB_TYPE_DOUBLE:
        put_double(buf, ((const double *)data)[row]);
        return;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        put_moment(buf, ticks[row], id == DUCKDB_TYPE_TIMESTAMP_TZ);
        return;
    case DUCKDB_TYPE_TIMESTAMP_S:
        put_moment(buf, ticks[row] * 1000000, false);
        return;
    case DUCKDB_TYPE_TIMESTAMP_MS:
        put_moment(buf, ticks[row] * 1000, false);
        return;
    case DUCKDB_TYPE_TIMESTAMP_NS:
        put_moment(buf, ticks[row] / 1000, false);
        return;
    case DUCKDB_TYPE_DATE:
        put_date(buf, ((const int32_t *)data)[row]);
        return;
    case DUCKDB_TYPE_TIME:
        put_time(buf, ticks[row]);
        return;
    case DUCKDB_TYPE_TIME_TZ:
        put_time(buf, (int64_t)((uint64_t)ticks[row] >> 24)); // the session's zone is UTC
        return;
    case DUCKDB_TYPE_INTERVAL:
        put_interval(buf, ((const duckdb_interval *)data)[row]);
        return;
    case DUCKDB_TYPE_UUID:
        put_uuid(buf, data, row);
        return;
    case DUCKDB_TYPE_BLOB:
        put_bytes(buf, text_at(data, row));
        return;
    default:
        return; // print_can() has said no
    }
}

bool print_can(duckdb_type id)
{
    switch (id) {
    case DUCKDB_TYPE_BIT:
    case DUCKDB_TYPE_UNION:
    case DUCKDB_TYPE_INVALID:
    case DUCKDB_TYPE_ANY:
        return false;
    default:
        return type_name(id)[0] != '?';
    }
}

static bool is_null(duckdb_vector vector, idx_t row)
{
    uint64_t *validity = duckdb_vector_get_validity(vector);
    return validity && !duckdb_validity_row_is_valid(validity, row);
}

bool print_is_json(duckdb_logical_type type)
{
    char *alias = duckdb_get_type_id(type) == DUCKDB_TYPE_VARCHAR
                      ? duckdb_logical_type_get_alias(type)
                      : NULL;
    bool json = alias && strcmp(alias, "JSON") == 0;
    duckdb_free(alias);
    return json;
}

static void put_nested(struct buf *buf, duckdb_logical_type type, duckdb_vector vector, idx_t row,
                       unsigned depth);

static void put_json(struct buf *buf, duckdb_logical_type type, bool json, duckdb_vector vector,
                     idx_t row, unsigned depth)
{
    duckdb_type id = duckdb_get_type_id(type);
    if (is_null(vector, row) || depth > NESTING_MAX || !print_can(id)) {
        buf_put_str(buf, S("null"));
        return;
    }
    const void *data = duckdb_vector_get_data(vector);
    switch (shape_of(id, data, row)) {
    case SHAPE_NUMBER:
        put_number(buf, type, data, row);
        return;
    case SHAPE_PLAIN:
        buf_put_char(buf, '"');
        put_plain(buf, id, data, row);
        buf_put_char(buf, '"');
        return;
    case SHAPE_NESTED:
        put_nested(buf, type, vector, row, depth);
        return;
    case SHAPE_TEXT:
        break;
    }
    if (id == DUCKDB_TYPE_ENUM) {
        char *text = enum_text(type, data, row);
        print_quoted(buf, str_of(text));
        duckdb_free(text);
    } else if (json) {
        buf_put_str(buf, text_at(data, row));
    } else {
        print_quoted(buf, text_at(data, row));
    }
}

// ---- Nested values: always JSON.

static void put_items(struct buf *buf, duckdb_logical_type type, duckdb_vector items,
                      duckdb_list_entry range, unsigned depth)
{
    bool json = print_is_json(type);
    buf_put_char(buf, '[');
    for (idx_t i = 0; i < range.length && !buf_failed(buf); i++) {
        if (i)
            buf_put_char(buf, ',');
        put_json(buf, type, json, items, range.offset + i, depth + 1);
    }
    buf_put_char(buf, ']');
}

static void put_struct(struct buf *buf, duckdb_logical_type type, duckdb_vector vector, idx_t row,
                       unsigned depth)
{
    buf_put_char(buf, '{');
    idx_t count = duckdb_struct_type_child_count(type);
    for (idx_t i = 0; i < count; i++) {
        char *name = duckdb_struct_type_child_name(type, i);
        duckdb_logical_type child = duckdb_struct_type_child_type(type, i);
        if (i)
            buf_put_char(buf, ',');
        print_quoted(buf, str_of(name));
        buf_put_char(buf, ':');
        put_json(buf, child, print_is_json(child), duckdb_struct_vector_get_child(vector, i), row,
                 depth + 1);
        duckdb_destroy_logical_type(&child);
        duckdb_free(name);
    }
    buf_put_char(buf, '}');
}

// A map is an object when its keys are texts, else a list of {"key","value"}.
static void put_map(struct buf *buf, duckdb_logical_type type, duckdb_vector vector, idx_t row,
                    unsigned depth)
{
    duckdb_logical_type key = duckdb_map_type_key_type(type);
    duckdb_logical_type value = duckdb_map_type_value_type(type);
    duckdb_list_entry range = ((const duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
    duckdb_vector pairs = duckdb_list_vector_get_child(vector);
    duckdb_vector keys = duckdb_struct_vector_get_child(pairs, 0);
    duckdb_vector values = duckdb_struct_vector_get_child(pairs, 1);
    bool texts = duckdb_get_type_id(key) == DUCKDB_TYPE_VARCHAR, json = print_is_json(value);
    buf_put_char(buf, texts ? '{' : '[');
    for (idx_t i = 0; i < range.length && !buf_failed(buf); i++) {
        if (i)
            buf_put_char(buf, ',');
        if (!texts)
            buf_put_str(buf, S("{\"key\":"));
        put_json(buf, key, false, keys, range.offset + i, depth + 1);
        buf_put_str(buf, texts ? S(":") : S(",\"value\":"));
        put_json(buf, value, json, values, range.offset + i, depth + 1);
        if (!texts)
            buf_put_char(buf, '}');
    }
    buf_put_char(buf, texts ? '}' : ']');
    duckdb_destroy_logical_type(&key);
    duckdb_destroy_logical_type(&value);
}

static void put_nested(struct buf *buf, duckdb_logical_type type, duckdb_vector vector, idx_t row,
                       unsigned depth)
{
    duckdb_logical_type child = NULL;
    switch (duckdb_get_type_id(type)) {
    case DUCKDB_TYPE_LIST:
        child = duckdb_list_type_child_type(type);
        put_items(buf, child, duckdb_list_vector_get_child(vector),
                  ((const duckdb_list_entry *)duckdb_vector_get_data(vector))[row], depth);
        break;
    case DUCKDB_TYPE_ARRAY: {
        idx_t size = duckdb_array_type_array_size(type);
        child = duckdb_array_type_child_type(type);
        put_items(buf, child, duckdb_array_vector_get_child(vector),
                  (duckdb_list_entry){row * size, size}, depth);
        break;
    }
    case DUCKDB_TYPE_STRUCT:
        put_struct(buf, type, vector, row, depth);
        return;
    case DUCKDB_TYPE_MAP:
        put_map(buf, type, vector, row, depth);
        return;
    default:
        return; // shape_of() knows no others
    }
    duckdb_destroy_logical_type(&child);
}

// ---- Cells.

void print_json(struct buf *buf, const struct column *column, duckdb_vector vector, idx_t row)
{
    put_json(buf, column->type, column->json, vector, row, 0);
}

void print_cell_text(struct buf *buf, str text)
{
    bool plain = text.len > 0; // an empty text is told from NULL by its quotes
    for (size_t i = 0; plain && i < text.len; i++)
        plain = !strchr(",\"\r\n", text.ptr[i]); // NUL counts as special, too
    if (plain) {
        buf_put_str(buf, text);
        return;
    }
    buf_put_char(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_put_char(buf, '"');
        buf_put_char(buf, text.ptr[i]);
    }
    buf_put_char(buf, '"');
}

static void put_cell_nested(struct buf *buf, const struct column *column, duckdb_vector vector,
                            idx_t row)
{
    struct buf json;
    buf_init(&json, buf->max);
    put_nested(&json, column->type, vector, row, 0);
    print_cell_text(buf, buf_str(&json));
    buf->failed |= buf_failed(&json);
    buf_deinit(&json);
}

void print_cell(struct buf *buf, const struct column *column, duckdb_vector vector, idx_t row)
{
    if (is_null(vector, row))
        return;
    const void *data = duckdb_vector_get_data(vector);
    duckdb_type id = duckdb_get_type_id(column->type);
    switch (shape_of(id, data, row)) {
    case SHAPE_NUMBER:
        put_number(buf, column->type, data, row);
        return;
    case SHAPE_PLAIN:
        put_plain(buf, id, data, row);
        return;
    case SHAPE_NESTED:
        put_cell_nested(buf, column, vector, row);
        return;
    case SHAPE_TEXT:
        break;
    }
    if (id == DUCKDB_TYPE_ENUM) {
        char *text = enum_text(column->type, data, row);
        print_cell_text(buf, str_of(text));
        duckdb_free(text);
    } else {
        print_cell_text(buf, text_at(data, row));
    }
}
