// SPDX-License-Identifier: Apache-2.0
// Whether a name surely matches a pattern, or surely does not, for patterns that are read at a
// glance: characters, sets like [a-z_], \d and \w, '.', each with *, +, ? or {m,n}, and anchors at
// the ends. Groups, alternatives and everything that is not ASCII are UNKNOWN. All positions that
// the pattern can be in are kept at once, so there is no backtracking.
#include "compat/inside.h"

enum { ITEMS_MAX = 60 };

struct item {
    uint64_t low, high; // the ASCII characters it takes
    bool optional, repeated;
};

struct simple {
    struct item items[ITEMS_MAX];
    uint32_t count;
    bool from_start, to_end;
};

static void take(struct item *item, unsigned from, unsigned to)
{
    for (unsigned c = from; c <= to && c < 128; c++) {
        if (c < 64)
            item->low |= UINT64_C(1) << c;
        else
            item->high |= UINT64_C(1) << (c - 64);
    }
}

static bool takes(const struct item *item, char c)
{
    unsigned code = (unsigned char)c;
    return code < 64 ? item->low >> code & 1 : item->high >> (code - 64) & 1;
}

static bool is_among(char c, str characters)
{
    return str_find(characters, c) < characters.len;
}

// A character behind a backslash; false when we do not know what it means.
static bool read_escape(char c, struct item *item)
{
    if (c == 'd') {
        take(item, '0', '9');
    } else if (c == 'w') {
        take(item, '0', '9');
        take(item, 'a', 'z');
        take(item, 'A', 'Z');
        take(item, '_', '_');
    } else if (is_among(c, S("^$\\.*+?()[]{}|/-"))) {
        take(item, (unsigned char)c, (unsigned char)c);
    } else
        return false;
    return true;
}

static bool is_plain(char c)
{
    return c >= ' ' && c < 127;
}

// Behind '['. Only characters, ranges of letters and digits, and escapes.
static bool read_set(str *rest, struct item *item)
{
    bool inverted = rest->len && *rest->ptr == '^';
    *rest = str_from(*rest, inverted);
    while (rest->len && *rest->ptr != ']') {
        char c = *rest->ptr;
        bool escape = c == '\\';
        if (!is_plain(c) || c == '[' || (escape && rest->len < 2))
            return false;
        bool range = !escape && rest->len > 2 && rest->ptr[1] == '-' && rest->ptr[2] != ']';
        if (range && (!is_plain(rest->ptr[2]) || rest->ptr[2] == '\\' || rest->ptr[2] < c))
            return false;
        if (escape && !read_escape(rest->ptr[1], item))
            return false;
        if (!escape)
            take(item, (unsigned char)c, (unsigned char)rest->ptr[range ? 2 : 0]);
        *rest = str_from(*rest, escape ? 2 : range ? 3 : 1);
        // "\d-x" and "a-z-9" are read differently by different engines.
        if ((escape || range) && rest->len > 1 && rest->ptr[0] == '-' && rest->ptr[1] != ']')
            return false;
    }
    if (inverted) {
        item->low = ~item->low;
        item->high = ~item->high;
    }
    bool closed = rest->len > 0;
    *rest = str_from(*rest, 1);
    return closed;
}

static bool read_item(str *rest, struct item *item)
{
    char c = *rest->ptr;
    *rest = str_from(*rest, 1);
    if (c == '[')
        return read_set(rest, item);
    if (c == '\\') {
        bool known = rest->len && read_escape(*rest->ptr, item);
        *rest = str_from(*rest, 1);
        return known;
    }
    if (c == '.') {
        take(item, 0, 127);
        item->low &= ~(UINT64_C(1) << '\n' | UINT64_C(1) << '\r');
        return true;
    }
    if (!is_plain(c) || is_among(c, S("^$*+?()]{}|")))
        return false;
    take(item, (unsigned char)c, (unsigned char)c);
    return true;
}

// {m}, {m,} or {m,n}: the item is written out as often as it says.
static bool repeat(struct simple *simple, struct item item, str bounds)
{
    bool comma = str_find(bounds, ',') < bounds.len;
    str first = str_cut(&bounds, ',');
    bool open = comma && bounds.len == 0;
    uint64_t least, most;
    if (!str_to_u64(first, &least) || least > ITEMS_MAX)
        return false;
    if (!comma || open)
        most = least;
    else if (!str_to_u64(bounds, &most) || most > ITEMS_MAX || most < least)
        return false;
    if (simple->count + (open ? least + 1 : most) > ITEMS_MAX)
        return false;
    for (uint64_t i = 0; i < least; i++)
        simple->items[simple->count++] = item;
    item.optional = true;
    item.repeated = open;
    for (uint64_t i = least; i < (open ? least + 1 : most); i++)
        simple->items[simple->count++] = item;
    return true;
}

static bool read_quantified(struct simple *simple, str *rest)
{
    struct item item = {};
    if (!read_item(rest, &item))
        return false;
    char c = rest->len ? *rest->ptr : 0;
    if (c == '{') {
        size_t end = str_find(*rest, '}');
        str bounds = str_from(str_first(*rest, end), 1);
        bool closed = end < rest->len;
        *rest = str_from(*rest, end + 1);
        return closed && repeat(simple, item, bounds) &&
               !(rest->len && is_among(*rest->ptr, S("*+?{")));
    }
    item.optional = c == '*' || c == '?';
    item.repeated = c == '*' || c == '+';
    if (item.optional || item.repeated)
        *rest = str_from(*rest, 1);
    if (simple->count == ITEMS_MAX ||
        (rest->len && is_among(*rest->ptr, S("*+?{")) && (item.optional || item.repeated)))
        return false; // lazy quantifiers are left to others
    simple->items[simple->count++] = item;
    return true;
}

static bool read_pattern(str pattern, struct simple *simple)
{
    simple->from_start = pattern.len && *pattern.ptr == '^';
    str rest = str_from(pattern, simple->from_start);
    while (rest.len) {
        if (rest.len == 1 && *rest.ptr == '$') {
            simple->to_end = true;
            return true;
        }
        if (!read_quantified(simple, &rest))
            return false;
    }
    return true;
}

// Where one can be without taking a character: past every optional item.
static uint64_t spread(const struct simple *simple, uint64_t positions)
{
    for (uint32_t i = 0; i < simple->count; i++)
        if (positions >> i & 1 && simple->items[i].optional)
            positions |= UINT64_C(1) << (i + 1);
    return positions;
}

static uint64_t advance(const struct simple *simple, uint64_t positions, char c)
{
    uint64_t next = 0;
    for (uint32_t i = 0; i < simple->count; i++) {
        if (!(positions >> i & 1) || !takes(&simple->items[i], c))
            continue;
        next |= UINT64_C(1) << (i + 1);
        if (simple->items[i].repeated)
            next |= UINT64_C(1) << i;
    }
    return spread(simple, next);
}

enum tri name_matches(struct check *check, str pattern, str name)
{
    struct simple simple = {};
    if (always_matches(pattern))
        return YES;
    if (!check_spend(check, 2 + pattern.len / 8 + name.len) || !read_pattern(pattern, &simple))
        return UNKNOWN;
    uint64_t end = UINT64_C(1) << simple.count;
    uint64_t positions = spread(&simple, 1);
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] >= 128)
            return UNKNOWN;
        if (positions & end && !simple.to_end)
            return YES;
        positions = advance(&simple, positions, name.ptr[i]);
        if (!simple.from_start)
            positions |= spread(&simple, 1);
    }
    return tri_of(positions & end);
}

bool always_matches(str pattern)
{
    static const str always[] = {S(""), S("^"), S("$"), S(".*"), S("^.*")};
    for (size_t i = 0; i < COUNT_OF(always); i++)
        if (str_equal(pattern, always[i]))
            return true;
    return false;
}
