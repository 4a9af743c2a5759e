# SPDX-License-Identifier: Apache-2.0
# Tests that stand above the rooms: the simulator, the model, the fuzz targets, the public API.

# The simulated disk and clock, a library that any test may link.
file(GLOB sim_sources CONFIGURE_DEPENDS tests/sim/lib/*.c)
if(sim_sources)
    add_library(sim_lib STATIC EXCLUDE_FROM_ALL ${sim_sources})
    target_include_directories(sim_lib PUBLIC tests/sim/lib)
    target_link_libraries(sim_lib PUBLIC room_wal)
    foreach(program ${test_programs})
        target_link_libraries(${program} PRIVATE sim_lib)
    endforeach()
endif()

# tests/KIND/*_test.c: a program each, linked with everything below the server.
file(GLOB upper_tests CONFIGURE_DEPENDS tests/sim/*_test.c tests/model/*_test.c tests/api/*_test.c)
foreach(source ${upper_tests})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE $<TARGET_NAME_IF_EXISTS:room_engine> test_lib sim_lib)
    list(APPEND test_programs ${name})
endforeach()

# The score of the crash tests. It plants bugs, so it is built and run in the preset "mutants" only.
if(ALLSOURCE_MUTANTS)
    add_executable(mutants tests/sim/mutants.c)
    target_link_libraries(mutants PRIVATE $<TARGET_NAME_IF_EXISTS:room_engine> sim_lib)
endif()

# Answers for tests/compat/ajv.mjs.
if(TARGET room_compat)
    add_executable(compat_answers tests/compat/compat_answers.c)
    target_link_libraries(compat_answers PRIVATE room_compat)
endif()

# tests/fuzz/*_fuzz.c: LLVMFuzzerTestOneInput(); a plain main replays the corpus in every build.
file(GLOB fuzz_targets CONFIGURE_DEPENDS tests/fuzz/*_fuzz.c)
foreach(source ${fuzz_targets})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE $<TARGET_NAME_IF_EXISTS:room_server>
                                          $<TARGET_NAME_IF_EXISTS:room_engine>
                                          $<TARGET_NAME_IF_EXISTS:room_compat> sim_lib)
    if(ALLSOURCE_FUZZ)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(${name} PRIVATE tests/fuzz/replay.c)
    endif()
    list(APPEND fuzz_programs ${name})
endforeach()

string(REPLACE ";" "\n" test_list "${test_programs}")
file(WRITE ${CMAKE_BINARY_DIR}/test-programs "${test_list}\n")
string(REPLACE ";" "\n" fuzz_list "${fuzz_programs}")
file(WRITE ${CMAKE_BINARY_DIR}/fuzz-programs "${fuzz_list}\n")
add_custom_target(fuzzers DEPENDS ${fuzz_programs})

# Segments for other readers of Parquet (tests/segment/run).
add_executable(segment_sample EXCLUDE_FROM_ALL tests/segment/sample.c)
target_link_libraries(segment_sample PRIVATE room_segment)
