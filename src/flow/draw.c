/* Pictures with the boxes that a detector found. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/png.h"
#include "dscq/base/str.h"
#include "dscq/report/mark.h"
#include "flow_internal.h"

#include <stdio.h>
#include <string.h>

/* dir/NAME.png for a picture NAME.jpg; NAME may hold sub-folders. */
static dscq_status drawing_path(char out[DSCQ_PATH_MAX], const char *dir,
                                const char *picture, dscq_error *err)
{
    char name[512];

    if (!dscq_str_copy(name, sizeof name - 4, picture))
        return dscq_fail(err, DSCQ_ARG, "%.60s...: the name is too long to be drawn",
                         picture);
    memcpy(name + dscq_path_stem(name), ".png", sizeof ".png");
    return dscq_path_join(out, DSCQ_PATH_MAX, dir, name, err);
}

dscq_status flow__draw(const char *dir, const char *picture, const dscq_image *im,
                       const flow_drawn_box *box, size_t count, dscq_error *err)
{
    dscq_image copy = {0};
    char path[DSCQ_PATH_MAX], folder[DSCQ_PATH_MAX], label[96];
    dscq_status status;

    DSCQ_TRY(drawing_path(path, dir, picture, err));
    dscq_path_dir(folder, sizeof folder, path);
    DSCQ_TRY(dscq_path_make_dirs(folder, err));
    DSCQ_TRY(dscq_image_init(&copy, im->width, im->height, im->channels, err));
    memcpy(copy.px, im->px,
           (size_t)im->width * (size_t)im->height * (size_t)im->channels);
    DSCQ_TRY(dscq_image_set_channels(&copy, 3, err));
    for (size_t i = count; i-- > 0;) { /* the surest is painted last */
        snprintf(label, sizeof label, "%s %.0f%%", box[i].name, 100 * box[i].score);
        dscq_mark_box(copy.px, copy.width, copy.height, box[i].x0, box[i].y0, box[i].x1,
                      box[i].y1, dscq_mark_colour(box[i].cls), label);
    }
    DSCQ_TRY(
        dscq_png_write(path, copy.px, (size_t)copy.width, (size_t)copy.height, 3, err));
done:
    dscq_image_clear(&copy);
    return status;
}
