#include "dscq/base/hash.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

uint64_t dscq_fnv64(uint64_t h, const void *data, size_t bytes)
{
    const uint8_t *p = data;

    if (h == 0)
        h = 0xcbf29ce484222325U;
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ p[i]) * 0x100000001b3U;
    return h;
}

/* FIPS 180-4, section 4.2.2. */
static const uint32_t k_round[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t rotr(uint32_t x, unsigned n)
{
    return (x >> n) | (x << (32 - n));
}

/* Section 6.2.2. */
static void compress(uint32_t h[8], const uint8_t block[64])
{
    uint32_t w[64], v[8];

    for (unsigned t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    for (unsigned t = 16; t < 64; t++) {
        const uint32_t a = w[t - 15], b = w[t - 2];
        w[t] = (rotr(b, 17) ^ rotr(b, 19) ^ (b >> 10)) + w[t - 7] +
               (rotr(a, 7) ^ rotr(a, 18) ^ (a >> 3)) + w[t - 16];
    }
    memcpy(v, h, sizeof v);
    for (unsigned t = 0; t < 64; t++) {
        const uint32_t t1 = v[7] + (rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25)) +
                            ((v[4] & v[5]) ^ (~v[4] & v[6])) + k_round[t] + w[t];
        const uint32_t t2 = (rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22)) +
                            ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (unsigned i = 0; i < 8; i++)
        h[i] += v[i];
}

void dscq_sha256_init(dscq_sha256 *s)
{
    *s = (dscq_sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                             0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void dscq_sha256_add(dscq_sha256 *s, const void *data, size_t bytes)
{
    const uint8_t *p = data;
    size_t at = (size_t)(s->bytes % 64);

    s->bytes += bytes;
    while (bytes > 0) {
        const size_t n = bytes < 64 - at ? bytes : 64 - at;
        memcpy(s->block + at, p, n);
        p += n;
        bytes -= n;
        at += n;
        if (at == 64) {
            compress(s->h, s->block);
            at = 0;
        }
    }
}

void dscq_sha256_end(char out[65], dscq_sha256 *s)
{
    static const uint8_t k_pad[64] = {0x80};
    const uint64_t bits = s->bytes * 8;
    const size_t at = (size_t)(s->bytes % 64);
    uint8_t tail[8];

    for (unsigned i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    dscq_sha256_add(s, k_pad, at < 56 ? 56 - at : 120 - at);
    dscq_sha256_add(s, tail, sizeof tail);
    for (unsigned i = 0; i < 8; i++)
        (void)snprintf(out + (size_t)8 * i, 9, "%08x", (unsigned)s->h[i]);
}

void dscq_sha256_hex(char out[65], const void *data, size_t bytes)
{
    dscq_sha256 s;

    dscq_sha256_init(&s);
    dscq_sha256_add(&s, data, bytes);
    dscq_sha256_end(out, &s);
}

dscq_status dscq_sha256_file(char out[65], const char *path, dscq_error *err)
{
    enum { CHUNK = 1 << 16 };
    dscq_sha256 s;
    size_t size = 0;
    ssize_t n = 0;
    int fd = -1;

    out[0] = '\0';
    dscq_status status = dscq_file_open(&fd, &size, path, err);
    if (status != DSCQ_OK)
        return status;
    uint8_t *buf = dscq_malloc(CHUNK, 1);
    if (buf == NULL) {
        (void)close(fd);
        return dscq_fail_nomem(err, "a read buffer", CHUNK);
    }
    dscq_sha256_init(&s);
    while ((n = read(fd, buf, CHUNK)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            dscq_sha256_add(&s, buf, (size_t)n);
    if (n < 0)
        status = dscq_fail_system(err, path, "cannot read", errno);
    else
        dscq_sha256_end(out, &s);
    dscq_free(buf);
    (void)close(fd);
    return status;
}
