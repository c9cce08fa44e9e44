//! Gemma 3 (Gemma Team, 2025, "Gemma 3 Technical Report"), text only, from GGUF.
//!
//! Normalisation weights are stored with their +1 already added.

use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{Device, Result, Tensor};
use candle_nn::ops::rms_norm;
use skinflint_kernels::Lead;

use super::attention::attend;
use super::geglu::geglu;
use super::kv::{KvCache, LayerCache};
use super::linear::Linear;
use super::rope::{Rope, Rotation};
use super::{Chunk, Model, Rows};
use crate::error::LoadFault;
use crate::gguf::GgufFile;

/// Every sixth layer sees the whole context, the others a sliding window.
const GLOBAL_LAYER_PERIOD: u32 = 6;

/// The wavelength base of the sliding layers; files name only that of the global ones.
const LOCAL_ROPE_BASE: f32 = 10_000.0;

/// The wavelength base of the global layers, where the file names none.
const GLOBAL_ROPE_BASE: f32 = 1_000_000.0;

/// The 27B model, told by its depth, scales queries by width / heads instead of the head dimension.
const LAYERS_OF_27B: usize = 62;

/// The numbers that describe a checkpoint.
struct Shape {
    context_length: u32,
    width: usize,
    layers: usize,
    feed_forward: usize,
    heads: usize,
    key_heads: usize,
    head_dim: usize,
    vocabulary: usize,
    window: usize,
    global_period: usize,
    epsilon: f32,
}

/// The weights, and how to run them.
pub(crate) struct Gemma3 {
    shape: Shape,
    query_scale: f64,
    embedding: Arc<QTensor>,
    layers: Vec<Layer>,
    output_norm: Tensor,
    head: Linear,
    local_rope: Rope,
    global_rope: Rope,
}

struct Layer {
    /// `None` for a layer that sees the whole context.
    window: Option<usize>,
    attention_norm: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    query_norm: Tensor,
    key_norm: Tensor,
    output: Linear,
    post_attention_norm: Tensor,
    feed_forward_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
    post_feed_forward_norm: Tensor,
}

impl Gemma3 {
    /// Reads the weights; they stay quantized as they are in the file.
    pub(crate) fn load(
        gguf: &mut GgufFile,
        vocabulary: usize,
    ) -> std::result::Result<Self, LoadFault> {
        let shape = Shape::read(gguf, vocabulary)?;
        let embedding = Arc::new(gguf.tensor("token_embd.weight", &[vocabulary, shape.width])?);
        let head = if gguf.has_tensor("output.weight") {
            matrix(gguf, "output.weight", vocabulary, shape.width)?
        } else {
            Linear::new(Arc::clone(&embedding)).map_err(LoadFault::Corrupt)?
        };
        let layers = (0..shape.layers)
            .map(|index| Layer::load(gguf, &shape, index))
            .collect::<std::result::Result<_, _>>()?;
        let global_base = gguf
            .float_if_given("gemma3.rope.freq_base")?
            .unwrap_or(GLOBAL_ROPE_BASE);
        let global_scale = gguf
            .float_if_given("gemma3.rope.scaling.factor")?
            .unwrap_or(1.0);
        #[expect(clippy::cast_precision_loss, reason = "dimensions are small")]
        let query_dim = if shape.layers == LAYERS_OF_27B {
            shape.width as f64 / shape.heads as f64
        } else {
            shape.head_dim as f64
        };
        Ok(Self {
            query_scale: query_dim.powf(-0.5),
            embedding,
            layers,
            output_norm: vector(gguf, "output_norm.weight", shape.width)?,
            head,
            local_rope: Rope::new(shape.head_dim, LOCAL_ROPE_BASE, 1.0),
            global_rope: Rope::new(shape.head_dim, global_base, global_scale),
            shape,
        })
    }

    fn attention(
        &self,
        layer: &Layer,
        states: &Tensor,
        first: usize,
        rotation: &Rotation,
        cache: &mut LayerCache,
    ) -> Result<Tensor> {
        let shape = &self.shape;
        let count = states.dim(0)?;
        let split = |rows: Tensor, heads: usize| {
            rows.reshape((count, heads, shape.head_dim))?
                .transpose(0, 1)?
                .contiguous()
        };
        let queries = split(layer.query.forward(states)?, shape.heads)?;
        let keys = split(layer.key.forward(states)?, shape.key_heads)?;
        let values = split(layer.value.forward(states)?, shape.key_heads)?;
        let queries = rms_norm(&queries, &layer.query_norm, shape.epsilon)?;
        let keys = rms_norm(&keys, &layer.key_norm, shape.epsilon)?;
        let queries = (rotation.apply(&queries)? * self.query_scale)?;
        cache.append(&rotation.apply(&keys)?, &values)?;
        let attended = attend(&queries, first, layer.window, cache)?;
        layer.output.forward(&attended)
    }

    fn hidden_of(&self, tokens: &[u32], cache: &mut KvCache) -> Result<Tensor> {
        let epsilon = self.shape.epsilon;
        let first = cache.position();
        let local = self.local_rope.rotation(first, tokens.len())?;
        let global = self.global_rope.rotation(first, tokens.len())?;
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        #[expect(clippy::cast_precision_loss, reason = "the width is small")]
        let scale = (self.shape.width as f64).sqrt();
        let mut states = (self.embedding.embedding(&ids)? * scale)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let rotation = if layer.window.is_some() {
                &local
            } else {
                &global
            };
            let normed = rms_norm(&states, &layer.attention_norm, epsilon)?;
            let attended = self.attention(layer, &normed, first, rotation, cache.layer(index))?;
            states = (states + rms_norm(&attended, &layer.post_attention_norm, epsilon)?)?;
            let normed = rms_norm(&states, &layer.feed_forward_norm, epsilon)?;
            let gated = geglu(&layer.gate.forward(&normed)?, &layer.up.forward(&normed)?)?;
            let fed = layer.down.forward(&gated)?;
            states = (states + rms_norm(&fed, &layer.post_feed_forward_norm, epsilon)?)?;
        }
        cache.advance(tokens.len());
        rms_norm(&states, &self.output_norm, epsilon)
    }
}

impl Model for Gemma3 {
    fn context_length(&self) -> u32 {
        self.shape.context_length
    }

    fn cache(&self, expected: usize) -> KvCache {
        KvCache::new(self.layers.iter().map(|layer| layer.window), expected)
    }

    fn cache_bytes(&self, positions: usize) -> usize {
        let per_position = 2 * self.shape.key_heads * self.shape.head_dim * size_of::<f32>();
        let held = |layer: &Layer| {
            layer
                .window
                .map_or(positions, |window| positions.min(window))
        };
        self.layers.iter().map(held).sum::<usize>() * per_position
    }

    fn hidden(&self, _lead: &Lead<'_>, chunks: &mut [Chunk<'_>]) -> Result<Tensor> {
        let mut rows = Vec::new();
        for chunk in chunks {
            let hidden = self.hidden_of(chunk.tokens, chunk.cache)?;
            match chunk.rows {
                Rows::None => {}
                Rows::Last => rows.push(hidden.narrow(0, chunk.tokens.len() - 1, 1)?.contiguous()?),
                Rows::All => rows.push(hidden),
            }
        }
        if rows.is_empty() {
            return Tensor::zeros((0, self.shape.width), candle_core::DType::F32, &Device::Cpu);
        }
        Tensor::cat(&rows, 0)
    }

    fn logits(&self, _lead: &Lead<'_>, hidden: &Tensor) -> Result<Tensor> {
        self.head.forward_compact(hidden)
    }
}

impl Shape {
    fn read(gguf: &GgufFile, vocabulary: usize) -> std::result::Result<Self, LoadFault> {
        let integer = |key: &str| gguf.integer(&format!("gemma3.{key}"));
        let size = |key: &str| -> std::result::Result<usize, LoadFault> {
            match usize::try_from(integer(key)?) {
                Ok(value) if value > 0 => Ok(value),
                _ => Err(LoadFault::Shape {
                    reason: format!("gemma3.{key} is zero"),
                }),
            }
        };
        let heads = size("attention.head_count")?;
        let head_dim = size("attention.key_length")?;
        let shape = Self {
            context_length: integer("context_length")?,
            width: size("embedding_length")?,
            layers: size("block_count")?,
            feed_forward: size("feed_forward_length")?,
            heads,
            key_heads: size("attention.head_count_kv")?,
            head_dim,
            vocabulary,
            window: size("attention.sliding_window")?,
            global_period: gguf
                .integer_if_given("gemma3.attention.sliding_window_pattern")?
                .unwrap_or(GLOBAL_LAYER_PERIOD)
                .try_into()
                .unwrap_or(usize::MAX),
            epsilon: gguf
                .float_if_given("gemma3.attention.layer_norm_rms_epsilon")?
                .ok_or_else(|| LoadFault::Metadata {
                    key: "gemma3.attention.layer_norm_rms_epsilon".to_owned(),
                    expected: "a number",
                })?,
        };
        shape.check(size("attention.value_length")?)?;
        Ok(shape)
    }

    fn check(&self, value_length: usize) -> std::result::Result<(), LoadFault> {
        let reason = if !self.heads.is_multiple_of(self.key_heads) {
            format!(
                "{} heads do not share {} key heads evenly",
                self.heads, self.key_heads
            )
        } else if !self.head_dim.is_multiple_of(2) {
            format!("head dimension {} is odd", self.head_dim)
        } else if value_length != self.head_dim {
            format!(
                "key length {} and value length {value_length} differ",
                self.head_dim
            )
        } else if self.context_length == 0 || self.vocabulary == 0 || self.global_period == 0 {
            "context, vocabulary or sliding window pattern is zero".to_owned()
        } else {
            return Ok(());
        };
        Err(LoadFault::Shape { reason })
    }
}

impl Layer {
    fn load(
        gguf: &mut GgufFile,
        shape: &Shape,
        index: usize,
    ) -> std::result::Result<Self, LoadFault> {
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        let (width, head_dim) = (shape.width, shape.head_dim);
        let query_width = shape.heads * head_dim;
        let key_width = shape.key_heads * head_dim;
        let is_global = (index + 1).is_multiple_of(shape.global_period);
        Ok(Self {
            window: (!is_global).then_some(shape.window),
            attention_norm: vector(gguf, &name("attn_norm"), width)?,
            query: matrix(gguf, &name("attn_q"), query_width, width)?,
            key: matrix(gguf, &name("attn_k"), key_width, width)?,
            value: matrix(gguf, &name("attn_v"), key_width, width)?,
            query_norm: vector(gguf, &name("attn_q_norm"), head_dim)?,
            key_norm: vector(gguf, &name("attn_k_norm"), head_dim)?,
            output: matrix(gguf, &name("attn_output"), width, query_width)?,
            post_attention_norm: vector(gguf, &name("post_attention_norm"), width)?,
            feed_forward_norm: vector(gguf, &name("ffn_norm"), width)?,
            gate: matrix(gguf, &name("ffn_gate"), shape.feed_forward, width)?,
            up: matrix(gguf, &name("ffn_up"), shape.feed_forward, width)?,
            down: matrix(gguf, &name("ffn_down"), width, shape.feed_forward)?,
            post_feed_forward_norm: vector(gguf, &name("post_ffw_norm"), width)?,
        })
    }
}

fn matrix(
    gguf: &mut GgufFile,
    name: &str,
    rows: usize,
    columns: usize,
) -> std::result::Result<Linear, LoadFault> {
    let weight = gguf.tensor(name, &[rows, columns])?;
    Linear::new(Arc::new(weight)).map_err(LoadFault::Corrupt)
}

fn vector(gguf: &mut GgufFile, name: &str, size: usize) -> std::result::Result<Tensor, LoadFault> {
    let weight = gguf.tensor(name, &[size])?;
    weight.dequantize(&Device::Cpu).map_err(LoadFault::Corrupt)
}

#[cfg(test)]
mod tests;
