/* Numbers as people write them: 10k, 256Ki, 200MHz, 90%. The unit a value is kept in
 * is the end of the key's name (clock_mhz, act_bytes), as everywhere in this program.
 */
#include "dscq/base/str.h"
#include "keys_internal.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The end of a key's name, the SI unit behind it, how many of those one is. */
typedef struct unit {
    const char *tail, *symbol;
    double size;
    const char *example;
} unit;

static const unit k_units[] = {
    {"bytes_per_s", "B/s", 1, "4.2GB/s"},
    {"bytes", "B", 1, "64kB or 64KiB"},
    {"mhz", "Hz", 1e6, "200MHz"},
    {"kbit", "bit", 1e3, "36kbit"},
    {"ns", "s", 1e-9, "5ns"},
    {"us", "s", 1e-6, "5us"},
    {"ms", "s", 1e-3, "5ms"},
    {"pj", "J", 1e-12, "5pJ"},
    {"uj", "J", 1e-6, "60uJ"},
    {"mw", "W", 1e-3, "500mW"},
};

static const struct {
    const char *text;
    double factor;
} k_prefix[] = {
    {"Ki", 0x1p10}, {"Mi", 0x1p20}, {"Gi", 0x1p30}, {"Ti", 0x1p40}, {"k", 1e3},
    {"K", 1e3},     {"M", 1e6},     {"G", 1e9},     {"T", 1e12},    {"m", 1e-3},
    {"u", 1e-6},    {"n", 1e-9},    {"p", 1e-12},   {"", 1},
};

/* NULL: a plain number. "max_bytes" and "bytes" are bytes, "mem_bytes_per_cycle" is
 * not. */
static const unit *unit_of(const char *name)
{
    const size_t n = strlen(name);

    for (size_t i = 0; i < sizeof k_units / sizeof *k_units; i++) {
        const size_t tail = strlen(k_units[i].tail);
        if (n >= tail && strcmp(name + n - tail, k_units[i].tail) == 0 &&
            (n == tail || name[n - tail - 1] == '_'))
            return &k_units[i];
    }
    return NULL;
}

static int is_whole(const dscq_key *k)
{
    return k->type == DSCQ_KEY_INT || k->type == DSCQ_KEY_I64;
}

static int has_letters(const char *text)
{
    for (; *text != '\0'; text++)
        if (isalpha((unsigned char)*text) && *text != 'e' && *text != 'E')
            return 1;
    return 0;
}

dscq_status base__keys_bad_number(const dscq_key *k, const char *text, dscq_error *err)
{
    const char *what = is_whole(k) ? "a whole number" : "a number";
    const int low = k->min > -DBL_MAX, high = k->max < DBL_MAX;
    const unit *u = unit_of(k->name);
    char lo[40], hi[40], range[100] = "", with[64] = "";

    dscq_str_real(lo, sizeof lo, k->min);
    dscq_str_real(hi, sizeof hi, k->max);
    if (low && high)
        (void)snprintf(range, sizeof range, " in [%s, %s]", lo, hi);
    else if (low || high)
        (void)snprintf(range, sizeof range, " %s %s", low ? ">=" : "<=", low ? lo : hi);
    if (k->type == DSCQ_KEY_LIST)
        what = "a comma-separated list of numbers";
    if (u != NULL && has_letters(text)) /* a unit was meant, not this key's */
        (void)snprintf(with, sizeof with, ", or with its unit: %s", u->example);
    return dscq_fail(err, DSCQ_FORMAT, "%s = '%s': want %s%s%s", k->name, text, what,
                     range, with);
}

/* Hertz and bytes have no thousandths: there a small m means the large one, and case
 * does not matter (200mhz, 64kb). */
static int same_symbol(const unit *u, const char *text, size_t n)
{
    const size_t want = strlen(u->symbol);

    if (n == 0)
        return 1; /* a prefix alone: 200M */
    return n == want && (u->size >= 1 ? strncasecmp(text, u->symbol, n)
                                      : strncmp(text, u->symbol, n)) == 0;
}

/* What a suffix of n characters multiplies with; 0: none that this key takes. */
static double factor_of(const dscq_key *k, const char *text, size_t n)
{
    const unit *u = unit_of(k->name);

    if (n == 0)
        return 1;
    if (n == 1 && *text == '%') /* of keys that are shares of one */
        return u == NULL && !is_whole(k) && k->min >= -1 && k->max <= 1 ? 1e-2 : 0;
    for (size_t i = 0; i < sizeof k_prefix / sizeof *k_prefix; i++) {
        const size_t p = strlen(k_prefix[i].text);
        double factor = k_prefix[i].factor;
        if (n < p || strncmp(text, k_prefix[i].text, p) != 0)
            continue;
        if (u == NULL && p == n && factor > 1)
            return factor;
        if (u == NULL || !same_symbol(u, text + p, n - p))
            continue;
        if (factor < 1 && u->size >= 1)
            factor = *text == 'm' ? 1e6 : 0;
        return factor / u->size;
    }
    return 0;
}

/* strtod's hexadecimal, "inf" and "nan" are refused. */
int base__keys_number(double *out, const dscq_key *k, const char *text,
                      const char **end)
{
    char *stop = NULL;

    const char *first = text + strspn(text, " \t");
    const size_t n = strspn(first, "0123456789+-.eE");
    if (n == 0 || first[n] == 'x' || first[n] == 'X')
        return 0;
    errno = 0;
    double v = strtod(first, &stop);
    if (stop == first || (errno != 0 && fabs(v) > 1))
        return 0;
    const char *suffix = stop + strspn(stop, " \t");
    const size_t length = strcspn(suffix, ", \t");
    const double factor = factor_of(k, suffix, length);
    if (factor == 0)
        return 0;
    *end = suffix + length + strspn(suffix + length, " \t");
    if (length > 0) {
        v *= factor;
        if (is_whole(k) && fabs(v - nearbyint(v)) <= 1e-9 * fabs(v))
            v = nearbyint(v); /* 1.1k is 1100 whatever 1.1 is in binary */
    }
    *out = v;
    return v >= k->min && v <= k->max &&
           (!is_whole(k) || (v == nearbyint(v) && fabs(v) < 0x1p53));
}
