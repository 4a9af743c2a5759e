// SPDX-License-Identifier: Apache-2.0
// What can be said of writing in any world.
#include "os/os.h"

err os_write_mapped(struct os *os, struct os_file *file, uint64_t offset, str bytes,
                    struct als_why *why)
{
    while (bytes.len) {
        str piece = str_first(bytes, MAPPED_PIECE_BYTES - offset % MAPPED_PIECE_BYTES);
        TRY(os_write_one(os, file, offset, piece, why));
        offset += piece.len;
        bytes = str_from(bytes, piece.len);
    }
    return ALS_OK;
}
