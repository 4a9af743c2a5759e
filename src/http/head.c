// SPDX-License-Identifier: Apache-2.0
// What may not reach a handler: anything that two HTTP parsers could read differently (request
// smuggling), and anything too long.
//
// libmicrohttpd parses a head in place and writes NULs over the separators, so the head still lies
// in one piece in front of us, "GET\0/a?b\0HTTP/1.1\0\0Host\0 example\0\0\0\0". We walk over it
// with the names and values it has found and see whether nothing but the right number of
// separators lies between them. That shows what its interface hides: a line that ended in a bare
// LF, a folded line, a second space, a NUL, a header without a name. If another version lays the
// head out differently, every request is refused and the first test says so.
#include "head.h"

#include <strings.h>

static bool is_token(str text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return text.len > 0;
}

static bool is_field_text(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_target_text(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= 0x20 || c == 0x7f || c == '#')
            return false;
    }
    return text.len > 0;
}

// ---- The walk.

struct walk {
    struct http_request *request;
    const char *begin; // where the daemon has the head
    const char *copy;  // where we have it
    size_t size, at;   // everything before `at` has been accounted for
    bool broken;
};

// `count` NULs, where the daemon found separators.
static void pass_ends(struct walk *walk, size_t count)
{
    for (; count > 0; count--)
        if (walk->at >= walk->size || walk->begin[walk->at++] != '\0')
            walk->broken = true;
}

static str pass_text(struct walk *walk, const char *text, size_t len)
{
    if (walk->broken || text != walk->begin + walk->at || len > walk->size - walk->at) {
        walk->broken = true;
        return (str){NULL, 0};
    }
    str copied = {walk->copy + walk->at, len};
    walk->at += len;
    return copied;
}

static enum MHD_Result pass_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t value_len)
{
    struct walk *walk = context;
    struct http_request *request = walk->request;
    (void)kind;
    struct http_header *header = &request->headers[request->header_count++];
    header->name = pass_text(walk, name, name_len);
    pass_ends(walk, 1); // the colon
    while (!walk->broken && walk->at < walk->size &&
           (walk->begin[walk->at] == ' ' || walk->begin[walk->at] == '\t'))
        walk->at++;
    header->value = str_trim(value_len ? pass_text(walk, value, value_len) : S(""));
    pass_ends(walk, 2); // CR LF
    walk->broken = walk->broken || !is_token(header->name) || !is_field_text(header->value);
    return walk->broken ? MHD_NO : MHD_YES;
}

static err walk_head(struct http_request *request, const char *method, const char *version,
                     size_t size, struct als_why *why)
{
    struct walk walk = {.request = request, .begin = method, .size = size};
    char *copy = arena_alloc(&request->arena, size);
    size_t count =
        (size_t)MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, NULL, NULL);
    if (count > HEADERS_MAX)
        return FAIL(why, ALS_HEADERS_TOO_LARGE, "more than %d header lines", HEADERS_MAX);
    request->headers = ARENA_ARRAY(&request->arena, struct http_header, count);
    if (!copy || !request->headers)
        return FAIL(why, ALS_HEADERS_TOO_LARGE, "the request's memory is full");
    memcpy(copy, method, size);
    walk.copy = copy;

    request->method = pass_text(&walk, method, strlen(method));
    pass_ends(&walk, 1);
    // The daemon cut the target at its '?' and '&', so it is compared by place, not by text.
    (void)pass_text(&walk, request->target_at, request->target.len);
    pass_ends(&walk, 1);
    str spoken = pass_text(&walk, version, strlen(version));
    pass_ends(&walk, 2);
    if (walk.broken || !is_token(request->method))
        return FAIL(why, ALS_BAD_REQUEST, "the request line is malformed");
    if (!str_equal(spoken, S("HTTP/1.1")) && !str_equal(spoken, S("HTTP/1.0")))
        return FAIL(why, ALS_BAD_REQUEST, "HTTP/1.1 is spoken here");
    (void)MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, pass_header, &walk);
    pass_ends(&walk, 2); // the empty line
    if (walk.broken || walk.at != walk.size || request->header_count != count)
        return FAIL(why, ALS_BAD_REQUEST, "a header line is malformed");
    request->close_after = str_equal(spoken, S("HTTP/1.0"));
    return ALS_OK;
}

// ---- The target.

static err split_target(struct http_request *request, struct als_why *why)
{
    str target = request->target;
    if (!is_target_text(target))
        return FAIL(why, ALS_BAD_REQUEST, "the request target is malformed");
    // The absolute form is for proxies, but a server has to understand it (RFC 9112, 3.2.2).
    if (target.len > 7 && strncasecmp(target.ptr, "http://", 7) == 0) {
        str behind = str_from(target, 7);
        target = str_from(behind, str_find(behind, '/'));
        if (target.len == 0)
            target = S("/");
    }
    bool star = str_equal(target, S("*")) && str_equal(request->method, S("OPTIONS"));
    if (target.ptr[0] != '/' && !star)
        return FAIL(why, ALS_BAD_REQUEST, "the request target does not begin with '/'");
    request->query = target;
    request->path = str_cut(&request->query, '?');
    return ALS_OK;
}

// ---- The headers that decide where a request ends and for whom it is.

static size_t count_header(const struct http_request *request, str name)
{
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++)
        count += request->headers[i].name.len == name.len &&
                 strncasecmp(request->headers[i].name.ptr, name.ptr, name.len) == 0;
    return count;
}

static bool is_host(str host)
{
    str rest;
    if (str_starts(host, S("["))) {
        size_t end = str_find(host, ']');
        if (end == host.len)
            return false;
        for (size_t i = 1; i < end; i++)
            if (!strchr("0123456789abcdefABCDEF:.", host.ptr[i]))
                return false;
        rest = str_from(host, end + 1);
    } else {
        str name = str_first(host, str_find(host, ':'));
        for (size_t i = 0; i < name.len; i++)
            if (strchr("/?#@\\\"<>^`{|} \t[],", name.ptr[i]))
                return false;
        rest = str_from(host, name.len);
        if (name.len == 0 && host.len > 0)
            return false;
    }
    if (rest.len == 0)
        return true;
    uint64_t port;
    str number = str_from(rest, 1);
    return rest.ptr[0] == ':' && (number.len == 0 || (str_to_u64(number, &port) && port < 65536));
}

static err check_framing(struct http_request *request, struct als_why *why)
{
    bool old = request->close_after; // HTTP/1.0
    size_t hosts = count_header(request, S("Host"));
    if (hosts > 1 || (hosts == 0 && !old) || !is_host(http_header(request, S("Host"))))
        return FAIL(why, ALS_BAD_REQUEST, "Host is missing, repeated or malformed");
    size_t lengths = count_header(request, S("Content-Length"));
    size_t codings = count_header(request, S("Transfer-Encoding"));
    if (lengths > 1 || codings > 1 || (lengths && codings) || (old && codings))
        return FAIL(why, ALS_BAD_REQUEST, "the length of the body is ambiguous");
    str length = http_header(request, S("Content-Length"));
    if (lengths && !str_to_u64(length, &request->content_length))
        return FAIL(why, ALS_BAD_REQUEST, "Content-Length is not a number");
    str coding = http_header(request, S("Transfer-Encoding"));
    if (codings && (coding.len != 7 || strncasecmp(coding.ptr, "chunked", 7) != 0))
        return FAIL(why, ALS_BAD_REQUEST, "the only Transfer-Encoding is chunked");
    request->chunked = codings > 0;
    request->has_body = request->chunked || request->content_length > 0;
    return ALS_OK;
}

err head_read(struct http_request *request, const char *method, const char *version,
              struct als_why *why)
{
    const struct http_options *options = &request->loop->server->options;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t size = info ? info->header_size : 0;
    if (request->target.len > options->header_bytes_max / 2)
        return FAIL(why, ALS_URI_TOO_LONG, "more than %llu bytes",
                    (unsigned long long)options->header_bytes_max / 2);
    if (size > options->header_bytes_max)
        return FAIL(why, ALS_HEADERS_TOO_LARGE, "more than %llu bytes",
                    (unsigned long long)options->header_bytes_max);
    TRY(walk_head(request, method, version, size, why));
    TRY(split_target(request, why));
    TRY(check_framing(request, why));
    if (request->content_length > options->body_bytes_max)
        return FAIL(why, ALS_BODY_TOO_LARGE, "more than %llu bytes",
                    (unsigned long long)options->body_bytes_max);
    return ALS_OK;
}

// ---- What the handlers ask.

str http_method(const struct http_request *request)
{
    return request->method;
}

str http_path(const struct http_request *request)
{
    return request->path;
}

str http_query(const struct http_request *request)
{
    return request->query;
}

static const struct http_header *find_header(const struct http_request *request, str name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (header->name.len == name.len && strncasecmp(header->name.ptr, name.ptr, name.len) == 0)
            return header;
    }
    return NULL;
}

str http_header(const struct http_request *request, str name)
{
    const struct http_header *header = find_header(request, name);
    return header ? header->value : S("");
}

bool http_has_header(const struct http_request *request, str name)
{
    return find_header(request, name) != NULL;
}
