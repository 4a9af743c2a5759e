// SPDX-License-Identifier: Apache-2.0
// The head of a request, checked more strictly than the library does.
#pragma once

#include "request.h"

enum { HEADERS_MAX = 100 };

// Copies method, target and headers into the request and checks them. ALS_OK, or what to refuse
// the request with; `why` has the detail.
err head_read(struct http_request *request, const char *method, const char *version,
              struct als_why *why);
