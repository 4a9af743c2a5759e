// SPDX-License-Identifier: Apache-2.0
// JSON Pointers to nodes of a tape (RFC 6901).
#pragma once

#include "base/buf.h"
#include "json/json.h"

// The pointer from `ancestor` to `node`, which is it or below it; keys are unescaped.
void location_put(const struct json_doc *doc, const struct json_node *ancestor,
                  const struct json_node *node, struct buf *buf);
// The same path with dots, "a.0.b.", for messages.
void location_put_dotted(const struct json_doc *doc, const struct json_node *node, struct buf *buf);
// One token, '~' and '/' escaped.
void location_put_token(str token, struct buf *buf);
