// SPDX-License-Identifier: Apache-2.0
// The walk over a query's syntax tree, as json_serialize_sql() gives it. What is not known is
// refused: kinds of expressions, kinds of tables, functions, names of tables.
//
//   - An object with a "class" is an expression; its class must be in the list.
//   - An object with a "type" that is a text is a query, a table, or a modifier of one; the same.
//   - Functions and windows must be in functions.def, and come from the default schema.
//   - A table is `events`, `entities`, or a common table expression in scope, never with a schema.
//   - Table functions are unnest, range and generate_series, the latter two with few, literal rows.
// Common table expressions are taken in order, each in the scope of those before it, as DuckDB
// binds them: else a name could pass here and mean a file or a catalogue there. For the same reason
// their names are plain words.
#include "inside.h"

#include "base/limits.h"
#include "json/json.h"

#include <stdlib.h>

enum { SERIES_ROWS_MAX = 10000000, SCOPE_NAMES_MAX = 256, NAME_BYTES_MAX = 63 };

static const char *const functions[] = {
#define F(name) name,
#include "duck/functions.def"
#undef F
    NULL,
};

static const char *const classes[] = {
    "BETWEEN",
    "CASE",
    "CAST",
    "COLLATE",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "FUNCTION",
    "LAMBDA",
    "LAMBDA_REF",
    "OPERATOR",
    "POSITIONAL_REFERENCE",
    "STAR",
    "SUBQUERY",
    "WINDOW",
    NULL,
};

static const char *const types[] = {
    // queries
    "SELECT_NODE",
    "SET_OPERATION_NODE",
    "RECURSIVE_CTE_NODE",
    "CTE_NODE",
    // tables
    "BASE_TABLE",
    "EMPTY",
    "EXPRESSION_LIST",
    "JOIN",
    "SUBQUERY",
    "TABLE_FUNCTION",
    // modifiers
    "ORDER_MODIFIER",
    "LIMIT_MODIFIER",
    "LIMIT_PERCENT_MODIFIER",
    "DISTINCT_MODIFIER",
    "ASCENDING",
    "DESCENDING",
    "ORDER_DEFAULT",
    // what a cast may need to know of its type
    "DECIMAL_TYPE_INFO",
    "LIST_TYPE_INFO",
    "STRUCT_TYPE_INFO",
    "ARRAY_TYPE_INFO",
    "STRING_TYPE_INFO",
    "UNBOUND_TYPE_INFO",
    "GENERIC_TYPE_INFO",
    NULL,
};

struct walk {
    const struct json_doc *tree;
    struct arena *arena;
    str scope[SCOPE_NAMES_MAX]; // common table expressions that can be named here
    size_t scope_count;
    struct checked checked;
    unsigned depth;
};

static err walk(struct walk *self, const struct json_node *node, struct als_why *why);

static bool in_list(const char *const *list, str name)
{
    for (; *list; list++)
        if (str_equal(name, str_of(*list)))
            return true;
    return false;
}

static int compare_names(const void *key, const void *item)
{
    return str_compare(*(const str *)key, str_of(*(const char *const *)item));
}

const char *const *check_functions(void)
{
    return functions;
}

bool check_function_known(str name)
{
    return bsearch(&name, functions, COUNT_OF(functions) - 1, sizeof functions[0], compare_names);
}

// The text of a member, empty when it is no text.
static str text_of(struct walk *self, const struct json_node *object, str key)
{
    const struct json_node *member = json_member(self->tree, object, key);
    if (!member || member->kind != JSON_STRING)
        return S("");
    str text = json_text(self->tree, member, self->arena);
    return text.ptr ? text : S("");
}

// For messages: what the client wrote, short.
enum { SHOWN_MAX = 64 };
#define SHOWN(text) STR(str_first(text, SHOWN_MAX))

static err refuse(struct als_why *why, const char *what, str name)
{
    return FAIL(why, ALS_INVALID_QUERY, "%s '%.*s' may not be used here", what, SHOWN(name));
}

// ---- Functions.

static err check_function(struct walk *self, const struct json_node *node, struct als_why *why)
{
    str name = text_of(self, node, S("function_name"));
    str schema = text_of(self, node, S("schema")), catalog = text_of(self, node, S("catalog"));
    bool plain = (schema.len == 0 || str_equal(schema, S("main"))) && catalog.len == 0;
    if (!plain || !check_function_known(name))
        return refuse(why, "the function", name);
    if (str_equal(name, S("unnest")))
        self->checked.multiplies = true;
    return ALS_OK;
}

static bool literal_number(struct walk *self, const struct json_node *node, int64_t *ret_value)
{
    if (str_equal(text_of(self, node, S("function_name")), S("-"))) { // -1 is an operator
        const struct json_node *children = json_member(self->tree, node, S("children"));
        const struct json_node *child =
            children && children->count == 1 ? json_first(self->tree, children) : NULL;
        int64_t value;
        if (!child || !str_equal(text_of(self, child, S("class")), S("CONSTANT")) ||
            !literal_number(self, child, &value) || value == INT64_MIN)
            return false;
        *ret_value = -value;
        return true;
    }
    if (!str_equal(text_of(self, node, S("class")), S("CONSTANT")))
        return false;
    const struct json_node *constant = json_member(self->tree, node, S("value"));
    const struct json_node *value = constant ? json_member(self->tree, constant, S("value")) : NULL;
    return value && value->kind == JSON_NUMBER &&
           json_to_i64(json_span(self->tree, value), ret_value);
}

// range(end), range(start, end), range(start, end, step): of literal integers, few in number.
static err check_series(struct walk *self, const struct json_node *children, struct als_why *why)
{
    int64_t values[3] = {0, 0, 1};
    uint32_t count = children->count;
    const struct json_node *child = json_first(self->tree, children);
    bool good = count >= 1 && count <= 3;
    for (uint32_t i = 0; good && i < count; i++) {
        good = literal_number(self, child, &values[count == 1 ? 1 : i]);
        child = json_after(self->tree, children, child);
    }
    int64_t span = 0;
    good = good && values[2] != 0 && !__builtin_sub_overflow(values[1], values[0], &span) &&
           span / values[2] <= SERIES_ROWS_MAX;
    if (!good)
        return FAIL(why, ALS_INVALID_QUERY,
                    "range and generate_series take literal integers and give at most %d rows",
                    SERIES_ROWS_MAX);
    return ALS_OK;
}

static err check_table_function(struct walk *self, const struct json_node *table,
                                struct als_why *why)
{
    const struct json_node *function = json_member(self->tree, table, S("function"));
    if (!function || function->kind != JSON_OBJECT)
        return refuse(why, "the table", S("function"));
    str name = text_of(self, function, S("function_name"));
    const struct json_node *children = json_member(self->tree, function, S("children"));
    bool series = str_equal(name, S("range")) || str_equal(name, S("generate_series"));
    bool plain = text_of(self, function, S("schema")).len == 0 &&
                 text_of(self, function, S("catalog")).len == 0;
    if (!children || !plain || (!series && !str_equal(name, S("unnest"))))
        return refuse(why, "the table function", name);
    self->checked.multiplies = true;
    return series ? check_series(self, children, why) : walk(self, children, why);
}

// ---- Tables.

static bool is_plain_word(str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i], lower = (char)(c | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && c != '_' && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.len > 0 && name.len <= NAME_BYTES_MAX;
}

static bool in_scope(const struct walk *self, str name)
{
    for (size_t i = 0; i < self->scope_count; i++)
        if (same_word(self->scope[i], name))
            return true;
    return false;
}

static err scope_add(struct walk *self, str name, struct als_why *why)
{
    static const char *const reserved[] = {"duckdb_", "pragma_", "pg_", "sqlite_", NULL};
    bool plain = is_plain_word(name);
    for (size_t i = 0; plain && reserved[i]; i++) {
        size_t len = strlen(reserved[i]);
        plain = name.len < len || strncasecmp(name.ptr, reserved[i], len) != 0;
    }
    if (!plain)
        return FAIL(why, ALS_INVALID_QUERY,
                    "WITH '%.*s': the name must be letters, digits and '_', at most %d, and not "
                    "that of a catalogue",
                    SHOWN(name), NAME_BYTES_MAX);
    if (self->scope_count == SCOPE_NAMES_MAX)
        return FAIL(why, ALS_INVALID_QUERY, "at most %d names may be given by WITH",
                    SCOPE_NAMES_MAX);
    self->scope[self->scope_count++] = name;
    return ALS_OK;
}

static err check_table(struct walk *self, const struct json_node *node, struct als_why *why)
{
    str name = text_of(self, node, S("table_name"));
    bool plain = text_of(self, node, S("schema_name")).len == 0 &&
                 text_of(self, node, S("catalog_name")).len == 0;
    if (plain && in_scope(self, name))
        return ALS_OK;
    if (plain && same_word(name, S("events"))) {
        self->checked.events_uses++;
        return ALS_OK;
    }
    if (plain && same_word(name, S("entities"))) {
        self->checked.entities = true;
        return ALS_OK;
    }
    return FAIL(why, ALS_INVALID_QUERY,
                "there is no table '%.*s'; the tables are events and entities", SHOWN(name));
}

// ---- Queries.

static bool is_recursive(struct walk *self, const struct json_node *query)
{
    const struct json_node *node = query ? json_member(self->tree, query, S("node")) : NULL;
    return node && str_equal(text_of(self, node, S("type")), S("RECURSIVE_CTE_NODE"));
}

static err walk_common(struct walk *self, const struct json_node *common, struct als_why *why)
{
    const struct json_node *map = json_member(self->tree, common, S("map"));
    if (!map || map->kind != JSON_ARRAY)
        return refuse(why, "the clause", S("WITH"));
    for (const struct json_node *entry = json_first(self->tree, map); entry;
         entry = json_after(self->tree, map, entry)) {
        str name = text_of(self, entry, S("key"));
        const struct json_node *value = json_member(self->tree, entry, S("value"));
        const struct json_node *query = value ? json_member(self->tree, value, S("query")) : NULL;
        if (!value)
            return refuse(why, "the clause", S("WITH"));
        bool recursive = is_recursive(self, query);
        if (recursive) // it may name itself
            TRY(scope_add(self, name, why));
        TRY(walk(self, value, why));
        if (!recursive)
            TRY(scope_add(self, name, why));
    }
    return ALS_OK;
}

static err check_object(struct walk *self, const struct json_node *node, struct als_why *why)
{
    const struct json_node *class = json_member(self->tree, node, S("class"));
    const struct json_node *type = json_member(self->tree, node, S("type"));
    if (class) {
        str name = text_of(self, node, S("class"));
        if (!in_list(classes, name))
            return refuse(why, "an expression of the kind", name);
        bool window = str_equal(name, S("WINDOW"));
        self->checked.multiplies |= window;
        return window || str_equal(name, S("FUNCTION")) ? check_function(self, node, why) : ALS_OK;
    }
    if (!type || type->kind != JSON_STRING)
        return ALS_OK; // a part of something; its own parts are looked at
    str name = text_of(self, node, S("type"));
    if (!in_list(types, name))
        return refuse(why, "a table or clause of the kind", name);
    if (str_equal(name, S("BASE_TABLE")))
        return check_table(self, node, why);
    bool foreign = str_equal(name, S("UNBOUND_TYPE_INFO")) &&
                   (text_of(self, node, S("schema")).len || text_of(self, node, S("catalog")).len);
    return foreign ? refuse(why, "the type", text_of(self, node, S("name"))) : ALS_OK;
}

static err walk_object(struct walk *self, const struct json_node *node, struct als_why *why)
{
    TRY(check_object(self, node, why));
    if (str_equal(text_of(self, node, S("type")), S("TABLE_FUNCTION")) &&
        !json_member(self->tree, node, S("class")))
        return check_table_function(self, node, why);
    size_t scope_count = self->scope_count;
    const struct json_node *common = json_member(self->tree, node, S("cte_map"));
    if (common)
        TRY(walk_common(self, common, why));
    for (const struct json_node *child = json_first(self->tree, node); child;
         child = json_after(self->tree, node, child))
        if (child != common)
            TRY(walk(self, child, why));
    self->scope_count = scope_count;
    return ALS_OK;
}

static err walk(struct walk *self, const struct json_node *node, struct als_why *why)
{
    if (node->kind == JSON_OBJECT) {
        if (++self->depth > JSON_DEPTH_CAP) // the parser has seen to it
            return FAIL(why, ALS_INVALID_QUERY, "the query is nested too deeply");
        err code = walk_object(self, node, why);
        self->depth--;
        return code;
    }
    if (node->kind != JSON_ARRAY)
        return ALS_OK;
    for (const struct json_node *child = json_first(self->tree, node); child;
         child = json_after(self->tree, node, child))
        TRY(walk(self, child, why));
    return ALS_OK;
}

static err check_error(struct walk *self, const struct json_node *root, struct als_why *why)
{
    const struct json_node *error = json_member(self->tree, root, S("error"));
    if (error && error->kind == JSON_FALSE)
        return ALS_OK;
    str message = text_of(self, root, S("error_message"));
    if (str_starts(message, S("Only SELECT")))
        message = S("only SELECT may be used here: nothing can be changed by SQL");
    return FAIL(why, ALS_INVALID_QUERY, "%.*s", STR(str_first(message, sizeof why->text - 1)));
}

err check_tree(const struct json_doc *tree, struct arena *arena, struct checked *ret_checked,
               struct als_why *why)
{
    struct walk *self = ARENA_NEW(arena, struct walk);
    if (!self)
        return FAIL(why, ALS_NO_MEMORY, "no memory to check the query");
    *self = (struct walk){.tree = tree, .arena = arena};
    const struct json_node *root = json_root(tree);
    TRY(check_error(self, root, why));
    const struct json_node *statements = json_member(tree, root, S("statements"));
    if (!statements || statements->kind != JSON_ARRAY || statements->count != 1)
        return FAIL(why, ALS_INVALID_QUERY, "exactly one SELECT is answered, got %u",
                    statements ? statements->count : 0);
    TRY(walk(self, statements, why));
    *ret_checked = self->checked;
    return ALS_OK;
}
