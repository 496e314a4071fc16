#include "dscq/dram/config.h"

int32_t dscq_dram_bus_bits(const dscq_dram_config *c)
{
    return c->device_width_bits * c->devices_per_rank;
}

int32_t dscq_dram_burst_bytes(const dscq_dram_config *c)
{
    return dscq_dram_bus_bits(c) * c->burst_length / 8;
}

int32_t dscq_dram_burst_cycles(const dscq_dram_config *c)
{
    return c->burst_length / 2;
}

uint64_t dscq_dram_capacity_bytes(const dscq_dram_config *c)
{
    const uint64_t row_bytes =
        (uint64_t)c->columns * (uint64_t)dscq_dram_bus_bits(c) / 8;

    return row_bytes * (uint64_t)c->rows * (uint64_t)c->banks * (uint64_t)c->ranks;
}

double dscq_dram_peak_bytes_per_ns(const dscq_dram_config *c)
{
    return (double)dscq_dram_bus_bits(c) / 8.0 * 2.0 / c->tck_ns;
}
