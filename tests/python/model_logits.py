"""Logits of small models of each family, by transformers: what `compiler/tests/fixtures/model/*.json` hold.

    python model_logits.py FOLDER

writes a file for each family: its config.json, names and shapes of its tensors, token ids, and the logits that transformers
gives in fp32. Weights are made from their names by `values`, which the Rust side has too, so none are kept.
"""

import json
import pathlib
import struct
import sys
import tempfile

import numpy as np
import torch
import transformers

IDS = [3, 17, 29, 1, 8, 8, 30, 12, 5, 21, 14, 2]
VOCABULARY = 31


def values(name: str, shape: list[int]) -> np.ndarray:
    """Numbers from -0.4 to 0.4 that depend on the name and the place only; those of norms lie around 1."""
    seed = np.uint64(14695981039346656037)
    with np.errstate(over="ignore"):
        for byte in name.encode():
            seed = (seed ^ np.uint64(byte)) * np.uint64(1099511628211)
        z = seed + np.arange(1, int(np.prod(shape, dtype=np.int64)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    unit = (z >> np.uint64(40)).astype(np.float64) / 2**24
    middle = 1.0 if len(shape) == 1 and name.endswith("weight") else 0.0
    return (middle + (unit - 0.5) * 0.8).astype(np.float32).reshape(shape)


def write(path: pathlib.Path, tensors: list) -> None:
    """A safetensors file of generated values."""
    header, data = {}, b""
    for name, shape in tensors:
        bytes_ = values(name, shape).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    header["__metadata__"] = {"format": "pt"}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_header(path: pathlib.Path) -> list:
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
    return [[name, entry["shape"]] for name, entry in header.items() if name != "__metadata__"]


def configs():
    t = transformers
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    grouped = sizes | {"num_key_value_heads": 2, "intermediate_size": 40, "max_position_embeddings": 32}
    yield "gpt2", t.GPT2Config(vocab_size=VOCABULARY, n_embd=24, n_layer=2, n_head=4, n_positions=32), t.AutoModelForCausalLM
    yield "llama", t.LlamaConfig(**grouped, rope_theta=500000.0, rms_norm_eps=1e-6), t.AutoModelForCausalLM
    yield "mistral", t.MistralConfig(**grouped, sliding_window=None), t.AutoModelForCausalLM
    yield "mistral_window", t.MistralConfig(**grouped, sliding_window=5), t.AutoModelForCausalLM
    yield "qwen2", t.Qwen2Config(**grouped, tie_word_embeddings=True), t.AutoModelForCausalLM
    yield "mixtral", t.MixtralConfig(**grouped, num_local_experts=4, num_experts_per_tok=2), t.AutoModelForCausalLM
    yield "mamba", t.MambaConfig(vocab_size=VOCABULARY, hidden_size=24, state_size=4, num_hidden_layers=2), t.AutoModelForCausalLM
    bert = t.BertConfig(**sizes, intermediate_size=40, max_position_embeddings=32, type_vocab_size=2)
    yield "bert", bert, t.AutoModelForMaskedLM


def transformer_baseline():
    """The comparison model of Itera-Lite, which is not in transformers, by its formula."""
    import torch.nn.functional as f

    hidden, inner, layers, heads, positions = 24, 40, 2, 4, 32
    tensors = [["embedding.weight", [VOCABULARY, hidden]], ["position_embedding.weight", [positions, hidden]]]
    for i in range(layers):
        p = f"blocks.{i}."
        tensors += [[p + f"{n}.{w}", [hidden]] for n in ("ln1", "ln2") for w in ("weight", "bias")]
        tensors += [[p + "attention.qkv.weight", [3 * hidden, hidden]], [p + "attention.out_proj.weight", [hidden, hidden]]]
        tensors += [[p + "ffn.w1.weight", [inner, hidden]], [p + "ffn.w2.weight", [hidden, inner]]]
    tensors += [["norm.weight", [hidden]], ["norm.bias", [hidden]]]
    w = {name: torch.from_numpy(values(name, shape)) for name, shape in tensors}
    norm = lambda x, n: f.layer_norm(x, [hidden], w[n + ".weight"], w[n + ".bias"], 1e-5)
    x = w["embedding.weight"][IDS] + w["position_embedding.weight"][: len(IDS)]
    for i in range(layers):
        p = f"blocks.{i}."
        q, k, v = (norm(x, p + "ln1") @ w[p + "attention.qkv.weight"].T).chunk(3, -1)
        split = lambda y: y.reshape(len(IDS), heads, -1).transpose(0, 1)
        y = f.scaled_dot_product_attention(split(q), split(k), split(v), is_causal=True)
        x = x + y.transpose(0, 1).reshape(len(IDS), hidden) @ w[p + "attention.out_proj.weight"].T
        x = x + f.gelu(norm(x, p + "ln2") @ w[p + "ffn.w1.weight"].T) @ w[p + "ffn.w2.weight"].T
    logits = norm(x, "norm") @ w["embedding.weight"].T
    return {"num_attention_heads": heads}, tensors, logits.numpy()


def record(folder: pathlib.Path, family: str, config: dict, tensors: list, logits: np.ndarray) -> None:
    rows = [[float(f"{x:.7g}") for x in row] for row in logits]
    document = {"family": family, "by": f"transformers {transformers.__version__}", "config": config,
                "tensors": tensors, "ids": IDS, "logits": rows}
    text = json.dumps(document, separators=(",", ":")).replace('],["', '],\n["').replace("],[", "],\n[")
    (folder / f"{family}.json").write_text(text + "\n")
    print(family, len(text), "bytes, largest", abs(logits).max())


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for family, config, kind in configs():
        with tempfile.TemporaryDirectory() as temporary:
            place = pathlib.Path(temporary)
            kind.from_config(config).save_pretrained(place)
            tensors = read_header(place / "model.safetensors")
            write(place / "model.safetensors", tensors)
            model = kind.from_pretrained(place, dtype=torch.float32, attn_implementation="eager") if family != "mamba" \
                else kind.from_pretrained(place, dtype=torch.float32)
            model.eval()
            with torch.no_grad():
                logits = model(torch.tensor([IDS])).logits[0].numpy()
            written = json.loads((place / "config.json").read_text())
            record(folder, family, written, tensors, logits)
    record(folder, "transformer_baseline", *transformer_baseline())


if __name__ == "__main__":
    main()
