"""Takes turns between our inference and the peers'; called by peer_infer.sh.

peer_infer.py BENCH_DIR ROUNDS TEMP_DIR [torch=PEERS_DIR] [ncnn=PROGRAM] -- [NET...]

Every figure is milliseconds of CPU time of one image, the median of 7 slices; a ratio is
peer / ours of one round (above 1: ours is faster), and its median, lowest and highest.
"""
import copy
import statistics
import subprocess
import sys
import time
import warnings

SLICE = 0.04
NETS = {"mbv1-0.25-32": 32, "mbv1-0.25-224": 224, "tinydsc96": 96, "mbv1-1.0-224": 224,
        "mbv2-1.0-224": 224}


def slices(run):
    """Median ms of `run`, CPU time."""
    ms = []
    for _ in range(7):
        begin = time.process_time()
        count = 0
        while True:
            run()
            count += 1
            end = time.process_time()
            if end - begin >= SLICE:
                break
        ms.append(1e3 * (end - begin) / count)
    return statistics.median(ms)


def ours(bench, program, net, *more):
    out = subprocess.run([f"{bench}/{program}", "--cpu", "--seconds", str(SLICE), *more, net],
                         check=True, capture_output=True, text=True).stdout.split()
    return float(out[out.index("ms") + 1])


# ---- PyTorch ----


def torch_runs(folder, net):
    """Callables by name: traced and frozen float, 8 bits by the onednn engine."""
    sys.path.insert(0, folder)
    import models
    import torch
    from torch.ao.quantization import get_default_qconfig_mapping, quantize_fx

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    make = {"mbv1-0.25-32": lambda: models.MBV1(.25),
            "mbv1-0.25-224": lambda: models.MBV1(.25, 1000, True),
            "tinydsc96": models.TinyDSC,
            "mbv1-1.0-224": lambda: models.MBV1(1., 1000, True),
            "mbv2-1.0-224": lambda: models.MBV2(1000, True)}[net]
    m = make().eval()
    x = torch.randn(1, 3, NETS[net], NETS[net])
    last = x.contiguous(memory_format=torch.channels_last)
    traced = torch.jit.optimize_for_inference(torch.jit.trace(m, x))
    torch.backends.quantized.engine = "onednn"
    q = quantize_fx.prepare_fx(copy.deepcopy(m), get_default_qconfig_mapping("onednn"), (x,))
    with torch.no_grad():
        q(x)
    q = torch.jit.freeze(torch.jit.trace(quantize_fx.convert_fx(q), last))

    def runner(f, arg):
        def run():
            with torch.no_grad():
                f(arg)
        for _ in range(5):
            run()
        return lambda: slices(run)
    return {"torch-fp32": runner(traced, x), "torch-int8": runner(q, last)}


# ---- ncnn: a description of the same network ----


class Param:
    def __init__(self, side, int8):
        self.lines = [f"Input data 0 1 data 0={side} 1={side} 2=3"]
        self.blobs, self.int8, self.top, self.n = 1, int8, "data", 0

    def add(self, kind, ins, outs, text):
        self.n += 1
        self.blobs += len(outs)
        self.lines.append(f"{kind} l{self.n} {len(ins)} {len(outs)} {' '.join(ins + outs)} {text}")
        self.top = outs[0]

    def conv(self, i, o, k, s, g=1, act="9=1", to_int8=True):
        """act: 9=1 ReLU, 9=3 with bounds ReLU6; to_int8: the next layer takes 8 bits."""
        q = f" 8={(1 if g > 1 else 2) + (100 if to_int8 else 0)}" if self.int8 else ""
        self.add("ConvolutionDepthWise" if g > 1 else "Convolution", [self.top], [f"b{self.n}"],
                 f"0={o} 1={k} 3={s} 4={k // 2} 5=1 6={o * k * k * i // g}"
                 + (f" 7={g}" if g > 1 else "") + q + f" {act}")

    def text(self, channels, classes):
        self.add("Pooling", [self.top], ["pool"], "0=1 4=1")
        self.add("InnerProduct", ["pool"], ["output"], f"0={classes} 1=1 2={classes * channels}")
        return f"7767517\n{len(self.lines)} {self.blobs}\n" + "\n".join(self.lines) + "\n"


def separable(net, int8):
    side = NETS[net]
    if net == "tinydsc96":
        c, stride, classes = 16, 2, 10
        blocks = [(32, 1), (64, 2), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1), (128, 2)]
    else:
        w = float(net.split("-")[1])
        c, stride, classes = int(32 * w), 2 if side > 64 else 1, 1000 if side > 64 else 10
        blocks = [(int(o * w), s) for o, s in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1),
                                               (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]]
    p = Param(side, int8)
    p.conv(3, c, 3, stride)
    for i, (o, s) in enumerate(blocks):
        p.conv(c, c, 3, s, c)
        p.conv(c, o, 1, 1, to_int8=i + 1 < len(blocks))
        c = o
    return p.text(c, classes)


def inverted(net, int8):
    p = Param(NETS[net], int8)
    relu6 = "9=3 -23310=2,0.0,6.0"
    p.conv(3, 32, 3, 2, act=relu6)
    c = 32
    for t, o, n, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                            (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(n):
            s, joins = stride if i == 0 else 1, i > 0
            if joins:
                p.add("Split", [p.top], [f"s{p.n}", f"t{p.n}"], "")
                kept = p.lines[-1].split()[-1]
            if t > 1:
                p.conv(c, c * t, 1, 1, act=relu6)
            p.conv(c * t, c * t, 3, s, c * t, act=relu6)
            # what is added to, or split for it, stays float
            p.conv(c * t, o, 1, 1, act="9=0", to_int8=not joins and i + 1 == n)
            if joins:
                p.add("BinaryOp", [p.top, kept], [f"a{p.n}"], "0=0")
            c = o
    p.conv(c, 1280, 1, 1, act=relu6, to_int8=False)
    return p.text(1280, 1000)


def ncnn_runs(program, folder, net):
    runs = {}
    for name, int8 in (("ncnn-fp32", False), ("ncnn-int8", True)):
        path = f"{folder}/{net}-{name}.param"
        with open(path, "w", encoding="ascii") as f:
            f.write((inverted if net.startswith("mbv2") else separable)(net, int8))
        child = subprocess.Popen([program, path, str(NETS[net]), str(SLICE), "0"], text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def run(child=child):
            child.stdin.write("\n")
            child.stdin.flush()
            return float(child.stdout.readline())
        runs[name] = run
    return runs


# ---- turns ----


def ratio(name, mine, peers, figures, bar):
    """Against the peer with the lowest median."""
    best = min(peers, key=lambda p: statistics.median(figures[p]))
    r = sorted(b / a for a, b in zip(figures[mine], figures[best]))
    print(f"  {name}: {statistics.median(r):.2f} ({r[0]:.2f} .. {r[-1]:.2f}) against {best}"
          f", goal {bar}")


def measure(bench, rounds, folder, peers, net):
    runs = {"float": lambda: ours(bench, "bench_infer_float", net),
            "int": lambda: ours(bench, "bench_infer_int", net),
            "pruned": lambda: ours(bench, "bench_infer_int", net, "--density", "0.3")}
    if "ncnn" in peers:
        runs.update(ncnn_runs(peers["ncnn"], folder, net))
    if "torch" in peers:
        runs.update(torch_runs(peers["torch"], net))
    figures = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            figures[name].append(run())
    print(net, " ".join(f"{n} {statistics.median(v):.4f}" for n, v in figures.items()), "ms")
    theirs = [n for n in runs if "-" in n]
    ratio("float", "float", [n for n in theirs if n.endswith("fp32")], figures, ">= 1.0")
    ratio("integer", "int", [n for n in theirs if n != "torch-fp32"], figures,
          ">= 0.8" if "1.0" in net else ">= 1.0")
    ratio("pruned to 0.3 and quantised", "pruned", ["float"], figures, ">= 2")
    sys.stdout.flush()


def main():
    split = sys.argv.index("--")
    bench, rounds, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    peers = dict(p.split("=", 1) for p in sys.argv[4:split])
    for net in sys.argv[split + 1:] or NETS:
        if net not in NETS:
            sys.exit(f"peer_infer: no network '{net}'; there are: {' '.join(NETS)}")
        measure(bench, rounds, folder, peers, net)


if __name__ == "__main__":
    main()
