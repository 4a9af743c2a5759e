// SPDX-License-Identifier: Apache-2.0
// The desk: a thread for requests that take long, one after the other, so that no loop waits for
// them. Schemas are registered and compared there: comparing hostile ones takes seconds, and what
// is changed is synced.
#pragma once

#include "server/call.h"

// Hands the call to the desk: `work` runs on its thread and answers, as a handler would. When
// DESK_CALLS_MAX are waiting or the server stops, `refuse` answers at once. A client that goes away
// before its turn is not worked for. On the loop thread; the call is not the caller's any more.
typedef void desk_refuse(struct call *call, err code, const struct als_why *why);
void desk_do(struct call *call, void (*work)(struct call *call), desk_refuse *refuse);
