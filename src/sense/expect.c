/* What a cell is expected to cost, from all cells together. A drop is the small
 * difference of two counts, answers lost and gained, and mostly noise where the damage
 * is mild; their sum is known far better. Over all layers and probes the drop follows
 * the share f of changed answers closely: a f + b f^2 (more noise on the logits changes
 * answers in proportion to its size and costs right ones in proportion to its square).
 * Each cell's own drop moves that curve's value as far as its precision allows. */
#include "sense_internal.h"

#include <math.h>

/* Beyond this share of changed answers the curve bends; cells are known well there. */
static const double k_most = 0.25;
/* A cell's true drop lies about so far from the curve, as a share of its value. */
static const double k_spread = 0.25;
enum { FEWEST = 8 }; /* cells to fit a curve to */

typedef struct curve {
    double a, b;
} curve;

static double changed(const dscq_sense_cell *c, size_t images)
{
    return (double)(c->lost + c->gained) / (double)images;
}

/* The variance of a drop is f / images: cells weigh 1 / f. */
static int fit(curve *out, const dscq_sense *s)
{
    double m11 = 0, m12 = 0, m22 = 0, y1 = 0, y2 = 0;
    size_t n = 0;

    for (size_t i = 0; i < s->cells; i++) {
        const double f = changed(&s->cell[i], s->images), y = s->cell[i].drop;

        if (!s->cell[i].done || f <= 0 || f > k_most)
            continue;
        m11 += f;
        m12 += f * f;
        m22 += f * f * f;
        y1 += y;
        y2 += y * f;
        n++;
    }
    const double det = m11 * m22 - m12 * m12;
    if (n < FEWEST || det <= 1e-9 * m11 * m22)
        return 0;
    *out = (curve){(y1 * m22 - y2 * m12) / det, (m11 * y2 - m12 * y1) / det};
    if (out->a < 0)
        *out = (curve){0, y2 / m22};
    else if (out->b < 0)
        *out = (curve){y1 / m11, 0};
    return out->a >= 0 && out->b >= 0 && out->a + out->b > 0;
}

void sense__expect(dscq_sense *s)
{
    const double n = (double)s->images;
    curve c;
    const int has_curve = fit(&c, s);

    for (size_t i = 0; i < s->cells; i++) {
        dscq_sense_cell *cell = &s->cell[i];
        const double f = changed(cell, s->images);

        cell->expected = cell->drop;
        if (!has_curve || f <= 0)
            continue;
        const double at = c.a * f + c.b * f * f, spread = k_spread * at;
        const double own = spread * spread / (spread * spread + f / n);
        cell->expected = own * cell->drop + (1 - own) * at;
    }
}
