// SPDX-License-Identifier: Apache-2.0
// What of the store a query needs.
//
// Three things are known before DuckDB plans: the view that was pinned (position, as_of), what the
// outermost WHERE demands of position, timestamp, entity_id and event_type, and whether only the
// newest rows are wanted (ORDER BY position DESC LIMIT n, which DuckDB would answer by reading
// everything). From these follow bounds on the rows; from the bounds, which files and how much of
// the log. DuckDB applies the whole WHERE itself afterwards, so a bound that is too wide is only
// slow; and only a query that names `events` once, and nothing else, gets any.
#include "inside.h"

#include "base/time.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>

const char plan_entities[] =
    "CREATE OR REPLACE TEMP VIEW entities AS SELECT entity_id, max(version) AS version, "
    "count(*) AS event_count, min(position) AS first_position, max(position) AS last_position, "
    "max_by(timestamp, position) AS last_timestamp, "
    "max_by(event_type, position) AS last_event_type FROM events GROUP BY entity_id";

static const char columns[] = "position, entity_id, version, event_type, id, timestamp, "
                              "recorded_at, payload, metadata, schema_version";

struct reading {
    const struct json_doc *tree;
    struct arena *arena;
    str alias; // of the table
    struct bounds *bounds;
};

static const struct json_node *member(const struct reading *self, const struct json_node *node,
                                      str key)
{
    return node && node->kind == JSON_OBJECT ? json_member(self->tree, node, key) : NULL;
}

static str text_of(const struct reading *self, const struct json_node *node, str key)
{
    const struct json_node *found = member(self, node, key);
    if (!found || found->kind != JSON_STRING)
        return S("");
    str text = json_text(self->tree, found, self->arena);
    return text.ptr ? text : S("");
}

static bool is(const struct reading *self, const struct json_node *node, str key, str value)
{
    return str_equal(text_of(self, node, key), value);
}

static bool is_empty(const struct reading *self, const struct json_node *node, str key)
{
    const struct json_node *found = member(self, node, key);
    return !found || found->kind == JSON_NULL ||
           ((found->kind == JSON_ARRAY || found->kind == JSON_OBJECT) && found->count == 0);
}

// ---- Columns and constants.

// The column's name when the expression is one of the table's columns and nothing more.
static str column_of(const struct reading *self, const struct json_node *node)
{
    const struct json_node *names = member(self, node, S("column_names"));
    if (!is(self, node, S("class"), S("COLUMN_REF")) || !names || names->kind != JSON_ARRAY)
        return S("");
    const struct json_node *first = json_first(self->tree, names);
    const struct json_node *second = first ? json_after(self->tree, names, first) : NULL;
    if (!first || names->count > 2 || first->kind != JSON_STRING)
        return S("");
    if (second && (second->kind != JSON_STRING ||
                   !same_word(json_text(self->tree, first, self->arena), self->alias)))
        return S("");
    str name = json_text(self->tree, second ? second : first, self->arena);
    return name.ptr ? name : S("");
}

static const struct json_node *constant_of(const struct reading *self, const struct json_node *node,
                                           enum json_kind kind)
{
    const struct json_node *constant = member(self, node, S("value"));
    const struct json_node *value = member(self, constant, S("value"));
    bool good = is(self, node, S("class"), S("CONSTANT")) && value && value->kind == kind;
    return good ? value : NULL;
}

static bool constant_number(const struct reading *self, const struct json_node *node,
                            uint64_t *ret_value)
{
    const struct json_node *value = constant_of(self, node, JSON_NUMBER);
    return value && json_to_u64(json_span(self->tree, value), ret_value);
}

static bool constant_text(const struct reading *self, const struct json_node *node, str *ret_text)
{
    const struct json_node *value = constant_of(self, node, JSON_STRING);
    if (!value)
        return false;
    *ret_text = json_text(self->tree, value, self->arena);
    return ret_text->ptr != NULL;
}

// A literal moment, with or without a type before it. The session's time zone is UTC.
static bool constant_moment(const struct reading *self, const struct json_node *node,
                            int64_t *ret_us)
{
    if (is(self, node, S("class"), S("CAST"))) {
        str type = text_of(self, member(self, node, S("cast_type")), S("id"));
        if (!str_equal(type, S("TIMESTAMP WITH TIME ZONE")))
            return false;
        node = member(self, node, S("child"));
    }
    str text;
    if (!node || !constant_text(self, node, &text) || text.len > TIME_TEXT_MAX)
        return false;
    char space[TIME_TEXT_MAX + 16];
    bool date = text.len == sizeof "2026-11-23" - 1;
    int len = snprintf(space, sizeof space, "%.*s%s", STR(text), date ? "T00:00:00Z" : "");
    return time_parse((str){space, (size_t)len}, ret_us);
}

// ---- The WHERE clause.

enum side { LESS = 1, SAME = 2, GREATER = 4 };

static unsigned sides_of(str type)
{
    static const struct {
        const char *name;
        unsigned sides;
    } rows[] = {{"COMPARE_EQUAL", SAME},
                {"COMPARE_LESSTHAN", LESS},
                {"COMPARE_GREATERTHAN", GREATER},
                {"COMPARE_LESSTHANOREQUALTO", LESS | SAME},
                {"COMPARE_GREATERTHANOREQUALTO", GREATER | SAME}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (str_equal(type, str_of(rows[i].name)))
            return rows[i].sides;
    return LESS | SAME | GREATER;
}

static void bound_position(struct bounds *bounds, unsigned sides, uint64_t value)
{
    uint64_t after = value == 0 ? 0 : value - 1;
    if (!(sides & LESS)) {
        after = sides & SAME ? after : value;
        bounds->after = after > bounds->after ? after : bounds->after;
    }
    if (!(sides & GREATER)) {
        uint64_t up_to = sides & SAME ? value : value == 0 ? 0 : value - 1;
        bounds->up_to = up_to < bounds->up_to ? up_to : bounds->up_to;
    }
}

static void bound_time(struct bounds *bounds, unsigned sides, int64_t us)
{
    // A microsecond wider, since a literal with more digits than that is rounded by DuckDB.
    if (!(sides & LESS) && us - 1 > bounds->since_us)
        bounds->since_us = us - 1;
    if (!(sides & GREATER) && us + 1 < bounds->until_us)
        bounds->until_us = us + 1;
}

static void take_comparison(const struct reading *self, const struct json_node *column,
                            const struct json_node *constant, unsigned sides)
{
    str name = column_of(self, column), text;
    uint64_t number;
    int64_t us;
    if (same_word(name, S("position")) && constant_number(self, constant, &number))
        bound_position(self->bounds, sides, number);
    else if (same_word(name, S("timestamp")) && constant_moment(self, constant, &us))
        bound_time(self->bounds, sides, us);
    else if (sides == SAME && same_word(name, S("entity_id")) &&
             constant_text(self, constant, &text))
        self->bounds->entity = text;
    else if (sides == SAME && same_word(name, S("event_type")) &&
             constant_text(self, constant, &text))
        self->bounds->type = text;
}

static void take_condition(const struct reading *self, const struct json_node *node)
{
    str class = text_of(self, node, S("class"));
    if (str_equal(class, S("COMPARISON"))) {
        const struct json_node *left = member(self, node, S("left"));
        const struct json_node *right = member(self, node, S("right"));
        unsigned sides = sides_of(text_of(self, node, S("type")));
        unsigned turned =
            (sides & SAME) | (sides & LESS ? GREATER : 0u) | (sides & GREATER ? LESS : 0u);
        take_comparison(self, left, right, sides);
        take_comparison(self, right, left, turned);
    } else if (str_equal(class, S("BETWEEN"))) {
        const struct json_node *input = member(self, node, S("input"));
        take_comparison(self, input, member(self, node, S("lower")), GREATER | SAME);
        take_comparison(self, input, member(self, node, S("upper")), LESS | SAME);
    }
}

// Conditions that all have to hold: the clause itself, or the parts of its outermost AND.
static void take_where(const struct reading *self, const struct json_node *where)
{
    if (!where || where->kind != JSON_OBJECT)
        return;
    const struct json_node *parts = member(self, where, S("children"));
    if (!is(self, where, S("type"), S("CONJUNCTION_AND")) || !parts) {
        take_condition(self, where);
        return;
    }
    for (const struct json_node *part = json_first(self->tree, parts); part;
         part = json_after(self->tree, parts, part))
        take_condition(self, part);
}

// ---- Only the newest rows.

// Whether what is selected can mean something else by `position`, or is not one row for one.
static bool selects_plainly(const struct reading *self, const struct json_node *select)
{
    const struct json_node *list = member(self, select, S("select_list"));
    if (!list || list->kind != JSON_ARRAY)
        return false;
    for (const struct json_node *item = json_first(self->tree, list); item;
         item = json_after(self->tree, list, item)) {
        bool star = is(self, item, S("class"), S("STAR"));
        if (same_word(text_of(self, item, S("alias")), S("position")) ||
            (star &&
             (!is_empty(self, item, S("replace_list")) || !is_empty(self, item, S("rename_list")) ||
              !is_empty(self, item, S("exclude_list")) ||
              !is_empty(self, item, S("qualified_exclude_list")) ||
              !is_empty(self, item, S("expr")))))
            return false;
    }
    return is_empty(self, select, S("where_clause")) &&
           is_empty(self, select, S("group_expressions")) && is_empty(self, select, S("having")) &&
           is_empty(self, select, S("qualify")) && is_empty(self, select, S("sample"));
}

// n + m of ORDER BY position DESC LIMIT n OFFSET m when that is all there is, else 0.
static uint64_t newest_wanted(const struct reading *self, const struct json_node *select)
{
    const struct json_node *modifiers = member(self, select, S("modifiers"));
    if (!modifiers || modifiers->count != 2)
        return 0;
    const struct json_node *order = json_first(self->tree, modifiers);
    const struct json_node *limit = json_after(self->tree, modifiers, order);
    const struct json_node *orders = member(self, order, S("orders"));
    if (!is(self, order, S("type"), S("ORDER_MODIFIER")) ||
        !is(self, limit, S("type"), S("LIMIT_MODIFIER")) || !orders || orders->count != 1)
        return 0;
    const struct json_node *by = json_first(self->tree, orders);
    if (!is(self, by, S("type"), S("DESCENDING")) ||
        !same_word(column_of(self, member(self, by, S("expression"))), S("position")))
        return 0;
    uint64_t rows, offset = 0, sum;
    const struct json_node *skip = member(self, limit, S("offset"));
    if (!constant_number(self, member(self, limit, S("limit")), &rows) ||
        (skip && skip->kind != JSON_NULL && !constant_number(self, skip, &offset)) ||
        __builtin_add_overflow(rows, offset, &sum))
        return 0;
    return sum;
}

// Behind which position the newest `wanted` rows lie. The log has every position; files may have
// lost some to retention, so their rows are counted.
static als_position newest_after(const struct sql_question *question, uint64_t wanted)
{
    als_position tail =
        question->position > question->sealed ? question->sealed : question->position;
    if (wanted <= question->position - tail)
        return question->position - wanted;
    wanted -= question->position - tail;
    for (size_t i = question->file_count; i > 0; i--) {
        const struct sql_file *file = &question->files[i - 1];
        if (file->first > question->position)
            continue;
        bool whole = file->rows == file->last - file->first + 1 && file->last <= question->position;
        if (whole && wanted <= file->rows)
            return file->last - wanted;
        if (!whole && file->last > question->position)
            return 0; // cut by as_of_position: how many of its rows count is not known
        if (wanted <= file->rows)
            return file->first - 1;
        wanted -= file->rows;
    }
    return 0;
}

// ---- All of it.

static void take_query(struct reading *self, const struct checked *checked,
                       const struct sql_question *question)
{
    const struct json_node *statements = member(self, json_root(self->tree), S("statements"));
    const struct json_node *select = member(self, json_first(self->tree, statements), S("node"));
    const struct json_node *table = member(self, select, S("from_table"));
    if (checked->events_uses != 1 || checked->entities ||
        !is(self, select, S("type"), S("SELECT_NODE")) ||
        !is(self, table, S("type"), S("BASE_TABLE")) ||
        !same_word(text_of(self, table, S("table_name")), S("events")) ||
        !is_empty(self, member(self, select, S("cte_map")), S("map")) ||
        !is_empty(self, table, S("column_name_alias")) || !is_empty(self, table, S("sample")))
        return;
    self->alias = text_of(self, table, S("alias"));
    if (self->alias.len == 0)
        self->alias = S("events");
    take_where(self, member(self, select, S("where_clause")));
    uint64_t wanted = newest_wanted(self, select);
    if (wanted && !checked->multiplies && question->as_of_us == INT64_MAX &&
        selects_plainly(self, select)) {
        als_position after = newest_after(question, wanted);
        if (after > self->bounds->after)
            self->bounds->after = after;
    }
}

static err choose_files(struct plan *plan, const struct sql_question *question, struct arena *arena,
                        struct als_why *why)
{
    plan->files = ARENA_ARRAY(arena, const struct sql_file *, question->file_count);
    if (!plan->files)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the list of files");
    for (size_t i = 0; i < question->file_count; i++) {
        const struct sql_file *file = &question->files[i];
        if (file->last > plan->bounds.after && file->first <= plan->bounds.up_to &&
            file->greatest_us >= plan->bounds.since_us && file->least_us <= plan->bounds.until_us)
            plan->files[plan->file_count++] = file;
    }
    return ALS_OK;
}

err plan_make(const struct json_doc *tree, const struct checked *checked,
              const struct sql_question *question, struct arena *arena, struct plan *ret_plan,
              struct als_why *why)
{
    struct plan plan = {.bounds = {.up_to = question->position,
                                   .since_us = INT64_MIN,
                                   .until_us = question->as_of_us}};
    struct reading reading = {.tree = tree, .arena = arena, .bounds = &plan.bounds};
    if (checked->events_uses || checked->entities) {
        take_query(&reading, checked, question);
        TRY(choose_files(&plan, question, arena, why));
        plan.tail_after =
            plan.bounds.after > question->sealed ? plan.bounds.after : question->sealed;
        plan.tail_up_to = plan.bounds.up_to;
    }
    if (plan.tail_up_to < plan.tail_after)
        plan.tail_up_to = plan.tail_after;
    *ret_plan = plan;
    return ALS_OK;
}

static void put_path(struct buf *buf, str path)
{
    buf_put_char(buf, '\'');
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (c == '*' || c == '?' || c == '[') { // a pattern that means itself
            buf_printf(buf, "[%c]", c);
            continue;
        }
        if (c == '\'')
            buf_put_char(buf, '\'');
        buf_put_char(buf, c);
    }
    buf_put_char(buf, '\'');
}

// A bound is only put when some file reaches beyond it: each is a column that is read for all rows.
static void put_bounds(const struct plan *plan, const struct sql_question *question,
                       struct buf *buf)
{
    bool before = false, behind = false, later = false;
    for (size_t i = 0; i < plan->file_count; i++) {
        before |= plan->files[i]->first <= plan->bounds.after;
        behind |= plan->files[i]->last > plan->bounds.up_to;
        later |= plan->files[i]->greatest_us > question->as_of_us;
    }
    buf_put_str(buf, S(" WHERE true"));
    if (before)
        buf_printf(buf, " AND position > %" PRIu64, plan->bounds.after);
    if (behind)
        buf_printf(buf, " AND position <= %" PRIu64, plan->bounds.up_to);
    if (later)
        buf_printf(buf, " AND timestamp <= make_timestamptz(%" PRId64 ")", question->as_of_us);
}

static void put_files(const struct plan *plan, const struct sql_question *question, struct buf *buf)
{
    buf_printf(buf, "SELECT %s FROM read_parquet([", columns);
    for (size_t i = 0; i < plan->file_count; i++) {
        if (i)
            buf_put_char(buf, ',');
        put_path(buf, plan->files[i]->path);
    }
    buf_put_str(buf, S("])"));
    put_bounds(plan, question, buf);
}

void plan_put_events(const struct plan *plan, const struct sql_question *question, struct buf *buf)
{
    buf_put_str(buf, S("CREATE OR REPLACE TEMP VIEW events AS "));
    if (plan->file_count)
        put_files(plan, question, buf);
    if (plan->file_count && plan->tail_up_to > plan->tail_after)
        buf_put_str(buf, S(" UNION ALL "));
    if (!plan->file_count || plan->tail_up_to > plan->tail_after)
        buf_printf(buf, "SELECT %s FROM live()", columns); // it knows the bounds
}
