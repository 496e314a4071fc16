# kernels/*.c and int_kernels/*.c are compiled once per family of CPUs; the objects
# join dscq_tensor, and dispatch.c and int_dispatch.c pick a family at run time. Fused
# multiply-add is asked for here and nowhere else: results depend on the family, and
# on nothing else.
file(GLOB kernel_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/tensor/kernels/*.c)
file(GLOB int_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/tensor/int_kernels/*.c)
# on the sources, because it must stand behind the -ffp-contract=off of dscq_flags
set_source_files_properties(${kernel_sources} PROPERTIES COMPILE_OPTIONS -ffp-contract=fast)

# dscq_kernel_objects(<target> "<sources>" "<definitions>" <flag>...)
function(dscq_kernel_objects target sources definitions)
  add_library(${target} OBJECT ${sources})
  target_include_directories(${target} PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src/tensor)
  target_link_libraries(${target} PRIVATE dscq_flags)
  target_compile_definitions(${target} PRIVATE ${definitions})
  # -O3 unrolls the tiles; -Wno-psabi: vectors are never passed between objects
  target_compile_options(${target} PRIVATE
    $<$<CONFIG:Release,Bench,RelWithDebInfo>:-O3> -fno-math-errno -fno-trapping-math
    -Wno-psabi ${ARGN})
  target_sources(dscq_tensor PRIVATE $<TARGET_OBJECTS:${target}>)
endfunction()

function(dscq_kernel_family family lanes)
  dscq_kernel_objects(dscq_tensor_${family} "${kernel_sources}"
                      "DSCQ_FAMILY=${family};DSCQ_LANES=${lanes}" ${ARGN})
  string(TOUPPER ${family} upper)
  target_compile_definitions(dscq_tensor PRIVATE DSCQ_HAVE_${upper}=1)
endfunction()

function(dscq_int_family family lanes vnni)
  dscq_kernel_objects(dscq_tensor_int_${family} "${int_sources}"
    "DSCQ_INT_FAMILY=${family};DSCQ_LANES=${lanes};DSCQ_VNNI=${vnni}" ${ARGN})
  string(TOUPPER ${family} upper)
  target_compile_definitions(dscq_tensor PRIVATE DSCQ_HAVE_INT_${upper}=1)
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  set(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma
             -mprefer-vector-width=512)
  dscq_kernel_family(avx512 16 ${avx512})
  dscq_kernel_family(avx2 8 -mavx2 -mfma)
  dscq_kernel_family(portable 4)
  dscq_int_family(avx512vnni 16 1 ${avx512} -mavx512vnni)
  dscq_int_family(avx512 16 0 ${avx512})
  dscq_int_family(avx2 8 0 -mavx2)
  dscq_int_family(portable 4 0)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  dscq_kernel_family(neon 4) # the baseline of arm64 has vectors and fused multiply-add
  dscq_int_family(neon 4 0)
else()
  dscq_kernel_family(portable 4)
  dscq_int_family(portable 4 0)
endif()
