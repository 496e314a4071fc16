"""What a user of examples/dscq.py does: use.py NET.cfg FOLDER."""
import os
import sys

import numpy as np

import dscq

net_cfg, folder = sys.argv[1:]
module = os.path.abspath(dscq.__file__)
assert len(open(module).readlines()) <= 200, "dscq.py has grown beyond 200 lines"

net = dscq.Net(net_cfg, set=["train.epochs=1"])
assert net.info["params"] == 548 and net.info["width"] == 16, net.info
training = net.train()
assert training["epochs"] == 1 and training["images"] > 0, training
packed, result = net.compress()
assert result["images"] == 100 and result["file_bytes"] == packed.info["file_bytes"], result
packed.verify()
assert net.evaluate(packed=packed)["score"] == result["packed_score"]
assert net.evaluate()["score"] == result["float_score"]

# the file and the memory hold the same
path = os.path.join(folder, "packed.bin")
packed.write(path)
again = dscq.Packed(path)
assert again.info["sha256"] == packed.info["sha256"]

# arrays in, arrays out; right answers as often as the evaluation says
pictures = [net.picture(i) for i in range(100)]
x = np.stack([p for p, _ in pictures])
labels = np.array([label for _, label in pictures])
session = dscq.Session(again, threads=2)
y = session.run(x)
assert y.shape == (100, 1, 1, 4) and y.dtype == np.float32
right = np.mean(y.reshape(100, 4).argmax(1) == labels)
assert abs(right - result["packed_score"]) < 1e-9, (right, result)
portable = dscq.Session(again, kernels="portable").run(x)
assert np.array_equal(y, portable)
flat = session.run(np.zeros((3, 16, 16, 3), np.float32))
assert flat.shape == (3, 1, 1, 4) and np.array_equal(flat[0], flat[2])

machine = dscq.Machine("zcu104", set=["clock_mhz=100"])
sim = dscq.Simulation(again, machine, verify=1, frames=2)
info = sim.info
assert info["verified"] == 5 and info["frames"] == 2
assert info["energy_low_pj"] < info["energy_pj"] < info["energy_high_pj"]
layers = sim.table("layers")
assert sum(row["mac_done"] for row in layers) == sim.counter("mac_done")
assert sim.counter("mac_done", layer=1) == layers[1]["mac_done"]
assert {"section": "machine", "key": "clock_mhz", "value": "100"} in machine.table("settings")
again.export(os.path.join(folder, "packed.npz"), "npz")
assert any(name.endswith(".value") for name in np.load(os.path.join(folder, "packed.npz")))

for call, status in ((lambda: dscq.Net("missing.cfg"), "IO"),
                     (lambda: dscq.Net(net_cfg, set=["train.epoch=1"]), "FORMAT"),
                     (lambda: dscq.Machine("zcu105"), "IO"),
                     (lambda: sim.counter("mac"), "ARG")):
    try:
        call()
        sys.exit("no error where %s was due" % status)
    except dscq.Error as error:
        assert error.status == status and str(error), (error.status, str(error))
print("dscq.py and libdscq", dscq.version)
