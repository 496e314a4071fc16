# Integer loops that the compiler turns into vectors.
foreach(file lanes datapath/kernels datapath/conv datapath/post)
  if(EXISTS ${PROJECT_SOURCE_DIR}/src/hw/${file}.c)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/src/hw/${file}.c PROPERTIES
      COMPILE_OPTIONS "$<$<CONFIG:Release,Bench,RelWithDebInfo>:-O3>;-Wno-psabi")
  endif()
endforeach()
