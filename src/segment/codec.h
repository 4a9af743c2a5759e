// SPDX-License-Identifier: Apache-2.0
// Compression of pages: zstd in both directions, snappy for reading.
#pragma once

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

enum codec { CODEC_NONE = 0, CODEC_SNAPPY = 1, CODEC_ZSTD = 6 }; // Parquet's numbers

struct packer_zstd;
struct packer_zstd *packer_zstd_new(int level); // NULL: no memory
void packer_zstd_free(struct packer_zstd *packer);
size_t codec_bound(size_t len);
// The bytes written, or 0 when it failed.
size_t packer_zstd_pack(struct packer_zstd *packer, str source, void *target, size_t room);

struct unpacker;
struct unpacker *unpacker_new(void); // NULL: no memory
void unpacker_free(struct unpacker *unpacker);
AUTO_WITH(unpacker, unpacker_free)
// True when the source unpacks to exactly `len` bytes.
bool unpacker_unpack(struct unpacker *unpacker, enum codec codec, str source, void *target,
                     size_t len);
