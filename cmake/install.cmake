# libdscq: every module in one archive; dscq: the command line on top of it.
get_property(modules GLOBAL PROPERTY DSCQ_MODULES)
set(objects "")
foreach(m IN LISTS modules)
  list(APPEND objects dscq_${m})
endforeach()

file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c)
if(cli_sources)
  add_executable(dscq ${cli_sources})
  target_include_directories(dscq PRIVATE ${PROJECT_SOURCE_DIR}/src/cli)
  target_link_libraries(dscq PRIVATE dscq_flags dscq_flow)
  target_compile_definitions(dscq PRIVATE
    DSCQ_DATA_DIR="${CMAKE_INSTALL_FULL_DATADIR}/dscq"
    DSCQ_SOURCE_DATA_DIR="data"
    DSCQ_RELEASE_DATE="${DSCQ_RELEASE_DATE}")
  foreach(library BLAS JSON JPEG EXPAT SQLITE ONNX)
    target_compile_definitions(dscq PRIVATE
      DSCQ_WITH_${library}=$<BOOL:${DSCQ_WITH_${library}}>)
  endforeach()
  install(TARGETS dscq RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
