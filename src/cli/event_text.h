// SPDX-License-Identifier: Apache-2.0
// Events as text: the Event object of the wire contract, and the row of a table made of one.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "cli/table.h"

enum { EVENT_COLUMNS = 6 };
extern const struct table_column event_columns[EVENT_COLUMNS];

// The same text that a server gives for this event, without a line's end.
void event_json(const struct als_event *event, struct buf *buf);

// Fills the cells from an Event object; false when the text is none. The cells live in the text
// and the arena.
bool event_cells(str json, struct arena *arena, str cells[static EVENT_COLUMNS]);
