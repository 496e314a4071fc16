/*
 * sense/choose.h - one option for each layer: least cost with a bounded loss.
 *
 * The losses of layers are taken to add up (Meng et al. and OBC use this model;
 * docs/methods.md). That is wrong in detail and good enough to start a search from.
 */
#ifndef DSCQ_SENSE_CHOOSE_H
#define DSCQ_SENSE_CHOOSE_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_option {
    double cost; /* bytes, cycles, energy: what shall be small      */
    double loss; /* what the option costs in score, >= 0 (less counts as 0) */
} dscq_option;

/* options of layer g: option[first[g]] .. option[first[g + 1] - 1], at least one each.
 */
typedef struct dscq_menu {
    const dscq_option *option;
    const size_t *first; /* [layers + 1] */
    size_t layers;
} dscq_menu;

/* pick[layers]: index within the layer's options. Minimises the sum of costs with the
 * sum of losses <= budget: exact up to the grid of losses (each is rounded up to a
 * multiple of budget / 2000). DSCQ_GATE when even the mildest options lose more; pick
 * then holds those. */
dscq_status dscq_choose_knapsack(int32_t *pick, const dscq_menu *m, double budget,
                                 dscq_error *err);
/* From the mildest options, always the step that saves most cost per loss and still
 * fits. Same results otherwise. */
dscq_status dscq_choose_greedy(int32_t *pick, const dscq_menu *m, double budget,
                               dscq_error *err);
/* Sums over a choice; either may be NULL. */
void dscq_choice_sums(const dscq_menu *m, const int32_t *pick, double *cost,
                      double *loss);

#ifdef __cplusplus
}
#endif
#endif
