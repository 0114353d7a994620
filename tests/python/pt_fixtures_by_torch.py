"""Cases of make_pt_fixtures.py that torch.save writes: odd, but honest."""

import contextlib
import sys
import types
import warnings
from collections import OrderedDict

import numpy
import torch
from torch import nn


def cases(out):
    """Writes every file into `out` and yields its case."""
    for file, about, value, options in list(plain()) + list(views()) + list(nested()) + list(objects()):
        legacy = options.pop("legacy", False)
        location = options.pop("location", None)
        case = {
            "file": file, "about": about, "container": "legacy" if legacy else "zip", "outcome": "tensors",
            "weights_at": "", "tensors": "load", "entries": [],
        }
        protocol = options.pop("protocol", 2)
        case.update(options)
        with located(location):
            torch.save(value, out / file, _use_new_zipfile_serialization=not legacy, pickle_protocol=protocol)
        yield case


@contextlib.contextmanager
def located(location):
    """Storages say that they lie at `location`, as if this machine had it."""
    honest = torch.serialization.location_tag
    if location is not None:
        torch.serialization.location_tag = lambda storage: location
    yield
    torch.serialization.location_tag = honest


def ramp(*shape, dtype=torch.float32, start=0.0, step=0.25):
    """Values that differ everywhere and that every float type here holds."""
    count = 1
    for size in shape:
        count *= size
    return (torch.arange(count, dtype=torch.float64) * step + start).to(dtype).reshape(shape)


def layer():
    return OrderedDict([("weight", ramp(4, 6, start=-3.0)), ("bias", ramp(4, start=1.0))])


def plain():
    yield "bare_tensor.pt", "the file is one tensor", ramp(3, 5), {}
    yield "state_dict.pt", "an ordinary state dict with the metadata of a module", nn.Sequential(
        OrderedDict([("first", seeded(nn.Linear(4, 3))), ("second", seeded(nn.LayerNorm(3)))])).state_dict(), {}
    for protocol in (2, 3, 4, 5):
        yield f"protocol_{protocol}.pt", f"pickle protocol {protocol}", {
            "model_state_dict": layer(), "step": 1234567890123, "loss": 0.125, "name": "ünï", "raw": b"\x00\xff",
            "none": None, "flags": (True, False), "set": {1}, "big": 1 << 80, "minus": -5,
        }, {"protocol": protocol, "weights_at": "model_state_dict", "entries": ["step", "loss", "name"]}
    floats = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
    yield "float_dtypes.pt", "every float dtype", {
        str(d).removeprefix("torch."): ramp(2, 5, dtype=d, start=-1.0) for d in floats}, {}
    ints = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64]
    values = {str(d).removeprefix("torch."): ramp(3, 2, dtype=d, start=1, step=7) for d in ints}
    values["int64_extremes"] = torch.tensor([-(1 << 63), (1 << 63) - 1])
    values["bool"] = torch.tensor([True, False, True])
    yield "integer_dtypes.pt", "every integer dtype, and bool", values, {}
    yield "complex_dtypes.pt", "complex64 and complex128", {
        "c64": torch.complex(ramp(3), ramp(3, start=9.0)),
        "c128": torch.complex(ramp(3).double(), ramp(3, start=9.0).double())}, {}
    rare = [torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float8_e8m0fnu]
    yield "rare_float8.pt", "fp8 dtypes of other vendors", {
        str(d).removeprefix("torch."): ramp(4, dtype=d, start=1.0) for d in rare}, {"outcome": "either"}
    yield "empty_tensors.pt", "tensors without elements, and a scalar", {
        "none": torch.empty(0), "rows": torch.empty(0, 7), "columns": torch.empty(5, 0, dtype=torch.float16),
        "scalar": torch.tensor(2.5), "after": ramp(3)}, {}
    yield "not_a_number.pt", "NaN, infinities, subnormals and minus zero are data like any other", {
        d: torch.tensor([1.0, -0.0, 6e-8, torch.nan, torch.inf, -torch.inf], dtype=getattr(torch, d))
        for d in ("float16", "bfloat16", "float32")}, {}
    yield "cuda_locations.pt", "saved from a second GPU", {"weight": ramp(4, 4)}, {"location": "cuda:1"}
    yield "legacy_cuda_locations.pt", "the older container, saved from a GPU", {
        "weight": ramp(4, 4)}, {"location": "cuda:0", "legacy": True}
    yield "legacy_state_dict.pt", "the older container", layer(), {"legacy": True}
    yield "legacy_dtypes.pt", "the older container with storages of several widths", {
        "half": ramp(3, dtype=torch.float16), "double": ramp(2, dtype=torch.float64), "none": torch.empty(0),
        "brain": ramp(5, dtype=torch.bfloat16), "flags": torch.tensor([True, False]), "long": torch.arange(3)}, {
        "legacy": True}


def views():
    table = ramp(8, 6)
    sharing = {
        "embedding.weight": table, "lm_head.weight": table, "transposed": table.t(), "rows": table[2:5],
        "column": table[:, 3], "every_other": table[::2, ::3], "last": table[7, 5:], "expanded": table[0].expand(3, 6),
        "flat": table.view(-1)}
    yield "views.pt", "ties, offsets, strides, a stride of 0", sharing, {}
    yield "legacy_views.pt", "ties, offsets and strides in the older container", sharing, {"legacy": True}
    volume = ramp(2, 3, 4)
    yield "permuted.pt", "a permuted rank-3 tensor, and channels-last", {
        "permuted": volume.permute(2, 0, 1), "channels_last": ramp(1, 3, 2, 2).to(memory_format=torch.channels_last)}, {}
    yield "slice_of_a_large_storage.pt", "three elements keep a storage of 600", {"weight": ramp(600)[100:103]}, {}
    twisted = torch.complex(ramp(3), ramp(3, start=5.0)).conj().imag
    assert twisted.is_neg()
    yield "negative_bit.pt", "a lazily negated view: its values are minus the bytes of the storage", {
        "negated": twisted, "plain": ramp(2)}, {"outcome": "either"}
    yield "conjugate_bit.pt", "a lazily conjugated tensor", {
        "conjugated": torch.complex(ramp(3), ramp(3, start=5.0)).conj()}, {"outcome": "either"}


def nested():
    trainer = {"epoch": 3, "state_dict": layer(), "optimizer": {
        "state": {0: {"step": torch.tensor(7.0), "exp_avg": ramp(4, 6)}}, "param_groups": [{"lr": 1e-3, "params": [0]}]}}
    yield "trainer.pt", "weights under `state_dict` beside an optimizer that holds tensors", trainer, {
        "weights_at": "state_dict", "entries": ["epoch"]}
    yield "model_key.pt", "weights under `model`, with a configuration", {
        "model": layer(), "config": {"hidden": 6, "moe": {"num_experts": 4}, "layers": [1, 3]}}, {
        "weights_at": "model", "entries": ["config.hidden", "config.moe.num_experts"]}
    yield "nested_dicts.pt", "a tree of dicts instead of names with dots", {
        "layers": {"0": {"mlp": layer()}, "1": {"mlp": layer()}}, "norm": {"weight": ramp(6)}}, {}
    experts = {i: {"w1": ramp(3, 2, start=float(i)), "w2": ramp(2, 3, start=-float(i))} for i in (0, 1, 10, 2)}
    yield "integer_keys.pt", "experts in a dict with int keys, not in order", {"experts": experts}, {}
    yield "tuples_and_lists.pt", "tensors inside tuples and lists", {
        "packed": (ramp(2, 2), None), "pair": [ramp(2), (ramp(1), ramp(3))], "shape": (4, 4)}, {}
    yield "parameters.pt", "Parameters and a Buffer, not plain tensors", {
        "weight": nn.Parameter(ramp(3, 3)), "frozen": nn.Parameter(ramp(2), requires_grad=False),
        "buffer": nn.Buffer(ramp(4))}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensor_wise = torch.quantize_per_tensor(ramp(4, 6, start=-3.0), 0.05, 3, torch.qint8)
        channel_wise = torch.quantize_per_channel(
            ramp(3, 4, start=-1.0), torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64), torch.tensor([0, 1, -2]), 0, torch.qint8)
        second_axis = torch.quantize_per_channel(
            ramp(2, 3), torch.tensor([0.5, 0.25, 0.125], dtype=torch.float64), torch.tensor([0, 0, 5]), 1, torch.quint8)
        parts = {"tensor": tensor_wise, "channel": channel_wise, "second_axis": second_axis}
        yield "quantized.pt", "qint8 by tensor and by channel, quint8 by the second axis", parts, {}
        yield "legacy_quantized.pt", "the same in the older container", parts, {"legacy": True}
        packed = OrderedDict([("scale", torch.tensor(1.0)), ("zero_point", torch.tensor(0)),
                              ("_packed_params.dtype", torch.qint8),
                              ("_packed_params._packed_params", (tensor_wise, nn.Parameter(ramp(4))))])
        yield "packed_parameters.pt", "a dynamically quantised linear: a tuple of weight and bias, and a dtype", packed, {
            "entries": ["_packed_params.dtype"]}
    names = {"a b": ramp(1), "with.dots": ramp(2), "": ramp(3), "tab\tnew\nline": ramp(4), "ünï/🙂": ramp(5),
             "nul\0": ramp(6), "quote\"\\": ramp(7), "\x1b[31mred": ramp(8)}
    yield "odd_names.pt", "names with spaces, controls, escapes; an empty one", names, {}
    yield "same_name_twice.pt", "int key 1 and text key `1` become one name", {
        "experts": {1: ramp(2), "1": ramp(3)}}, {"outcome": "refused", "tensors": []}
    yield "path_twice.pt", "`a.b` and the path a, b become one name", {
        "a.b": ramp(2), "a": {"b": ramp(3)}}, {"outcome": "refused", "tensors": []}


def seeded(module):
    for parameter in module.parameters():
        nn.init.constant_(parameter, 0.5)
    return module


def objects():
    module = types.ModuleType("training_script")
    exec("class Config:\n    pass\nclass Slots(dict):\n    pass\n", module.__dict__)
    for name in ("Config", "Slots"):
        getattr(module, name).__module__ = "training_script"
    sys.modules["training_script"] = module
    config = module.Config()
    config.__dict__.update(hidden_size=6, num_experts=4, names=["a", "b"])
    slots = module.Slots(rows=2)
    slots.extra = "attribute"
    yield "custom_class.pt", "objects of classes that no reader knows, beside the weights", {
        "model_state_dict": layer(), "config": config, "slots": slots}, {
        "weights_at": "model_state_dict", "entries": ["config"]}
    yield "numpy_values.pt", "numpy scalars and arrays beside the weights", {
        "model_state_dict": layer(), "best": numpy.float64(0.5), "curve": numpy.arange(3)}, {
        "weights_at": "model_state_dict", "entries": ["best", "curve"]}
    yield "whole_module.pt", "a whole module was saved, not its state dict", seeded(nn.Linear(3, 2)), {
        "outcome": "either", "tensors": [("_parameters.weight", torch.full((2, 3), 0.5)),
                                         ("_parameters.bias", torch.full((2,), 0.5))]}
    sparse = torch.sparse_coo_tensor(torch.tensor([[0, 1], [1, 0]]), torch.tensor([1.0, 2.0]), (2, 2))
    yield "sparse_tensor.pt", "a sparse tensor beside a dense one", {"sparse": sparse, "dense": ramp(2)}, {
        "outcome": "either", "tensors": [("dense", ramp(2))]}
    yield "meta_tensor.pt", "a tensor on the meta device has no storage", {
        "meta": torch.empty(3, 3, device="meta"), "dense": ramp(2)}, {
        "outcome": "either", "tensors": [("dense", ramp(2))]}
