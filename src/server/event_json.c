// SPDX-License-Identifier: Apache-2.0
// The hottest text of the server, so it is written straight into the buffer: the most it can take
// is reserved once, then everything is a copy. Payload and metadata are JSON text already.
#include "server/event_json.h"

#include "base/time.h"
#include "base/uuid.h"
#include "json/json.h"

enum {
    // Keys, punctuation, an id, two times and three numbers of at most 20 digits.
    FIXED_BYTES_MAX = 288 + UUID_TEXT_LEN + 2 * TIME_TEXT_MAX + 3 * 20,
    ESCAPED_BYTES_MAX = 6, // of one byte: \u001f
};

static char *put(char *at, str text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static char *put_number(char *at, uint64_t value)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return put(at, (str){digits + first, sizeof digits - first});
}

static char *put_escaped(char *at, unsigned char c)
{
    static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (const char *pair = shorts; *pair; pair += 2)
        if ((unsigned char)*pair == c) {
            *at++ = '\\';
            *at++ = pair[1];
            return at;
        }
    static const char hex[] = "0123456789abcdef";
    at = put(at, S("\\u00"));
    *at++ = hex[c >> 4];
    *at++ = hex[c & 15];
    return at;
}

static char *put_string(char *at, str text)
{
    *at++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\')
            at = put_escaped(at, c);
        else
            *at++ = (char)c;
    }
    *at++ = '"';
    return at;
}

static char *put_id(char *at, als_id id)
{
    *at++ = '"';
    uuid_format(id, at);
    at += UUID_TEXT_LEN;
    *at++ = '"';
    return at;
}

static char *put_time(char *at, int64_t us)
{
    *at++ = '"';
    at += time_format(us, at);
    *at++ = '"';
    return at;
}

static char *room_for(struct buf *buf, const struct als_event *event)
{
    size_t names = event->entity.len + event->type.len + event->tenant.len;
    return buf_room(buf, FIXED_BYTES_MAX + ESCAPED_BYTES_MAX * names + event->payload.len +
                             event->metadata.len);
}

void event_json_put(struct buf *buf, const struct als_event *event)
{
    char *start = room_for(buf, event), *at = start;
    if (!start)
        return;
    at = put(at, S("{\"id\":"));
    at = put_id(at, event->id);
    at = put(at, S(",\"event_type\":"));
    at = put_string(at, event->type);
    at = put(at, S(",\"entity_id\":"));
    at = put_string(at, event->entity);
    at = put(at, S(",\"tenant_id\":"));
    at = put_string(at, event->tenant);
    at = put(at, S(",\"payload\":"));
    at = put(at, event->payload);
    at = put(at, S(",\"timestamp\":"));
    at = put_time(at, event->timestamp_us);
    at = put(at, S(",\"metadata\":"));
    at = put(at, event->metadata.len ? event->metadata : S("null"));
    at = put(at, S(",\"version\":"));
    at = put_number(at, event->version);
    at = put(at, S(",\"position\":"));
    at = put_number(at, event->position);
    at = put(at, S(",\"recorded_at\":"));
    at = put_time(at, event->recorded_us);
    if (event->schema_version) {
        at = put(at, S(",\"schema_version\":"));
        at = put_number(at, event->schema_version);
    }
    *at++ = '}';
    buf_grew(buf, (size_t)(at - start));
}

void event_json_put_upcast(struct buf *buf, const struct als_event *event,
                           const struct als_upcast *upcast)
{
    struct als_event shaped = *event;
    shaped.payload = upcast->payload;
    shaped.schema_version = upcast->schema_version;
    event_json_put(buf, &shaped);
    if (buf_failed(buf) || (!upcast->from && !upcast->error.len))
        return;
    buf->len--; // the bracket
    struct json_writer writer = {.buf = buf, .comma = true};
    if (upcast->from)
        json_field_u64(&writer, S("upcast_from"), upcast->from);
    if (upcast->error.len)
        json_field_string(&writer, S("upcast_error"), upcast->error);
    buf_put_char(buf, '}');
}

void event_json_put_history(struct buf *buf, const struct als_event *event)
{
    char *start = room_for(buf, event), *at = start;
    if (!start)
        return;
    at = put(at, S("{\"event_id\":"));
    at = put_id(at, event->id);
    at = put(at, S(",\"type\":"));
    at = put_string(at, event->type);
    at = put(at, S(",\"timestamp\":"));
    at = put_time(at, event->timestamp_us);
    at = put(at, S(",\"payload\":"));
    at = put(at, event->payload);
    *at++ = '}';
    buf_grew(buf, (size_t)(at - start));
}
