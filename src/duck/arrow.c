// SPDX-License-Identifier: Apache-2.0
// The Arrow IPC stream: a schema, record batches, an end.
//
// DuckDB gives a chunk as the C Data Interface: a tree of types, each with a format text, and a
// tree of arrays, each with its buffers. Here that becomes messages: four bytes of ones, u32 size
// of the metadata, the metadata (a FlatBuffer), and the body, which is the buffers one behind the
// other in the order of the tree. Sizes and paddings are multiples of 8. What a batch is cut to
// (the limit of rows) is cut by lengths, without copying.
// Formats: arrow.apache.org/docs/format, "Columnar" and "C data interface".
#include "inside.h"

#include "base/bytes.h"
#include "duck/flat.h"

#include <stdlib.h>

enum { DEPTH_MAX = 64, COLUMNS_MAX = 4096, NODES_MAX = 8192, BUFFERS_MAX = 3 * NODES_MAX };
enum { PADDING = 8, VERSION_5 = 4, HEADER_SCHEMA = 1, HEADER_BATCH = 3, META_BYTES_MAX = 1 << 20 };
enum { FLAG_NULLABLE = 2 }; // of the interface

// The structs of the C Data Interface; their layout is its contract.
struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};
struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

enum arrow_type { // of the union Type in Schema.fbs
    TYPE_NULL = 1,
    TYPE_INT = 2,
    TYPE_FLOAT = 3,
    TYPE_BINARY = 4,
    TYPE_UTF8 = 5,
    TYPE_BOOL = 6,
    TYPE_DECIMAL = 7,
    TYPE_DATE = 8,
    TYPE_TIME = 9,
    TYPE_TIMESTAMP = 10,
    TYPE_INTERVAL = 11,
    TYPE_LIST = 12,
    TYPE_STRUCT = 13,
    TYPE_FIXED_BINARY = 15,
    TYPE_FIXED_LIST = 16,
    TYPE_MAP = 17,
    TYPE_LARGE_BINARY = 19,
    TYPE_LARGE_UTF8 = 20,
    TYPE_LARGE_LIST = 21,
};

enum layout { LAYOUT_NONE, LAYOUT_BITS, LAYOUT_FIXED, LAYOUT_TEXT, LAYOUT_LIST, LAYOUT_CHILDREN };

struct kind {
    enum arrow_type type;
    enum layout layout;
    unsigned width;         // LAYOUT_FIXED: bytes of a value; TEXT, LIST: of an offset
    unsigned first, second; // what the type's table says: bits and sign, unit, precision and scale
    str zone;
};

static const struct {
    const char *format;
    struct kind kind;
} kinds[] = {
    {"n", {TYPE_NULL, LAYOUT_NONE, 0, 0, 0, {NULL, 0}}},
    {"b", {TYPE_BOOL, LAYOUT_BITS, 0, 0, 0, {NULL, 0}}},
    {"c", {TYPE_INT, LAYOUT_FIXED, 1, 8, 1, {NULL, 0}}},
    {"C", {TYPE_INT, LAYOUT_FIXED, 1, 8, 0, {NULL, 0}}},
    {"s", {TYPE_INT, LAYOUT_FIXED, 2, 16, 1, {NULL, 0}}},
    {"S", {TYPE_INT, LAYOUT_FIXED, 2, 16, 0, {NULL, 0}}},
    {"i", {TYPE_INT, LAYOUT_FIXED, 4, 32, 1, {NULL, 0}}},
    {"I", {TYPE_INT, LAYOUT_FIXED, 4, 32, 0, {NULL, 0}}},
    {"l", {TYPE_INT, LAYOUT_FIXED, 8, 64, 1, {NULL, 0}}},
    {"L", {TYPE_INT, LAYOUT_FIXED, 8, 64, 0, {NULL, 0}}},
    {"f", {TYPE_FLOAT, LAYOUT_FIXED, 4, 1, 0, {NULL, 0}}},
    {"g", {TYPE_FLOAT, LAYOUT_FIXED, 8, 2, 0, {NULL, 0}}},
    {"u", {TYPE_UTF8, LAYOUT_TEXT, 4, 0, 0, {NULL, 0}}},
    {"U", {TYPE_LARGE_UTF8, LAYOUT_TEXT, 8, 0, 0, {NULL, 0}}},
    {"z", {TYPE_BINARY, LAYOUT_TEXT, 4, 0, 0, {NULL, 0}}},
    {"Z", {TYPE_LARGE_BINARY, LAYOUT_TEXT, 8, 0, 0, {NULL, 0}}},
    {"tdD", {TYPE_DATE, LAYOUT_FIXED, 4, 0, 0, {NULL, 0}}},
    {"ttu", {TYPE_TIME, LAYOUT_FIXED, 8, 2, 64, {NULL, 0}}},
    {"ttn", {TYPE_TIME, LAYOUT_FIXED, 8, 3, 64, {NULL, 0}}},
    {"tin", {TYPE_INTERVAL, LAYOUT_FIXED, 16, 2, 0, {NULL, 0}}},
    {"+s", {TYPE_STRUCT, LAYOUT_CHILDREN, 0, 0, 0, {NULL, 0}}},
    {"+l", {TYPE_LIST, LAYOUT_LIST, 4, 0, 0, {NULL, 0}}},
    {"+L", {TYPE_LARGE_LIST, LAYOUT_LIST, 8, 0, 0, {NULL, 0}}},
    {"+m", {TYPE_MAP, LAYOUT_LIST, 4, 0, 0, {NULL, 0}}},
};

// "tsu:UTC", "d:18,3", "d:10,2,64", "w:16", "+w:3"
static bool kind_with_arguments(str format, struct kind *ret_kind)
{
    str rest = format;
    str head = str_cut(&rest, ':');
    uint64_t numbers[3] = {0, 0, 128};
    for (size_t i = 0; !str_starts(head, S("ts")) && i < COUNT_OF(numbers) && rest.len; i++) {
        str number = str_cut(&rest, ',');
        if (!str_to_u64(number, &numbers[i]) || numbers[i] > 1 << 20)
            return false;
    }
    unsigned first = (unsigned)numbers[0], second = (unsigned)numbers[1];
    if (head.len == 3 && str_starts(head, S("ts"))) {
        const char *unit = strchr("smun", head.ptr[2]);
        if (!unit)
            return false;
        *ret_kind = (struct kind){.type = TYPE_TIMESTAMP,
                                  .layout = LAYOUT_FIXED,
                                  .width = 8,
                                  .first = (unsigned)(unit - "smun"),
                                  .zone = rest};
        return true;
    }
    if (str_equal(head, S("d"))) {
        *ret_kind = (struct kind){.type = TYPE_DECIMAL,
                                  .layout = LAYOUT_FIXED,
                                  .width = (unsigned)numbers[2] / 8,
                                  .first = first,
                                  .second = second};
        return numbers[2] == 128; // what DuckDB gives unless it is told otherwise
    }
    if (str_equal(head, S("w"))) {
        *ret_kind = (struct kind){
            .type = TYPE_FIXED_BINARY, .layout = LAYOUT_FIXED, .width = first, .first = first};
        return first > 0;
    }
    *ret_kind = (struct kind){
        .type = TYPE_FIXED_LIST, .layout = LAYOUT_CHILDREN, .width = first, .first = first};
    return str_equal(head, S("+w"));
}

static err kind_of(const struct ArrowSchema *schema, struct kind *ret_kind, struct als_why *why)
{
    str format = str_of(schema->format);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (str_equal(format, str_of(kinds[i].format)) && !schema->dictionary) {
            *ret_kind = kinds[i].kind;
            return ALS_OK;
        }
    if (!schema->dictionary && kind_with_arguments(format, ret_kind))
        return ALS_OK;
    return FAIL(why, ALS_INVALID_QUERY,
                "column '%.60s' has a type that this server does not write as Arrow; cast it to "
                "VARCHAR",
                schema->name);
}

// ---- The schema.

static flat_place put_type(struct flat *flat, const struct kind *kind)
{
    flat_place zone = kind->zone.len ? flat_text(flat, kind->zone) : 0;
    struct flat_table table = flat_table_begin(flat);
    switch (kind->type) {
    case TYPE_INT:
        flat_field(flat, &table, 0, kind->first, 4);
        flat_field(flat, &table, 1, kind->second, 1);
        break;
    case TYPE_DECIMAL:
        flat_field(flat, &table, 0, kind->first, 4);
        flat_field(flat, &table, 1, kind->second, 4);
        flat_field(flat, &table, 2, kind->width * 8, 4);
        break;
    case TYPE_TIME:
        flat_field(flat, &table, 0, kind->first, 2);
        flat_field(flat, &table, 1, kind->second, 4);
        break;
    case TYPE_TIMESTAMP:
        flat_field_place(flat, &table, 1, zone);
        flat_field(flat, &table, 0, kind->first, 2);
        break;
    case TYPE_FLOAT:
    case TYPE_DATE:
    case TYPE_INTERVAL:
        flat_field(flat, &table, 0, kind->first, 2);
        break;
    case TYPE_FIXED_BINARY:
    case TYPE_FIXED_LIST:
        flat_field(flat, &table, 0, kind->first, 4);
        break;
    default:
        break;
    }
    return flat_table_end(flat, &table);
}

// The interface's metadata: i32 count, then for each pair i32 length and bytes of key and value.
static flat_place put_metadata(struct flat *flat, const char *metadata)
{
    enum { PAIRS_MAX = 8 };
    flat_place pairs[PAIRS_MAX];
    uint32_t count = metadata ? load_le32(metadata) : 0;
    if (count == 0 || count > PAIRS_MAX)
        return 0;
    const char *at = metadata + 4;
    for (uint32_t i = 0; i < count; i++) {
        flat_place texts[2];
        for (size_t j = 0; j < 2; j++) {
            uint32_t len = load_le32(at);
            texts[j] = flat_text(flat, (str){at + 4, len});
            at += 4 + len;
        }
        struct flat_table table = flat_table_begin(flat);
        flat_field_place(flat, &table, 0, texts[0]);
        flat_field_place(flat, &table, 1, texts[1]);
        pairs[i] = flat_table_end(flat, &table);
    }
    return flat_places(flat, pairs, count);
}

static err put_field(struct flat *flat, const struct ArrowSchema *schema, unsigned depth,
                     flat_place *ret_place, struct als_why *why);

static err put_fields(struct flat *flat, const struct ArrowSchema *schema, unsigned depth,
                      flat_place *ret_place, struct als_why *why)
{
    size_t count = (size_t)schema->n_children;
    if (count > COLUMNS_MAX || depth > DEPTH_MAX)
        return FAIL(why, ALS_INVALID_QUERY, "too many columns for Arrow");
    flat_place *places = calloc(count + 1, sizeof *places);
    if (!places)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the schema");
    err code = ALS_OK;
    for (size_t i = 0; code == ALS_OK && i < count; i++)
        code = put_field(flat, schema->children[i], depth + 1, &places[i], why);
    *ret_place = flat_places(flat, places, count);
    free(places);
    return code;
}

static err put_field(struct flat *flat, const struct ArrowSchema *schema, unsigned depth,
                     flat_place *ret_place, struct als_why *why)
{
    struct kind kind;
    flat_place children;
    TRY(kind_of(schema, &kind, why));
    TRY(put_fields(flat, schema, depth, &children, why));
    flat_place metadata = put_metadata(flat, schema->metadata);
    flat_place name = flat_text(flat, str_of(schema->name));
    flat_place type = put_type(flat, &kind);
    struct flat_table table = flat_table_begin(flat);
    flat_field_place(flat, &table, 0, name);
    flat_field_place(flat, &table, 3, type);
    flat_field_place(flat, &table, 5, children);
    flat_field_place(flat, &table, 6, metadata);
    flat_field(flat, &table, 1, (schema->flags & FLAG_NULLABLE) != 0, 1);
    flat_field(flat, &table, 2, kind.type, 1);
    *ret_place = flat_table_end(flat, &table);
    return ALS_OK;
}

// ---- Messages.

static void put_message(struct flat *flat, unsigned header_type, flat_place header,
                        uint64_t body_bytes, struct buf *buf)
{
    struct flat_table table = flat_table_begin(flat);
    flat_field(flat, &table, 3, body_bytes, 8);
    flat_field_place(flat, &table, 2, header);
    flat_field(flat, &table, 0, VERSION_5, 2);
    flat_field(flat, &table, 1, header_type, 1);
    str metadata = flat_done(flat, flat_table_end(flat, &table));
    buf->failed |= metadata.len == 0;
    uint8_t head[8];
    size_t padded = (metadata.len + PADDING - 1) / PADDING * PADDING;
    store_le32(head, UINT32_MAX);
    store_le32(head + 4, (uint32_t)padded);
    buf_put(buf, head, sizeof head);
    buf_put_str(buf, metadata);
    while (padded-- > metadata.len)
        buf_put_char(buf, '\0');
}

void arrow_end(struct buf *buf)
{
    static const uint8_t end[8] = {0xff, 0xff, 0xff, 0xff};
    buf_put(buf, end, sizeof end);
}

static struct flat flat_in(struct result *result)
{
    if (!result->scratch)
        result->scratch = malloc(META_BYTES_MAX);
    return (struct flat){.bytes = result->scratch, .size = result->scratch ? META_BYTES_MAX : 0};
}

static err duck_failed(duckdb_error_data error, struct als_why *why)
{
    err code = ALS_OK;
    if (error && duckdb_error_data_has_error(error))
        code = FAIL(why, ALS_INVALID_QUERY, "%s", duckdb_error_data_message(error));
    duckdb_destroy_error_data(&error);
    return code;
}

static err read_schema(struct result *result, struct als_why *why)
{
    size_t count = result->column_count;
    duckdb_logical_type *types = calloc(count + 1, sizeof(duckdb_logical_type));
    const char **names = calloc(count + 1, sizeof *names);
    result->schema = calloc(1, sizeof *result->schema);
    err code = ALS_NO_MEMORY;
    if (types && names && result->schema) {
        for (size_t i = 0; i < count; i++) {
            types[i] = result->columns[i].type;
            names[i] = result->columns[i].name;
        }
        duckdb_connection_get_arrow_options(result->connection, &result->arrow_options);
        code = duck_failed(
            duckdb_to_arrow_schema(result->arrow_options, types, names, count, result->schema),
            why);
    }
    free(types);
    free(names);
    return code;
}

err arrow_schema(struct result *result, struct buf *buf, struct als_why *why)
{
    TRY(read_schema(result, why));
    struct flat flat = flat_in(result);
    flat_place fields;
    TRY(put_fields(&flat, result->schema, 0, &fields, why));
    struct flat_table table = flat_table_begin(&flat);
    flat_field_place(&flat, &table, 1, fields);
    flat_place header = flat_table_end(&flat, &table);
    put_message(&flat, HEADER_SCHEMA, header, 0, buf);
    return ALS_OK;
}

// ---- Batches.

struct batch {
    struct buf body;
    size_t node_count, buffer_count;
    uint64_t nodes[NODES_MAX][2];     // length, nulls
    uint64_t buffers[BUFFERS_MAX][2]; // offset, length
};

static void put_buffer(struct batch *batch, const void *bytes, size_t size)
{
    if (batch->buffer_count == BUFFERS_MAX) {
        batch->body.failed = true;
        return;
    }
    batch->buffers[batch->buffer_count][0] = batch->body.len;
    batch->buffers[batch->buffer_count++][1] = size;
    if (size)
        buf_put(&batch->body, bytes, size);
    while (batch->body.len % PADDING && !buf_failed(&batch->body))
        buf_put_char(&batch->body, '\0');
}

static uint64_t count_nulls(const uint8_t *validity, uint64_t length)
{
    uint64_t nulls = 0;
    for (uint64_t i = 0; validity && i < length; i++)
        nulls += !(validity[i / 8] >> (i % 8) & 1);
    return nulls;
}

static uint64_t offset_at(const void *offsets, unsigned width, uint64_t index)
{
    const char *at = (const char *)offsets + index * width;
    return width == 4 ? load_le32(at) : load_le64(at);
}

static err put_array(struct batch *batch, const struct ArrowSchema *schema,
                     const struct ArrowArray *array, uint64_t length, struct als_why *why);

static err put_children(struct batch *batch, const struct ArrowSchema *schema,
                        const struct ArrowArray *array, uint64_t length, struct als_why *why)
{
    for (int64_t i = 0; i < array->n_children; i++)
        TRY(put_array(batch, schema->children[i], array->children[i], length, why));
    return ALS_OK;
}

// The order is the tree's: an array, its buffers, its children. Depth is that of the schema, which
// has been walked before.
static err put_array(struct batch *batch, const struct ArrowSchema *schema,
                     const struct ArrowArray *array, uint64_t length, struct als_why *why)
{
    struct kind kind;
    TRY(kind_of(schema, &kind, why));
    if (array->offset != 0 || batch->node_count == NODES_MAX)
        return FAIL(why, ALS_INTERNAL, "DuckDB gave an array that this server does not expect");
    const uint8_t *validity = array->n_buffers ? array->buffers[0] : NULL;
    batch->nodes[batch->node_count][0] = length;
    batch->nodes[batch->node_count++][1] =
        kind.layout == LAYOUT_NONE ? length : count_nulls(validity, length);
    if (kind.layout == LAYOUT_NONE)
        return ALS_OK;
    put_buffer(batch, validity, validity ? (length + 7) / 8 : 0);
    uint64_t last = 0;
    switch (kind.layout) {
    case LAYOUT_BITS:
        put_buffer(batch, array->buffers[1], (length + 7) / 8);
        return ALS_OK;
    case LAYOUT_FIXED:
        put_buffer(batch, array->buffers[1], length * kind.width);
        return ALS_OK;
    case LAYOUT_TEXT:
        last = offset_at(array->buffers[1], kind.width, length);
        put_buffer(batch, array->buffers[1], (length + 1) * kind.width);
        put_buffer(batch, array->buffers[2], last);
        return ALS_OK;
    case LAYOUT_LIST:
        last = offset_at(array->buffers[1], kind.width, length);
        put_buffer(batch, array->buffers[1], (length + 1) * kind.width);
        return put_children(batch, schema, array, last, why);
    case LAYOUT_CHILDREN:
        return put_children(batch, schema, array,
                            kind.type == TYPE_FIXED_LIST ? length * kind.width : length, why);
    case LAYOUT_NONE:
        break;
    }
    return ALS_OK;
}

static void put_batch(struct result *result, const struct batch *batch, uint64_t count,
                      struct buf *buf)
{
    struct flat flat = flat_in(result);
    flat_place buffers = flat_structs(&flat, batch->buffers, batch->buffer_count, 16);
    flat_place nodes = flat_structs(&flat, batch->nodes, batch->node_count, 16);
    struct flat_table table = flat_table_begin(&flat);
    flat_field(&flat, &table, 0, count, 8);
    flat_field_place(&flat, &table, 1, nodes);
    flat_field_place(&flat, &table, 2, buffers);
    flat_place header = flat_table_end(&flat, &table);
    put_message(&flat, HEADER_BATCH, header, batch->body.len, buf);
    buf_put_str(buf, buf_str(&batch->body));
}

err arrow_batch(struct result *result, duckdb_data_chunk chunk, idx_t count, struct buf *buf,
                struct als_why *why)
{
    if (count == 0)
        return ALS_OK;
    struct ArrowArray array = {0};
    TRY(duck_failed(duckdb_data_chunk_to_arrow(result->arrow_options, chunk, &array), why));
    struct batch *batch = calloc(1, sizeof *batch);
    err code = ALS_NO_MEMORY;
    if (batch) {
        buf_init(&batch->body, buf->max);
        code = put_children(batch, result->schema, &array, count, why);
        if (code == ALS_OK)
            put_batch(result, batch, count, buf);
        if (code == ALS_OK && (buf_failed(buf) || buf_failed(&batch->body)))
            code = FAIL(why, ALS_TOO_LARGE, "a batch of rows takes more memory than it may");
        buf_deinit(&batch->body);
        free(batch);
    }
    if (array.release)
        array.release(&array);
    return code;
}

void arrow_free(struct result *result)
{
    if (result->schema && result->schema->release)
        result->schema->release(result->schema);
    free(result->schema);
    free(result->scratch);
    if (result->arrow_options)
        duckdb_destroy_arrow_options(&result->arrow_options);
    result->schema = NULL;
    result->scratch = NULL;
}
