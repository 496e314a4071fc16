#include "dscq/base/table.h"
#include "dscq/report/writers.h"
#include "report_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct unit_row {
    const char *suffix, *unit;
} unit_row;

/* Longer suffixes first where one ends in another. */
static const unit_row k_units[] = {
    {"_bytes_per_cycle", "bytes/cycle"},
    {"_macs_per_cycle", "MACs/cycle"},
    {"_bytes_per_s", "bytes/s"},
    {"_images_per_s", "images/s"},
    {"_bytes", "bytes"},
    {"_bits", "bits"},
    {"_cycles", "cycles"},
    {"_macs", "MACs"},
    {"_pj", "pJ"},
    {"_nj", "nJ"},
    {"_uj", "uJ"},
    {"_mj", "mJ"},
    {"_j", "J"},
    {"_ns", "ns"},
    {"_us", "us"},
    {"_ms", "ms"},
    {"_s", "s"},
    {"_mw", "mW"},
    {"_w", "W"},
    {"_khz", "kHz"},
    {"_mhz", "MHz"},
    {"_ghz", "GHz"},
    {"_fps", "frames/s"},
    {"_frac", "fraction"},
    {"_pct", "%"},
};

const char *dscq_column_unit(const char *column_name)
{
    const size_t n = strlen(column_name);

    for (size_t i = 0; i < sizeof k_units / sizeof k_units[0]; i++) {
        const size_t m = strlen(k_units[i].suffix);
        if (n > m && strcmp(column_name + n - m, k_units[i].suffix) == 0)
            return k_units[i].unit;
    }
    return "";
}

void dscq_format_real(char *out, size_t cap, double v, int decimals)
{
    const double a = fabs(v);

    if (!isfinite(v))
        (void)snprintf(out, cap, "%s", isnan(v) ? "-" : v > 0 ? "inf" : "-inf");
    else if (a >= 1e12 || (a > 0 && a < 0.5 * pow(10, -decimals)))
        (void)snprintf(out, cap, "%.3e", v);
    else
        (void)snprintf(out, cap, "%.*f", decimals, v);
}

/* Three significant digits of v in [1, 1000). */
static void three_digits(char *out, size_t cap, double v)
{
    const double a = fabs(v);

    (void)snprintf(out, cap, "%.*f", a < 9.995 ? 2 : a < 99.95 ? 1 : 0, v);
}

void dscq_format_si(char *out, size_t cap, double v, const char *unit)
{
    static const char *const k_prefix[] = {"p", "n", "u", "m", "", "k", "M", "G", "T"};
    char digits[40];
    int step = 4;

    if (v == 0 || !isfinite(v)) {
        (void)snprintf(out, cap, "%s %s", v == 0 ? "0" : "-", unit);
        return;
    }
    while (fabs(v) >= 999.5 && step < 8) {
        v /= 1000;
        step++;
    }
    while (fabs(v) < 0.9995 && step > 0) {
        v *= 1000;
        step--;
    }
    three_digits(digits, sizeof digits, v);
    (void)snprintf(out, cap, "%s %s%s", digits, k_prefix[step], unit);
}

void dscq_format_bytes(char *out, size_t cap, double bytes)
{
    static const char *const k_unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    char digits[40];
    int step = 0;

    while (bytes >= 1023.5 && step < 4) {
        bytes /= 1024;
        step++;
    }
    if (step == 0)
        (void)snprintf(out, cap, "%.0f B", bytes);
    else {
        three_digits(digits, sizeof digits, bytes);
        (void)snprintf(out, cap, "%s %s", digits, k_unit[step]);
    }
}

void report__cell(char *out, size_t cap, const dscq_table *t, size_t row, size_t c)
{
    const dscq_column *column = dscq_table_column(t, c);

    if (!dscq_table_is_set(t, row, c))
        (void)snprintf(out, cap, "%s", column->type == DSCQ_CELL_TEXT ? "" : "-");
    else if (column->type == DSCQ_CELL_TEXT)
        (void)snprintf(out, cap, "%s", dscq_table_text(t, row, c));
    else if (column->type == DSCQ_CELL_INT)
        (void)snprintf(out, cap, "%lld", (long long)dscq_table_int(t, row, c));
    else
        dscq_format_real(out, cap, dscq_table_real(t, row, c), column->decimals);
}

const char *report__heading(const dscq_column *column)
{
    return column->head[0] != '\0' ? column->head : column->key;
}

int report__starts_letter(char c)
{
    return ((unsigned char)c & 0xc0U) != 0x80U;
}

size_t report__width(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += (size_t)report__starts_letter(*text);
    return n;
}
