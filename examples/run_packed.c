/* Run a packed network on raw pictures and print their classes.
 *
 *   cc run_packed.c $(pkg-config --cflags --libs dscq) -o run_packed
 *   ./run_packed PACKED.bin PICTURES.rgb
 *
 * PICTURES.rgb: pictures of the network's size, one behind the other, a byte for each
 * of red, green and blue; a camera would hand over the same. */
#include <dscq/dscq.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 16, TOP = 3 };

/* At most BATCH pictures, run together. Returns how many there were, -1 on failure. */
static int batch(dscq_session *session, const dscq_qnet *packed, FILE *from,
                 unsigned char *pixels, size_t bytes, dscq_error *err)
{
    const int count = (int)fread(pixels, bytes, BATCH, from);
    int32_t classes[TOP], k = TOP;
    double probability[TOP];
    dscq_qnet_info info = {.size = sizeof info};

    if (count == 0)
        return 0;
    if (dscq_qnet_describe(&info, packed, err) != DSCQ_OK ||
        dscq_session_run_pixels(session, count, pixels, err) != DSCQ_OK)
        return -1;
    if (info.classes > 0 && info.classes < k)
        k = info.classes;
    for (int i = 0; i < count; i++) {
        if (dscq_session_top(classes, probability, session, i, k, err) != DSCQ_OK)
            return -1;
        for (int32_t rank = 0; rank < k; rank++)
            printf("%s%d %s %.1f %%", rank > 0 ? ", " : "", (int)classes[rank],
                   dscq_qnet_class_name(packed, classes[rank]),
                   100 * probability[rank]);
        printf("\n");
    }
    return count;
}

static dscq_status run(const dscq_qnet *packed, FILE *from, dscq_error *err)
{
    dscq_map_info input = {.size = sizeof input};
    dscq_session *session = NULL;
    unsigned char *pixels = NULL;
    int count = -1;
    dscq_status status = dscq_qnet_verify(packed, err); /* digests in the file */

    if (status == DSCQ_OK)
        status = dscq_qnet_input(&input, packed, 0, err);
    if (status == DSCQ_OK)
        status = dscq_session_open(&session, packed, NULL, err);
    if (status != DSCQ_OK)
        return status;
    const size_t bytes =
        (size_t)input.height * (size_t)input.width * (size_t)input.channels;
    printf("%d x %d x %d, %s kernels, %.1f MB\n", (int)input.width, (int)input.height,
           (int)input.channels, dscq_session_kernels(session),
           (double)dscq_session_bytes(session) / 1e6);
    pixels = malloc(BATCH * bytes);
    if (pixels != NULL)
        while ((count = batch(session, packed, from, pixels, bytes, err)) > 0)
            ;
    free(pixels);
    dscq_session_close(session);
    if (pixels == NULL)
        return DSCQ_NOMEM;
    return count == 0 ? DSCQ_OK : err->code;
}

int main(int argc, char **argv)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_qnet *packed = NULL;
    FILE *from = argc == 3 ? fopen(argv[2], "rb") : NULL;
    dscq_status status;

    if (from == NULL) {
        fprintf(stderr, "usage: run_packed PACKED.bin PICTURES.rgb\n");
        return 2;
    }
    status = dscq_qnet_open(&packed, argv[1], &err);
    if (status == DSCQ_OK)
        status = run(packed, from, &err);
    if (status != DSCQ_OK)
        fprintf(stderr, "%s: %s\n", dscq_status_name(status), err.msg);
    dscq_qnet_close(packed);
    fclose(from);
    return status == DSCQ_OK ? 0 : 1;
}
