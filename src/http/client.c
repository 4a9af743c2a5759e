// SPDX-License-Identifier: Apache-2.0
// The client: a libcurl handle that is used again, and its words in ours.
#include "http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECT_MS_MAX = 10000, HEADER_BYTES_MAX = 8192 };

struct http_client {
    CURL *curl;
    char error[CURL_ERROR_SIZE];
    struct http_fetch fetch; // the one under way
    bool enough;             // its sink wants no more
};

static void init_library(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); // a failure shows in curl_easy_init()
}

err http_client_new(struct http_client **ret_client, struct als_why *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_library); // cannot fail with these arguments
    struct http_client *client = calloc(1, sizeof *client);
    if (!client || !(client->curl = curl_easy_init())) {
        free(client);
        return FAIL(why, ALS_NO_MEMORY, "no memory for an HTTP client");
    }
    *ret_client = client;
    return ALS_OK;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    free(client);
}

static size_t take_piece(char *bytes, size_t size, size_t count, void *context)
{
    struct http_client *client = context;
    size_t len = size * count;
    if (client->fetch.sink && !client->fetch.sink(client->fetch.context, (str){bytes, len}))
        client->enough = true;
    return client->enough ? 0 : len;
}

// NULL: out of memory, or a header too long.
static struct curl_slist *make_headers(const struct http_fetch *fetch)
{
    // libcurl would wait for "100 Continue" before each larger body.
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; list && i < fetch->header_count; i++) {
        char line[HEADER_BYTES_MAX];
        int len = snprintf(line, sizeof line, "%.*s: %.*s", STR(fetch->headers[i].name),
                           STR(fetch->headers[i].value));
        struct curl_slist *longer = len < HEADER_BYTES_MAX ? curl_slist_append(list, line) : NULL;
        if (!longer)
            curl_slist_free_all(list);
        list = longer;
    }
    return list;
}

static void set_request(struct http_client *client, const char *url, const char *method,
                        struct curl_slist *headers)
{
    CURL *curl = client->curl;
    const struct http_fetch *fetch = &client->fetch;
    curl_easy_reset(curl); // keeps the connections
    // None of these fails with arguments of the right type, save for memory, and then
    // curl_easy_perform() fails as well.
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); // nothing from the environment
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L); // a long answer's peer may vanish
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MAX);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)fetch->timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_piece);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    if (str_equal(fetch->method, S("HEAD"))) {
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        return;
    }
    if (fetch->body.len || str_equal(fetch->method, S("POST"))) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, fetch->body.ptr ? fetch->body.ptr : "");
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body.len);
    }
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static err explain(struct http_client *client, CURLcode code, const char *url, struct als_why *why)
{
    const char *detail = client->error[0] ? client->error : curl_easy_strerror(code);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return FAIL(why, ALS_NOT_READY, "could not connect to %s: %s", url, detail);
    case CURLE_OPERATION_TIMEDOUT:
        return FAIL(why, ALS_TIMEOUT, "no complete answer from %s: %s", url, detail);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return FAIL(why, ALS_INVALID_INPUT, "'%s' is not a URL: %s", url, detail);
    case CURLE_OUT_OF_MEMORY:
        return FAIL(why, ALS_NO_MEMORY, "for a request to %s", url);
    default:
        return FAIL(why, ALS_NOT_READY, "the exchange with %s failed: %s", url, detail);
    }
}

err http_fetch(struct http_client *client, struct http_fetch fetch, int *ret_status,
               struct als_why *why)
{
    char url[4096], method[32];
    int url_len = snprintf(url, sizeof url, "%.*s", STR(fetch.url));
    int method_len = snprintf(method, sizeof method, "%.*s", STR(fetch.method));
    if (url_len >= (int)sizeof url || method_len >= (int)sizeof method)
        return FAIL(why, ALS_INVALID_INPUT, "the URL or the method is too long");
    struct curl_slist *headers = make_headers(&fetch);
    if (!headers)
        return FAIL(why, ALS_NO_MEMORY, "for the headers of a request");
    client->fetch = fetch;
    client->enough = false;
    client->error[0] = '\0';
    set_request(client, url, method, headers);
    CURLcode code = curl_easy_perform(client->curl);
    long status = 0;
    (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status); // 0 when there is none
    (void)curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);         // before they are freed
    curl_slist_free_all(headers);
    if (code != CURLE_OK && !(client->enough && code == CURLE_WRITE_ERROR))
        return explain(client, code, url, why);
    *ret_status = (int)status;
    return ALS_OK;
}
