# SPDX-License-Identifier: Apache-2.0
# DuckDB, for the SQL worker and nothing else: one that is installed (-DDUCKDB_ROOT=), else the library
# and the header from two npm packages, fetched once for all presets into build/duckdb and checked.
# Without it everything else is built, and SQL answers 501 and says what to install.
option(ALLSOURCE_SQL "build allsource-sql, the SQL worker" ON)
set(DUCKDB_ROOT "" CACHE PATH "where DuckDB is installed: ROOT/include/duckdb.h, ROOT/lib/libduckdb.so")

set(duckdb_kept ${CMAKE_SOURCE_DIR}/build/duckdb)
set(duckdb_library_package @duckdb/node-bindings-linux-x64@1.5.6-r.1)
set(duckdb_header_package duckdb@1.4.4)
set(duckdb_sums
    "1b9f82478539bb9a1d1df44bd103121a12ae52142c07158dc52b97d2ec1d69ff duckdb-node-bindings-linux-x64-1.5.6-r.1.tgz"
    "5bb967dcbcd517670ba5f169f238fb9d6787e53752c60ebe24386169d76941ed duckdb-1.4.4.tgz"
    "3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633 libduckdb.so"
    "cbe6a827284375c5a646b8f27dbd3a00808ce8738b5bbb49c190cb1e08540281 duckdb.h")

# Sets `result` to whether FILE in DIRECTORY is the one whose sum stands above.
function(duckdb_check directory file result)
    set(${result} FALSE PARENT_SCOPE)
    if(EXISTS ${directory}/${file})
        file(SHA256 ${directory}/${file} sum)
        if("${sum} ${file}" IN_LIST duckdb_sums)
            set(${result} TRUE PARENT_SCOPE)
        else()
            message(WARNING "SQL: ${file} has the wrong SHA-256, ${sum}; it is not used")
        endif()
    endif()
endfunction()

# Two presets may be configured at once: all is made in a directory of its own and renamed.
function(duckdb_fetch)
    find_program(NPM npm)
    if(NOT NPM)
        message(WARNING "SQL: npm is missing (tools/setup installs it), so DuckDB cannot be fetched")
        return()
    endif()
    message(STATUS "SQL: fetching DuckDB, once")
    string(RANDOM LENGTH 8 suffix)
    set(making ${duckdb_kept}-${suffix})
    file(MAKE_DIRECTORY ${making})
    execute_process(COMMAND ${NPM} pack --silent ${duckdb_library_package} ${duckdb_header_package}
                    WORKING_DIRECTORY ${making} RESULT_VARIABLE code OUTPUT_QUIET ERROR_QUIET)
    duckdb_check(${making} duckdb-node-bindings-linux-x64-1.5.6-r.1.tgz library_good)
    duckdb_check(${making} duckdb-1.4.4.tgz header_good)
    if(code EQUAL 0 AND library_good AND header_good)
        file(ARCHIVE_EXTRACT INPUT ${making}/duckdb-node-bindings-linux-x64-1.5.6-r.1.tgz
             DESTINATION ${making} PATTERNS package/libduckdb.so)
        file(ARCHIVE_EXTRACT INPUT ${making}/duckdb-1.4.4.tgz DESTINATION ${making}
             PATTERNS package/LICENSE package/src/duckdb/src/include/duckdb.h)
        file(RENAME ${making}/package/libduckdb.so ${making}/libduckdb.so)
        file(RENAME ${making}/package/LICENSE ${making}/LICENSE)
        file(RENAME ${making}/package/src/duckdb/src/include/duckdb.h ${making}/duckdb.h)
        file(REMOVE_RECURSE ${making}/package ${making}/duckdb-1.4.4.tgz
             ${making}/duckdb-node-bindings-linux-x64-1.5.6-r.1.tgz)
        file(RENAME ${making} ${duckdb_kept} RESULT renamed) # fails when another was faster
    else()
        message(WARNING "SQL: DuckDB could not be fetched by `npm pack`")
    endif()
    file(REMOVE_RECURSE ${making})
endfunction()

set(duckdb_found FALSE)
if(ALLSOURCE_SQL AND NOT ALLSOURCE_SANITIZE MATCHES "thread" AND NOT ALLSOURCE_FUZZ)
    find_path(DUCKDB_INCLUDE duckdb.h HINTS ${DUCKDB_ROOT} PATH_SUFFIXES include)
    find_library(DUCKDB_LIBRARY duckdb HINTS ${DUCKDB_ROOT} PATH_SUFFIXES lib)
    if(DUCKDB_INCLUDE AND DUCKDB_LIBRARY)
        set(duckdb_include ${DUCKDB_INCLUDE})
        set(duckdb_library ${DUCKDB_LIBRARY})
        set(duckdb_found TRUE)
    elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
        if(NOT EXISTS ${duckdb_kept})
            duckdb_fetch()
        endif()
        duckdb_check(${duckdb_kept} libduckdb.so library_good)
        duckdb_check(${duckdb_kept} duckdb.h header_good)
        if(library_good AND header_good)
            set(duckdb_include ${duckdb_kept})
            set(duckdb_library ${duckdb_kept}/libduckdb.so)
            set(duckdb_found TRUE)
        endif()
    endif()
    if(NOT duckdb_found)
        message(WARNING "SQL is not built: no DuckDB. Everything else is; SQL answers 501. "
                        "Install DuckDB's C library and give -DDUCKDB_ROOT=, or let npm fetch it.")
    endif()
endif()

if(duckdb_found)
    add_library(DuckDB SHARED IMPORTED)
    set_target_properties(DuckDB PROPERTIES IMPORTED_LOCATION ${duckdb_library}
                                            IMPORTED_NO_SONAME FALSE)
    target_include_directories(DuckDB SYSTEM INTERFACE ${duckdb_include})
    set(outside_duck DuckDB Threads::Threads m)
endif()

# After the rooms are there: the worker program, and what is installed with it.
function(duckdb_worker)
    if(NOT TARGET room_duck)
        return()
    endif()
    add_executable(allsource-sql ${CMAKE_SOURCE_DIR}/cmd/allsource-sql/main.c)
    target_link_libraries(allsource-sql PRIVATE room_duck)
    set_target_properties(allsource-sql PROPERTIES
        INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}/allsource")
    foreach(program allsourced allsource)
        add_dependencies(${program} allsource-sql) # they start it
    endforeach()
    install(TARGETS allsource-sql)
    if(duckdb_library STREQUAL "${duckdb_kept}/libduckdb.so")
        install(FILES ${duckdb_library} DESTINATION ${CMAKE_INSTALL_LIBDIR}/allsource)
        install(FILES ${duckdb_kept}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME LICENSE.duckdb)
    endif()
endfunction()
