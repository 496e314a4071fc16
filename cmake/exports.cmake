# dscq_exports(<prefix> <header>...): what the headers declare with DSCQ_API, sorted, as
# <prefix>.txt, a name a line, and as <prefix>.map, a version script for the linker. The
# headers are the one place.
function(dscq_exports prefix)
  set(names "")
  foreach(header IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
    file(READ ${header} text)
    string(REPLACE ";" "\n;" text "${text}") # a list of what semicolons end
    foreach(piece IN LISTS text)
      if(piece MATCHES "\nDSCQ_API[^(]*[ *](dscq_[a-z0-9_]+)\\(")
        list(APPEND names ${CMAKE_MATCH_1})
      endif()
    endforeach()
  endforeach()
  list(SORT names)
  list(JOIN names "\n" lines)
  file(CONFIGURE OUTPUT ${prefix}.txt CONTENT "${lines}\n")
  list(JOIN names ";\n        " lines)
  file(CONFIGURE OUTPUT ${prefix}.map CONTENT
    "DSCQ_${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} {\n    global:\n        ${lines};\n    local: *;\n};\n")
endfunction()
