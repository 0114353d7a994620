"""Weights by name, from whatever holds them: a `.pt`, a `.safetensors`, or a folder of the latter."""

import json
from pathlib import Path

import torch
from safetensors import safe_open

WRAPPERS = ("model_state_dict", "state_dict", "model")


def files_of(path):
    """The `.safetensors` files of a file or folder."""
    path = Path(path)
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not found:
        raise SystemExit(f"{path}: no .safetensors file")
    return found


def stored(path):
    """All tensors, and the metadata of each file merged: texts that are JSON objects are joined."""
    tensors, metadata = {}, {}
    for file in files_of(path):
        with safe_open(file, framework="pt", device="cpu") as opened:
            for key in opened.keys():
                if key in tensors:
                    raise SystemExit(f"{file}: `{key}` is in two files")
                tensors[key] = opened.get_tensor(key)
            for key, text in (opened.metadata() or {}).items():
                try:
                    value = json.loads(text)
                except json.JSONDecodeError:
                    value = text
                if isinstance(value, dict):
                    metadata.setdefault(key, {}).update(value)
                else:
                    metadata[key] = value
    return tensors, metadata


def original(path):
    """Name to tensor of a source checkpoint; the dict of weights is found as training scripts nest it."""
    path = Path(path)
    if path.is_dir() or path.suffix == ".safetensors":
        return stored(path)[0]
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    while (key := next((k for k in WRAPPERS if isinstance(loaded.get(k), dict)), None)) is not None:
        loaded = loaded[key]
    return {name: value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
