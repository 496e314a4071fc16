# The program dscq; libdscq, static and shared: every module in it, include/dscq/dscq.h to
# be seen of it; pkg-config and CMake files, data, manual pages, completion.
include(CMakePackageConfigHelpers)
include(cmake/exports.cmake)

get_property(modules GLOBAL PROPERTY DSCQ_MODULES)
set(archives "")
set(module_targets "")
foreach(m IN LISTS modules)
  list(APPEND module_targets dscq_${m})
  list(APPEND archives $<TARGET_FILE:dscq_${m}>)
endforeach()

# ---- the program -------------------------------------------------------------
# All but main() is an archive of its own, for tests of its parts.
file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c)
list(REMOVE_ITEM cli_sources ${PROJECT_SOURCE_DIR}/src/cli/main.c)
add_library(dscq_cli STATIC ${cli_sources})
target_include_directories(dscq_cli PUBLIC ${PROJECT_SOURCE_DIR}/src/cli)
target_link_libraries(dscq_cli PRIVATE dscq_flags PUBLIC dscq_search)
target_compile_definitions(dscq_cli PRIVATE
  DSCQ_SOURCE_DATA_DIR="data"
  DSCQ_RELEASE_DATE="${DSCQ_RELEASE_DATE}")
add_executable(dscq src/cli/main.c)
target_link_libraries(dscq PRIVATE dscq_flags dscq_cli)
foreach(target dscq_cli dscq_api) # both say what this build has, and where its data are
  target_compile_definitions(${target} PRIVATE
    DSCQ_DATA_DIR="${CMAKE_INSTALL_FULL_DATADIR}/dscq")
  foreach(library BLAS JSON JPEG WEBP EXPAT ONNX)
    target_compile_definitions(${target} PRIVATE
      DSCQ_WITH_${library}=$<BOOL:${DSCQ_WITH_${library}}>)
  endforeach()
endforeach()
install(TARGETS dscq RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# ---- libdscq -----------------------------------------------------------------
option(DSCQ_LIBRARY "Build libdscq.a and libdscq.so" ON)
if(DSCQ_LIBRARY)
  set(exports ${PROJECT_BINARY_DIR}/exports)
  set(public ${PROJECT_SOURCE_DIR}/include/dscq/status.h
             ${PROJECT_SOURCE_DIR}/include/dscq/dscq.h)
  dscq_exports(${exports} ${public})

  # libdscq.a is one object of all modules, in which what is not public is local: nothing
  # of it can meet a name of the program that it is linked into.
  set(whole -Wl,--whole-archive ${archives} -Wl,--no-whole-archive)
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/libdscq.a
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o libdscq.o ${whole}
    COMMAND ${CMAKE_OBJCOPY} --keep-global-symbols=${exports}.txt libdscq.o
    COMMAND ${CMAKE_COMMAND} -E rm -f libdscq.a
    COMMAND ${CMAKE_AR} qcs libdscq.a libdscq.o
    COMMAND ${CMAKE_COMMAND} -E rm libdscq.o
    DEPENDS ${module_targets} ${exports}.txt
    WORKING_DIRECTORY ${PROJECT_BINARY_DIR} VERBATIM
    COMMENT "Joining the modules into libdscq.a")
  add_custom_target(dscq_static ALL DEPENDS ${PROJECT_BINARY_DIR}/libdscq.a)
  install(FILES ${PROJECT_BINARY_DIR}/libdscq.a DESTINATION ${CMAKE_INSTALL_LIBDIR})

  # The interface is stable within 0.y, from 1.0 on within a major version: the soname and
  # find_package() go by the same rule (docs/library.md).
  set(soversion ${PROJECT_VERSION_MAJOR})
  set(compatible SameMajorVersion)
  if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(soversion 0.${PROJECT_VERSION_MINOR})
    set(compatible SameMinorVersion)
  endif()
  file(WRITE ${PROJECT_BINARY_DIR}/shared.c "typedef int dscq_shared;\n")
  add_library(dscq_shared SHARED ${PROJECT_BINARY_DIR}/shared.c)
  set_target_properties(dscq_shared PROPERTIES OUTPUT_NAME dscq EXPORT_NAME dscq
    VERSION ${PROJECT_VERSION} SOVERSION ${soversion} LINK_DEPENDS ${exports}.map)
  target_link_options(dscq_shared PRIVATE
    -Wl,--version-script=${exports}.map -Wl,-z,defs)
  target_link_libraries(dscq_shared PRIVATE ${whole}
    ZLIB::ZLIB PNG::PNG Threads::Threads m ${CMAKE_DL_LIBS}
    dscq_jansson dscq_jpeg dscq_webp dscq_expat dscq_protobuf)
  add_dependencies(dscq_shared ${module_targets})
  target_include_directories(dscq_shared INTERFACE
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  install(TARGETS dscq_shared EXPORT dscqTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})

  install(FILES ${public} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dscq)
  install(FILES include/dscq/embed/packed_reader.h # for boards; needs no library
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dscq/embed)
  set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/dscq)
  install(EXPORT dscqTargets NAMESPACE dscq:: DESTINATION ${cmake_dir})

  # ---- pkg-config and find_package ---------------------------------------------
  set(DSCQ_PC_REQUIRES zlib libpng)
  foreach(pair JSON:jansson JPEG:libjpeg WEBP:libwebp EXPAT:expat
          ONNX:libprotobuf-c)
    string(REPLACE ":" ";" pair ${pair})
    list(GET pair 0 macro)
    list(GET pair 1 package)
    if(DSCQ_WITH_${macro})
      list(APPEND DSCQ_PC_REQUIRES ${package})
    endif()
  endforeach()
  string(REPLACE ";" " " DSCQ_PC_REQUIRES "${DSCQ_PC_REQUIRES}")
  # lib/pkgconfig -> ../.., lib/x86_64-linux-gnu/pkgconfig -> ../../..
  file(RELATIVE_PATH DSCQ_PC_UP /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
  set(DSCQ_PC_DL "")
  if(CMAKE_DL_LIBS)
    set(DSCQ_PC_DL "-l${CMAKE_DL_LIBS}")
  endif()
  configure_file(cmake/dscq.pc.in dscq.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/dscq.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  configure_package_config_file(cmake/dscqConfig.cmake.in dscqConfig.cmake
    INSTALL_DESTINATION ${cmake_dir}
    PATH_VARS CMAKE_INSTALL_DATADIR CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
  write_basic_package_version_file(dscqConfigVersion.cmake
    COMPATIBILITY ${compatible})
  install(FILES ${PROJECT_BINARY_DIR}/dscqConfig.cmake
    ${PROJECT_BINARY_DIR}/dscqConfigVersion.cmake DESTINATION ${cmake_dir})
endif()

# ---- data, manual pages, completion --------------------------------------------
install(DIRECTORY data/ DESTINATION ${CMAKE_INSTALL_DATADIR}/dscq)

# One page a row of commands.def, written by the program itself.
file(STRINGS src/cli/commands.def rows REGEX "^CLI_COMMAND")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS src/cli/commands.def)
set(pages "")
foreach(row IN LISTS rows ITEMS "CLI_COMMAND(dscq)")
  string(REGEX REPLACE "^CLI_COMMAND\\((.*)\\).*$" "\\1" name "${row}")
  if(name STREQUAL "complete") # hidden
    continue()
  endif()
  string(REPLACE "_" "-" name ${name})
  set(page ${PROJECT_BINARY_DIR}/man/dscq-${name}.1)
  if(name STREQUAL "dscq")
    set(page ${PROJECT_BINARY_DIR}/man/dscq.1)
  endif()
  add_custom_command(OUTPUT ${page} COMMAND dscq help --man ${name} > ${page}
    DEPENDS dscq VERBATIM COMMENT "Writing the manual page of ${name}")
  list(APPEND pages ${page})
endforeach()
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/man)
add_custom_target(dscq_man ALL DEPENDS ${pages})
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/dscq-packed.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)

install(FILES cmake/completion/dscq.bash RENAME dscq
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES cmake/completion/_dscq
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES cmake/completion/dscq.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
