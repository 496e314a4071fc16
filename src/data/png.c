/* The only file that knows libpng: reading. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"

#include <assert.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

/* libpng tells a failed allocation as an error of the file, or leaves a chunk out: what
 * it allocates says so itself. */
static png_voidp png_take(png_structp png, png_alloc_size_t bytes)
{
    int *no_memory = png_get_mem_ptr(png);
    void *p = dscq_malloc(bytes, 1);

    *no_memory |= p == NULL;
    return p;
}

static void png_give(png_structp png, png_voidp p)
{
    (void)png;
    dscq_free(p);
}

/* Everything that must survive a longjmp lives here, not in locals. */
typedef struct png_job {
    data_decode *job;
    size_t pos; /* bytes handed to libpng */
    png_structp png;
    png_infop info;
    png_bytep *row;
    uint8_t *px; /* [height][width][samples], 8 bit */
    int no_memory;
    char reason[120];
    jmp_buf trap;
} png_job;

static void on_error(png_structp png, png_const_charp text)
{
    png_job *p = png_get_error_ptr(png);

    (void)snprintf(p->reason, sizeof p->reason, "%s", text);
    longjmp(p->trap, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep to, size_t bytes)
{
    png_job *p = png_get_io_ptr(png);

    if (bytes > p->job->bytes - p->pos)
        png_error(png, "cut short");
    memcpy(to, p->job->data + p->pos, bytes);
    p->pos += bytes;
}

static void release(png_job *p)
{
    png_destroy_read_struct(&p->png, &p->info, NULL);
    dscq_free(p->row);
    dscq_free(p->px);
}

/* Ask for 8-bit G, GA, RGB or RGBA, whatever the file holds. */
static void set_transforms(png_job *p)
{
    const int type = png_get_color_type(p->png, p->info);

    png_set_strip_16(p->png);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(p->png);
    if (type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(p->png, p->info) < 8)
        png_set_expand_gray_1_2_4_to_8(p->png);
    if (png_get_valid(p->png, p->info, PNG_INFO_tRNS))
        png_set_tRNS_to_alpha(p->png);
    (void)png_set_interlace_handling(p->png);
    png_read_update_info(p->png, p->info);
}

static int orientation(png_job *p)
{
    png_uint_32 bytes = 0;
    png_bytep exif = NULL;

    if (png_get_eXIf_1(p->png, p->info, &bytes, &exif) == 0 || exif == NULL)
        return 1;
    return data__exif_orientation(exif, bytes);
}

static uint32_t notes(png_job *p)
{
    const int type = png_get_color_type(p->png, p->info);
    uint32_t n = 0;

    if (png_get_bit_depth(p->png, p->info) > 8)
        n |= DSCQ_IMAGE_DEEP;
    if ((type & PNG_COLOR_MASK_COLOR) == 0)
        n |= DSCQ_IMAGE_GREY;
    return n;
}

static dscq_status refuse(const png_job *p, dscq_error *err)
{
    if (p->no_memory)
        return dscq_fail_nomem(err, p->job->name, 0);
    return dscq_fail(err, DSCQ_FORMAT, "%s: damaged PNG: %s", p->job->name, p->reason);
}

static dscq_status read_header(png_job *p, dscq_error *err)
{
    if (setjmp(p->trap) != 0)
        return refuse(p, err);
    /* Sizes are for check_size() to refuse, in its words. */
    png_set_user_limits(p->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_cache_max(p->png, 64);
    png_set_chunk_malloc_max(p->png, 1 << 22);
    png_set_read_fn(p->png, p, on_read);
    png_read_info(p->png, p->info);
    p->job->width = png_get_image_width(p->png, p->info);
    p->job->height = png_get_image_height(p->png, p->info);
    p->job->orientation = orientation(p);
    p->job->notes = notes(p);
    return p->no_memory ? refuse(p, err) : DSCQ_OK;
}

static dscq_status settle_form(png_job *p, dscq_error *err)
{
    if (setjmp(p->trap) != 0)
        return refuse(p, err);
    set_transforms(p);
    return DSCQ_OK;
}

/* Rows of `stride` bytes from `to` on. */
static dscq_status read_pixels(png_job *p, uint8_t *to, size_t stride, dscq_error *err)
{
    const size_t h = p->job->height;

    p->row = dscq_malloc(h, sizeof *p->row);
    if (p->row == NULL)
        return dscq_fail_nomem(err, p->job->name, h * sizeof *p->row);
    if (setjmp(p->trap) != 0)
        return refuse(p, err);
    for (size_t y = 0; y < h; y++)
        p->row[y] = to + y * stride;
    png_read_image(p->png, p->row);
    png_read_end(p->png, NULL);
    return p->no_memory ? refuse(p, err) : DSCQ_OK;
}

/* Without alpha straight into the picture, else through a copy. */
static dscq_status decode_pixels(png_job *p, dscq_image *out, dscq_error *err)
{
    data_decode *job = p->job;
    dscq_status status;

    DSCQ_TRY(settle_form(p, err));
    const size_t samples = png_get_channels(p->png, p->info);
    const size_t stride = png_get_rowbytes(p->png, p->info);

    DSCQ_TRY(dscq_image_init(out, (int32_t)job->width, (int32_t)job->height,
                             samples >= 3 ? 3 : 1, err));
    if (samples == 1 || samples == 3)
        return read_pixels(p, out->px, stride, err);
    p->px = dscq_malloc(stride, job->height);
    if (p->px == NULL)
        return dscq_fail_nomem(err, job->name, stride * job->height);
    DSCQ_TRY(read_pixels(p, p->px, stride, err));
    if (data__composite(out, p->px, samples, job->opts.background))
        job->notes |= DSCQ_IMAGE_TRANSPARENT;
done:
    return status;
}

dscq_status data__png_decode(data_decode *job, dscq_image *out, dscq_error *err)
{
    png_job p = {.job = job};
    dscq_status status = DSCQ_OK;

    p.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &p, on_error, on_warning,
                                     &p.no_memory, png_take, png_give);
    if (p.png != NULL)
        p.info = png_create_info_struct(p.png);
    if (p.info == NULL) {
        status = dscq_fail_nomem(err, "the PNG reader", 0);
        goto done;
    }
    DSCQ_TRY(read_header(&p, err));
    DSCQ_TRY(job->check_size(job, err));
    if (!job->header_only)
        status = decode_pixels(&p, out, err);
done:
    release(&p);
    return status;
}
