// SPDX-License-Identifier: Apache-2.0
// A connection sends, then reads an answer by its Content-Length or its chunks, then sends the
// next. Answers are counted, not kept; the head is kept until it is whole, and of the rest enough
// to show what a refusal said.
#include "bench/http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_BYTES_MAX = 4096, READ_BYTES = 1 << 18, REQUEST_BYTES_MAX_ = 8 << 20, EVENTS = 64 };

enum reading { READ_HEAD, READ_BODY, READ_CHUNK_SIZE, READ_CHUNK, READ_CHUNK_END, READ_TRAILER };

struct connection {
    int descriptor;
    struct buf request;
    size_t sent;
    uint64_t start_ns;
    bool waits_to_write;

    enum reading reading;
    size_t head_len, line_len; // in `head`; in the present line of a chunked body
    uint64_t left;             // of the body or the chunk
    char head[HEAD_BYTES_MAX + 1];
};

struct loop {
    const struct load *load;
    struct load_result *result;
    int epoll;
    uint64_t number, deadline_ns;
    size_t busy; // connections with a request under way
};

static void open_connection(struct loop *loop, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(loop->load->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must_be(descriptor >= 0, "socket");
    must_be(connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    must_be(setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "TCP_NODELAY");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    must_be(epoll_ctl(loop->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0, "epoll_ctl");
    connection->descriptor = descriptor;
    buf_init(&connection->request, REQUEST_BYTES_MAX_);
}

// ---- Sending

static void watch_writing(const struct loop *loop, struct connection *connection, bool wanted)
{
    if (connection->waits_to_write == wanted)
        return;
    connection->waits_to_write = wanted;
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                .data.ptr = connection};
    must_be(epoll_ctl(loop->epoll, EPOLL_CTL_MOD, connection->descriptor, &event) == 0,
            "epoll_ctl");
}

static void send_more(const struct loop *loop, struct connection *connection)
{
    const struct buf *request = &connection->request;
    while (connection->sent < request->len) {
        ssize_t sent = send(connection->descriptor, request->ptr + connection->sent,
                            request->len - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN)
            break;
        must_be(sent > 0, "send");
        connection->sent += (size_t)sent;
    }
    watch_writing(loop, connection, connection->sent < request->len);
}

static void send_next(struct loop *loop, struct connection *connection)
{
    buf_reset(&connection->request);
    loop->load->compose(loop->load->context, loop->number++, &connection->request);
    must_be(!buf_failed(&connection->request), "room for a request");
    connection->sent = 0;
    connection->reading = READ_HEAD;
    connection->head_len = 0;
    loop->busy++;
    connection->start_ns = clock_ns();
    send_more(loop, connection);
}

// ---- Reading

static void refuse(const struct connection *connection)
{
    fprintf(stderr, "allsource-bench: the server answered:\n%.*s\n", (int)connection->head_len,
            connection->head);
    exit(EXIT_FAILURE);
}

static const char *head_value(const char *head, const char *name)
{
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, strlen(name)) == 0)
            return line + 2 + strlen(name);
    return NULL;
}

static void answered(struct loop *loop, struct connection *connection)
{
    uint64_t now_ns = clock_ns();
    latencies_add(&loop->result->latencies, now_ns - connection->start_ns);
    loop->result->answered++;
    loop->busy--;
    if (now_ns < loop->deadline_ns)
        send_next(loop, connection);
}

// Takes bytes until the head is whole; returns how many.
static size_t read_head(struct loop *loop, struct connection *connection, const char *bytes,
                        size_t len)
{
    size_t before = connection->head_len;
    size_t room = HEAD_BYTES_MAX - before, taken = len < room ? len : room;
    memcpy(connection->head + before, bytes, taken);
    connection->head_len += taken;
    connection->head[connection->head_len] = '\0';
    char *end = strstr(connection->head, "\r\n\r\n");
    if (!end) {
        must_be(room > len, "room for the head of an answer");
        return taken;
    }
    if (strncmp(connection->head, "HTTP/1.1 2", 10) != 0)
        refuse(connection);
    size_t head_len = (size_t)(end + 4 - connection->head);
    connection->head[head_len - 2] = '\0';
    const char *length = head_value(connection->head, "content-length:");
    connection->left = length ? strtoull(length, NULL, 10) : 0;
    connection->line_len = 0;
    connection->reading = length ? READ_BODY : READ_CHUNK_SIZE;
    if (length && connection->left == 0)
        answered(loop, connection);
    return head_len - before;
}

static size_t skip_bytes(struct connection *connection, size_t len)
{
    size_t taken = len < connection->left ? len : (size_t)connection->left;
    connection->left -= taken;
    return taken;
}

static uint64_t hex_digit(char c)
{
    return c >= '0' && c <= '9' ? (uint64_t)(c - '0') : (uint64_t)((c | 0x20) - 'a' + 10);
}

// The lines between the chunks of a body, byte by byte: they are short.
static void read_chunk_byte(struct loop *loop, struct connection *connection, char c)
{
    if (c == '\r')
        return;
    if (c != '\n') {
        connection->left = connection->reading == READ_CHUNK_SIZE
                               ? connection->left * 16 + hex_digit(c)
                               : connection->left;
        connection->line_len++;
        return;
    }
    bool empty = connection->line_len == 0;
    connection->line_len = 0;
    if (connection->reading == READ_CHUNK_END)
        connection->reading = READ_CHUNK_SIZE;
    else if (connection->reading == READ_CHUNK_SIZE)
        connection->reading = connection->left ? READ_CHUNK : READ_TRAILER;
    else if (empty)
        answered(loop, connection);
}

static size_t read_some(struct loop *loop, struct connection *connection, const char *bytes,
                        size_t len)
{
    if (connection->reading == READ_HEAD)
        return read_head(loop, connection, bytes, len);
    if (connection->reading != READ_BODY && connection->reading != READ_CHUNK) {
        read_chunk_byte(loop, connection, *bytes);
        return 1;
    }
    size_t taken = skip_bytes(connection, len);
    if (connection->left == 0 && connection->reading == READ_CHUNK)
        connection->reading = READ_CHUNK_END;
    else if (connection->left == 0)
        answered(loop, connection);
    return taken;
}

static void read_answer(struct loop *loop, struct connection *connection, char *space)
{
    ssize_t got = recv(connection->descriptor, space, READ_BYTES, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    must_be(got > 0, "the server closed a connection");
    loop->result->bytes += (uint64_t)got;
    for (size_t at = 0; at < (size_t)got;)
        at += read_some(loop, connection, space + at, (size_t)got - at);
}

void load_run(const struct load *load, struct load_result *result)
{
    *result = (struct load_result){0};
    struct loop loop = {.load = load, .result = result, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    struct connection *connections = calloc(load->connections, sizeof *connections);
    char *space = malloc(READ_BYTES);
    must_be(loop.epoll >= 0 && connections && space, "epoll_create1");
    for (size_t i = 0; i < load->connections; i++)
        open_connection(&loop, &connections[i]);
    uint64_t start_ns = clock_ns();
    loop.deadline_ns = start_ns + (uint64_t)(load->seconds * 1e9);
    for (size_t i = 0; i < load->connections; i++)
        send_next(&loop, &connections[i]);
    while (loop.busy) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(loop.epoll, events, EVENTS, -1);
        must_be(count >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                send_more(&loop, connection);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                read_answer(&loop, connection, space);
        }
    }
    result->seconds = clock_seconds_since(start_ns);
    for (size_t i = 0; i < load->connections; i++) {
        buf_deinit(&connections[i].request);
        close(connections[i].descriptor);
    }
    free(connections);
    free(space);
    close(loop.epoll);
}
