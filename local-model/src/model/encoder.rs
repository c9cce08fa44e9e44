//! The forward pass of encoders, which see a text as a whole: [`Encoder`].
//!
//! BERT (Devlin et al., 2019) and XLM-R (Conneau et al., 2020) normalise behind each layer and have
//! learned positions; `ModernBERT` (Warner et al., 2024) normalises before and rotates, and most of its
//! layers see a window alone. The rows of all texts go through the products together, without padding.

mod attention;
mod layer;
mod shape;

use candle_core::{Device, Result, Tensor};
use skinflint_kernels::{KeyValues, Lead, PackedMatrix, Team};

use self::layer::{Layer, Reader};
pub(crate) use self::shape::{EncoderShape, Family};
use super::linear::Linear;
use super::ops::{Norm, activate, add};
use super::rope::Angles;
use crate::checkpoint::Checkpoint;
use crate::error::LoadFault;

/// An encoder's weights, and how to run them.
pub(crate) struct Encoder {
    shape: EncoderShape,
    words: PackedMatrix,
    /// Learned positions, the first token type already added.
    positions: Option<Vec<f32>>,
    embedding_norm: Norm,
    layers: Vec<Layer>,
    output_norm: Option<Norm>,
}

/// What is put on an encoder to tell each token's class.
pub(crate) struct TokenHead {
    /// What some families do before.
    transform: Option<(Linear, Norm)>,
    classifier: Linear,
}

/// The angles of a step's rows.
struct StepAngles {
    global: Angles,
    local: Angles,
}

impl Encoder {
    /// Reads the weights.
    pub(crate) fn load(
        team: &Team,
        shape: EncoderShape,
        checkpoint: &mut dyn Checkpoint,
    ) -> std::result::Result<Self, LoadFault> {
        let mut reader = Reader::new(team, &shape, checkpoint);
        let words = reader.words()?;
        let positions = reader.positions()?;
        let embedding_norm = reader.embedding_norm()?;
        let layers = (0..shape.layers)
            .map(|index| Layer::load(&mut reader, index))
            .collect::<std::result::Result<_, _>>()?;
        let output_norm = reader.output_norm()?;
        Ok(Self {
            shape,
            words,
            positions,
            embedding_norm,
            layers,
            output_norm,
        })
    }

    /// Reads the weights of a head that tells so many classes.
    pub(crate) fn load_head(
        &self,
        team: &Team,
        labels: usize,
        checkpoint: &mut dyn Checkpoint,
    ) -> std::result::Result<TokenHead, LoadFault> {
        let mut reader = Reader::new(team, &self.shape, checkpoint);
        Ok(TokenHead {
            transform: reader.head_transform()?,
            classifier: reader.classifier(labels)?,
        })
    }

    /// The longest text, in tokens.
    pub(crate) fn max_length(&self) -> usize {
        self.shape.max_length
    }

    /// Values of a hidden state.
    pub(crate) fn width(&self) -> usize {
        self.shape.width
    }

    /// Final hidden states, (tokens of all texts, width). What a text gets does not depend on the
    /// others.
    pub(crate) fn hidden(&self, lead: &Lead<'_>, texts: &[&[u32]]) -> Result<Tensor> {
        let embedded = self.embed(texts)?;
        let mut states = self.embedding_norm.forward(lead, &embedded)?;
        let angles = self.angles(texts);
        let mut sequences: Vec<KeyValues<f32>> = texts
            .iter()
            .map(|_| KeyValues::new(self.shape.heads, self.shape.head_dim()))
            .collect();
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = match &layer.attention_norm {
                Some(norm) => norm.forward(lead, &states)?,
                None => states.clone(),
            };
            let step = (texts, sequences.as_mut_slice());
            let mixed = layer.attend(lead, &self.shape, &normed, &angles, index, step)?;
            add(lead, &states, &mixed, None)?;
            if let Some(norm) = &layer.post_attention_norm {
                states = norm.forward(lead, &states)?;
            }
            let normed = match &layer.feed_forward_norm {
                Some(norm) => norm.forward(lead, &states)?,
                None => states.clone(),
            };
            let fed = layer.feed_forward(lead, self.shape.activation, &normed)?;
            add(lead, &states, &fed, None)?;
            if let Some(norm) = &layer.post_feed_forward_norm {
                states = norm.forward(lead, &states)?;
            }
        }
        match &self.output_norm {
            Some(norm) => norm.forward(lead, &states),
            None => Ok(states),
        }
    }

    /// Logits of each token's classes, (tokens of all texts, labels).
    pub(crate) fn classify(
        &self,
        lead: &Lead<'_>,
        head: &TokenHead,
        hidden: &Tensor,
    ) -> Result<Tensor> {
        let Some((dense, norm)) = &head.transform else {
            return head.classifier.forward(lead, hidden);
        };
        let inner = dense.forward(lead, hidden)?;
        activate(lead, self.shape.activation, &inner)?;
        head.classifier.forward(lead, &norm.forward(lead, &inner)?)
    }

    /// The embedding rows of all texts' tokens, (tokens, width).
    fn embed(&self, texts: &[&[u32]]) -> Result<Tensor> {
        let width = self.shape.width;
        let count: usize = texts.iter().map(|text| text.len()).sum();
        let mut states = vec![0.0; count * width];
        let mut rows = states.chunks_exact_mut(width);
        for text in texts {
            if text.len() > self.shape.max_length {
                let most = self.shape.max_length;
                candle_core::bail!("a text of {} tokens, at most {most}", text.len());
            }
            for (index, (&token, row)) in text.iter().zip(&mut rows).enumerate() {
                let token = token as usize;
                if token >= self.shape.vocabulary {
                    let size = self.shape.vocabulary;
                    candle_core::bail!("token {token} of a vocabulary of {size}");
                }
                self.words.read_row(token, row);
                if let Some(positions) = &self.positions {
                    let at = (index + self.shape.first_position) * width;
                    let learned = &positions[at..at + width];
                    row.iter_mut()
                        .zip(learned)
                        .for_each(|(value, p)| *value += p);
                }
            }
        }
        Tensor::from_vec(states, (count, width), &Device::Cpu)
    }

    fn angles(&self, texts: &[&[u32]]) -> StepAngles {
        let mut angles = StepAngles {
            global: Angles::default(),
            local: Angles::default(),
        };
        if let Some(ropes) = &self.shape.ropes {
            for text in texts {
                ropes.global.append(0, text.len(), &mut angles.global);
                ropes.local.append(0, text.len(), &mut angles.local);
            }
        }
        angles
    }
}

#[cfg(test)]
mod tests;
