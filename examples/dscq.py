"""dscq from Python: ctypes over libdscq, NumPy arrays in and out.

    import dscq
    net = dscq.Net("net.cfg", set=["train.epochs=2"])
    net.train()
    packed, result = net.compress()
    logits = dscq.Session(packed).run(x)  # uint8 [n, height, width, channels], or float32
    sim = dscq.Simulation(packed, dscq.Machine("zcu104"))
    print(sim.info["fps"], sim.counter("mac_done"), sim.table("layers")[0])

dscq.h says what everything means; a failure raises Error. $DSCQ_LIBRARY: where the library is.
"""
import ctypes as c
import os
import numpy as np

_lib = c.CDLL(os.environ.get("DSCQ_LIBRARY", "libdscq.so.0.1"))
for _result, _names in ((c.c_char_p, "version status_name qnet_class_name table_column_name table_text"),
                        (c.c_int64, "table_int"), (c.c_double, "table_real"), (c.c_char, "table_column_type"),
                        (c.c_size_t, "table_rows table_columns"), (c.c_void_p, "simulation_table")):
    for _name in _names.split():
        getattr(_lib, "dscq_" + _name).restype = _result
version = _lib.dscq_version().decode()

class Error(Exception):
    """status is the name of a dscq_status: "FORMAT", "IO", ..."""

def _c(value):
    """Texts and lists of texts as the library takes them."""
    if isinstance(value, (list, tuple)):
        return c.cast((c.c_char_p * len(value))(*map(_c, value)), c.c_void_p)
    return os.fspath(value).encode() if isinstance(value, (str, os.PathLike)) else value

def _call(name, *arguments):
    err = c.create_string_buffer(4 + 512)  # dscq_error: the status and a line of text
    status = getattr(_lib, "dscq_" + name)(*map(_c, arguments), err)
    if status != 0:
        error = Error(err[4:].split(b"\0")[0].decode(errors="replace"))
        error.status = _lib.dscq_status_name(status).decode()
        raise error

# The structs of dscq.h, behind their size; the letters are those of _TYPES, cN: N characters.
_STRUCTS = """
net_options set:p set_count:u weights:s recipe:s more:s events:p
work_options folder:s threads:i resume:i force:i reserved:i
compress_request work:p profile:s spare_test:i reserved:i
machine_options set:p set_count:u data_dir:s events:p
session_options kernels:s threads:i reserved:i
simulation_options input:p trace:s what_if:s events:p frames:i timing_only:i verify:i reserved:i
net_info params:u macs:u float_bytes:u width:i height:i channels:i layers:i outputs:i is_detector:i
training valid_score:d images:u peak_bytes:u epochs:I best_epoch:I stopped_early:i reserved:i
score images:u score:d low:d high:d top5:d loss:d
compression images:u float_score:d packed_score:d packed_low:d packed_high:d agreement:d sparsity:d float_bytes:u file_bytes:u
qnet_info file_bytes:u float_bytes:u weights:u nonzero:u value_bits:u position_bits:u codebook_bits:u constant_bits:u padding_bits:u \
header_bits:u entropy_bits:d nodes:i inputs:i outputs:i classes:i embedded:i sha256:c65 reserved:c3
map_info scale:d height:i width:i channels:i bits:i is_signed:i zero_point:i is_image:i reserved:i name:c64
simulation_info cycles:u frames:u fps:d latency_ms:d gops_dense:d gops_effective:d utilisation_frac:d dram_bytes:d energy_pj:d energy_low_pj:d \
energy_high_pj:d dynamic_pj:d static_pj:d dram_pj:d watt:d verified:i multipliers:i
"""
_TYPES = {"u": c.c_uint64, "d": c.c_double, "i": c.c_int32, "I": c.c_uint32, "s": c.c_char_p, "p": c.c_void_p}
_struct = {}
for _line in _STRUCTS.split("\n")[1:-1]:
    _name, *_fields = _line.split()
    _struct[_name] = type(_name, (c.Structure,), {"_fields_": [("size", c.c_size_t)] + [
        (n, _TYPES.get(k) or c.c_char * int(k[1:])) for n, k in (f.split(":") for f in _fields)]})

def _new(name, **given):
    return _struct[name](size=c.sizeof(_struct[name]), **{k: _c(v) for k, v in given.items()})

def _get(function, struct, *arguments, first=()):
    """What a function writes into a struct, as a dict."""
    out = _new(struct)
    _call(function, *first, c.byref(out), *arguments)
    values = {n: getattr(out, n) for n, _ in out._fields_[1:] if n != "reserved"}
    return {n: v.decode() if isinstance(v, bytes) else v for n, v in values.items()}

def _rows(table):
    """A dscq_table as a list of dicts."""
    read = {b"t": lambda *at: _lib.dscq_table_text(*at).decode(), b"i": _lib.dscq_table_int, b"r": _lib.dscq_table_real}
    columns = [(j, _lib.dscq_table_column_name(table, j).decode(), read[_lib.dscq_table_column_type(table, j)])
               for j in map(c.c_size_t, range(_lib.dscq_table_columns(table)))]
    rows = map(c.c_size_t, range(_lib.dscq_table_rows(table)))
    return [{name: get(table, i, j) for j, name, get in columns} for i in rows]

class _Object:
    """Owns one object of the library."""

    def _open(self, kind, function, *arguments):
        self._as_parameter_, self._kind = c.c_void_p(), kind
        _call(function, c.byref(self._as_parameter_), *arguments)

    def __del__(self):
        if getattr(self, "_as_parameter_", None):
            getattr(_lib, "dscq_" + self._kind + "_close")(self._as_parameter_)

    def table(self, name):
        out = c.c_void_p()
        _call(self._kind + "_table", c.byref(out), self, name)
        rows = _rows(out)
        _lib.dscq_table_close(out)
        return rows

    def export(self, path, format):
        _call(self._kind + "_export", self, format, path)

class Net(_Object):
    """A float network: a net.cfg, the folder of a run, an ONNX or TensorFlow Lite file."""

    def __init__(self, path, set=(), weights=None, recipe=None, more=None):
        o = _new("net_options", weights=weights, recipe=recipe, more=more, set=set, set_count=len(set))
        self._open("net", "net_open", path, c.byref(o))
        self.info = _get("net_describe", "net_info", self)

    def train(self, folder=None, **work):
        return _get("net_train", "training", self, c.byref(_new("work_options", folder=folder, **work)))

    def evaluate(self, part="test", packed=None):
        kind, *which = ("net", self) if packed is None else ("qnet", packed, self)
        return _get(kind + "_evaluate", "score", *which, part, None)

    def compress(self, folder=None, profile=None, **work):
        """(Packed, dict of results)"""
        packed, work = Packed.__new__(Packed), _new("work_options", folder=folder, **work)
        request = _new("compress_request", work=c.addressof(work), profile=profile)
        packed._kind, packed._as_parameter_ = "qnet", c.c_void_p()
        return packed, _get("net_compress", "compression", None, self, c.byref(request),
                            first=[c.byref(packed._as_parameter_)])

    def picture(self, index, part="test"):
        """(uint8 [height, width, channels], label)"""
        pixels, label = np.empty([self.info[k] for k in ("height", "width", "channels")], np.uint8), c.c_int32()
        _call("net_picture", pixels.ctypes, c.c_size_t(pixels.size), c.byref(label), self, part, c.c_size_t(index))
        return pixels, label.value

class Packed(_Object):
    """A network of integers."""

    def __init__(self, path):
        self._open("qnet", "qnet_open", path)

    @property
    def info(self):
        return _get("qnet_describe", "qnet_info", self)

    def shape(self, what="input", i=0):
        of = _get("qnet_" + what, "map_info", self, i)
        return of["height"], of["width"], of["channels"]

    def class_name(self, i):
        return _lib.dscq_qnet_class_name(self, i).decode()

    def verify(self):
        _call("qnet_verify", self)

    def write(self, path, profile=None):
        _call("qnet_write", self, path, profile)

class Session(_Object):
    """Runs a Packed, to the bit as the file says."""

    def __init__(self, packed, threads=0, kernels=None):
        self.packed = packed
        self._open("session", "session_open", packed, c.byref(_new("session_options", threads=threads, kernels=kernels)))

    def run(self, *x):
        """An array for each input, uint8 pixels or real values; the first output."""
        x = [np.ascontiguousarray(a, np.uint8 if a.dtype == np.uint8 else np.float32) for a in x]
        want = [self.packed.shape("input", i) for i in range(self.packed.info["inputs"])]
        if [a.shape[1:] for a in x] != want or len({len(a) for a in x}) != 1:
            raise ValueError("want one array n x (height, width, channels) for each of %s" % want)
        if x[0].dtype == np.uint8:
            _call("session_run_pixels", self, len(x[0]), x[0].ctypes)
        else:
            _call("session_run_floats", self, len(x[0]), (c.c_void_p * len(x))(*[a.ctypes.data for a in x]))
        self.count = len(x[0])
        return self.output(0)

    def output(self, i):
        y = np.empty((self.count, *self.packed.shape("output", i)), np.float32)
        _call("session_output", y.ctypes, c.c_size_t(y.size), self, i)
        return y

class Machine(_Object):
    def __init__(self, name="zcu104", set=(), data_dir=None):
        o = _new("machine_options", data_dir=data_dir, set=set, set_count=len(set))
        self._open("machine", "machine_open", name, c.byref(o))

class Simulation(_Object):
    def __init__(self, packed, machine, **options):
        self._open("simulation", "simulate", packed, machine, c.byref(_new("simulation_options", **options)))
        self.info = _get("simulation_describe", "simulation_info", self)

    def counter(self, name, layer=-1):
        value = c.c_uint64()
        _call("simulation_counter", c.byref(value), self, name, layer)
        return value.value

    def table(self, name):
        table = _lib.dscq_simulation_table(self, name.encode())
        return _rows(c.c_void_p(table)) if table else []
