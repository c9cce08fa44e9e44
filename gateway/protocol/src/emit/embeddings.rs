//! Embeddings, as OpenAI writes them.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;

use crate::embedding::EmbeddingEncoding;
use crate::json::encode;

/// Vectors of texts, in the order of the texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// A vector for each text.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of the texts.
    pub prompt_tokens: u64,
}

#[derive(Serialize)]
struct Body<'a> {
    object: &'static str,
    data: Vec<Datum<'a>>,
    model: &'a str,
    usage: EmbeddingUsage,
}

#[derive(Serialize)]
struct Datum<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Floats(&'a [f32]),
    /// The bytes of little-endian `f32`s.
    Base64(String),
}

#[derive(Serialize)]
struct EmbeddingUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// What an embeddings request is answered with.
pub fn embeddings_body(model: &str, encoding: EmbeddingEncoding, answer: &Embeddings) -> Bytes {
    let write = |vector: &[f32]| {
        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        STANDARD.encode(bytes)
    };
    let data = answer
        .vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| Datum {
            object: "embedding",
            index,
            embedding: match encoding {
                EmbeddingEncoding::Float => Vector::Floats(vector),
                EmbeddingEncoding::Base64 => Vector::Base64(write(vector)),
            },
        });
    Bytes::from(encode(&Body {
        object: "list",
        data: data.collect(),
        model,
        usage: EmbeddingUsage {
            prompt_tokens: answer.prompt_tokens,
            total_tokens: answer.prompt_tokens,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(encoding: EmbeddingEncoding) -> String {
        let answer = Embeddings {
            vectors: vec![vec![1.0, -0.5], vec![0.1, 0.0]],
            prompt_tokens: 7,
        };
        let body = embeddings_body("all-minilm-l6-v2", encoding, &answer);
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn floats() {
        insta::assert_snapshot!(body(EmbeddingEncoding::Float), @r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0,-0.5]},{"object":"embedding","index":1,"embedding":[0.1,0.0]}],"model":"all-minilm-l6-v2","usage":{"prompt_tokens":7,"total_tokens":7}}"#);
    }

    /// `openai` for Python asks for this and reads it as `numpy.frombuffer(…, dtype="float32")`.
    #[test]
    fn base64_of_little_endian_floats() {
        insta::assert_snapshot!(body(EmbeddingEncoding::Base64), @r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPwAAAL8="},{"object":"embedding","index":1,"embedding":"zczMPQAAAAA="}],"model":"all-minilm-l6-v2","usage":{"prompt_tokens":7,"total_tokens":7}}"#);
    }
}
