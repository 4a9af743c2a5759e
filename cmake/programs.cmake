# SPDX-License-Identifier: Apache-2.0
# The programs, and the library that others embed.

foreach(program allsourced allsource)
    if(EXISTS ${CMAKE_SOURCE_DIR}/cmd/${program}/main.c)
        add_executable(${program} cmd/${program}/main.c)
        target_link_libraries(${program} PRIVATE $<TARGET_NAME_IF_EXISTS:room_server>
                                                 $<TARGET_NAME_IF_EXISTS:room_cli>
                                                 $<TARGET_NAME_IF_EXISTS:room_engine>)
        target_link_options(${program} PRIVATE ${lto_link})
    endif()
endforeach()

# docs/metrics.md and docs/options.md: `cmake --build build/dev --target print-tables`. Tests compare
# them with the tables.
add_executable(print_tables EXCLUDE_FROM_ALL tools/print_tables.c)
target_link_libraries(print_tables PRIVATE room_metrics room_config)
add_custom_target(print-tables COMMAND print_tables ${CMAKE_SOURCE_DIR}/docs)
foreach(program metrics_test config_test)
    target_compile_definitions(${program} PRIVATE ALLSOURCE_SOURCE="${CMAKE_SOURCE_DIR}")
endforeach()
