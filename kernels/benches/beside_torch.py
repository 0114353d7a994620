#!/usr/bin/env python3
"""One token by a 4096x4096 weight: icpc beside PyTorch and bitsandbytes, in turns, in one run.

    python3 -m venv torch && torch/bin/pip install torch==2.13.0 numpy bitsandbytes==0.50.2
    torch/bin/python kernels/benches/beside_torch.py [--threads 2] [--rounds 5]

What is there is measured: without bitsandbytes its row is left out, and said so. Weights are used in turns, 256 MB of them, so
that all of them come from memory. A figure is the least of all rounds: what else runs on the machine only adds to it.
"""

import argparse
import json
import pathlib
import re
import subprocess
import time
import warnings

import torch

SIDE = 4096
BEYOND_CACHES = 256 << 20
ROOT = pathlib.Path(__file__).resolve().parents[2]
# What PyTorch says of interfaces that will go.
warnings.filterwarnings("ignore")
# Of the benchmark's rows, what stands beside which of PyTorch's.
OURS = ["f32", "bf16", "int8 row", "int8 row × int8", "nf4"]


def built():
    """The benchmark's program."""
    command = ["cargo", "bench", "--quiet", "-p", "icpc-kernels", "--bench", "model", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    found = [json.loads(line).get("executable") for line in lines if line.startswith("{")]
    return [path for path in found if path][-1]


def ours(program, threads):
    """Milliseconds by row: of a product, and of a plain read of the same bytes."""
    rows = {}
    for name in OURS:
        text = subprocess.run([program, name, f"--threads={threads}"], check=True, capture_output=True, text=True).stdout
        for line in text.split("prompts")[0].splitlines():
            found = re.match(r"(.{26}) +([\d.]+) +([\d.]+) ", line)
            if found:
                rows[found[1].strip()] = (float(found[2]), float(found[3]))
    return rows


def least(products):
    """Milliseconds of the shortest product; each has a weight of its own."""
    best, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < 1.5:
        for product in products:
            start = time.perf_counter()
            product()
            best = min(best, time.perf_counter() - start)
    return best * 1e3


def theirs():
    """Products of PyTorch, by name."""
    x = torch.randn(1, SIDE)
    rows = {}
    for name, dtype in [("torch fp32", torch.float32), ("torch bf16", torch.bfloat16)]:
        count = BEYOND_CACHES // (SIDE * SIDE * dtype.itemsize)
        weights = [torch.randn(SIDE, SIDE).to(dtype) for _ in range(count)]
        inputs = x.to(dtype)
        rows[name] = [lambda w=w, i=inputs: torch.nn.functional.linear(i, w) for w in weights]
    try:
        # the name changed between releases
        quantize = getattr(torch.ao.quantization, "quantize_dynamic")
        linears = [torch.nn.Sequential(torch.nn.Linear(SIDE, SIDE)) for _ in range(BEYOND_CACHES // (SIDE * SIDE))]
        packed = [quantize(linear, {torch.nn.Linear}, dtype=torch.qint8) for linear in linears]
        rows["torch dynamic int8"] = [lambda p=p: p(x) for p in packed]
    except (AttributeError, RuntimeError) as reason:
        print(f"torch dynamic int8 is left out: {reason}")
    try:
        import bitsandbytes.functional as F

        weights = [F.quantize_4bit(torch.randn(SIDE, SIDE), quant_type="nf4") for _ in range(4)]
        rows["bitsandbytes nf4"] = [
            lambda q=q, s=s: torch.nn.functional.linear(x, F.dequantize_4bit(q, s)) for q, s in weights
        ]
    except ImportError as reason:
        print(f"bitsandbytes is left out: {reason}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    program, rows, best, reads = built(), theirs(), {}, {}
    for _ in range(arguments.rounds):
        for name, products in rows.items():
            best[name] = min(best.get(name, float("inf")), least(products))
        for name, (product, read) in ours(program, arguments.threads).items():
            name = f"icpc {name}"
            best[name] = min(best.get(name, float("inf")), product)
            reads[name] = min(reads.get(name, float("inf")), read)
    base = best["torch fp32"]
    print(f"torch {torch.__version__}, {arguments.threads} threads, least of {arguments.rounds} rounds")
    print(f"{'one token by 4096x4096':<26} {'ms':>8} {'read ms':>8}  times torch fp32")
    for name, value in best.items():
        read = f"{reads[name]:8.3f}" if name in reads else " " * 8
        print(f"{name:<26} {value:8.3f} {read}  {base / value:.2f}x")


if __name__ == "__main__":
    main()
