"""Small odd and hostile `.pt` files, with what PyTorch itself finds in them.

usage: python make_pt_fixtures.py OUT_DIR
needs: torch, numpy (requirements.txt)

Writes one file per case and `expected.json`, which says of every file:

    about      one sentence: what is odd about it
    made_by    "torch" (torch.save) or "hand" (assembled opcode by opcode)
    container  "zip", "legacy" or "other"
    outcome    "tensors"  a reader must find exactly `tensors`
               "refused"  a reader must refuse the file, and say why
               "either"   a reader may refuse it or find `tensors`; it may not panic, hang or find others
    weights_at path of the dict that holds the weights, segments joined with "." ("" is the top)
    tensors    in the order of the file; names are relative to `weights_at`, items of tuples and lists by number
    left_out   full paths of tensors outside of `weights_at` (optimizer state)
    entries    full paths of some values that are no tensors

and of every tensor: dtype, shape, strides and storage_offset in elements, `storage` (tensors with the same number
share bytes), storage_bytes, `alias_of` (first tensor with the same storage, offset, shape and strides, or null),
`values` (the first eight, in row-major order), `sha256` of all elements as row-major little-endian bytes, and
`quantized` where PyTorch says so (values and bytes are then the integer codes).

The tensors of files that torch.load reads are described by torch.load; of the others by hand, in the case itself.
Keys of storages in the older container are memory addresses, so those files change from run to run; `expected.json` does not.
"""

import hashlib
import json
import math
import sys
from pathlib import Path

import torch

import pt_fixtures_by_hand
import pt_fixtures_by_torch

# PyTorch's dtype -> (name in icpc, what it is stored as when that name does not say it all).
DTYPES = {
    torch.bool: ("bool", None), torch.uint8: ("u8", None), torch.int8: ("i8", None),
    torch.uint16: ("u16", None), torch.int16: ("i16", None), torch.uint32: ("u32", None),
    torch.int32: ("i32", None), torch.uint64: ("u64", None), torch.int64: ("i64", None),
    torch.float8_e4m3fn: ("f8_e4m3", None), torch.float8_e5m2: ("f8_e5m2", None),
    torch.float8_e4m3fnuz: ("u8", "float8_e4m3fnuz"), torch.float8_e5m2fnuz: ("u8", "float8_e5m2fnuz"),
    torch.float8_e8m0fnu: ("u8", "float8_e8m0fnu"),
    torch.float16: ("f16", None), torch.bfloat16: ("bf16", None), torch.float32: ("f32", None),
    torch.float64: ("f64", None), torch.complex64: ("c64", None), torch.complex128: ("u8", "complex128"),
    torch.qint8: ("i8", None), torch.quint8: ("u8", None), torch.qint32: ("i32", None),
}


def leaves(value, path=()):
    """(path, leaf) of everything below `value`, depth first."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, (list, tuple)) and any(isinstance(x, torch.Tensor) for _, x in flat(value)):
        for i, inner in enumerate(value):
            yield from leaves(inner, (*path, str(i)))
    else:
        yield path, value


def flat(value):
    """(None, leaf) of nested lists and tuples."""
    for item in value:
        if isinstance(item, (list, tuple)):
            yield from flat(item)
        else:
            yield None, item


def describe(named):
    """Descriptions of `named` tensors, in order."""
    storages, firsts, found = {}, {}, []
    for name, tensor in named:
        tensor = tensor.detach()
        storage = tensor.untyped_storage()
        number = storages.setdefault(storage._cdata, len(storages))
        dtype, stored_as = DTYPES[tensor.dtype]
        same = (number, tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), dtype)
        alias_of = firsts.setdefault(same, name) if tensor.numel() else name
        codes = tensor.int_repr() if tensor.is_quantized else tensor
        dense = codes.resolve_neg().resolve_conj().contiguous()
        first = dense.reshape(-1)[:8]
        if dense.is_complex():
            values = [[x.real, x.imag] for x in first.tolist()]
        elif dense.dtype.is_floating_point and dense.dtype != torch.float64:
            values = first.float().tolist()
        else:
            values = first.tolist()
        found.append({
            "name": name,
            "dtype": dtype,
            "stored_as": stored_as,
            "torch_dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            "strides": list(tensor.stride()),
            "storage_offset": tensor.storage_offset(),
            "contiguous": tensor.is_contiguous(),
            "storage": number,
            "storage_bytes": storage.nbytes(),
            "alias_of": None if alias_of == name else alias_of,
            "values": finite(values),
            "sha256": hashlib.sha256(dense.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest(),
            "quantized": quantized(tensor),
        })
    return found


def finite(values):
    """JSON has no NaN and no infinities: they become text."""
    if isinstance(values, list):
        return [finite(x) for x in values]
    return values if not isinstance(values, float) or math.isfinite(values) else str(values)


def quantized(tensor):
    if not tensor.is_quantized:
        return None
    if tensor.qscheme() == torch.per_tensor_affine:
        return {"scheme": "per_tensor_affine", "scales": [tensor.q_scale()],
                "zero_points": [tensor.q_zero_point()], "axis": None}
    return {"scheme": "per_channel_affine", "scales": tensor.q_per_channel_scales().tolist(),
            "zero_points": tensor.q_per_channel_zero_points().tolist(), "axis": tensor.q_per_channel_axis()}


def from_loaded(case, loaded):
    """What a reader must find in `loaded`."""
    weights = tuple(case["weights_at"].split(".")) if case["weights_at"] else ()
    tensors, left_out = [], []
    for path, leaf in leaves(loaded):
        if not isinstance(leaf, torch.Tensor):
            continue
        if path[: len(weights)] == weights:
            tensors.append((".".join(path[len(weights):]) if path else "tensor", leaf))
        else:
            left_out.append(".".join(path))
    return describe(tensors), left_out


def rendered(listing):
    """JSON with a line for each key of a file and for each tensor: a change shows as few lines."""
    def line(value):
        return json.dumps(value, allow_nan=False, ensure_ascii=False)

    files = []
    for file, entry in listing.items():
        keys = []
        for key, value in entry.items():
            if key == "tensors" and value:
                value = "[\n   " + ",\n   ".join(map(line, value)) + "\n  ]"
            else:
                value = line(value)
            keys.append(f"  {line(key)}: {value}")
        files.append(f" {line(file)}: {{\n" + ",\n".join(keys) + "\n }")
    return f'{{\n"torch": {line(torch.__version__)},\n"files": {{\n' + ",\n".join(files) + "\n}\n}\n"


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    listing = {}
    for made_by, cases in (("torch", pt_fixtures_by_torch.cases(out)), ("hand", pt_fixtures_by_hand.cases(out))):
        for case in cases:
            path = out / case["file"]
            entry = {"about": case["about"], "made_by": made_by, "container": case["container"],
                     "outcome": case["outcome"], "weights_at": case["weights_at"], "bytes": path.stat().st_size}
            if case["tensors"] == "load":
                loaded = torch.load(path, map_location="cpu", weights_only=False)
                entry["tensors"], entry["left_out"] = from_loaded(case, loaded)
            else:
                entry["tensors"], entry["left_out"] = describe(case["tensors"]), []
            entry["entries"] = case["entries"]
            listing[case["file"]] = entry
    (out / "expected.json").write_text(rendered(dict(sorted(listing.items()))))
    sizes = [entry["bytes"] for entry in listing.values()]
    print(f"{len(sizes)} files, {sum(sizes)} bytes, largest {max(sizes)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
