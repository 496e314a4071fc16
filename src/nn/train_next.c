#include "train_internal.h"

void dscq_trainer_next_epoch(dscq_trainer *t)
{
    t->state.epoch++;
    t->state.batch = 0;
    t->state.loss_sum = t->state.top1_sum = t->state.samples = 0;
}
