"""Recomputes a linear layer whose inputs and weight are int8, from the file that icpc wrote, bit by bit.

usage: python numpy_int8_products.py OUT LOGITS
needs: numpy, safetensors (requirements-numpy.txt)

OUT is an output with `table.weight`, `head.weight` and `head.bias`; LOGITS holds what icpc makes of the ids 0, 1, 2, ... as
little-endian f32. Exit code 1 when one of them is not `sum(q c) * (s * scale) + bias`, each step rounded to f32.
"""

import json
import sys

import numpy as np
from safetensors import safe_open

with safe_open(sys.argv[1] + "/model.safetensors", "np") as file:
    metadata = json.loads(file.metadata()["icpc.tensors"])["head.weight"]["format"]
    arrays = {key: file.get_tensor(key) for key in file.keys()}
x, codes = arrays["table.weight"], arrays["head.weight"].astype(np.int64)
scale = arrays["head.weight.scale"].reshape(-1)
if metadata["activations"] == "dynamic":
    steps = np.abs(x).max(axis=1, keepdims=True) / np.float32(127)
else:
    steps = np.full((x.shape[0], 1), arrays["head.weight.activation_scale"], np.float32)
assert steps.dtype == np.float32 and x.dtype == np.float32
# numpy's rint is to nearest, ties to even
q = np.clip(np.rint(x / np.where(steps == 0, np.float32(np.inf), steps)), -127, 127).astype(np.int64)
sums = (q @ codes.T).astype(np.float32)
expected = sums * (steps * scale[None, :]) + arrays["head.bias"][None, :]
found = np.fromfile(sys.argv[2], "<f4").reshape(expected.shape)
different = int((found.view(np.uint32) != expected.view(np.uint32)).sum())
print(f"{metadata['activations']}, per {metadata['per']}: {expected.size} results, {different} differ")
sys.exit(1 if different else 0)
