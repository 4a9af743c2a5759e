// SPDX-License-Identifier: Apache-2.0
// Reasons in words, and where they are.
#include "compat/inside.h"

#include <stdarg.h>
#include <stdio.h>

enum { SHOWN_BYTES_MAX = 60, MESSAGE_BYTES_MAX = 700 };

const char *sub_name(const struct check *check)
{
    return check->direction == COMPAT_BACKWARD ? "the old schema" : "the new schema";
}

const char *sup_name(const struct check *check)
{
    return check->direction == COMPAT_BACKWARD ? "the new schema" : "the old schema";
}

str shown(str text)
{
    if (text.len <= SHOWN_BYTES_MAX)
        return text;
    size_t len = SHOWN_BYTES_MAX;
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    return str_first(text, len);
}

const char *kinds_text(struct check *check, unsigned kinds)
{
    static const struct {
        unsigned kinds;
        const char *name;
    } names[] = {
        {NULLS, "null"},
        {BOOLEANS, "boolean"},
        {NUMBERS, "number"},
        {INTEGERS, "integer"},
        {FRACTIONS, "number with a fraction"},
        {STRINGS, "string"},
        {ARRAYS, "array"},
        {OBJECTS, "object"},
    };
    struct buf buf;
    buf_init(&buf, 256);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if ((kinds & names[i].kinds) != names[i].kinds)
            continue;
        kinds &= ~names[i].kinds;
        buf_printf(&buf, "%s%s", buf.len ? (kinds ? ", " : " or ") : "", names[i].name);
    }
    str text = arena_copy(check->arena, buf_failed(&buf) || !buf.len ? S("no") : buf_str(&buf));
    buf_deinit(&buf);
    return text.ptr ? text.ptr : "some";
}

static void put_path(struct buf *buf, const struct step *last)
{
    const struct step *steps[COMPAT_DEPTH_MAX];
    uint32_t count = 0;
    for (const struct step *at = last; at && count < COUNT_OF(steps); at = at->before)
        steps[count++] = at;
    if (count)
        buf_put_str(buf, S(" (at '"));
    for (uint32_t i = count; i > 0 && buf->len < MESSAGE_BYTES_MAX; i--) {
        str name = shown(steps[i - 1]->name);
        if (steps[i - 1]->item)
            buf_put_str(buf, S("[]"));
        else
            buf_printf(buf, steps[i - 1]->key ? "%s{%.*s}" : "%s%.*s", i == count ? "" : ".",
                       STR(name));
    }
    if (count)
        buf_put_str(buf, S("')"));
}

// Where the same keyword stands in the schema that is kept; else the schema it would stand in.
static struct place other_place(struct check *check, const struct meet *meet, str keyword)
{
    for (uint32_t i = 0; meet && keyword.len && i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *value =
            place.doc == sub_doc(check) ? place_keyword(check, place, keyword) : NULL;
        if (value)
            return place_at(place, value);
    }
    for (uint32_t i = 0; meet && i < meet->place_count; i++)
        if (meet->places[i].doc == sub_doc(check))
            return meet->places[i];
    return check->near;
}

static bool is_in(const struct document *doc, const struct json_node *node)
{
    return node >= doc->json.nodes && node < doc->json.nodes + doc->json.count;
}

static str location(struct check *check, struct place place, const struct document *doc)
{
    return place.doc == doc && is_in(doc, place.node) ? node_pointer(check, doc, place.node)
                                                      : S("");
}

// For a full arena, whose message could not be made.
static const str no_room[] = {
    [COMPAT_BACKWARD] = S("Backward compatibility: cannot be decided because the schemas take too "
                          "much memory to be compared"),
    [COMPAT_FORWARD] = S("Forward compatibility: cannot be decided because the schemas take too "
                         "much memory to be compared"),
};

static bool tell(struct check *check, const struct meet *meet, const struct rule *rule,
                 enum compat_kind kind, const char *text)
{
    if (check->reason_count == COMPAT_REASONS_MAX) {
        check->more = true;
        return false;
    }
    struct buf buf;
    buf_init(&buf, 8192);
    buf_printf(&buf, "%s compatibility: %s%s",
               check->direction == COMPAT_BACKWARD ? "Backward" : "Forward",
               kind == COMPAT_UNDECIDED ? "cannot be decided because " : "", text);
    put_path(&buf, check->path);
    str message = arena_copy(check->arena, buf_failed(&buf) ? S("") : buf_str(&buf));
    buf_deinit(&buf);
    bool backward = check->direction == COMPAT_BACKWARD;
    str sub = location(check, other_place(check, meet, rule->name), sub_doc(check));
    str sup = location(check, place_at(rule->schema, rule->value), sup_doc(check));
    check->reasons[check->reason_count++] = (struct compat_reason){
        .kind = kind,
        .direction = check->direction,
        .message = message.ptr ? message : no_room[check->direction],
        .keyword = rule->name,
        .old_location = backward ? sub : sup,
        .new_location = backward ? sup : sub,
    };
    return false;
}

#define TEXT_OF(text, format)                                                                      \
    char text[MESSAGE_BYTES_MAX];                                                                  \
    va_list arguments_;                                                                            \
    va_start(arguments_, format);                                                                  \
    (void)vsnprintf(text, sizeof text, format, arguments_); /* all parts are short */              \
    va_end(arguments_)

bool refuse(struct check *check, const struct meet *meet, const struct rule *rule,
            const char *format, ...)
{
    if (check->muted || check->out_of_memory)
        return false;
    TEXT_OF(text, format);
    bool sure = !(meet->blurred & rule->kinds) && meet->choice_count == 0;
    return tell(check, meet, rule, sure ? COMPAT_NARROWED : COMPAT_UNDECIDED, text);
}

bool undecided(struct check *check, const struct meet *meet, const struct rule *rule,
               const char *format, ...)
{
    if (check->muted)
        return false;
    TEXT_OF(text, format);
    return tell(check, meet, rule, COMPAT_UNDECIDED, text);
}

bool malformed(struct check *check, const struct meet *meet, const struct rule *rule)
{
    str name = rule->name.len ? rule->name : S("a schema");
    return undecided(check, meet, rule, "%.*s of %s has a value that it cannot have", STR(name),
                     sup_name(check));
}

void refuse_example(struct check *check, struct place value)
{
    str text = json_span(&value.doc->json, value.node);
    if (!check->muted && check->reason_count && text.len <= COMPAT_EXAMPLE_BYTES_MAX)
        check->reasons[check->reason_count - 1].example = text;
}
