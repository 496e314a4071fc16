/*
 * Raster against scan order of tiled matrix products: the 34 pointwise layers of
 * MobileNetV2 at 224 x 224 through one buffer of square tiles that forgets the least
 * recently used.
 *
 *   bench_scan          the table, its published counterpart, the largest difference
 *
 * C[m x n] += A[m x k] B[k x n], loops over tiles in the named order, outermost first.
 * Scan: every other sweep of an inner loop runs backwards. Counted are entries that
 * enter the buffer (a tile of C only when it was there before) and tiles of C that
 * leave it; tiles at the edge are as small as they are; a layer starts and ends empty.
 */
#include "bench_sim_nets.h"

enum { ORDERS = 6, TILES_MAX = 1 << 22 };
static const char *const k_order[ORDERS] = {"mkn", "mnk", "nmk", "knm", "kmn", "nkm"};

/* Millions of entries, raster and scan, of the first four orders and of the best one;
 * the reference analysis. */
typedef struct table_row {
    int32_t kentries, tile;
    double raster[4], scan[4], best_raster, best_scan;
} table_row;

/* clang-format off */
static const table_row k_table[] = {
    {16, 16, {28.41, 25.14, 22.73, 37.52}, {23.61, 20.71, 19.99, 30.48}, 16.52, 13.31},
    {16, 32, {16.22, 17.19, 15.86, 22.12}, {16.17, 15.27, 14.68, 19.23}, 13.14, 12.52},
    {64, 16, {18.70, 16.19, 16.87, 24.04}, {15.36, 13.11, 13.13, 17.69},  8.97,  8.97},
    {64, 32, {12.51, 11.62, 12.16, 14.48}, {11.48, 11.05, 11.16, 12.92},  8.97,  8.97},
    {64, 64, {11.05, 10.52, 10.45, 11.70}, {10.50, 10.18,  9.92, 11.06},  8.97,  8.97},
};
/* clang-format on */

typedef struct tile {
    int32_t size, newer, older; /* neighbours in the list, -1: none */
    int32_t is_in, is_dirty, was_in;
} tile;

typedef struct buffer {
    tile *t;
    int32_t newest, oldest;
    int64_t used, capacity, moved;
} buffer;

static void take_out(buffer *b, int32_t i)
{
    const tile *t = &b->t[i];

    *(t->newer >= 0 ? &b->t[t->newer].older : &b->newest) = t->older;
    *(t->older >= 0 ? &b->t[t->older].newer : &b->oldest) = t->newer;
}

static void put_first(buffer *b, int32_t i)
{
    b->t[i].newer = -1;
    b->t[i].older = b->newest;
    *(b->newest >= 0 ? &b->t[b->newest].newer : &b->oldest) = i;
    b->newest = i;
}

static void evict(buffer *b)
{
    tile *t = &b->t[b->oldest];

    take_out(b, b->oldest);
    b->used -= t->size;
    b->moved += t->is_dirty ? t->size : 0;
    t->is_in = t->is_dirty = 0;
}

static void touch(buffer *b, int32_t i, int is_sum)
{
    tile *t = &b->t[i];

    if (t->is_in) {
        take_out(b, i);
    } else {
        while (b->used + t->size > b->capacity)
            evict(b);
        b->moved += !is_sum || t->was_in ? t->size : 0;
        b->used += t->size;
    }
    put_first(b, i);
    t->is_in = t->was_in = 1;
    t->is_dirty |= is_sum;
}

typedef struct product {
    int32_t m, k, n, side;
    int32_t tm, tk, tn; /* tiles of each */
} product;

static void lay_out(tile *t, int32_t rows, int32_t columns, int32_t r, int32_t c,
                    int32_t side)
{
    for (int32_t i = 0; i < r; i++)
        for (int32_t j = 0; j < c; j++) {
            const int32_t h = rows - i * side < side ? rows - i * side : side;
            const int32_t w = columns - j * side < side ? columns - j * side : side;
            t[i * c + j] = (tile){.size = h * w, .newer = -1, .older = -1};
        }
}

/* Entries moved by one product in one order. */
static int64_t run(buffer *b, const product *p, const char *order, int is_scan)
{
    const int32_t at_b = p->tm * p->tk, at_c = at_b + p->tk * p->tn;
    int32_t count[3], x[3], place[3]; /* place: of m, k, n in the loops */
    int back[2] = {0, 0};

    lay_out(b->t, p->m, p->k, p->tm, p->tk, p->side);
    lay_out(b->t + at_b, p->k, p->n, p->tk, p->tn, p->side);
    lay_out(b->t + at_c, p->m, p->n, p->tm, p->tn, p->side);
    for (int32_t i = 0; i < 3; i++) {
        const int which = order[i] == 'm' ? 0 : order[i] == 'k' ? 1 : 2;
        count[i] = which == 0 ? p->tm : which == 1 ? p->tk : p->tn;
        place[which] = i;
    }
    b->newest = b->oldest = -1;
    b->used = b->moved = 0;
    for (int32_t i = 0; i < count[0]; i++, back[0] ^= is_scan)
        for (int32_t j = 0; j < count[1]; j++, back[1] ^= is_scan)
            for (int32_t k = 0; k < count[2]; k++) {
                x[0] = i;
                x[1] = back[0] ? count[1] - 1 - j : j;
                x[2] = back[1] ? count[2] - 1 - k : k;
                const int32_t m = x[place[0]], c = x[place[1]], n = x[place[2]];
                touch(b, m * p->tk + c, 0);
                touch(b, at_b + c * p->tn + n, 0);
                touch(b, at_c + m * p->tn + n, 1);
            }
    while (b->oldest >= 0)
        evict(b);
    return b->moved;
}

static int is_pointwise(const dscq_qnode *n)
{
    return n->op == DSCQ_Q_CONV && n->groups == 1 && n->weights->r == 1 &&
           n->weights->s == 1;
}

/* Sums over all pointwise layers, millions of entries; returns how many layers. */
static int sum_layers(double total[ORDERS][2], double best[2], double *once,
                      const dscq_qmodel *q, const table_row *row, buffer *b)
{
    int layers = 0;

    b->capacity = 1024LL * row->kentries;
    for (int32_t i = 0; i < q->node_count; i++) {
        const dscq_qnode *node = &q->node[i];
        const dscq_qtensor *y = &q->tensor[node->output];
        if (!is_pointwise(node) || y->h * y->w == 1) /* the classifier is no map */
            continue;
        product p = {
            node->weights->k, node->weights->c, y->h * y->w, row->tile, 0, 0, 0};
        double least[2] = {1e300, 1e300};
        p.tm = (p.m + p.side - 1) / p.side;
        p.tk = (p.k + p.side - 1) / p.side;
        p.tn = (p.n + p.side - 1) / p.side;
        for (int o = 0; o < ORDERS; o++)
            for (int s = 0; s < 2; s++) {
                const double e = 1e-6 * (double)run(b, &p, k_order[o], s);
                total[o][s] += e;
                least[s] = e < least[s] ? e : least[s];
            }
        best[0] += least[0];
        best[1] += least[1];
        *once += 1e-6 * ((double)p.m * p.k + (double)p.k * p.n + (double)p.m * p.n);
        layers++;
    }
    return layers;
}

static double larger(double worst, double ours, double theirs)
{
    const double d = ours > theirs ? ours - theirs : theirs - ours;

    return d > worst ? d : worst;
}

int main(void)
{
    dscq_qmodel *q = net_mobilenet_v2(1.0, 8, 1);
    buffer b = {.t = dscq_malloc(TILES_MAX, sizeof *b.t)};
    double worst = 0, once = 0;
    int layers = 0;

    if (b.t == NULL)
        return 7;
    printf("millions of entries, raster -> scan; in brackets the reference\n");
    for (size_t r = 0; r < sizeof k_table / sizeof *k_table; r++) {
        const table_row *t = &k_table[r];
        double total[ORDERS][2] = {{0}}, best[2] = {0, 0};
        once = 0;
        layers = sum_layers(total, best, &once, q, t, &b);
        printf("%dK entries, tiles of %d:", t->kentries, t->tile);
        for (int o = 0; o < ORDERS; o++) {
            printf(" %s %.2f -> %.2f", k_order[o], total[o][0], total[o][1]);
            if (o >= 4)
                continue;
            printf(" (%.2f -> %.2f)", t->raster[o], t->scan[o]);
            worst = larger(worst, total[o][0], t->raster[o]);
            worst = larger(worst, total[o][1], t->scan[o]);
        }
        printf("; best order a layer %.2f -> %.2f (%.2f -> %.2f)\n", best[0], best[1],
               t->best_raster, t->best_scan);
        worst = larger(worst, best[0], t->best_raster);
        worst = larger(worst, best[1], t->best_scan);
    }
    printf("%d layers; each operand once: %.2f; largest difference from the reference "
           "%.3f\n",
           layers, once, worst);
    dscq_free(b.t);
    dscq_qmodel_destroy(q);
    return worst < 0.006 ? 0 : 3;
}
