// SPDX-License-Identifier: Apache-2.0
// Planted bugs: the proof that the crash tests would notice.
//
// if (MUTANT(ACK_BEFORE_SYNC)) stands where leaving out a step would be a real bug. In ordinary
// builds it is the constant false; with -DALLSOURCE_MUTANTS=1 (tests only) the driver switches one
// on at a time and demands that some seed catches it.
#pragma once

#include <stdbool.h>

enum mutant {
    MUTANT_NONE,
#define X(name, what) MUTANT_##name,
#include "base/mutant.def"
#undef X
    MUTANTS,
    MUTANT_STORE_FIRST = MUTANT_STORE_VERSION_OF_PUBLISHED, // before it: those of os and wal
    MUTANT_STORE_LAST = MUTANT_STORE_CONDITION_BLIND,
    MUTANT_SEAL_FIRST = MUTANT_STORE_FORGETS_PARTS,
    MUTANT_SEAL_LAST = MUTANT_RETAIN_FORGETS_DROPPED,
    MUTANT_SNAPSHOT_FIRST = MUTANT_SNAPSHOT_CHECKSUM_IGNORED,
    MUTANT_SNAPSHOT_LAST = MUTANT_SNAPSHOT_FORGET_LOST,
    MUTANT_BACKUP_FIRST = MUTANT_COPY_BYTES_NOT_SYNCED,
    MUTANT_BACKUP_LAST = MUTANT_RESTORE_NAME_NOT_SYNCED,
};

#ifdef ALLSOURCE_MUTANTS
extern enum mutant mutant_active;
#define MUTANT(name) (mutant_active == MUTANT_##name)
#else
#define MUTANT(name) false
#endif

const char *mutant_name(enum mutant mutant);
