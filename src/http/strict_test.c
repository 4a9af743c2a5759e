// SPDX-License-Identifier: Apache-2.0
// What two parsers could read differently must not pass. Raw bytes in, a status out.
#include "rig.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

// S() for static tables.
#define S_(literal)                                                                                \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

enum { CUT = 0 }; // the connection ends without an answer

struct row {
    const char *name;
    str bytes;
    int status; // -1: any refusal will do
};

static void check_rows(const struct row *rows, size_t count)
{
    AUTO(rig) rig = rig_start(NULL);
    static struct rig_answer answer;
    for (size_t i = 0; i < count; i++) {
        int fd = rig_connect(rig);
        rig_send(fd, rows[i].bytes);
        shutdown(fd, SHUT_WR); // a server that waits for more sees that nothing comes
        rig_read_answer(fd, false, &answer);
        bool refused = answer.status >= 400 || answer.status == CUT;
        if (rows[i].status < 0 ? !refused : answer.status != rows[i].status)
            test_fail(__FILE__, __LINE__, "%s: answered %d", rows[i].name, answer.status);
        if (answer.status != 200 && !rig_sees_end(fd))
            test_fail(__FILE__, __LINE__, "%s: the connection stays open", rows[i].name);
        close(fd);
    }
}

TEST(strict_takes_every_well_formed_request)
{
    static const struct row rows[] = {
        {"plain", S_(GET "\r\n"), 200},
        {"empty lines before it", S_("\r\n\r\n" GET "\r\n"), 200},
        {"no white space behind the colon", S_("GET / HTTP/1.1\r\nHost:a\r\n\r\n"), 200},
        {"tabs and spaces around a value", S_(GET "X: \t b c \t \r\n\r\n"), 200},
        {"an empty value", S_(GET "X:\r\nY: \r\n\r\n"), 200},
        {"bytes above 127 in a value", S_(GET "X: \xc3\xa9\r\n\r\n"), 200},
        {"a header twice", S_(GET "X: 1\r\nX: 2\r\n\r\n"), 200},
        {"a cookie", S_(GET "Cookie: a=b; c=d\r\n\r\n"), 200},
        {"a query", S_("GET /a%20b?x=%31&y&&z== HTTP/1.1\r\nHost: a\r\n\r\n"), 200},
        {"a port", S_("GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n"), 200},
        {"an IPv6 host", S_("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), 200},
        {"an empty host", S_("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 200},
        {"the absolute form", S_("GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n"), 200},
        {"OPTIONS *", S_("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 200},
        {"HTTP/1.0 without Host", S_("GET / HTTP/1.0\r\n\r\n"), 200},
        {"an unknown method", S_("BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), 200},
        {"a body", S_(POST "Content-Length: 3\r\n\r\nabc"), 200},
        {"leading zeros of a length", S_(POST "Content-Length: 003\r\n\r\nabc"), 200},
        {"chunks", S_(POST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n"),
         200},
        {"trailers", S_(POST "Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nT: v\r\n\r\n"), 200},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(strict_refuses_a_malformed_head)
{
    static const struct row rows[] = {
        {"bare LF behind the request line", S_("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400},
        {"bare LF behind a header", S_("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"), 400},
        {"bare LF behind the last header", S_("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400},
        {"bare LF as the empty line", S_("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400},
        {"LF LF", S_("GET / HTTP/1.1\r\nHost: a\n\n"), 400},
        {"only LFs", S_("GET / HTTP/1.1\nHost: a\n\n"), 400},
        {"bare CR within a value", S_(GET "X: a\rb\r\n\r\n"), -1},
        {"bare CRs as line ends", S_("GET / HTTP/1.1\rHost: a\r\r"), -1},
        {"a folded line", S_(GET "X: b\r\n c\r\n\r\n"), 400},
        {"a line folded by a tab", S_(GET "X: b\r\n\tc\r\n\r\n"), 400},
        {"a folded first line", S_("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), -1},
        {"a space before the colon", S_("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), -1},
        {"a space before another colon", S_(GET "X : a\r\n\r\n"), 400},
        {"a tab before the colon", S_(GET "X\t: a\r\n\r\n"), 400},
        {"a space in a name", S_(GET "X Y: a\r\n\r\n"), 400},
        {"a header without a colon", S_(GET "nothing\r\n\r\n"), -1},
        {"a header without a name", S_(GET ": a\r\n\r\n"), 400},
        {"a name that is no token", S_(GET "X(Y): a\r\n\r\n"), 400},
        {"NUL in a value", S_(GET "X: a\0b\r\n\r\n"), -1},
        {"NUL in a name", S_(GET "X\0Y: a\r\n\r\n"), -1},
        {"NUL in the target", S_("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"), -1},
        {"a control character in a value", S_(GET "X: a\x01\r\n\r\n"), 400},
        {"two spaces behind the method", S_("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"two spaces before the version", S_("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), -1},
        {"a tab in the request line", S_("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), -1},
        {"a space in the target", S_("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), -1},
        {"a fragment", S_("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a space behind the version", S_("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), -1},
        {"a method that is no token", S_("G@T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"no slash", S_("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"CONNECT", S_("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"HTTP/0.9", S_("GET /\r\n\r\n"), -1},
        {"HTTP/1.2", S_("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), -1},
        {"lower case http", S_("GET / http/1.1\r\nHost: a\r\n\r\n"), -1},
        {"TLS on a clear port", S_("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), -1},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(strict_refuses_a_doubtful_host)
{
    static const struct row rows[] = {
        {"none", S_("GET / HTTP/1.1\r\n\r\n"), -1},
        {"two", S_("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400},
        {"two, spelled differently", S_("GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n"), 400},
        {"a list", S_("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400},
        {"a path", S_("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400},
        {"user information", S_("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400},
        {"a port that is no number", S_("GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"), 400},
        {"a port too high", S_("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"), 400},
        {"an open bracket", S_("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400},
        {"only a port", S_("GET / HTTP/1.1\r\nHost: :80\r\n\r\n"), 400},
    };
    check_rows(rows, COUNT_OF(rows));
}

TEST(strict_refuses_every_doubt_about_where_a_body_ends)
{
    static const struct row rows[] = {
        {"length and chunked",
         S_(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
        {"chunked and length",
         S_(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"), 400},
        {"two lengths", S_(POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 400},
        {"the same length twice", S_(POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
         400},
        {"a list of lengths", S_(POST "Content-Length: 3, 3\r\n\r\nabc"), -1},
        {"a plus", S_(POST "Content-Length: +3\r\n\r\nabc"), -1},
        {"a minus", S_(POST "Content-Length: -3\r\n\r\nabc"), -1},
        {"hexadecimal", S_(POST "Content-Length: 0x3\r\n\r\nabc"), -1},
        {"a space within", S_(POST "Content-Length: 1 2\r\n\r\nabcabcabcabc"), -1},
        {"an empty length", S_(POST "Content-Length:\r\n\r\n"), -1},
        {"more than 64 bits", S_(POST "Content-Length: 18446744073709551619\r\n\r\nabc"), -1},
        {"a hidden length", S_(POST "Content-Length : 3\r\n\r\nabc"), 400},
        {"an unknown coding", S_(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 400},
        {"a list of codings", S_(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400},
        {"chunked twice",
         S_(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
        {"chunked, identity", S_(POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
         400},
        {"an empty coding", S_(POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"), 400},
        {"a quoted coding", S_(POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"), 400},
        {"a coding behind a vertical tab",
         S_(POST "Transfer-Encoding: \x0b"
                 "chunked\r\n\r\n0\r\n\r\n"),
         400},
        {"a coding in HTTP/1.0",
         S_("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
        {"a chunk without a size", S_(POST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n0\r\n\r\n"),
         -1},
        {"an empty chunk line", S_(POST "Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n"), -1},
        {"0x before a size", S_(POST "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
         -1},
        {"a minus before a size", S_(POST "Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n"),
         -1},
        {"a space behind a size", S_(POST "Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n"),
         -1},
        {"a space before a size", S_(POST "Transfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n"),
         -1},
        {"a chunk longer than its size",
         S_(POST "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"), -1},
        {"a size beyond 64 bits",
         S_(POST "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n"), -1},
        {"a body that is cut", S_(POST "Content-Length: 9\r\n\r\nabc"), CUT},
        {"chunks that are cut", S_(POST "Transfer-Encoding: chunked\r\n\r\n9\r\nabc"), CUT},
    };
    check_rows(rows, COUNT_OF(rows));
}

// A refused request must not leave its body behind as the next request.
TEST(strict_never_reads_a_refused_body_as_a_request)
{
    static const str rows[] = {
        S_("POST /early HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 38\r\n\r\n"
           "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n"),
        S_("DELETE /early HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 38\r\n\r\n"
           "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n"),
        S_("GET /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
           "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n"),
        S_("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"
           "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(rig) rig = rig_start(NULL);
        static struct rig_answer answer;
        int fd = rig_connect(rig);
        rig_send(fd, rows[i]);
        rig_read_answer(fd, false, &answer);
        CHECK(answer.status == 401 || answer.status == 400);
        CHECK(strcasestr(answer.head, "\r\nConnection: close\r\n"));
        CHECK(rig_sees_end(fd));
        close(fd);
        CHECK(rig_reaches(&rig->done_count, 1));
        CHECK_EQUAL(1, rig->done_count);
    }
}
