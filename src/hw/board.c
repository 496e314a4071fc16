#include "dscq/hw/board.h"

#include "dscq/base/str.h"

#include <inttypes.h>
#include <math.h>

#define S                        dscq_board
#define COUNT(field, dflt, help) DSCQ_KEY_I64_ROW(S, field, 0, 1e9, dflt, help)

static const dscq_key k_keys[] = {
    DSCQ_KEY_STR_ROW(S, name, NULL, "name of the board"),
    DSCQ_KEY_STR_ROW(S, device, NULL, "FPGA on it"),
    DSCQ_KEY_STR_ROW(S, source, NULL, "where the numbers come from"),
    COUNT(dsp, NULL, "DSP blocks"),
    COUNT(bram36, NULL, "block RAMs (36 kbit; see bram_kbit)"),
    COUNT(uram, "0", "288-kbit UltraRAMs"),
    COUNT(lut, NULL, "look-up tables (or adaptive logic modules)"),
    COUNT(ff, NULL, "flip-flops"),
    DSCQ_KEY_INT_ROW(S, bram_kbit, 1, 1024, "36", "size of one block RAM"),
    DSCQ_KEY_INT_ROW(S, dsp_int8_products, 1, 4, "1",
                     "independent 8-bit products of one DSP block"),
    DSCQ_KEY_REAL_ROW(S, clock_mhz, 1, 2000, NULL,
                      "highest clock that designs of this kind report"),
    DSCQ_KEY_REAL_ROW(S, logic_fill_frac, 0.1, 1, "0.7", "advisable share of LUT, FF"),
    DSCQ_KEY_REAL_ROW(S, block_fill_frac, 0.1, 1, "0.8", "advisable share of blocks"),
    DSCQ_KEY_STR_ROW(S, dram, NULL, "file under data/dram, without .cfg"),
    DSCQ_KEY_INT_ROW(S, dram_channels, 1, 16, "1", "channels of that memory"),
    DSCQ_KEY_I64_ROW(S, dram_bytes, 1, 1e13, NULL, "capacity of one channel"),
    DSCQ_KEY_REAL_ROW(S, dram_peak_bytes_per_s, 1, 1e13, NULL, "peak of all channels"),
    DSCQ_KEY_REAL_ROW(S, dram_measured_frac, 0, 1, "0",
                      "measured share of the peak; 0: not known"),
    DSCQ_KEY_INT_ROW(S, ports, 0, 64, "0", "ports between logic and memory"),
    DSCQ_KEY_INT_ROW(S, port_bits, 0, 1024, "0", "data width of one"),
    DSCQ_KEY_REAL_ROW(S, port_mhz, 0, 2000, "0", "clock of the ports"),
    DSCQ_KEY_REAL_ROW(S, port_bytes_per_s, 0, 1e12, "0", "stated limit each way"),
    DSCQ_KEY_END,
};
#undef S

const dscq_key *dscq_board_keys(void)
{
    return k_keys;
}

static dscq_status check(const dscq_board *b, dscq_error *err)
{
    const double wires = (double)b->port_bits / 8 * b->port_mhz * 1e6;

    if (b->ports > 0 &&
        (b->port_bits <= 0 || b->port_mhz <= 0 || b->port_bytes_per_s <= 0))
        return dscq_fail(err, DSCQ_FORMAT,
                         "ports = %d: port_bits, port_mhz and port_bytes_per_s go "
                         "with it",
                         b->ports);
    if (b->port_bytes_per_s > wires * 1.01) /* published limits are rounded */
        return dscq_fail(err, DSCQ_FORMAT,
                         "port_bytes_per_s = %g: %d bits at %g MHz carry %g",
                         b->port_bytes_per_s, b->port_bits, b->port_mhz, wires);
    return DSCQ_OK;
}

dscq_status dscq_board_bind(dscq_board *out, dscq_config *c, dscq_error *err)
{
    dscq_board b = {.ports = 0};
    dscq_status status;
    int at = -1;

    DSCQ_TRY(dscq_config_find_unique(&at, c, "board", err));
    DSCQ_TRY(dscq_config_bind(&b, c, at, "board", k_keys, err));
    status = check(&b, err);
    if (status != DSCQ_OK)
        return dscq_fail_at(err, "%s", dscq_config_name(c));
    *out = b;
done:
    return status;
}

dscq_status dscq_board_load(dscq_board *out, const char *path, dscq_error *err)
{
    dscq_config *c = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_config_load(&c, path, err));
    DSCQ_TRY(dscq_board_bind(out, c, err));
    DSCQ_TRY(dscq_config_check_used(c, "board", err));
done:
    dscq_config_destroy(c);
    return status;
}

dscq_resources dscq_board_resources(const dscq_board *b)
{
    return (dscq_resources){.dsp = b->dsp,
                            .bram36 = b->bram36,
                            .uram = b->uram,
                            .lut = b->lut,
                            .ff = b->ff};
}

dscq_status dscq_board_fits(const dscq_board *b, const dscq_resources *need,
                            double clock_mhz, dscq_error *err)
{
    const dscq_resources has = dscq_board_resources(b);
    const struct {
        const char *name;
        int64_t need, has;
    } rows[] = {
#define X(field, text) {#field, need->field, has.field},
        DSCQ_RESOURCE_LIST(X)
#undef X
    };
    dscq_str s = {0};
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].need > rows[i].has)
            dscq_str_addf(&s, "%s%s %" PRId64 " of %" PRId64 " (%" PRId64 " too many)",
                          s.len != 0 ? ", " : "", rows[i].name, rows[i].need,
                          rows[i].has, rows[i].need - rows[i].has);
    if (clock_mhz > b->clock_mhz)
        dscq_str_addf(&s, "%sclock %g MHz, designs of this kind reach %g",
                      s.len != 0 ? ", " : "", clock_mhz, b->clock_mhz);
    if (s.bad)
        status = dscq_fail_nomem(err, "board report", s.cap);
    else if (s.len != 0)
        status = dscq_fail(err, DSCQ_ARG, "the machine does not fit %s (%s): %s",
                           b->name, b->device, s.text);
    dscq_str_free(&s);
    return status;
}
