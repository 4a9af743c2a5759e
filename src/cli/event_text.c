// SPDX-License-Identifier: Apache-2.0
#include "cli/event_text.h"

#include "base/time.h"
#include "base/uuid.h"
#include "json/json.h"

const struct table_column event_columns[EVENT_COLUMNS] = {
    {"POSITION", 20, true}, {"TIMESTAMP", 32, false}, {"TYPE", 40, false},
    {"ENTITY", 40, false},  {"VERSION", 20, true},    {"PAYLOAD", 0, false},
};

static void put_time(struct json_writer *writer, str key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    json_field_string(writer, key, (str){text, time_format(us, text)});
}

void event_json(const struct als_event *event, struct buf *buf)
{
    char id[UUID_TEXT_LEN];
    uuid_format(event->id, id);
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_object(&writer);
    json_field_string(&writer, S("id"), (str){id, sizeof id});
    json_field_string(&writer, S("event_type"), event->type);
    json_field_string(&writer, S("entity_id"), event->entity);
    json_field_string(&writer, S("tenant_id"), event->tenant);
    json_field_raw(&writer, S("payload"), event->payload);
    put_time(&writer, S("timestamp"), event->timestamp_us);
    json_field_raw(&writer, S("metadata"), event->metadata.len ? event->metadata : S("null"));
    json_field_u64(&writer, S("version"), event->version);
    json_field_u64(&writer, S("position"), event->position);
    put_time(&writer, S("recorded_at"), event->recorded_us);
    json_close_object(&writer);
}

bool event_cells(str json, struct arena *arena, str cells[static EVENT_COLUMNS])
{
    static const char *const keys[EVENT_COLUMNS] = {"position",  "timestamp", "event_type",
                                                    "entity_id", "version",   "payload"};
    struct json_doc doc;
    if (json_parse(json, (struct json_options){.span_depth = 1}, arena, &doc, NULL, NULL) != ALS_OK)
        return false;
    const struct json_node *root = json_root(&doc);
    if (root->kind != JSON_OBJECT)
        return false;
    for (size_t i = 0; i < EVENT_COLUMNS; i++) {
        const struct json_node *node = json_member(&doc, root, str_of(keys[i]));
        if (!node)
            return false;
        bool is_payload = i + 1 == EVENT_COLUMNS; // shown as JSON, a string with its quotes
        cells[i] = node->kind == JSON_STRING && !is_payload ? json_text(&doc, node, arena)
                                                            : json_span(&doc, node);
    }
    return true;
}
