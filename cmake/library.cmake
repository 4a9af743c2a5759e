# SPDX-License-Identifier: Apache-2.0
# The library that others embed: the rooms up to the engine, as liballsource.a and .so.
#
# All of it is first linked into one relocatable object whose hidden symbols are made local. So only
# als_* is left to be seen, and no short name of ours can clash with one of the embedder's.
include(GNUInstallDirs)

if(NOT TARGET room_engine)
    return()
endif()

# The rooms below the engine: FLOORS lists each behind those it stands on.
set(library_rooms engine)
set(floors_from_above ${floors})
list(REVERSE floors_from_above)
foreach(line ${floors_from_above})
    string(REGEX REPLACE " +" ";" words "${line}")
    list(POP_FRONT words room)
    if(room IN_LIST library_rooms)
        list(APPEND library_rooms ${words})
    endif()
endforeach()
list(REMOVE_DUPLICATES library_rooms)

set(library_archives "")
set(library_targets "")
foreach(room ${library_rooms})
    if(TARGET room_${room})
        list(APPEND library_archives $<TARGET_FILE:room_${room}>)
        list(APPEND library_targets room_${room})
    endif()
endforeach()

set(library_object ${CMAKE_BINARY_DIR}/allsource.o)
if(ALLSOURCE_LTO)
    set(library_lto ${lto_link} -flinker-output=nolto-rel -fPIC)
endif()
add_custom_command(
    OUTPUT ${library_object}
    COMMAND ${CMAKE_C_COMPILER} -r ${library_lto} -nostdlib -o ${library_object}
            -Wl,--whole-archive ${library_archives} -Wl,--no-whole-archive
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${library_object}
    DEPENDS ${library_targets} ${library_archives}
    COMMENT "Linking liballsource into one object"
    VERBATIM COMMAND_EXPAND_LISTS)
set_source_files_properties(${library_object} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
add_custom_target(library_object DEPENDS ${library_object}) # made once for both

foreach(form STATIC SHARED)
    string(TOLOWER allsource_${form} target)
    add_library(${target} ${form} ${library_object})
    add_dependencies(${target} library_object)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME allsource LINKER_LANGUAGE C
                                               VERSION ${PROJECT_VERSION} SOVERSION 0)
    target_link_libraries(${target} PRIVATE Threads::Threads m ${outside_segment})
endforeach()
if(NOT ALLSOURCE_SANITIZE) # a sanitizer's run-time library is the program's
    target_link_options(allsource_shared PRIVATE -Wl,-z,defs)
endif()

# pkg-config prefers the -uninstalled file where it finds one: for the build tree.
# The installed one finds itself, so that `cmake --install --prefix` may put it anywhere.
file(RELATIVE_PATH pc_up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
set(pc_prefix "\${pcfiledir}/${pc_up}")
set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
configure_file(cmake/allsource.pc.in allsource.pc @ONLY)
set(pc_prefix ${CMAKE_BINARY_DIR})
set(pc_libdir "\${prefix}")
set(pc_includedir ${CMAKE_SOURCE_DIR}/include)
configure_file(cmake/allsource.pc.in allsource-uninstalled.pc @ONLY)

install(TARGETS allsource_static allsource_shared)
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/allsource.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
foreach(program allsourced allsource)
    if(TARGET ${program})
        install(TARGETS ${program})
    endif()
endforeach()

# The unit tests of rooms that reach the engine through its header.
foreach(program cli_test server_test)
    if(TARGET ${program})
        target_link_libraries(${program} PRIVATE room_engine)
    endif()
endforeach()

# tests/api is one program of several files; it is made after this file has been read.
file(GLOB api_tests CONFIGURE_DEPENDS tests/api/*_tests.c)
cmake_language(DEFER CALL target_sources api_test PRIVATE ${api_tests})

# Man pages, where scdoc is.
find_program(SCDOC scdoc)
if(SCDOC)
    set(man_pages "")
    file(GLOB man_sources CONFIGURE_DEPENDS docs/man/*.scd)
    foreach(source ${man_sources})
        get_filename_component(page ${source} NAME_WLE)
        set(page ${CMAKE_BINARY_DIR}/${page})
        add_custom_command(OUTPUT ${page} COMMAND ${SCDOC} < ${source} > ${page}
                           DEPENDS ${source} VERBATIM)
        list(APPEND man_pages ${page})
    endforeach()
    add_custom_target(man ALL DEPENDS ${man_pages})
    install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

# What is installed, without tests and measurements, which take longer to build than all of it.
add_custom_target(shipped DEPENDS allsourced allsource allsource_static allsource_shared)
if(TARGET man)
    add_dependencies(shipped man)
endif()
