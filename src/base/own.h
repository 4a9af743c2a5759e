// SPDX-License-Identifier: Apache-2.0
// Who owns what, said in the code.
//
// A parameter is borrowed for the call unless its declaration says TAKES (the callee owns it, even
// when it fails) or KEEPS (the callee holds the pointer; the caller keeps it alive). A local that
// owns is AUTO(wal) and leaves the function by MOVE.
#pragma once

#include <stddef.h>

#define TAKES
#define KEEPS

// Beside the ender of a type: AUTO_WITH(wal, wal_close) lets locals say AUTO(wal) w = NULL;
#define AUTO_WITH(name, ender)                                                                     \
    static inline void auto_end_##name(struct name **held)                                         \
    {                                                                                              \
        ender(*held);                                                                              \
    }

#define AUTO(name) __attribute__((cleanup(auto_end_##name))) struct name *

// Hands the thing out and leaves NULL behind, so that the cleanup has nothing to end.
#define MOVE(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) moved_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        moved_;                                                                                    \
    })

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
