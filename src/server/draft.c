// SPDX-License-Identifier: Apache-2.0
// An event is one walk over its members, which sorts the known ones into an array; then each is
// converted. Only members are on the tape: what is inside a payload was checked and stays text.
#include "server/draft.h"

#include "base/limits.h"
#include "base/time.h"
#include "base/uuid.h"
#include "json/json.h"

enum {
    EVENT_ID,
    EVENT_TYPE,
    EVENT_ENTITY,
    EVENT_PAYLOAD,
    EVENT_METADATA,
    EVENT_TENANT,
    EVENT_TIME,
    EVENT_EXPECTED,
    EVENT_FIELDS
};
enum { BATCH_EVENTS, BATCH_CONDITIONS, BATCH_TENANT, BATCH_FIELDS };
enum { CONDITION_ENTITY, CONDITION_TYPE, CONDITION_AFTER, CONDITION_FIELDS };
enum { FIELDS_MAX = EVENT_FIELDS };

struct field_set {
    size_t count;
    str names[FIELDS_MAX];
};

static const struct field_set event_fields = {
    EVENT_FIELDS,
    {
        [EVENT_ID] = {"id", 2},
        [EVENT_TYPE] = {"event_type", 10},
        [EVENT_ENTITY] = {"entity_id", 9},
        [EVENT_PAYLOAD] = {"payload", 7},
        [EVENT_METADATA] = {"metadata", 8},
        [EVENT_TENANT] = {"tenant_id", 9},
        [EVENT_TIME] = {"timestamp", 9},
        [EVENT_EXPECTED] = {"expected_version", 16},
    },
};
static const struct field_set batch_fields = {
    BATCH_FIELDS,
    {
        [BATCH_EVENTS] = {"events", 6},
        [BATCH_CONDITIONS] = {"conditions", 10},
        [BATCH_TENANT] = {"tenant_id", 9},
    },
};
static const struct field_set condition_fields = {
    CONDITION_FIELDS,
    {
        [CONDITION_ENTITY] = {"entity_id", 9},
        [CONDITION_TYPE] = {"event_type", 10},
        [CONDITION_AFTER] = {"after_position", 14},
    },
};

// An object whose members are sorted into known fields; absent ones are NULL.
struct members {
    const struct json_doc *doc;
    struct arena *arena;
    const struct field_set *set;
    const struct json_node *fields[FIELDS_MAX];
    struct flaw *flaw;
};

static size_t field_of(const struct members *members, const struct json_node *member)
{
    str key = json_key_span(members->doc, member);
    size_t field = 0;
    for (; field < members->set->count; field++)
        if (member->key_escaped ? json_key_is(members->doc, member, members->set->names[field])
                                : str_equal(key, members->set->names[field]))
            break;
    return field;
}

static err read_members(struct members *members, const struct json_node *object)
{
    if (object->kind != JSON_OBJECT)
        return flaw_set(members->flaw, ALS_JSON_SHAPE, S(""), "expected an object");
    memset(members->fields, 0, sizeof members->fields);
    for (const struct json_node *member = json_first(members->doc, object); member;
         member = json_after(members->doc, object, member)) {
        size_t field = field_of(members, member);
        if (field == members->set->count)
            continue;
        str name = members->set->names[field];
        if (members->fields[field])
            return flaw_set(members->flaw, ALS_JSON_SHAPE, name, "duplicate field `%.*s`",
                            STR(name));
        members->fields[field] = member;
    }
    return ALS_OK;
}

static err ill_typed(const struct members *members, size_t field, const char *wanted)
{
    str name = members->set->names[field];
    return flaw_set(members->flaw, ALS_JSON_SHAPE, name, "`%.*s` must be %s", STR(name), wanted);
}

static err missing(const struct members *members, size_t field)
{
    str name = members->set->names[field];
    return flaw_set(members->flaw, ALS_JSON_SHAPE, name, "missing field `%.*s`", STR(name));
}

static err out_of_room(struct flaw *flaw)
{
    return flaw_set(flaw, ALS_TOO_LARGE, S(""), "the body takes more memory than a request has");
}

// The node of an optional field: NULL when it is absent or null.
static const struct json_node *optional(const struct members *members, size_t field)
{
    const struct json_node *node = members->fields[field];
    return node && node->kind != JSON_NULL ? node : NULL;
}

static err read_text(const struct members *members, size_t field, str *ret_text)
{
    const struct json_node *node = members->fields[field];
    if (node->kind != JSON_STRING)
        return ill_typed(members, field, "a string");
    str text = json_text(members->doc, node, members->arena);
    if (!text.ptr)
        return out_of_room(members->flaw);
    *ret_text = text;
    return ALS_OK;
}

static err read_required(const struct members *members, size_t field, str *ret_text)
{
    return members->fields[field] ? read_text(members, field, ret_text) : missing(members, field);
}

static err read_id(const struct members *members, struct als_draft *draft)
{
    if (!optional(members, EVENT_ID))
        return ALS_OK;
    str text;
    TRY(read_text(members, EVENT_ID, &text));
    draft->has_id = true;
    return uuid_parse(text, &draft->id) ? ALS_OK : ill_typed(members, EVENT_ID, "a UUID");
}

static err read_time(const struct members *members, struct als_draft *draft)
{
    if (!optional(members, EVENT_TIME))
        return ALS_OK;
    str text;
    TRY(read_text(members, EVENT_TIME, &text));
    return time_parse(text, &draft->timestamp_us)
               ? ALS_OK
               : ill_typed(members, EVENT_TIME, "an RFC 3339 time with date, time and zone");
}

static err read_expected(const struct members *members, struct als_draft *draft)
{
    const struct json_node *node = optional(members, EVENT_EXPECTED);
    int64_t version;
    if (!node)
        return ALS_OK;
    if (node->kind != JSON_NUMBER || !json_to_i64(json_span(members->doc, node), &version) ||
        version < ALS_EXPECT_EXISTS)
        return ill_typed(members, EVENT_EXPECTED,
                         "an integer: the entity's version before this event, 0 when it must not "
                         "exist, -1 when it must");
    draft->expected_version = version;
    return ALS_OK;
}

static void read_json(const struct members *members, struct als_draft *draft)
{
    const struct json_node *payload = members->fields[EVENT_PAYLOAD];
    const struct json_node *metadata = optional(members, EVENT_METADATA);
    draft->payload = json_span(members->doc, payload);
    draft->json = payload->spaced ? ALS_JSON_CHECKED : ALS_JSON_MINIFIED;
    if (metadata) {
        draft->metadata = json_span(members->doc, metadata);
        if (metadata->spaced)
            draft->json = ALS_JSON_CHECKED;
    }
}

// `*tenant` is what events before this one named, or ptr is NULL.
static err read_tenant(const struct members *members, size_t field, str *tenant)
{
    if (!optional(members, field))
        return ALS_OK;
    str text;
    TRY(read_text(members, field, &text));
    if (tenant->ptr && !str_equal(*tenant, text))
        return flaw_set(members->flaw, ALS_INVALID_INPUT, members->set->names[field],
                        "a batch is one append to one tenant, but another `tenant_id` came before");
    *tenant = text;
    return ALS_OK;
}

static err read_event(const struct json_doc *doc, const struct json_node *node, struct arena *arena,
                      struct als_draft *ret_draft, str *tenant, struct flaw *flaw)
{
    struct members members = {doc, arena, &event_fields, {}, flaw};
    TRY(read_members(&members, node));
    struct als_draft draft = ALS_DRAFT_INIT;
    TRY(read_required(&members, EVENT_TYPE, &draft.type));
    TRY(read_required(&members, EVENT_ENTITY, &draft.entity));
    if (!members.fields[EVENT_PAYLOAD])
        return missing(&members, EVENT_PAYLOAD);
    read_json(&members, &draft);
    TRY(read_tenant(&members, EVENT_TENANT, tenant));
    TRY(read_id(&members, &draft));
    TRY(read_time(&members, &draft));
    TRY(read_expected(&members, &draft));
    *ret_draft = draft;
    return ALS_OK;
}

static err parse(str body, uint32_t levels, struct arena *arena, struct json_doc *ret_doc,
                 struct flaw *flaw)
{
    struct json_options options = {.depth_max = JSON_DEPTH_MAX + levels, .span_depth = levels};
    flaw->field[0] = '\0';
    flaw->limit = 0;
    return json_parse(body, options, arena, ret_doc, NULL, &flaw->why);
}

// Room for `count` drafts, which must be within the bounds of a batch.
static err make_drafts(size_t count, size_t events_max, struct arena *arena,
                       struct draft_list *list, struct flaw *flaw)
{
    if (count == 0)
        return flaw_set(flaw, ALS_INVALID_INPUT, S("events"), "a batch holds at least one event");
    if (count > events_max) {
        err code = flaw_set(flaw, ALS_TOO_LARGE, S("events"),
                            "a batch holds at most %zu events, got %zu", events_max, count);
        flaw->limit = events_max;
        return code;
    }
    list->drafts = ARENA_ARRAY(arena, struct als_draft, count);
    return list->drafts ? ALS_OK : out_of_room(flaw);
}

static err read_array(const struct json_doc *doc, const struct json_node *array, size_t events_max,
                      struct arena *arena, struct draft_list *list, struct flaw *flaw)
{
    TRY(make_drafts(array->count, events_max, arena, list, flaw));
    for (const struct json_node *node = json_first(doc, array); node;
         node = json_after(doc, array, node)) {
        err code = read_event(doc, node, arena, &list->drafts[list->count], &list->tenant, flaw);
        if (code) {
            flaw_within(flaw, "events", list->count);
            return code;
        }
        list->count++;
    }
    return ALS_OK;
}

static err read_condition(const struct json_doc *doc, const struct json_node *node,
                          struct arena *arena, struct als_condition *ret_condition,
                          struct flaw *flaw)
{
    struct members members = {doc, arena, &condition_fields, {}, flaw};
    TRY(read_members(&members, node));
    struct als_condition condition = {};
    if (optional(&members, CONDITION_ENTITY))
        TRY(read_text(&members, CONDITION_ENTITY, &condition.entity));
    if (optional(&members, CONDITION_TYPE))
        TRY(read_text(&members, CONDITION_TYPE, &condition.type));
    const struct json_node *after = members.fields[CONDITION_AFTER];
    if (!after)
        return missing(&members, CONDITION_AFTER);
    if (after->kind != JSON_NUMBER || !json_to_u64(json_span(doc, after), &condition.after))
        return ill_typed(&members, CONDITION_AFTER, "a position: an integer, 0 or more");
    *ret_condition = condition;
    return ALS_OK;
}

static err read_conditions(const struct json_doc *doc, const struct json_node *array,
                           struct arena *arena, struct draft_list *list, struct flaw *flaw)
{
    if (array->count > BATCH_CONDITIONS_MAX) {
        err code = flaw_set(flaw, ALS_TOO_LARGE, S("conditions"),
                            "an append takes at most %d conditions, got %u", BATCH_CONDITIONS_MAX,
                            array->count);
        flaw->limit = BATCH_CONDITIONS_MAX;
        return code;
    }
    list->conditions = ARENA_ARRAY(arena, struct als_condition, array->count);
    if (!list->conditions)
        return out_of_room(flaw);
    for (const struct json_node *node = json_first(doc, array); node;
         node = json_after(doc, array, node)) {
        err code = read_condition(doc, node, arena, &list->conditions[list->condition_count], flaw);
        if (code) {
            flaw_within(flaw, "conditions", list->condition_count);
            return code;
        }
        list->condition_count++;
    }
    return ALS_OK;
}

// {"events":[...],"conditions":[...],"tenant_id":...}
static err read_envelope(const struct json_doc *doc, size_t events_max, struct arena *arena,
                         struct draft_list *list, struct flaw *flaw)
{
    struct members members = {doc, arena, &batch_fields, {}, flaw};
    TRY(read_members(&members, json_root(doc)));
    TRY(read_tenant(&members, BATCH_TENANT, &list->tenant));
    const struct json_node *events = members.fields[BATCH_EVENTS];
    if (!events)
        return missing(&members, BATCH_EVENTS);
    if (events->kind != JSON_ARRAY)
        return ill_typed(&members, BATCH_EVENTS, "an array of events");
    const struct json_node *conditions = optional(&members, BATCH_CONDITIONS);
    if (conditions && conditions->kind != JSON_ARRAY)
        return ill_typed(&members, BATCH_CONDITIONS, "an array of conditions");
    TRY(read_array(doc, events, events_max, arena, list, flaw));
    return conditions ? read_conditions(doc, conditions, arena, list, flaw) : ALS_OK;
}

static err read_batch(str body, size_t events_max, struct arena *arena, struct draft_list *list,
                      struct flaw *flaw)
{
    // The members of an event are one level deeper in an envelope than in an array.
    bool envelope = str_starts(str_trim(body), S("{"));
    struct json_doc doc;
    TRY(parse(body, envelope ? 3 : 2, arena, &doc, flaw));
    const struct json_node *root = json_root(&doc);
    if (root->kind == JSON_OBJECT)
        return read_envelope(&doc, events_max, arena, list, flaw);
    if (root->kind == JSON_ARRAY)
        return read_array(&doc, root, events_max, arena, list, flaw);
    return flaw_set(flaw, ALS_JSON_SHAPE, S(""),
                    "expected an array of events, or an object with `events`");
}

static err read_one(str body, struct arena *arena, struct als_draft *draft, str *tenant,
                    struct flaw *flaw)
{
    struct json_doc doc;
    TRY(parse(body, 1, arena, &doc, flaw));
    return read_event(&doc, json_root(&doc), arena, draft, tenant, flaw);
}

static err read_lines(str body, size_t events_max, struct arena *arena, struct draft_list *list,
                      struct flaw *flaw)
{
    size_t count = 0;
    for (str rest = body; rest.len;)
        count += str_trim(str_cut(&rest, '\n')).len > 0;
    TRY(make_drafts(count, events_max, arena, list, flaw));
    while (body.len) {
        str line = str_trim(str_cut(&body, '\n'));
        if (line.len == 0)
            continue;
        err code = read_one(line, arena, &list->drafts[list->count], &list->tenant, flaw);
        if (code) {
            flaw_within(flaw, "events", list->count);
            return code;
        }
        list->count++;
    }
    return ALS_OK;
}

err draft_read(enum draft_form form, str body, size_t events_max, struct arena *arena,
               struct draft_list *ret_list, struct flaw *flaw)
{
    struct draft_list list = {};
    switch (form) {
    case DRAFT_EVENT:
        TRY(make_drafts(1, 1, arena, &list, flaw));
        TRY(read_one(body, arena, &list.drafts[0], &list.tenant, flaw));
        list.count = 1;
        break;
    case DRAFT_BATCH:
        TRY(read_batch(body, events_max, arena, &list, flaw));
        break;
    case DRAFT_LINES:
        TRY(read_lines(body, events_max, arena, &list, flaw));
        break;
    }
    *ret_list = list;
    return ALS_OK;
}
