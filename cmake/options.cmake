# Compiler flags, and which optional libraries are used. Required: zlib, libpng,
# threads. Everything else may be switched off; the program then says
# what is missing when it is asked for.

# dscq_missing(<what> <Debian package> [<option that does without>]): said by
# dscq_stop_if_missing(), all at once.
function(dscq_missing what package)
  set(line "  ${what} (Debian, Ubuntu: ${package})")
  if(ARGN)
    string(APPEND line ", or do without: -D${ARGN}")
  endif()
  set_property(GLOBAL APPEND PROPERTY DSCQ_MISSING "${line}")
  set_property(GLOBAL APPEND PROPERTY DSCQ_MISSING_PACKAGES ${package})
endfunction()

function(dscq_stop_if_missing)
  get_property(lines GLOBAL PROPERTY DSCQ_MISSING)
  get_property(packages GLOBAL PROPERTY DSCQ_MISSING_PACKAGES)
  if(lines)
    list(JOIN lines "\n" lines)
    list(JOIN packages " " packages)
    message(FATAL_ERROR "dscq needs what is missing here:\n${lines}\n"
      "  apt-get install ${packages}")
  endif()
endfunction()

find_package(PkgConfig)
if(NOT PKG_CONFIG_FOUND) # it finds all the others
  dscq_missing(pkg-config pkg-config)
  dscq_stop_if_missing()
endif()
find_package(ZLIB)
if(NOT ZLIB_FOUND)
  dscq_missing(zlib zlib1g-dev)
endif()
find_package(PNG)
if(NOT PNG_FOUND)
  dscq_missing(libpng libpng-dev)
endif()
find_package(Threads REQUIRED)

# dscq_optional(<name> <pkg-config module> <macro> <Debian package>): interface target
# dscq_<name> that carries the library and the macro, or nothing when switched off.
function(dscq_optional name module macro package)
  option(DSCQ_WITH_${macro} "Use ${module}" ON)
  add_library(dscq_${name} INTERFACE)
  if(DSCQ_WITH_${macro})
    pkg_check_modules(DSCQ_${macro}_PC QUIET IMPORTED_TARGET ${module})
    if(DSCQ_${macro}_PC_FOUND)
      target_link_libraries(dscq_${name} INTERFACE PkgConfig::DSCQ_${macro}_PC)
    else()
      dscq_missing(${module} ${package} DSCQ_WITH_${macro}=OFF)
    endif()
    target_compile_definitions(dscq_${name} INTERFACE DSCQ_WITH_${macro}=1)
  else()
    target_compile_definitions(dscq_${name} INTERFACE DSCQ_WITH_${macro}=0)
  endif()
endfunction()

dscq_optional(jansson jansson      JSON  libjansson-dev)
dscq_optional(jpeg    libjpeg      JPEG  libjpeg-dev)
dscq_optional(webp    libwebp      WEBP  libwebp-dev)
dscq_optional(expat   expat        EXPAT libexpat1-dev)
dscq_optional(protobuf libprotobuf-c ONNX libprotobuf-c-dev)

# The parser of ONNX files is generated from onnx.proto; any copy will do.
if(DSCQ_WITH_ONNX)
  find_file(DSCQ_ONNX_PROTO onnx.proto PATH_SUFFIXES include/onnx onnx
    HINTS /usr/include/onnx DOC "onnx.proto, from libonnx-dev")
  find_program(DSCQ_PROTOC_C protoc-c DOC "protoc-c, from protobuf-c-compiler")
  if(NOT DSCQ_ONNX_PROTO)
    dscq_missing("onnx.proto, or -DDSCQ_ONNX_PROTO=FILE" libonnx-dev DSCQ_WITH_ONNX=OFF)
  endif()
  if(NOT DSCQ_PROTOC_C)
    dscq_missing(protoc-c protobuf-c-compiler DSCQ_WITH_ONNX=OFF)
  endif()
endif()

# Loaded when first used, never linked: nothing of it is needed to build.
option(DSCQ_WITH_BLAS "Use OpenBLAS where it is installed" ON)

option(DSCQ_TESTS "Build the tests (needs Check)" ON)
if(DSCQ_TESTS)
  pkg_check_modules(CHECK QUIET IMPORTED_TARGET check)
  if(NOT CHECK_FOUND)
    dscq_missing(check check DSCQ_TESTS=OFF)
  endif()
endif()
dscq_stop_if_missing()

add_library(dscq_flags INTERFACE)
target_compile_options(dscq_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wdouble-promotion
  -ffp-contract=off -fno-common
  -fno-semantic-interposition # calls inside libdscq.so stay direct
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
target_compile_definitions(dscq_flags INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
target_link_libraries(dscq_flags INTERFACE m)
option(DSCQ_WERROR "Treat warnings as errors (tools/check sets it)" OFF)
if(DSCQ_WERROR)
  target_compile_options(dscq_flags INTERFACE -Werror)
endif()

option(DSCQ_FUZZ "Build the fuzz targets with libFuzzer (needs clang)" OFF)
if(DSCQ_FUZZ) # the library too: libFuzzer sees only what is instrumented
  target_compile_options(dscq_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Release keeps the asserts: a broken contract must stop, not corrupt a file.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g")
set(CMAKE_C_FLAGS_CHECK "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer")
set(CMAKE_EXE_LINKER_FLAGS_CHECK "-fsanitize=address,undefined")
set(CMAKE_C_FLAGS_THREAD "-O1 -g -fsanitize=thread")
set(CMAKE_EXE_LINKER_FLAGS_THREAD "-fsanitize=thread")
# Benchmarks measure the binary that users get: run-time dispatch, no -march=native.
set(CMAKE_C_FLAGS_BENCH "-O2 -g")
