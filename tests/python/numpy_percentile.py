"""Recomputes every int8 tensor of a native output with numpy and compares it bit by bit.

usage: python numpy_percentile.py SOURCE OUT
needs: torch (to read), safetensors, numpy (requirements.txt)

SOURCE is the checkpoint that was compressed, OUT what `emit ... as safetensors` wrote (folder or file). Covers `int8`
with `clip: minmax` and `clip: percentile(p)`, by tensor, channel and block, symmetric or not, scales of fp32 and fp16.
The rules are those at the top of kernels/src/format/int.rs, written down again here.

Exit code 1 when a scale, zero point or code differs, or when nothing was compared; pruned tensors are skipped by name.
"""

import sys

import numpy as np
import torch

from weights import original, stored

# Names of the native layout.
CODES, SCALES, ZERO_POINTS = "{}", "{}.scale", "{}.zero_point"
RECORDS = "icpc.tensors"


def groups_of(weight, record):
    """`weight` (f32) as [groups, elements], and how to bring codes of that form back into the tensor's."""
    match record["per"]:
        case "tensor":
            return weight.reshape(1, -1), lambda codes: codes.reshape(weight.shape)
        case "channel":
            moved = np.moveaxis(weight, record["axis"], 0)
            return moved.reshape(moved.shape[0], -1), lambda codes: np.moveaxis(codes.reshape(moved.shape), 0, record["axis"])
        case "block":
            return weight.reshape(-1, record["block"]), lambda codes: codes.reshape(weight.shape)


def limits_of(groups, record):
    """Largest magnitude that each group has to hold, f32."""
    magnitudes = np.abs(groups)
    if record["clip"] == "minmax":
        return magnitudes.max(axis=1)
    percent = record["percentile_billionths"] / 1e7
    return np.percentile(magnitudes.astype(np.float64), percent, axis=1, method="linear").astype(np.float32)


def quantise(groups, record):
    """Scales, zero points (None when symmetric) and codes."""
    limits = limits_of(groups, record)
    narrow = np.float16 if record["scale"] == "fp16" else np.float32
    if record["symmetric"]:
        scales = (limits / np.float32(127)).astype(narrow)
    else:
        low = np.minimum(np.maximum(groups.min(axis=1), -limits), 0)
        high = np.maximum(np.minimum(groups.max(axis=1), limits), 0)
        scales = ((high.astype(np.float64) - low) / 255).astype(np.float32).astype(narrow)
    wide = scales.astype(np.float32)
    divisors = np.where(wide == 0, np.float32(np.inf), wide)[:, None]
    steps = groups / divisors
    if record["symmetric"]:
        return scales, None, np.rint(np.clip(steps, -127, 127)).astype(np.int8)
    zeros = np.rint(np.clip(-low / divisors[:, 0], 0, 255)).astype(np.int32)
    codes = np.clip(np.rint(np.clip(steps, -512, 512)).astype(np.int32) + zeros[:, None], 0, 255)
    return scales, zeros.astype(np.uint8), codes.astype(np.uint8)


def compare(name, found, expected):
    """One sentence when bytes differ."""
    found = found.numpy().reshape(-1)
    expected = np.ascontiguousarray(expected).reshape(-1)
    if found.dtype != expected.dtype or found.size != expected.size:
        return f"`{name}`: {found.size} of {found.dtype}, numpy makes {expected.size} of {expected.dtype}"
    differ = np.flatnonzero(found.view(np.uint8).reshape(found.size, -1) != expected.view(np.uint8).reshape(found.size, -1))
    if differ.size:
        at = differ[0] // found.itemsize
        return f"`{name}`: {differ.size} bytes differ, the first at element {at}: {found[at]!r}, numpy makes {expected[at]!r}"
    return None


def main(source, out):
    weights = original(source)
    tensors, metadata = stored(out)
    problems, compared = [], 0
    for name, entry in metadata.get(RECORDS, {}).items():
        record = entry["format"]
        if record["name"] != "int8" or record["clip"] == "mse":
            continue
        weight = weights.get(name)
        if weight is None or list(weight.shape) != entry["shape"]:
            print(f"{name}: skipped, pruned")
            continue
        weight = weight.detach().to(torch.float32).numpy()
        groups, back = groups_of(weight, record)
        scales, zeros, codes = quantise(groups, record)
        parts = [(CODES, back(codes)), (SCALES, scales)] + ([] if zeros is None else [(ZERO_POINTS, zeros)])
        for key, expected in parts:
            problems.append(compare(key.format(name), tensors[key.format(name)], expected))
        clipped = int((np.abs(groups) > limits_of(groups, record)[:, None]).sum())
        print(f"{name}: {weight.size} codes, {scales.size} scales, {clipped} beyond the limit")
        compared += 1
    problems = [problem for problem in problems if problem]
    if not compared:
        problems.append("no int8 tensor to compare")
    print("\n".join(problems) or f"ok: {compared} tensors equal to the bit")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
