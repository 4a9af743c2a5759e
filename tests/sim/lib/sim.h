// SPDX-License-Identifier: Apache-2.0
// A simulated machine: a disk, a clock and entropy behind struct os, for tests that cut the power.
//
//   AUTO(sim) sim = sim_new(seed);
//   run_the_thing(sim_os(sim));
//   AUTO(sim) after = sim_crash(sim, seed, SIM_TORN); // a machine that has what survived
//   check(recover(sim_os(after)));
//
// The disk promises the least that POSIX allows. A file's bytes survive when file_sync() has
// returned, a name when dir_sync() of its directory has, and nothing else makes anything durable:
// creating a file does not keep its name, renaming it does not keep its bytes, and what is not
// synced may survive in part and in any order. A failed sync forgets what it should have written
// and calls it clean: the file still reads well, a second sync succeeds, and the bytes are on no
// disk. Passing here is harder than on any file system we know.
//
// Same seed, same calls: same run. One thread. Memory that runs out ends the program.
#pragma once

#include "os/os.h"

#include <stdio.h>

struct sim;

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *sim); // files, directories and mappings must be closed before
AUTO_WITH(sim, sim_free)

// The simulated world; lives as long as `sim`.
struct os *sim_os(struct sim *sim);

// ---- Crashes.

enum sim_crash {
    SIM_KILL,    // the process dies: the page cache lives on, with all that it still has to write
    SIM_DROP,    // the power fails: nothing that was not synced is kept
    SIM_PREFIX,  // of each file and directory the first few changes are kept
    SIM_SUBSET,  // any of the changes are kept
    SIM_TORN,    // any, and of each write any sectors; a lost one may still have grown the file
    SIM_CRASHES, // how many there are to draw from
    SIM_CHOSEN = SIM_CRASHES, // change i is kept when bit i of the seed is set
};
const char *sim_crash_name(enum sim_crash mode);

// A new machine with what survives of this one. The old one is not changed. Faults and the hook do
// not carry over, the capacity and the clock do.
struct sim *sim_crash(const struct sim *sim, uint64_t seed, enum sim_crash mode);
// How many changes await a sync: 2^n states are all there are.
size_t sim_pending(const struct sim *sim);
// Prints in later crashes of this machine what is kept and what is lost; NULL is silence.
void sim_set_tell(struct sim *sim, FILE *out);

// Called before each call that changes the disk (write, truncate, allocate, sync, create, rename,
// unlink, make directory, sync directory), with the call's name and the file's.
typedef void sim_hook(void *context, struct sim *sim, const char *call, str name);
void sim_set_hook(struct sim *sim, sim_hook *hook, void *context);
uint64_t sim_calls(const struct sim *sim); // such calls so far

// ---- Faults.

enum sim_fault {
    SIM_FAIL_SYNC = 1 << 0,
    SIM_FAIL_WRITE = 1 << 1,     // nothing is written
    SIM_FAIL_PART = 1 << 2,      // some of it is written
    SIM_FAIL_DIRECTORY = 1 << 3, // create, rename, unlink, make, sync of a directory
    SIM_FAIL_ALLOCATE = 1 << 4,
    SIM_FAIL_READ = 1 << 5, // reads, sizes and listings
    SIM_FAIL_MAP = 1 << 6,
    SIM_FAIL_OPEN = 1 << 7, // of files and directories
    SIM_FAIL_TRUNCATE = 1 << 8,
};
// The nth call (1 is the next) of any of `kinds` fails once, with `code`. One fault at a time.
void sim_fail(struct sim *sim, unsigned kinds, uint64_t nth, err code);
bool sim_fault_pending(const struct sim *sim); // false when it has happened
// Bytes that files may take together, in sectors of 512; 0 is no limit. What is reserved counts, a
// hole at the end does not.
void sim_set_capacity(struct sim *sim, uint64_t bytes);
uint64_t sim_space(const struct sim *sim); // taken now
void sim_heal(struct sim *sim);            // no fault, no limit

// ---- Rot. Bits of all files, one behind the other in a fixed order, as they lie on the disk.

uint64_t sim_bits(const struct sim *sim);
// Flips one on the disk and in the cache; tells which file when `ret_name` is not NULL.
void sim_flip(struct sim *sim, uint64_t bit, str *ret_name);

// ---- Clock. It stands still but for these.

void sim_advance_us(struct sim *sim, uint64_t us);
void sim_set_now_us(struct sim *sim, int64_t us); // the wall clock jumps
