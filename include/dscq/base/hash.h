/*
 * base/hash.h - CRC-32 (zlib's), FNV-1a, SHA-256.
 */
#ifndef DSCQ_BASE_HASH_H
#define DSCQ_BASE_HASH_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* zlib's CRC-32; start with 0, chain by passing the previous value. */
uint32_t dscq_crc32(uint32_t crc, const void *data, size_t bytes);
/* FNV-1a, 64 bit; start with 0 for the standard offset basis. */
uint64_t dscq_fnv64(uint64_t h, const void *data, size_t bytes);

/* SHA-256 (FIPS 180-4) as 64 hex digits and a NUL. */
void dscq_sha256_hex(char out[65], const void *data, size_t bytes);

typedef struct dscq_sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
} dscq_sha256;
void dscq_sha256_init(dscq_sha256 *s);
void dscq_sha256_add(dscq_sha256 *s, const void *data, size_t bytes);
void dscq_sha256_end(char out[65], dscq_sha256 *s);
dscq_status dscq_sha256_file(char out[65], const char *path, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
