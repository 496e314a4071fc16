#!/usr/bin/env python3
"""A second decoder of packed networks, written from docs/format.md alone. Python 3,
standard library only; shares no code with the C program.

    dscq_decode.py FILE             list sections, tensors, nodes
    dscq_decode.py --verify FILE    also execute the embedded inputs (arith.py) and
                                    compare every node's CRC-32; exit code 1 on a
                                    difference, 2 on a damaged file
    dscq_decode.py --weights FILE   one line a layer: name, count, CRC-32 of its values
                                    as little-endian int16
    dscq_decode.py --check FILE...  one line a file: "ok", or "damaged" and why; all that the
                                    document says of a file is demanded
"""
import math
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


# docs/format.md section 3
FILE, SECTIONS, SIDE, CHANNELS, ELEMENTS = 1 << 30, 64, 16384, 1 << 20, 1 << 28
TENSORS, NODES, NODE_INPUTS, ENDS, IMAGE_CHANNELS, FACTOR = 4096, 4096, 16, 64, 4, 256
POOL_SIDES, ENTRIES, TABLE, CLASSES, DIGESTS, META = 64, 4096, 256, 65536, 64, 1 << 20
NAME, NETWORK_NAME, ROLE, SETTINGS, RESIZE, FILTER, ORDER = 63, 127, 31, 511, 2, 4, 2
SECTION_LIST = [("NET ", 1), ("QNT ", 1), ("QNTC", 1), ("IO  ", 1), ("CLS ", 0), ("META", 0),
                ("WGT ", 1), ("DIG ", 0)]


class Damaged(Exception):
    pass


def demand(is_so, what):
    if not is_so:
        raise Damaged(what)


def characters(raw, most, lines=False):
    demand(len(raw) <= most, "a text of %d bytes" % len(raw))
    text = raw.decode("utf-8")  # strict: shortest forms, no surrogates
    for c in text:
        demand(not (ord(c) < 32 or 127 <= ord(c) < 160) or (lines and c == "\n"),
               "control character %r" % c)
    return text


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

    def varint(self, lo=0, hi=(1 << 64) - 1):
        v = shift = 0
        while True:
            b = self.u(1)
            v |= (b & 127) << shift
            if b < 128:
                break
            shift += 7
            demand(shift < 70, "a varint of more than 10 bytes")
        demand(b > 0 or shift == 0, "a varint that is not the shortest")
        demand(lo <= v <= hi, "%d outside %d..%d" % (v, lo, hi))
        return v

    def zigzag(self):
        v = self.varint()
        return -(v >> 1) - 1 if v & 1 else v >> 1

    def real(self):
        return struct.unpack("<d", self.take(8))[0]

    def text(self, most, least=0, lines=False):
        return characters(self.take(self.varint(least, most)), most, lines)

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

    def done(self):
        demand(self.n - self.p < 8 and self.v >> self.p == 0, "a rest behind the bits")


def bytes_of(bits):
    return (bits + 7) // 8


# ---- weight encodings: docs/format.md section 6 -------------------------------------

def dec_dense(n, l, arg, r):
    b = Bits(r.rest())
    code = [b.get(l["bits"]) for _ in range(n)]
    b.done()
    return code


def dec_bitmap(n, l, arg, r):
    m = Bits(r.take(bytes_of(n)))
    mask = [m.get(1) for _ in range(n)]
    m.done()
    b = Bits(r.rest())
    code = [b.get(l["bits"]) if x else 0 for x in mask]
    b.done()
    demand(all(v != 0 for v, x in zip(code, mask) if x), "code 0 under a 1")
    return code


def gap_pairs(places, code, pairs, g):
    """Pairs along `places`, the indices of the weights in order."""
    at, v = 0, 1
    for gap, v in pairs:
        at += gap
        demand(at < len(places) and (v != 0 or gap == (1 << g) - 1), "a pair")
        code[places[at]] = v
        at += 1
    demand(v != 0, "a filler at the end")
    return code


def dec_gap(n, l, g, r):
    data = r.rest()
    b, w, pairs = Bits(data), g + l["bits"], []
    left = len(data) * 8
    while left >= w:
        gap, v = b.get(g), b.get(l["bits"])
        if gap == 0 and v == 0 and left < 8:
            break
        pairs.append((gap, v))
        left -= w
    b.done()
    return gap_pairs(range(n), [0] * n, pairs, g)


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
    demand(count <= kernels, "more patterns than kernels")
    b = Bits(r.take(bytes_of(count * taps)))
    table = [b.get(taps) for _ in range(count)]
    b.done()
    demand(all(x < y for x, y in zip(table, table[1:])), "patterns do not ascend")
    w = bits_for(count)
    b = Bits(r.take(bytes_of(kernels * w)))
    index = [b.get(w) for _ in range(kernels)]
    b.done()
    b, code = Bits(r.rest()), [0] * n
    for i in range(kernels):
        demand(index[i] < count, "no such pattern")
        for t, at in enumerate(kernel_taps(l, i)):
            if table[index[i]] >> t & 1:
                code[at] = b.get(l["bits"])
                demand(code[at] != 0, "code 0 in a pattern")
    b.done()
    return code


def dec_lanes(n, l, arg, r):
    lanes, g = arg & 0xffff, arg >> 16
    demand(1 <= lanes <= 1024 and 1 <= g <= 12, "lanes")
    count = [r.u(4) for _ in range(lanes)]
    b, code, per = Bits(r.rest()), [0] * n, n // l["k"]
    for lane in range(lanes):
        order = [k * per + j for j in range(per) for k in range(lane, l["k"], lanes)]
        pairs = []
        for _ in range(count[lane]):
            gap = b.get(g)
            pairs.append((gap, b.get(l["bits"])))
        gap_pairs(order, code, pairs, g)
    b.done()
    return code


def dec_zhang_conv(n, l, arg, r):
    code = [0] * n
    for i in range(l["k"] * l["c"]):
        taps, last = kernel_taps(l, i), -1
        for _ in range(r.u(1)):
            v, at = r.u(1), r.u(1)
            t = (at >> 4) * l["s"] + (at & 15)
            demand(0 < v < 1 << l["bits"] and (at & 15) < l["s"] and last < t < len(taps),
                   "a kernel's weight")
            code[taps[t]], last = v, t
    return code


def dec_zhang_fc(n, l, arg, r):
    pairs = []
    while r.p < len(r.d):
        e = r.u(2)
        pairs.append((e >> 8, e & 255))
        demand(e & 255 < 1 << l["bits"], "a code wider than the layer's")
    return gap_pairs(range(n), [0] * n, pairs, 8)


def dec_binary(n, l, arg, r):
    per = n // l["k"]
    blocks = -(-per // l["block"])
    b = Bits(r.take(bytes_of(blocks * l["k"])))
    l["high"] = [b.get(1) for _ in range(blocks * l["k"])]
    b.done()
    b = Bits(r.rest())
    code = [b.get(8 if l["high"][i // per * blocks + i % per // l["block"]] else 1)
            for i in range(n)]
    b.done()
    return code


def canonical(lens):
    """(length, code as read first bit first) -> symbol"""
    used = [x for x in lens if x > 0]
    demand(not used or sum(1 << (15 - x) for x in used) == 1 << 15 or used == [1],
           "lengths that are no code")
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
    b.done()
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
    b.done()
    return gap_pairs(range(n), [0] * n, pairs, g)


def dec_rans(n, l, arg, r):
    freq = [r.varint(0, 1 << 14) for _ in range(1 << l["bits"])]
    demand(sum(freq) == 1 << 14, "frequencies")
    slot, start = [], []
    for s, f in enumerate(freq):
        start.append(len(slot))
        slot += [s] * f
    x, code, data = [r.u(4), r.u(4)], [], r.rest()
    demand(all(1 << 23 <= v < 1 << 31 for v in x), "a state")
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
        demand(self.p <= len(self.d) + 8, "an arithmetic-coded stream that ends")
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
            demand(top[s] > 0, "a code other than 0 where there is none")
            ctx = ((last > 1) + (last > 2)) * 2 + up
            rank = 1
            if top[s] > 1 and d.bin(gt1[ctx]):
                rank = 2
                if top[s] > 2 and d.bin(gt2[ctx]):
                    rank = 3
                    if top[s] > 3:
                        rank += rest(d, tree[int(ctx > 3)], top[s] - 3)
            demand(rank <= top[s], "a rank above the last")
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
    demand(data[:8] == b"\x89DSCQ\r\n\x1a" and 32 <= len(data) <= FILE, "magic")
    major, minor, count, size, table_crc, head_crc = struct.unpack("<HHIQII", data[8:32])
    demand(zlib.crc32(data[:28]) == head_crc and size == len(data) and major == 1, "header")
    demand(count <= SECTIONS and 32 + 24 * count <= len(data), "number of sections")
    demand(zlib.crc32(data[32:32 + 24 * count]) == table_crc, "section table")
    at, out, last, names = 32 + 24 * count, {}, -1, [t for t, _ in SECTION_LIST]
    for i in range(count):
        tag, flags, n, crc, zero = struct.unpack("<4sIQII", data[32 + 24 * i:56 + 24 * i])
        body = data[at:at + n]
        at += n
        demand(all(32 <= c < 127 for c in tag) and flags < 2 and zero == 0, "section table")
        demand(zlib.crc32(body) == crc and len(body) == n, "section %r" % tag)
        tag = tag.decode()
        if tag not in names:
            demand(flags == 0, "a required section that nobody knows")
            continue
        where = names.index(tag)
        demand(where > last and flags == SECTION_LIST[where][1] and (n or flags),
               "place, flag or emptiness of " + tag)
        out[tag], last = body, where
    demand(at == len(data), "length")
    demand(("QNT " in out) != ("QNTC" in out), "one of QNT and QNTC")
    demand(all(t in out for t in ("NET ", "IO  ", "WGT ")), "a section is missing")
    return out


def read_net(r, m):
    m["name"], m["float_bytes"] = r.text(NETWORK_NAME), r.varint()
    m["tensors"] = []
    for _ in range(r.varint(2, TENSORS)):
        t = {"name": r.text(NAME, 1), "h": r.varint(1, SIDE), "w": r.varint(1, SIDE),
             "c": r.varint(1, CHANNELS)}
        kind = r.u(1)
        t["bits"], t["signed"], t["zero"] = kind & 127, kind >> 7, r.zigzag()
        t["scale"] = r.real()
        demand(t["h"] * t["w"] * t["c"] <= ELEMENTS and 4 <= t["bits"] <= 16, "a tensor")
        demand(arith.lo(t) <= t["zero"] <= arith.hi(t), "a zero point")
        demand(0 < t["scale"] < math.inf, "a scale")
        m["tensors"].append(t)
    tensors = len(m["tensors"])
    m["nodes"] = []
    for _ in range(r.varint(1, NODES)):
        op = r.u(1)
        demand(op < len(OPS), "an operation that nobody knows")
        n = {"op": OPS[op], "name": r.text(NAME)}
        n["inputs"] = [r.varint(0, tensors - 1) for _ in range(r.varint(1, NODE_INPUTS))]
        n["output"] = r.varint(0, tensors - 1)
        own = m["tensors"][n["output"]]["name"]
        demand(n["name"] != own, "a name that goes without saying")
        n["name"] = n["name"] or own
        for name, ops, signed in FIELDS:
            if n["op"] in ops.split():
                n[name] = r.zigzag() if signed else r.varint()
        if n["op"] == "conv":
            n["r"], n["s"] = r.varint(1, SIDE), r.varint(1, SIDE)
            n["k"] = m["tensors"][n["output"]]["c"]
            c = m["tensors"][n["inputs"][0]]["c"]
            demand(n["groups"] > 0 and c % n["groups"] == 0, "groups")
            n["c"] = c // n["groups"]
        m["nodes"].append(n)


def read_constants(r, m):
    for n in m["nodes"]:
        count = r.varint()
        n["mult"] = struct.unpack("<%dh" % count, r.take(2 * count))
        n["shift"] = list(r.take(count))
        if n["op"] == "conv":
            n["bias"] = [r.i(3) for _ in range(count)]
        if n["op"] == "avgpool":
            n["keys"] = [r.varint() for _ in range(count)]
        y = m["tensors"][n["output"]]
        size = 2 if n["op"] == "lrn" or y["bits"] > 8 else 1
        signed = n["op"] != "lrn" and y["signed"]
        n["table"] = [r.i(size) if signed else r.u(size) for _ in range(r.varint(0, TABLE))]


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
            v = (d.even(16) ^ 32768) - 32768
            demand(v == -32768 or 0 < abs(v) < 1 << 14, "a multiplier that has another code")
            return v
        sign = d.bin(negative)
        v = 1 << 14 | d.tree(mantissa[s & 3], 3) << 11
        v |= d.even(11)
        return -v if sign else v

    budget = (1 << 20) + 4096 * m["bytes"]
    for n in m["nodes"]:
        conv, pool = n["op"] == "conv", n["op"] == "avgpool"
        kind = 2 if not conv else int(n["c"] != 1)
        n["mult"], n["shift"], n["bias"], n["keys"], n["table"] = [], [], [], [], []
        entries_here = count.get(d)
        demand(entries_here == n["k"] if conv else entries_here <= ENTRIES, "scale entries")
        budget -= entries_here if conv else 0
        demand(budget >= 0, "too many channels")
        for _ in range(entries_here):
            n["shift"].append(d.tree(shift[kind], 8))
            n["mult"].append(mult(n["shift"][-1]))
            if conv:
                n["bias"].append(bias[kind].signed(d, below))
            if pool:
                n["keys"].append(key.get(d))
        last, t = 0, entries.get(d)
        demand(t <= TABLE, "table entries")
        for _ in range(t):
            last += step.signed(d, below)
            n["table"].append(last)
    d.done()


def fits(encoding, l):
    """May the encoding hold such a layer? docs/format.md section 6"""
    taps = l["r"] * l["s"]
    if (l["form"] == 2) != (encoding == 7):
        return False
    if encoding == 3:
        return 2 <= taps <= 64
    if encoding == 5:
        return l["bits"] <= 8 and l["r"] <= 16 and l["s"] <= 16 and taps < 256
    return l["bits"] <= 8 or encoding not in (6, 8, 9)


ARGUMENTS = {2: (1, 16), 4: (1, 1024 + 65536 * 12), 8: (1, 8), 10: (0, 1)}


def read_weights(r, m):
    """The records; the payloads are decoded once the graph is known to be right."""
    budget = (1 << 20) + 4096 * m["bytes"]
    for n in m["nodes"]:
        if n["op"] != "conv":
            continue
        l = {"k": n["k"], "r": n["r"], "s": n["s"], "c": n["c"]}
        encoding, l["form"], l["bits"] = r.u(1), r.u(1), r.u(1)
        demand(encoding < len(DECODERS) and l["form"] <= 2, "an encoding that nobody knows")
        demand(l["bits"] in (range(1, 9) if l["form"] == 0 else (1,) if l["form"] == 2 else
                             (1, 2, 3, 4, 5, 6, 7, 8, 16)), "bits of a code")
        arg = r.varint(*ARGUMENTS.get(encoding, (0, 0)))
        count = n["k"] * n["r"] * n["s"] * n["c"]
        budget -= count
        demand(count <= ELEMENTS and budget >= 0 and fits(encoding, l), "weights")
        if l["form"] == 0:
            entries, size = r.varint(1, 1 << l["bits"]), r.u(1)
            demand(size in (1, 2), "bytes of a codebook entry")
            l["codebook"] = [0] + [r.i(size) for _ in range(entries - 1)]
            demand(len(set(l["codebook"])) == entries, "two equal codebook entries")
            wide = any(not -128 <= v <= 127 for v in l["codebook"])
            demand(wide == (size == 2), "bytes of a codebook entry")
        if l["form"] == 2:
            l["block"] = r.varint(1, ELEMENTS)
            l["level"] = [r.u(2) for _ in range(n["k"])]
            demand(all(1 <= v <= 32767 for v in l["level"]), "a level")
        n["packed"] = (encoding, count, l, arg, r.take(r.varint()))


def decode_weights(n):
    encoding, count, l, arg, data = n["packed"]
    r = Reader(data)
    code = DECODERS[encoding](count, l, arg, r)
    demand(r.p == len(data), "bytes behind a payload")
    half = 1 << (l["bits"] - 1)
    if l["form"] == 0:
        demand(all(q < len(l["codebook"]) for q in code), "a code outside the codebook")
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
    last = len(m["tensors"]) - 1
    for _ in range(r.varint(1, ENDS)):
        e = {"tensor": r.varint(0, last), "image": r.u(1)}
        demand(e["image"] < 2, "kind of an input")
        if e["image"]:
            e.update(zip(("resize", "filter", "order", "fill"), r.take(4)))
            e["scale"] = r.real()
            e["mean"] = [r.real() for _ in range(4)]
            e["std"] = [r.real() for _ in range(4)]
            e["m"] = [r.i(4) for _ in range(4)]
            e["b"] = [r.i(4) for _ in range(4)]
            demand(m["tensors"][e["tensor"]]["c"] <= IMAGE_CHANNELS, "channels of an image")
            demand(e["resize"] <= RESIZE and e["filter"] <= FILTER and e["order"] <= ORDER,
                   "preprocessing")
            demand(all(map(math.isfinite, [e["scale"]] + e["mean"] + e["std"])), "mean")
        m["inputs"].append(e)
    for _ in range(r.varint(1, ENDS)):
        m["outputs"].append({"tensor": r.varint(0, last), "role": r.text(ROLE, 1),
                             "params": r.text(SETTINGS, lines=True)})


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
    demand(count * size <= len(r.d) - r.p, "length of the digests")
    q = [r.i(size) if t["signed"] else r.u(size) for _ in range(count)]
    demand(all(arith.lo(t) <= v <= arith.hi(t) for v in q), "a digest input's code")
    return q


def read_digests(r, m):
    ends, images = [m["tensors"][e["tensor"]] for e in m["inputs"]], r.varint(1, DIGESTS)
    if len(r.d) - r.p == images * len(m["nodes"]) * 4:
        m["digest_inputs"] = [[generated(t, i * len(ends) + j + 1) for j, t in enumerate(ends)]
                              for i in range(images)]
    else:
        m["digest_inputs"] = [[stored(t, r) for t in ends] for _ in range(images)]
    m["digests"] = [[r.u(4) for _ in m["nodes"]] for _ in range(images)]


# ---- what an operation demands: docs/format.md section 4.6 ----------------------------

def reach(t):
    return max(arith.hi(t) - t["zero"], t["zero"] - arith.lo(t))


def windows(n, k, stride, pads, dilation=1):
    room = n + pads - (dilation * (k - 1) + 1)
    return room // stride + 1 if room >= 0 else 0


def same_codes(x, y):
    demand(all(x[f] == y[f] for f in ("bits", "signed", "zero")), "codes of other kinds")


def spans(n, k, stride, before, out):
    """Different sizes of a window's part on the map."""
    return {min(o * stride - before + k, n) - max(o * stride - before, 0) for o in range(out)}


def check_pool(n, x, y):
    demand(max(n["kernel_h"], n["kernel_w"]) <= SIDE and
           (n["kernel_h"] == 0) == (n["kernel_w"] == 0), "a window")
    kh, kw = n["kernel_h"] or x["h"], n["kernel_w"] or x["w"]
    demand((y["h"], y["w"], y["c"]) ==
           (windows(x["h"], kh, n["stride_h"], n["pad_top"] + n["pad_bottom"]),
            windows(x["w"], kw, n["stride_w"], n["pad_left"] + n["pad_right"]), x["c"]),
           "the shape of a pool")
    demand(kh > n["pad_top"] and kw > n["pad_left"] and
           (y["h"] - 1) * n["stride_h"] - n["pad_top"] < x["h"] and
           (y["w"] - 1) * n["stride_w"] - n["pad_left"] < x["w"], "a window of padding alone")
    return kh, kw


def check_node(n, ins, y):
    op, x, size = n["op"], ins[0], (y["h"], y["w"], y["c"])
    for f in ("stride_h", "stride_w", "dilation_h", "dilation_w"):
        demand(1 <= n.get(f, 1) <= SIDE, f)
    for f in ("pad_top", "pad_left", "pad_bottom", "pad_right"):
        demand(n.get(f, 0) <= SIDE, f)
    demand(1 <= n.get("factor", 1) <= FACTOR, "factor")
    demand(n.get("count_include_pad", 0) < 2 and n.get("is_leaky", 0) < 2, "a flag")
    demand(n.get("slope_q15", 0) <= 1 << 15, "slope")
    if "clamp_lo" in n:
        demand(arith.lo(y) <= n["clamp_lo"] <= n["clamp_hi"] <= arith.hi(y), "clamp")
    many = {"add": (2, NODE_INPUTS), "mul": (2, 2), "concat": (1, NODE_INPUTS)}
    least, most = many.get(op, (1, 1))
    demand(least <= len(ins) <= most, "number of inputs")
    entries, table = 0, 0
    if op == "conv":
        demand(n["k"] % n["groups"] == 0, "groups")
        want = (windows(x["h"], n["r"], n["stride_h"], n["pad_top"] + n["pad_bottom"],
                        n["dilation_h"]),
                windows(x["w"], n["s"], n["stride_w"], n["pad_left"] + n["pad_right"],
                        n["dilation_w"]), n["k"])
        demand(size == want, "the shape of a convolution")
        demand(all(-(1 << 23) <= b < 1 << 23 for b in n["bias"]), "bias")
        entries = n["k"]
    elif op == "add":
        demand(all((t["h"], t["w"], t["c"]) == size for t in ins), "the shape of a sum")
        demand(len(set(n["shift"])) <= 1, "shifts of a sum")
        entries = len(ins)
    elif op == "mul":
        shape = (ins[1]["h"], ins[1]["w"], ins[1]["c"])
        demand((x["h"], x["w"], x["c"]) == size and shape in (size, (1, 1, x["c"])),
               "the shape of a product")
        entries = 1
    elif op in ("concat", "rescale"):
        demand(all((t["h"], t["w"]) == size[:2] for t in ins) and
               sum(t["c"] for t in ins) == y["c"], "the shape of a join")
        entries = len(ins)
    elif op in ("maxpool", "avgpool"):
        kh, kw = check_pool(n, x, y)
        if op == "maxpool":
            same_codes(x, y)
        else:
            demand(kh * kw * reach(x) < 1 << 31, "a sum that overflows")
            rows = spans(x["h"], kh, n["stride_h"], n["pad_top"], y["h"])
            columns = spans(x["w"], kw, n["stride_w"], n["pad_left"], y["w"])
            keys = sorted({a * b for a in rows for b in columns})
            if n["count_include_pad"]:
                keys = [kh * kw]
            else:
                demand(max(len(rows), len(columns)) <= POOL_SIDES, "too many window sizes")
            demand(n["keys"] == keys, "keys")
            entries = len(keys)
    elif op == "upsample":
        demand(size == (x["h"] * n["factor"], x["w"] * n["factor"], x["c"]), "shape")
    elif op == "reorg":
        f = n["factor"]
        demand(size == (x["h"] / f, x["w"] / f, x["c"] * f * f), "shape")
    elif op == "slice":
        demand(size[:2] == (x["h"], x["w"]) and n["first"] + y["c"] <= x["c"], "shape")
    elif op == "pad":
        demand(size == (x["h"] + n["pad_top"] + n["pad_bottom"],
                        x["w"] + n["pad_left"] + n["pad_right"], x["c"]), "shape")
    elif op == "lut":
        demand(size == (x["h"], x["w"], x["c"]) and x["bits"] <= 8, "shape")
        table = 1 << x["bits"]
        demand(all(arith.lo(y) <= v <= arith.hi(y) for v in n["table"]), "a table's entry")
    elif op == "lrn":
        most = min(n["first"], x["c"]) * reach(x) ** 2
        demand(size == (x["h"], x["w"], x["c"]) and 1 <= n["first"] <= 2 * x["c"] + 1 and
               most < 1 << 32, "lrn")
        demand(all(0 <= v < 1 << 16 for v in n["table"]), "a table's entry")
        demand(list(n["mult"]) == [0], "lrn has no m")
        entries, table = 1, arith.lrn_index(most) + 1
    if op in ("upsample", "reorg", "slice", "pad"):
        same_codes(x, y)
    demand(len(n["mult"]) == entries, "number of scale entries")
    demand(len(n["table"]) == table, "number of table entries")
    for i, (v, r) in enumerate(zip(n["mult"], n["shift"])):
        if op in ("concat", "rescale") and v == 0 and r == 255:
            same_codes(ins[i], y)
            continue
        demand(abs(v) < 1 << 15 and r <= 47, "a scale entry")
        demand(op not in ("conv", "avgpool") or
               (abs(v) >= 1 << 14 if v else r == 0), "a scale entry that is not normal")


def check_network(m):
    made = set()
    for e in m["inputs"]:
        demand(e["tensor"] not in made, "a tensor that is an input twice")
        made.add(e["tensor"])
    for n in m["nodes"]:
        demand(all(t in made for t in n["inputs"]), "a node reads what nobody made")
        demand(n["output"] not in made, "a tensor that is made twice")
        check_node(n, [m["tensors"][t] for t in n["inputs"]], m["tensors"][n["output"]])
        made.add(n["output"])
    demand(len(made) == len(m["tensors"]), "a tensor that nobody makes")
    demand(len({n["name"] for n in m["nodes"]}) == len(m["nodes"]), "two nodes of a name")
    for n in m["nodes"]:
        if n["op"] == "conv":
            decode_weights(n)
            per, far = len(n["value"]) // n["k"], reach(m["tensors"][n["inputs"][0]])
            for k in range(n["k"]):
                demand(far * sum(map(abs, n["value"][k * per:(k + 1) * per])) < 1 << 31,
                       "an accumulator that overflows")


def read_classes(r, m):
    m["classes"] = [r.text(NAME, 1) for _ in range(r.varint(1, CLASSES))]


def load(data):
    s = sections(data)
    m = {"digests": [], "digest_inputs": [], "classes": [], "bytes": len(data)}
    for tag, read in (("NET ", read_net), ("QNT ", read_constants),
                      ("QNTC", read_coded_constants), ("IO  ", read_ends),
                      ("CLS ", read_classes), ("WGT ", read_weights),
                      ("DIG ", read_digests)):
        if tag in s:
            r = Reader(s[tag])
            read(r, m)
            demand(r.p == len(r.d), "bytes behind " + tag)
    m["meta"] = characters(s.get("META", b""), META, lines=True)
    m["sections"] = {k: len(v) for k, v in s.items()}
    check_network(m)
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


def check(paths):
    for path in paths:
        with open(path, "rb") as f:
            data = f.read()
        try:
            load(data)
            print("ok")
        except (Damaged, UnicodeDecodeError) as e:
            print("damaged: %s" % e)
    return 0


def main(argv):
    if argv[0] == "--check":
        return check(argv[1:])
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
