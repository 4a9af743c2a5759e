// SPDX-License-Identifier: Apache-2.0
// The parameter schema_version: in which version of their schema events are wanted.
#pragma once

#include "base/buf.h"
#include "server/params.h"

#include <allsource.h>

// "latest" or the number of a version; 0 when it is absent: as they were stored.
err shape_read(const struct params *params, uint32_t *ret_version, struct flaw *flaw);
// NULL for version 0.
err shape_open(struct als *als, str tenant, uint32_t version, struct als_upcaster **ret_upcaster,
               struct als_why *why);
// The Event object, by the upcaster unless it is NULL.
err shape_put(struct als_upcaster *upcaster, const struct als_event *event, struct buf *buf,
              struct als_why *why);
