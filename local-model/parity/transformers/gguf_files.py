"""The same decoder as GGUF, so that llama.cpp can be asked too: F16 and Q8_0 (a row of which is a multiple of 32)."""

import json
import math

import gguf
import numpy

ARCHITECTURES = {
    "llama": (gguf.MODEL_ARCH.LLAMA, "llama-bpe"),
    "qwen2": (gguf.MODEL_ARCH.QWEN2, "qwen2"),
    "qwen3": (gguf.MODEL_ARCH.QWEN3, "qwen2"),
}


def permuted(weights, heads):
    """llama.cpp turns pairs of neighbours in Llama's heads, transformers the first half with the second."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def rope_factors(configuration):
    """By what llama.cpp divides each frequency: transformers' `llama3` scaling as numbers."""
    scaling = configuration["rope_scaling"]
    old = scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    factors = []
    size = configuration["head_dim"]
    for place in range(0, size, 2):
        wave = 2 * math.pi * configuration["rope_theta"] ** (place / size)
        smooth = min(max((old / wave - low) / (high - low), 0.0), 1.0)
        factors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return numpy.array(factors, dtype=numpy.float32)


def add_vocabulary(writer, tokenizer, pre, configuration, adds_start):
    state = json.loads(tokenizer.to_str())
    special = {token["id"] for token in state["added_tokens"]}
    size = configuration["vocab_size"]
    kinds = [gguf.TokenType.CONTROL if number in special else gguf.TokenType.NORMAL for number in range(size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([tokenizer.id_to_token(number) for number in range(size)])
    writer.add_token_types(kinds)
    merges = state["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    ends = configuration["eos_token_id"]
    # The last one ends a turn, and so an answer.
    writer.add_eos_token_id(ends[-1] if isinstance(ends, list) else ends)
    writer.add_bos_token_id(configuration["bos_token_id"])
    writer.add_add_bos_token(adds_start)


def write(path, kind, weights, configuration, tokenizer, adds_start):
    """`weights`: name → f32 array, as transformers names and lays them out."""
    architecture, pre = ARCHITECTURES[configuration["model_type"]]
    layers, heads = configuration["num_hidden_layers"], configuration["num_attention_heads"]
    key_heads = configuration["num_key_value_heads"]
    head_size = configuration.get("head_dim", configuration["hidden_size"] // heads)
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture])
    writer.add_name(path.parent.name)
    writer.add_vocab_size(configuration["vocab_size"])
    writer.add_context_length(configuration["max_position_embeddings"])
    writer.add_embedding_length(configuration["hidden_size"])
    writer.add_block_count(layers)
    writer.add_feed_forward_length(configuration["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(key_heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_rope_dimension_count(head_size)
    writer.add_layer_norm_rms_eps(configuration["rms_norm_eps"])
    writer.add_rope_freq_base(float(configuration["rope_theta"]))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if kind == "f16" else gguf.LlamaFileType.MOSTLY_Q8_0)
    add_vocabulary(writer, tokenizer, pre, configuration, adds_start)

    names = gguf.get_tensor_name_map(architecture, layers)
    if configuration["model_type"] == "llama":
        writer.add_tensor("rope_freqs.weight", rope_factors(configuration))
    for name, values in weights.items():
        if configuration["model_type"] == "llama" and name.endswith("q_proj.weight"):
            values = permuted(values, heads)
        if configuration["model_type"] == "llama" and name.endswith("k_proj.weight"):
            values = permuted(values, key_heads)
        new_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if values.ndim == 1:
            writer.add_tensor(new_name, values.astype(numpy.float32))
        elif kind == "f16":
            writer.add_tensor(new_name, values.astype(numpy.float16))
        else:
            quantized = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(new_name, quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
