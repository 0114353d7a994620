"""Makes the quickstart checkpoint: text, tokenizer, training, evaluation.

usage: python make.py train [--steps N] [--out FOLDER]     everything from nothing
       python make.py evaluate [--out FOLDER]                            the saved checkpoint, in a new process
needs: torch, numpy (../../tests/python/requirements.txt)

The objective is next-token prediction with ONE shift: the logits at position t are compared with token t+1. The
model returns logits and never shifts; the only shift is in `loss_of`, which training and evaluation share.
"""

import argparse
import json
import math
import platform
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F

from corpus import Country, Tokenizer, tales
from model import Config, IteraLite

SEED_TRAINING, SEED_HELD_OUT, SEED_WEIGHTS = 1, 2, 3
TALES_TRAINING, TALES_SAMPLE, TALES_HELD_OUT = 30_000, 400, 200
BATCH, WINDOW = 16, 128


def loss_of(logits, tokens):
    """Mean negative log-likelihood in nats: token t+1 under the logits at t."""
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


def windows(ids):
    """`ids` cut into windows that do not overlap; the last one may be shorter."""
    return [ids[i : i + WINDOW] for i in range(0, len(ids), WINDOW) if len(ids[i : i + WINDOW]) > 1]


@torch.no_grad()
def held_out_loss(model, ids, dtype=torch.float32):
    """Mean loss over every scored token: in each window of 128, all but the first."""
    model = model.eval().to(dtype)
    total, scored = 0.0, 0
    for window in windows(ids):
        tokens = torch.tensor([window])
        total += loss_of(model(tokens)[0], tokens).item() * (len(window) - 1)
        scored += len(window) - 1
    return total / scored, scored


def count_baselines(train, held_out, vocab):
    """Perplexity of counting: words alone, and words after the word before them (backing off to words alone)."""
    singles, pairs = Counter(train), Counter(zip(train, train[1:]))
    scored = [(a, b) for window in windows(held_out) for a, b in zip(window, window[1:])]

    def alone(word):
        return (singles[word] + 1) / (len(train) + vocab)

    def after(last, word):
        return (pairs[last, word] + 5 * alone(word)) / (singles[last] + 5)

    unigram = -sum(math.log(alone(b)) for _, b in scored) / len(scored)
    bigram = -sum(math.log(after(a, b)) for a, b in scored) / len(scored)
    return math.exp(unigram), math.exp(bigram)


def train(options):
    out = options.out
    torch.manual_seed(SEED_WEIGHTS)
    tokenizer = Tokenizer(Country().words)
    tokenizer.save(out / "tokenizer.json")
    lines, held_out_lines = tales(SEED_TRAINING, TALES_TRAINING), tales(SEED_HELD_OUT, TALES_HELD_OUT)
    assert not set(lines) & set(held_out_lines), "a held-out tale is also a training tale"
    (out / "corpus_train_sample.txt").write_text("\n".join(lines[:TALES_SAMPLE]) + "\n")
    (out / "corpus_heldout.txt").write_text("\n".join(held_out_lines) + "\n")
    ids, held_out = tokenizer.encode("\n".join(lines)), tokenizer.encode("\n".join(held_out_lines))
    unused = set(range(len(tokenizer.words))) - set(ids)
    print(f"words: {len(tokenizer.words)} in the vocabulary, never seen in training: {[tokenizer.words[i] for i in unused]}")
    print(f"tokens: {len(ids)} for training, {len(held_out)} held out")
    unigram, bigram = count_baselines(ids, held_out, len(tokenizer.words))
    print(f"counting: perplexity {unigram:.2f} with words alone, {bigram:.2f} with pairs of words")

    config = Config(vocab_size=len(tokenizer.words))
    model = IteraLite(config)
    print(f"model: {sum(p.numel() for p in model.parameters())} parameters")
    stream = torch.tensor(ids)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05},
                                   {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}],
                                  lr=options.rate, betas=(0.9, 0.98))
    draw = torch.Generator().manual_seed(SEED_TRAINING)
    start, recent = time.monotonic(), []
    for step in range(options.steps):
        warm, left = min(1.0, (step + 1) / 60), 1 - step / options.steps
        for group in optimizer.param_groups:
            group["lr"] = options.rate * warm * (0.02 + 0.98 * left)
        places = torch.randint(len(stream) - WINDOW, (BATCH,), generator=draw)
        tokens = torch.stack([stream[i : i + WINDOW] for i in places.tolist()])
        logits, penalty = model.train()(tokens)
        loss = loss_of(logits, tokens)
        optimizer.zero_grad(set_to_none=True)
        (loss + penalty).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent = [*recent[-99:], loss.item()]
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}: loss {sum(recent) / len(recent):.4f}, {time.monotonic() - start:.0f} s", flush=True)
    seconds = time.monotonic() - start
    training_loss = sum(recent) / len(recent)
    training = {
        "objective": "next token, one shift: logits at t against token t+1", "steps": options.steps,
        "batch": BATCH, "window": WINDOW, "optimizer": f"AdamW, rate {options.rate}, linear decay, weight decay 0.05",
        "seed": SEED_WEIGHTS, "seconds": round(seconds, 1), "training_loss": training_loss,
        "unigram_perplexity": unigram, "bigram_perplexity": bigram, "torch": str(torch.__version__),
    }
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(config).items()}
    torch.save({"model_state_dict": model.state_dict(), "config": plain, "training": training},
               out / "itera_quickstart.pt")
    print(f"training: {seconds:.0f} s, loss of the last 100 steps {training_loss:.4f}, perplexity {math.exp(training_loss):.3f}")
    print(f"versions: torch {torch.__version__}, Python {platform.python_version()}, {torch.get_num_threads()} thread")


def evaluate(options):
    out = options.out
    path = out / "itera_quickstart.pt"
    saved = torch.load(path, map_location="cpu", weights_only=True)
    config = Config(**{key: tuple(value) if isinstance(value, list) else value for key, value in saved["config"].items()})
    model = IteraLite(config)
    model.load_state_dict(saved["model_state_dict"])
    assert model.lm_head.weight.data_ptr() == model.embedding.weight.data_ptr()
    tokenizer = Tokenizer.load(out / "tokenizer.json")
    held_out = tokenizer.encode((out / "corpus_heldout.txt").read_text())
    found = {"checkpoint": path.name, "bytes": path.stat().st_size, "data": "corpus_heldout.txt",
             "tokenizer": "tokenizer.json", "tokens": len(held_out), "window": WINDOW, "stride": WINDOW, "shift": 1,
             "rule": "windows do not overlap, each is run alone from an empty state; in each all tokens but the first are scored; "
                     "the last window may be shorter; perplexity is exp of the mean loss over all scored tokens"}
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        loss, scored = held_out_loss(model, held_out, dtype)
        found["scored"] = scored
        found[name] = {"loss": loss, "perplexity": math.exp(loss)}
        print(f"held out, {name}: {scored} tokens, loss {loss:.9f}, perplexity {math.exp(loss):.6f}")
    # Logits of one short text, for readers who write the model anew.
    tokens = torch.tensor([held_out[:16]])
    with torch.no_grad():
        logits = model(tokens)[0][0]
    found["first_logits"] = {"tokens": tokens[0].tolist(), "dtype": "float64", "argmax": logits.argmax(-1).tolist(),
                             "last": logits[-1, :8].tolist(), "absolute_sum": logits.abs().sum().item()}
    (out / "reference.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "evaluate"))
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    torch.set_num_threads(1)  # sums in the same order every time
    {"train": train, "evaluate": evaluate}[options.what](options)
