/* Bounds of an ONNX file that can be told from its bytes alone. */
#ifndef ONNX_SCAN_H
#define ONNX_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* NULL when the parser may have it, else what is wrong. */
const char *onnx__scan(const uint8_t *p, size_t bytes);

#endif
