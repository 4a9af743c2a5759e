// SPDX-License-Identifier: Apache-2.0
// CRC-32 of gzip, the checksum of Parquet's pages (polynomial 0x04c11db7, reflected).
#pragma once

#include <stddef.h>
#include <stdint.h>

uint32_t crc32_of(const void *bytes, size_t len);
uint32_t crc32_portable(uint32_t crc, const void *bytes, size_t len); // for the test
