/* Weight streams back into weights: decode.c (a tile), decode_lane.c (one lane). */
#ifndef HW_DECODE_H
#define HW_DECODE_H

#include "dscq/hw/program.h"

/* Where a lane's weights go. A stream runs through `outer` groups of `inner`
 * positions (rule W1: columns of channels; depthwise: channels of taps). */
typedef struct hw_plane {
    int16_t *value; /* [o * outer_step + inner_at[i]], zero where nothing is stored;
                     * NULL: entries are counted only */
    size_t outer_step;
    const uint32_t *inner_at;
    uint16_t *count; /* [o * count_step] entries of a group, added to */
    size_t count_step;
} hw_plane;

/* Lane `number` of a tile whose stream starts at `stream`: `rows` channels of the
 * lane. 0: the stream ends too early, or a position is beyond the last. */
int hw__decode_lane(hw_plane *out, const dscq_hw_wtile *w, const uint8_t *stream,
                    int32_t number, int32_t rows, int32_t lanes, int depthwise);

#endif
