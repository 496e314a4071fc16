# The pass over all weights in every training step: let the compiler vectorise it.
set_source_files_properties(src/compress/clipq.c src/compress/quantize.c PROPERTIES
  COMPILE_OPTIONS "$<$<CONFIG:Release,Bench>:-O3>")
