// SPDX-License-Identifier: Apache-2.0
// A server at the other end: its address, the tenant, and what its errors say.
#pragma once

#include "base/buf.h"
#include "cli/verb.h"
#include "cli/words.h"
#include "http/http.h"

// What all verbs that talk to a server take; stands first in their structs.
struct remote_words {
    str url, tenant;
    bool json;
};
#define REMOTE_WORDS_INIT                                                                          \
    {                                                                                              \
        .url = { "http://127.0.0.1:8080", 21 }                                                     \
    }
#define REMOTE_FLAGS                                                                               \
    {"url",           "URL",                                                                       \
     FLAG_TEXT,       offsetof(struct remote_words, url),                                          \
     "ALLSOURCE_URL", "the server; default http://127.0.0.1:8080"},                                \
    {                                                                                              \
        "tenant", "NAME", FLAG_TEXT, offsetof(struct remote_words, tenant), "ALLSOURCE_TENANT",    \
            "whose events; default: default"                                                       \
    }

struct remote {
    struct cli *cli;
    struct http_client *http;
    str base; // without a '/' at its end
    str tenant;
    bool unreachable; // the last exchange ended without an answer
    bool sent;        // the last request may have reached the server
};

// Runs a verb with a server at the other end; `asked` begins with its remote_words.
int remote_run(struct cli *cli, const void *asked,
               int (*run)(struct remote *remote, const void *asked));

// ---- URLs

void url_begin(struct buf *url, const struct remote *remote, str path);
void url_segment(struct buf *url, str segment); // '/' and the segment, encoded
void url_parameter(struct buf *url, const char *name, str value);
void url_number(struct buf *url, const char *name, struct word_number number); // if it is given

// ---- Exchanges

struct remote_request {
    str method, url;
    str content_type, body; // empty: none
    str accept, last_event_id;
    uint32_t timeout_ms;
    bool (*sink)(void *context, str piece);
    void *context;
};
// ALS_OK whatever the status.
err remote_exchange(struct remote *remote, const struct remote_request *request, int *ret_status,
                    struct als_why *why);
// Gathers the answer in `body`. An answer of 400 and above is the error that its body tells; the
// body stays to be looked at.
err remote_call(struct remote *remote, struct remote_request request, struct buf *body,
                struct als_why *why);

// The code and words in an error's body; the words begin without the prefix of the code.
err remote_error(int status, str body, struct als_why *why);

// Tells the person what failed and, when nobody is there, what to do about it. EXIT_FAILED.
int remote_failed(struct remote *remote, err code, const struct als_why *why);

// ---- Answers

// An answer as a person likes to read it.
typedef void remote_show(struct cli *cli, str body, struct buf *text);

// The last step of a verb: tells what failed, or writes the answer, on a terminal by `show` (NULL:
// indented) unless JSON was asked for, else as it came, on one line. Returns the exit code.
int remote_end(struct remote *remote, err code, const struct als_why *why, str body, bool json,
               remote_show *show);

struct json_doc;
uint64_t answer_number(const struct json_doc *doc, str name); // 0 when there is none
