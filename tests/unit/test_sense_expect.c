/* Expected drops: nearer to the truth than measured ones where the damage is mild. */
#include "dscq/base/rng.h"
#include "sense_internal.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { IMAGES = 1000, CELLS = 200 };

/* A cell that changes about the share f of the answers and costs `drop` of them. */
static dscq_sense_cell cell(double f, double drop, dscq_rng *rng)
{
    dscq_sense_cell c = {.done = 1};

    for (int i = 0; i < IMAGES; i++) {
        const double u = dscq_rng_unit64(rng);
        c.lost += u < (f + drop) / 2;
        c.gained += u >= (f + drop) / 2 && u < f;
    }
    sense__finish(&c, IMAGES);
    return c;
}

static double truth(double f)
{
    return 0.1 * f + 2 * f * f;
}

START_TEST(nearer_than_what_was_measured)
{
    static dscq_sense_cell cells[CELLS];
    dscq_sense s = {.images = IMAGES, .cells = CELLS, .cell = cells};
    dscq_rng rng = dscq_rng_seeded(4);
    double own = 0, better = 0;

    for (int i = 0; i < CELLS; i++) {
        const double f = 0.002 + 0.1 * i / CELLS;
        cells[i] = cell(f, truth(f), &rng);
    }
    sense__expect(&s);
    for (int i = 0; i < CELLS; i++) {
        const double t = truth(0.002 + 0.1 * i / CELLS);
        own += pow(cells[i].drop - t, 2);
        better += pow(cells[i].expected - t, 2);
    }
    ck_assert_double_lt(sqrt(better), 0.5 * sqrt(own));
}
END_TEST

/* Where many answers changed, the measured drop is precise and counts. */
START_TEST(hard_cells_stay_what_they_are)
{
    static dscq_sense_cell cells[CELLS];
    dscq_sense s = {.images = IMAGES, .cells = CELLS, .cell = cells};
    dscq_rng rng = dscq_rng_seeded(5);

    for (int i = 0; i < CELLS; i++) {
        const double f = 0.002 + 0.1 * i / CELLS;
        cells[i] = cell(i == 7 ? 0.8 : f, i == 7 ? 0.6 : truth(f), &rng);
    }
    cells[9] = (dscq_sense_cell){.done = 1}; /* nothing changed */
    sense__expect(&s);
    ck_assert_double_eq_tol(cells[7].expected, cells[7].drop, 0.01);
    ck_assert_double_eq(cells[9].expected, 0.0);
}
END_TEST

/* Too few cells for a curve. */
START_TEST(few_cells_are_taken_as_they_are)
{
    dscq_sense_cell cells[5];
    dscq_sense s = {.images = IMAGES, .cells = 5, .cell = cells};
    dscq_rng rng = dscq_rng_seeded(6);

    for (int i = 0; i < 5; i++)
        cells[i] = cell(0.02, 0.01, &rng);
    sense__expect(&s);
    for (int i = 0; i < 5; i++)
        ck_assert_double_eq(cells[i].expected, cells[i].drop);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("expect", &tc);

    tcase_add_test(tc, nearer_than_what_was_measured);
    tcase_add_test(tc, hard_cells_stay_what_they_are);
    tcase_add_test(tc, few_cells_are_taken_as_they_are);
    return s;
}

int main(void)
{
    return test_run(make);
}
