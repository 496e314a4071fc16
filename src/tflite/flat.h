/* The wire format of flatbuffers: tables and vectors of a file whose bytes nobody
 * vouches for. Everything handed out lies inside the file. */
#ifndef TFLITE_FLAT_H
#define TFLITE_FLAT_H

#include <stddef.h>
#include <stdint.h>

typedef struct tfl_bytes {
    const uint8_t *at;
    size_t count;
} tfl_bytes;

/* A table; vtable bytes behind `fields` do not exist. at NULL: there is none, and all
 * its fields are absent. */
typedef struct tfl_table {
    const tfl_bytes *file;
    size_t at, size; /* bytes of the table itself    */
    size_t vtable;   /* of its first field's entry   */
    int32_t fields;
} tfl_table;

/* A vector of numbers (or bytes); count 0 and at NULL when absent. */
typedef struct tfl_vec {
    const uint8_t *at;
    uint32_t count;
} tfl_vec;

/* These return 0 when the bytes contradict themselves; an absent field is fine. */
int tflite__root(tfl_table *out, const tfl_bytes *file);
int tflite__table(tfl_table *out, const tfl_table *t, int32_t field);
/* `each` bytes an element. */
int tflite__vector(tfl_vec *out, const tfl_table *t, int32_t field, size_t each);
/* A vector of tables: how many, and one of them. */
typedef struct tfl_tables {
    const tfl_bytes *file;
    size_t at;
    uint32_t count;
} tfl_tables;
int tflite__tables(tfl_tables *out, const tfl_table *t, int32_t field);
int tflite__table_at(tfl_table *out, const tfl_tables *v, uint32_t i);

/* A number of a table of 1, 4 or 8 bytes; `otherwise` when absent or beyond the table.
 */
int64_t tflite__int(const tfl_table *t, int32_t field, size_t bytes, int64_t otherwise);
double tflite__real(const tfl_table *t, int32_t field, double otherwise);

/* Element i of a vector of that type. */
int32_t tflite__i32(tfl_vec v, uint32_t i);
int64_t tflite__i64(tfl_vec v, uint32_t i);
float tflite__f32(tfl_vec v, uint32_t i);

#endif
