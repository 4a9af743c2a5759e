// SPDX-License-Identifier: Apache-2.0
// The pass for any x86-64.
#if defined(__x86_64__)
#define PASS_NAME json_pass_sse2
#include "json/sse2.h"

#include "json/pass_body.h"
#endif
