// SPDX-License-Identifier: Apache-2.0
// Values as a person likes to read them. Plain functions into a buffer.
#pragma once

#include "base/buf.h"
#include "base/str.h"

// JSON text that was checked, indented by two; spelling and order of its values stay. Characters
// that a terminal would obey are escaped.
void show_json(str json, struct buf *buf);

// One line of text, at most `columns` characters wide (the last is "…" when it was cut), padded
// with spaces to that width if `pad`. What a terminal would obey is replaced by "?".
void show_cell(str text, size_t columns, bool pad, struct buf *buf);
size_t show_width(str text); // characters

void show_count(uint64_t count, struct buf *buf);    // 1,234,567
void show_bytes(uint64_t bytes, struct buf *buf);    // 12.3 MB
void show_duration(double seconds, struct buf *buf); // 0.042 s, 12.3 s, 4:05 min, 1:02:03 h
