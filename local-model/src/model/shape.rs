//! The numbers that describe a decoder: [`Shape`].

mod config;
mod gguf;

use skinflint_kernels::{Activation, Pairing};

use super::architecture::Architecture;
use super::rope::{Rope, Scaling};
use crate::error::LoadFault;

/// Every so many layers of Gemma 3 one sees the whole context, the others a sliding window.
const GEMMA_GLOBAL_PERIOD: usize = 6;
/// The wavelength base of Gemma 3's sliding layers, where a file names only that of the others.
const GEMMA_LOCAL_BASE: f64 = 10_000.0;
/// The wavelength base of Gemma 3's other layers, where a file names none.
const GEMMA_GLOBAL_BASE: f64 = 1_000_000.0;
/// The wavelength base of the other families, where a file names none.
const DEFAULT_BASE: f64 = 10_000.0;
/// The 27B model, told by its depth, scales queries by width / heads instead of the head dimension.
const GEMMA_LAYERS_OF_27B: usize = 62;

/// What a file says of a decoder, in its own units; `None` where it does not.
#[derive(Debug)]
struct Described {
    context_length: u32,
    width: usize,
    layers: usize,
    feed_forward: usize,
    heads: usize,
    key_heads: usize,
    head_dim: Option<usize>,
    epsilon: f32,
    base: Option<f64>,
    local_base: Option<f64>,
    scaling: Scaling,
    pairing: Pairing,
    window: Option<usize>,
    /// Every so many layers one sees the whole context.
    global_period: Option<usize>,
    /// Layer by layer, whether it has a sliding window.
    sliding: Option<Vec<bool>>,
    /// The square of what queries are divided by.
    query_divisor: Option<f64>,
    /// Whether norm weights are stored less 1.
    norms_less_one: bool,
}

/// A decoder's dimensions, and how it computes.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) architecture: Architecture,
    /// Positions that the weights were trained for.
    pub(crate) context_length: u32,
    pub(crate) width: usize,
    pub(crate) feed_forward: usize,
    pub(crate) heads: usize,
    pub(crate) key_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) vocabulary: usize,
    pub(crate) epsilon: f32,
    pub(crate) activation: Activation,
    pub(crate) query_scale: f32,
    pub(crate) embedding_scale: f32,
    /// Layer by layer: `Some(n)` if a position sees itself and n - 1 before it.
    pub(crate) windows: Vec<Option<usize>>,
    /// Of layers that see the whole context.
    pub(crate) global_rope: Rope,
    /// Of layers with a window.
    pub(crate) local_rope: Rope,
    pub(crate) pairing: Pairing,
    /// What is added to norm weights.
    pub(crate) norm_offset: f32,
}

impl Shape {
    fn validate(
        architecture: Architecture,
        vocabulary: usize,
        described: &Described,
    ) -> Result<Self, LoadFault> {
        let head_dim = described
            .head_dim
            .unwrap_or(described.width / described.heads.max(1));
        check(described, head_dim, vocabulary).map_err(|reason| LoadFault::Shape { reason })?;
        let is_gemma = architecture == Architecture::Gemma3;
        #[expect(clippy::cast_precision_loss, reason = "dimensions are small")]
        let query_divisor = match described.query_divisor {
            Some(divisor) => divisor,
            None if is_gemma && described.layers == GEMMA_LAYERS_OF_27B => {
                described.width as f64 / described.heads as f64
            }
            None => head_dim as f64,
        };
        #[expect(clippy::cast_precision_loss, reason = "the width is small")]
        let embedding_scale = if is_gemma {
            (described.width as f32).sqrt()
        } else {
            1.0
        };
        let default_base = if is_gemma {
            GEMMA_GLOBAL_BASE
        } else {
            DEFAULT_BASE
        };
        let base = described.base.unwrap_or(default_base);
        let local_base = described.local_base.unwrap_or(GEMMA_LOCAL_BASE);
        #[expect(clippy::cast_possible_truncation, reason = "used in f32")]
        let query_scale = query_divisor.powf(-0.5) as f32;
        Ok(Self {
            architecture,
            context_length: described.context_length,
            width: described.width,
            feed_forward: described.feed_forward,
            heads: described.heads,
            key_heads: described.key_heads,
            head_dim,
            vocabulary,
            epsilon: described.epsilon,
            activation: if is_gemma {
                Activation::GeluTanh
            } else {
                Activation::Silu
            },
            query_scale,
            embedding_scale,
            windows: windows(architecture, described),
            global_rope: Rope::new(head_dim, base, &described.scaling),
            local_rope: Rope::new(head_dim, local_base, &Scaling::None),
            pairing: described.pairing,
            norm_offset: if described.norms_less_one { 1.0 } else { 0.0 },
        })
    }
}

/// Only Gemma 3 has sliding windows among the families here; others name one that is not used.
fn windows(architecture: Architecture, described: &Described) -> Vec<Option<usize>> {
    let period = described.global_period.unwrap_or(GEMMA_GLOBAL_PERIOD);
    let is_sliding = |layer: usize| match &described.sliding {
        Some(sliding) => sliding.get(layer).copied().unwrap_or(false),
        None => architecture == Architecture::Gemma3 && !(layer + 1).is_multiple_of(period),
    };
    (0..described.layers)
        .map(|layer| described.window.filter(|_| is_sliding(layer)))
        .collect()
}

fn check(described: &Described, head_dim: usize, vocabulary: usize) -> Result<(), String> {
    let Described {
        heads, key_heads, ..
    } = *described;
    let sizes = [
        ("context length", described.context_length as usize),
        ("width", described.width),
        ("number of layers", described.layers),
        ("feed-forward width", described.feed_forward),
        ("number of heads", heads),
        ("number of key heads", key_heads),
        ("head dimension", head_dim),
        ("vocabulary", vocabulary),
        ("sliding window", described.window.unwrap_or(1)),
        (
            "sliding window pattern",
            described.global_period.unwrap_or(1),
        ),
    ];
    if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
        return Err(format!("the {name} is zero"));
    }
    if !heads.is_multiple_of(key_heads) {
        return Err(format!(
            "{heads} heads do not share {key_heads} key heads evenly"
        ));
    }
    if !head_dim.is_multiple_of(2) {
        return Err(format!("head dimension {head_dim} is odd"));
    }
    if let Some(sliding) = &described.sliding
        && sliding.len() != described.layers
    {
        return Err(format!(
            "{} layers have {} types",
            described.layers,
            sliding.len()
        ));
    }
    Ok(())
}
