// SPDX-License-Identifier: Apache-2.0
// Requests and answers, over raw sockets on loopback.
#include "rig.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static str body_of(const struct rig_answer *answer)
{
    return (str){answer->body, answer->body_len};
}

TEST(http_answers_at_once_and_keeps_the_connection)
{
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    int fd = rig_connect(rig);
    for (int i = 0; i < 3; i++) {
        rig_send(fd, S("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"));
        rig_read_answer(fd, false, &answer);
        CHECK_EQUAL(200, answer.status);
        CHECK_STR(S("hello"), body_of(&answer));
        CHECK(strstr(answer.head, "X-Fixed: yes\r\n"));
    }
    close(fd);
    CHECK(rig_reaches(&rig->done_count, 3));
    CHECK_EQUAL(200, rig->last_status);
}

TEST(http_answers_later_from_another_thread_and_by_continuing)
{
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    int fd = rig_connect(rig);
    for (int i = 0; i < 200; i++) {
        rig_send(fd, i % 2
                         ? S("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
                         : S("POST /continue HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
        rig_read_answer(fd, false, &answer);
        CHECK_STR(S("3 bytes"), body_of(&answer));
    }
    close(fd);
    CHECK(rig_reaches(&rig->done_count, 200));
}

TEST(http_keeps_the_order_of_pipelined_requests)
{
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    char bytes[8192];
    int fd = rig_connect(rig);
    size_t len = 0;
    for (int i = 1; i <= 30; i++)
        len += (size_t)snprintf(bytes + len, sizeof bytes - len,
                                "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%.*s",
                                i % 3 ? "/later" : "/continue", i, i,
                                "0123456789012345678901234567890123456789");
    rig_send(fd, (str){bytes, len});
    for (int i = 1; i <= 30; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%d bytes", i);
        rig_read_answer(fd, false, &answer);
        CHECK_STR(str_of(wanted), body_of(&answer));
    }
    close(fd);
}

TEST(http_answers_before_the_body_and_keeps_the_connection_when_it_is_short)
{
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    int fd = rig_connect(rig);
    for (int i = 0; i < 3; i++) {
        rig_send(fd, S("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"));
        rig_read_answer(fd, false, &answer);
        CHECK_EQUAL(401, answer.status);
        CHECK_STR(S("who are you?"), body_of(&answer));
    }
    close(fd);
    CHECK(rig_reaches(&rig->done_count, 3));
}

TEST(http_answers_to_head_what_get_would_say_without_the_body)
{
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    int fd = rig_connect(rig);
    rig_send(fd, S("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    rig_read_answer(fd, true, &answer);
    CHECK_EQUAL(200, answer.status);
    CHECK(strcasestr(answer.head, "\r\nContent-Length: 5\r\n"));
    rig_read_answer(fd, false, &answer);
    CHECK_STR(S("hello"), body_of(&answer));
    rig_send(fd, S("HEAD /numbers?1000 HTTP/1.1\r\nHost: a\r\n\r\n"));
    rig_read_answer(fd, true, &answer);
    CHECK_EQUAL(200, answer.status);
    char more;
    CHECK(!rig_read(fd, &more, 1)); // no body, and the end
    close(fd);
    CHECK(rig_reaches(&rig->closed_count, 1));
    CHECK_EQUAL(0, rig->source_count);
}

TEST(http_sends_100_when_the_client_waits_for_it)
{
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    int fd = rig_connect(rig);
    rig_send(fd, S("POST /later HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: 3\r\n\r\n"));
    rig_read_answer(fd, false, &answer);
    CHECK_EQUAL(100, answer.status);
    rig_send(fd, S("abc"));
    rig_read_answer(fd, false, &answer);
    CHECK_STR(S("3 bytes"), body_of(&answer));
    close(fd);
}

TEST(http_finds_headers_whatever_their_case_and_trims_them)
{
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    rig_ask(rig, S("GET /header HTTP/1.1\r\nHost: a\r\nx-thing:  \t a b \t\r\n\r\n"), &answer);
    CHECK_STR(S("a b"), body_of(&answer));
}

// Sends a POST of `size` bytes, with its length or in chunks; the status, or 0.
static int post_bytes(const struct rig *rig, const char *path, size_t size, bool chunked,
                      struct rig_answer *answer)
{
    static const char zeros[4096];
    char line[256];
    int fd = rig_connect(rig);
    snprintf(line, sizeof line, "POST %s HTTP/1.1\r\nHost: a\r\n", path);
    rig_send(fd, str_of(line));
    snprintf(line, sizeof line, "Content-Length: %zu\r\n\r\n", size);
    rig_send(fd, chunked ? S("Transfer-Encoding: chunked\r\n\r\n") : str_of(line));
    while (size > 0) {
        size_t piece = size < sizeof zeros ? size : sizeof zeros;
        snprintf(line, sizeof line, "%zx\r\n", piece);
        if (chunked)
            rig_send(fd, str_of(line));
        rig_send(fd, (str){zeros, piece});
        if (chunked)
            rig_send(fd, S("\r\n"));
        size -= piece;
    }
    if (chunked)
        rig_send(fd, S("0\r\n\r\n"));
    rig_read_answer(fd, false, answer);
    close(fd);
    return answer->status;
}

TEST(http_takes_a_body_at_the_limit_and_refuses_one_byte_more)
{
    static const char error[] = "{\"error\":\"Failed to buffer the request body: ";
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    for (int chunked = 0; chunked < 2; chunked++) {
        CHECK_EQUAL(200, post_bytes(rig, "/later", 1 << 20, chunked, &answer));
        CHECK_STR(S("1048576 bytes"), body_of(&answer));
        CHECK_EQUAL(413, post_bytes(rig, "/later", (1 << 20) + 1, chunked, &answer));
        CHECK(str_starts(body_of(&answer), str_of(error)));
        CHECK(str_ends(body_of(&answer), S("\"code\":\"body_too_large\",\"limit\":1048576}")));
        CHECK(strcasestr(answer.head, "\r\nConnection: close\r\n"));
        CHECK(strstr(answer.head, "X-Fixed: yes\r\n"));
        CHECK_EQUAL(413, post_bytes(rig, "/chunks", (1 << 20) + 1, chunked, &answer));
    }
    CHECK(rig_reaches(&rig->done_count, 6));
    CHECK_EQUAL(413, rig->last_status);
}

TEST(http_refuses_a_body_by_its_length_before_a_byte_of_it_has_come)
{
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    int fd = rig_connect(rig);
    rig_send(fd, S("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n"));
    rig_read_answer(fd, false, &answer);
    CHECK_EQUAL(413, answer.status);
    CHECK(rig_sees_end(fd));
    close(fd);
}

TEST(http_hands_a_body_over_in_pieces)
{
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    CHECK_EQUAL(200, post_bytes(rig, "/chunks", 300000, false, &answer));
    CHECK_STR(S("300000 bytes"), body_of(&answer));
    CHECK_EQUAL(200, post_bytes(rig, "/chunks", 300000, true, &answer));
    CHECK_STR(S("300000 bytes"), body_of(&answer));
    rig_ask(rig, S("POST /chunks HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab!cd"), &answer);
    CHECK_EQUAL(400, answer.status);
    CHECK_STR(S("a chunk was refused"), body_of(&answer));
}

// A GET whose head is `size` bytes long, of which the target is `target` bytes.
static int get_bytes(const struct rig *rig, size_t size, size_t target)
{
    static char bytes[40000];
    static struct rig_answer answer;
    size_t len = (size_t)snprintf(bytes, sizeof bytes, "GET /");
    memset(bytes + len, 'x', target - 1);
    len += target - 1;
    len += (size_t)snprintf(bytes + len, sizeof bytes - len, " HTTP/1.1\r\nHost: a\r\nX: ");
    memset(bytes + len, 'y', size - len - 4);
    memcpy(bytes + size - 4, "\r\n\r\n", 4);
    rig_ask(rig, (str){bytes, size}, &answer);
    return answer.status;
}

TEST(http_limits_head_and_target)
{
    AUTO(rig) rig = rig_start(NULL);
    CHECK_EQUAL(200, get_bytes(rig, 16384, 1));
    CHECK_EQUAL(431, get_bytes(rig, 16385, 1));
    CHECK_EQUAL(431, get_bytes(rig, 30000, 1));
    CHECK_EQUAL(200, get_bytes(rig, 16384, 8192));
    CHECK_EQUAL(414, get_bytes(rig, 16384, 8193));
    CHECK_EQUAL(414, get_bytes(rig, 32000, 30000));
}

TEST(http_limits_the_number_of_header_lines)
{
    AUTO(rig) rig = rig_start(NULL);
    static struct rig_answer answer;
    for (int more = 0; more < 2; more++) {
        char bytes[4096];
        size_t len = (size_t)snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 0; i < 99 + more; i++)
            len += (size_t)snprintf(bytes + len, sizeof bytes - len, "X-%d: y\r\n", i);
        len += (size_t)snprintf(bytes + len, sizeof bytes - len, "\r\n");
        rig_ask(rig, (str){bytes, len}, &answer);
        CHECK_EQUAL(more ? 431 : 200, answer.status);
    }
}

TEST(http_reads_a_request_that_comes_byte_by_byte)
{
    static const char bytes[] =
        "POST /later HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n";
    AUTO(rig) rig = rig_start(NULL);
    struct rig_answer answer;
    int fd = rig_connect(rig), one = 1;
    setsockopt(fd, 6, 1, &one, sizeof one); // TCP_NODELAY: each byte is a packet
    for (size_t i = 0; i < sizeof bytes - 1; i++)
        rig_send(fd, (str){bytes + i, 1});
    rig_read_answer(fd, false, &answer);
    CHECK_STR(S("5 bytes"), body_of(&answer));
    close(fd);
}

static void two_connections(struct http_options *options)
{
    options->connections_max = 2;
}

static void two_of_one_address(struct http_options *options)
{
    options->connections_address_max = 2;
}

TEST(http_turns_connections_away_past_the_limits)
{
    void (*const limits[])(struct http_options *) = {two_connections, two_of_one_address};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        AUTO(rig) rig = rig_start(limits[i]);
        static struct rig_answer answer;
        int first = rig_connect(rig), second = rig_connect(rig), third = rig_connect(rig);
        CHECK(rig_sees_end(third));
        CHECK(rig_reaches(&rig->complaint_count, 1));
        rig_send(first, S("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        rig_read_answer(first, false, &answer);
        CHECK_EQUAL(200, answer.status);
        CHECK(rig_sees_end(first));
        close(first), close(third);
        // The place is free again when the server has seen the end, which may take a moment.
        int status = 0;
        for (int tries = 0; tries < 500 && status != 200; tries++) {
            rig_ask(rig, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), &answer);
            status = answer.status;
        }
        CHECK_EQUAL(200, status);
        close(second);
    }
}

TEST(http_streams_an_answer_of_unknown_length)
{
    AUTO(rig) rig = rig_start(NULL);
    static struct rig_answer answer;
    int fd = rig_connect(rig);
    for (int i = 0; i < 2; i++) {
        rig_send(fd, S("GET /numbers?9999 HTTP/1.1\r\nHost: a\r\n\r\n"));
        rig_read_answer(fd, false, &answer);
        CHECK_EQUAL(200, answer.status);
        CHECK(!answer.cut);
        CHECK_EQUAL(9 * 2 + 90 * 3 + 900 * 4 + 9000 * 5, answer.body_len);
        CHECK(str_starts(body_of(&answer), S("9999\n9998\n")));
        CHECK(str_ends(body_of(&answer), S("\n2\n1\n")));
    }
    close(fd);
    CHECK(rig_reaches(&rig->closed_count, 2));
}

TEST(http_stream_without_news_waits_and_is_woken)
{
    AUTO(rig) rig = rig_start(NULL);
    static struct rig_answer answer;
    char line[64];
    int fd = rig_connect(rig);
    rig_send(fd, S("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    rig_read_answer(fd, true, &answer); // the head
    CHECK_EQUAL(200, answer.status);
    for (int i = 0; i < 50; i++) {
        atomic_store(&rig->feed, true);
        rig_wake(rig);
        rig_wake(rig); // spurious
        CHECK(rig_read(fd, line, 3 + 4 + 2));
        CHECK_STR(S("4\r\nfed\n\r\n"), ((str){line, 9}));
    }
    close(fd);
    CHECK(rig_reaches(&rig->closed_count, 1)); // without anybody waking it
}

TEST(http_stream_that_cannot_be_completed_is_cut)
{
    AUTO(rig) rig = rig_start(NULL);
    static struct rig_answer answer;
    rig_ask(rig, S("GET /abort?100 HTTP/1.1\r\nHost: a\r\n\r\n"), &answer);
    CHECK_EQUAL(200, answer.status);
    CHECK(answer.cut);
    CHECK(rig_reaches(&rig->closed_count, 1));
}

// 100 million numbers are 900 MB: the source is asked for what fits into the sockets' buffers only.
TEST(http_stream_is_not_pulled_while_the_client_does_not_read)
{
    AUTO(rig) rig = rig_start(NULL);
    int fd = rig_connect(rig);
    rig_send(fd, S("GET /numbers?100000000 HTTP/1.1\r\nHost: a\r\n\r\n"));
    char first;
    CHECK(rig_read(fd, &first, 1));
    int before = -1;
    for (int same = 0; same < 100;) { // milliseconds without a pull
        struct rig_answer unused;
        rig_ask(rig, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), &unused); // the loops are alive
        same = rig->source_count == before ? same + 1 : 0;
        before = rig->source_count;
    }
    CHECK(before < 1000); // 64 MB at the very most
    close(fd);
    CHECK(rig_reaches(&rig->closed_count, 1));
}

TEST(http_stop_cuts_what_waits_for_ever_and_what_takes_too_long)
{
    struct rig *rig = rig_start(NULL);
    static struct rig_answer answer;
    int waiting = rig_connect(rig), idle = rig_connect(rig), half = rig_connect(rig);
    rig_send(waiting, S("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    rig_read_answer(waiting, true, &answer);
    rig_send(half, S("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                     "Expect: 100-continue\r\n\r\n"));
    rig_read_answer(half, false, &answer);
    CHECK_EQUAL(100, answer.status);
    rig_stop(rig); // `half` is given its second
    CHECK(rig_sees_end(waiting));
    CHECK(rig_sees_end(idle));
    CHECK(rig_sees_end(half));
    close(waiting), close(idle), close(half);
}

static void *stop_server(void *context)
{
    http_server_stop(context, 60000);
    return NULL;
}

TEST(http_stop_lets_requests_under_way_finish)
{
    AUTO(rig) rig = rig_start(NULL);
    static struct rig_answer answer;
    pthread_t stopper;
    int fd = rig_connect(rig);
    rig_send(fd, S("POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                   "GET / HTTP/1.1\r\nHost: a\r\n\r\n")); // the second comes too late
    CHECK(rig_reaches(&rig->held_count, 1));
    pthread_create(&stopper, NULL, stop_server, MOVE(rig->server));
    int refused = 0; // from some moment on nobody is let in
    while (!refused) {
        int late = rig_connect_if(rig);
        refused = late < 0;
        close(late);
    }
    atomic_store(&rig->released, true);
    rig_read_answer(fd, false, &answer);
    CHECK_STR(S("3 bytes"), body_of(&answer));
    CHECK(strcasestr(answer.head, "\r\nConnection: close\r\n"));
    CHECK(rig_sees_end(fd));
    pthread_join(stopper, NULL); // long before its minute is over
    close(fd);
    CHECK_EQUAL(1, rig->done_count);
}

TEST(http_answers_a_client_that_has_closed_its_side)
{
    AUTO(rig) rig = rig_start(NULL);
    static struct rig_answer answer;
    const str requests[] = {
        S("POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
        S("GET /numbers?3 HTTP/1.1\r\nHost: a\r\n\r\n"),
    };
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        int fd = rig_connect(rig);
        rig_send(fd, requests[i]);
        shutdown(fd, SHUT_WR);
        CHECK(i > 0 || rig_reaches(&rig->held_count, 1));
        atomic_store(&rig->released, true);
        rig_read_answer(fd, false, &answer);
        CHECK_STR(i ? S("3\n2\n1\n") : S("3 bytes"), body_of(&answer));
        CHECK(rig_sees_end(fd));
        close(fd);
    }
}

// The answer to a request whose client is gone has nowhere to go, and must still be taken.
TEST(http_takes_the_answer_to_a_client_that_is_gone)
{
    AUTO(rig) rig = rig_start(NULL);
    for (int i = 0; i < 20; i++) {
        int fd = rig_connect(rig);
        rig_send(fd, S("POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
        CHECK(i > 0 || rig_reaches(&rig->held_count, 1));
        close(fd);
    }
    atomic_store(&rig->released, true);
    CHECK(rig_reaches(&rig->done_count, 20));
}

static void answer_nothing(void *context, struct http_request *request)
{
    (void)context;
    http_answer(request, (struct http_answer){.status = 204});
}

TEST(http_listens_on_several_addresses_and_says_why_it_cannot)
{
    AUTO(rig) rig = rig_start(NULL);
    char taken[64], space[64];
    snprintf(taken, sizeof taken, "127.0.0.1:%u", rig->port);
    static const char *const bad[] = {"", "nowhere", "127.0.0.1:", "127.0.0.1:65536", "::1:80"};
    struct als_why why;
    struct http_server *server = NULL;
    struct http_options options = {.address_count = 1,
                                   .connections_max = 10,
                                   .body_bytes_max = 100,
                                   .header_bytes_max = 1000,
                                   .arena_bytes_max = 10000,
                                   .whole = answer_nothing};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        str address = str_of(bad[i]);
        options.addresses = &address;
        CHECK_ERR(ALS_INVALID_INPUT, http_server_start(options, &server, &why));
    }
    str address = str_of(taken);
    options.addresses = &address;
    CHECK_ERR(ALS_NOT_READY, http_server_start(options, &server, &why));
    CHECK(strstr(why.text, "Address already in use"));
    str two[] = {S("127.0.0.1:0"), S("[::1]:0")};
    options.addresses = two;
    options.address_count = 2;
    CHECK_OK(http_server_start(options, &server, &why));
    CHECK(str_starts(http_server_address(server, 0, space), S("127.0.0.1:")));
    CHECK(str_starts(http_server_address(server, 1, space), S("[::1]:")));
    http_server_stop(server, 0);
}

static void hurried(struct http_options *options)
{
    options->head_ms_max = 300;
    options->body_bytes_per_s_min = 20;
    options->idle_s_max = 2;
}

// Sends `drip` every 20 ms behind `start`; true when the server ends the connection before `end`
// was sent, which comes after 2.5 s.
static bool is_dropped(const struct rig *rig, str start, str drip, str end,
                       struct rig_answer *answer)
{
    int fd = rig_connect(rig);
    rig_send(fd, start);
    for (int i = 0; i < 125; i++) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, 20) == 1) {
            bool ended = rig_sees_end(fd);
            close(fd);
            return ended;
        }
        rig_send(fd, drip);
    }
    rig_send(fd, end);
    rig_read_answer(fd, false, answer);
    close(fd);
    return false;
}

TEST(http_drops_a_client_that_drips)
{
    AUTO(rig) rig = rig_start(hurried);
    static struct rig_answer answer;
    CHECK(is_dropped(rig, S("GET /"), S("x"), S(" HTTP/1.1\r\n\r\n"), &answer));
    CHECK(is_dropped(rig, S("GET / HTTP/1.1\r\nHost: a\r\nX: "), S("x"), S("\r\n\r\n"), &answer));
    CHECK_EQUAL(0, rig->done_count);
}

TEST(http_drops_a_body_that_is_too_slow_but_not_one_that_is_slow)
{
    AUTO(rig) rig = rig_start(hurried);
    static struct rig_answer answer;
    str chunked = S("POST /later HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(is_dropped(rig, chunked, S(""), S("0\r\n\r\n"), &answer));
    CHECK(!is_dropped(rig, chunked, S("1\r\nx\r\n"), S("0\r\n\r\n"), &answer)); // 50 a second
    CHECK_STR(S("125 bytes"), body_of(&answer));
    CHECK(rig_reaches(&rig->done_count, 2));
}

TEST(http_tells_whoever_waits_that_the_client_has_gone)
{
    AUTO(rig) rig = rig_start(NULL);
    int leaving = rig_connect(rig);
    rig_send(leaving, S("POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
    CHECK(rig_reaches(&rig->held_count, 1));
    CHECK_EQUAL(0, atomic_load(&rig->hung_count));
    close(leaving);
    CHECK(rig_reaches(&rig->hung_count, 1));
    atomic_store(&rig->released, true);
    CHECK(rig_reaches(&rig->done_count, 1));
}
