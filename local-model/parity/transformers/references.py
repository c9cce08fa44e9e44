"""What transformers computes on a checkpoint, in f32 and on one thread, as `reference.safetensors` and `reference.json`.

README.md beside this file describes both.
"""

import json

import numpy
import torch
from safetensors.numpy import save_file
from vocabularies import PROMPTS

# Short and long, code, other scripts, emoji, markup, runs of spaces.
NAMES = ["01-word", "02-prose", "04-python", "09-chinese", "12-emoji", "14-maths", "15-html", "18-whitespace"]
# Beyond the sliding windows, and beyond the 128 positions from which Llama's frequencies are stretched.
LONG, LONG_LETTERS = "20-long", 900
GENERATED = 32


def texts():
    def text(name):
        return (PROMPTS / f"{name}.txt").read_text(encoding="utf-8").split("\n---8<---\n")[0]

    return [text(name) for name in NAMES] + [text(LONG)[:LONG_LETTERS]]


def letter_bytes():
    """The byte that each letter of a byte-level vocabulary stands for (GPT-2's table)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


def pieces(tokenizer, size):
    """The bytes of each token, in hexadecimal; none for special ones."""
    state = json.loads(tokenizer.to_str())
    added = {token["id"] for token in state["added_tokens"]}
    table = None if state["model"]["byte_fallback"] else letter_bytes()

    def piece(number):
        text = tokenizer.id_to_token(number)
        if text is None or number in added:
            return b""
        if table:
            return bytes(table[letter] for letter in text)
        if len(text) == 6 and text.startswith("<0x"):
            return bytes([int(text[3:5], 16)])
        return text.replace("▁", " ").encode()

    return [piece(number).hex() for number in range(size)]


def rows(tensor):
    return tensor.detach().to(torch.float32).contiguous().numpy()


def numbers(ids):
    return numpy.array(ids, dtype=numpy.uint32)


def greedy(model, ids, ends):
    """Chosen tokens, less the one that ends, and the log-probabilities by which each was chosen."""
    read, chosen, steps = list(ids), [], []
    while len(chosen) < GENERATED:
        step = model(torch.tensor([read])).logits[0, -1].log_softmax(-1)
        steps.append(step)
        token = int(step.argmax())
        if token in ends:
            break
        chosen.append(token)
        read.append(token)
    return chosen, torch.stack(steps)


def ends_of(configuration):
    ends = configuration["eos_token_id"]
    return ends if isinstance(ends, list) else [ends]


def decoder(model, tokenizer, folder):
    files = [folder / "config.json", folder / "generation_config.json"]
    ends = {end for file in files if file.exists() for end in ends_of(json.loads(file.read_text()))}
    tensors = {}
    for number, text in enumerate(texts()):
        ids = tokenizer.encode(text).ids
        logits = model(torch.tensor([ids])).logits[0]
        following = torch.tensor(ids[1:], dtype=torch.long)
        logprobs = logits[:-1].log_softmax(-1).gather(1, following[:, None])[:, 0]
        chosen, steps = greedy(model, ids, ends)
        tensors |= {
            f"ids.{number}": numbers(ids),
            f"logits.{number}": rows(logits),
            f"logprobs.{number}": rows(logprobs),
            f"greedy.{number}": numbers(chosen),
            f"greedy_logprobs.{number}": rows(steps),
        }
    write(folder, "decoder", tensors, pieces(tokenizer, model.config.vocab_size))


def encoder(model, tokenizer, folder):
    tensors = {}
    for number, text in enumerate(texts()):
        ids = tokenizer.encode(text).ids
        hidden = model(torch.tensor([ids])).last_hidden_state[0]
        mean = hidden.mean(0)
        tensors |= {
            f"ids.{number}": numbers(ids),
            f"hidden.{number}": rows(hidden),
            f"embedding.{number}": rows(mean / mean.norm()),
        }
    write(folder, "encoder", tensors)


def token_classifier(model, tokenizer, folder):
    tensors = {}
    for number, text in enumerate(texts()):
        ids = tokenizer.encode(text).ids
        tensors |= {f"ids.{number}": numbers(ids), f"logits.{number}": rows(model(torch.tensor([ids])).logits[0])}
    write(folder, "token-classifier", tensors)


def write(folder, kind, tensors, of_tokens=()):
    save_file(tensors, folder / "reference.safetensors")
    description = {"kind": kind, "generated": GENERATED, "texts": texts(), "pieces": list(of_tokens)}
    (folder / "reference.json").write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")
