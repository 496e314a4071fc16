#!/usr/bin/env python3
"""A second decoder of packed networks, written from docs/format.md alone. Python 3,
standard library only; shares no code with the C program.

    dscq_decode.py FILE             list sections, tensors, nodes
    dscq_decode.py --verify FILE    also execute the embedded inputs (arith.py) and
                                    compare every node's CRC-32; exit code 1 on a
                                    difference, 2 on a damaged file
    dscq_decode.py --weights FILE   one line a layer: name, count, CRC-32 of its values
                                    as little-endian int16
"""
import struct
import sys
import zlib

import arith

OPS = ["conv", "add", "mul", "concat", "maxpool", "avgpool", "upsample", "reorg", "slice",
       "pad", "lut", "lrn", "rescale"]
FIELDS = [  # name, operations, signed: docs/format.md section 4.3
    ("stride_h", "conv maxpool avgpool", 0), ("stride_w", "conv maxpool avgpool", 0),
    ("pad_top", "conv maxpool avgpool pad", 0), ("pad_left", "conv maxpool avgpool pad", 0),
    ("pad_bottom", "conv maxpool avgpool pad", 0),
    ("pad_right", "conv maxpool avgpool pad", 0),
    ("dilation_h", "conv", 0), ("dilation_w", "conv", 0), ("groups", "conv", 0),
    ("kernel_h", "maxpool avgpool", 0), ("kernel_w", "maxpool avgpool", 0),
    ("count_include_pad", "avgpool", 0), ("factor", "upsample reorg", 0),
    ("first", "slice lrn", 0),
    ("clamp_lo", "conv add mul concat maxpool avgpool lrn rescale", 1),
    ("clamp_hi", "conv add mul concat maxpool avgpool lrn rescale", 1),
    ("is_leaky", "conv add", 0), ("slope_q15", "conv add", 0)]


class Damaged(Exception):
    pass


class Reader:
    def __init__(self, data):
        self.d, self.p = data, 0

    def take(self, n):
        if self.p + n > len(self.d):
            raise Damaged("truncated")
        self.p += n
        return self.d[self.p - n:self.p]

    def u(self, n):
        return int.from_bytes(self.take(n), "little")

    def i(self, n):
        return int.from_bytes(self.take(n), "little", signed=True)

    def varint(self):
        v = shift = 0
        while True:
            b = self.u(1)
            v |= (b & 127) << shift
            if b < 128:
                return v
            shift += 7

    def zigzag(self):
        v = self.varint()
        return -(v >> 1) - 1 if v & 1 else v >> 1

    def real(self):
        return struct.unpack("<d", self.take(8))[0]

    def text(self):
        return self.take(self.varint()).decode("utf-8")

    def rest(self):
        return self.take(len(self.d) - self.p)


class Bits:
    """Least significant bit first."""

    def __init__(self, data):
        self.v, self.n = int.from_bytes(data, "little"), len(data) * 8
        self.data, self.p = data, 0

    def get(self, n):
        if self.p + n > self.n:
            raise Damaged("bits end")
        a, b = self.p >> 3, (self.p + n + 7) >> 3
        v = int.from_bytes(self.data[a:b], "little") >> (self.p & 7) & ((1 << n) - 1)
        self.p += n
        return v


def bytes_of(bits):
    return (bits + 7) // 8


# ---- weight encodings: docs/format.md section 6 -------------------------------------

def dec_dense(n, l, arg, r):
    b = Bits(r.rest())
    return [b.get(l["bits"]) for _ in range(n)]


def dec_bitmap(n, l, arg, r):
    m, b = Bits(r.take(bytes_of(n))), None
    mask = [m.get(1) for _ in range(n)]
    b = Bits(r.rest())
    return [b.get(l["bits"]) if x else 0 for x in mask]


def gap_pairs(n, pairs, g):
    code, at = [0] * n, 0
    for gap, v in pairs:
        at += gap
        code[at] = v
        at += 1
    return code


def dec_gap(n, l, g, r):
    data = r.rest()
    b, w, pairs = Bits(data), g + l["bits"], []
    left = len(data) * 8
    while left >= w:
        gap, v = b.get(g), b.get(l["bits"])
        if gap == 0 and v == 0:
            break
        pairs.append((gap, v))
        left -= w
    return gap_pairs(n, pairs, g)


def kernel_taps(l, kernel):
    taps, c = l["r"] * l["s"], l["c"]
    first = kernel // c * taps * c + kernel % c
    return [first + t * c for t in range(taps)]


def bits_for(n):
    b = 0
    while 1 << b < n:
        b += 1
    return b


def dec_kernel(n, l, arg, r):
    count, taps, kernels = r.u(2) + 1, l["r"] * l["s"], l["k"] * l["c"]
    b = Bits(r.take(bytes_of(count * taps)))
    table = [b.get(taps) for _ in range(count)]
    w = bits_for(count)
    b = Bits(r.take(bytes_of(kernels * w)))
    index = [b.get(w) for _ in range(kernels)]
    b, code = Bits(r.rest()), [0] * n
    for i in range(kernels):
        for t, at in enumerate(kernel_taps(l, i)):
            if table[index[i]] >> t & 1:
                code[at] = b.get(l["bits"])
    return code


def dec_lanes(n, l, arg, r):
    lanes, g = arg & 0xffff, arg >> 16
    pairs = [r.u(4) for _ in range(lanes)]
    b, code, per = Bits(r.rest()), [0] * n, n // l["k"]
    for lane in range(lanes):
        order = [k * per + j for j in range(per) for k in range(lane, l["k"], lanes)]
        at = 0
        for _ in range(pairs[lane]):
            at += b.get(g)
            code[order[at]] = b.get(l["bits"])
            at += 1
    return code


def dec_zhang_conv(n, l, arg, r):
    code = [0] * n
    for i in range(l["k"] * l["c"]):
        taps = kernel_taps(l, i)
        for _ in range(r.u(1)):
            v, at = r.u(1), r.u(1)
            code[taps[(at >> 4) * l["s"] + (at & 15)]] = v
    return code


def dec_zhang_fc(n, l, arg, r):
    pairs = []
    while r.p < len(r.d):
        e = r.u(2)
        pairs.append((e >> 8, e & 255))
    return gap_pairs(n, pairs, 8)


def dec_binary(n, l, arg, r):
    per = n // l["k"]
    blocks = -(-per // l["block"])
    b = Bits(r.take(bytes_of(blocks * l["k"])))
    l["high"] = [b.get(1) for _ in range(blocks * l["k"])]
    b = Bits(r.rest())
    return [b.get(8 if l["high"][i // per * blocks + i % per // l["block"]] else 1)
            for i in range(n)]


def canonical(lens):
    """(length, code as read first bit first) -> symbol"""
    table, code = {}, 0
    for size in range(1, 16):
        for s, x in enumerate(lens):
            if x == size:
                table[(size, code)] = s
                code += 1
        code <<= 1
    return table


def dec_huffman(n, l, g, r):
    values, gaps = 1 << l["bits"], 1 << g
    b = Bits(r.take(bytes_of(4 * (values + gaps))))
    vt = canonical([b.get(4) for _ in range(values)])
    gt = canonical([b.get(4) for _ in range(gaps)])
    count, pairs = r.varint(), []
    b = Bits(r.rest())

    def symbol(table):
        size = code = 0
        while (size, code) not in table:
            code = code << 1 | b.get(1)
            size += 1
            if size > 15:
                raise Damaged("no such Huffman code")
        return table[(size, code)]

    for _ in range(count):
        gap = symbol(gt)
        pairs.append((gap, symbol(vt)))
    return gap_pairs(n, pairs, g)


def dec_rans(n, l, arg, r):
    freq = [r.varint() for _ in range(1 << l["bits"])]
    slot, start = [], []
    for s, f in enumerate(freq):
        start.append(len(slot))
        slot += [s] * f
    x, code, data = [r.u(4), r.u(4)], [], r.rest()
    p = 0
    for i in range(n):
        v = x[i & 1]
        at = v & 16383
        s = slot[at]
        v = freq[s] * (v >> 14) + at - start[s]
        while v < 1 << 23 and p < len(data):
            v = v << 8 | data[p]
            p += 1
        x[i & 1] = v
        code.append(s)
    if x != [1 << 23] * 2 or p != len(data):
        raise Damaged("rANS stream")
    return code


class ArithmeticDecoder:
    def __init__(self, data):
        self.d, self.p, self.lo, self.hi, self.x = data, 0, 0, 0xffffffff, 0
        for _ in range(4):
            self.x = self.x << 8 | self.byte()

    def byte(self):
        self.p += 1
        return self.d[self.p - 1] if self.p <= len(self.d) else 0

    def raw(self, p):
        mid = self.lo + ((self.hi - self.lo) * p >> 16)
        bit = int(self.x <= mid)
        if bit:
            self.hi = mid
        else:
            self.lo = mid + 1
        while self.lo >> 24 == self.hi >> 24:
            self.x = (self.x << 8 | self.byte()) & 0xffffffff
            self.lo = self.lo << 8 & 0xffffffff
            self.hi = (self.hi << 8 | 255) & 0xffffffff
        return bit

    def bin(self, b):
        """b = [p of 22 bits, n]"""
        bit = self.raw(b[0] >> 6 | 1)
        rate = 131072 // (2 * b[1] + 3)
        if bit:
            b[0] += (((1 << 22) - 1 - b[0]) * rate) >> 16
        else:
            b[0] -= (b[0] * rate) >> 16
        b[1] = min(b[1] + 1, 255)
        return bit


    def tree(self, bins, bits):
        node = 1
        for _ in range(bits):
            node = node * 2 + self.bin(bins[node])
        return node - (1 << bits)

    def even(self, bits):
        v = 0
        for _ in range(bits):
            v = v * 2 + self.raw(32768)
        return v

    def done(self):
        if self.p != len(self.d) + 3 or self.x != ((self.lo >> 24) + 1) << 24:
            raise Damaged("arithmetic-coded stream")


def new_bins(n):
    return [[1 << 21, 0] for _ in range(n)]


def level(density, mean):
    return ((density * 2 > mean) + (density * 5 > mean * 4) + (density * 4 > mean * 5) +
            (density > mean * 2))


def moved(average, bit, shift):
    return average + ((65535 - average) >> shift) if bit else average - (average >> shift)


def dec_context(n, l, arg, r):
    d = ArithmeticDecoder(r.rest())
    sig, sign, gt1, gt2 = new_bins(75), new_bins(9), new_bins(6), new_bins(6)
    tree = [new_bins(256) for _ in range(2)]
    bits = l["bits"]
    if l["form"] == 0:
        book = l["codebook"]
        side = [sorted((i for i in range(1, len(book)) if s * book[i] > 0),
                       key=lambda i: abs(book[i])) for s in (1, -1)]
        top = [len(side[0]), len(side[1])]
    else:
        top = [(1 << (bits - 1)) - 1, 1 << (bits - 1)]
    per, code = n // l["k"], [0] * n
    column, up_sign = [32768] * per, [0] * per
    row, mean, last = 32768, 32768, 0
    for k in range(l["k"]):
        left = left_sign = 0
        for j in range(per):
            i = k * per + j
            up = int(k > 0 and code[i - per] != 0)
            ctx = left + up
            if arg == 1:
                ctx += 3 * (5 * level(column[j], mean) + level(row, mean))
            left = d.bin(sig[ctx])
            column[j] = moved(column[j], left, 3)
            row = moved(row, left, 5)
            mean = max(moved(mean, left, 11), 1)
            if not left:
                left_sign = 0
                continue
            if top[0] and top[1]:
                s = d.bin(sign[left_sign * 3 + up_sign[j]])
            else:
                s = int(top[0] == 0)
            ctx = ((last > 1) + (last > 2)) * 2 + up
            rank = 1
            if top[s] > 1 and d.bin(gt1[ctx]):
                rank = 2
                if top[s] > 2 and d.bin(gt2[ctx]):
                    rank = 3
                    if top[s] > 3:
                        rank += rest(d, tree[int(ctx > 3)], top[s] - 3)
            code[i] = side[s][rank - 1] if l["form"] == 0 else (
                (1 << bits) - rank if s else rank)
            last = rank
            left_sign = up_sign[j] = 1 + s
    d.done()
    return code


def rest(d, tree, top):
    bits = top.bit_length()
    raw = max(bits - 8, 0)
    v = d.tree(tree, bits - raw)
    return v << raw | d.even(raw)


DECODERS = [dec_dense, dec_bitmap, dec_gap, dec_kernel, dec_lanes, dec_zhang_conv,
            dec_zhang_fc, dec_binary, dec_huffman, dec_rans, dec_context]
NAMES = [f.__name__[4:] for f in DECODERS]


# ---- sections -----------------------------------------------------------------------

def sections(data):
    if data[:8] != b"\x89DSCQ\r\n\x1a":
        raise Damaged("magic")
    major, minor, count, size, table_crc, head_crc = struct.unpack("<HHIQII", data[8:32])
    if zlib.crc32(data[:28]) != head_crc or size != len(data) or major != 1:
        raise Damaged("header")
    if zlib.crc32(data[32:32 + 24 * count]) != table_crc:
        raise Damaged("section table")
    at, out = 32 + 24 * count, {}
    for i in range(count):
        tag, flags, n, crc, zero = struct.unpack("<4sIQII", data[32 + 24 * i:56 + 24 * i])
        body = data[at:at + n]
        at += n
        if zlib.crc32(body) != crc or len(body) != n or zero:
            raise Damaged("section " + tag.decode())
        out[tag.decode()] = body
    if at != len(data):
        raise Damaged("length")
    return out


def read_net(r, m):
    m["name"], m["float_bytes"] = r.text(), r.varint()
    m["tensors"] = []
    for _ in range(r.varint()):
        t = {"name": r.text(), "h": r.varint(), "w": r.varint(), "c": r.varint()}
        kind = r.u(1)
        t["bits"], t["signed"], t["zero"] = kind & 127, kind >> 7, r.zigzag()
        t["scale"] = r.real()
        m["tensors"].append(t)
    m["nodes"] = []
    for _ in range(r.varint()):
        n = {"op": OPS[r.u(1)], "name": r.text()}
        n["inputs"] = [r.varint() for _ in range(r.varint())]
        n["output"] = r.varint()
        n["name"] = n["name"] or m["tensors"][n["output"]]["name"]
        for name, ops, signed in FIELDS:
            if n["op"] in ops.split():
                n[name] = r.zigzag() if signed else r.varint()
        if n["op"] == "conv":
            n["r"], n["s"] = r.varint(), r.varint()
            n["k"] = m["tensors"][n["output"]]["c"]
            n["c"] = m["tensors"][n["inputs"][0]]["c"] // n["groups"]
        m["nodes"].append(n)


def read_constants(r, m):
    for n in m["nodes"]:
        count = r.varint()
        n["mult"] = [r.i(2) for _ in range(count)]
        n["shift"] = [r.u(1) for _ in range(count)]
        if n["op"] == "conv":
            n["bias"] = [r.i(3) for _ in range(count)]
        if n["op"] == "avgpool":
            n["keys"] = [r.varint() for _ in range(count)]
        y = m["tensors"][n["output"]]
        size = 2 if n["op"] == "lrn" or y["bits"] > 8 else 1
        signed = n["op"] != "lrn" and y["signed"]
        n["table"] = [r.i(size) if signed else r.u(size) for _ in range(r.varint())]


class Number:
    """A number as its length in bits, two adaptive bits below the leading 1, even ones."""

    def __init__(self):
        self.length = new_bins(32)
        self.next = [new_bins(4) for _ in range(32)]

    def get(self, d):
        length = d.tree(self.length, 5)
        if length < 2:
            return length
        low = length - 1
        adaptive = min(low, 2)
        top = d.tree(self.next[length], adaptive)
        return 1 << low | top << (low - adaptive) | d.even(low - adaptive)

    def signed(self, d, sign):
        v = self.get(d)
        return -v if v and d.bin(sign) else v


def read_coded_constants(r, m):
    d = ArithmeticDecoder(r.rest())
    count, entries, key, step = Number(), Number(), Number(), Number()
    bias, shift = [Number() for _ in range(3)], [new_bins(256) for _ in range(3)]
    dead, whole, negative, below = new_bins(4)
    mantissa = [new_bins(8) for _ in range(4)]

    def mult(s):
        if d.bin(dead):
            return 0
        if not d.bin(whole):
            v = d.even(16)
            return (v ^ 32768) - 32768
        sign = d.bin(negative)
        v = 1 << 14 | d.tree(mantissa[s & 3], 3) << 11
        v |= d.even(11)
        return -v if sign else v

    for n in m["nodes"]:
        conv, pool = n["op"] == "conv", n["op"] == "avgpool"
        kind = 2 if not conv else int(n["c"] != 1)
        n["mult"], n["shift"], n["bias"], n["keys"], n["table"] = [], [], [], [], []
        for _ in range(count.get(d)):
            n["shift"].append(d.tree(shift[kind], 8))
            n["mult"].append(mult(n["shift"][-1]))
            if conv:
                n["bias"].append(bias[kind].signed(d, below))
            if pool:
                n["keys"].append(key.get(d))
        last = 0
        for _ in range(entries.get(d)):
            last += step.signed(d, below)
            n["table"].append(last)
    d.done()


def read_weights(r, m):
    for n in m["nodes"]:
        if n["op"] != "conv":
            continue
        l = {"k": n["k"], "r": n["r"], "s": n["s"], "c": n["c"]}
        encoding, l["form"], l["bits"], arg = r.u(1), r.u(1), r.u(1), r.varint()
        count = n["k"] * n["r"] * n["s"] * n["c"]
        if l["form"] == 0:
            entries, size = r.varint(), r.u(1)
            l["codebook"] = [0] + [r.i(size) for _ in range(entries - 1)]
        if l["form"] == 2:
            l["block"] = r.varint()
            l["level"] = [r.u(2) for _ in range(n["k"])]
        code = DECODERS[encoding](count, l, arg, Reader(r.take(r.varint())))
        half = 1 << (l["bits"] - 1)
        if l["form"] == 0:
            n["value"] = [l["codebook"][q] for q in code]
        elif l["form"] == 1:
            n["value"] = [(q ^ half) - half for q in code]
        else:
            per = count // n["k"]
            blocks = -(-per // l["block"])
            n["value"] = [
                ((q ^ 128) - 128) if l["high"][i // per * blocks + i % per // l["block"]]
                else (-1 if q else 1) * l["level"][i // per] for i, q in enumerate(code)]
        n["encoding"] = NAMES[encoding]


def read_ends(r, m):
    m["inputs"], m["outputs"] = [], []
    for _ in range(r.varint()):
        e = {"tensor": r.varint(), "image": r.u(1)}
        if e["image"]:
            e.update(zip(("resize", "filter", "order", "fill"), r.take(4)))
            e["scale"] = r.real()
            e["mean"] = [r.real() for _ in range(4)]
            e["std"] = [r.real() for _ in range(4)]
            e["m"] = [r.i(4) for _ in range(4)]
            e["b"] = [r.i(4) for _ in range(4)]
        m["inputs"].append(e)
    for _ in range(r.varint()):
        m["outputs"].append({"tensor": r.varint(), "role": r.text(), "params": r.text()})


def generated(t, seed):
    """Codes of a digest input that is not stored: a SplitMix64 stream."""
    count = t["h"] * t["w"] * t["c"]
    lowest, full, out = -(1 << (t["bits"] - 1)) if t["signed"] else 0, (1 << 64) - 1, []
    for _ in range(count):
        seed = (seed + 0x9E3779B97F4A7C15) & full
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & full
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & full
        out.append(lowest + ((z ^ (z >> 31)) >> 32) % (1 << t["bits"]))
    return out


def stored(t, r):
    size, count = (2 if t["bits"] > 8 else 1), t["h"] * t["w"] * t["c"]
    return [r.i(size) if t["signed"] else r.u(size) for _ in range(count)]


def read_digests(r, m):
    ends, images = [m["tensors"][e["tensor"]] for e in m["inputs"]], r.varint()
    if len(r.d) - r.p == images * len(m["nodes"]) * 4:
        m["digest_inputs"] = [[generated(t, i * len(ends) + j + 1) for j, t in enumerate(ends)]
                              for i in range(images)]
    else:
        m["digest_inputs"] = [[stored(t, r) for t in ends] for _ in range(images)]
    m["digests"] = [[r.u(4) for _ in m["nodes"]] for _ in range(images)]


def load(data):
    s, m = sections(data), {"digests": [], "digest_inputs": []}
    if ("QNT " in s) == ("QNTC" in s):
        raise Damaged("one of QNT and QNTC")
    for tag, read in (("NET ", read_net), ("QNT ", read_constants),
                      ("QNTC", read_coded_constants), ("IO  ", read_ends),
                      ("WGT ", read_weights), ("DIG ", read_digests)):
        if tag in s or tag not in ("QNT ", "QNTC", "DIG "):
            r = Reader(s[tag])
            read(r, m)
            if r.p != len(r.d):
                raise Damaged("bytes behind " + tag)
    m["classes"] = []
    if "CLS " in s:
        r = Reader(s["CLS "])
        m["classes"] = [r.text() for _ in range(r.varint())]
    m["meta"] = s.get("META", b"").decode("utf-8")
    m["sections"] = {k: len(v) for k, v in s.items()}
    return m


def crc_of(t, q):
    form = "<%d%s" % (len(q), ("h" if t["signed"] else "H") if t["bits"] > 8
                      else ("b" if t["signed"] else "B"))
    return zlib.crc32(struct.pack(form, *q))


def verify(m):
    for i, codes in enumerate(m["digest_inputs"]):
        tensors = [dict(t) for t in m["tensors"]]
        for e, q in zip(m["inputs"], codes):
            tensors[e["tensor"]]["q"] = q
        for j, n in enumerate(m["nodes"]):
            y = tensors[n["output"]]
            y["q"] = arith.run(n, [tensors[t] for t in n["inputs"]], y)
            if crc_of(y, y["q"]) != m["digests"][i][j]:
                return "input %d, layer '%s' differs" % (i, n["name"])
    return None


def main(argv):
    with open(argv[-1], "rb") as f:
        data = f.read()
    try:
        m = load(data)
    except (Damaged, IndexError, UnicodeDecodeError) as e:
        print("damaged: %s" % e)
        return 2
    if "--weights" in argv:
        for n in m["nodes"]:
            if n["op"] == "conv":
                v = n["value"]
                print(n["name"], len(v), "%08x" % zlib.crc32(struct.pack("<%dh" % len(v), *v)))
        return 0
    if "--verify" in argv:
        wrong = verify(m)
        print(wrong or "%d inputs, %d layers: equal" % (len(m["digests"]), len(m["nodes"])))
        return 1 if wrong else 0
    for k, v in m["sections"].items():
        print("section %s %d bytes" % (k, v))
    for n in m["nodes"]:
        y = m["tensors"][n["output"]]
        print("%-24s %-9s %dx%dx%d %s" % (n["name"], n["op"], y["h"], y["w"], y["c"],
                                          n.get("encoding", "")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["--help"]))
