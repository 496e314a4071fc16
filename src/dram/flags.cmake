# Every file of standards/ is a standard: the list that standard_table.c includes.
file(GLOB standards CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/dram/standards/*.def)
set(list "")
foreach(path IN LISTS standards)
  get_filename_component(id ${path} NAME_WE)
  string(APPEND list "DRAM_BEGIN(${id})\n#include \"standards/${id}.def\"\nDRAM_END(${id})\n")
endforeach()
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/dram/dram_standards.def CONTENT "${list}")
target_include_directories(dscq_dram PRIVATE ${PROJECT_BINARY_DIR}/dram)
