# OpenBLAS is looked for at run time by openblas.c alone; off: not even that.
target_compile_definitions(dscq_bo PRIVATE DSCQ_WITH_BLAS=$<BOOL:${DSCQ_WITH_BLAS}>)
