/* Every key of the machine and schedule tables, taken from the tables themselves: it
 * changes a number of some run, or refuses one and names itself, or is known to move
 * nothing; and what is known to move nothing changes no number at all. */
#include "dscq/base/alloc.h"
#include "dscq/flow/simulate.h"
#include "dscq/lower/lower.h"
#include "qmodel_random.h"
#include "sim_world.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

enum { VALUES = 48, TEXT = 64, WORLDS = 160, DEAD_WORLDS = 4 };

typedef struct values {
    char text[VALUES][TEXT];
    int count;
} values;

static void add(values *v, double x, const dscq_key *k)
{
    if (x < k->min || x > k->max || v->count == VALUES)
        return;
    (void)snprintf(v->text[v->count++], TEXT,
                   k->type == DSCQ_KEY_REAL ? "%.6g" : "%.0f", x);
}

/* The value it has, halved, doubled and beside; both ends; powers of two. */
static void numbers(values *v, const dscq_key *k, double now)
{
    const double near[] = {now / 2, now * 2, now + 1, now - 1, now * 8, k->min, k->max};

    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++)
        add(v, near[i], k);
    for (double x = 1; x <= 4096; x *= 2)
        add(v, x, k);
}

/* What a name may be: the files of its folder, a few of them. */
static void names(values *v, const dscq_key *k)
{
    static const char *const k_of[][4] = {
        {"board", "pynq_z2", "vc707", "zcu104"},
        {"dram", "simple", "ddr3_1333", "lpddr4_2133"},
        {"energy", "fpga16", "fpga28", "fpga28"},
        {"name", "a", "b", "c"}};

    for (size_t i = 0; i < sizeof k_of / sizeof k_of[0]; i++)
        for (int n = 1; n < 4 && strcmp(k_of[i][0], k->name) == 0; n++)
            (void)snprintf(v->text[v->count++], TEXT, "%s", k_of[i][n]);
    ck_assert_msg(v->count > 0, "key %s: say which names it takes", k->name);
}

static values values_of(const dscq_key *k, const void *params)
{
    const char *field = (const char *)params + k->offset;
    values v = {.count = 0};

    switch (k->type) {
    case DSCQ_KEY_INT:
        numbers(&v, k, (double)*(const int32_t *)(const void *)field);
        break;
    case DSCQ_KEY_I64:
        numbers(&v, k, (double)*(const int64_t *)(const void *)field);
        break;
    case DSCQ_KEY_REAL:
        numbers(&v, k, *(const double *)(const void *)field);
        break;
    case DSCQ_KEY_BOOL:
        v.count = 2;
        strcpy(v.text[0], "no");
        strcpy(v.text[1], "yes");
        break;
    case DSCQ_KEY_ENUM:
        for (int i = 0; v.count == 0 || v.text[v.count - 1][0] != '\0'; i++)
            dscq_choice_name(v.text[v.count++], TEXT, k->choices, i);
        v.count--;
        break;
    case DSCQ_KEY_STR:
        names(&v, k);
        break;
    default: /* numbers of lanes */
        v.count = 3;
        strcpy(v.text[0], "1");
        strcpy(v.text[1], "4");
        strcpy(v.text[2], "2, 8");
    }
    return v;
}

/* ---- one run as its numbers --------------------------------------------- */

typedef struct outcome {
    dscq_status status;
    char msg[sizeof((dscq_error *)0)->msg];
    uint64_t cycles;
    double dram_bytes, energy_pj, low_pj, fps;
    uint64_t used; /* resources, mixed */
} outcome;

static outcome run(const dscq_qmodel *q, const dscq_machine *m)
{
    const dscq_simulate_options o = {.frames = 2, .no_data = 1, .certify = -1};
    dscq_error err = {DSCQ_OK, ""};
    dscq_simulation s;
    outcome r;

    memset(&r, 0, sizeof r);
    r.status = dscq_machine_check(m, &err);
    if (r.status == DSCQ_OK)
        r.status = dscq_flow_simulate(&s, q, m, &o, &err);
    memcpy(r.msg, err.msg, sizeof r.msg);
    if (r.status != DSCQ_OK)
        return r;
    r.cycles = s.totals.cycles;
    r.dram_bytes = s.totals.dram_bytes;
    r.energy_pj = s.bill.total_pj;
    r.low_pj = s.bill.low_pj_total;
    r.fps = s.totals.fps;
    const int at = dscq_table_find(s.resources, "used");
    for (size_t i = 0; i < dscq_table_rows(s.resources); i++)
        r.used = r.used * 31 + (uint64_t)dscq_table_int(s.resources, i, (size_t)at);
    dscq_simulation_clear(&s);
    return r;
}

static int differs(const outcome *a, const outcome *b)
{
    return a->cycles != b->cycles || a->dram_bytes != b->dram_bytes ||
           a->energy_pj != b->energy_pj || a->low_pj != b->low_pj || a->fps != b->fps ||
           a->used != b->used;
}

/* ---- worlds --------------------------------------------------------------------- */

static void make(dscq_qmodel **q, dscq_machine *m, int engine, int simple,
                 uint64_t seed)
{
    const qmodel_random_opts o = {.nodes = 12,
                                  .max_side = 20,
                                  .max_channels = seed % 4 == 1 ? 128 : 32,
                                  .wide = seed % 4 == 3};
    dscq_rng root = dscq_rng_seeded(seed);
    dscq_rng r = dscq_rng_fork(&root, "net", 0), rm = dscq_rng_fork(&root, "m", 0);
    dscq_error err = {DSCQ_OK, ""};
    const char *dir = test_source("data");

    for (;;) { /* simulate takes one input */
        test_ok(qmodel_random(q, &r, &o, &err));
        if ((*q)->input_count == 1)
            break;
        dscq_qmodel_destroy(*q);
    }
    world_machine(m, &rm);
    m->engine = engine;
    m->fifo_rows = 1 + (int32_t)(seed % 2);
    if (engine == DSCQ_ENGINE_PIPELINE)
        m->multipliers = 4096;
    if (!simple)
        strcpy(m->dram, "ddr3_1600");
    if (seed % 4 == 1) { /* neither weights nor maps stay: sweeps are repeated */
        m->schedule.fuse = DSCQ_SCHEDULE_FUSE_NONE;
        m->schedule.resident = DSCQ_SCHEDULE_RESIDENT_NO;
        m->weight_bytes = 4096;
        m->act_bytes = 8192;
    }
    if (seed % 4 < 3 && engine == DSCQ_ENGINE_ARRAY)
        m->act_bits = m->weight_bits = 8;
    memcpy(m->data_dir, dir, strlen(dir) + 1);
}

/* Does some value of the key change something in this world? `what` says which. */
static int moves(char what[700], const dscq_key *k, int is_schedule,
                 const dscq_qmodel *q, const dscq_machine *m)
{
    const outcome base = run(q, m);
    const values v =
        values_of(k, is_schedule ? (const void *)&m->schedule : (const void *)m);

    if (base.status != DSCQ_OK)
        return 0;
    for (int i = 0; i < v.count; i++) {
        dscq_machine other = *m;
        dscq_error err = {DSCQ_OK, ""};
        if (dscq_keys_set(is_schedule ? (void *)&other.schedule : (void *)&other,
                          is_schedule ? dscq_schedule_keys() : dscq_machine_keys(),
                          k->name, v.text[i], &err) != DSCQ_OK)
            continue;
        const outcome now = run(q, &other);
        if (now.status == DSCQ_OK ? differs(&base, &now)
                                  : strstr(now.msg, k->name) != NULL) {
            (void)snprintf(what, 700, "%s = %s: %s", k->name, v.text[i],
                           now.status == DSCQ_OK ? "other numbers" : now.msg);
            return 1;
        }
    }
    return 0;
}

/* Kinds of world: engine x (command-level, simple memory). */
static void try_key(const dscq_key *k, int is_schedule, int kind)
{
    char full[DSCQ_NAME_MAX], what[700] = "";

    (void)snprintf(full, sizeof full, "%s%s", is_schedule ? "schedule." : "machine.",
                   k->name);
    const char *dead = NULL;
    for (uint64_t seed = 0; seed < (dead == NULL ? WORLDS : DEAD_WORLDS); seed++) {
        dscq_qmodel *q;
        dscq_machine m;
        make(&q, &m, kind / 2, kind % 2, 300 + seed);
        dead = dscq_flow_dead_key(&m, full);
        const int moved = moves(what, k, is_schedule, q, &m);
        dscq_qmodel_destroy(q);
        if (moved && dead == NULL)
            return;
        ck_assert_msg(!moved,
                      "%s (engine %d, %s memory) is said to move nothing, but %s", full,
                      kind / 2, kind % 2 ? "simple" : "command-level", what);
    }
    ck_assert_msg(dead != NULL,
                  "%s (engine %d, %s memory) changes nothing and says so "
                  "nowhere",
                  full, kind / 2, kind % 2 ? "simple" : "command-level");
}

static int key_count(const dscq_key *k)
{
    int n = 0;

    while (k[n].name != NULL)
        n++;
    return n;
}

START_TEST(every_key_moves_something_or_is_known_not_to)
{
    const int machine = key_count(dscq_machine_keys());
    const int is_schedule = _i / 4 >= machine;
    const dscq_key *k = is_schedule ? &dscq_schedule_keys()[_i / 4 - machine]
                                    : &dscq_machine_keys()[_i / 4];

    if (k->offset == offsetof(dscq_machine, name) && !is_schedule)
        return; /* what reports call it */
    if (k->type == DSCQ_KEY_INT && k->min == k->max)
        return; /* the version: nothing else is taken */
    try_key(k, is_schedule, _i % 4);
}
END_TEST

static void hear(void *ctx, dscq_log_level level, const char *text)
{
    char *all = ctx;

    ck_assert_int_eq(level, DSCQ_LOG_WARN);
    strcat(strcat(all, text), "\n");
}

/* In a file, in a net.cfg beside it, by --set: each is warned of with its place. */
START_TEST(dead_keys_are_warned_of_wherever_they_stand)
{
    char said[2000] = "", want[2000];
    const dscq_log log = {.message = hear, .ctx = said};
    const char *const set[] = {"schedule.balance=no", "fifo_rows=3"};
    const char *file = test_file("m.cfg", "[machine]\ndram = simple\nfifo_rows = 2\n"
                                          "mem_latency_cycles = 9\n");
    const char *net = test_file("n.cfg", "[machine]\nfile = m.cfg\ntarget_fps = 9\n");
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c;
    dscq_machine m;

    test_ok(dscq_config_load(&c, net, &err));
    test_ok(dscq_flow_machine(&m, NULL, c, test_source("data"), NULL, 0, &log, &err));
    (void)snprintf(
        want, sizeof want,
        "%s:3 machine.target_fps moves nothing: only engine = pipeline has it\n"
        "%s:3: fifo_rows moves nothing: only engine = pipeline has it\n",
        net, file);
    ck_assert_str_eq(said, want);
    said[0] = '\0';
    test_ok(dscq_flow_machine(&m, file, NULL, test_source("data"), set, 2, &log, &err));
    ck_assert_str_eq(said, "--set machine.fifo_rows moves nothing: only engine = "
                           "pipeline has it\n");
    dscq_config_destroy(c);
}
END_TEST

START_TEST(shipped_machines_set_no_dead_key)
{
    static const char *const k_machines[] = {"meng2024", "nguyen2021", "wu2019",
                                             "yang2024", "zcu104",     "zhang2019",
                                             "zynq7020"};
    char said[2000] = "";
    const dscq_log log = {.message = hear, .ctx = said};
    dscq_error err = {DSCQ_OK, ""};
    dscq_machine m;

    test_ok(dscq_flow_machine(&m, k_machines[_i], NULL, test_source("data"), NULL, 0,
                              &log, &err));
    ck_assert_str_eq(said, "");
}
END_TEST

static Suite *suite(void)
{
    TCase *tc;
    Suite *s = test_suite("machine_keys", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(
        tc, every_key_moves_something_or_is_known_not_to, 0,
        4 * (key_count(dscq_machine_keys()) + key_count(dscq_schedule_keys())));
    tcase_add_test(tc, dead_keys_are_warned_of_wherever_they_stand);
    tcase_add_loop_test(tc, shipped_machines_set_no_dead_key, 0, 7);
    return s;
}

int main(void)
{
    return test_run(suite);
}
