// SPDX-License-Identifier: Apache-2.0
// What the HTTP library calls; the context is the server.
#pragma once

#include "base/str.h"

struct http_request;

void entry_head(void *context, struct http_request *request);
void entry_whole(void *context, struct http_request *request);
void entry_done(void *context, struct http_request *request, int status, uint64_t duration_ns);
void entry_complain(void *context, const char *text);
