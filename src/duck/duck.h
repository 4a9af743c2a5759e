// SPDX-License-Identifier: Apache-2.0
// The SQL worker: the only code that knows DuckDB.
//
// A process of its own that the server starts, bounds and recycles. It serves one tenant for all
// its life, one question at a time, on the socket that is its standard input (sql/sql.h says what
// is spoken there). Before it reads the first question it has given away what it will not need:
// writing, other directories, the network, other programs, memory beyond its share.
//
// Defence, from the outside in; each layer holds if the one before it fails:
//   1. the server ends the process when its time is over or the client is gone;
//   2. limits of the kernel: memory, CPU time, no new privileges, system calls by allow-list, files
//      only below the tenant's directory (guard.c);
//   3. DuckDB's own locks: no external access but the tenant's directory, configuration locked;
//   4. before a query is prepared, its syntax tree is walked, and what is not known to be harmless
//      is refused (check.c, functions.def).
// docs/sql.md is what users read; ADR 0024 has the reasons.
#pragma once

// Arguments: bytes of memory, number of threads, the tenant's directory (absolute; "-" for a tenant
// that has none yet). Returns the exit code.
int duck_main(int count, char **words);
