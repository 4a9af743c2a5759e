// SPDX-License-Identifier: Apache-2.0
// The client, against the server of the rig.
#include "rig.h"

static void two_connections(struct http_options *options)
{
    options->connections_max = 2;
}

static bool keep_piece(void *context, str piece)
{
    buf_put_str(context, piece);
    return true;
}

static bool refuse_piece(void *context, str piece)
{
    (void)context, (void)piece;
    return false;
}

TEST(client_exchanges_on_one_connection)
{
    AUTO(rig) rig = rig_start(two_connections);
    AUTO(http_client) client = NULL;
    CHECK_OK(http_client_new(&client, NULL));
    struct buf body;
    buf_init(&body, 1 << 20);
    char url[64];
    struct http_header header = {S("X-Thing"), S("42")};
    struct http_fetch fetch = {.headers = &header,
                               .header_count = 1,
                               .timeout_ms = 5000,
                               .sink = keep_piece,
                               .context = &body};
    int status = 0;
    for (int i = 0; i < 20; i++) { // more than there could be connections
        buf_reset(&body);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/%s", rig->port, i % 2 ? "header" : "later");
        fetch.url = str_of(url);
        fetch.method = i % 2 ? S("GET") : S("POST");
        fetch.body = i % 2 ? S("") : S("abcdef");
        CHECK_OK(http_fetch(client, fetch, &status, NULL));
        CHECK_EQUAL(200, status);
        CHECK_STR(i % 2 ? S("42") : S("6 bytes"), buf_str(&body));
    }
    fetch.method = S("HEAD");
    fetch.body = S("");
    CHECK_OK(http_fetch(client, fetch, &status, NULL));
    snprintf(url, sizeof url, "http://127.0.0.1:%u/numbers?1000000", rig->port);
    fetch.url = str_of(url);
    fetch.method = S("GET");
    fetch.sink = refuse_piece;
    CHECK_OK(http_fetch(client, fetch, &status, NULL));
    CHECK_EQUAL(200, status);
    buf_deinit(&body);
}

TEST(client_says_what_went_wrong)
{
    AUTO(rig) rig = rig_start(NULL);
    AUTO(http_client) client = NULL;
    CHECK_OK(http_client_new(&client, NULL));
    struct als_why why;
    int status;
    char url[64];
    // A port that nobody listens on: one that was bound a moment ago.
    AUTO(rig) other = rig_start(NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", other->port);
    rig_stop(MOVE(other));
    struct http_fetch fetch = {.method = S("GET"), .url = str_of(url)};
    CHECK_ERR(ALS_NOT_READY, http_fetch(client, fetch, &status, &why));
    CHECK(str_starts(str_of(why.text), S("could not connect to http://127.0.0.1:")));
    snprintf(url, sizeof url, "http://127.0.0.1:%u/wait", rig->port);
    fetch.url = str_of(url);
    fetch.timeout_ms = 100;
    CHECK_ERR(ALS_TIMEOUT, http_fetch(client, fetch, &status, &why));
    fetch.url = S("ftp://127.0.0.1/");
    CHECK_ERR(ALS_INVALID_INPUT, http_fetch(client, fetch, &status, &why));
    fetch.url = S("http://");
    CHECK_ERR(ALS_INVALID_INPUT, http_fetch(client, fetch, &status, &why));
}
