// SPDX-License-Identifier: Apache-2.0
// The roof of `allsource-sql`: one tenant's SQL, in a process that may be lost.
#include "duck/duck.h"

int main(int count, char **words)
{
    return duck_main(count, words);
}
