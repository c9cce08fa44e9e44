//! The numbers that describe an encoder: [`EncoderShape`].

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use skinflint_kernels::{Activation, Mask};

use crate::error::LoadFault;
use crate::model::rope::{Rope, Scaling};

/// Positions that XLM-R leaves out at the start: those up to its padding token's number.
const XLM_FIRST_POSITION: usize = 2;

/// A family of encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// BERT.
    Bert,
    /// XLM-R and `RoBERTa`.
    XlmRoberta,
    /// `ModernBERT`.
    ModernBert,
}

/// The angles of layers that rotate.
#[derive(Debug)]
pub(crate) struct Ropes {
    pub(crate) global: Rope,
    pub(crate) local: Rope,
}

/// An encoder's dimensions, and how it computes.
#[derive(Debug)]
pub(crate) struct EncoderShape {
    pub(crate) family: Family,
    pub(crate) width: usize,
    pub(crate) layers: usize,
    pub(crate) feed_forward: usize,
    pub(crate) heads: usize,
    pub(crate) vocabulary: usize,
    /// The longest text, in tokens.
    pub(crate) max_length: usize,
    /// The position of a text's first token.
    pub(crate) first_position: usize,
    pub(crate) token_types: usize,
    pub(crate) epsilon: f32,
    pub(crate) activation: Activation,
    pub(crate) ropes: Option<Ropes>,
    /// Every so many layers one sees the whole text, the first one does; the others see this far.
    window: Option<(usize, usize)>,
    /// What the classes of a token-classification head are called, by number.
    pub(crate) labels: Vec<String>,
}

/// The members that are read; a config has many more.
#[derive(Debug, Deserialize)]
struct Config {
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: Option<usize>,
    pad_token_id: Option<usize>,
    layer_norm_eps: Option<f32>,
    norm_eps: Option<f32>,
    hidden_act: Option<String>,
    hidden_activation: Option<String>,
    global_attn_every_n_layers: Option<usize>,
    local_attention: Option<usize>,
    global_rope_theta: Option<f64>,
    local_rope_theta: Option<f64>,
    rope_parameters: Option<RopeByLayer>,
    #[serde(default)]
    id2label: BTreeMap<usize, String>,
}

#[derive(Debug, Deserialize)]
struct RopeByLayer {
    full_attention: Option<RopeTheta>,
    sliding_attention: Option<RopeTheta>,
}

#[derive(Debug, Deserialize)]
struct RopeTheta {
    rope_theta: Option<f64>,
}

impl EncoderShape {
    /// Reads `config.json`.
    pub(crate) fn of_config(path: &Path) -> Result<Self, LoadFault> {
        let text = std::fs::read(path).map_err(|source| LoadFault::Read {
            path: path.to_path_buf(),
            source,
        })?;
        let config: Config = serde_json::from_slice(&text).map_err(|source| LoadFault::Json {
            path: path.to_path_buf(),
            source,
        })?;
        config.validate()
    }

    /// Values of a head.
    pub(crate) fn head_dim(&self) -> usize {
        self.width / self.heads
    }

    /// What the positions of a layer see.
    pub(crate) fn mask(&self, layer: usize) -> Mask {
        match self.window {
            Some((period, radius)) if !layer.is_multiple_of(period) => Mask::Around(radius),
            _ => Mask::Full,
        }
    }
}

impl Config {
    fn validate(self) -> Result<EncoderShape, LoadFault> {
        let family = match self.model_type.as_str() {
            "bert" => Family::Bert,
            "xlm-roberta" | "roberta" => Family::XlmRoberta,
            "modernbert" => Family::ModernBert,
            other => {
                return Err(LoadFault::UnsupportedEncoder {
                    architecture: other.to_owned(),
                });
            }
        };
        let wrong = |reason: String| Err(LoadFault::Shape { reason });
        let sizes = [
            ("vocabulary", self.vocab_size),
            ("width", self.hidden_size),
            ("number of layers", self.num_hidden_layers),
            ("number of heads", self.num_attention_heads),
            ("feed-forward width", self.intermediate_size),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return wrong(format!("the {name} is zero"));
        }
        let heads = self.num_attention_heads;
        if !self.hidden_size.is_multiple_of(2 * heads) {
            let width = self.hidden_size;
            return wrong(format!(
                "a width of {width} gives {heads} heads no even size"
            ));
        }
        let first_position = match family {
            Family::XlmRoberta => self.pad_token_id.map_or(XLM_FIRST_POSITION, |pad| pad + 1),
            Family::Bert | Family::ModernBert => 0,
        };
        let max_length = self.max_position_embeddings.saturating_sub(first_position);
        if max_length == 0 {
            return wrong("there is no room for a token".to_owned());
        }
        let activation = self
            .hidden_act
            .as_deref()
            .or(self.hidden_activation.as_deref());
        let activation = match activation.unwrap_or("gelu") {
            "gelu" => Activation::GeluErf,
            "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
            "silu" | "swish" => Activation::Silu,
            other => return wrong(format!("activation {other:?} is not supported")),
        };
        let is_modern = family == Family::ModernBert;
        let window = self.local_attention.unwrap_or(128) / 2;
        let period = self.global_attn_every_n_layers.unwrap_or(3).max(1);
        Ok(EncoderShape {
            family,
            width: self.hidden_size,
            layers: self.num_hidden_layers,
            feed_forward: self.intermediate_size,
            heads,
            vocabulary: self.vocab_size,
            max_length,
            first_position,
            token_types: self.type_vocab_size.unwrap_or(1),
            epsilon: self.layer_norm_eps.or(self.norm_eps).unwrap_or(1e-5),
            activation,
            ropes: is_modern.then(|| self.ropes()),
            window: is_modern.then_some((period, window)),
            labels: self.id2label.into_values().collect(),
        })
    }

    fn ropes(&self) -> Ropes {
        /// What the authors chose.
        const GLOBAL_BASE: f64 = 160_000.0;
        const LOCAL_BASE: f64 = 10_000.0;
        let head_dim = self.hidden_size / self.num_attention_heads;
        let by_layer = self.rope_parameters.as_ref();
        let newer = |theta: Option<&RopeTheta>| theta.and_then(|theta| theta.rope_theta);
        let global = newer(by_layer.and_then(|both| both.full_attention.as_ref()));
        let local = newer(by_layer.and_then(|both| both.sliding_attention.as_ref()));
        let global = global.or(self.global_rope_theta).unwrap_or(GLOBAL_BASE);
        let local = local.or(self.local_rope_theta).unwrap_or(LOCAL_BASE);
        Ropes {
            global: Rope::new(head_dim, global, &Scaling::None),
            local: Rope::new(head_dim, local, &Scaling::None),
        }
    }
}
