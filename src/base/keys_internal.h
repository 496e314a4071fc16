/*
 * What keys.c and keys_number.c share.
 */
#ifndef BASE_KEYS_INTERNAL_H
#define BASE_KEYS_INTERNAL_H

#include "dscq/base/keys.h"

/* One number of a value of `k`, with the suffix that may follow it, in the unit of the
 * key; *end is behind both and the blanks after them. 0: no number, no such suffix, or
 * out of the key's range. */
int base__keys_number(double *out, const dscq_key *k, const char *text,
                      const char **end);
/* DSCQ_FORMAT: what would have been right. */
dscq_status base__keys_bad_number(const dscq_key *k, const char *text, dscq_error *err);

#endif
