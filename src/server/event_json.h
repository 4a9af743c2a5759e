// SPDX-License-Identifier: Apache-2.0
// The Event object of the wire, and its shorter form in a state's history.
#pragma once

#include "base/buf.h"

#include <allsource.h>

// id, event_type, entity_id, tenant_id, payload, timestamp, metadata, version, position,
// recorded_at: in this order, without white space; then schema_version if it passed one.
void event_json_put(struct buf *buf, const struct als_event *event);
// The same with the payload of the upcast, upcast_from when it was mapped and upcast_error when it
// could not be.
void event_json_put_upcast(struct buf *buf, const struct als_event *event,
                           const struct als_upcast *upcast);
// event_id, type, timestamp, payload.
void event_json_put_history(struct buf *buf, const struct als_event *event);
