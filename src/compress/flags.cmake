# Loops over all weights in every training step, and the cubic one: vectorised.
set_source_files_properties(src/compress/clipq.c src/compress/quantize.c
  src/compress/obq.c PROPERTIES
  COMPILE_OPTIONS "$<$<CONFIG:Release,Bench>:-O3>")
