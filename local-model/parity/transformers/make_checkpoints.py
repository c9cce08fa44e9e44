"""Makes small checkpoints with random weights, and what transformers computes on them: `make_checkpoints.py FOLDER`."""

import json
import os
import shutil
import sys
from pathlib import Path

# Nothing is to be looked up on a hub.
os.environ["HF_HUB_OFFLINE"] = "1"

import configurations  # noqa: E402
import gguf_files  # noqa: E402
import references  # noqa: E402
import torch  # noqa: E402
import vocabularies  # noqa: E402
from transformers import (  # noqa: E402
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    logging,
)

SEED = 20_240_607
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
# Small enough for two files and an index, as large checkpoints have them.
SHARD = "600KB"


def randomize(model, dtype):
    """Weights that every part of the forward pass shows in; transformers' own make norms do nothing and biases nothing.

    All values are such that `dtype` has them, so the reference is exact for what is saved.
    """
    generator = torch.Generator().manual_seed(SEED)
    is_gemma = model.config.model_type == "gemma3_text"
    # A tied table is the head as well, whose logits should spread over a few nats. Gemma multiplies what it looks up by the
    # square root of the width: a token would drown all that is computed from it, and the answer repeat it.
    spread = 1.0 if not getattr(model.config, "tie_word_embeddings", False) else 0.1 if is_gemma else 0.3
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1 and name.endswith("bias"):
            values *= 0.1
        elif parameter.ndim == 1 and is_gemma:
            # Gemma adds one.
            values = 0.1 * values + (3.0 if name == "model.norm.weight" else 0.0)
        elif parameter.ndim == 1:
            values = 0.1 * values + 1.0
        elif "embed" in name:
            values *= spread
        else:
            values *= 1.2 / parameter.shape[1] ** 0.5
        parameter.data = values.to(dtype).to(torch.float32)


def make(folder, name, configuration, tokenizer, settings, model_class, reference, generation=None):
    """One checkpoint. Its config.json is ours, and what transformers makes of it is the reference.

    Where the two write rotary embeddings differently, a second one has the config.json that transformers 5 writes.
    """
    path = folder / name
    path.mkdir(parents=True)
    config_file, generation_file = path / "config.json", path / "generation_config.json"
    config_file.write_text(json.dumps(configuration, indent=2))
    if generation:
        generation_file.write_text(json.dumps(generation, indent=2))
    model = model_class.from_config(AutoConfig.from_pretrained(path), attn_implementation="eager", dtype=torch.float32)
    model.eval()
    dtype = DTYPES[configuration["torch_dtype"]]
    randomize(model, dtype)
    if reference:
        reference(model, tokenizer, path)
    weights = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    model.to(dtype).save_pretrained(path, max_shard_size=SHARD if name == "llama3" else "1GB")
    # What transformers has written in the place of ours.
    new_config = config_file.read_text()
    config_file.write_text(json.dumps(configuration, indent=2))
    generation_file.unlink(missing_ok=True)
    if generation:
        generation_file.write_text(json.dumps(generation, indent=2))
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))
    if any("rope" in key for key in configuration):
        newer = path.with_name(f"{name}-v5")
        shutil.copytree(path, newer)
        (newer / "config.json").write_text(new_config)
    print(f"{path}: {sum(value.size for value in weights.values()):,} weights")
    return weights


def make_decoder(folder, name, configure, vocabulary, generation=None, with_gguf=True):
    tokenizer, settings = vocabulary()
    configuration = configure(tokenizer.token_to_id)
    generation = generation and generation(tokenizer.token_to_id)
    causal = AutoModelForCausalLM
    weights = make(folder, name, configuration, tokenizer, settings, causal, references.decoder, generation)
    if not with_gguf:
        return
    if configuration.get("tie_word_embeddings"):
        weights.pop("lm_head.weight", None)
    starts = bool(tokenizer.encode("x").ids[0] == configuration["bos_token_id"])
    for kind in ("f16", "q8_0"):
        gguf_files.write(folder / name / f"{name}-{kind}.gguf", kind, weights, configuration, tokenizer, starts)


def make_encoders(folder, name, configure, vocabulary, architecture, labels):
    tokenizer, settings = vocabulary()
    plain = configure(tokenizer.token_to_id)
    make(folder, name, plain, tokenizer, settings, AutoModel, references.encoder)
    heads = configurations.with_labels(configure(tokenizer.token_to_id, architecture=architecture), *labels)
    classifier = AutoModelForTokenClassification
    make(folder, f"{name}-tokens", heads, tokenizer, settings, classifier, references.token_classifier)


def make_minilm(folder):
    """A token classifier of MiniLM's size, to time; its vocabulary is filled up as BERT's is."""
    tokenizer, settings = vocabularies.bert(2048)
    tokenizer.add_tokens([f"[unused{number}]" for number in range(30_522 - tokenizer.get_vocab_size())])
    sizes = {
        "hidden_size": 384,
        "intermediate_size": 1536,
        "num_attention_heads": 12,
        "num_hidden_layers": 6,
        "vocab_size": 30_522,
    }
    configuration = configurations.bert(tokenizer.token_to_id, "BertForTokenClassification", **sizes)
    configuration = configurations.with_labels(configuration, "DROP", "KEEP")
    make(folder, "minilm-tokens", configuration, tokenizer, settings, AutoModelForTokenClassification, None)


@torch.inference_mode()
def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    logging.disable_progress_bar()
    # Rounding depends on how sums are shared out.
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    small, bench = folder / "checkpoints", folder / "bench"
    for path in (small, bench):
        shutil.rmtree(path, ignore_errors=True)
    make_decoder(small, "gemma3", configurations.gemma3, vocabularies.gemma, with_gguf=False)
    make_decoder(small, "qwen2", configurations.qwen2, vocabularies.qwen, configurations.qwen_generation)
    make_decoder(small, "qwen3", configurations.qwen3, vocabularies.qwen, configurations.qwen_generation)
    make_decoder(small, "llama3", configurations.llama3, vocabularies.llama)
    labels = ["O", "B-NAME", "I-NAME"]
    bert, xlm_roberta, modernbert = configurations.bert, configurations.xlm_roberta, configurations.modernbert
    make_encoders(small, "bert", bert, vocabularies.bert, "BertForTokenClassification", labels)
    make_encoders(
        small, "xlm-roberta", xlm_roberta, vocabularies.xlm_roberta, "XLMRobertaForTokenClassification", ["LABEL_0", "LABEL_1"]
    )
    make_encoders(small, "modernbert", modernbert, vocabularies.modernbert, "ModernBertForTokenClassification", labels)
    make_minilm(bench)


if __name__ == "__main__":
    main()
