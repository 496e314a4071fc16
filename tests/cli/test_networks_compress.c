/* Every network of ../shared/models goes the whole way from a plain folder of pictures
 * without labels: import, compress without training, verify, run, export to ONNX, back.
 * One of them is executed by the machine as well, code for code. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH = 512 };

#define QUANTISED "quantised/tflite/"

static const struct network {
    const char *name, *file, *weights;
    int simulate;
} k_networks[] = {
    {"mobilenet_v1", "mobilenet_v1_1.0_224/mobilenet_v1_1.0_224.onnx.xz", NULL, 0},
    {"mobilenet_v2", "mobilenet_v2_1.0_224/mobilenet_v2_1.0_224.onnx.xz", NULL, 0},
    {"v1_quarter", "mobilenet_v1_0.25_224/mobilenet_v1_0.25_224.onnx", NULL, 0},
    {"v1_quarter_128", "mobilenet_v1_0.25_128/mobilenet_v1_0.25_128.onnx", NULL, 0},
    {"resnet20", "cifar10_resnet/resnet20_cifar10.onnx", NULL, 0},
    {"dsc_cifar10", "cifar10_dsc/dsc_cifar10.cfg", "cifar10_dsc/dsc_cifar10.weights",
     0},
    {"resnet8", "mlperf_tiny/resnet8_cifar10.onnx", NULL, 0},
    {"vww_96", "mlperf_tiny/vww_96.onnx", NULL, 0},
    {"kws_dscnn", "mlperf_tiny/kws_dscnn.onnx", NULL, 1},
    {"yolo_fastest", "yolo-fastest-1.1-coco/yolo-fastest-1.1.cfg",
     "yolo-fastest-1.1-coco/yolo-fastest-1.1.weights", 0},
    {"mobilenet_v2_yolo", "mobilenetv2-yolov3-nano-voc/mobilenetv2-yolov3-nano-voc.cfg",
     "mobilenetv2-yolov3-nano-voc/mobilenetv2-yolov3-nano-voc.weights", 0},
    {"slim_320", "face/slim-320.onnx", NULL, 0},
    {"yunet", "face/yunet_n_320.onnx", NULL, 0},
    {"resnet8_int8", "mlperf_tiny/resnet8_cifar10_int8.tflite", NULL, 0},
    {"vww_96_int8", "mlperf_tiny/vww_96_int8.tflite", NULL, 0},
    {"kws_dscnn_int8", "mlperf_tiny/kws_dscnn_int8.tflite", NULL, 1},
    {"kws_dscnn_hybrid", "mlperf_tiny/kws_dscnn_float.tflite", NULL, 0},
    {"v1_uint8", "mobilenet_v1_0.25_128/mobilenet_v1_0.25_128_quant.tflite", NULL, 0},
    {"person_int8", QUANTISED "tflm_person_detect_int8/model.tflite", NULL, 1},
    {"yolo_int8", QUANTISED "yolo_fastest_person_int8/model.tflite", NULL, 0},
    {"ssd_int8", QUANTISED "ssd_slim_face_int8/model.tflite", NULL, 0},
    {"mcunet_int8", QUANTISED "mcunet_detection_int8/model.tflite", NULL, 0},
};

/* The program with these words (NULL ends them) in the network's own folder; 0 is
 * wanted. */
static void dscq(const char *what, const char *const argv[])
{
    static test_output o;
    const int code = test_command(&o, test_path(what), argv);

    ck_assert_msg(code == 0, "%s: exit %d: %s", what, code, o.err);
}

static const char *network_file(const char *file)
{
    static char path[PATH];
    char relative[PATH];

    snprintf(relative, sizeof relative, "models/%s", file);
    const char *there = test_shared_unpacked(relative);
    if (there == NULL)
        return NULL;
    snprintf(path, sizeof path, "%s", there); /* later paths take its buffer */
    return path;
}

START_TEST(a_network_goes_the_whole_way_without_labels)
{
    const struct network *n = &k_networks[_i];
    const char *pictures = test_shared("datasets/coco128-val/images");
    const char *file = network_file(n->file);
    char weights[PATH] = "", train[PATH], one[PATH], relative[PATH];

    if (pictures == NULL || file == NULL)
        return;
    snprintf(train, sizeof train, "train=%s", pictures);
    snprintf(one, sizeof one, "%s/000000000139.jpg", pictures);
    if (n->weights != NULL) {
        snprintf(relative, sizeof relative, "models/%s", n->weights);
        snprintf(weights, sizeof weights, "%s", test_shared(relative));
    }
    ck_assert_int_eq(mkdir(test_path(n->name), 0777), 0);
    const char *const import[] = {"import", "-o",          "net",
                                  "--data", "type=images", "--data",
                                  train,    file,          weights[0] ? weights : NULL,
                                  NULL};
    dscq(n->name, import);
    dscq(n->name, (const char *const[]){
                      "compress", "net/net.cfg", "-w", "net/float.ckpt", "-o", "out",
                      "--set", "compress.method=uniform", "--set", "compress.p=0",
                      "--set", "compress.b=8", "--set", "compress.epochs=0", "--set",
                      "compress.calibration_images=4", "--threads", "1", NULL});
    dscq(n->name, (const char *const[]){"verify", "out/packed.bin", NULL});
    dscq(n->name, (const char *const[]){"run", "out/packed.bin", one, NULL});
    dscq(n->name,
         (const char *const[]){"export", "out/packed.bin", "-o", "out.onnx", NULL});
    dscq(n->name, (const char *const[]){"import", "out.onnx", "-o", "back", NULL});
    if (n->simulate)
        dscq(n->name, (const char *const[]){"simulate", "out/packed.bin", "--machine",
                                            test_source("data/machines/zcu104.cfg"),
                                            "--verify", NULL});
    dscq(n->name, (const char *const[]){"check", "out/packed.bin", NULL});
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("networks_compress", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, a_network_goes_the_whole_way_without_labels, 0,
                        sizeof k_networks / sizeof k_networks[0]);
    return s;
}

int main(void)
{
    return test_run(make);
}
