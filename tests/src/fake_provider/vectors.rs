//! Embeddings: a short vector made from the input's bytes, so that equal inputs are equal and others differ.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::endpoint::Rendered;

const DIMENSIONS: usize = 8;

/// Renders the answer to the embeddings request `asked`; floats, or base64 of little-endian `f32` when asked for.
pub(super) fn render(asked: &Value) -> Rendered {
    let inputs = inputs(asked);
    let base64 = asked["encoding_format"] == "base64";
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(&input.to_string());
            let embedding = if base64 {
                Value::from(
                    STANDARD.encode(
                        vector
                            .iter()
                            .flat_map(|x| x.to_le_bytes())
                            .collect::<Vec<u8>>(),
                    ),
                )
            } else {
                json!(vector)
            };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    let tokens = tokens(asked);
    Rendered::json(&json!({
        "object": "list",
        "data": data,
        "model": asked["model"],
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    }))
}

/// Tokens of the request `asked`: a fourth of each input's bytes.
pub(super) fn tokens(asked: &Value) -> u64 {
    let bytes = |input: &Value| input.to_string().len() as u64;
    inputs(asked).iter().map(|input| bytes(input) / 4).sum()
}

fn inputs(asked: &Value) -> Vec<Value> {
    match &asked["input"] {
        Value::Array(inputs) if inputs.iter().all(|i| !i.is_number()) => inputs.clone(),
        one => vec![one.clone()],
    }
}

/// A unit vector; the components are sums of the bytes at each eighth place.
fn vector(input: &str) -> [f32; DIMENSIONS] {
    let mut vector = [1.0_f32; DIMENSIONS];
    for (place, byte) in input.bytes().enumerate() {
        vector[place % DIMENSIONS] += f32::from(byte);
    }
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.map(|x| x / norm)
}
