/* The only file that knows libjpeg. */
#include "data_internal.h"

#include <stdio.h>
#include <string.h>

#if DSCQ_WITH_JPEG

#include "dscq/base/alloc.h"

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>

enum { SCANS_MAX = 200 }; /* a small file may ask for endless refinement */

/* Everything that must survive a longjmp lives here, not in locals. */
typedef struct jpeg_job {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr mgr;
    struct jpeg_progress_mgr progress;
    jmp_buf trap;
    data_decode *job;
    uint8_t *line; /* one row of CMYK */
    char reason[JMSG_LENGTH_MAX];
    int code;
} jpeg_job;

static void stop(jpeg_job *j, j_common_ptr cinfo)
{
    j->code = cinfo->err->msg_code;
    cinfo->err->format_message(cinfo, j->reason);
    longjmp(j->trap, 1);
}

static void on_error(j_common_ptr cinfo)
{
    stop(cinfo->client_data, cinfo);
}

/* Level -1 is "corrupt data, patched up". A picture with invented content must not
 * slip into training; leftovers and odd markers are harmless. */
static void on_message(j_common_ptr cinfo, int level)
{
    const int code = cinfo->err->msg_code;

    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM &&
        code != JWRN_JFIF_MAJOR)
        stop(cinfo->client_data, cinfo);
}

static void on_progress(j_common_ptr cinfo)
{
    jpeg_job *j = cinfo->client_data;

    if (j->cinfo.input_scan_number > SCANS_MAX) {
        (void)snprintf(j->reason, sizeof j->reason, "more than %d scans", SCANS_MAX);
        longjmp(j->trap, 1);
    }
}

static int orientation(const jpeg_job *j)
{
    for (jpeg_saved_marker_ptr m = j->cinfo.marker_list; m != NULL; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 &&
            memcmp(m->data, "Exif\0\0", 6) == 0)
            return data__exif_orientation(m->data + 6, m->data_length - 6);
    return 1;
}

static dscq_status refuse(const jpeg_job *j, dscq_error *err)
{
    const int foreign =
        j->code == JERR_BAD_PRECISION || j->code == JERR_SOF_UNSUPPORTED ||
        j->code == JERR_ARITH_NOTIMPL || j->code == JERR_CONVERSION_NOTIMPL;

    if (j->code == JERR_IMAGE_TOO_BIG) {
        j->job->width = j->cinfo.image_width;
        j->job->height = j->cinfo.image_height;
        return j->job->check_size(j->job, err);
    }
    if (j->code == JERR_OUT_OF_MEMORY)
        return dscq_fail_nomem(err, j->job->name, 0);
    if (foreign)
        return dscq_fail(err, DSCQ_UNSUPPORTED, "%s: a form of JPEG not read here: %s",
                         j->job->name, j->reason);
    return dscq_fail(err, DSCQ_FORMAT, "%s: damaged JPEG: %s", j->job->name, j->reason);
}

static dscq_status read_header(jpeg_job *j, dscq_error *err)
{
    if (setjmp(j->trap) != 0)
        return refuse(j, err);
    jpeg_create_decompress(&j->cinfo);
    j->cinfo.client_data = j;
    j->progress.progress_monitor = on_progress;
    j->cinfo.progress = &j->progress;
    jpeg_mem_src(&j->cinfo, j->job->data, (unsigned long)j->job->bytes);
    jpeg_save_markers(&j->cinfo, JPEG_APP0 + 1, 0xffff);
    (void)jpeg_read_header(&j->cinfo, TRUE);
    j->job->width = j->cinfo.image_width;
    j->job->height = j->cinfo.image_height;
    j->job->orientation = orientation(j);
    if (j->cinfo.jpeg_color_space == JCS_GRAYSCALE)
        j->job->notes |= DSCQ_IMAGE_GREY;
    if (j->cinfo.jpeg_color_space == JCS_CMYK || j->cinfo.jpeg_color_space == JCS_YCCK)
        j->job->notes |= DSCQ_IMAGE_INKS;
    return DSCQ_OK;
}

/* Adobe's files hold 255 - ink; without its marker the samples are ink. */
static void cmyk_to_rgb(uint8_t *to, const uint8_t *from, size_t n, int is_inverted)
{
    for (size_t i = 0; i < n; i++, from += 4, to += 3) {
        const unsigned k = is_inverted ? from[3] : 255u - from[3];

        for (size_t c = 0; c < 3; c++) {
            const unsigned v = is_inverted ? from[c] : 255u - from[c];
            to[c] = (uint8_t)((v * k + 127) / 255);
        }
    }
}

static dscq_status start(jpeg_job *j, dscq_error *err)
{
    if (setjmp(j->trap) != 0)
        return refuse(j, err);
    switch (j->cinfo.jpeg_color_space) {
    case JCS_GRAYSCALE:
        j->cinfo.out_color_space = JCS_GRAYSCALE;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        j->cinfo.out_color_space = JCS_CMYK;
        break;
    default:
        j->cinfo.out_color_space = JCS_RGB;
    }
    j->cinfo.dct_method = JDCT_ISLOW;
    (void)jpeg_start_decompress(&j->cinfo);
    return DSCQ_OK;
}

static dscq_status read_pixels(jpeg_job *j, dscq_image *out, dscq_error *err)
{
    const size_t stride = (size_t)out->width * (size_t)out->channels;

    if (setjmp(j->trap) != 0)
        return refuse(j, err);
    while (j->cinfo.output_scanline < j->cinfo.output_height) {
        uint8_t *to = out->px + j->cinfo.output_scanline * stride;
        JSAMPROW row = j->line != NULL ? j->line : to;

        (void)jpeg_read_scanlines(&j->cinfo, &row, 1);
        if (j->line != NULL)
            cmyk_to_rgb(to, j->line, (size_t)out->width, j->cinfo.saw_Adobe_marker);
    }
    (void)jpeg_finish_decompress(&j->cinfo);
    return DSCQ_OK;
}

dscq_status data__jpeg_decode(data_decode *job, dscq_image *out, dscq_error *err)
{
    jpeg_job j;
    dscq_status status;

    memset(&j, 0, sizeof j);
    j.job = job;
    j.cinfo.err = jpeg_std_error(&j.mgr);
    j.cinfo.client_data = &j; /* creation may fail already */
    j.mgr.error_exit = on_error;
    j.mgr.emit_message = on_message;
    DSCQ_TRY(read_header(&j, err));
    DSCQ_TRY(job->check_size(job, err));
    if (job->header_only)
        goto done;
    DSCQ_TRY(start(&j, err));
    DSCQ_TRY(dscq_image_init(out, (int32_t)job->width, (int32_t)job->height,
                             j.cinfo.out_color_space == JCS_GRAYSCALE ? 1 : 3, err));
    if (j.cinfo.out_color_space == JCS_CMYK) {
        j.line = dscq_malloc((size_t)out->width, 4);
        if (j.line == NULL) {
            status = dscq_fail_nomem(err, job->name, (size_t)out->width * 4);
            goto done;
        }
    }
    DSCQ_TRY(read_pixels(&j, out, err));
done:
    jpeg_destroy_decompress(&j.cinfo);
    dscq_free(j.line);
    return status;
}

#else

dscq_status data__jpeg_decode(data_decode *job, dscq_image *out, dscq_error *err)
{
    (void)out;
    return dscq_fail(err, DSCQ_UNSUPPORTED,
                     "%s: this build reads no JPEG; configure with -DDSCQ_WITH_JPEG=ON",
                     job->name);
}

#endif
