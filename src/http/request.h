// SPDX-License-Identifier: Apache-2.0
// A request from its first line to its answer.
#pragma once

#include "loop.h"

// Who may touch a request. SERVING: its loop. WAITING: its connection is suspended, and the thread
// that will answer holds it. TOLD: somebody has answered or asked to continue; the loop again.
enum stage { STAGE_SERVING, STAGE_WAITING, STAGE_TOLD };

struct http_request {
    struct loop *loop;
    struct http_request *next, **at; // in the loop's list of open ones, or in its pool
    struct MHD_Connection *connection;
    struct peer *peer;

    str target; // as sent
    const char *target_at;
    str method, path, query;
    struct http_header *headers;
    size_t header_count;
    uint64_t content_length;
    uint64_t body_taken;
    bool has_body, chunked;

    struct arena arena;
    struct buf body, out;
    void *user;
    http_chunk *chunk;
    bool begun;       // the handlers know it
    bool dropping;    // what is left of the body is read and forgotten
    bool owed;        // a chunk has handed it to another thread, which will answer
    bool dead;        // the connection is gone, but the request is still owed
    bool ended;       // only a letter about it is still under way
    bool broken;      // cannot be answered: the connection is closed
    bool close_after; // no further request on this connection
    uint64_t begin_ns;

    _Atomic enum stage stage;
    struct letter told;
    void (*hung)(void *context, struct http_request *request); // of peer->heeded
    http_serve *go_on;                                         // from http_continue()
    struct MHD_Response *response;
    int status;

    bool streaming; // source.close has yet to be called
    bool stream_waits, stream_ended, stream_broken;
    struct http_source source;
    size_t piece_at; // how much of `out` has been handed over
    struct letter woken;

    bool upgrading; // calls.closed has yet to be called, by us
    struct http_socket_calls calls;
};

// Callbacks of the daemon; the context is the loop.
void *request_line(void *context, const char *target, struct MHD_Connection *connection);
size_t request_unescape(void *context, struct MHD_Connection *connection, char *text);
enum MHD_Result request_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **request_context);
void request_completed(void *context, struct MHD_Connection *connection, void **request_context,
                       enum MHD_RequestTerminationCode how);

// Answers with the JSON body of an error of our own and closes the connection afterwards. On the
// loop, while the request is SERVING.
void request_refuse(struct http_request *request, err code, const char *detail);
// The body of such an error.
void request_print_error(struct buf *buf, const struct http_options *options, err code,
                         const char *detail);
// Somebody has decided; any thread.
void request_tell(struct http_request *request);
// Adds what every answer carries, and makes it the request's. Any thread. NULL breaks it.
void request_respond(struct http_request *request, TAKES struct MHD_Response *response,
                     const struct http_answer *answer);

ssize_t stream_read(void *context, uint64_t position, char *space, size_t size);
void stream_woken(struct letter *letter);
void stream_close(struct http_request *request);
void stream_cut(struct http_request *request); // one that waits; its client is gone

// Back to the pool.
void request_give(struct http_request *request);

// When the loop stops: streams that wait are cut; later, whatever is still open.
void requests_stop_waiting(struct loop *loop);
void requests_cut(struct loop *loop);
void requests_free(struct loop *loop);
