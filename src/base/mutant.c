// SPDX-License-Identifier: Apache-2.0
#include "base/mutant.h"

#ifdef ALLSOURCE_MUTANTS
enum mutant mutant_active;
#endif

const char *mutant_name(enum mutant mutant)
{
    static const char *const names[] = {
        "none",
#define X(name, what) #name,
#include "base/mutant.def"
#undef X
    };
    return names[mutant];
}
