//! One layer's weights, and what all tensors are called.

use std::sync::Arc;

use candle_core::{Result as TensorResult, Tensor};
use skinflint_kernels::{Activation, Lead, PackedMatrix, Precision, Team};

use super::{EncoderShape, Family};
use crate::checkpoint::{self, Checkpoint};
use crate::error::LoadFault;
use crate::model::linear::Linear;
use crate::model::ops::{Norm, activate, gated};

/// The weights of one layer.
pub(super) struct Layer {
    /// Before attention, or none.
    pub(super) attention_norm: Option<Norm>,
    /// Queries, keys and values side by side.
    pub(super) query_key_value: Linear,
    pub(super) output: Linear,
    /// Behind attention, over the sum.
    pub(super) post_attention_norm: Option<Norm>,
    pub(super) feed_forward_norm: Option<Norm>,
    up: Linear,
    /// Whether `up` has gates, and then what they open.
    is_gated: bool,
    down: Linear,
    pub(super) post_feed_forward_norm: Option<Norm>,
}

impl Layer {
    pub(super) fn feed_forward(
        &self,
        lead: &Lead<'_>,
        activation: Activation,
        normed: &Tensor,
    ) -> TensorResult<Tensor> {
        let mut inner = self.up.forward(lead, normed)?;
        if self.is_gated {
            inner = gated(lead, activation, &inner)?;
        } else {
            activate(lead, activation, &inner)?;
        }
        self.down.forward(lead, &inner)
    }
}

/// Reads tensors under the names of their family.
pub(super) struct Reader<'a> {
    team: &'a Team,
    shape: &'a EncoderShape,
    checkpoint: &'a mut dyn Checkpoint,
    /// What stands before the encoder's names: none where it was saved alone.
    prefix: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        team: &'a Team,
        shape: &'a EncoderShape,
        checkpoint: &'a mut dyn Checkpoint,
    ) -> Self {
        let (prefix, first) = match shape.family {
            Family::Bert => ("bert.", "embeddings.word_embeddings.weight"),
            Family::XlmRoberta => ("roberta.", "embeddings.word_embeddings.weight"),
            Family::ModernBert => ("model.", "embeddings.tok_embeddings.weight"),
        };
        let prefix = if checkpoint.has_tensor(first) {
            ""
        } else {
            prefix
        };
        Self {
            team,
            shape,
            checkpoint,
            prefix,
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn matrix(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<PackedMatrix, LoadFault> {
        checkpoint::matrix(self.checkpoint, &self.team.lead(), name, rows, columns)
    }

    fn vector_if_there(&mut self, name: &str, size: usize) -> Result<Option<Vec<f32>>, LoadFault> {
        if self.checkpoint.has_tensor(name) {
            checkpoint::vector(self.checkpoint, name, size).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A layer norm by its full name.
    fn norm(&mut self, name: &str) -> Result<Norm, LoadFault> {
        let width = self.shape.width;
        Ok(Norm::Layer {
            weight: checkpoint::vector(self.checkpoint, &format!("{name}.weight"), width)?,
            bias: self.vector_if_there(&format!("{name}.bias"), width)?,
            epsilon: self.shape.epsilon,
        })
    }

    /// Matrices with the same input, by their full names and numbers of rows.
    fn linear(&mut self, columns: usize, parts: &[(String, usize)]) -> Result<Linear, LoadFault> {
        let mut matrices = Vec::with_capacity(parts.len());
        let mut bias = Vec::new();
        for (name, rows) in parts {
            matrices.push(Arc::new(self.matrix(
                &format!("{name}.weight"),
                *rows,
                columns,
            )?));
            if let Some(values) = self.vector_if_there(&format!("{name}.bias"), *rows)? {
                bias.extend(values);
            }
        }
        let linear = Linear::new(Precision::Bits8, matrices);
        if !bias.is_empty() && bias.len() != linear.width() {
            let names: Vec<_> = parts.iter().map(|(name, _)| name.as_str()).collect();
            return Err(LoadFault::Shape {
                reason: format!("only some of {} have a bias", names.join(", ")),
            });
        }
        Ok(linear.with_bias(Some(bias).filter(|bias| !bias.is_empty())))
    }

    fn is_modern(&self) -> bool {
        self.shape.family == Family::ModernBert
    }

    pub(super) fn words(&mut self) -> Result<PackedMatrix, LoadFault> {
        let name = if self.is_modern() {
            self.name("embeddings.tok_embeddings.weight")
        } else {
            self.name("embeddings.word_embeddings.weight")
        };
        self.matrix(&name, self.shape.vocabulary, self.shape.width)
    }

    /// The learned positions, with the first token type added to each.
    pub(super) fn positions(&mut self) -> Result<Option<Vec<f32>>, LoadFault> {
        if self.is_modern() {
            return Ok(None);
        }
        let width = self.shape.width;
        let count = self.shape.max_length + self.shape.first_position;
        let name = self.name("embeddings.position_embeddings.weight");
        let positions = self.matrix(&name, count, width)?;
        let name = self.name("embeddings.token_type_embeddings.weight");
        let types = self.matrix(&name, self.shape.token_types, width)?;
        let mut first_type = vec![0.0; width];
        types.read_row(0, &mut first_type);
        let mut all = vec![0.0; count * width];
        for (index, row) in all.chunks_exact_mut(width).enumerate() {
            positions.read_row(index, row);
            row.iter_mut()
                .zip(&first_type)
                .for_each(|(value, t)| *value += t);
        }
        Ok(Some(all))
    }

    pub(super) fn embedding_norm(&mut self) -> Result<Norm, LoadFault> {
        let name = if self.is_modern() {
            "embeddings.norm"
        } else {
            "embeddings.LayerNorm"
        };
        self.norm(&self.name(name))
    }

    pub(super) fn output_norm(&mut self) -> Result<Option<Norm>, LoadFault> {
        self.is_modern()
            .then(|| self.norm(&self.name("final_norm")))
            .transpose()
    }

    /// What `ModernBERT` does before it tells classes.
    pub(super) fn head_transform(&mut self) -> Result<Option<(Linear, Norm)>, LoadFault> {
        if !self.is_modern() {
            return Ok(None);
        }
        let width = self.shape.width;
        let dense = self.linear(width, &[("head.dense".to_owned(), width)])?;
        Ok(Some((dense, self.norm("head.norm")?)))
    }

    pub(super) fn classifier(&mut self, labels: usize) -> Result<Linear, LoadFault> {
        self.linear(self.shape.width, &[("classifier".to_owned(), labels)])
    }
}

impl Layer {
    pub(super) fn load(reader: &mut Reader<'_>, index: usize) -> Result<Self, LoadFault> {
        if reader.is_modern() {
            Self::load_modern(reader, index)
        } else {
            Self::load_bert(reader, index)
        }
    }

    fn load_bert(reader: &mut Reader<'_>, index: usize) -> Result<Self, LoadFault> {
        let (width, inner) = (reader.shape.width, reader.shape.feed_forward);
        let name =
            |reader: &Reader<'_>, part: &str| reader.name(&format!("encoder.layer.{index}.{part}"));
        let attention = ["query", "key", "value"]
            .map(|part| (name(reader, &format!("attention.self.{part}")), width));
        let output = name(reader, "attention.output");
        let up = name(reader, "intermediate.dense");
        let down = name(reader, "output");
        Ok(Self {
            attention_norm: None,
            query_key_value: reader.linear(width, &attention)?,
            output: reader.linear(width, &[(format!("{output}.dense"), width)])?,
            post_attention_norm: Some(reader.norm(&format!("{output}.LayerNorm"))?),
            feed_forward_norm: None,
            up: reader.linear(width, &[(up, inner)])?,
            is_gated: false,
            down: reader.linear(inner, &[(format!("{down}.dense"), width)])?,
            post_feed_forward_norm: Some(reader.norm(&format!("{down}.LayerNorm"))?),
        })
    }

    fn load_modern(reader: &mut Reader<'_>, index: usize) -> Result<Self, LoadFault> {
        let (width, inner) = (reader.shape.width, reader.shape.feed_forward);
        let name = |reader: &Reader<'_>, part: &str| reader.name(&format!("layers.{index}.{part}"));
        // The embedding's norm stands in for the first layer's.
        let norm = name(reader, "attn_norm");
        let attention_norm = (index > 0).then(|| reader.norm(&norm)).transpose()?;
        let (attention, output) = (name(reader, "attn.Wqkv"), name(reader, "attn.Wo"));
        let feed_forward_norm = name(reader, "mlp_norm");
        let (up, down) = (name(reader, "mlp.Wi"), name(reader, "mlp.Wo"));
        Ok(Self {
            attention_norm,
            query_key_value: reader.linear(width, &[(attention, 3 * width)])?,
            output: reader.linear(width, &[(output, width)])?,
            post_attention_norm: None,
            feed_forward_norm: Some(reader.norm(&feed_forward_norm)?),
            up: reader.linear(width, &[(up, 2 * inner)])?,
            is_gated: true,
            down: reader.linear(inner, &[(down, width)])?,
            post_feed_forward_norm: None,
        })
    }
}
