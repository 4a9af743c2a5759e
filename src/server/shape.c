// SPDX-License-Identifier: Apache-2.0
#include "server/shape.h"

#include "server/event_json.h"

err shape_read(const struct params *params, uint32_t *ret_version, struct flaw *flaw)
{
    str text = {NULL, 0};
    uint64_t number = 0;
    TRY(param_text(params, S("schema_version"), &text, flaw));
    if (text.ptr && str_equal(text, S("latest")))
        number = ALS_SCHEMA_LATEST;
    else if (text.ptr && (!str_to_u64(text, &number) || number == 0 || number >= ALS_SCHEMA_LATEST))
        return flaw_set(flaw, ALS_BAD_PARAMETER, S("schema_version"),
                        "`schema_version` is \"latest\" or the number of a version, from 1");
    *ret_version = (uint32_t)number;
    return ALS_OK;
}

err shape_open(struct als *als, str tenant, uint32_t version, struct als_upcaster **ret_upcaster,
               struct als_why *why)
{
    *ret_upcaster = NULL;
    return version ? als_upcaster_open(als, tenant, version, ret_upcaster, why) : ALS_OK;
}

err shape_put(struct als_upcaster *upcaster, const struct als_event *event, struct buf *buf,
              struct als_why *why)
{
    struct als_upcast upcast;
    if (!upcaster) {
        event_json_put(buf, event);
        return ALS_OK;
    }
    TRY(als_upcaster_event(upcaster, event, &upcast, why));
    event_json_put_upcast(buf, event, &upcast);
    return ALS_OK;
}
