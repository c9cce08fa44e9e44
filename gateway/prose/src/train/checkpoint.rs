//! A head and its encoder as one checkpoint, as `transformers` saves a `BertForTokenClassification`.

use std::borrow::Cow;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use super::logistic::Head;
use crate::EvalError;

const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = "config.json";
/// What belongs to the vocabulary; those that are there are copied.
const VOCABULARY: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];

/// Writes the encoder in `body` with the head into `folder`, file by file, each in its place once it is whole.
pub(super) fn write(body: &Path, folder: &Path, head: &Head) -> Result<(), EvalError> {
    std::fs::create_dir_all(folder).map_err(|error| EvalError::file(folder, error))?;
    for name in VOCABULARY {
        let from = body.join(name);
        if from.is_file() {
            put(folder, name, &read(&from)?)?;
        }
    }
    put(
        folder,
        WEIGHTS,
        &tensors(&read(&body.join(WEIGHTS))?, head)?,
    )?;
    let path = body.join(CONFIG);
    let config = config(&read(&path)?).ok_or(EvalError::Config { path })?;
    put(folder, CONFIG, config.to_string().as_bytes())
}

/// The encoder's own, and what the classes are called.
fn config(body: &[u8]) -> Option<Value> {
    let mut config: Value = serde_json::from_slice(body).ok()?;
    let members = config.as_object_mut()?;
    members.insert(
        "architectures".to_owned(),
        json!(["BertForTokenClassification"]),
    );
    members.insert("id2label".to_owned(), json!({"0": "drop", "1": "keep"}));
    members.insert("label2id".to_owned(), json!({"drop": 0, "keep": 1}));
    members.insert("num_labels".to_owned(), json!(2));
    Some(config)
}

/// The encoder's tensors, named as they are below a head, and the head's: the logit of one class is the other's with
/// another sign, so that their softmax is the logistic.
fn tensors(body: &[u8], head: &Head) -> Result<Vec<u8>, EvalError> {
    let encoder = SafeTensors::deserialize(body)?;
    let mut tensors: Vec<(Cow<'static, str>, TensorView<'_>)> = encoder
        .tensors()
        .into_iter()
        // A token's class does not hang on the pooler, and positions are counted.
        .filter(|(name, _)| !name.starts_with("pooler.") && !name.ends_with("position_ids"))
        .map(|(name, view)| (Cow::Owned(format!("bert.{name}")), view))
        .collect();
    let halves = |values: &[f64]| -> Vec<u8> {
        let signed = [-0.5, 0.5].into_iter().flat_map(|sign| {
            let values = values.iter();
            values.map(move |value| single(sign * value))
        });
        signed.flat_map(f32::to_le_bytes).collect()
    };
    let weights = halves(&head.weights);
    let bias = halves(&[head.bias]);
    let shape = vec![2, head.weights.len()];
    tensors.push((
        "classifier.weight".into(),
        TensorView::new(Dtype::F32, shape, &weights)?,
    ));
    tensors.push((
        "classifier.bias".into(),
        TensorView::new(Dtype::F32, vec![2], &bias)?,
    ));
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(safetensors::serialize(tensors, None)?)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "weights need no more than seven digits"
)]
fn single(value: f64) -> f32 {
    value as f32
}

fn read(path: &Path) -> Result<Vec<u8>, EvalError> {
    std::fs::read(path).map_err(|error| EvalError::file(path, error))
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), EvalError> {
    let path = folder.join(name);
    let part = folder.join(format!("{name}.part"));
    std::fs::write(&part, bytes)
        .and_then(|()| std::fs::rename(&part, &path))
        .map_err(|error| EvalError::file(&path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_put_beside_the_body() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<u8> = [1.0_f32, 2.0]
            .into_iter()
            .flat_map(f32::to_le_bytes)
            .collect();
        let tensor = || TensorView::new(Dtype::F32, vec![2], &values).unwrap();
        let names = [
            "encoder.layer.0.x",
            "pooler.dense.bias",
            "embeddings.position_ids",
        ];
        let body = names.map(|name| (name, tensor()));
        let body = safetensors::serialize(body, None).unwrap();
        std::fs::write(folder.path().join(WEIGHTS), body).unwrap();
        std::fs::write(folder.path().join(CONFIG), r#"{"model_type": "bert"}"#).unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
        let head = Head {
            weights: vec![0.5, -3.0],
            bias: 1.0,
        };
        let out = folder.path().join("head");
        write(folder.path(), &out, &head).unwrap();

        let config: Value = serde_json::from_slice(&read(&out.join(CONFIG)).unwrap()).unwrap();
        assert_eq!(config["id2label"]["1"], "keep");
        assert_eq!(config["model_type"], "bert");
        let bytes = read(&out.join(WEIGHTS)).unwrap();
        let written = SafeTensors::deserialize(&bytes).unwrap();
        let mut names = written.names();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "bert.encoder.layer.0.x",
                "classifier.bias",
                "classifier.weight"
            ]
        );
        let floats = |name: &str| -> Vec<f32> {
            let data = written.tensor(name).unwrap();
            let chunks = data.data().chunks_exact(4);
            chunks
                .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
                .collect()
        };
        // The difference of the two logits is the head's.
        assert_eq!(floats("classifier.weight"), [-0.25, 1.5, 0.25, -1.5]);
        assert_eq!(floats("classifier.bias"), [-0.5, 0.5]);
        assert_eq!(floats("bert.encoder.layer.0.x"), [1.0, 2.0]);
        assert!(!out.join("model.safetensors.part").exists());
    }
}
