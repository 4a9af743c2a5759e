// SPDX-License-Identifier: Apache-2.0
// Which tenant a request is about.
#pragma once

#include "server/call.h"
#include "server/params.h"

// Header X-Tenant-ID, else `from_body` (ptr is NULL when the body names none), else the parameter
// tenant_id, else "default". The name is checked.
err tenant_of(struct call *call, str from_body, const struct params *params, str *ret_tenant,
              struct flaw *flaw);
