// SPDX-License-Identifier: Apache-2.0
// The conversation on one WebSocket: wslay makes and checks frames, we move bytes.
//
// wslay writes into `out`; a turn pulls messages from the source until BATCH_BYTES are there, then
// hands all of it to the kernel in one call. Nothing is pulled while BATCH_BYTES are unsent, and
// nothing is read either, so a client that sends without reading fills nobody's memory but its own.
#include "socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    BATCH_BYTES = 64 << 10,
    BATCHES_PER_TURN = 4,
    READ_BYTES_PER_TURN = 64 << 10,
};

size_t talk_unsent(const struct http_socket *socket)
{
    return socket->out.len - socket->sent;
}

// ---- What wslay asks of us.

static ssize_t give_bytes(wslay_event_context_ptr talk, uint8_t *space, size_t size, int flags,
                          void *context)
{
    struct http_socket *socket = context;
    (void)flags;
    if (socket->early_at < socket->early_len) {
        size_t left = socket->early_len - socket->early_at;
        size_t count = left < size ? left : size;
        memcpy(space, socket->early + socket->early_at, count);
        socket->early_at += count;
        return (ssize_t)count;
    }
    ssize_t count = -1;
    errno = EAGAIN;
    if (socket->read_left > 0)
        count = recv(socket->fd, space, size, 0);
    if (count > 0) {
        socket->heard_ns = socket->loop->now_ns;
        socket->read_left -= (size_t)count < socket->read_left ? (size_t)count : socket->read_left;
        return count;
    }
    bool later = count < 0 && (errno == EAGAIN || errno == EINTR);
    socket->dead |= !later;
    wslay_event_set_error(talk, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t take_bytes(wslay_event_context_ptr talk, const uint8_t *bytes, size_t len, int flags,
                          void *context)
{
    struct http_socket *socket = context;
    (void)flags;
    buf_put(&socket->out, bytes, len);
    if (!buf_failed(&socket->out))
        return (ssize_t)len;
    wslay_event_set_error(talk, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void take_message(wslay_event_context_ptr talk,
                         const struct wslay_event_on_msg_recv_arg *message, void *context)
{
    struct http_socket *socket = context;
    (void)talk;
    if (message->opcode == WSLAY_CONNECTION_CLOSE) {
        socket->closing = true;
        str reason = str_from((str){(const char *)message->msg, message->msg_length}, 2);
        if (!str_is_utf8(reason)) // wslay sees it only when the frame came in one piece
            socket->offence = WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA;
        return;
    }
    if (message->opcode != WSLAY_TEXT_FRAME && message->opcode != WSLAY_BINARY_FRAME)
        return; // a ping is answered by wslay, a pong was heard
    if (!socket->closing && socket->calls.message)
        socket->calls.message(socket->calls.context, message->opcode == WSLAY_TEXT_FRAME,
                              (str){(const char *)message->msg, message->msg_length});
}

// wslay lets a close frame of one byte pass as one without a code.
static void take_frame_head(wslay_event_context_ptr talk,
                            const struct wslay_event_on_frame_recv_start_arg *frame, void *context)
{
    struct http_socket *socket = context;
    (void)talk;
    if (frame->opcode == WSLAY_CONNECTION_CLOSE && frame->payload_length == 1)
        socket->offence = WSLAY_CODE_PROTOCOL_ERROR;
}

bool talk_open(struct http_socket *socket)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = give_bytes,
        .send_callback = take_bytes,
        .on_frame_recv_start_callback = take_frame_head,
        .on_msg_recv_callback = take_message,
    };
    if (wslay_event_context_server_init(&socket->talk, &callbacks, socket) != 0)
        return false;
    wslay_event_config_set_max_recv_msg_length(
        socket->talk, socket->loop->server->options.socket_message_bytes_max);
    return true;
}

void talk_end(struct http_socket *socket)
{
    if (!socket->talk)
        return;
    wslay_event_context_free(MOVE(socket->talk));
    free(MOVE(socket->early));
    buf_deinit(&socket->out);
    socket->sent = 0;
    if (socket->calls.closed)
        socket->calls.closed(socket->calls.context);
}

// ---- Writing.

static void lend_buffer(struct http_socket *socket)
{
    if (socket->out.ptr || !socket->loop->spare.ptr)
        return;
    size_t max = socket->out.max;
    socket->out = socket->loop->spare;
    socket->out.max = max;
    buf_init(&socket->loop->spare, max);
}

// An idle socket holds no buffer: among thousands, few have something unsent.
static void return_buffer(struct http_socket *socket)
{
    struct buf *spare = &socket->loop->spare;
    socket->sent = 0;
    buf_reset(&socket->out);
    if (spare->ptr || socket->out.capacity > 4 * BATCH_BYTES) {
        buf_deinit(&socket->out);
        return;
    }
    *spare = socket->out;
    buf_init(&socket->out, spare->max);
}

// Hands what is unsent to the kernel. False when it takes no more now.
static bool flush(struct http_socket *socket)
{
    while (talk_unsent(socket) > 0) {
        ssize_t count =
            send(socket->fd, socket->out.ptr + socket->sent, talk_unsent(socket), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            socket->dead |= errno != EAGAIN;
            return false;
        }
        socket->sent += (size_t)count;
        socket->accepted_ns = socket->loop->now_ns;
    }
    return true;
}

// Frames that wslay has queued become bytes of ours.
static void print_frames(struct http_socket *socket)
{
    if (socket->blunt || !wslay_event_want_write(socket->talk))
        return;
    if (talk_unsent(socket) == 0)
        socket->accepted_ns = socket->loop->now_ns;
    lend_buffer(socket);
    socket->dead |= wslay_event_send(socket->talk) != 0;
}

void talk_close(struct http_socket *socket, uint16_t code, str reason)
{
    if (socket->closing || !socket->talk)
        return;
    socket->closing = true;
    int failed =
        wslay_event_queue_close(socket->talk, code, (const uint8_t *)reason.ptr, reason.len);
    socket->dead |= failed == WSLAY_ERR_NOMEM;
}

void talk_ping(struct http_socket *socket)
{
    struct wslay_event_msg ping = {.opcode = WSLAY_PING};
    socket->dead |= wslay_event_queue_msg(socket->talk, &ping) == WSLAY_ERR_NOMEM;
}

// One message of the source; false when there is none.
static bool pull(struct http_socket *socket)
{
    struct buf *message = &socket->loop->message;
    buf_reset(message);
    enum http_pull pulled = socket->calls.next(socket->calls.context, message);
    if (buf_failed(message))
        pulled = HTTP_ABORT;
    if (message->len > 0 && pulled != HTTP_ABORT) {
        struct wslay_event_msg frame = {.opcode = WSLAY_TEXT_FRAME,
                                        .msg = (const uint8_t *)message->ptr,
                                        .msg_length = message->len};
        socket->dead |= wslay_event_queue_msg(socket->talk, &frame) != 0;
        atomic_fetch_add(&socket->loop->messages_sent, 1);
    }
    if (pulled == HTTP_END)
        talk_close(socket, WSLAY_CODE_NORMAL_CLOSURE, S(""));
    if (pulled == HTTP_ABORT) {
        atomic_fetch_add(&socket->loop->errors, 1);
        talk_close(socket, WSLAY_CODE_INTERNAL_SERVER_ERROR, S(""));
    }
    socket->source_waits = pulled == HTTP_WAIT;
    print_frames(socket);
    return pulled == HTTP_MORE && !socket->dead;
}

static void pull_batch(struct http_socket *socket)
{
    while (!socket->closing && !socket->source_waits && talk_unsent(socket) < BATCH_BYTES)
        if (!pull(socket))
            break;
}

// Closes in our own words, where wslay has queued a close frame with none or the wrong code.
static void close_bluntly(struct http_socket *socket, uint16_t code)
{
    char frame[4] = {(char)(0x80 | WSLAY_CONNECTION_CLOSE), 2, (char)(code >> 8), (char)code};
    if (talk_unsent(socket) == 0)
        socket->accepted_ns = socket->loop->now_ns;
    lend_buffer(socket);
    buf_put(&socket->out, frame, sizeof frame);
    socket->blunt = true;
}

static void read_frames(struct http_socket *socket)
{
    socket->read_left = READ_BYTES_PER_TURN;
    int failed = wslay_event_recv(socket->talk);
    socket->dead |= failed == WSLAY_ERR_NOMEM;
    if (failed && !socket->dead) // a malformed header; wslay's close frame does not say so
        socket->offence = WSLAY_CODE_PROTOCOL_ERROR;
    bool refused = !socket->closing && !wslay_event_get_read_enabled(socket->talk);
    if (socket->dead || (!refused && !socket->offence))
        return;
    socket->closing = true;
    atomic_fetch_add(&socket->loop->errors, 1);
    if (socket->offence)
        close_bluntly(socket, socket->offence);
}

bool talk_is_over(const struct http_socket *socket)
{
    bool said = socket->blunt || wslay_event_get_close_sent(socket->talk);
    return socket->dead || (said && talk_unsent(socket) == 0);
}

void talk_turn(struct http_socket *socket, bool readable)
{
    if (readable && !socket->blunt && talk_unsent(socket) < BATCH_BYTES)
        read_frames(socket);
    for (int i = 0; i < BATCHES_PER_TURN && !socket->dead; i++) {
        print_frames(socket);
        pull_batch(socket);
        if (!flush(socket))
            return;
        return_buffer(socket);
        if (socket->closing || socket->source_waits)
            return;
    }
}
