/* bench_pack - sizes of the packed form and the speed of the coders.
 *
 *     bench_pack [sizes|alexnet|speed|memory|corrupt|file PACKED.bin ...]
 *                                              (default: sizes, alexnet and speed)
 *
 * sizes    bits for positions at densities 0.05 .. 0.7 against the entropy bound
 * alexnet  AlexNet's shapes at the densities of Zhang et al. 2019 as derived (FC 5.5,
 *          6.5, 20 %, convolutions 35 %), 4-bit FC and 5-bit CONV codes, uniform
 * speed    packing and loading MobileNetV1 1.0's shapes; decoding weights a second
 * memory   what packing and loading (from memory, from a file) add to the peak of
 *          resident memory, beside the bound of twice the file and the largest layer
 *          (Linux)
 * corrupt  a million single-byte corruptions of a file: none may be accepted
 * file     a real file in every profile; its archive form against its machine form, the
 *          context coder against its own model, decoding weights a second
 */
#include "bench_util.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"
#include "dscq/pack/pack.h"
#include "peak.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

typedef struct layer {
    const char *name;
    int32_t k, r, s, c, bits;
    double density;
} layer;

static void die(const dscq_error *err)
{
    fprintf(stderr, "bench_pack: %s\n", err->msg);
    exit(1);
}

/* One convolution of its own input and output a layer: a network of shapes only. */
static void add_layer(dscq_qmodel *m, int32_t i, const layer *l, dscq_rng *g,
                      double laplace)
{
    dscq_error err;
    dscq_qnode *n = &m->node[i];

    for (int t = 0; t < 2; t++) {
        dscq_qtensor *q = &m->tensor[2 * i + t];
        (void)snprintf(q->name, sizeof q->name, "%s.%s", l->name, t ? "out" : "in");
        q->h = t ? 1 : l->r;
        q->w = t ? 1 : l->s;
        q->c = t ? l->k : l->c;
        q->bits = 8;
        q->scale = 1.0;
    }
    m->input[i].tensor = 2 * i;
    m->output[i].tensor = 2 * i + 1;
    (void)snprintf(m->output[i].role, sizeof m->output[i].role, "raw");
    (void)snprintf(n->name, sizeof n->name, "%s", l->name);
    n->op = DSCQ_Q_CONV;
    n->input_count = 1;
    n->input[0] = 2 * i;
    n->output = 2 * i + 1;
    n->clamp_lo = -128;
    n->clamp_hi = 127;
    if (dscq_qweights_create(&n->weights, l->k, l->r, l->s, l->c, DSCQ_FORM_CODEBOOK, 0,
                             &err) != DSCQ_OK ||
        dscq_qnode_reserve(n, l->k, &err) != DSCQ_OK)
        die(&err);
    dscq_qweights *w = n->weights;
    const int32_t levels = 1 << l->bits;
    w->bits = l->bits;
    w->codebook_count = levels;
    for (int32_t v = 1; v < levels; v++)
        w->codebook[v] = (int16_t)(v <= levels / 2 ? v * 3 : (levels / 2 - v) * 3);
    for (size_t j = 0; j < w->count; j++) {
        if (dscq_rng_unit64(g) >= l->density)
            continue;
        int32_t at = 1 + (int32_t)dscq_rng_below(g, (uint64_t)levels - 1);
        if (laplace > 0.0) { /* magnitudes fall off as trained levels do */
            int32_t mag = 1 + (int32_t)(-log(1.0 - dscq_rng_unit64(g)) * laplace);
            if (mag > levels / 2 - 1)
                mag = levels / 2 - 1;
            at = dscq_rng_below(g, 2) ? mag : levels / 2 + mag;
        }
        w->value[j] = w->codebook[at];
    }
}

static dscq_qmodel *make(const layer *l, int32_t count, double laplace)
{
    dscq_rng g = dscq_rng_seeded(2026);
    dscq_qmodel *m;
    dscq_error err;

    if (dscq_qmodel_create(&m, &err) != DSCQ_OK ||
        dscq_qmodel_reserve(m, 2 * count, count, count, count, &err) != DSCQ_OK)
        die(&err);
    for (int32_t i = 0; i < count; i++) {
        add_layer(m, i, &l[i], &g, laplace);
        m->float_bytes += (m->node[i].weights->count + (uint64_t)l[i].k) * 4;
    }
    return m;
}

static dscq_pack_summary size_of(const dscq_qmodel *m, dscq_pack_profile p)
{
    const dscq_pack_options o = {p, -1, 0};
    dscq_pack_summary s;
    dscq_error err;

    if (dscq_pack_sizes(&s, NULL, m, &o, &err) != DSCQ_OK)
        die(&err);
    return s;
}

static void sizes(void)
{
    static const double density[] = {0.05, 0.08, 0.1, 0.15, 0.2, 0.25,
                                     0.3,  0.4,  0.5, 0.6,  0.7};

    printf(
        "position bits against the entropy bound, 1024 x 1024 weights, uniform 4-bit "
        "codes\n%8s %10s %9s %9s\n",
        "density", "bound b/nz", "machine", "archive");
    for (size_t i = 0; i < sizeof density / sizeof *density; i++) {
        const layer l = {"layer", 1024, 1, 1, 1024, 4, density[i]};
        dscq_qmodel *m = make(&l, 1, 0.0);
        const dscq_pack_summary a = size_of(m, DSCQ_PACK_MACHINE);
        const dscq_pack_summary b = size_of(m, DSCQ_PACK_ARCHIVE);
        const double codes = b.c_bits - b.c_position_bits; /* entropy of the codes */
        const double machine =
            (double)(a.size.values + a.size.positions) - 4.0 * (double)a.nonzero;
        const double archive = (double)(b.size.values + b.size.positions) - codes;
        printf("%8.2f %10.3f %+8.1f%% %+8.1f%%\n", density[i],
               a.c_position_bits / (double)a.nonzero,
               100.0 * (machine / a.c_position_bits - 1.0),
               100.0 * (archive / b.c_position_bits - 1.0));
        dscq_qmodel_destroy(m);
    }
}

static const layer k_alexnet[] = {
    {"conv1", 96, 11, 11, 3, 5, 0.35},   {"conv2", 256, 5, 5, 48, 5, 0.35},
    {"conv3", 384, 3, 3, 256, 5, 0.35},  {"conv4", 384, 3, 3, 192, 5, 0.35},
    {"conv5", 256, 3, 3, 192, 5, 0.35},  {"fc6", 4096, 6, 6, 256, 4, 0.055},
    {"fc7", 4096, 1, 1, 4096, 4, 0.065}, {"fc8", 1000, 1, 1, 4096, 4, 0.2}};

static void alexnet(void)
{
    dscq_qmodel *m = make(k_alexnet, 8, 0.0);
    static const struct {
        const char *name;
        dscq_pack_profile p;
    } row[] = {{"machine", DSCQ_PACK_MACHINE},
               {"loaded", DSCQ_PACK_LOADED},
               {"archive", DSCQ_PACK_ARCHIVE}};

    printf(
        "AlexNet's shapes, densities as derived for Zhang et al. 2019 (published file "
        "8.7 MB)\n");
    for (size_t i = 0; i < 3; i++) {
        const dscq_pack_summary s = size_of(m, row[i].p);
        printf("%-8s %.3f MB  (%.1fx; A %.3f MB, C %.3f MB)\n", row[i].name,
               (double)s.file_bytes / 1e6, (double)s.float_bytes / (double)s.file_bytes,
               s.a_bits / 8e6, s.c_bits / 8e6);
    }
    uint64_t zhang = 0;
    for (int32_t i = 0; i < m->node_count; i++) {
        dscq_pack_size s;
        int32_t arg = 0;
        dscq_error err;
        if (dscq_pack_cost(&s, &arg, m->node[i].weights,
                           dscq_pack_encoding_find(i < 5 ? "zhang_conv" : "zhang_fc"),
                           &err) != DSCQ_OK)
            die(&err);
        zhang += dscq_pack_size_bits(&s);
    }
    printf("%-8s %.3f MB  (the paper's two 16-bit forms, weights only)\n", "zhang",
           (double)zhang / 8e6);
    dscq_qmodel_destroy(m);
}

static int32_t mobilenet(layer *l)
{
    static const int32_t width[] = {64,  128, 128, 256, 256,  512, 512,
                                    512, 512, 512, 512, 1024, 1024};
    static char names[40][16];
    int32_t n = 0, c = 32;

    l[n++] = (layer){"conv0", 32, 3, 3, 3, 8, 0.9};
    for (int i = 0; i < 13; i++) {
        (void)snprintf(names[2 * i], 16, "dw%d", i + 1);
        (void)snprintf(names[2 * i + 1], 16, "pw%d", i + 1);
        l[n++] = (layer){names[2 * i], c, 3, 3, 1, 8, 0.95};
        l[n++] = (layer){names[2 * i + 1], width[i], 1, 1, c, 4, 0.3};
        c = width[i];
    }
    l[n++] = (layer){"fc", 1000, 1, 1, 1024, 4, 0.15};
    return n;
}

/* Processor time: the file and the coders use one thread and no disk here, and a busy
 * machine should not count. */
static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What the context coder takes, and what its own model says it must: bits. */
static void against_its_model(double *real, double *ideal, const dscq_qmodel *m)
{
    const int32_t id = dscq_pack_encoding_find("context");

    *real = *ideal = 0.0;
    for (int32_t i = 0; i < m->node_count; i++) {
        const dscq_qweights *w = m->node[i].weights;
        dscq_pack_size s;
        double bits;
        int32_t arg;
        dscq_error err;
        if (w == NULL || w->form == DSCQ_FORM_BINARY)
            continue;
        if (dscq_pack_cost(&s, &arg, w, id, &err) != DSCQ_OK ||
            dscq_pack_context_ideal(&bits, w, arg, &err) != DSCQ_OK)
            die(&err);
        *ideal += bits;
        *real += (double)dscq_pack_size_bits(&s);
    }
}

/* Best CPU seconds to load m in the form `o`. */
static double load_seconds(const dscq_qmodel *m, const dscq_pack_options *o)
{
    double best = 1e9;
    uint8_t *data;
    size_t bytes;
    dscq_error err;

    if (dscq_pack_encode(&data, &bytes, m, o, &err) != DSCQ_OK)
        die(&err);
    for (int i = 0; i < 9; i++) {
        const double t = cpu_now();
        dscq_qmodel *back;
        if (dscq_pack_decode(&back, data, bytes, &err) != DSCQ_OK)
            die(&err);
        best = fmin(best, cpu_now() - t);
        dscq_qmodel_destroy(back);
    }
    dscq_free(data);
    return best;
}

static void file(const char *path)
{
    const dscq_pack_options context = {DSCQ_PACK_NAMED,
                                       dscq_pack_encoding_find("context"), 0};
    double real, ideal;
    dscq_qmodel *m;
    dscq_error err;

    if (dscq_pack_read(&m, path, &err) != DSCQ_OK)
        die(&err);
    const dscq_pack_summary a = size_of(m, DSCQ_PACK_MACHINE);
    const dscq_pack_summary b = size_of(m, DSCQ_PACK_LOADED);
    const dscq_pack_summary c = size_of(m, DSCQ_PACK_ARCHIVE);
    const dscq_pack_options archive = {DSCQ_PACK_ARCHIVE, -1, 0};
    against_its_model(&real, &ideal, m);
    printf("%s: %llu weights, density %.3f\n", path, (unsigned long long)a.weights,
           (double)a.nonzero / (double)a.weights);
    printf("  machine %llu, loaded %llu, archive %llu bytes: %+.1f %%\n",
           (unsigned long long)a.file_bytes, (unsigned long long)b.file_bytes,
           (unsigned long long)c.file_bytes,
           100.0 * ((double)c.file_bytes / (double)a.file_bytes - 1.0));
    printf(
        "  weights %+.1f %%, channel constants %+.1f %%; context coder against its own "
        "model %+.3f %%, against entropies of each layer %+.2f %%\n",
        100.0 * ((double)(c.size.values + c.size.positions + c.size.padding) /
                     (double)(a.size.values + a.size.positions + a.size.padding) -
                 1.0),
        100.0 * ((double)c.size.constants / (double)a.size.constants - 1.0),
        100.0 * (real / ideal - 1.0), 100.0 * (real / c.c_bits - 1.0));
    printf("  M weights/s a core: archive %.1f, all context %.1f\n",
           (double)a.weights / 1e6 / load_seconds(m, &archive),
           (double)a.weights / 1e6 / load_seconds(m, &context));
    dscq_qmodel_destroy(m);
}

static void speed(void)
{
    static const struct {
        const char *name;
        dscq_pack_profile p;
    } row[] = {{"machine", DSCQ_PACK_MACHINE},
               {"loaded", DSCQ_PACK_LOADED},
               {"archive", DSCQ_PACK_ARCHIVE},
               {"context", DSCQ_PACK_NAMED}};
    layer l[40];
    const int32_t n = mobilenet(l);
    dscq_qmodel *m = make(l, n, 2.0);

    printf("MobileNetV1 1.0's shapes, PW 4 bits at density 0.3, Laplacian codes; CPU "
           "time, best of 5\n%-8s "
           "%10s "
           "%9s %9s %12s\n",
           "profile", "bytes", "pack ms", "load ms", "M weights/s");
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const dscq_pack_options o = {row[i].p, dscq_pack_encoding_find(row[i].name), 0};
        double pack = 1e9, load = 1e9;
        uint8_t *data = NULL;
        size_t bytes = 0;
        dscq_error err;
        for (int k = 0; k < 5; k++) {
            dscq_qmodel *back;
            double t = cpu_now();
            dscq_free(data);
            if (dscq_pack_encode(&data, &bytes, m, &o, &err) != DSCQ_OK)
                die(&err);
            pack = fmin(pack, cpu_now() - t);
            t = cpu_now();
            if (dscq_pack_decode(&back, data, bytes, &err) != DSCQ_OK)
                die(&err);
            load = fmin(load, cpu_now() - t);
            dscq_qmodel_destroy(back);
        }
        printf("%-8s %10zu %9.1f %9.1f %12.1f\n", row[i].name, bytes, pack * 1e3,
               load * 1e3, 4.209 / load);
        dscq_free(data);
    }
    double real, ideal;
    against_its_model(&real, &ideal, m);
    const double fixed = (double)size_of(m, DSCQ_PACK_MACHINE).file_bytes;
    const double deep = (double)size_of(m, DSCQ_PACK_ARCHIVE).file_bytes;
    printf("archive against machine %+.1f %%; context coder against its own model's "
           "entropy %+.3f %%\n",
           100.0 * (deep / fixed - 1.0), 100.0 * (real / ideal - 1.0));
    dscq_qmodel_destroy(m);
}

static void memory_of(const char *what, const layer *l, int32_t count)
{
    const dscq_pack_options o = {DSCQ_PACK_MACHINE, -1, 0};
    dscq_qmodel *m = make(l, count, 2.0), *back;
    char path[] = "/tmp/bench_pack.XXXXXX";
    const int fd = mkstemp(path);
    size_t largest = 0, bytes;
    uint8_t *data;
    dscq_error err;

    if (fd < 0)
        exit(1);
    (void)close(fd);
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024); /* what is freed is given back */
#endif
    for (int32_t i = 0; i < count; i++)
        if (m->node[i].weights->count > largest)
            largest = m->node[i].weights->count;
    (void)peak_bytes(1);
    size_t before = peak_bytes(0);
    if (dscq_pack_encode(&data, &bytes, m, &o, &err) != DSCQ_OK)
        die(&err);
    const size_t pack = peak_bytes(0) - before;
    dscq_qmodel_destroy(m);
    (void)peak_bytes(1);
    before = peak_bytes(0);
    if (dscq_pack_decode(&back, data, bytes, &err) != DSCQ_OK)
        die(&err);
    const size_t load = peak_bytes(0) - before + bytes;
    dscq_qmodel_destroy(back);
    if (dscq_file_write(path, data, bytes, &err) != DSCQ_OK)
        die(&err);
    dscq_free(data);
    (void)peak_bytes(1);
    before = peak_bytes(0);
    if (dscq_pack_read(&back, path, &err) != DSCQ_OK)
        die(&err);
    const size_t from_file = peak_bytes(0) - before;
    printf("%-12s %8zu %9zu %9zu %9zu %9zu %9zu\n", what, bytes / 1024,
           largest * 2 / 1024, 2 * (bytes + largest) / 1024, pack / 1024, load / 1024,
           from_file / 1024);
    dscq_qmodel_destroy(back);
    (void)unlink(path);
}

static void memory(void)
{
    layer l[40];
    const int32_t n = mobilenet(l);

    printf("peak memory in kB, machine form; pack: beside the network; load: from "
           "memory, that included; read: from a file\n"
           "%-12s %8s %9s %9s %9s %9s %9s\n",
           "", "file", "largest", "bound", "pack", "load", "read");
    memory_of("MobileNetV1", l, n);
    memory_of("AlexNet", k_alexnet, 8);
}

static void corrupt(void)
{
    static const layer l[] = {{"a", 16, 3, 3, 1, 8, 0.9}, {"b", 24, 1, 1, 16, 4, 0.3}};
    dscq_qmodel *m = make(l, 2, 2.0);
    dscq_rng g = dscq_rng_seeded(1);
    uint8_t *data;
    size_t bytes;
    dscq_error err;
    int accepted = 0;

    if (dscq_pack_encode(&data, &bytes, m, NULL, &err) != DSCQ_OK)
        die(&err);
    for (int i = 0; i < 1000000; i++) {
        const size_t at = (size_t)dscq_rng_below(&g, bytes);
        const uint8_t was = data[at];
        dscq_qmodel *back;
        data[at] = (uint8_t)(was ^ (1 + dscq_rng_below(&g, 255)));
        if (dscq_pack_decode(&back, data, bytes, &err) == DSCQ_OK) {
            accepted++;
            dscq_qmodel_destroy(back);
        }
        data[at] = was;
    }
    printf("1000000 single-byte corruptions of %zu bytes: %d accepted\n", bytes,
           accepted);
    dscq_free(data);
    dscq_qmodel_destroy(m);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "all";
    const int all = strcmp(what, "all") == 0;

    if (all || strcmp(what, "sizes") == 0)
        sizes();
    if (all || strcmp(what, "alexnet") == 0)
        alexnet();
    if (all || strcmp(what, "speed") == 0)
        speed();
    if (strcmp(what, "memory") == 0)
        memory();
    if (strcmp(what, "corrupt") == 0)
        corrupt();
    for (int i = 2; strcmp(what, "file") == 0 && i < argc; i++)
        file(argv[i]);
    return 0;
}
