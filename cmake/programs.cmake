# SPDX-License-Identifier: Apache-2.0
# The programs, and the library that others embed.

foreach(program allsourced allsource)
    if(EXISTS ${CMAKE_SOURCE_DIR}/cmd/${program}/main.c)
        add_executable(${program} cmd/${program}/main.c)
        target_link_libraries(${program} PRIVATE $<TARGET_NAME_IF_EXISTS:room_server>
                                                 $<TARGET_NAME_IF_EXISTS:room_cli>
                                                 $<TARGET_NAME_IF_EXISTS:room_engine>)
    endif()
endforeach()
