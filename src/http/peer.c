// SPDX-License-Identifier: Apache-2.0
#include "peer.h"

#include "base/hash.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct peer_address {
    struct peer_address *next;
    uint8_t bytes[16];
    uint32_t count;
};

void peers_init(struct peers *peers, uint32_t count_max, uint32_t address_max)
{
    *peers = (struct peers){.count_max = count_max, .address_max = address_max};
    lock_init(&peers->lock, LOCK_HTTP);
}

void peers_deinit(struct peers *peers)
{
    assert(atomic_load(&peers->count) == 0);
    lock_deinit(&peers->lock);
}

// IPv4 as its mapped form, so that one client is one address whichever way it came.
static void address_bytes(const struct sockaddr_storage *address, uint8_t bytes[static 16])
{
    memset(bytes, 0, 16);
    if (address->ss_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    } else if (address->ss_family == AF_INET) {
        bytes[10] = bytes[11] = 0xff;
        memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    }
}

static struct peer_address **find_address(struct peers *peers, const uint8_t bytes[static 16])
{
    struct peer_address **at = &peers->buckets[hash_bytes(bytes, 16, 0) % PEER_BUCKETS];
    while (*at && memcmp((*at)->bytes, bytes, 16) != 0)
        at = &(*at)->next;
    return at;
}

static bool count_address(struct peers *peers, const struct sockaddr_storage *address)
{
    uint8_t bytes[16];
    address_bytes(address, bytes);
    lock_take(&peers->lock);
    struct peer_address **at = find_address(peers, bytes);
    if (!*at && (*at = calloc(1, sizeof **at)))
        memcpy((*at)->bytes, bytes, 16);
    bool room = *at && (*at)->count < peers->address_max;
    if (room)
        (*at)->count++;
    lock_release(&peers->lock);
    return room;
}

static void forget_address(struct peers *peers, const struct sockaddr_storage *address)
{
    uint8_t bytes[16];
    address_bytes(address, bytes);
    lock_take(&peers->lock);
    struct peer_address **at = find_address(peers, bytes);
    assert(*at && (*at)->count > 0);
    if (--(*at)->count == 0) {
        struct peer_address *gone = *at;
        *at = gone->next;
        free(gone);
    }
    lock_release(&peers->lock);
}

struct peer *peer_new(struct peers *peers, int fd, const struct sockaddr_storage *address,
                      socklen_t address_len, const char **ret_reason)
{
    if (atomic_fetch_add(&peers->count, 1) >= peers->count_max) {
        atomic_fetch_sub(&peers->count, 1);
        *ret_reason = "too many connections";
        return NULL;
    }
    struct peer *peer = calloc(1, sizeof *peer);
    bool counted = peer && peers->address_max && count_address(peers, address);
    if (!peer || (peers->address_max && !counted)) {
        *ret_reason = peer ? "too many connections from one address" : "out of memory";
        free(peer);
        atomic_fetch_sub(&peers->count, 1);
        return NULL;
    }
    peer->fd = fd;
    peer->address = *address;
    peer->address_len = address_len;
    peer->counted = counted;
    return peer;
}

void peer_free(struct peers *peers, struct peer *peer)
{
    if (!peer)
        return;
    if (peer->counted)
        forget_address(peers, &peer->address);
    if (!peer->moved)
        atomic_fetch_sub(&peers->count, 1);
    free(peer);
}

struct peer *peer_move(struct peer *peer, int fd)
{
    struct peer *moved = malloc(sizeof *moved);
    if (!moved)
        return NULL;
    *moved = *peer;
    moved->fd = fd;
    peer->moved = true;
    peer->counted = peer->unread = false;
    return moved;
}

// "host:port" and "[host]:port" into NUL-terminated parts.
static bool split_address(str address, char host[static 256], char port[static 8])
{
    size_t colon = address.len;
    while (colon > 0 && address.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    str name = str_first(address, colon - 1), number = str_from(address, colon);
    if (str_starts(name, S("[")) && str_ends(name, S("]")))
        name = (str){name.ptr + 1, name.len - 2};
    else if (str_find(name, ':') < name.len)
        return false;
    uint64_t value;
    if (name.len >= 256 || !str_to_u64(number, &value) || value > 65535)
        return false;
    (void)snprintf(host, 256, "%.*s", STR(name)); // it fits
    (void)snprintf(port, 8, "%u", (unsigned)value);
    return true;
}

static int listen_on(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int one = 1;
    // Options that only spare trouble: a failure shows in bind().
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (info->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int reason = errno;
    (void)close(fd);
    errno = reason;
    return -1;
}

err listen_open(als_str address, int *ret_fd, struct als_why *why)
{
    char host[256], port[8];
    if (!split_address(address, host, port))
        return FAIL(why, ALS_INVALID_INPUT, "'%.*s' is not HOST:PORT or [HOST]:PORT", STR(address));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0)
        return FAIL(why, ALS_INVALID_INPUT, "cannot listen on %.*s: %s", STR(address),
                    gai_strerror(code));
    int fd = -1;
    for (struct addrinfo *info = found; info && fd < 0; info = info->ai_next)
        fd = listen_on(info);
    int reason = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return FAIL(why, ALS_NOT_READY, "cannot listen on %.*s: %s", STR(address),
                    strerror(reason));
    *ret_fd = fd;
    return ALS_OK;
}

als_str listen_name(int fd, char space[static 64])
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    int code = getsockname(fd, (struct sockaddr *)&address, &len);
    assert(code == 0); // it is bound
    (void)code;
    char host[INET6_ADDRSTRLEN] = "?";
    int used;
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const void *)&address;
        (void)inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
        used = snprintf(space, 64, "[%s]:%u", host, ntohs(six->sin6_port));
    } else {
        const struct sockaddr_in *four = (const void *)&address;
        (void)inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
        used = snprintf(space, 64, "%s:%u", host, ntohs(four->sin_port));
    }
    return (str){space, (size_t)used};
}
