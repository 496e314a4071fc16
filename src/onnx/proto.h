/* What the files share that see the generated parser and packer. */
#ifndef ONNX_PROTO_H
#define ONNX_PROTO_H

#include "onnx_internal.h"

#define PROTO_FILE_MAX ((size_t)1 << 30)

#if DSCQ_WITH_ONNX
#include "onnx.pb-c.h"

/* The generated parser's memory, bounded as well. It tells no failed allocation from a
 * broken file. */
typedef struct onnx_proto_memory {
    size_t left; /* bytes */
    int no_memory;
} onnx_proto_memory;

ProtobufCAllocator onnx__proto_allocator(onnx_proto_memory *m);

size_t onnx__element_bytes(int32_t type); /* 0: a type that is not understood */
/* `place` stands in messages. */
dscq_status onnx__read_tensor(onnx_tensor **out, onnx_pool *pool,
                              const Onnx__TensorProto *p, const char *place,
                              dscq_error *err);

#else /* built without it */

#define NO_ONNX(verb)                                                                  \
    "%s: this build does not " verb                                                    \
    " ONNX; install libonnx-dev, protobuf-c-compiler and "                             \
    "libprotobuf-c-dev and build again with DSCQ_WITH_ONNX=ON"

#endif
#endif
