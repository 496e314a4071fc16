#include "dscq/hw/machine.h"

#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/hw/engine.h"

#include <string.h>

#define INT(field, lo, hi, dflt, help)                                                 \
    DSCQ_KEY_INT_ROW(dscq_machine, field, lo, hi, dflt, help)
#define BYTES(field, lo, hi, dflt, help)                                               \
    DSCQ_KEY_I64_ROW(dscq_machine, field, lo, hi, dflt, help)
#define REAL(field, lo, hi, dflt, help)                                                \
    DSCQ_KEY_REAL_ROW(dscq_machine, field, lo, hi, dflt, help)
#define ENUM(field, choices, dflt, help)                                               \
    DSCQ_KEY_ENUM_ROW(dscq_machine, field, choices, dflt, help)
#define TEXT(field, dflt, help) DSCQ_KEY_STR_ROW(dscq_machine, field, dflt, help)

/* clang-format off */
static const dscq_key k_machine[] = {
    TEXT(name, "unnamed", "name of the machine in reports"),
    INT(version, 1, DSCQ_MACHINE_VERSION, "1", "version of these keys"),
    ENUM(engine, DSCQ_CHOICES(DSCQ_ENGINE_LIST(DSCQ_CHOICE)), "array", "one array for all layers, or a stage per layer"),
    TEXT(board, "", "board whose resources it must fit (data/boards); empty: not checked"),
    TEXT(dram, "simple", "simple, or a device file under data/dram"),
    TEXT(energy, "fpga16", "coefficient file under data/energy"),
    REAL(clock_mhz, 1, 2000, "200", "accelerator clock"),
    INT(multipliers, 1, 65536, "256", "lanes x vector; constant over all shapes"),
    DSCQ_KEY_LIST_ROW(dscq_machine, lanes, 1, DSCQ_LANES_MAX, "16",
                      "numbers of lanes the array can take; vector = multipliers / lanes"),
    INT(queue_depth, 1, DSCQ_QUEUE_MAX, "8", "columns a lane's queue holds"),
    DSCQ_KEY_BOOL_ROW(dscq_machine, zero_skip, "yes", "zero weights cost no cycle"),
    DSCQ_KEY_BOOL_ROW(dscq_machine, int8_pairs, "no", "two products of neighbouring pixels per DSP; wider codes than 8 bits take two cycles"),
    INT(weight_bits, 8, 16, "8", "widest weight value of a lane"),
    INT(act_bits, 8, 16, "8", "widest activation code"),
    INT(acc_bits, 24, 48, "32", "accumulator width"),
    INT(acc_rows, 1, 1024, "64", "output channels a lane accumulates at once"),
    INT(acc_banks, 1, 8, "2", "accumulator banks"),
    INT(row_queue, 1, DSCQ_QUEUE_MAX, "2", "row vectors a lane holds ahead (depthwise)"),
    INT(row_registers, 1, 64, "3", "kernel rows a lane keeps (depthwise)"),
    INT(reconfigure_cycles, 0, 100000, "4", "drained array to new shape"),
    INT(command_cycles, 0, 100000, "2", "issue of one command"),
    INT(post_entries, 1, 4096, "32", "outputs per cycle of the post-processor"),
    INT(post_latency_cycles, 0, 1000, "8", "accumulator to buffer"),
    BYTES(act_bytes, 256, 1099511627776.0, "262144", "activation buffer"),
    INT(act_banks, 1, 1024, "8", "banks of the activation buffer"),
    INT(act_word_bytes, 1, 64, "8", "bytes of one word of one bank"),
    ENUM(act_ram, DSCQ_CHOICES(DSCQ_RAM_LIST(DSCQ_CHOICE)), "bram", "memory the activation buffer is made of"),
    BYTES(weight_bytes, 256, 1099511627776.0, "131072", "weight buffer, all lanes together"),
    ENUM(weight_ram, DSCQ_CHOICES(DSCQ_RAM_LIST(DSCQ_CHOICE)), "bram", "memory the weight buffer is made of"),
    INT(axi_ports, 1, 16, "4", "ports to memory, used together"),
    INT(axi_bytes, 1, 128, "16", "bytes per port and accelerator cycle"),
    INT(burst_bytes, 8, 4096, "64", "bytes of one request"),
    INT(outstanding, 1, 4096, "32", "requests in flight"),
    REAL(mem_bytes_per_cycle, 0.01, 65536, "16", "simple memory: bandwidth"),
    INT(mem_latency_cycles, 0, 1000000, "40", "simple memory: latency"),
    REAL(target_fps, 0, 1e9, "0", "pipeline: frames per second to size for; 0: the most that fits"),
    INT(fifo_rows, 1, 64, "1", "pipeline: rows a FIFO holds beyond the window, in steps of the window"),
    INT(shortcut_rows, 0, 65536, "0", "pipeline: rows of the FIFOs into sums and joins; 0: sized"),
    DSCQ_KEY_END};
#undef INT
#undef BYTES
#undef REAL
#undef ENUM
#undef TEXT

#define ENUM(field, choices, dflt, help)                                               \
    DSCQ_KEY_ENUM_ROW(dscq_schedule, field, choices, dflt, help)
static const dscq_key k_schedule[] = {
    ENUM(objective, DSCQ_CHOICES(DSCQ_OBJECTIVE_LIST(DSCQ_CHOICE)), "cycles", "what auto minimises"),
    ENUM(fuse, DSCQ_CHOICES(DSCQ_FUSE_LIST(DSCQ_CHOICE)), "auto", "layers whose intermediates stay on chip: any; none; depthwise and next; a block and a neighbour; a block by itself"),
    ENUM(resident, DSCQ_CHOICES(DSCQ_RESIDENT_LIST(DSCQ_CHOICE)), "auto", "whole tensors kept on chip between layers"),
    ENUM(order, DSCQ_CHOICES(DSCQ_ORDER_LIST(DSCQ_CHOICE)), "auto", "tile order: raster, or every other sweep backwards"),
    ENUM(dataflow, DSCQ_CHOICES(DSCQ_DATAFLOW_LIST(DSCQ_CHOICE)), "auto", "keep weights and stream rows, or the other way round"),
    ENUM(weights, DSCQ_CHOICES(DSCQ_WEIGHTS_LIST(DSCQ_CHOICE)), "auto", "weights streamed, or loaded once and kept"),
    ENUM(stream, DSCQ_CHOICES(DSCQ_CODING_LIST(DSCQ_CHOICE)), "auto", "encoding of the lane streams"),
    DSCQ_KEY_BOOL_ROW(dscq_schedule, balance, "yes", "deal channels to lanes by their entry counts"),
    DSCQ_KEY_INT_ROW(dscq_schedule, lanes, 0, DSCQ_LANES_MAX, "0", "lanes for every layer; 0: chosen per layer"),
    DSCQ_KEY_BOOL_ROW(dscq_schedule, epilogue, "yes", "residual sums inside the convolution"),
    DSCQ_KEY_END};
#undef ENUM
/* clang-format on */

const dscq_key *dscq_machine_keys(void)
{
    return k_machine;
}

const dscq_key *dscq_schedule_keys(void)
{
    return k_schedule;
}

dscq_status dscq_machine_check(const dscq_machine *m, dscq_error *err)
{
    const dscq_engine *e = dscq_engine_of(m);

    if (e->check != NULL && e->check(m, err) != DSCQ_OK)
        return DSCQ_FORMAT;
    if ((m->burst_bytes & (m->burst_bytes - 1)) != 0)
        return dscq_fail(err, DSCQ_FORMAT, "burst_bytes = %d: want a power of two",
                         m->burst_bytes);
    if (m->act_bytes > INT32_MAX || m->weight_bytes > INT32_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "buffers of 2 GiB or more are not modelled");
    return DSCQ_OK;
}

static dscq_status finish(dscq_machine *out, const dscq_config *c, dscq_error *err)
{
    if (dscq_machine_check(out, err) == DSCQ_OK)
        return DSCQ_OK;
    return dscq_fail_at(err, "%s", dscq_config_name(c));
}

dscq_status dscq_machine_defaults(dscq_machine *out, dscq_error *err)
{
    dscq_machine m;
    dscq_status status;

    memset(&m, 0, sizeof m);
    DSCQ_TRY(dscq_keys_defaults(&m, k_machine, err));
    DSCQ_TRY(dscq_keys_defaults(&m.schedule, k_schedule, err));
    DSCQ_TRY(dscq_machine_check(&m, err));
    *out = m;
done:
    return status;
}

dscq_status dscq_machine_bind(dscq_machine *out, dscq_config *c, const char *data_dir,
                              dscq_error *err)
{
    dscq_machine m;
    dscq_status status;
    int at_machine = -1, at_schedule = -1;

    memset(&m, 0, sizeof m);
    DSCQ_TRY(dscq_config_find_unique(&at_machine, c, "machine", err));
    DSCQ_TRY(dscq_config_find_unique(&at_schedule, c, "schedule", err));
    DSCQ_TRY(dscq_config_bind(&m, c, at_machine, "machine", k_machine, err));
    DSCQ_TRY(
        dscq_config_bind(&m.schedule, c, at_schedule, "schedule", k_schedule, err));
    if (!dscq_str_copy(m.data_dir, sizeof m.data_dir, data_dir))
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "the path %s is too long", data_dir));
    DSCQ_TRY(finish(&m, c, err));
    *out = m;
done:
    return status;
}

dscq_status dscq_machine_load(dscq_machine *out, const char *path, dscq_error *err)
{
    dscq_config *c = NULL;
    char dir[DSCQ_PATH_MAX], up[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(dscq_config_load(&c, path, err));
    dscq_path_dir(dir, sizeof dir, path);
    DSCQ_TRY(dscq_path_join(up, sizeof up, dir, "..", err));
    DSCQ_TRY(dscq_machine_bind(out, c, up, err));
    DSCQ_TRY(dscq_config_check_used(c, "machine|schedule", err));
done:
    dscq_config_destroy(c);
    return status;
}
