// SPDX-License-Identifier: Apache-2.0
// The pass for any processor.
#define PASS_NAME json_pass_portable
#include "json/portable.h"

#include "json/pass_body.h"
