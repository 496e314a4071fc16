/* Shared by the files of the data path. */
#ifndef HW_DATAPATH_INTERNAL_H
#define HW_DATAPATH_INTERNAL_H

#include "hw_internal.h"

#include <string.h>

enum { HW_CHUNK = 1024 }; /* most pixels that are post-processed at once */

/* A run of a command's pixels inside one output row. */
typedef struct hw_span {
    int32_t y, x, at, n; /* output row, first column, place in the chunk, pixels */
} hw_span;

struct hw_scratch {
    int32_t sum[HW_CHUNK + HW_BLOCK + HW_SLACK];
    int32_t code[HW_CHUNK + HW_SLACK], other[HW_CHUNK + HW_SLACK];
    int16_t even[HW_CHUNK + HW_SLACK], odd[HW_CHUNK + HW_SLACK];
    uint8_t bytes[HW_CHUNK + HW_SLACK];
    hw_span span[HW_CHUNK];
};

/* One compute command with weights. */
typedef struct hw_conv {
    hw_data *d;
    const dscq_hw_cmd *c;
    const hw_decoded *w;
    const dscq_hw_wtile *tile;
    const dscq_hw_op *op;
    const dscq_hw_ring *in, *out;
    const dscq_hw_tensor *t; /* input */
    size_t pixels;           /* of the output ring's columns, all rows */
    uint32_t *offset;        /* depthwise: where a channel's pairs are */
    uint8_t *line;           /* depthwise: codes of one row with its padding */
} hw_conv;

/* fetch.c. Cut pixels [first, last) of the output ring, at most HW_CHUNK, into rows. */
int32_t hw__cut(hw_conv *j, int32_t first, int32_t last);

/* Room for `count` pairs of inputs; contents are lost. */
dscq_status hw__room(hw_data *d, size_t count, dscq_error *err);

/* Code minus zero point of `channel` under kernel place (r, s) for the span; the
 * padding gives 0. */
void hw__fetch(const hw_conv *j, const hw_span *sp, int32_t r, int32_t s,
               int32_t channel, int16_t *to);

dscq_status hw__broadcast(hw_conv *j, dscq_error *err); /* conv.c */
dscq_status hw__depthwise(hw_conv *j, dscq_error *err); /* depthwise.c */
/* Inputs of 15 and 16 bits: one product after another (wide.c). */
void hw__wide_sums(const hw_conv *j, int32_t place, int32_t channel, int32_t spans);

/* Sums of the scratch, `spans` spans of one channel, through the post-processor into
 * the output ring (post.c). */
void hw__post(const hw_conv *j, int32_t channel, int32_t spans);

/* n bytes; short runs without a call. */
static inline void hw__copy(uint8_t *to, const uint8_t *from, int32_t n)
{
    if (n >= 16 || n < 1) {
        memcpy(to, from, (size_t)(n > 0 ? n : 0));
    } else if (n >= 8) {
        memcpy(to, from, 8);
        memmove(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, from, 4);
        memmove(to + n - 4, from + n - 4, 4);
    } else {
        for (int32_t i = 0; i < n; i++)
            to[i] = from[i];
    }
}

#endif
