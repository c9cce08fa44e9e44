//! A decoder as a `config.json` describes it.

use std::path::Path;

use serde::Deserialize;
use skinflint_kernels::Pairing;

use super::{Architecture, Described, Scaling, Shape};
use crate::error::LoadFault;
use crate::model::rope::Llama3;

/// The members that are read; a config has many more.
#[derive(Debug, Deserialize)]
struct Config {
    model_type: String,
    vocab_size: usize,
    max_position_embeddings: u32,
    hidden_size: usize,
    num_hidden_layers: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    rms_norm_eps: f32,
    rope_theta: Option<f64>,
    rope_local_base_freq: Option<f64>,
    rope_scaling: Option<RopeParameters>,
    /// What newer configs have in place of the three before.
    rope_parameters: Option<RopeByLayer>,
    sliding_window: Option<usize>,
    sliding_window_pattern: Option<usize>,
    layer_types: Option<Vec<String>>,
    query_pre_attn_scalar: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
struct RopeParameters {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RopeByLayer {
    ByType {
        full_attention: RopeParameters,
        sliding_attention: RopeParameters,
    },
    One(RopeParameters),
}

impl Shape {
    /// Reads `config.json`.
    pub(crate) fn of_config(path: &Path) -> Result<Self, LoadFault> {
        let text = std::fs::read(path).map_err(|source| LoadFault::Read {
            path: path.to_path_buf(),
            source,
        })?;
        let json = |source| LoadFault::Json {
            path: path.to_path_buf(),
            source,
        };
        let config: Config = serde_json::from_slice(&text).map_err(json)?;
        let architecture = Architecture::of_config(&config.model_type)?;
        let vocabulary = config.vocab_size;
        Self::validate(architecture, vocabulary, &config.describe(architecture)?)
    }
}

impl Config {
    fn describe(self, architecture: Architecture) -> Result<Described, LoadFault> {
        let is_gemma = architecture == Architecture::Gemma3;
        let (global, local) = match self.rope_parameters {
            Some(RopeByLayer::ByType {
                full_attention,
                sliding_attention,
            }) => (Some(full_attention), sliding_attention.rope_theta),
            Some(RopeByLayer::One(parameters)) => (Some(parameters), None),
            None => (self.rope_scaling, None),
        };
        let sliding = |types: Vec<String>| -> Vec<bool> {
            types
                .iter()
                .map(|name| name == "sliding_attention")
                .collect()
        };
        Ok(Described {
            context_length: self.max_position_embeddings,
            width: self.hidden_size,
            layers: self.num_hidden_layers,
            feed_forward: self.intermediate_size,
            heads: self.num_attention_heads,
            key_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            head_dim: self.head_dim,
            epsilon: self.rms_norm_eps,
            base: global
                .as_ref()
                .and_then(|global| global.rope_theta)
                .or(self.rope_theta),
            local_base: local.or(self.rope_local_base_freq),
            scaling: global.map_or(Ok(Scaling::None), RopeParameters::scaling)?,
            pairing: Pairing::Halves,
            window: self.sliding_window.filter(|_| is_gemma),
            global_period: self.sliding_window_pattern,
            sliding: self.layer_types.map(sliding),
            query_divisor: self.query_pre_attn_scalar.filter(|_| is_gemma),
            norms_less_one: is_gemma,
        })
    }
}

impl RopeParameters {
    fn scaling(self) -> Result<Scaling, LoadFault> {
        let missing = |name: &str| LoadFault::Shape {
            reason: format!("the rope parameters have no {name}"),
        };
        let factor = || self.factor.ok_or_else(|| missing("factor"));
        match self.rope_type.as_deref() {
            None | Some("default") => Ok(Scaling::None),
            Some("linear") => Ok(Scaling::Linear(factor()?)),
            Some("llama3") => Ok(Scaling::Llama3(Llama3 {
                factor: factor()?,
                low_freq_factor: self
                    .low_freq_factor
                    .ok_or_else(|| missing("low_freq_factor"))?,
                high_freq_factor: self
                    .high_freq_factor
                    .ok_or_else(|| missing("high_freq_factor"))?,
                original_context: self
                    .original_max_position_embeddings
                    .ok_or_else(|| missing("original_max_position_embeddings"))?,
            })),
            Some(other) => Err(LoadFault::Shape {
                reason: format!(
                    "rope type {other:?} is not supported (supported: default, linear, llama3)"
                ),
            }),
        }
    }
}
