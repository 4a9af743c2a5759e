// SPDX-License-Identifier: Apache-2.0
// Folds: what events add up to. The state of an entity is the shallow merge of its payloads.
//
// A fold is begun empty or from a saved one (its own JSON, so that snapshots slot in), takes
// payloads in order, and is printed. It borrows the payloads' bytes until it is reset.
// Threads: one.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

struct fold;

struct fold *fold_new(void); // NULL: no memory
void fold_free(struct fold *fold);
AUTO_WITH(fold, fold_free)
void fold_reset(struct fold *fold);

// Merges a checked, minified JSON text: each top-level member replaces the one of that key; a text
// that is no object changes nothing. ALS_TOO_LARGE when the state has too many keys.
err fold_apply(struct fold *fold, str payload, struct als_why *why);

// The state as one object, keys in the order in which they first came.
void fold_print(const struct fold *fold, struct buf *buf);
