#!/usr/bin/python3
"""Accuracy of an exported ONNX file where somebody else computes it.

    bench/onnx_elsewhere.py NET.onnx CIFAR_TEST_BATCH [--mean R,G,B] [--std R,G,B] [--images N]

Checks the file with the onnx checker (Debian: python3-onnx), then runs it, operator by
operator, on PyTorch (python3-torch): float convolutions, and QuantizeLinear and
DequantizeLinear as the ONNX page defines them (half to even, saturating). The data file
is a CIFAR-10 batch in its binary layout. One thread. Prints how many are right.
"""
import argparse
import sys

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def per_axis(v, x, axis):
    if v is None or v.dim() == 0 or x.dim() == 0:
        return v
    shape = [1] * x.dim()
    shape[axis] = -1
    return v.reshape(shape)


def padded(x, pads, value=0.0):
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=value) if any(pads) else x


def conv(a, x, w, b=None):
    x = padded(x, a.get("pads", [0, 0, 0, 0]))
    return F.conv2d(x, w, b, a.get("strides", [1, 1]), 0, a.get("dilations", [1, 1]),
                    a.get("group", 1))


def quantize(a, x, s, z=None):
    axis = a.get("axis", 1)
    kind = z.dtype if z is not None else torch.uint8
    lim = torch.iinfo(kind)
    q = torch.round(x / per_axis(s, x, axis))
    if z is not None:
        q = q + per_axis(z.to(torch.float32), x, axis)
    return q.clamp(lim.min, lim.max).to(kind)


def dequantize(a, x, s, z=None):
    axis = a.get("axis", 1)
    v = x.to(torch.float32)
    if z is not None:
        v = v - per_axis(z.to(torch.float32), x, axis)
    return v * per_axis(s, x, axis)


def max_pool(a, x):
    x = padded(x, a.get("pads", [0, 0, 0, 0]), -float("inf"))
    return F.max_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]))


def average_pool(a, x):
    pads, k, s = a.get("pads", [0] * 4), a["kernel_shape"], a.get("strides", [1, 1])
    area = F.avg_pool2d(padded(torch.ones_like(x), pads), k, s)
    y = F.avg_pool2d(padded(x, pads), k, s)
    return y if a.get("count_include_pad", 0) else y / area


def clip(a, x, lo=None, hi=None):
    x = x if lo is None else torch.maximum(x, lo)
    return x if hi is None else torch.minimum(x, hi)


def reshape(a, x, shape):
    return x.reshape([int(v) for v in shape])


OPS = {
    "Conv": conv,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "Relu": lambda a, x: torch.relu(x),
    "LeakyRelu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)),
    "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Tanh": lambda a, x: torch.tanh(x),
    "Softplus": lambda a, x: F.softplus(x),
    "HardSigmoid": lambda a, x: (a["alpha"] * x + a["beta"]).clamp(0, 1),
    "Clip": clip,
    "Sum": lambda a, *x: sum(x[1:], x[0]),
    "Add": lambda a, x, y: x + y,
    "Mul": lambda a, x, y: x * y,
    "Concat": lambda a, *x: torch.cat(x, a["axis"]),
    "Identity": lambda a, x: x,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "Flatten": lambda a, x: x.flatten(a.get("axis", 1)),
    "Reshape": reshape,
    "Softmax": lambda a, x: torch.softmax(x, a.get("axis", -1)),
    "BatchNormalization": lambda a, x, g, b, m, v: F.batch_norm(
        x, m, v, g, b, False, 0, a.get("epsilon", 1e-5)),
    "Gemm": lambda a, x, w, b=None: F.linear(x, w if a.get("transB", 0) else w.t(), b),
}


def run(graph, constants, x):
    values = dict(constants)
    values[graph.input[0].name] = x
    for node in graph.node:
        if node.op_type not in OPS:
            sys.exit(f"onnx_elsewhere: {node.op_type}: this script does not run it")
        given = [values[i] if i else None for i in node.input]
        values[node.output[0]] = OPS[node.op_type](attributes(node), *given)
    return values[graph.output[0].name]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("model")
    p.add_argument("data")
    p.add_argument("--mean", default="0,0,0")
    p.add_argument("--std", default="1,1,1")
    p.add_argument("--images", type=int, default=10000)
    o = p.parse_args()
    model = onnx.load(o.model)
    onnx.checker.check_model(model, full_check=True)
    constants = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy())
                 for t in model.graph.initializer}
    mean = torch.tensor([float(v) for v in o.mean.split(",")]).reshape(1, 3, 1, 1)
    std = torch.tensor([float(v) for v in o.std.split(",")]).reshape(1, 3, 1, 1)
    records = np.fromfile(o.data, np.uint8).reshape(-1, 3073)[:o.images]
    torch.set_num_threads(1)
    right = 0
    with torch.no_grad():
        for at in range(0, len(records), 100):
            part = records[at:at + 100]
            x = torch.from_numpy(part[:, 1:].reshape(-1, 3, 32, 32).copy())
            y = run(model.graph, constants, (x.float() / 255 - mean) / std)
            best = y.reshape(len(part), -1).argmax(1).numpy()
            right += int((best == part[:, 0]).sum())
    print(f"checker: accepted; {right} of {len(records)} right "
          f"({100 * right / len(records):.2f} %) on PyTorch {torch.__version__}")


main()
