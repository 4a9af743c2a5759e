// SPDX-License-Identifier: Apache-2.0
// What no single row of the table can say.
#include "config/options.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { DURABILITY_INTERVAL_MS_MAX = 60'000, HOST_TEXT_MAX = 64 };

struct address {
    char host[HOST_TEXT_MAX];
    uint64_t port;
    bool loopback;
};

static bool host_is_v4(struct address *address)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, address->host, &v4) != 1)
        return false;
    address->loopback = ntohl(v4.s_addr) >> 24 == 127;
    return true;
}

static bool host_is_v6(struct address *address)
{
    struct in6_addr v6;
    if (inet_pton(AF_INET6, address->host, &v6) != 1)
        return false;
    address->loopback =
        IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    return true;
}

static bool read_address(str text, struct address *ret_address)
{
    bool brackets = str_starts(text, S("["));
    str port = brackets ? str_from(text, 1) : text, host = str_cut(&port, brackets ? ']' : ':');
    if (brackets && !str_starts(port, S(":")))
        return false;
    if (brackets)
        port = str_from(port, 1);
    struct address address = {};
    if (host.len >= sizeof address.host || memchr(text.ptr, 0, text.len) ||
        !str_to_u64(port, &address.port) || address.port > 65535)
        return false;
    memcpy(address.host, host.ptr, host.len);
    if (!(brackets ? host_is_v6(&address) : host_is_v4(&address)))
        return false;
    *ret_address = address;
    return true;
}

bool config_is_loopback(str text)
{
    struct address address;
    return read_address(text, &address) && address.loopback;
}

static err name_localhost(str *text, struct arena *arena, struct als_why *why)
{
    if (!str_starts(*text, S("localhost:")))
        return ALS_OK;
    char space[HOST_TEXT_MAX];
    int len = snprintf(space, sizeof space, "127.0.0.1%.*s",
                       STR(str_first(str_from(*text, strlen("localhost")), 8)));
    *text = arena_copy(arena, (str){space, (size_t)len});
    return text->ptr ? ALS_OK : FAIL(why, ALS_NO_MEMORY, "no memory");
}

static err check_listen(struct config *config, struct arena *arena, struct als_why *why)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        TRY(name_localhost(&config->listen[i], arena, why));
        str text = config->listen[i];
        struct address address;
        if (!read_address(text, &address))
            return FAIL(why, ALS_INVALID_INPUT,
                        "--listen: '%.*s' is no HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080 "
                        "(HOST is an address, not a name)",
                        STR(str_first(text, 60)));
        for (size_t j = 0; j < i; j++)
            if (address.port != 0 && str_equal(config->listen[j], text))
                return FAIL(why, ALS_INVALID_INPUT, "--listen: %.*s is given twice", STR(text));
        if (!address.loopback && !config->insecure)
            return FAIL(why, ALS_INVALID_INPUT,
                        "--listen %.*s is open to other machines, and there is no authentication "
                        "and no TLS: listen on 127.0.0.1 (behind a proxy that has both), or say "
                        "--insecure",
                        STR(text));
    }
    return ALS_OK;
}

static err check_durability(struct config *config, struct als_why *why)
{
    str text = config->durability;
    str interval = str_starts(text, S("interval:")) ? str_from(text, 9) : (str){NULL, 0};
    uint64_t ms;
    if (str_equal(text, S("sync")))
        config->durability_kind = CONFIG_DURABILITY_SYNC;
    else if (str_equal(text, S("none")))
        config->durability_kind = CONFIG_DURABILITY_NONE;
    else if (str_to_u64(interval, &ms) && ms >= 1 && ms <= DURABILITY_INTERVAL_MS_MAX) {
        config->durability_kind = CONFIG_DURABILITY_INTERVAL;
        config->durability_interval_ms = (uint32_t)ms;
    } else
        return FAIL(why, ALS_INVALID_INPUT,
                    "--durability: '%.*s' is none of sync, none and interval:<ms> (1 to %d "
                    "milliseconds)",
                    STR(str_first(text, 40)), DURABILITY_INTERVAL_MS_MAX);
    return ALS_OK;
}

static err check_schema_enforcement(struct config *config, struct als_why *why)
{
    str text = config->schema_enforcement;
    config->schemas_strict = str_equal(text, S("strict"));
    if (config->schemas_strict || str_equal(text, S("off")))
        return ALS_OK;
    return FAIL(why, ALS_INVALID_INPUT, "--schema-enforcement: '%.*s' is neither off nor strict",
                STR(str_first(text, 40)));
}

static err check_schema_formats(struct config *config, struct als_why *why)
{
    str text = config->schema_formats;
    config->schemas_assert_formats = str_equal(text, S("assert"));
    if (config->schemas_assert_formats || str_equal(text, S("annotate")))
        return ALS_OK;
    return FAIL(why, ALS_INVALID_INPUT, "--schema-formats: '%.*s' is neither annotate nor assert",
                STR(str_first(text, 40)));
}

static err check_switch(const char *flag, str text, bool *ret_on, struct als_why *why)
{
    *ret_on = str_equal(text, S("on"));
    if (*ret_on || str_equal(text, S("off")))
        return ALS_OK;
    return FAIL(why, ALS_INVALID_INPUT, "%s: '%.*s' is neither on nor off", flag,
                STR(str_first(text, 40)));
}

static err check_compact_strategy(struct config *config, struct als_why *why)
{
    static const str names[] = {[CONFIG_SIZEBASED] = {"sizebased", 9},
                                [CONFIG_TIMEBASED] = {"timebased", 9},
                                [CONFIG_COUNTBASED] = {"countbased", 10},
                                [CONFIG_FULLCOMPACTION] = {"fullcompaction", 14}};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_equal(config->compact_strategy, names[i])) {
            config->compact_kind = (enum config_strategy)i;
            return ALS_OK;
        }
    return FAIL(why, ALS_INVALID_INPUT,
                "--compact-strategy: '%.*s' is none of sizebased, timebased, countbased and "
                "fullcompaction",
                STR(str_first(config->compact_strategy, 40)));
}

err config_check(struct config *config, struct arena *arena, struct als_why *why)
{
    TRY(check_listen(config, arena, why));
    TRY(check_durability(config, why));
    TRY(check_switch("--auto-snapshot", config->auto_snapshot, &config->auto_snapshot_on, why));
    TRY(check_switch("--auto-compact", config->auto_compact, &config->auto_compact_on, why));
    TRY(check_compact_strategy(config, why));
    TRY(check_schema_enforcement(config, why));
    TRY(check_schema_formats(config, why));
    if (!log_level_parse(config->log_level, &config->log_least))
        return FAIL(why, ALS_INVALID_INPUT,
                    "--log-level: '%.*s' is none of debug, info, warn, error and off",
                    STR(str_first(config->log_level, 40)));
    if (config->event_bytes_max >= config->request_bytes_max)
        return FAIL(why, ALS_INVALID_INPUT,
                    "--max-event-bytes (%llu) must be less than --max-request-bytes (%llu): an "
                    "event must fit into a request",
                    (unsigned long long)config->event_bytes_max,
                    (unsigned long long)config->request_bytes_max);
    if (config->ephemeral && config->from.ephemeral == config->from.data_dir)
        return FAIL(why, ALS_INVALID_INPUT,
                    "--ephemeral and --data-dir contradict each other: give one of them");
    return ALS_OK;
}
