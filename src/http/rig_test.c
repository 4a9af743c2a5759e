// SPDX-License-Identifier: Apache-2.0
#include "rig.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000, QUEUE_MAX = 4096 };

// ---- The thread that answers later.

struct rig_worker {
    struct rig *rig;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct http_request *queue[QUEUE_MAX];
    size_t count;
    bool ending;
};

static void answer_text(struct http_request *request, int status, str text)
{
    http_answer(request, (struct http_answer){
                             .status = status, .content_type = S("text/plain"), .body = text});
}

static void answer_length(void *context, struct http_request *request)
{
    (void)context;
    struct buf *out = http_out(request);
    buf_printf(out, "%zu bytes", http_body(request).len);
    answer_text(request, 200, buf_str(out));
}

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static void answer_one(struct rig *rig, struct http_request *request)
{
    if (str_equal(http_path(request), S("/held"))) {
        atomic_fetch_add(&rig->held_count, 1);
        while (!atomic_load(&rig->released))
            pause_ms(1);
    }
    if (str_equal(http_path(request), S("/continue")))
        http_continue(request, answer_length);
    else
        answer_length(NULL, request);
}

static void *work(void *context)
{
    struct rig_worker *worker = context;
    struct http_request *mine[QUEUE_MAX];
    for (;;) {
        pthread_mutex_lock(&worker->mutex);
        while (worker->count == 0 && !worker->ending)
            pthread_cond_wait(&worker->cond, &worker->mutex);
        size_t count = worker->count;
        memcpy(mine, worker->queue, count * sizeof *mine);
        worker->count = 0;
        bool ending = worker->ending;
        pthread_mutex_unlock(&worker->mutex);
        for (size_t i = 0; i < count; i++)
            answer_one(worker->rig, mine[i]);
        if (ending && count == 0)
            return NULL;
    }
}

static void post(struct rig_worker *worker, struct http_request *request)
{
    pthread_mutex_lock(&worker->mutex);
    worker->queue[worker->count++] = request;
    pthread_cond_signal(&worker->cond);
    pthread_mutex_unlock(&worker->mutex);
}

static struct rig_worker *worker_start(struct rig *rig)
{
    struct rig_worker *worker = calloc(1, sizeof *worker);
    worker->rig = rig;
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->cond, NULL);
    pthread_create(&worker->thread, NULL, work, worker);
    return worker;
}

static void worker_stop(struct rig_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->ending = true;
    pthread_cond_signal(&worker->cond);
    pthread_mutex_unlock(&worker->mutex);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->cond);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

// ---- Sources.

struct numbers {
    struct rig *rig;
    struct http_request *request;
    uint64_t left;
    bool abort;
};

static enum http_pull next_numbers(void *context, struct buf *buf)
{
    struct numbers *numbers = context;
    atomic_fetch_add(&numbers->rig->source_count, 1);
    for (; numbers->left > 0 && buf->len < 65536; numbers->left--)
        buf_printf(buf, "%llu\n", (unsigned long long)numbers->left);
    if (numbers->left > 0)
        return HTTP_MORE;
    return numbers->abort && buf->len == 0 ? HTTP_ABORT : numbers->abort ? HTTP_MORE : HTTP_END;
}

static enum http_pull next_wait(void *context, struct buf *buf)
{
    struct numbers *numbers = context;
    if (!atomic_exchange(&numbers->rig->feed, false))
        return HTTP_WAIT;
    buf_put_str(buf, S("fed\n"));
    return HTTP_MORE;
}

static void set_waiting(struct rig *rig, struct http_request *request)
{
    pthread_mutex_lock(&rig->mutex);
    rig->waiting = request;
    pthread_mutex_unlock(&rig->mutex);
}

void rig_wake(struct rig *rig)
{
    pthread_mutex_lock(&rig->mutex);
    if (rig->waiting)
        http_wake(rig->waiting);
    pthread_mutex_unlock(&rig->mutex);
}

static void close_numbers(void *context)
{
    struct numbers *numbers = context;
    set_waiting(numbers->rig, NULL);
    atomic_fetch_add(&numbers->rig->closed_count, 1);
}

static void answer_stream(struct rig *rig, struct http_request *request)
{
    struct numbers *numbers = ARENA_NEW(http_arena(request), struct numbers);
    *numbers = (struct numbers){.rig = rig, .request = request};
    bool waits = str_equal(http_path(request), S("/wait"));
    numbers->abort = str_equal(http_path(request), S("/abort"));
    if (!waits && !str_to_u64(http_query(request), &numbers->left))
        numbers->left = 0;
    if (waits)
        set_waiting(rig, request);
    http_answer_stream(
        request, (struct http_answer){.status = 200, .content_type = S("text/plain")},
        (struct http_source){
            .next = waits ? next_wait : next_numbers, .close = close_numbers, .context = numbers});
}

// ---- The handlers.

static err count_chunk(void *context, struct http_request *request, str piece)
{
    (void)context;
    uint64_t *total = http_user(request);
    *total += piece.len;
    if (memchr(piece.ptr, '!', piece.len) == NULL)
        return ALS_OK;
    answer_text(request, 400, S("a chunk was refused"));
    return ALS_INVALID_INPUT;
}

static void head(void *context, struct http_request *request)
{
    struct rig *rig = context;
    str path = http_path(request);
    if (str_equal(path, S("/early")))
        answer_text(request, 401, S("who are you?"));
    if (str_equal(path, S("/socket")))
        rig_upgrade(rig, request);
    if (str_equal(path, S("/chunks"))) {
        uint64_t *total = ARENA_NEW(http_arena(request), uint64_t);
        *total = 0;
        http_set_user(request, total);
        http_want_chunks(request, count_chunk);
    }
}

static void hung(void *context, struct http_request *request)
{
    struct rig *rig = context;
    (void)request; // is answered by the worker all the same
    atomic_fetch_add(&rig->hung_count, 1);
}

static void whole(void *context, struct http_request *request)
{
    struct rig *rig = context;
    str path = http_path(request);
    if (str_equal(path, S("/later")) || str_equal(path, S("/continue")) ||
        str_equal(path, S("/held"))) {
        http_on_hangup(request, hung);
        post(rig->worker, request);
    } else if (str_equal(path, S("/numbers")) || str_equal(path, S("/wait")) ||
               str_equal(path, S("/abort"))) {
        answer_stream(rig, request);
    } else if (str_equal(path, S("/chunks"))) {
        buf_printf(http_out(request), "%llu bytes", *(unsigned long long *)http_user(request));
        answer_text(request, 200, buf_str(http_out(request)));
    } else if (str_equal(path, S("/header"))) {
        answer_text(request, 200, http_header(request, S("x-THING")));
    } else {
        answer_text(request, 200, http_body(request).len ? http_body(request) : S("hello"));
    }
}

static void done(void *context, struct http_request *request, int status, uint64_t duration_ns)
{
    struct rig *rig = context;
    (void)request;
    atomic_store(&rig->last_status, duration_ns > 0 ? status : -1);
    atomic_fetch_add(&rig->done_count, 1);
}

static void complain(void *context, const char *text)
{
    struct rig *rig = context;
    (void)text;
    atomic_fetch_add(&rig->complaint_count, 1);
}

struct rig *rig_start(void (*change)(struct http_options *options))
{
    static const str address = {"127.0.0.1:0", 11};
    static const struct http_header fixed = {{"X-Fixed", 7}, {"yes", 3}};
    struct rig *rig = calloc(1, sizeof *rig);
    struct http_options options = {.addresses = &address,
                                   .address_count = 1,
                                   .threads = 2,
                                   .connections_max = 100,
                                   .idle_s_max = 30,
                                   .body_bytes_max = 1 << 20,
                                   .header_bytes_max = 16 << 10,
                                   .arena_bytes_max = 1 << 20,
                                   .sockets_max = 100,
                                   .socket_stall_ms_max = 10000,
                                   .socket_ping_ms = 30000,
                                   .socket_message_bytes_max = 1 << 20,
                                   .headers = &fixed,
                                   .header_count = 1,
                                   .head = head,
                                   .whole = whole,
                                   .context = rig,
                                   .done = done,
                                   .complain = complain};
    if (change)
        change(&options);
    pthread_mutex_init(&rig->mutex, NULL);
    rig->worker = worker_start(rig);
    CHECK_OK(http_server_start(options, &rig->server, NULL));
    char space[64];
    str bound = http_server_address(rig->server, 0, space);
    uint64_t port;
    CHECK(str_to_u64(str_from(bound, str_find(bound, ':') + 1), &port));
    rig->port = (uint16_t)port;
    return rig;
}

void rig_stop(struct rig *rig)
{
    if (!rig)
        return;
    http_server_stop(rig->server, 1000);
    worker_stop(rig->worker);
    pthread_mutex_destroy(&rig->mutex);
    free(rig);
}

// ---- The client.

int rig_connect_if(const struct rig *rig)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(rig->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

int rig_connect(const struct rig *rig)
{
    int fd = rig_connect_if(rig);
    CHECK(fd >= 0);
    return fd;
}

void rig_send(int fd, str bytes)
{
    while (bytes.len > 0) {
        ssize_t count = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (count <= 0)
            return; // the server may have had enough
        bytes = str_from(bytes, (size_t)count);
    }
}

static ssize_t receive(int fd, char *space, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, PATIENCE_MS) != 1)
        return -1;
    return recv(fd, space, size, 0);
}

bool rig_read(int fd, char *space, size_t count)
{
    for (size_t at = 0; at < count;) {
        ssize_t got = receive(fd, space + at, count - at);
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

bool rig_sees_end(int fd)
{
    char dropped[65536];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (poll(&ready, 1, PATIENCE_MS) == 1)
        if (recv(fd, dropped, sizeof dropped, 0) <= 0)
            return true;
    return false;
}

static bool read_line(int fd, char *line, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && rig_read(fd, line + len, 1)) {
        if (line[len++] == '\n') {
            line[len] = '\0';
            return true;
        }
    }
    return false;
}

static bool keep_body(int fd, struct rig_answer *answer, size_t count)
{
    while (count > 0) {
        char space[4096];
        size_t piece = count < sizeof space ? count : sizeof space;
        if (!rig_read(fd, space, piece))
            return false;
        size_t room = sizeof answer->body - answer->body_len;
        size_t kept = piece < room ? piece : room;
        memcpy(answer->body + answer->body_len, space, kept);
        answer->body_len += kept;
        count -= piece;
    }
    return true;
}

static bool read_chunks(int fd, struct rig_answer *answer)
{
    char line[256];
    for (;;) {
        if (!read_line(fd, line, sizeof line))
            return false;
        size_t count = strtoul(line, NULL, 16);
        if (count == 0)
            return read_line(fd, line, sizeof line);
        if (!keep_body(fd, answer, count) || !read_line(fd, line, sizeof line))
            return false;
    }
}

void rig_read_answer(int fd, bool no_body, struct rig_answer *answer)
{
    *answer = (struct rig_answer){0};
    size_t len = 0;
    do {
        if (!read_line(fd, answer->head + len, sizeof answer->head - len))
            return;
        len += strlen(answer->head + len);
    } while (!strstr(answer->head, "\r\n\r\n"));
    uint64_t status;
    CHECK(str_to_u64((str){answer->head + 9, 3}, &status));
    answer->status = (int)status;
    const char *length = strcasestr(answer->head, "\r\nContent-Length: ");
    if (no_body || answer->status == 100 || answer->status == 101)
        return;
    if (strcasestr(answer->head, "\r\nTransfer-Encoding: chunked"))
        answer->cut = !read_chunks(fd, answer);
    else
        answer->cut = !keep_body(fd, answer, length ? strtoul(length + 18, NULL, 10) : 0);
}

void rig_ask(const struct rig *rig, str bytes, struct rig_answer *answer)
{
    int fd = rig_connect(rig);
    rig_send(fd, bytes);
    rig_read_answer(fd, false, answer);
    close(fd);
}

bool rig_reaches(const _Atomic int *count, int wanted)
{
    for (int ms = 0; ms < PATIENCE_MS; ms++) {
        if (atomic_load(count) >= wanted)
            return true;
        pause_ms(1);
    }
    return false;
}
