/* Less is never faster: the same work on a machine that has less of one thing. */
#include "dscq/base/alloc.h"
#include "dscq/hw/sim.h"
#include "dscq/lower/lower.h"
#include "sim_world.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const qmodel_random_opts k_nets = {
    .nodes = 12, .max_side = 24, .max_channels = 32};

static const double FILL_SLACK = 0.001;

static uint64_t cases(uint64_t normally)
{
    const char *n = getenv("DSCQ_LESS_CASES");

    return n != NULL ? strtoull(n, NULL, 10) : normally;
}

/* A failure; in a survey (DSCQ_LESS_CASES is set) a line. */
static void exception(uint64_t seed, const char *what, uint64_t after, uint64_t before)
{
    printf("seed %llu: less %s made %llu cycles of %llu\n", (unsigned long long)seed,
           what, (unsigned long long)after, (unsigned long long)before);
    ck_assert_msg(getenv("DSCQ_LESS_CASES") != NULL, "less %s is faster", what);
}

static uint64_t cycles_of(const dscq_program *p, const dscq_machine *m, uint64_t *bytes)
{
    const dscq_sim_options o = {.no_data = 1};
    dscq_error err = {DSCQ_OK, ""};
    dscq_sim *s = NULL;

    test_ok(dscq_sim_run(&s, p, m, NULL, &o, &err));
    const dscq_counters *c = dscq_sim_counters(s);
    const uint64_t cycles = c->cycles;
    if (bytes != NULL)
        *bytes =
            (c->dram_read_bursts + c->dram_write_bursts) * (uint64_t)m->burst_bytes;
    dscq_sim_destroy(s);
    return cycles;
}

/* Half the banks: rows of rings take fewer bytes, at the same places. */
static void halve_banks(dscq_machine *m, dscq_program *p)
{
    m->act_banks /= 2;
    for (int32_t i = 0; i < p->ring_count; i++) {
        dscq_hw_ring *r = &p->ring[i];
        const int64_t bytes = dscq_hw_ring_bytes(r, m->act_word_bytes, m->act_banks);
        r->row_bytes = (int32_t)(bytes / r->rows);
    }
}

/* One thing less of what a program may be short of: its name. NULL: no more. */
static const char *less(dscq_machine *m, dscq_program *p, int change)
{
    switch (change) {
    case 0:
        m->queue_depth -= 1;
        return "queue_depth";
    case 1:
        m->queue_depth = 1;
        return "queue_depth = 1";
    case 2:
        m->mem_bytes_per_cycle *= 0.6;
        return "mem_bytes_per_cycle";
    case 3:
        m->mem_latency_cycles += 30;
        return "mem_latency_cycles";
    case 4:
        m->outstanding = (m->outstanding + 1) / 2;
        return "outstanding";
    case 5:
        m->acc_banks -= 1;
        return "acc_banks";
    case 6:
        m->post_entries = m->post_entries > 1 ? m->post_entries / 2 : 1;
        return "post_entries";
    case 7:
        m->post_latency_cycles += 5;
        return "post_latency_cycles";
    case 8:
        m->row_queue = m->row_queue > 1 ? m->row_queue - 1 : 1;
        return "row_queue";
    case 9:
        m->row_registers = 1;
        return "row_registers";
    case 10:
        m->axi_ports = 1;
        return "axi_ports";
    case 11:
        m->command_cycles += 3;
        return "command_cycles";
    case 12:
        m->reconfigure_cycles += 7;
        return "reconfigure_cycles";
    case 13:
        if (m->act_banks > 1)
            halve_banks(m, p);
        return "act_banks";
    default:
        return NULL;
    }
}

/* All changes to one program. slack: cycles may fall by this part. */
static int try_all(dscq_program *p, const dscq_machine *m, double slack, uint64_t seed)
{
    const uint64_t before = cycles_of(p, m, NULL);
    int tried = 0;

    for (int change = 0;; change++) {
        dscq_machine worse = *m;
        const char *what = less(&worse, p, change);
        if (what == NULL)
            return tried;
        const uint64_t after = cycles_of(p, &worse, NULL);
        /* [D3] a transfer that overtakes would let less be faster */
        if ((double)after < (double)before * (1 - slack))
            exception(seed, what, after, before);
        tried++;
    }
}

/* A program of a random network; 0 when it does not fit. */
static int make_program(dscq_program **p, world *w, uint64_t seed)
{
    dscq_error err = {DSCQ_OK, ""};

    world_make(w, seed, &k_nets);
    w->m.queue_depth += 2;
    w->m.outstanding += 4;
    w->m.acc_banks += 1;
    w->m.axi_ports = 1 + (int32_t)(seed % 4);
    if (dscq_lower(p, NULL, w->q, &w->m, NULL, &err) == DSCQ_OK)
        return 1;
    world_end(w);
    return 0;
}

START_TEST(same_program_simple_memory)
{
    int tried = 0;

    for (uint64_t seed = 0; seed < cases(120); seed++) {
        dscq_program *p;
        world w;
        if (!make_program(&p, &w, 8000 + seed))
            continue;
        tried += try_all(p, &w.m, 0, seed);
        dscq_program_destroy(p);
        world_end(&w);
    }
    printf("%d changes with the simple memory\n", tried);
    ck_assert_int_ge(tried, 100);
}
END_TEST

START_TEST(same_program_command_level_memory)
{
    static const char *const k_dram[] = {"ddr3_1333", "ddr4_2400", "lpddr4_2400"};
    int tried = 0;

    for (uint64_t seed = 0; seed < cases(45); seed++) {
        dscq_program *p;
        world w;
        if (!make_program(&p, &w, 30000 + seed))
            continue;
        (void)snprintf(w.m.dram, sizeof w.m.dram, "%s", k_dram[seed % 3]);
        (void)snprintf(w.m.data_dir, sizeof w.m.data_dir, "%s", test_source("data"));
        tried += try_all(p, &w.m, 0.01, seed);
        dscq_program_destroy(p);
        world_end(&w);
    }
    printf("%d changes with command-level memory\n", tried);
    ck_assert_int_ge(tried, 100);
}
END_TEST

static int has_depthwise(const dscq_program *p)
{
    for (int32_t i = 0; i < p->op_count; i++)
        if (p->op[i].mode == DSCQ_HW_DEPTHWISE)
            return 1;
    return 0;
}

/* Half the lanes, same pixels a vector, lanes dealt in turn and nothing fused: the
 * program is another one. Streams are padded lane by lane, so half the lanes may save
 * a few bytes of weights: their time is credited. A depthwise command hands smaller
 * rows of lanes to the post-processor, so its first outputs come a few cycles earlier:
 * FILL_SLACK of the run. */
START_TEST(half_the_lanes)
{
    int tried = 0, depthwise = 0;

    for (uint64_t seed = 0; seed < cases(150); seed++) {
        dscq_error err = {DSCQ_OK, ""};
        dscq_program *p[2] = {NULL, NULL};
        uint64_t cycles[2], bytes[2];
        world w;
        world_make(&w, 50000 + seed, &k_nets);
        w.m.schedule.fuse = DSCQ_SCHEDULE_FUSE_NONE;
        w.m.schedule.resident = DSCQ_SCHEDULE_RESIDENT_NO;
        w.m.schedule.order = DSCQ_SCHEDULE_ORDER_RASTER;
        w.m.schedule.dataflow = 1 + (int32_t)(seed % 2);
        w.m.schedule.stream = 1 + (int32_t)(seed % 3);
        w.m.schedule.weights = DSCQ_SCHEDULE_WEIGHTS_STREAM;
        w.m.schedule.balance = 0;
        w.m.schedule.epilogue = 0;
        w.m.act_bytes = 4 << 20;
        w.m.weight_bytes = 4 << 20;
        w.m.acc_rows = 256;
        int ok = 1;
        for (int i = 0; i < 2 && ok; i++) {
            dscq_machine m = w.m;
            m.lanes.count = 1;
            m.lanes.v[0] = i == 0 ? 8 : 4;
            m.multipliers = i == 0 ? 64 : 32;
            ok = dscq_lower(&p[i], NULL, w.q, &m, NULL, &err) == DSCQ_OK;
            if (ok)
                cycles[i] = cycles_of(p[i], &m, &bytes[i]);
        }
        if (ok) {
            const uint64_t saved = bytes[1] < bytes[0] ? bytes[0] - bytes[1] : 0;
            const double credit = (double)saved / w.m.mem_bytes_per_cycle;
            const double slack = has_depthwise(p[0]) ? FILL_SLACK : 0;
            depthwise += has_depthwise(p[0]);
            if ((double)cycles[1] + credit < (double)cycles[0] * (1 - slack))
                exception(seed, "lanes", cycles[1], cycles[0]);
            tried++;
        }
        dscq_program_destroy(p[0]);
        dscq_program_destroy(p[1]);
        world_end(&w);
    }
    printf("%d networks on half the lanes, %d of them depthwise in part\n", tried,
           depthwise);
    ck_assert_int_ge(tried - depthwise, 20);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("sim/less", &tc);

    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, same_program_simple_memory);
    tcase_add_test(tc, same_program_command_level_memory);
    tcase_add_test(tc, half_the_lanes);
    return s;
}

int main(void)
{
    return test_run(make);
}
