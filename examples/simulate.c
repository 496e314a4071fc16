/* Simulate a packed network on a machine and read its counters.
 *
 *   cc simulate.c $(pkg-config --cflags --libs dscq) -o simulate
 *   ./simulate PACKED.bin [MACHINE [KEY=VALUE]...] */
#include <dscq/dscq.h>
#include <stdio.h>

static dscq_status counters(const dscq_simulation *s, dscq_error *err)
{
    static const char *const names[] = {"mac_dense", "mac_done", "mult_imbalance",
                                        "dram_weight_bytes"};
    const dscq_table *layers = dscq_simulation_table(s, "layers");
    const int name = dscq_table_find(layers, "layer");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t value;
        const dscq_status status =
            dscq_simulation_counter(&value, s, names[i], -1, err);
        if (status != DSCQ_OK)
            return status;
        printf("%-20s %14llu\n", names[i], (unsigned long long)value);
    }
    for (size_t row = 0; row < dscq_table_rows(layers); row++) {
        uint64_t cycles; /* that the layer held the array */
        const dscq_status status =
            dscq_simulation_counter(&cycles, s, "cycles", (int32_t)row, err);
        if (status != DSCQ_OK)
            return status;
        printf("  %-24s %10llu cycles\n",
               name >= 0 ? dscq_table_text(layers, row, (size_t)name) : "",
               (unsigned long long)cycles);
    }
    return DSCQ_OK;
}

static dscq_status simulate(const dscq_qnet *packed, const dscq_machine *machine,
                            dscq_error *err)
{
    /* real codes go through the modelled buffers; verify compares every layer */
    const dscq_simulation_options options = {.size = sizeof options, .verify = 1};
    dscq_simulation_info info = {.size = sizeof info};
    dscq_simulation *s = NULL;
    dscq_status status = dscq_simulate(&s, packed, machine, &options, err);

    if (status == DSCQ_OK)
        status = dscq_simulation_describe(&info, s, err);
    if (status == DSCQ_OK) {
        printf("%llu cycles, %.1f frames/s, %d layers verified\n",
               (unsigned long long)info.cycles, info.fps, (int)info.verified);
        printf("%.2f uJ, between %.2f and %.2f; %.2f of it in the DRAM\n",
               info.energy_pj / 1e6, info.energy_low_pj / 1e6,
               info.energy_high_pj / 1e6, info.dram_pj / 1e6);
        status = counters(s, err);
    }
    dscq_simulation_close(s);
    return status;
}

int main(int argc, char **argv)
{
    dscq_machine_options options = {.size = sizeof options};
    dscq_machine *machine = NULL;
    dscq_qnet *packed = NULL;
    dscq_error err;
    dscq_status status;

    if (argc < 2) {
        fprintf(stderr, "usage: simulate PACKED.bin [MACHINE [KEY=VALUE]...]\n");
        return 2;
    }
    if (argc > 3) {
        options.set = (const char *const *)argv + 3;
        options.set_count = (size_t)argc - 3;
    }
    status = dscq_qnet_open(&packed, argv[1], &err);
    if (status == DSCQ_OK)
        status = dscq_machine_open(&machine, argc > 2 ? argv[2] : NULL, &options, &err);
    if (status == DSCQ_OK)
        status = simulate(packed, machine, &err);
    if (status != DSCQ_OK)
        fprintf(stderr, "%s: %s\n", dscq_status_name(status), err.msg);
    dscq_machine_close(machine);
    dscq_qnet_close(packed);
    return status == DSCQ_OK ? 0 : 1;
}
