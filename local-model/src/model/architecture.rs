//! The decoder architectures that can be run, and what their tensors are called.

use crate::error::LoadFault;

/// A family of decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    /// Gemma 3, text only (Gemma Team, 2025).
    Gemma3,
    /// Qwen 2 and 2.5 (Qwen Team, 2024).
    Qwen2,
    /// Qwen 3, dense (Qwen Team, 2025).
    Qwen3,
    /// Llama 2 and 3 (Grattafiori et al., 2024).
    Llama,
}

/// Which names tensors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Those of GGUF.
    Gguf,
    /// Those of Hugging Face's `transformers`.
    HuggingFace,
}

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Embedding,
    OutputNorm,
    Head,
    AttentionNorm,
    Query,
    Key,
    Value,
    QueryNorm,
    KeyNorm,
    Output,
    PostAttentionNorm,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
    PostFeedForwardNorm,
}

impl Architecture {
    /// By GGUF's `general.architecture`.
    pub(crate) fn of_gguf(name: &str) -> Result<Self, LoadFault> {
        match name {
            "gemma3" => Ok(Self::Gemma3),
            "qwen2" => Ok(Self::Qwen2),
            "qwen3" => Ok(Self::Qwen3),
            "llama" => Ok(Self::Llama),
            other => Err(LoadFault::UnsupportedArchitecture {
                architecture: other.to_owned(),
            }),
        }
    }

    /// By the `model_type` of a `config.json`.
    pub(crate) fn of_config(model_type: &str) -> Result<Self, LoadFault> {
        match model_type {
            "gemma3_text" => Ok(Self::Gemma3),
            other => Self::of_gguf(other),
        }
    }

    /// Its name in GGUF files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gemma3 => "gemma3",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Llama => "llama",
        }
    }

    /// Whether queries and keys are normalised, head by head.
    pub(crate) fn has_head_norms(self) -> bool {
        matches!(self, Self::Gemma3 | Self::Qwen3)
    }

    /// Whether what attention and feed-forward layers give is normalised before it is added.
    pub(crate) fn has_post_norms(self) -> bool {
        self == Self::Gemma3
    }

    /// The name of a tensor that belongs to no layer, or to the layer of this number.
    pub(crate) fn tensor(self, naming: Naming, part: Part, layer: usize) -> String {
        match naming {
            Naming::Gguf => match part {
                Part::Embedding => "token_embd.weight".to_owned(),
                Part::OutputNorm => "output_norm.weight".to_owned(),
                Part::Head => "output.weight".to_owned(),
                _ => format!("blk.{layer}.{}.weight", in_gguf(part)),
            },
            Naming::HuggingFace => match part {
                Part::Embedding => "model.embed_tokens.weight".to_owned(),
                Part::OutputNorm => "model.norm.weight".to_owned(),
                Part::Head => "lm_head.weight".to_owned(),
                _ => format!("model.layers.{layer}.{}.weight", self.in_transformers(part)),
            },
        }
    }

    fn in_transformers(self, part: Part) -> &'static str {
        match part {
            Part::Embedding | Part::OutputNorm | Part::Head => "",
            Part::AttentionNorm => "input_layernorm",
            Part::Query => "self_attn.q_proj",
            Part::Key => "self_attn.k_proj",
            Part::Value => "self_attn.v_proj",
            Part::QueryNorm => "self_attn.q_norm",
            Part::KeyNorm => "self_attn.k_norm",
            Part::Output => "self_attn.o_proj",
            // Without norms behind the layers, this is what follows attention.
            Part::FeedForwardNorm if self.has_post_norms() => "pre_feedforward_layernorm",
            Part::PostAttentionNorm | Part::FeedForwardNorm => "post_attention_layernorm",
            Part::Gate => "mlp.gate_proj",
            Part::Up => "mlp.up_proj",
            Part::Down => "mlp.down_proj",
            Part::PostFeedForwardNorm => "post_feedforward_layernorm",
        }
    }
}

fn in_gguf(part: Part) -> &'static str {
    match part {
        Part::Embedding | Part::OutputNorm | Part::Head => "",
        Part::AttentionNorm => "attn_norm",
        Part::Query => "attn_q",
        Part::Key => "attn_k",
        Part::Value => "attn_v",
        Part::QueryNorm => "attn_q_norm",
        Part::KeyNorm => "attn_k_norm",
        Part::Output => "attn_output",
        Part::PostAttentionNorm => "post_attention_norm",
        Part::FeedForwardNorm => "ffn_norm",
        Part::Gate => "ffn_gate",
        Part::Up => "ffn_up",
        Part::Down => "ffn_down",
        Part::PostFeedForwardNorm => "post_ffw_norm",
    }
}
