#!/usr/bin/env python3
"""Writes tests/golden/arith/*.json: inputs, parameters and outputs of every rule of
docs/arithmetic.md, computed by arith.py (which shares no code with the C program).

    python3 tests/decoder/make_vectors.py tests/golden/arith
"""
import json
import os
import random
import sys

import arith

R = random.Random(2019)
NODE = {"stride_h": 1, "stride_w": 1, "pad_top": 0, "pad_left": 0, "pad_bottom": 0,
        "pad_right": 0, "dilation_h": 1, "dilation_w": 1, "groups": 1, "kernel_h": 0,
        "kernel_w": 0, "count_include_pad": 0, "factor": 1, "first": 0, "is_leaky": 0,
        "slope_q15": 0}


def tensor(h, w, c, bits=8, signed=1, zero=None):
    t = {"h": h, "w": w, "c": c, "bits": bits, "signed": signed, "scale": 0.125}
    t["zero"] = zero if zero is not None else R.randint(arith.lo(t), arith.hi(t))
    return t


def fill(t, extreme=False):
    pick = [arith.lo(t), arith.hi(t), t["zero"]] if extreme else None
    t["q"] = [R.choice(pick) if extreme else R.randint(arith.lo(t), arith.hi(t))
              for _ in range(t["h"] * t["w"] * t["c"])]
    return t


def node(op, y, **more):
    n = dict(NODE, op=op, clamp_lo=arith.lo(y), clamp_hi=arith.hi(y))
    n.update(more)
    return n


def mult(n, negative=0.2):
    return [R.choice([-1, 1] if R.random() < negative * 2 else [1]) *
            R.randint(1 << 14, (1 << 15) - 1) for _ in range(n)]


def conv_case(name, h, w, c, k, r, s, xt=None, yt=None, extreme=False, top=127, shift=None,
              **more):
    x = fill(tensor(h, w, c, **(xt or {})), extreme)
    groups = more.get("groups", 1)
    oh = arith.window_out(h, r, more.get("stride_h", 1),
                          more.get("pad_top", 0) + more.get("pad_bottom", 0),
                          more.get("dilation_h", 1))
    ow = arith.window_out(w, s, more.get("stride_w", 1),
                          more.get("pad_left", 0) + more.get("pad_right", 0),
                          more.get("dilation_w", 1))
    y = tensor(oh, ow, k, **(yt or {}))
    n = node("conv", y, k=k, r=r, s=s, c=c // groups,
             value=[R.randint(-top, top) for _ in range(k * r * s * (c // groups))],
             mult=mult(k), shift=[shift if shift is not None else R.randint(14, 20)
                                  for _ in range(k)],
             bias=[R.randint(-20000, 20000) for _ in range(k)], **more)
    if k > 2:
        n["mult"][1], n["shift"][1] = 0, 0
    return name, n, [x], y


def cases():
    yield conv_case("pointwise", 3, 2, 5, 4, 1, 1)
    yield conv_case("3x3 stride 2, asymmetric padding", 6, 5, 3, 4, 3, 3, stride_h=2,
                    stride_w=2, pad_top=0, pad_left=0, pad_bottom=1, pad_right=1)
    yield conv_case("3x3 padded: padding contributes 0, not the zero point", 4, 4, 2, 3, 3, 3,
                    pad_top=1, pad_left=1, pad_bottom=1, pad_right=1,
                    xt={"zero": 100})
    yield conv_case("rectangular kernel, dilation", 7, 8, 2, 2, 2, 3, dilation_h=3,
                    dilation_w=2, pad_left=2)
    yield conv_case("depthwise", 5, 5, 6, 6, 3, 3, groups=6, pad_top=1, pad_left=1,
                    pad_bottom=1, pad_right=1)
    yield conv_case("depthwise with two outputs a channel", 4, 4, 3, 6, 3, 3, groups=3)
    yield conv_case("two groups", 3, 3, 4, 6, 1, 2, groups=2)
    yield conv_case("fully connected over the map, 16-bit output", 3, 3, 4, 5, 3, 3,
                    yt={"bits": 16})
    yield conv_case("16-bit input and weights", 2, 2, 3, 3, 1, 1, xt={"bits": 16},
                    yt={"bits": 16}, top=3000, shift=24)
    yield conv_case("unsigned 4-bit input and output", 3, 3, 3, 4, 2, 2,
                    xt={"bits": 4, "signed": 0}, yt={"bits": 4, "signed": 0}, top=7)
    yield conv_case("12-bit unsigned", 2, 3, 2, 2, 1, 1, xt={"bits": 12, "signed": 0},
                    yt={"bits": 12, "signed": 0})
    yield conv_case("shift 0 saturates both ways", 2, 2, 2, 4, 1, 1, shift=0)
    yield conv_case("shift 47 leaves the bias", 2, 2, 2, 4, 1, 1, shift=47)
    yield conv_case("extreme codes, large sums", 2, 2, 64, 4, 2, 2, extreme=True, shift=24)
    yield conv_case("leaky 0.1", 3, 3, 4, 4, 1, 1, is_leaky=1, slope_q15=3277)
    yield conv_case("leaky slope 0 and 1", 2, 2, 4, 4, 1, 1, is_leaky=1, slope_q15=32768)
    name, n, x, y = conv_case("relu6: clamp from the zero point", 3, 3, 4, 4, 1, 1,
                              yt={"zero": -128})
    n["clamp_lo"], n["clamp_hi"] = -128, -80
    yield name, n, x, y
    name, n, x, y = conv_case("largest biases", 2, 2, 2, 3, 1, 1, yt={"bits": 16, "zero": 0})
    n["bias"] = [(1 << 23) - 1, -(1 << 23), 0]
    yield name, n, x, y

    for name, count, more in (("two inputs", 2, {}), ("three inputs", 3, {}),
                              ("leaky", 2, {"is_leaky": 1, "slope_q15": 3277})):
        x = [fill(tensor(2, 3, 3, bits=R.choice([8, 8, 6, 12]))) for _ in range(count)]
        y = tensor(2, 3, 3)
        yield ("add " + name, node("add", y, mult=[R.randint(-32767, 32767) for _ in x],
                                   shift=[15] * count, **more), x, y)
    for shape in ((3, 2, 4), (1, 1, 4)):
        x = [fill(tensor(3, 2, 4)), fill(tensor(*shape, signed=0))]
        y = tensor(3, 2, 4)
        yield ("mul by %dx%dx%d" % shape, node("mul", y, mult=[20011], shift=[22]), x, y)
    y = tensor(2, 2, 7, zero=3)
    x = [fill(tensor(2, 2, 2)), fill(tensor(2, 2, 4, zero=3)), fill(tensor(2, 2, 1, bits=12))]
    yield ("concat: rescaled, copied, rescaled",
           node("concat", y, mult=[17000, 0, -30000], shift=[7, 255, 11]), x, y)
    y = tensor(2, 3, 2, bits=10, signed=0)
    yield ("rescale", node("rescale", y, mult=[16384], shift=[5]),
           [fill(tensor(2, 3, 2))], y)

    for name, h, w, more in (
            ("2x2 stride 2", 4, 6, {"kernel_h": 2, "kernel_w": 2, "stride_h": 2, "stride_w": 2}),
            ("3x3 stride 2 padded, partial windows", 5, 5,
             {"kernel_h": 3, "kernel_w": 3, "stride_h": 2, "stride_w": 2, "pad_top": 1,
              "pad_left": 1, "pad_bottom": 1, "pad_right": 1}),
            ("whole map", 3, 4, {}),
            ("2x3 asymmetric padding", 4, 4, {"kernel_h": 2, "kernel_w": 3, "pad_bottom": 1,
                                              "pad_right": 2})):
        kh, kw = more.get("kernel_h", h), more.get("kernel_w", w)
        oh = arith.window_out(h, kh, more.get("stride_h", 1),
                              more.get("pad_top", 0) + more.get("pad_bottom", 0))
        ow = arith.window_out(w, kw, more.get("stride_w", 1),
                              more.get("pad_left", 0) + more.get("pad_right", 0))
        x = fill(tensor(h, w, 3))
        y = tensor(oh, ow, 3, zero=x["zero"])
        n = node("maxpool", y, **more)
        n["clamp_lo"] = -100
        yield "maxpool " + name, n, [x], y
        for include in (0, 1):
            for bits in (8, 16):
                x = fill(tensor(h, w, 3, bits=bits))
                y = tensor(oh, ow, 3)
                n = node("avgpool", y, count_include_pad=include, **more)
                counts = sorted({len(arith.window(n, x, a, b)) for a in range(oh)
                                 for b in range(ow)})
                n["keys"] = [kh * kw] if include else counts
                n["mult"], n["shift"] = [], []
                for k in n["keys"]:
                    f, r = 256.0 / k / (1 if bits == 8 else 256), 0
                    while f * 2 ** (r + 1) < 32767:
                        r += 1
                    n["mult"].append(round(f * 2 ** r))
                    n["shift"].append(r)
                yield ("avgpool %s, padding %s, %d bits" %
                       (name, "counted" if include else "left out", bits), n, [x], y)

    x = fill(tensor(2, 3, 2))
    y = dict(x, h=4, w=6)
    yield "upsample", node("upsample", y, factor=2), [x], y
    x = fill(tensor(4, 6, 3))
    y = dict(x, h=2, w=3, c=12)
    yield "reorg", node("reorg", y, factor=2), [x], y
    x = fill(tensor(2, 2, 5, bits=12))
    y = dict(x, c=3)
    yield "slice", node("slice", y, first=1), [x], y
    x = fill(tensor(2, 2, 2, zero=-7))
    y = dict(x, h=4, w=6)
    yield ("pad", node("pad", y, pad_top=2, pad_left=1, pad_right=3), [x], y)

    for bits, signed in ((8, 1), (8, 0), (5, 1)):
        x = fill(tensor(3, 3, 4, bits=bits, signed=signed))
        y = tensor(3, 3, 4, bits=R.choice([8, 12]))
        yield ("lut of %d bits%s" % (bits, "" if signed else " unsigned"),
               node("lut", y, table=[R.randint(arith.lo(y), arith.hi(y))
                                     for _ in range(1 << bits)]), [x], y)
    for size, c, bits in ((5, 9, 8), (2, 4, 8), (4, 3, 6), (1, 2, 12)):
        x = fill(tensor(2, 2, c, bits=bits))
        y = tensor(2, 2, c)
        reach = max(arith.hi(x) - x["zero"], x["zero"] - arith.lo(x))
        entries = arith.lrn_index(min(size, c) * reach * reach) + 1
        yield ("lrn across %d of %d channels, %d bits" % (size, c, bits),
               node("lrn", y, first=size, mult=[0], shift=[9],
                    table=[60000 - 200 * i for i in range(entries)]), [x], y)


def main(folder):
    made = {}
    for name, n, x, y in cases():
        y = dict(y, q=arith.run(n, x, y))
        made.setdefault(n["op"], []).append(
            {"name": name, "node": n, "inputs": x, "output": y})
    for op, rows in made.items():
        with open(os.path.join(folder, op + ".json"), "w") as f:
            f.write('{"rule": "%s", "cases": [\n' % op)
            f.write(",\n".join(json.dumps(r, separators=(",", ":")) for r in rows))
            f.write("\n]}\n")


if __name__ == "__main__":
    main(sys.argv[1])
