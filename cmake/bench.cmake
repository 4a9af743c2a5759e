# SPDX-License-Identifier: Apache-2.0
# The benchmarks: allsource-bench beside the server that it starts, and json_bench.

add_executable(allsource-bench bench/bench.c bench/table.c bench/workload.c bench/ingest.c bench/schemas.c
                               bench/reads.c bench/latency.c bench/http_load.c bench/http.c
                               bench/space.c bench/index_file.c bench/snapshots.c bench/sealing.c
                               bench/history.c bench/history_reads.c bench/history_memory.c bench/analytics.c
                               bench/compaction.c)
target_include_directories(allsource-bench PRIVATE ${CMAKE_SOURCE_DIR})
target_link_libraries(allsource-bench PRIVATE room_engine)
target_link_options(allsource-bench PRIVATE ${lto_link})
add_executable(json_bench EXCLUDE_FROM_ALL bench/json_bench.c)
target_link_libraries(json_bench PRIVATE room_json)
add_executable(segment_bench EXCLUDE_FROM_ALL bench/segment_bench.c)
target_link_libraries(segment_bench PRIVATE room_segment room_json)
if(TARGET room_duck)
    add_executable(sql_bench EXCLUDE_FROM_ALL bench/sql_bench.c)
    target_link_libraries(sql_bench PRIVATE room_duck)
endif()
add_executable(schema_bench EXCLUDE_FROM_ALL bench/schema_bench.c)
target_link_libraries(schema_bench PRIVATE room_schema)
target_link_options(schema_bench PRIVATE ${lto_link})
