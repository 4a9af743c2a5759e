// SPDX-License-Identifier: Apache-2.0
// The Event object of the wire, and its shorter form in a state's history.
#pragma once

#include "base/buf.h"

#include <allsource/types.h>

// id, event_type, entity_id, tenant_id, payload, timestamp, metadata, version, position,
// recorded_at: in this order, without white space.
void event_json_put(struct buf *buf, const struct als_event *event);
// event_id, type, timestamp, payload.
void event_json_put_history(struct buf *buf, const struct als_event *event);
