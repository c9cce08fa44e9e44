//! One layer's weights.

use std::sync::Arc;

use skinflint_kernels::PackedMatrix;

use crate::checkpoint::{self, Checkpoint};
use crate::error::LoadFault;
use crate::model::Compute;
use crate::model::architecture::{Naming, Part};
use crate::model::linear::Linear;
use crate::model::ops::Norm;
use crate::model::shape::Shape;

/// The weights of one layer.
pub(super) struct Layer {
    pub(super) attention_norm: Norm,
    /// Queries, keys and values side by side.
    pub(super) query_key_value: Linear,
    /// Norms of each head's queries and keys.
    pub(super) head_norms: Option<(Vec<f32>, Vec<f32>)>,
    pub(super) output: Linear,
    pub(super) post_attention_norm: Option<Norm>,
    pub(super) feed_forward_norm: Norm,
    /// Gate and up side by side.
    pub(super) gate_up: Linear,
    pub(super) down: Linear,
    pub(super) post_feed_forward_norm: Option<Norm>,
}

/// Reads tensors by what they are for.
pub(super) struct Reader<'a> {
    pub(super) compute: Compute<'a>,
    pub(super) shape: &'a Shape,
    pub(super) naming: Naming,
    pub(super) checkpoint: &'a mut dyn Checkpoint,
}

impl Reader<'_> {
    /// Whether a tensor that belongs to no layer is there.
    pub(super) fn has(&self, part: Part) -> bool {
        self.checkpoint.has_tensor(&self.name(part, 0))
    }

    fn name(&self, part: Part, layer: usize) -> String {
        self.shape.architecture.tensor(self.naming, part, layer)
    }

    pub(super) fn matrix(
        &mut self,
        part: Part,
        layer: usize,
        rows: usize,
        columns: usize,
    ) -> Result<PackedMatrix, LoadFault> {
        let name = self.name(part, layer);
        checkpoint::matrix(
            self.checkpoint,
            &self.compute.team.lead(),
            &name,
            rows,
            columns,
        )
    }

    fn vector(&mut self, part: Part, layer: usize, size: usize) -> Result<Vec<f32>, LoadFault> {
        let name = self.name(part, layer);
        let mut values = checkpoint::vector(self.checkpoint, &name, size)?;
        let offset = self.shape.norm_offset;
        for value in &mut values {
            *value += offset;
        }
        Ok(values)
    }

    pub(super) fn norm(
        &mut self,
        part: Part,
        layer: usize,
        size: usize,
    ) -> Result<Norm, LoadFault> {
        Ok(Norm::Rms {
            weight: self.vector(part, layer, size)?,
            epsilon: self.shape.epsilon,
        })
    }

    fn norm_if(
        &mut self,
        is_there: bool,
        part: Part,
        layer: usize,
    ) -> Result<Option<Norm>, LoadFault> {
        let width = self.shape.width;
        is_there.then(|| self.norm(part, layer, width)).transpose()
    }

    /// The bias beside a matrix, if there is one.
    fn bias(
        &mut self,
        part: Part,
        layer: usize,
        size: usize,
    ) -> Result<Option<Vec<f32>>, LoadFault> {
        let weight = self.name(part, layer);
        let name = weight.strip_suffix("weight").unwrap_or(&weight).to_owned() + "bias";
        if self.checkpoint.has_tensor(&name) {
            checkpoint::vector(self.checkpoint, &name, size).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Matrices with the same input, as one product, with the biases that are there.
    fn linear(
        &mut self,
        layer: usize,
        columns: usize,
        parts: &[(Part, usize)],
    ) -> Result<Linear, LoadFault> {
        let mut matrices = Vec::with_capacity(parts.len());
        let mut biases = Vec::with_capacity(parts.len());
        for &(part, rows) in parts {
            matrices.push(Arc::new(self.matrix(part, layer, rows, columns)?));
            biases.push((self.bias(part, layer, rows)?, rows));
        }
        let bias = biases.iter().any(|(bias, _)| bias.is_some()).then(|| {
            let filled = |(bias, rows): (Option<Vec<f32>>, usize)| bias.unwrap_or(vec![0.0; rows]);
            biases.into_iter().flat_map(filled).collect()
        });
        Ok(Linear::new(self.compute.precision, matrices).with_bias(bias))
    }
}

impl Layer {
    pub(super) fn load(reader: &mut Reader<'_>, index: usize) -> Result<Self, LoadFault> {
        let shape = reader.shape;
        let (width, head_dim, inner) = (shape.width, shape.head_dim, shape.feed_forward);
        let queries = shape.heads * head_dim;
        let keys = shape.key_heads * head_dim;
        let architecture = shape.architecture;
        let has_post_norms = architecture.has_post_norms();
        let attention = [
            (Part::Query, queries),
            (Part::Key, keys),
            (Part::Value, keys),
        ];
        Ok(Self {
            attention_norm: reader.norm(Part::AttentionNorm, index, width)?,
            query_key_value: reader.linear(index, width, &attention)?,
            head_norms: if architecture.has_head_norms() {
                let queries = reader.vector(Part::QueryNorm, index, head_dim)?;
                Some((queries, reader.vector(Part::KeyNorm, index, head_dim)?))
            } else {
                None
            },
            output: reader.linear(index, queries, &[(Part::Output, width)])?,
            post_attention_norm: reader.norm_if(has_post_norms, Part::PostAttentionNorm, index)?,
            feed_forward_norm: reader.norm(Part::FeedForwardNorm, index, width)?,
            gate_up: reader.linear(index, width, &[(Part::Gate, inner), (Part::Up, inner)])?,
            down: reader.linear(index, inner, &[(Part::Down, width)])?,
            post_feed_forward_norm: reader.norm_if(
                has_post_norms,
                Part::PostFeedForwardNorm,
                index,
            )?,
        })
    }
}
