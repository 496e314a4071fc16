# Compiler flags, and which optional libraries are used. Required: zlib, libpng,
# threads. Everything else may be switched off; the program then says
# what is missing when it is asked for.

find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

# dscq_optional(<name> <pkg-config module> <macro>): interface target dscq_<name>
# that carries the library and the macro, or nothing when switched off.
function(dscq_optional name module macro)
  option(DSCQ_WITH_${macro} "Use ${module}" ON)
  add_library(dscq_${name} INTERFACE)
  if(DSCQ_WITH_${macro})
    pkg_check_modules(DSCQ_${macro}_PC REQUIRED IMPORTED_TARGET ${module})
    target_link_libraries(dscq_${name} INTERFACE PkgConfig::DSCQ_${macro}_PC)
    target_compile_definitions(dscq_${name} INTERFACE DSCQ_WITH_${macro}=1)
  else()
    target_compile_definitions(dscq_${name} INTERFACE DSCQ_WITH_${macro}=0)
  endif()
endfunction()

dscq_optional(jansson jansson      JSON)
dscq_optional(jpeg    libjpeg      JPEG)
dscq_optional(expat   expat        EXPAT)
dscq_optional(onnx    libprotobuf-c ONNX)

# Loaded when first used, never linked: nothing of it is needed to build.
option(DSCQ_WITH_BLAS "Use OpenBLAS where it is installed" ON)

add_library(dscq_flags INTERFACE)
target_compile_options(dscq_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wdouble-promotion
  -ffp-contract=off -fno-common
  -fno-semantic-interposition # libdscq.so shows what cmake/dscq.map says, and calls inside it stay direct
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
target_compile_definitions(dscq_flags INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE
                           DSCQ_VERSION="${PROJECT_VERSION}")
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
