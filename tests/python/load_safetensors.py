"""Loads a file that icpc wrote with the safetensors library, and checks its header by hand.

usage: python load_safetensors.py FILE_OR_FOLDER...
needs: torch, safetensors (requirements.txt)

Prints name, dtype, shape and bytes of every tensor. Exit code 1 when the library refuses the file, when tensors
overlap or leave a gap, when the last one does not end with the file, or when the library finds another dtype or shape.
"""

import json
import struct
import sys

from weights import files_of, stored

DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F16": "float16",
    "BF16": "bfloat16", "F32": "float32", "F64": "float64", "C64": "complex64",
}


def unique(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), "a name is in the header twice"
    return dict(pairs)


def header_of(file):
    """The header, and the number of bytes behind it."""
    with open(file, "rb") as opened:
        length = struct.unpack("<Q", opened.read(8))[0]
        header = json.loads(opened.read(length), object_pairs_hook=unique)
    return header, file.stat().st_size - 8 - length


def check(file):
    """Problems of one file, after printing what is in it."""
    problems = []
    header, size = header_of(file)
    metadata = header.pop("__metadata__", {})
    loaded, _ = stored(file)
    if list(sorted(loaded)) != sorted(header):
        problems.append("the library finds other names than the header")
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, stop = entry["data_offsets"]
        if begin != end:
            problems.append(f"`{name}` begins at {begin}, {'a gap' if begin > end else 'an overlap'} behind {end}")
        end = max(end, stop)
        tensor = loaded.get(name)
        if tensor is None:
            continue
        found = str(tensor.dtype).removeprefix("torch.")
        if found != DTYPES.get(entry["dtype"]) or list(tensor.shape) != entry["shape"]:
            problems.append(f"`{name}`: loaded as {found} {list(tensor.shape)}, the header says {entry}")
        if tensor.numel() * tensor.element_size() != stop - begin:
            problems.append(f"`{name}`: {stop - begin} bytes for {tensor.numel()} elements of {found}")
        print(f"{name}  {found}  {list(tensor.shape)}  {stop - begin}")
    if end != size:
        problems.append(f"the last tensor ends at {end} of {size} bytes")
    print(f"{file}: {len(header)} tensors, {size} bytes, metadata {sorted(metadata)}")
    return [f"{file}: {problem}" for problem in problems]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    found = [problem for argument in sys.argv[1:] for file in files_of(argument) for problem in check(file)]
    print("\n".join(found) or "ok")
    sys.exit(1 if found else 0)
