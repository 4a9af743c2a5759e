// SPDX-License-Identifier: Apache-2.0
// What WebSocket and Server-Sent Events streams share: where they begin and what passes.
#pragma once

#include "server/call.h"
#include "server/filter.h"

struct stream_start {
    struct als_follow follow; // without its wake
    struct filter filter;     // the follow points into it
    uint32_t schema_version;  // the shape that payloads are wanted in; 0: as they were stored
};

// Filters entity_id and event_type, tenant, from_position (events behind it; 0: from the beginning;
// absent: new ones only), schema_version.
err stream_start_read(struct call *call, struct stream_start *start, struct flaw *flaw);

// Whether another stream may be opened; both kinds count together. The server's lock is held.
bool stream_has_room(const struct server *server);
err stream_no_room(const struct server *server, struct flaw *flaw); // fills the flaw
