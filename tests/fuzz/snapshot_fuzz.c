// SPDX-License-Identifier: Apache-2.0
// Any bytes as a file of snapshots. When the first byte is odd, checksums are made right, so that
// what lies behind them is reached.
//
// Whatever the file says, states are those of the log, lists and cleaning end, and new snapshots
// are taken.
#include "base/bytes.h"
#include "base/hash.h"
#include "snapshot/rig.h"

#include <assert.h>

enum { BYTES_MAX = 1 << 14, HEAD = 64, RECORD = 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_checksums_right(uint8_t *bytes, size_t size)
{
    if (size < HEAD)
        return;
    memcpy(bytes, "ALSNAP\r\n\1\0\0\0\100\0\0\0\1\0\0\0\0\0\0\0", 24);
    store_le32(bytes + HEAD - 4, crc32c(0, bytes, HEAD - 4));
    uint32_t salt = crc32c(0, bytes + 24, 8);
    for (size_t at = HEAD; at + RECORD <= size;) {
        uint64_t top = RECORD + (uint64_t)bytes[at + 13], json_len = load_le32(bytes + at + 4);
        if (top + json_len > size - at)
            break;
        store_le32(bytes + at + 8, crc32c(salt, bytes + at + top, json_len));
        store_le32(bytes + at, crc32c(salt, bytes + at + 4, top - 4));
        at += (top + json_len + 7) / 8 * 8;
        if (at > size)
            break;
    }
}

static void put_file(struct os *os, str bytes)
{
    struct os_dir *tenant = NULL, *dir = NULL;
    struct os_file *file = NULL;
    err code = os->dir_open(os, NULL, S("data"), true, &tenant, NULL);
    assert(code == ALS_OK);
    code = os->dir_open(os, tenant, S("snapshots"), true, &dir, NULL);
    assert(code == ALS_OK);
    code = os->file_open(dir, S("0000000000000001.snap"), OS_CREATE, &file, NULL);
    assert(code == ALS_OK);
    code = os_write_one(os, file, 0, bytes, NULL);
    assert(code == ALS_OK);
    os->file_close(file);
    os->dir_close(dir);
    os->dir_close(tenant);
}

static void look(struct rig *rig)
{
    static struct snapshot found[200];
    struct state_bounds bounds = {.entity = S("e"), .as_of_us = INT64_MAX};
    struct snapshot_page page = {.snapshots = found, .room = COUNT_OF(found)};
    size_t count;
    bool more;
    err code = rig_compare(rig, &bounds, NULL);
    assert(code == ALS_OK);
    code = snapshot_list(rig->snapshots, rig->state, &page, &count, &more, NULL);
    assert(code == ALS_OK);
    for (size_t i = 0; i < count; i++)
        assert(found[i].folded.position <= store_position(rig->store));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[BYTES_MAX];
    if (size < 1 || size > BYTES_MAX)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    if (data[0] & 1)
        make_checksums_right(bytes, size - 1);
    AUTO(sim) sim = sim_new(1);
    put_file(sim_os(sim), (str){(const char *)bytes, size - 1});
    struct snapshots_options options = SNAPSHOTS_OPTIONS_INIT;
    options.file_bytes = 1024;
    struct rig rig;
    err code = rig_open(&rig, sim, STORE_SYNC_EACH, options, NULL);
    assert(code == ALS_OK);
    code = rig_append(&rig, S("e"), S("{\"a\":1}"), 5, 1, NULL);
    assert(code == ALS_OK);
    look(&rig);
    struct snapshot made;
    for (int i = 0; i < 12; i++) {
        code = snapshot_make(rig.snapshots, rig.state, S("e"), 0, SNAPSHOT_MANUAL, &made, NULL);
        assert(code == ALS_OK);
    }
    while (snapshots_clean(rig.snapshots, NULL))
        continue;
    look(&rig);
    rig_close(&rig);
    return 0;
}
