"""Loads with bitsandbytes what `emit ... as bitsandbytes` wrote, and dequantises it there, on the CPU.

usage: python load_bitsandbytes.py OUT SOURCE [DEQUANTIZED]
needs: torch, bitsandbytes, safetensors (requirements.txt)

OUT is the folder of the output (model.safetensors or shards, config.json), SOURCE the checkpoint that was compressed,
DEQUANTIZED what `icpc dequantize OUT --to fp32 NEW` wrote (folder or file). For each quantised weight:

- bitsandbytes builds its state from the stored arrays (as `Params4bit.from_prequantized` does for transformers);
- what it dequantises is as near to the source as the format allows;
- what icpc dequantises is the same, up to the rounding of the element type.

Exit code 1 when something does not load or differs, or when nothing was quantised.
"""

import json
import math
import sys
from pathlib import Path

import bitsandbytes as bnb
import torch

from weights import original, stored

MARK = ".quant_state.bitsandbytes__"
# Half of the widest gap between neighbouring codes: no element may be further off, in units of its block's absmax.
WIDEST = {"nf4": (1.0 - 0.6961928009986877) / 2, "fp4": (1.0 - 2 / 3) / 2}
# Relative Frobenius errors beyond this mean a wrong order, shape or absmax: a normal weight gives 0.09 and 0.12.
LARGEST_ERROR = {"nf4": 0.15, "fp4": 0.20, "int8": 0.02}
# An absmax that is a code itself: half of the widest gap of the dynamic map (0.9 / 64), in units of the nested absmax.
NESTED_GAP = 0.9 / 64 / 2


def four_bit(name, tensors):
    """bitsandbytes' state of the 4-bit weight `name`, the weight it dequantises to, and the quant_state text."""
    keys = {key: value for key, value in tensors.items() if key.startswith(name + ".")}
    text = next(bytes(value.tolist()).decode() for key, value in keys.items() if MARK in key)
    state = bnb.functional.QuantState.from_dict(dict(keys), device=torch.device("cpu"))
    parameter = bnb.nn.Params4bit.from_prequantized(tensors[name], dict(keys), device="cpu")
    weight = dequantized(tensors[name], state)
    through_parameter = dequantized(parameter.data, parameter.quant_state)
    assert torch.equal(weight, through_parameter), "two ways into bitsandbytes disagree"
    return state, weight, json.loads(text)


def dequantized(codes, state):
    """What bitsandbytes makes of `codes`.

    Its kernel for CPUs with AVX-512 (0.50.2) takes wrong absmax where blocks cross rows, for what it quantised itself,
    too: `dequantize_4bit(*quantize_4bit(w))` of a normal [64, 32] with blocks of 64 is off by 0.40, of its flat values
    by 0.09. The bytes are the same for both shapes, so such a weight is dequantised flat.
    """
    if state.shape[-1] % state.blocksize == 0:
        return bnb.functional.dequantize_4bit(codes, state)
    shape, state.shape = state.shape, torch.Size([math.prod(state.shape)])
    weight = bnb.functional.dequantize_4bit(codes, state).reshape(shape)
    state.shape = shape
    return weight


def check_four_bit(name, tensors, source):
    state, weight, text = four_bit(name, tensors)
    problems = []
    if weight.shape != source.shape or weight.dtype != source.dtype:
        return state, weight, [f"`{name}`: {weight.dtype} {list(weight.shape)}, the source has {source.dtype} {list(source.shape)}"]
    known = ["quant_type", "blocksize", "dtype", "shape"]
    known += ["nested_blocksize", "nested_dtype", "nested_offset"] if state.nested else []
    if list(text) != known:
        problems.append(f"`{name}`: quant_state has keys {list(text)}")
    error = (weight.double() - source.double()).flatten()
    relative = (error.norm() / source.double().norm().clamp_min(1e-300)).item()
    if relative > LARGEST_ERROR[state.quant_type]:
        problems.append(f"`{name}`: relative error {relative:.4f}")
    blocks = torch.nn.functional.pad(error.abs(), (0, -len(error) % state.blocksize)).reshape(-1, state.blocksize)
    real = torch.nn.functional.pad(source.double().abs().flatten(), (0, -len(error) % state.blocksize))
    real = real.reshape(-1, state.blocksize).amax(1)
    slack = torch.zeros_like(real)
    if state.nested:
        slack = state.state2.absmax.double().repeat_interleave(256)[: len(real)] * NESTED_GAP * 1.02
    rounding = torch.finfo(weight.dtype).eps
    allowed = real * WIDEST[state.quant_type] * (1 + 1e-6) + slack + real * rounding
    if (blocks.amax(1) > allowed).any():
        at = int((blocks.amax(1) - allowed).argmax())
        problems.append(f"`{name}`: block {at} is {blocks.amax(1)[at]:.6g} off, its format allows {allowed[at]:.6g}")
    kind = f"{state.quant_type} block {state.blocksize}{' nested' if state.nested else ''}"
    print(f"{name}: {kind}, relative error {relative:.5f}")
    return state, weight, problems


def check_int8(name, tensors, source):
    module = name.removesuffix(".weight")
    rows, mark = tensors[f"{module}.SCB"], tensors[f"{module}.weight_format"]
    weight = bnb.functional.int8_vectorwise_dequant(tensors[name], rows)
    relative = ((weight.double() - source.double()).norm() / source.double().norm().clamp_min(1e-300)).item()
    print(f"{name}: int8, relative error {relative:.5f}")
    problems = [] if relative <= LARGEST_ERROR["int8"] else [f"`{name}`: relative error {relative:.4f}"]
    if int(mark) != 0 or rows.dtype != torch.float32 or rows.shape != source.shape[:1]:
        problems.append(f"`{name}`: SCB {rows.dtype} {list(rows.shape)}, weight_format {int(mark)}")
    return weight, problems


def same_as_ours(name, weight, ours):
    """Compares with icpc's own dequantisation: equal up to two roundings of the element type."""
    difference = (weight.double() - ours.to(weight.dtype).double()).abs().max().item()
    allowed = 2 * torch.finfo(weight.dtype).eps * weight.double().abs().max().item()
    print(f"  icpc dequantises it with a largest difference of {difference:.3g}")
    return [] if difference <= allowed else [f"`{name}`: icpc dequantises it {difference:.6g} off, rounding explains {allowed:.3g}"]


def check_config(out, states):
    config = json.loads((Path(out) / "config.json").read_text())["quantization_config"]
    problems = [] if config["quant_method"] == "bitsandbytes" else ["config.json: quant_method"]
    kinds = {(state.quant_type, state.nested) for state in states.values()}
    if len({kind for kind, _ in kinds}) > 1:
        problems.append(f"config.json: it can name one kind, the tensors are {sorted(kinds)}")
    if bool(states) != config["load_in_4bit"]:
        problems.append(f"config.json: load_in_4bit {config['load_in_4bit']}")
    # Whether absmax are nested is said once there, too; a loader takes it for each tensor from its own state.
    if states and (config["bnb_4bit_quant_type"], config["bnb_4bit_use_double_quant"]) not in kinds:
        problems.append(f"config.json: no tensor is of its kind, they are {sorted(kinds)}")
    skipped = config.get("llm_int8_skip_modules") or []
    both = [name for name in states if name.removesuffix(".weight") in skipped]
    return problems + [f"config.json: `{name}` is quantised and listed as skipped" for name in both]


def main(out, source, dequantized=None):
    tensors, _ = stored(out)
    weights = original(source)
    ours = original(dequantized) if dequantized else {}
    names = [key.split(MARK)[0] for key in tensors if MARK in key]
    eights = [key.removesuffix(".SCB") + ".weight" for key in tensors if key.endswith(".SCB")]
    states, problems = {}, []
    for name in [*names, *eights]:
        if name not in weights:
            problems.append(f"`{name}`: the source lacks it")
            continue
        if name in eights:
            weight, found = check_int8(name, tensors, weights[name])
        else:
            states[name], weight, found = check_four_bit(name, tensors, weights[name])
        problems += found
        if dequantized and not found:
            problems += same_as_ours(name, weight, ours[name]) if name in ours else [f"`{name}`: not dequantised by icpc"]
    problems += check_config(out, states)
    if not names and not eights:
        problems.append("nothing is quantised")
    print(f"bitsandbytes {bnb.__version__}, torch {torch.__version__}: {len(names)} weights of 4 bits, {len(eights)} of 8")
    print("\n".join(problems) or "ok")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    sys.exit(main(*sys.argv[1:]))
