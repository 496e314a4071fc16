# The parser of ONNX files is generated (cmake/options.cmake finds what from and what with).
# With DSCQ_WITH_ONNX=OFF ONNX files are refused with a message that says so.
if(DSCQ_WITH_ONNX)
  set(generated ${PROJECT_BINARY_DIR}/onnx-proto)
  get_filename_component(proto_dir ${DSCQ_ONNX_PROTO} DIRECTORY)
  file(MAKE_DIRECTORY ${generated})
  add_custom_command(OUTPUT ${generated}/onnx.pb-c.c ${generated}/onnx.pb-c.h
    COMMAND ${DSCQ_PROTOC_C} --proto_path=${proto_dir} --c_out=${generated}
            ${DSCQ_ONNX_PROTO}
    DEPENDS ${DSCQ_ONNX_PROTO} VERBATIM COMMENT "Generating the ONNX parser")
  set_source_files_properties(${generated}/onnx.pb-c.c PROPERTIES COMPILE_OPTIONS "-w")
  target_sources(dscq_onnx PRIVATE ${generated}/onnx.pb-c.c ${generated}/onnx.pb-c.h)
  target_include_directories(dscq_onnx SYSTEM PRIVATE ${generated})
endif()
# tools/onnx-conformance builds and runs this.
add_executable(onnx_conformance
  ${PROJECT_SOURCE_DIR}/tools/onnx_conformance.c)
target_link_libraries(onnx_conformance PRIVATE dscq_flags dscq_onnx)
set_target_properties(onnx_conformance PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
