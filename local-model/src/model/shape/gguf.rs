//! A decoder as GGUF metadata describe it.

use skinflint_kernels::Pairing;

use super::{Architecture, Described, Scaling, Shape};
use crate::checkpoint::{Checkpoint, vector};
use crate::error::LoadFault;
use crate::gguf::GgufFile;

/// The tensor that has a factor for each of Llama 3's frequencies.
const FREQUENCY_FACTORS: &str = "rope_freqs.weight";

impl Shape {
    /// Reads the metadata of an architecture; `vocabulary` is the tokenizer's.
    pub(crate) fn of_gguf(
        architecture: Architecture,
        gguf: &mut GgufFile,
        vocabulary: usize,
    ) -> Result<Self, LoadFault> {
        let described = Described::of_gguf(architecture, gguf)?;
        Self::validate(architecture, vocabulary, &described)
    }
}

impl Described {
    fn of_gguf(architecture: Architecture, gguf: &mut GgufFile) -> Result<Self, LoadFault> {
        let prefix = architecture.name();
        let key = |name: &str| format!("{prefix}.{name}");
        let size = |name: &str| to_size(gguf.integer(&key(name))?);
        let size_if_given = |name: &str| -> Result<Option<usize>, LoadFault> {
            gguf.integer_if_given(&key(name))?.map(to_size).transpose()
        };
        let float = |name: &str| gguf.float_if_given(&key(name));
        let is_gemma = architecture == Architecture::Gemma3;
        let head_dim = size_if_given("attention.key_length")?;
        let described = Self {
            context_length: gguf.integer(&key("context_length"))?,
            width: size("embedding_length")?,
            layers: size("block_count")?,
            feed_forward: size("feed_forward_length")?,
            heads: size("attention.head_count")?,
            key_heads: match size_if_given("attention.head_count_kv")? {
                Some(key_heads) => key_heads,
                None => size("attention.head_count")?,
            },
            head_dim,
            epsilon: float("attention.layer_norm_rms_epsilon")?.ok_or_else(|| {
                LoadFault::Metadata {
                    key: key("attention.layer_norm_rms_epsilon"),
                    expected: "a number",
                }
            })?,
            base: float("rope.freq_base")?.map(f64::from),
            local_base: float("rope.freq_base_swa")?.map(f64::from),
            scaling: float("rope.scaling.factor")?
                .filter(|factor| *factor > 0.0)
                .map_or(Scaling::None, |factor| Scaling::Linear(factor.into())),
            // The files of Llama have rows of queries and keys reordered.
            pairing: if architecture == Architecture::Llama {
                Pairing::Neighbours
            } else {
                Pairing::Halves
            },
            window: if is_gemma {
                Some(size("attention.sliding_window")?)
            } else {
                None
            },
            global_period: size_if_given("attention.sliding_window_pattern")?,
            sliding: None,
            query_divisor: None,
            norms_less_one: false,
        };
        let value_length = size_if_given("attention.value_length")?;
        let head_dim = head_dim.unwrap_or(described.width / described.heads.max(1));
        let rotated = size_if_given("rope.dimension_count")?;
        for (name, length) in [
            ("value length", value_length),
            ("rotated dimensions", rotated),
        ] {
            if let Some(length) = length.filter(|length| *length != head_dim) {
                return Err(LoadFault::Shape {
                    reason: format!("key length {head_dim} and {name} {length} differ"),
                });
            }
        }
        described.with_factors(gguf, head_dim)
    }

    /// With the factors of frequencies, where the file has them.
    fn with_factors(self, gguf: &mut GgufFile, head_dim: usize) -> Result<Self, LoadFault> {
        if !gguf.has_tensor(FREQUENCY_FACTORS) {
            return Ok(self);
        }
        let factors = vector(gguf, FREQUENCY_FACTORS, head_dim / 2)?;
        Ok(Self {
            scaling: Scaling::Factors(factors.into_iter().map(f64::from).collect()),
            ..self
        })
    }
}

fn to_size(value: u32) -> Result<usize, LoadFault> {
    usize::try_from(value).map_err(|_| LoadFault::Header)
}
