# The parser of ONNX files is generated from the onnx.proto that libonnx-dev installs
# (any copy will do: -DDSCQ_ONNX_PROTO=FILE). Without it, or with DSCQ_WITH_ONNX=OFF,
# ONNX files are refused with a message that says so.
set(have_onnx 0)
if(DSCQ_WITH_ONNX)
  find_file(DSCQ_ONNX_PROTO onnx.proto PATH_SUFFIXES include/onnx onnx
    HINTS /usr/include/onnx DOC "onnx.proto, from libonnx-dev")
  find_program(DSCQ_PROTOC_C protoc-c DOC "protoc-c, from protobuf-c-compiler")
  if(DSCQ_ONNX_PROTO AND DSCQ_PROTOC_C)
    set(have_onnx 1)
  else()
    message(STATUS "No ONNX import: libonnx-dev (onnx.proto) or protobuf-c-compiler is missing")
  endif()
endif()
if(have_onnx)
  set(generated ${PROJECT_BINARY_DIR}/onnx-proto)
  get_filename_component(proto_dir ${DSCQ_ONNX_PROTO} DIRECTORY)
  file(MAKE_DIRECTORY ${generated})
  add_custom_command(OUTPUT ${generated}/onnx.pb-c.c ${generated}/onnx.pb-c.h
    COMMAND ${DSCQ_PROTOC_C} --proto_path=${proto_dir} --c_out=${generated}
            ${DSCQ_ONNX_PROTO}
    DEPENDS ${DSCQ_ONNX_PROTO} VERBATIM COMMENT "Generating the ONNX parser")
  set_source_files_properties(${generated}/onnx.pb-c.c PROPERTIES COMPILE_OPTIONS "-w")
  target_sources(dscq_import PRIVATE ${generated}/onnx.pb-c.c ${generated}/onnx.pb-c.h)
  target_include_directories(dscq_import SYSTEM PRIVATE ${generated})
endif()
set_source_files_properties(src/import/onnx_read.c PROPERTIES
  COMPILE_DEFINITIONS DSCQ_HAVE_ONNX_PROTO=${have_onnx})

# tools/onnx-conformance builds and runs this.
add_executable(onnx_conformance
  ${PROJECT_SOURCE_DIR}/tools/onnx_conformance.c)
target_link_libraries(onnx_conformance PRIVATE dscq_flags dscq_import)
set_target_properties(onnx_conformance PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
