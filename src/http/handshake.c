// SPDX-License-Identifier: Apache-2.0
// From HTTP to WebSocket (RFC 6455, section 4.2).
//
// The daemon keeps an upgraded connection, its 32 KiB and a place in a list that it walks at every
// resume until told that the application is through with it. So we take a second descriptor of
// the socket and say so at once; from then on the connection is the socket loop's alone.
#include "request.h"
#include "socket.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <strings.h>
#include <unistd.h>

enum { KEY_LEN = 24, KEY_BYTES = 16, SHA1_BYTES = 20, ACCEPT_LEN = 28 };

static bool equal_fold(str a, str b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

// Whether a comma-separated header, which may be repeated, has the word.
static bool lists(const struct http_request *request, str name, str word)
{
    for (size_t i = 0; i < request->header_count; i++) {
        str rest = request->headers[i].value;
        while (equal_fold(request->headers[i].name, name) && rest.len > 0)
            if (equal_fold(str_trim(str_cut(&rest, ',')), word))
                return true;
    }
    return false;
}

// 16 bytes in canonical base64.
static bool is_key(str key)
{
    unsigned char bytes[KEY_LEN];
    char again[KEY_LEN + 1];
    if (key.len != KEY_LEN || !str_ends(key, S("==")) || key.ptr[KEY_LEN - 3] == '=')
        return false;
    if (EVP_DecodeBlock(bytes, (const unsigned char *)key.ptr, KEY_LEN) != KEY_BYTES + 2)
        return false;
    (void)EVP_EncodeBlock((unsigned char *)again, bytes, KEY_BYTES); // cannot fail
    return memcmp(again, key.ptr, KEY_LEN) == 0;
}

static bool make_accept(str key, char accept[static ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3
    char text[KEY_LEN + sizeof guid - 1];
    memcpy(text, key.ptr, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof guid - 1);
    unsigned char digest[SHA1_BYTES];
    unsigned len = sizeof digest;
    if (EVP_Digest(text, sizeof text, digest, &len, EVP_sha1(), NULL) != 1)
        return false;
    return EVP_EncodeBlock((unsigned char *)accept, digest, SHA1_BYTES) == ACCEPT_LEN;
}

static void refuse(struct http_request *request, err code, const char *detail)
{
    static const struct http_header version = {{"Sec-WebSocket-Version", 21}, {"13", 2}};
    struct buf *out = http_out(request);
    buf_reset(out);
    request_print_error(out, &request->loop->server->options, code, detail);
    http_answer(request, (struct http_answer){.status = err_http(code),
                                              .content_type = S("application/json"),
                                              .body = buf_str(out),
                                              .headers = &version,
                                              .header_count = code == ALS_UPGRADE_REQUIRED});
}

static err check(const struct http_request *request, struct als_why *why)
{
    if (!str_equal(request->method, S("GET")))
        return FAIL(why, ALS_METHOD_NOT_ALLOWED, "a WebSocket is opened by GET");
    if (!lists(request, S("Connection"), S("upgrade")))
        return FAIL(why, ALS_BAD_REQUEST, "Connection does not name upgrade");
    if (!lists(request, S("Upgrade"), S("websocket")))
        return FAIL(why, ALS_BAD_REQUEST, "Upgrade does not name websocket");
    if (!str_equal(http_header(request, S("Sec-WebSocket-Version")), S("13")))
        return FAIL(why, ALS_UPGRADE_REQUIRED, "Sec-WebSocket-Version is not 13");
    if (!is_key(http_header(request, S("Sec-WebSocket-Key"))))
        return FAIL(why, ALS_BAD_REQUEST, "Sec-WebSocket-Key is not 16 bytes in base64");
    if (request->has_body || request->close_after)
        return FAIL(why, ALS_BAD_REQUEST, "a handshake is HTTP/1.1 and has no body");
    return ALS_OK;
}

// 101 has been sent.
static void upgraded(void *context, struct MHD_Connection *connection, void *request_context,
                     const char *extra, size_t extra_size, MHD_socket fd,
                     struct MHD_UpgradeResponseHandle *handle)
{
    struct http_request *request = context;
    (void)connection, (void)request_context;
    loop_unwatch(request->loop, fd);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct peer *peer = own >= 0 ? peer_move(request->peer, own) : NULL;
    if (peer) {
        request->upgrading = false;
        socket_open(request->loop->server->sockets, own, peer, request->calls,
                    (str){extra, extra_size});
    } else if (own >= 0) {
        (void)close(own); // and the client sees its connection end
    }
    (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE); // its descriptor only
    request->loop->again = true;
}

void http_upgrade(struct http_request *request, struct http_socket_calls calls)
{
    struct http_server *server = request->loop->server;
    struct als_why why;
    err code = check(request, &why);
    if (code == ALS_OK && !socket_reserve(server->sockets))
        code = FAIL(&why, ALS_QUEUE_FULL, "too many open streams");
    char accept[ACCEPT_LEN + 1];
    struct MHD_Response *response = NULL;
    if (code == ALS_OK && make_accept(http_header(request, S("Sec-WebSocket-Key")), accept))
        response = MHD_create_response_for_upgrade(upgraded, request);
    if (!response) {
        if (code == ALS_OK)
            socket_unreserve(server->sockets);
        refuse(request, code == ALS_OK ? ALS_NO_MEMORY : code,
               code == ALS_OK ? "for a socket" : why.text);
        calls.closed(calls.context);
        return;
    }
    // Only a lack of memory can make these fail; the client then sees a handshake it must refuse.
    (void)MHD_add_response_header(response, "Upgrade", "websocket");
    (void)MHD_add_response_header(response, "Sec-WebSocket-Accept", accept);
    request->calls = calls;
    request->upgrading = true;
    request->status = MHD_HTTP_SWITCHING_PROTOCOLS;
    request->response = response;
    request_tell(request);
}
