//! How a text's vector is made of its tokens' hidden states.

use std::path::Path;

use serde::Deserialize;

use crate::error::LoadFault;

/// Which hidden states make a text's vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Their mean (Reimers and Gurevych, 2019).
    Mean,
    /// That of the first token.
    First,
}

/// The members of `1_Pooling/config.json` that are read.
#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

/// The members of `sentence_bert_config.json` that are read.
#[derive(Debug, Deserialize)]
struct Limits {
    max_seq_length: Option<usize>,
}

impl Pooling {
    /// As the folder says; the mean where it says nothing.
    pub(super) fn of_folder(folder: &Path) -> Result<Self, LoadFault> {
        let path = folder.join("1_Pooling/config.json");
        let Some(config) = read::<Config>(&path)? else {
            return Ok(Self::Mean);
        };
        match (
            config.pooling_mode_mean_tokens,
            config.pooling_mode_cls_token,
        ) {
            (true, false) => Ok(Self::Mean),
            (false, true) => Ok(Self::First),
            _ => Err(LoadFault::Shape {
                reason: format!(
                    "{} asks for another pooling than the mean or the first token",
                    path.display()
                ),
            }),
        }
    }

    /// A text's vector, of length 1, from its hidden states, (tokens, width).
    pub(super) fn pool(self, hidden: &[f32], width: usize) -> Vec<f32> {
        let mut vector = vec![0.0; width];
        let taken = match self {
            Self::Mean => hidden,
            Self::First => &hidden[..width.min(hidden.len())],
        };
        for row in taken.chunks_exact(width) {
            vector
                .iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += value);
        }
        // Dividing by the number of tokens would not change the direction.
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        for value in &mut vector {
            *value *= scale;
        }
        vector
    }
}

/// The most tokens of a text that the folder's model was trained to take; `None` where it does not
/// say.
pub(super) fn max_tokens(folder: &Path) -> Result<Option<usize>, LoadFault> {
    let limits = read::<Limits>(&folder.join("sentence_bert_config.json"))?;
    Ok(limits.and_then(|limits| limits.max_seq_length))
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, LoadFault> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| LoadFault::Json {
                path: path.to_path_buf(),
                source,
            }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LoadFault::Read {
            path: path.to_path_buf(),
            source,
        }),
    }
}
