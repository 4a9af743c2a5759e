// SPDX-License-Identifier: Apache-2.0
// Requests and answers, over raw sockets on loopback.
#include "rig.h"

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
