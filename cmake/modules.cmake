# dscq_module(<name> FLOOR <n> USES <module>... PARTS <folder>... LIBS <target>...):
# static library of src/<name>/*.c and of the folders named in it. Refuses a dependency
# that is not on a strictly lower floor.
# Per-file flags stand beside the sources in src/<name>/flags.cmake when needed.
function(dscq_module name)
  cmake_parse_arguments(M "" "FLOOR" "USES;PARTS;LIBS" ${ARGN})
  set(patterns ${PROJECT_SOURCE_DIR}/src/${name}/*.c)
  foreach(part IN LISTS M_PARTS)
    list(APPEND patterns ${PROJECT_SOURCE_DIR}/src/${name}/${part}/*.c)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  if(NOT sources) # a module that has no code yet still is a target
    file(WRITE ${PROJECT_BINARY_DIR}/empty_${name}.c "typedef int dscq_empty_${name};\n")
    set(sources ${PROJECT_BINARY_DIR}/empty_${name}.c)
  endif()
  add_library(dscq_${name} STATIC ${sources})
  set_target_properties(dscq_${name} PROPERTIES LINKER_LANGUAGE C)
  target_include_directories(dscq_${name}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    PRIVATE ${PROJECT_SOURCE_DIR}/src/${name})
  target_link_libraries(dscq_${name} PRIVATE dscq_flags ${M_LIBS})
  set_property(TARGET dscq_${name} PROPERTY DSCQ_FLOOR ${M_FLOOR})
  set_property(GLOBAL APPEND PROPERTY DSCQ_MODULES ${name})
  foreach(dep IN LISTS M_USES)
    get_target_property(below dscq_${dep} DSCQ_FLOOR)
    if(NOT below LESS M_FLOOR)
      message(FATAL_ERROR "${name} (floor ${M_FLOOR}) may not use ${dep} (floor ${below})")
    endif()
    target_link_libraries(dscq_${name} PUBLIC dscq_${dep})
  endforeach()
  include(${PROJECT_SOURCE_DIR}/src/${name}/flags.cmake OPTIONAL)
endfunction()
