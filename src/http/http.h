// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1, WebSocket and an HTTP client behind one face; knows no events.
//
// A request is answered in two steps. `head` is called when method, path and headers are known: it
// may answer before it returns, or say how it wants the body. `whole` is called when the body is
// complete. It may answer later and from any thread: the connection waits without a thread. Exactly
// one of http_answer(), http_answer_stream() and http_upgrade() ends each request, and one of them
// must come: http_server_stop() waits for it, however short its grace.
//
// What has not passed the checks of ADR 0003 (ambiguous framing, limits) is answered here, with the
// JSON body that all errors have, and no handler sees it; `done` does.
//
// The library underneath is libmicrohttpd, with wslay for WebSocket frames and libcurl for the
// client (ADR 0003); nothing of them shows here, so that another could replace them.
// Threads: `head`, `whole`, `chunk` and sources run on the loop thread of their connection, socket
// functions on the socket loop; what may be called from any thread says so.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

struct os;
struct metrics;
struct http_server;
struct http_request;
struct http_socket;

struct http_header {
    str name, value;
};

typedef void http_serve(void *context, struct http_request *request);

struct http_options {
    const str *addresses; // "127.0.0.1:8080", "[::1]:8080"; port 0 takes a free one
    size_t address_count;
    unsigned threads;                  // loops for all addresses together; 0: one per processor
    uint32_t connections_max;          // all addresses together; more are refused at accept
    uint32_t connections_address_max;  // from one client address; 0: no limit
    uint32_t idle_s_max;               // a connection without traffic is closed after this
    uint32_t head_ms_max;              // headers that take longer end the connection; 0: 10 s
    uint32_t body_bytes_per_s_min;     // a body that is slower does, after head_ms_max; 0: 1 KiB
    uint64_t body_bytes_max;           // more is 413; also when it comes without a length
    uint64_t header_bytes_max;         // request line and headers; more is 414 or 431
    uint64_t arena_bytes_max;          // per request
    uint32_t sockets_max;              // open WebSockets; more are 503
    uint32_t socket_stall_ms_max;      // a socket that takes no byte this long is closed, 1013
    uint32_t socket_ping_ms;           // pings that often; a missing pong for twice this: closed
    uint64_t socket_message_bytes_max; // from the client; more is 1009
    const struct http_header *headers; // put on every answer
    size_t header_count;
    http_serve *head; // may be NULL
    http_serve *whole;
    void *context; // KEEPS
    // Called once for each request whose head was complete, when its answer has gone out or the
    // connection has died (`status` is 0 if that was before there was an answer). The request may
    // still be asked for everything; its slices end with this call. On its loop. May be NULL.
    void (*done)(void *context, struct http_request *request, int status, uint64_t duration_ns);
    // What would be logged by the doors: "refused a connection", with few words.
    void (*complain)(void *context, const char *text);
};

err http_server_start(struct http_options options, struct http_server **ret_server,
                      struct als_why *why);
// The address as bound, with its real port; `space` holds it.
str http_server_address(const struct http_server *server, size_t index, char space[static 64]);
// Stops accepting, lets requests under way finish for at most `grace_ms`, closes sockets with 1001
// and ends the threads. Then frees the server.
void http_server_stop(struct http_server *server, uint32_t grace_ms);

// ---- A request. All slices live as long as the request.

str http_method(const struct http_request *request);
str http_path(const struct http_request *request);  // as sent, not decoded, without the query
str http_query(const struct http_request *request); // behind the '?', not decoded; may be empty
// The value of a header (names are compared without case), trimmed; empty when absent.
str http_header(const struct http_request *request, str name);
bool http_has_header(const struct http_request *request, str name);
str http_body(const struct http_request *request); // in `whole`; empty before
struct arena *http_arena(struct http_request *request);
// A buffer for the answer's body, empty at first, its memory pooled; http_answer() may send it.
struct buf *http_out(struct http_request *request);
// What the handlers keep between head, whole and done; NULL at first.
void http_set_user(struct http_request *request, void *user);
void *http_user(const struct http_request *request);

// Whether no other connection is on the loop of this one: a handler that blocks then makes nobody
// wait. In `head` and `whole`.
bool http_alone(const struct http_request *request);

// Decodes %XX and, with `plus_is_space`, '+'. False when an escape is broken or the result is not
// UTF-8 or the arena is full.
bool http_decode(str text, bool plus_is_space, struct arena *arena, str *ret_text);
// The next name=value of an application/x-www-form-urlencoded query, decoded. False at the end;
// *ret_bad tells a parameter that cannot be decoded.
bool http_next_parameter(str *rest, struct arena *arena, str *ret_name, str *ret_value,
                         bool *ret_bad);

// In `head`: hands the body over piece by piece as it arrives instead of gathering it. A `chunk`
// that does not return ALS_OK has answered, or will; the rest of the body is dropped.
typedef err http_chunk(void *context, struct http_request *request, str piece);
void http_want_chunks(struct http_request *request, http_chunk *chunk);

struct http_answer {
    int status;
    str content_type;                  // empty: no such header
    str body;                          // in the request's arena, its out buffer, or static
    const struct http_header *headers; // more of them; may be NULL
    size_t header_count;
};
// Any thread, once.
void http_answer(struct http_request *request, struct http_answer answer);
// Any thread, at most once at a time: runs `serve` with the server's context on the request's loop
// thread, where it answers or waits again. So whoever completes a request (the writer) only posts,
// and the formatting of the answer happens beside its connection.
void http_continue(struct http_request *request, http_serve *serve);

// `hung` is called on the request's loop, at most once, if the client closes its side before the
// answer is complete (or just then): what is computed for it may be given up. The request must
// still be answered. On the loop; does nothing when the client has closed its side already, since
// that is how some say that their request is complete.
void http_on_hangup(struct http_request *request,
                    void (*hung)(void *context, struct http_request *request));

// ---- Answers without a length, pulled as fast as the client reads.

enum http_pull {
    HTTP_MORE,  // something was put into the buffer
    HTTP_WAIT,  // nothing now: wait for http_wake()
    HTTP_END,   // complete (what was put is sent first)
    HTTP_ABORT, // cannot be completed: the connection is cut so that the client notices
};

struct http_source {
    enum http_pull (*next)(void *context,
                           struct buf *buf); // buf is empty; some 64 KiB is a good size
    void (*close)(void *context);            // always called once, also when the client went away
    void *context;
};
// Any thread, once. `answer.body` is ignored. To a HEAD the source is closed without being asked,
// and the connection ends. A source that waits is cut when the client closes its side and when the
// server stops; `close` is called on the loop, before `done`.
void http_answer_stream(struct http_request *request, struct http_answer answer,
                        struct http_source source);
// Any thread, also spuriously, until `close` was called: a source that said HTTP_WAIT is asked
// again.
void http_wake(struct http_request *request);

// ---- WebSocket (RFC 6455), server side.

struct http_socket_calls {
    // The socket is open; keep it for waking and closing. Until `closed`.
    void (*opened)(void *context, struct http_socket *socket);
    // Puts the next text message to be sent into the empty `message`; HTTP_WAIT when there is none
    // now; HTTP_END closes with 1000; HTTP_ABORT with 1011. Called while the socket takes bytes.
    enum http_pull (*next)(void *context, struct buf *message);
    // A message of the client; `text` says it is text (and so valid UTF-8), else binary.
    void (*message)(void *context, bool text, str data);
    void (*closed)(void *context); // always called once, also when the upgrade failed
    void *context;
};
// In `head`. Checks the handshake and answers 101, or the error with the header's name: 400, 426
// with the version we speak, 503 when there are too many sockets.
void http_upgrade(struct http_request *request, struct http_socket_calls calls);
// Any thread, between `opened` and `closed`.
void http_socket_wake(struct http_socket *socket);
void http_socket_close(struct http_socket *socket, uint16_t code, str reason);

struct http_socket_stat {
    uint64_t open, opened_total, messages_sent, errors;
};
struct http_socket_stat http_socket_stat(const struct http_server *server);

// ---- Client: one request at a time on a connection that is kept alive. One thread.

struct http_client;
struct http_fetch {
    str method, url; // http:// or https://
    const struct http_header *headers;
    size_t header_count;
    str body;
    uint32_t timeout_ms; // of the whole exchange; 0: none
    // Called with pieces of the answer's body; false ends the exchange (which then is ALS_OK).
    bool (*sink)(void *context, str piece);
    void *context;
};

err http_client_new(struct http_client **ret_client, struct als_why *why);
void http_client_free(struct http_client *client);
AUTO_WITH(http_client, http_client_free)
// ALS_OK whatever the status; ALS_NOT_READY when the server cannot be reached, ALS_TIMEOUT.
err http_fetch(struct http_client *client, struct http_fetch fetch, int *ret_status,
               struct als_why *why);
