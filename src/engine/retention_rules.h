// SPDX-License-Identifier: Apache-2.0
// Rules of retention as their owner writes them:
// {"rules":[{"event_type":"log.*","max_count":...}]}.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

struct buf;

struct retention_rule {
    str types;                          // a type, or a prefix of types and a '*'
    uint64_t age_seconds, count, bytes; // 0: any
};

struct retention_rules {
    uint64_t number;    // of the setting that they are; whoever keeps them sets this and the next
    str json;           // the setting's
    struct arena arena; // of their texts
    size_t count;
    struct retention_rule items[];
};

struct retention_rules *retention_rules_new(void); // none; NULL: no memory
void retention_rules_free(struct retention_rules *rules);
AUTO_WITH(retention_rules, retention_rules_free)

// Adds those of `text`. ALS_INVALID_INPUT names the rule and its field.
err retention_rules_read(str text, struct retention_rules *rules, struct als_why *why);
// In one spelling, whatever they were read from.
void retention_rules_write(const struct retention_rules *rules, struct buf *buf);
