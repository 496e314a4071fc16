# kernels/*.c is compiled once per family of CPUs; the objects join dscq_tensor and
# dispatch.c picks a family at run time. Fused multiply-add is asked for here and
# nowhere else: results depend on the family, and on nothing else.
file(GLOB kernel_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/tensor/kernels/*.c)
# on the sources, because it must stand behind the -ffp-contract=off of dscq_flags
set_source_files_properties(${kernel_sources} PROPERTIES COMPILE_OPTIONS -ffp-contract=fast)

function(dscq_kernel_family family lanes)
  add_library(dscq_tensor_${family} OBJECT ${kernel_sources})
  target_include_directories(dscq_tensor_${family} PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src/tensor)
  target_link_libraries(dscq_tensor_${family} PRIVATE dscq_flags)
  target_compile_definitions(dscq_tensor_${family} PRIVATE
    DSCQ_FAMILY=${family} DSCQ_LANES=${lanes})
  # -O3 unrolls the tiles; -Wno-psabi: vectors are never passed between objects
  target_compile_options(dscq_tensor_${family} PRIVATE
    $<$<CONFIG:Release,Bench,RelWithDebInfo>:-O3> -fno-math-errno
    -fno-trapping-math -Wno-psabi ${ARGN})
  target_sources(dscq_tensor PRIVATE $<TARGET_OBJECTS:dscq_tensor_${family}>)
  string(TOUPPER ${family} upper)
  target_compile_definitions(dscq_tensor PRIVATE DSCQ_HAVE_${upper}=1)
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  dscq_kernel_family(avx512 16 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma
                     -mprefer-vector-width=512)
  dscq_kernel_family(avx2 8 -mavx2 -mfma)
  dscq_kernel_family(portable 4)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  dscq_kernel_family(neon 4) # the baseline of arm64 has vectors and fused multiply-add
else()
  dscq_kernel_family(portable 4)
endif()
