// SPDX-License-Identifier: Apache-2.0
#include "server/tenant.h"

#include "base/limits.h"
#include "http/http.h"

err tenant_of(struct call *call, str from_body, const struct params *params, str *ret_tenant,
              struct flaw *flaw)
{
    str tenant = S("default");
    TRY(param_text(params, S("tenant_id"), &tenant, flaw));
    if (from_body.ptr)
        tenant = from_body;
    bool from_header = http_has_header(call->request, S("X-Tenant-ID"));
    if (from_header)
        tenant = http_header(call->request, S("X-Tenant-ID"));

    struct als_why why;
    err code = als_check_tenant(tenant, &why);
    if (code) {
        (void)flaw_set(flaw, code, from_header ? S("X-Tenant-ID") : S("tenant_id"), "%s", why.text);
        flaw->limit = tenant.len > TENANT_BYTES_MAX ? TENANT_BYTES_MAX : 0;
        return code;
    }
    *ret_tenant = tenant;
    return ALS_OK;
}
