// SPDX-License-Identifier: Apache-2.0
// WebSockets: the handshake, a table of frames, silence and slowness.
#include "rig.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// ---- The server's side: says back what it hears, in order, and obeys a few words.

struct said {
    struct said *next;
    size_t len;
    char text[];
};

struct echo {
    struct rig *rig;
    struct http_socket *socket;
    struct said *first, **last;
    bool flood, end;
};

static void echo_opened(void *context, struct http_socket *socket)
{
    struct echo *echo = context;
    echo->socket = socket;
}

static enum http_pull echo_next(void *context, struct buf *message)
{
    struct echo *echo = context;
    struct said *said = echo->first;
    if (echo->flood) {
        for (int i = 0; i < 128; i++)
            buf_put_str(message, S("12345678"));
        return HTTP_MORE;
    }
    if (!said)
        return echo->end ? HTTP_END : HTTP_WAIT;
    buf_put(message, said->text, said->len);
    echo->first = said->next;
    if (!echo->first)
        echo->last = &echo->first;
    free(said);
    return HTTP_MORE;
}

static void echo_message(void *context, bool text, str data)
{
    struct echo *echo = context;
    if (str_equal(data, S("please close")))
        http_socket_close(echo->socket, 4000, S("as you wish"));
    echo->flood |= str_equal(data, S("please flood"));
    echo->end |= str_equal(data, S("please end"));
    struct said *said = malloc(sizeof *said + data.len + 1);
    said->next = NULL;
    said->len = data.len + 1;
    said->text[0] = text ? 'T' : 'B';
    if (data.len)
        memcpy(said->text + 1, data.ptr, data.len);
    *echo->last = said;
    echo->last = &said->next;
    http_socket_wake(echo->socket);
}

static void echo_closed(void *context)
{
    struct echo *echo = context;
    while (echo->first) {
        struct said *said = echo->first;
        echo->first = said->next;
        free(said);
    }
    atomic_fetch_add(&echo->rig->socket_closed_count, 1);
    free(echo);
}

void rig_upgrade(struct rig *rig, struct http_request *request)
{
    struct echo *echo = calloc(1, sizeof *echo);
    echo->rig = rig;
    echo->last = &echo->first;
    http_upgrade(request, (struct http_socket_calls){.opened = echo_opened,
                                                     .next = echo_next,
                                                     .message = echo_message,
                                                     .closed = echo_closed,
                                                     .context = echo});
}

// ---- The client's side.

#define HANDSHAKE                                                                                  \
    "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static int open_socket(const struct rig *rig)
{
    static struct rig_answer answer;
    int fd = rig_connect(rig);
    rig_send(fd, S(HANDSHAKE));
    rig_read_answer(fd, true, &answer);
    CHECK_EQUAL(101, answer.status);
    return fd;
}

enum { FIN = 0x80, RSV1 = 0x40, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, MASK = 0x80 };

static size_t put_frame(char *space, int first, str payload)
{
    static const char mask[4] = {0x12, 0x34, 0x56, 0x78};
    size_t at = 0;
    space[at++] = (char)first;
    if (payload.len < 126) {
        space[at++] = (char)(MASK | (int)payload.len);
    } else {
        space[at++] = (char)(MASK | 126);
        space[at++] = (char)(payload.len >> 8);
        space[at++] = (char)payload.len;
    }
    memcpy(space + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < payload.len; i++)
        space[at++] = (char)(payload.ptr[i] ^ mask[i % 4]);
    return at;
}

static void send_frame(int fd, int first, str payload)
{
    char space[70000];
    rig_send(fd, (str){space, put_frame(space, first, payload)});
}

struct frame {
    int first;
    size_t len;
    char payload[70000];
};

static bool read_frame(int fd, struct frame *frame)
{
    unsigned char head[10];
    if (!rig_read(fd, (char *)head, 2) || head[1] & MASK)
        return false;
    frame->first = head[0];
    frame->len = head[1];
    if (frame->len == 126) {
        if (!rig_read(fd, (char *)head, 2))
            return false;
        frame->len = (size_t)head[0] << 8 | head[1];
    } else if (frame->len == 127) {
        if (!rig_read(fd, (char *)head, 8))
            return false;
        frame->len = (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
    }
    return frame->len <= sizeof frame->payload && rig_read(fd, frame->payload, frame->len);
}

static bool is_frame(const struct frame *frame, int first, str payload)
{
    return frame->first == first && str_equal((str){frame->payload, frame->len}, payload);
}

// The code of a close frame, or 0.
static int close_code(const struct frame *frame)
{
    if (frame->first != (FIN | CLOSE) || frame->len < 2)
        return 0;
    return (unsigned char)frame->payload[0] << 8 | (unsigned char)frame->payload[1];
}

TEST(socket_shakes_hands_with_the_key_of_the_rfc)
{
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    int fd = rig_connect(rig);
    rig_send(fd, S(HANDSHAKE));
    rig_read_answer(fd, true, &answer);
    CHECK_EQUAL(101, answer.status);
    CHECK(strstr(answer.head, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    CHECK(strstr(answer.head, "\r\nUpgrade: websocket\r\n"));
    CHECK(strcasestr(answer.head, "\r\nConnection: upgrade\r\n"));
    close(fd);
    CHECK(rig_reaches(&rig->socket_closed_count, 1));
    CHECK(rig_reaches(&rig->done_count, 1));
}

TEST(socket_echoes)
{
    static struct frame frame;
    AUTO(rig) rig = rig_start(NULL);
    int fd = open_socket(rig);
    send_frame(fd, FIN | TEXT, S("hello"));
    CHECK(read_frame(fd, &frame));
    CHECK(is_frame(&frame, FIN | TEXT, S("Thello")));
    send_frame(fd, FIN | CLOSE, S("\x03\xe8"));
    CHECK(read_frame(fd, &frame));
    CHECK_EQUAL(1000, close_code(&frame));
    CHECK(rig_sees_end(fd));
    close(fd);
    CHECK(rig_reaches(&rig->socket_closed_count, 1));
}
