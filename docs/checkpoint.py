"""A checkpoint in the shape of a small Llama with random weights, for the recording of a_day_with_slurm.md."""

import array
import json
import random
import struct

VOCAB, HIDDEN, INNER, LAYERS = 16000, 1024, 2816, 16

shapes = {"model.embed_tokens.weight": [VOCAB, HIDDEN]}
for layer in range(LAYERS):
    prefix = f"model.layers.{layer}."
    for name in ("q", "k", "v", "o"):
        shapes[f"{prefix}self_attn.{name}_proj.weight"] = [HIDDEN, HIDDEN]
    shapes[f"{prefix}mlp.gate_proj.weight"] = [INNER, HIDDEN]
    shapes[f"{prefix}mlp.up_proj.weight"] = [INNER, HIDDEN]
    shapes[f"{prefix}mlp.down_proj.weight"] = [HIDDEN, INNER]
    shapes[f"{prefix}input_layernorm.weight"] = [HIDDEN]
    shapes[f"{prefix}post_attention_layernorm.weight"] = [HIDDEN]
shapes["model.norm.weight"] = [HIDDEN]
shapes["lm_head.weight"] = [VOCAB, HIDDEN]

random.seed(1)
weights = [random.gauss(0, 0.02) for _ in range(1 << 20)]
bits = array.array("H", (struct.unpack("<I", struct.pack("<f", w))[0] >> 16 for w in weights)).tobytes()
bits = bits * (VOCAB * HIDDEN // len(weights) + 1)

header, offset = {"__metadata__": {"format": "pt"}}, 0
for name, shape in shapes.items():
    length = 2
    for extent in shape:
        length *= extent
    header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + length]}
    offset += length
text = json.dumps(header).encode()
with open("llama-small.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for name, place in header.items():
        if name != "__metadata__":
            begin, end = place["data_offsets"]
            file.write(bits[: end - begin])
