#include "cmd.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/flow/kind.h"
#include "dscq/pack/pack.h"

typedef struct inspect_options {
    int32_t sections, nodes;
} inspect_options;

static const cli_opt k_options[] = {
    CLI_OPT_FLAG(inspect_options, sections, "--sections", 0,
                 "the file's sections instead of its layers"),
    CLI_OPT_FLAG(inspect_options, nodes, "--nodes", 0,
                 "every operation, those without weights too"),
    CLI_OPT_END};

static dscq_status show_sections(cli_call *call, dscq_error *err)
{
    enum { FILE_BYTES_MAX = 1 << 30 };
    dscq_table *t = NULL;
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status;

    DSCQ_TRY(dscq_file_read(&data, &bytes, call->arg[0], FILE_BYTES_MAX, err));
    DSCQ_TRY(dscq_pack_sections(&t, data, bytes, err));
    cli_out_table(call, t);
done:
    dscq_table_destroy(t);
    dscq_free(data);
    return status;
}

static void show_totals(cli_call *call, const dscq_qmodel *q,
                        const dscq_pack_summary *s)
{
    const double base = 8.0 * (double)s->float_bytes;
    const double file = 8.0 * (double)s->file_bytes;

    cli_out_text(call, "%s: %d operations, %llu weights, %.1f %% not zero\n", q->name,
                 (int)q->node_count, (unsigned long long)s->weights,
                 s->weights > 0 ? 100.0 * (double)s->nonzero / (double)s->weights : 0);
    cli_out_text(call,
                 "bytes    file %llu: values %.0f, positions %.0f, codebooks %.0f, "
                 "channel constants %.0f, padding %.0f, headers %.0f\n",
                 (unsigned long long)s->file_bytes, (double)s->size.values / 8,
                 (double)s->size.positions / 8, (double)s->size.codebooks / 8,
                 (double)s->size.constants / 8, (double)s->size.padding / 8,
                 (double)s->size.headers / 8);
    cli_out_text(
        call,
        "ratio    %.2f whole file (B); %.2f values only (A); %.2f entropy of the "
        "weights (C); base: %llu bytes of float32\n",
        base / file, s->a_bits > 0 ? base / s->a_bits : 0,
        s->c_bits > 0 ? base / s->c_bits : 0, (unsigned long long)s->float_bytes);
    cli_out_int(call, "file_bytes", (int64_t)s->file_bytes);
    cli_out_int(call, "float_bytes", (int64_t)s->float_bytes);
    cli_out_int(call, "weights", (int64_t)s->weights);
    cli_out_int(call, "nonzero", (int64_t)s->nonzero);
    cli_out_int(call, "values_bits", (int64_t)s->size.values);
    cli_out_int(call, "positions_bits", (int64_t)s->size.positions);
    cli_out_int(call, "codebooks_bits", (int64_t)s->size.codebooks);
    cli_out_int(call, "constants_bits", (int64_t)s->size.constants);
    cli_out_int(call, "padding_bits", (int64_t)s->size.padding);
    cli_out_int(call, "headers_bits", (int64_t)s->size.headers);
    cli_out_real(call, "a_bits", s->a_bits);
    cli_out_real(call, "c_bits", s->c_bits);
    cli_out_string(call, "meta", q->meta != NULL ? q->meta : "");
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const inspect_options *o = options;
    dscq_table *layers = NULL;
    dscq_qmodel *q = NULL;
    dscq_pack_summary s;
    dscq_status status;

    if (o->sections)
        return show_sections(call, err);
    DSCQ_TRY(dscq_pack_read(&q, call->arg[0], err));
    if (o->nodes)
        DSCQ_TRY(dscq_pack_node_table(&layers, q, err));
    DSCQ_TRY(dscq_pack_sizes(&s, o->nodes ? NULL : &layers, q, NULL, err));
    cli_out_table(call, layers);
    show_totals(call, q, &s);
done:
    dscq_table_destroy(layers);
    dscq_qmodel_destroy(q);
    return status;
}

const cli_cmd cli_cmd_inspect = {
    .name = "inspect",
    .group = CLI_COMPRESS,
    .synopsis = "PACKED.bin",
    .summary = "show what a packed file holds and where its bytes go",
    .description =
        "One row a layer with weights: its encoding, density and bits for values, "
        "positions, codebooks, constants, padding and headers, beside the entropy "
        "bound; "
        "then the totals and the three usual compression ratios.",
    .examples = "Where do the bytes go?\n"
                "$ dscq inspect runs/demo/packed.bin\n",
    .takes = CLI_TAKES_TABLE,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_PACKED},
    .options = k_options,
    .option_bytes = sizeof(inspect_options),
    .run = run,
};
