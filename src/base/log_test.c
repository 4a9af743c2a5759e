// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/time.h"
#include "test.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

// What `run` writes to standard error.
static str logged(void (*run)(void *context), void *context)
{
    static char text[1 << 20];
    FILE *file = tmpfile();
    CHECK(file);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    CHECK(kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    run(context);
    CHECK(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    rewind(file);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    return (str){text, len};
}

static size_t lines_in(str text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    return lines;
}

static void log_one(void *context)
{
    (void)context;
    LOG_LINE(LOG_WARN, "torn batch cut", "file=%d bytes=%d", 7, 312);
}

TEST(log_writes_time_level_message_and_fields_in_one_line)
{
    str line = logged(log_one, NULL);
    str rest = line, when = str_cut(&rest, ' ');
    int64_t us;
    CHECK(time_parse(when, &us));
    CHECK_STR(S("warn msg=\"torn batch cut\" file=7 bytes=312\n"), rest);
}

static void log_at_each_level(void *context)
{
    (void)context;
    for (int level = LOG_DEBUG; level < LOG_OFF; level++)
        LOG_LINE((enum log_level)level, "x", "level=%d", level);
}

TEST(log_leaves_out_what_is_below_the_level)
{
    static const struct {
        const char *name;
        size_t lines;
    } rows[] = {{"debug", 4}, {"info", 3}, {"warn", 2}, {"error", 1}, {"off", 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum log_level level;
        CHECK(log_level_parse(str_of(rows[i].name), &level));
        log_set_level(level);
        str text = logged(log_at_each_level, NULL);
        log_set_level(LOG_INFO);
        CHECK_EQUAL(rows[i].lines, lines_in(text));
    }
    enum log_level level;
    CHECK(!log_level_parse(S("INFO"), &level) && !log_level_parse(S(""), &level));
}

static void log_sixty(void *context)
{
    for (int i = 0; i < LOG_LINES_PER_SECOND_MAX + 10; i++)
        log_line(context, LOG_ERROR, "again", "i=%d", i);
}

static void log_again(void *context)
{
    log_line(context, LOG_ERROR, "again", "%s", "late");
}

TEST(log_cuts_a_loud_call_site_short_and_says_how_much_it_swallowed)
{
    struct log_site site;
    str text;
    int64_t before, after;
    do { // until the lines fall into one second
        site = (struct log_site){};
        before = (int64_t)time(NULL);
        text = logged(log_sixty, &site);
        after = (int64_t)time(NULL);
    } while (before != after || site.second != before);
    CHECK_EQUAL(LOG_LINES_PER_SECOND_MAX, lines_in(text));
    CHECK_EQUAL(10, site.swallowed);
    site.second -= 1;
    text = logged(log_again, &site);
    CHECK_EQUAL(1, lines_in(text));
    CHECK(str_ends(text, S(" late swallowed=10\n")));
    CHECK(str_ends(logged(log_again, &site), S(" late\n")));
}

static void log_long(void *context)
{
    log_line(context, LOG_ERROR, "long", "%0*d", 5'000, 1);
}

TEST(log_cuts_a_long_line_and_still_ends_it)
{
    struct log_site site = {.second = 1, .swallowed = 4'000'000'000};
    str text = logged(log_long, &site);
    CHECK(text.len < 1'024);
    CHECK_EQUAL(1, lines_in(text));
    CHECK(str_ends(text, S(" swallowed=4000000000\n")));
}

enum { THREADS = 4, LINES = 40 };

static void *log_much(void *context)
{
    (void)context;
    struct log_site site = {};
    for (int i = 0; i < LINES; i++)
        log_line(&site, LOG_ERROR, "many", "begin=%d end=1", i);
    return NULL;
}

static void log_from_threads(void *context)
{
    pthread_t *threads = context;
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, log_much, NULL) != 0)
            abort();
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

TEST(log_lines_of_many_threads_stay_whole)
{
    pthread_t threads[THREADS];
    str text = logged(log_from_threads, threads);
    CHECK_EQUAL(THREADS * LINES, lines_in(text));
    while (text.len) {
        str line = str_cut(&text, '\n');
        CHECK(str_ends(line, S(" end=1")));
        CHECK_STR(S(" error msg=\"many\" begin="),
                  str_first(str_from(line, str_find(line, ' ')), 24));
    }
}

TEST(log_quotes_within_its_space_whatever_the_text)
{
    char space[LOG_QUOTED_MAX], text[2 * LOG_QUOTED_MAX];
    static const char bytes[] = {'a', '"', '\\', '\n', '\x7f', '\0', '\xff'};
    for (size_t i = 0; i < sizeof bytes; i++) {
        memset(text, bytes[i], sizeof text);
        const char *quoted = log_quoted((str){text, sizeof text}, space);
        CHECK(quoted == space && strlen(quoted) < LOG_QUOTED_MAX);
        CHECK(str_starts(str_of(quoted), S("\"")) && str_ends(str_of(quoted), S("\"")));
    }
    CHECK_STR(S("\"\""), str_of(log_quoted((str){NULL, 0}, space)));
}
