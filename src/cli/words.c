// SPDX-License-Identifier: Apache-2.0
#include "cli/words.h"

#include "base/time.h"
#include "os/os.h"

#include <assert.h>

// ---- Hints

enum { NEAREST_WORD_MAX = 32 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// The optimal string alignment distance: insertions, deletions, replacements and swaps of
// neighbours, which are what fingers do.
static size_t distance(str a, str b)
{
    size_t rows[3][NEAREST_WORD_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        above[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = a.ptr[i - 1] == b.ptr[j - 1];
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = above, above = row, row = free_row;
    }
    return above[b.len];
}

const char *words_nearest(str word, const char *const *candidates, size_t count)
{
    if (word.len == 0 || word.len > NEAREST_WORD_MAX)
        return NULL;
    const char *nearest = NULL;
    size_t best = word.len < 4 ? 2 : 3; // only what is nearer than this is a likely slip
    for (size_t i = 0; i < count; i++) {
        str candidate = str_of(candidates[i]);
        assert(candidate.len <= NEAREST_WORD_MAX);
        size_t away = distance(word, candidate);
        bool begun = word.len >= 2 && str_starts(candidate, word);
        if (begun && best > 1)
            away = 1; // "--ent" for "--entity"
        if (away < best) {
            best = away;
            nearest = candidates[i];
        }
    }
    return nearest;
}

// ---- Moments

static bool age_read(str text, int64_t *ret_us)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    int64_t amount;
    if (text.len < 2 || !str_to_i64(str_first(text, text.len - 1), &amount) || amount < 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (text.ptr[text.len - 1] == units[i].unit)
            return !__builtin_mul_overflow(amount, units[i].seconds * 1'000'000, ret_us);
    return false;
}

bool moment_read(str text, int64_t now_us, int64_t *ret_us)
{
    int64_t age_us;
    if (age_read(text, &age_us)) {
        int64_t us;
        if (__builtin_sub_overflow(now_us, age_us, &us) || us < TIME_US_MIN)
            return false;
        *ret_us = us;
        return true;
    }
    static const size_t date_len = sizeof "2025-01-31" - 1;
    if (text.len == date_len) {
        char midnight[TIME_TEXT_MAX] = "";
        memcpy(midnight, text.ptr, date_len);
        memcpy(midnight + date_len, "T00:00:00Z", sizeof "T00:00:00Z");
        return time_parse(str_of(midnight), ret_us);
    }
    return time_parse(text, ret_us);
}

// ---- Reading

static const struct flag *flag_find(const struct manual *manual, str name)
{
    for (size_t i = 0; i < manual->flag_count; i++)
        if (str_equal(name, str_of(manual->flags[i].name)))
            return &manual->flags[i];
    return NULL;
}

static err flag_unknown(const struct manual *manual, str name, struct als_why *why)
{
    const char *names[64] = {"help"};
    size_t count = 1;
    for (size_t i = 0; i < manual->flag_count && count < COUNT_OF(names); i++)
        names[count++] = manual->flags[i].name;
    const char *nearest = words_nearest(name, names, count);
    if (nearest)
        return FAIL(why, ALS_INVALID_INPUT, "there is no flag --%.*s; did you mean --%s?",
                    STR(str_first(name, 60)), nearest);
    return FAIL(why, ALS_INVALID_INPUT, "there is no flag --%.*s", STR(str_first(name, 60)));
}

static err moment_set(struct cli *cli, const char *flag, str text, str *ret_text,
                      struct als_why *why)
{
    int64_t us;
    if (!moment_read(text, cli->os->now_us(cli->os), &us))
        return FAIL(why, ALS_INVALID_INPUT,
                    "--%s takes a moment like 2025-01-31T12:00:00Z, 2025-01-31 or 15m "
                    "(ago), not '%.*s'",
                    flag, STR(str_first(text, 60)));
    char space[TIME_TEXT_MAX];
    str copy = arena_copy(cli->arena, (str){space, time_format(us, space)});
    if (!copy.ptr)
        return FAIL(why, ALS_NO_MEMORY, "too many words");
    *ret_text = copy;
    return ALS_OK;
}

static err flag_set(struct cli *cli, const struct flag *flag, str text, void *asked,
                    struct als_why *why)
{
    void *target = (char *)asked + flag->at;
    switch (flag->kind) {
    case FLAG_SWITCH:
        *(bool *)target = true;
        return ALS_OK;
    case FLAG_TEXT:
        *(str *)target = text;
        return ALS_OK;
    case FLAG_LIST: {
        struct word_list *list = target;
        if (list->count == WORDS_LIST_MAX)
            return FAIL(why, ALS_INVALID_INPUT, "--%s may be given %d times", flag->name,
                        WORDS_LIST_MAX);
        list->items[list->count++] = text;
        return ALS_OK;
    }
    case FLAG_NUMBER: {
        struct word_number *number = target;
        if (!str_to_u64(text, &number->value))
            return FAIL(why, ALS_INVALID_INPUT, "--%s takes a whole number, not '%.*s'", flag->name,
                        STR(str_first(text, 60)));
        number->given = true;
        return ALS_OK;
    }
    case FLAG_MOMENT:
        return moment_set(cli, flag->name, text, target, why);
    }
    return FAIL(why, ALS_INTERNAL, "--%s has no reader", flag->name); // every kind has returned
}

static bool flag_from_environment(const struct cli *cli, const struct flag *flag, str *ret_text)
{
    if (!flag->environment)
        return false;
    *ret_text = cli_environment(cli, flag->environment);
    return ret_text->len > 0;
}

// Takes the flag at words[*at], and its value, which may be the next word.
static err read_flag(struct cli *cli, const struct manual *manual, size_t *at, void *asked,
                     struct als_why *why)
{
    str rest = str_from(str_of(cli->words[*at]), 2);
    bool joined = str_find(rest, '=') < rest.len;
    str name = str_cut(&rest, '=');
    const struct flag *flag = flag_find(manual, name);
    if (!flag)
        return flag_unknown(manual, name, why);
    if (flag->kind == FLAG_SWITCH && joined)
        return FAIL(why, ALS_INVALID_INPUT, "--%s takes no value", flag->name);
    if (flag->kind != FLAG_SWITCH && !joined) {
        if (*at + 1 == cli->count)
            return FAIL(why, ALS_INVALID_INPUT, "--%s needs a value: --%s %s", flag->name,
                        flag->name, flag->value);
        rest = str_of(cli->words[++*at]);
    }
    return flag_set(cli, flag, rest, asked, why);
}

static err read_operand(struct cli *cli, const struct manual *manual, str word, void *asked,
                        struct als_why *why)
{
    if (!manual->operand)
        return FAIL(why, ALS_INVALID_INPUT, "'%.*s' is one word too many: '%s' takes flags only",
                    STR(str_first(word, 60)), cli->verb);
    str *operand = (str *)((char *)asked + manual->operand_at);
    if (operand->ptr)
        return FAIL(why, ALS_INVALID_INPUT, "'%.*s' is one word too many: '%s' takes one %s",
                    STR(str_first(word, 60)), cli->verb, manual->operand);
    *operand = word;
    return ALS_OK;
}

err words_read(struct cli *cli, const struct manual *manual, void *asked, bool *ret_help,
               struct als_why *why)
{
    for (size_t i = 0; i < manual->flag_count; i++) {
        str text;
        if (flag_from_environment(cli, &manual->flags[i], &text))
            TRY(flag_set(cli, &manual->flags[i], text, asked, why));
    }
    bool operands_only = false;
    for (size_t at = 0; at < cli->count; at++) {
        str word = str_of(cli->words[at]);
        if (operands_only || !str_starts(word, S("-")) || word.len == 1) {
            TRY(read_operand(cli, manual, word, asked, why));
        } else if (str_equal(word, S("--"))) {
            operands_only = true;
        } else if (str_equal(word, S("--help")) || str_equal(word, S("-h"))) {
            *ret_help = true;
            return ALS_OK;
        } else if (!str_starts(word, S("--"))) {
            return FAIL(why, ALS_INVALID_INPUT,
                        "flags begin with two dashes ('%.*s'); write '--' before a word "
                        "that begins with a dash",
                        STR(str_first(word, 60)));
        } else {
            TRY(read_flag(cli, manual, &at, asked, why));
        }
    }
    const str *operand = (const str *)((const char *)asked + manual->operand_at);
    if (manual->operand && manual->operand_needed && !operand->ptr)
        return FAIL(why, ALS_INVALID_INPUT, "which %s? usage: allsource %s %s", manual->operand,
                    cli->verb, manual->usage);
    *ret_help = false;
    return ALS_OK;
}

// ---- Help

void words_help(const char *verb, const struct manual *manual, struct buf *buf)
{
    buf_printf(buf, "usage: allsource %s %s\n\n%s\n", verb, manual->usage, manual->text);
    buf_printf(buf, "Flags:\n");
    for (size_t i = 0; i < manual->flag_count; i++) {
        const struct flag *flag = &manual->flags[i];
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", flag->name, flag->value ? " " : "",
                       flag->value ? flag->value : "");
        buf_printf(buf, "  %-27s %s%s", left, flag->help,
                   flag->kind == FLAG_LIST ? " (repeatable)" : "");
        if (flag->environment)
            buf_printf(buf, " [%s]", flag->environment);
        buf_put_char(buf, '\n');
    }
    buf_printf(buf, "  %-27s %s\n", "--help", "this text");
    buf_printf(buf, "\nExamples:\n%s\nExit codes: 0 done, 1 failed, 2 wrong words.\n",
               manual->examples);
}

bool words_accept(struct cli *cli, const struct manual *manual, void *asked, int *ret_exit)
{
    struct als_why why;
    bool help;
    if (words_read(cli, manual, asked, &help, &why) != ALS_OK) {
        cli_say(cli, "%s", why.text);
        fprintf(cli->err, "Try: allsource %s --help\n", cli->verb);
        *ret_exit = EXIT_USAGE;
        return false;
    }
    if (!help)
        return true;
    struct buf buf;
    buf_init(&buf, 1 << 20);
    words_help(cli->verb, manual, &buf);
    cli_write(cli, buf_str(&buf));
    buf_deinit(&buf);
    *ret_exit = cli_finish(cli, EXIT_DONE);
    return false;
}
