/* Any values that the keys of machine, memory, energy and board files allow: a run ends
 * soon, asks for memory in proportion, and is right or refused. */
#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"
#include "dscq/base/str.h"
#include "dscq/dram/config.h"
#include "dscq/flow/simulate.h"
#include "dscq/hw/board.h"
#include "qmodel_random.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES = 200, SECONDS = 60, ASKED_MAX = 1 << 30 };

/* ---- values ---- */

/* A limit of the row, a neighbour of one, or any order of magnitude between. */
static double some_value(const dscq_key *k, dscq_rng *g)
{
    const double lo = k->min, hi = k->max, least = lo > 0 ? lo : hi > 1e6 ? 1e-3 : 1;
    double v = exp(log(least) + dscq_rng_unit64(g) * (log(hi) - log(least)));

    switch (dscq_rng_below(g, 6)) {
    case 0:
        v = lo;
        break;
    case 1:
        v = hi;
        break;
    case 2:
        v = lo + 1;
        break;
    case 3:
        v = hi - 1;
        break;
    default:
        break;
    }
    if (k->type != DSCQ_KEY_REAL)
        v = floor(v);
    return v < lo ? lo : v > hi ? hi : v;
}

static int is_number(const dscq_key *k)
{
    return (k->type == DSCQ_KEY_INT || k->type == DSCQ_KEY_I64 ||
            k->type == DSCQ_KEY_REAL) &&
           k->max > k->min;
}

static void some_text(char *out, size_t cap, const dscq_key *k, dscq_rng *g)
{
    if (is_number(k))
        dscq_str_real(out, cap, some_value(k, g));
    else if (k->type == DSCQ_KEY_BOOL)
        (void)snprintf(out, cap, "%d", (int)dscq_rng_below(g, 2));
    else
        out[0] = '\0'; /* left as it is */
    if (k->type == DSCQ_KEY_ENUM) {
        int words = 1;
        for (const char *p = k->choices; *p != '\0'; p++)
            words += *p == '|';
        dscq_choice_name(out, cap, k->choices, (int)dscq_rng_below(g, (uint64_t)words));
    }
}

/* The file with one key set: its line changed, or one put under the section's name. */
static void set_key(dscq_str *text, const char *section, const char *key,
                    const char *value)
{
    char start[160], line[320];
    dscq_str out = {0};
    const char *at;

    (void)snprintf(start, sizeof start, "\n%s =", key);
    (void)snprintf(line, sizeof line, "\n%s = %s", key, value);
    at = strstr(text->text, start);
    if (at == NULL) {
        (void)snprintf(start, sizeof start, "[%s]", section);
        at = strstr(text->text, start);
        if (at == NULL)
            return;
        at = strchr(at, '\n');
    }
    dscq_str_add_bytes(&out, text->text, (size_t)(at - text->text));
    dscq_str_add(&out, line);
    dscq_str_add(&out, strstr(at, start) == at ? strchr(at + 1, '\n') : at);
    dscq_str_free(text);
    *text = out;
}

typedef struct part {
    const char *section;
    const dscq_key *keys;
} part;

/* data/<source> with `changes` keys of its sections set at random, as file `name`. */
static void write_changed(char *path, size_t cap, const char *source, const char *name,
                          const part *parts, int count, int changes, dscq_rng *g)
{
    char *data = test_read(test_source(source));
    dscq_str text = {0};

    dscq_str_add(&text, data);
    dscq_free(data);
    for (int i = 0; i < changes; i++) {
        const part *p = &parts[dscq_rng_below(g, (uint64_t)count)];
        int rows = 0;
        char value[64];
        while (p->keys[rows].name != NULL)
            rows++;
        const dscq_key *k = &p->keys[dscq_rng_below(g, (uint64_t)rows)];
        some_text(value, sizeof value, k, g);
        if (value[0] != '\0')
            set_key(&text, p->section, k->name, value);
    }
    (void)snprintf(path, cap, "%s", test_file(name, text.text));
    if (getenv("DSCQ_TEST_SHOW") != NULL) /* to look at a case that failed */
        (void)fprintf(stderr, "---- %s\n%s\n", name, text.text);
    dscq_str_free(&text);
}

/* ---- the run ---- */

static dscq_qmodel *network(uint64_t seed)
{
    const qmodel_random_opts o = {
        .nodes = 6, .max_side = 24, .max_channels = 32, .only_int8 = 1};
    dscq_rng g = dscq_rng_seeded(seed);
    dscq_error err = {DSCQ_OK, ""};
    dscq_qmodel *q;

    test_ok(qmodel_random(&q, &g, &o, &err));
    return q;
}

static void simulate(const char *machine_path, const char *dram, const char *energy,
                     const char *board)
{
    const dscq_simulate_options o = {.frames = 2, .verify = 1};
    dscq_error err = {DSCQ_OK, ""};
    dscq_machine m;

    const dscq_status loaded = dscq_machine_load(&m, machine_path, &err);
    if (loaded != DSCQ_OK) {
        ck_assert_msg(loaded == DSCQ_FORMAT && strstr(err.msg, ".cfg") != NULL, "%s",
                      err.msg);
        return;
    }
    (void)snprintf(m.data_dir, sizeof m.data_dir, "%s", test_source("data"));
    (void)snprintf(m.dram, sizeof m.dram, "%s", dram);
    if (energy != NULL)
        (void)snprintf(m.energy, sizeof m.energy, "%s", energy);
    if (board != NULL)
        (void)snprintf(m.board, sizeof m.board, "%s", board);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        dscq_qmodel *q = network(seed);
        dscq_simulation s;
        (void)dscq_alloc_asked();
        const dscq_status status = dscq_flow_simulate(&s, q, &m, &o, &err);
        ck_assert_msg(status != DSCQ_INTERNAL && status != DSCQ_MISMATCH &&
                          status != DSCQ_NOMEM,
                      "%s: %s", dscq_status_name(status), err.msg);
        ck_assert_uint_le(dscq_alloc_asked(), ASKED_MAX);
        dscq_simulation_clear(&s);
        dscq_qmodel_destroy(q);
    }
}

static const char *const k_drams[] = {"ddr4_2400", "lpddr4_2400", "d2_stock",
                                      "d3_ddr4x16_u"};

/* Every timing at its largest, alone: the ones of commands are bounded, and the time of
 * an access against that between refreshes. */
START_TEST(a_long_timing_is_refused_or_run)
{
    static const char *const k_keys[] = {"CL",     "CWL",    "tRCD",   "tRP",  "tRAS",
                                         "tRC",    "tRRD_S", "tRRD_L", "tFAW", "tCCD_S",
                                         "tCCD_L", "tWTR_S", "tWTR_L", "tWR",  "tRTP",
                                         "tRTRS",  "tRFC",   "tCKE",   "tXP",  "tPPD"};
    static const char *const k_values[] = {"300", "4000", "4096", "4097", "1000000"};
    const char *key = k_keys[_i];

    for (size_t v = 0; v < sizeof k_values / sizeof *k_values; v++)
        for (size_t d = 0; d < 4; d++) {
            char source[64], memory[512], machine[512];
            dscq_error err = {DSCQ_OK, ""};
            dscq_dram_config c;
            (void)snprintf(source, sizeof source, "data/dram/%s.cfg", k_drams[d]);
            char *data = test_read(test_source(source));
            dscq_str text = {0};
            dscq_str_add(&text, data);
            set_key(&text, "device", key, k_values[v]);
            (void)snprintf(memory, sizeof memory, "%s",
                           test_file("samsung.cfg", text.text));
            (void)snprintf(machine, sizeof machine, "%s",
                           test_source("data/machines/zcu104.cfg"));
            if (v == 4 || (v == 3 && strcmp(key, "tRFC") != 0))
                ck_assert_int_eq(dscq_dram_config_load(&c, memory, &err), DSCQ_FORMAT);
            simulate(machine, memory, NULL, NULL);
            dscq_free(data);
            dscq_str_free(&text);
        }
}
END_TEST

/* What a device file is called says nothing of the memory; only "simple" does. */
START_TEST(a_memory_is_not_known_by_its_first_letter)
{
    static const char *const k_names[] = {"samsung.cfg", "simple_ddr.cfg", "s.cfg"};
    char *data = test_read(test_source("data/dram/ddr4_2400.cfg"));
    char machine[512], slow[512];
    dscq_error err = {DSCQ_OK, ""};
    dscq_machine m;

    test_ok(dscq_machine_defaults(&m, &err));
    ck_assert_int_eq(dscq_machine_is_simple(&m), 1);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(m.dram, sizeof m.dram, "%s", test_file(k_names[i], data));
        ck_assert_int_eq(dscq_machine_is_simple(&m), 0);
        (void)snprintf(machine, sizeof machine, "%s",
                       test_source("data/machines/zcu104.cfg"));
        simulate(machine, m.dram, NULL, NULL);
        /* the keys of the simple memory move nothing, the bound least of all */
        dscq_str text = {0};
        char *plain = test_read(machine);
        dscq_str_add(&text, plain);
        set_key(&text, "machine", "mem_bytes_per_cycle", "0.01");
        (void)snprintf(slow, sizeof slow, "%s", test_file("slow.cfg", text.text));
        simulate(slow, m.dram, NULL, NULL);
        dscq_free(plain);
        dscq_str_free(&text);
    }
    dscq_free(data);
}
END_TEST

START_TEST(any_value_a_key_allows_ends_soon)
{
    const part machine[] = {{"machine", dscq_machine_keys()},
                            {"schedule", dscq_schedule_keys()}};
    const part memory[] = {{"device", dscq_dram_device_keys()},
                           {"controller", dscq_dram_controller_keys()},
                           {"termination", dscq_dram_termination_keys()}};
    dscq_rng g = dscq_rng_seeded(7000 + (uint64_t)_i);
    char m[512], d[512] = "simple", source[64];
    const int kind = _i % 4; /* the machine; the memory; both; many keys of each */

    write_changed(m, sizeof m,
                  _i / 4 % 2 ? "data/machines/zcu104.cfg"
                             : "data/machines/zynq7020.cfg",
                  "machine.cfg", machine, 2,
                  kind == 1   ? 0
                  : kind == 3 ? 8
                              : 2,
                  &g);
    if (kind != 0) {
        (void)snprintf(source, sizeof source, "data/dram/%s.cfg",
                       k_drams[dscq_rng_below(&g, 4)]);
        write_changed(d, sizeof d, source, "memory.cfg", memory, 3, kind == 3 ? 8 : 2,
                      &g);
    }
    char b[512];
    if (kind == 3) {
        const part board[] = {{"board", dscq_board_keys()}};
        write_changed(b, sizeof b, "data/boards/zcu104.cfg", "board.cfg", board, 1, 4,
                      &g);
    }
    simulate(m, d, NULL, kind == 3 ? b : NULL);
}
END_TEST

/* Every coefficient at a limit of its key. */
START_TEST(any_energy_can_be_priced)
{
    static const struct {
        const char *value, *spread;
    } k_cases[] = {{"0", "1"}, {"1e12", "100"}, {"1e-300", "100"}};
    char *data = test_read(test_source("data/energy/fpga16.cfg")), machine[512];
    dscq_str text = {0};

    for (const char *at = data; *at != '\0';) {
        const size_t n = strcspn(at, "\n");
        if (strncmp(at, "value =", 7) == 0)
            dscq_str_addf(&text, "value = %s", k_cases[_i].value);
        else if (strncmp(at, "spread =", 8) == 0)
            dscq_str_addf(&text, "spread = %s", k_cases[_i].spread);
        else
            dscq_str_add_bytes(&text, at, n);
        dscq_str_add(&text, "\n");
        at += n + (at[n] == '\n');
    }
    (void)snprintf(machine, sizeof machine, "%s",
                   test_source("data/machines/zcu104.cfg"));
    simulate(machine, "ddr4_2400", test_file("energy.cfg", text.text), NULL);
    dscq_str_free(&text);
    dscq_free(data);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("machine_hostile", &tc);

    tcase_set_timeout(tc, SECONDS);
    tcase_add_loop_test(tc, a_long_timing_is_refused_or_run, 0, 20);
    tcase_add_test(tc, a_memory_is_not_known_by_its_first_letter);
    tcase_add_loop_test(tc, any_energy_can_be_priced, 0, 3);
    tcase_add_loop_test(tc, any_value_a_key_allows_ends_soon, 0, CASES);
    return s;
}

int main(void)
{
    return test_run(make);
}
