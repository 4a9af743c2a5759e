// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/lock.h"
#include "base/time.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {"debug", "info", "warn", "error", "off"};

static struct lock lock; // guards the sites and keeps lines whole
static _Atomic enum log_level least = LOG_INFO;

__attribute__((constructor)) static void make_lock(void)
{
    lock_init(&lock, LOCK_LOG);
}

void log_set_level(enum log_level level)
{
    least = level;
}

bool log_level_parse(str text, enum log_level *ret_level)
{
    for (int i = LOG_DEBUG; i <= LOG_OFF; i++)
        if (str_equal(text, str_of(names[i]))) {
            *ret_level = (enum log_level)i;
            return true;
        }
    return false;
}

static bool site_is_loud(struct log_site *site, int64_t second, unsigned *ret_swallowed)
{
    *ret_swallowed = 0;
    if (site->second != second) {
        *ret_swallowed = site->swallowed;
        *site = (struct log_site){.second = second};
    }
    if (site->lines < LOG_LINES_PER_SECOND_MAX) {
        site->lines++;
        return false;
    }
    site->swallowed++;
    return true;
}

void log_line(struct log_site *site, enum log_level level, const char *msg, const char *format, ...)
{
    if (level < least)
        return;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); // cannot fail with this clock
    int64_t us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    char when[TIME_TEXT_MAX], line[1024];
    size_t when_len = time_format(us - us % 1000, when);

    lock_take(&lock);
    unsigned swallowed;
    if (!site_is_loud(site, now.tv_sec, &swallowed)) {
        int len = snprintf(line, sizeof line, "%.*s %s msg=\"%s\" ", (int)when_len, when,
                           names[level], msg);
        size_t at = len > 0 ? (size_t)len : 0;
        va_list arguments;
        va_start(arguments, format);
        len = vsnprintf(line + at, sizeof line - at - 1, format, arguments);
        va_end(arguments);
        at += len > 0 ? (size_t)len : 0;
        if (at > sizeof line - 40)
            at = sizeof line - 40;
        if (swallowed) {
            len = snprintf(line + at, sizeof line - at - 1, " swallowed=%u", swallowed);
            at += len > 0 ? (size_t)len : 0;
        }
        line[at++] = '\n';
        if (write(STDERR_FILENO, line, at) < 0)
            site->swallowed++; // nobody can be told
    }
    lock_release(&lock);
}

const char *log_quoted(str text, char space[static LOG_QUOTED_MAX])
{
    size_t at = 0;
    space[at++] = '"';
    for (size_t i = 0; i < text.len && at < LOG_QUOTED_MAX - 8; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            at += (size_t)snprintf(space + at, 5, "\\x%02x", c);
        else {
            if (c == '"' || c == '\\')
                space[at++] = '\\';
            space[at++] = (char)c;
        }
    }
    space[at++] = '"';
    space[at] = '\0';
    return space;
}
