/* Shared by the files of engine = pipeline. */
#ifndef LOWER_PIPE_H
#define LOWER_PIPE_H

#include "dscq/hw/pipeline.h"
#include "lower_internal.h"

typedef struct low_board {
    dscq_resources most;    /* what the stages may use                            */
    dscq_resources advised; /* the same with the board's fill advice              */
} low_board;

/* stages.c */
void lower__make_stages(lowering *l);
dscq_status lower__make_fifos(lowering *l);

/* fifos.c: capacities until stages are sized, and after. */
void lower__first_rows(lowering *l);
dscq_status lower__size_fifos(lowering *l);

/* place.c */
dscq_status lower__make_rings(lowering *l);
void lower__place_in_dram(lowering *l);

/* cost.c. What the machine's board leaves for stages; without a board: no limit. */
dscq_status lower__board_of(const lowering *l, low_board *out);
dscq_resources lower__share_of(const dscq_resources *r, double logic, double block);
int lower__within(const dscq_resources *need, const dscq_resources *most);
dscq_pipe_cost lower__stage_cost(const lowering *l, const dscq_pipe_stage *s);
dscq_resources lower__fifos_need(const lowering *l, int32_t stage, int32_t lanes,
                                 int32_t vector, int32_t post);
/* Sets `need` of every stage. */
void lower__sum_needs(lowering *l, dscq_resources *total);

/* size.c. Lanes, vector and width of every stage: the shortest frame that fits (or
 * target_fps); *interval: its cycles, estimated. */
dscq_status lower__size_stages(lowering *l, const low_board *b, double *interval);

/* table.c */
dscq_status lower__pipe_table(dscq_table **out, const lowering *l, dscq_error *err);

#endif
