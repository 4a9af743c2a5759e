// SPDX-License-Identifier: Apache-2.0
// WebSockets: the handshake, a table of frames, silence and slowness.
#include "rig.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
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

TEST(socket_refuses_a_handshake_and_names_the_header)
{
    static const struct {
        const char *lines;
        int status;
        const char *named;
    } rows[] = {
        {"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
         400, "Connection"},
        {"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
         400, "Upgrade"},
        {"Connection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
         400, "Upgrade"},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
         426, "Sec-WebSocket-Version"},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
         426, "Sec-WebSocket-Version"},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", 400,
         "Sec-WebSocket-Key"},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: c2hvcnQ=\r\n",
         400, "Sec-WebSocket-Key"},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!==\r\n",
         400, "Sec-WebSocket-Key"},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n", // not canonical
         400, "Sec-WebSocket-Key"},
    };
    AUTO(rig) rig = rig_start(NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rig_answer answer;
        char bytes[512];
        snprintf(bytes, sizeof bytes, "GET /socket HTTP/1.1\r\nHost: a\r\n%s\r\n", rows[i].lines);
        rig_ask(rig, str_of(bytes), &answer);
        CHECK_EQUAL(rows[i].status, answer.status);
        CHECK(memmem(answer.body, answer.body_len, rows[i].named, strlen(rows[i].named)));
        bool version = strstr(answer.head, "\r\nSec-WebSocket-Version: 13\r\n") != NULL;
        CHECK_EQUAL(rows[i].status == 426, version);
        CHECK(rig_reaches(&rig->socket_closed_count, (int)i + 1));
    }
    CHECK_EQUAL(0, http_socket_stat(rig->server).opened_total);
}

// Masks are zero here, so payloads stand as they are: "\x81\x85" is a final text frame of five
// masked bytes, NNNN its mask.
#define N4 "\0\0\0\0"
// For static tables.
#define S_(literal)                                                                                \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
#define A25 "aaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct row {
    const char *name;
    str bytes;  // of the client
    str answer; // all that the server says to it, but for a close frame
    int code;   // of the close frame, 0: none comes; -1: one without a code
} rows[] = {
    {"text", S_("\x81\x85" N4 "hello"), S_("\x81\x06Thello"), 0},
    {"binary", S_("\x82\x85" N4 "hello"),
     S_("\x81\x06"
        "Bhello"),
     0},
    {"the masked hello of the RFC", S_("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
     S_("\x81\x06THello"), 0},
    {"empty text", S_("\x81\x80" N4), S_("\x81\x01T"), 0},
    {"two at once", S_("\x81\x81" N4 "a\x81\x81" N4 "b"), S_("\x81\x02Ta\x81\x02Tb"), 0},
    {"126 bytes", S_("\x81\xfe\0\x7e" N4 A25 A25 A25 A25 A25 "a"),
     S_("\x81\x7e\0\x7fT" A25 A25 A25 A25 A25 "a"), 0},
    {"fragments", S_("\x01\x83" N4 "hel\x80\x82" N4 "lo"), S_("\x81\x06Thello"), 0},
    {"empty fragments", S_("\x01\x80" N4 "\x00\x80" N4 "\x80\x80" N4), S_("\x81\x01T"), 0},
    {"a ping between fragments", S_("\x01\x83" N4 "hel\x89\x82" N4 "hi\x80\x82" N4 "lo"),
     S_("\x8a\x02hi\x81\x06Thello"), 0},
    {"a character cut by fragments", S_("\x01\x81" N4 "\xc3\x80\x81" N4 "\xa9"),
     S_("\x81\x03T\xc3\xa9"), 0},
    {"a ping", S_("\x89\x82" N4 "hi"), S_("\x8a\x02hi"), 0},
    {"an empty ping", S_("\x89\x80" N4), S_("\x8a\x00"), 0},
    {"a ping of 125 bytes", S_("\x89\xfd" N4 A25 A25 A25 A25 A25),
     S_("\x8a\x7d" A25 A25 A25 A25 A25), 0},
    {"a pong nobody asked for", S_("\x8a\x82" N4 "hi\x81\x81" N4 "a"), S_("\x81\x02Ta"), 0},
    {"bytes that are no UTF-8 in binary", S_("\x82\x81" N4 "\xff"),
     S_("\x81\x02"
        "B\xff"),
     0},

    {"a close", S_("\x88\x82" N4 "\x03\xe8"), S_(""), 1000},
    {"a close with a reason",
     S_("\x88\x85" N4 "\x03\xe8"
        "bye"),
     S_(""), 1000},
    {"a close without a code", S_("\x88\x80" N4), S_(""), -1},
    {"a close of an application", S_("\x88\x82" N4 "\x0f\xa0"), S_(""), 4000},
    {"text behind a close", S_("\x88\x82" N4 "\x03\xe8\x81\x81" N4 "a"), S_(""), 1000},

    {"RSV1", S_("\xc1\x80" N4), S_(""), 1002},
    {"RSV2", S_("\xa1\x80" N4), S_(""), 1002},
    {"RSV3", S_("\x91\x80" N4), S_(""), 1002},
    {"RSV1 of a ping", S_("\xc9\x80" N4), S_(""), 1002},
    {"opcode 3", S_("\x83\x80" N4), S_(""), 1002},
    {"opcode 7", S_("\x87\x80" N4), S_(""), 1002},
    {"opcode 11", S_("\x8b\x80" N4), S_(""), 1002},
    {"opcode 15", S_("\x8f\x80" N4), S_(""), 1002},
    {"no mask", S_("\x81\x05hello"), S_(""), 1002},
    {"a ping without a mask", S_("\x89\x00"), S_(""), 1002},
    {"a ping in fragments", S_("\x09\x80" N4), S_(""), 1002},
    {"a close in fragments", S_("\x08\x80" N4), S_(""), 1002},
    {"a ping of 126 bytes", S_("\x89\xfe\0\x7e" N4), S_(""), 1002},
    {"a continuation of nothing", S_("\x80\x80" N4), S_(""), 1002},
    {"a new text within fragments", S_("\x01\x81" N4 "a\x81\x81" N4 "b"), S_(""), 1002},
    {"a length in too many bytes", S_("\x81\xfe\0\x05" N4 "hello"), S_(""), 1002},
    {"a 64-bit length that 16 hold", S_("\x81\xff\0\0\0\0\0\0\0\x05" N4 "hello"), S_(""), 1002},
    {"a length of 2^63", S_("\x81\xff\x80\0\0\0\0\0\0\0" N4), S_(""), 1002},
    {"a close of one byte", S_("\x88\x81" N4 "\x03"), S_(""), 1002},
    {"close code 0", S_("\x88\x82" N4 "\0\0"), S_(""), 1002},
    {"close code 999", S_("\x88\x82" N4 "\x03\xe7"), S_(""), 1002},
    {"close code 1004", S_("\x88\x82" N4 "\x03\xec"), S_(""), 1002},
    {"close code 1005", S_("\x88\x82" N4 "\x03\xed"), S_(""), 1002},
    {"close code 1006", S_("\x88\x82" N4 "\x03\xee"), S_(""), 1002},
    {"close code 1015", S_("\x88\x82" N4 "\x03\xf7"), S_(""), 1002},
    {"close code 2999", S_("\x88\x82" N4 "\x0b\xb7"), S_(""), 1002},
    {"close code 5000", S_("\x88\x82" N4 "\x13\x88"), S_(""), 1002},
    {"close code 65535", S_("\x88\x82" N4 "\xff\xff"), S_(""), 1002},

    {"text that is no UTF-8", S_("\x81\x82" N4 "a\xff"), S_(""), 1007},
    {"a surrogate", S_("\x81\x83" N4 "\xed\xa0\x80"), S_(""), 1007},
    {"an overlong form", S_("\x81\x82" N4 "\xc0\xaf"), S_(""), 1007},
    {"text that ends within a character", S_("\x81\x81" N4 "\xc3"), S_(""), 1007},
    {"a fragment that is no UTF-8", S_("\x01\x81" N4 "a\x80\x81" N4 "\xff"), S_(""), 1007},
    {"a reason that is no UTF-8", S_("\x88\x83" N4 "\x03\xe8\xff"), S_(""), 1007},

    {"2^63 - 1 bytes", S_("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" N4 "a"), S_(""), 1009},
    {"1 MiB and a byte", S_("\x82\xff\0\0\0\0\0\x10\0\x01" N4 "a"), S_(""), 1009},
    {"1 MiB and a byte in fragments", S_("\x02\x81" N4 "a\x80\xff\0\0\0\0\0\x10\0\0" N4 "a"),
     S_(""), 1009},
};

static void check_row(struct rig *rig, const struct row *row, bool byte_by_byte)
{
    static struct frame frame;
    static char answer[4096];
    int fd = open_socket(rig), one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (size_t i = 0; byte_by_byte && i < row->bytes.len; i++)
        rig_send(fd, (str){row->bytes.ptr + i, 1});
    if (!byte_by_byte)
        rig_send(fd, row->bytes);
    if (!rig_read(fd, answer, row->answer.len) ||
        memcmp(answer, row->answer.ptr, row->answer.len) != 0)
        test_fail(__FILE__, __LINE__, "%s: another answer", row->name);
    if (row->code == 0) { // and nothing more comes than what we ask for now
        send_frame(fd, FIN | CLOSE, S("\x03\xe9"));
        if (!read_frame(fd, &frame) || close_code(&frame) != 1001)
            test_fail(__FILE__, __LINE__, "%s: said too much", row->name);
    } else {
        int code = read_frame(fd, &frame) ? close_code(&frame) : -2;
        if (code == 0 && frame.first == (FIN | CLOSE) && frame.len == 0)
            code = -1;
        if (code != row->code)
            test_fail(__FILE__, __LINE__, "%s: closed with %d", row->name, code);
    }
    if (!rig_sees_end(fd))
        test_fail(__FILE__, __LINE__, "%s: the connection stays open", row->name);
    close(fd);
}

TEST(socket_answers_every_frame_of_the_table)
{
    AUTO(rig) rig = rig_start(NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_row(rig, &rows[i], false);
    CHECK(rig_reaches(&rig->socket_closed_count, COUNT_OF(rows)));
}

TEST(socket_answers_the_table_byte_by_byte)
{
    AUTO(rig) rig = rig_start(NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_row(rig, &rows[i], true);
    CHECK(rig_reaches(&rig->socket_closed_count, COUNT_OF(rows)));
    CHECK_EQUAL(COUNT_OF(rows), http_socket_stat(rig->server).opened_total);
}

TEST(socket_takes_frames_that_come_with_the_handshake)
{
    static struct rig_answer answer;
    AUTO(rig) rig = rig_start(NULL);
    int fd = rig_connect(rig);
    rig_send(fd, S(HANDSHAKE "\x81\x85" N4 "hello\x81\x81" N4 "a"));
    rig_read_answer(fd, true, &answer);
    CHECK_EQUAL(101, answer.status);
    char said[12];
    CHECK(rig_read(fd, said, sizeof said));
    CHECK_STR(S("\x81\x06Thello\x81\x02Ta"), ((str){said, sizeof said}));
    close(fd);
}

TEST(socket_takes_a_message_at_the_limit)
{
    static char message[1 << 20], head[] = "\x82\xff\0\0\0\0\0\x10\0\0" N4, said[11];
    AUTO(rig) rig = rig_start(NULL);
    int fd = open_socket(rig);
    rig_send(fd, (str){head, 14});
    rig_send(fd, (str){message, sizeof message});
    CHECK(rig_read(fd, said, 11));
    CHECK(memcmp(said,
                 "\x81\x7f\0\0\0\0\0\x10\0\x01"
                 "B",
                 11) == 0);
    CHECK(rig_read(fd, message, sizeof message));
    close(fd);
}

TEST(socket_is_closed_by_the_server_when_it_asks_or_its_source_ends)
{
    static struct frame frame;
    AUTO(rig) rig = rig_start(NULL);
    int fd = open_socket(rig);
    send_frame(fd, FIN | TEXT, S("please close"));
    CHECK(read_frame(fd, &frame));
    if (frame.first == (FIN | TEXT)) // what it says back may come first
        CHECK(read_frame(fd, &frame));
    CHECK_EQUAL(4000, close_code(&frame));
    CHECK_STR(S("as you wish"), ((str){frame.payload + 2, frame.len - 2}));
    CHECK(rig_sees_end(fd));
    close(fd);
    fd = open_socket(rig);
    send_frame(fd, FIN | TEXT, S("please end"));
    CHECK(read_frame(fd, &frame));
    CHECK(read_frame(fd, &frame));
    CHECK_EQUAL(1000, close_code(&frame));
    close(fd);
    CHECK(rig_reaches(&rig->socket_closed_count, 2));
}

static void quick(struct http_options *options)
{
    options->socket_ping_ms = 200;
    options->socket_stall_ms_max = 150;
    options->sockets_max = 2;
}

TEST(socket_is_pinged_and_closed_when_no_pong_comes)
{
    static struct frame frame;
    AUTO(rig) rig = rig_start(quick);
    int fd = open_socket(rig);
    for (int i = 0; i < 3; i++) { // alive as long as it answers
        CHECK(read_frame(fd, &frame));
        CHECK(is_frame(&frame, FIN | PING, S("")));
        send_frame(fd, FIN | PONG, S(""));
    }
    while (read_frame(fd, &frame) && frame.first == (FIN | PING))
        ;
    CHECK_EQUAL(1008, close_code(&frame));
    CHECK(rig_sees_end(fd));
    close(fd);
    CHECK_EQUAL(1, http_socket_stat(rig->server).errors);
}

static void stalling(struct http_options *options)
{
    options->socket_stall_ms_max = 150;
}

TEST(socket_that_takes_no_byte_is_closed_with_1013)
{
    static struct frame frame;
    AUTO(rig) rig = rig_start(stalling);
    int fd = open_socket(rig);
    send_frame(fd, FIN | TEXT, S("please flood"));
    while (http_socket_stat(rig->server).errors == 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    size_t bytes = 0;
    do {
        CHECK(read_frame(fd, &frame));
        bytes += frame.len;
    } while (frame.first == (FIN | TEXT));
    CHECK_EQUAL(1013, close_code(&frame));
    CHECK(bytes < 32 << 20); // what the kernel's buffers hold, and 64 KiB
    CHECK(rig_sees_end(fd));
    close(fd);
    CHECK(rig_reaches(&rig->socket_closed_count, 1));
}

TEST(socket_flood_reaches_a_client_that_reads_and_starves_no_other)
{
    static struct frame frame;
    AUTO(rig) rig = rig_start(NULL);
    int flooded = open_socket(rig), other = open_socket(rig);
    send_frame(flooded, FIN | TEXT, S("please flood"));
    for (int i = 0; i < 20000; i++) {
        CHECK(read_frame(flooded, &frame));
        CHECK_EQUAL(1024, frame.len);
        if (i % 1000 == 0) {
            send_frame(other, FIN | TEXT, S("me"));
            CHECK(read_frame(other, &frame));
            CHECK(is_frame(&frame, FIN | TEXT, S("Tme")));
        }
    }
    close(flooded), close(other);
    CHECK(rig_reaches(&rig->socket_closed_count, 2));
}

TEST(socket_past_the_limit_is_answered_503_and_the_place_is_given_back)
{
    static struct rig_answer answer;
    AUTO(rig) rig = rig_start(quick);
    int first = open_socket(rig), second = open_socket(rig);
    rig_ask(rig, S(HANDSHAKE), &answer);
    CHECK_EQUAL(503, answer.status);
    close(first);
    CHECK(rig_reaches(&rig->socket_closed_count, 2)); // the refused one, and `first`
    int status = 0;
    for (int tries = 0; tries < 1000 && status != 101; tries++) {
        int fd = rig_connect(rig);
        rig_send(fd, S(HANDSHAKE));
        rig_read_answer(fd, true, &answer);
        status = answer.status;
        close(fd);
    }
    CHECK_EQUAL(101, status);
    close(second);
}

TEST(socket_is_closed_with_1001_when_the_server_stops)
{
    static struct frame frame;
    struct rig *rig = rig_start(NULL);
    int fd = open_socket(rig);
    send_frame(fd, FIN | TEXT, S("hello"));
    CHECK(read_frame(fd, &frame));
    rig_stop(rig);
    CHECK(read_frame(fd, &frame));
    CHECK_EQUAL(1001, close_code(&frame));
    CHECK(rig_sees_end(fd));
    close(fd);
}
