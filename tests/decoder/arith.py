"""The integer arithmetic of docs/arithmetic.md, written from that page alone.

Python's integers are exact and its >> rounds towards minus infinity, as the page
wants. A tensor is a dict: h, w, c, bits, signed, zero, scale and `q`, a flat list of
codes in h, w, c order. A node is a dict with the fields of docs/format.md.
"""


def lo(t):
    return -(1 << (t["bits"] - 1)) if t["signed"] else 0


def hi(t):
    return (1 << (t["bits"] - 1)) - 1 if t["signed"] else (1 << t["bits"]) - 1


def clamp(n, v):
    return min(max(v, n["clamp_lo"]), n["clamp_hi"])


def finish(n, y, u):
    return clamp(n, y["zero"] + ((u + 128) >> 8))


def leaky(n, u):
    return (u * n["slope_q15"]) >> 15 if n.get("is_leaky") and u < 0 else u


def at(x, h, w, c):
    return x["q"][(h * x["w"] + w) * x["c"] + c]


def pixels(y):
    for h in range(y["h"]):
        for w in range(y["w"]):
            for c in range(y["c"]):
                yield h, w, c


def conv(n, x, y):
    x = x[0]
    k_, r_, s_, c_, v = n["k"], n["r"], n["s"], n["c"], n["value"]
    per = k_ // n["groups"]
    out = []
    for h, w, k in pixels(y):
        acc = 0
        for r in range(r_):
            for s in range(s_):
                ih = h * n["stride_h"] - n["pad_top"] + r * n["dilation_h"]
                iw = w * n["stride_w"] - n["pad_left"] + s * n["dilation_w"]
                if not (0 <= ih < x["h"] and 0 <= iw < x["w"]):
                    continue
                for c in range(c_):
                    acc += v[((k * r_ + r) * s_ + s) * c_ + c] * (
                        at(x, ih, iw, k // per * c_ + c) - x["zero"])
        assert -(1 << 31) <= acc < 1 << 31
        u = ((acc * n["mult"][k]) >> n["shift"][k]) + n["bias"][k]
        out.append(finish(n, y, leaky(n, u)))
    return out


def add(n, x, y):
    out = []
    for i in range(len(x[0]["q"])):
        u = sum((t["q"][i] - t["zero"]) * m for t, m in zip(x, n["mult"])) >> n["shift"][0]
        out.append(finish(n, y, leaky(n, u)))
    return out


def mul(n, x, y):
    one = x[1]["h"] == 1 and x[1]["w"] == 1
    out = []
    for h, w, c in pixels(y):
        a = at(x[0], h, w, c) - x[0]["zero"]
        b = at(x[1], 0 if one else h, 0 if one else w, c) - x[1]["zero"]
        out.append(finish(n, y, (a * b * n["mult"][0]) >> n["shift"][0]))
    return out


def concat(n, x, y):
    out = []
    for h in range(y["h"]):
        for w in range(y["w"]):
            for i, t in enumerate(x):
                for c in range(t["c"]):
                    q = at(t, h, w, c)
                    if not (n["mult"][i] == 0 and n["shift"][i] == 255):
                        q = finish(n, y, ((q - t["zero"]) * n["mult"][i]) >> n["shift"][i])
                    out.append(q)
    return out


def window(n, x, h, w):
    kh, kw = n["kernel_h"] or x["h"], n["kernel_w"] or x["w"]
    h0, w0 = h * n["stride_h"] - n["pad_top"], w * n["stride_w"] - n["pad_left"]
    return [(i, j) for i in range(h0, h0 + kh) for j in range(w0, w0 + kw)
            if 0 <= i < x["h"] and 0 <= j < x["w"]]


def maxpool(n, x, y):
    return [clamp(n, max(at(x[0], i, j, c) for i, j in window(n, x[0], h, w)))
            for h, w, c in pixels(y)]


def avgpool(n, x, y):
    out = []
    for h, w, c in pixels(y):
        real = window(n, x[0], h, w)
        e = 0 if n["count_include_pad"] else n["keys"].index(len(real))
        s = sum(at(x[0], i, j, c) - x[0]["zero"] for i, j in real)
        out.append(finish(n, y, (s * n["mult"][e]) >> n["shift"][e]))
    return out


def upsample(n, x, y):
    f = n["factor"]
    return [at(x[0], h // f, w // f, c) for h, w, c in pixels(y)]


def reorg(n, x, y):
    f, cin = n["factor"], x[0]["c"]
    return [at(x[0], h * f + c // cin // f, w * f + c // cin % f, c % cin)
            for h, w, c in pixels(y)]


def slice_(n, x, y):
    return [at(x[0], h, w, n["first"] + c) for h, w, c in pixels(y)]


def pad(n, x, y):
    x = x[0]
    out = []
    for h, w, c in pixels(y):
        i, j = h - n["pad_top"], w - n["pad_left"]
        out.append(at(x, i, j, c) if 0 <= i < x["h"] and 0 <= j < x["w"] else x["zero"])
    return out


def lut(n, x, y):
    return [n["table"][q - lo(x[0])] for q in x[0]["q"]]


def lrn_index(s):
    if s < 16:
        return s
    e = s.bit_length() - 1 - 3
    return 16 + 8 * (e - 1) + ((s >> e) & 7)


def lrn(n, x, y):
    x = x[0]
    out = []
    for h, w, c in pixels(y):
        s = sum((at(x, h, w, i) - x["zero"]) ** 2
                for i in range(c - (n["first"] - 1) // 2, c + n["first"] // 2 + 1)
                if 0 <= i < x["c"])
        d = at(x, h, w, c) - x["zero"]
        out.append(finish(n, y, (d * n["table"][lrn_index(s)]) >> n["shift"][0]))
    return out


OPS = {"conv": conv, "add": add, "mul": mul, "concat": concat, "maxpool": maxpool,
       "avgpool": avgpool, "upsample": upsample, "reorg": reorg, "slice": slice_,
       "pad": pad, "lut": lut, "lrn": lrn, "rescale": concat}


def run(n, x, y):
    """Codes of output tensor y of node n with input tensors x."""
    return OPS[n["op"]](n, x, y)


def window_out(size, k, stride, pads, dilation=1):
    return (size + pads - (dilation * (k - 1) + 1)) // stride + 1
