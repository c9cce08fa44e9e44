//! A request for embeddings as a text model can answer it.

use crate::conversation::{CHECKED, ConversationError, Unsupported, literal};
use crate::json::Document;
use crate::request::{BlockKind, Node, RequestView, ViewError};

/// Texts to be embedded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingRequest {
    /// The texts, none of them empty.
    pub texts: Vec<String>,
    /// How many numbers a vector is to have.
    pub dimensions: Option<u64>,
    /// How vectors are to be written.
    pub encoding: EmbeddingEncoding,
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EmbeddingEncoding {
    /// As lists of numbers.
    #[default]
    Float,
    /// As base64 of little-endian 32-bit floats.
    Base64,
}

impl EmbeddingRequest {
    /// Decodes a request from the body that its view was read from.
    pub fn from_view(view: &RequestView, body: &[u8]) -> Result<Self, ConversationError> {
        let text = |block: &crate::Block| match block.kind {
            BlockKind::Text => literal(body, block.text.as_ref())
                .ok_or_else(|| Unsupported::new(block.place(), "content of unknown kind")),
            _ => Err(Unsupported::new(block.place(), "text given as tokens")),
        };
        let texts = view.blocks.iter().map(text).collect::<Result<_, _>>()?;
        let document = Document::parse(body, CHECKED).map_err(ViewError::from)?;
        let root = Node::root(document.root());
        let [dimensions, encoding] = root.fields(["dimensions", "encoding_format"])?;
        let encoding = match encoding {
            None => EmbeddingEncoding::Float,
            Some(encoding) => match encoding.string()?.as_ref() {
                "float" => EmbeddingEncoding::Float,
                "base64" => EmbeddingEncoding::Base64,
                _ => return Err(encoding.unexpected("`float` or `base64`").into()),
            },
        };
        Ok(Self {
            texts,
            dimensions: dimensions.map(|node| node.count()).transpose()?,
            encoding,
        })
    }

    /// Refuses vectors of another length than the model's.
    pub fn check_dimensions(&self, of_model: usize) -> Result<(), Unsupported> {
        match self.dimensions {
            Some(wanted) if usize::try_from(wanted) != Ok(of_model) => Err(Unsupported::new(
                "dimensions",
                "another number than the model's own",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoint, JsonLimits};

    fn read(body: &str) -> Result<EmbeddingRequest, ConversationError> {
        let view = RequestView::parse(Endpoint::Embeddings, body.as_bytes(), JsonLimits::default());
        EmbeddingRequest::from_view(&view.unwrap(), body.as_bytes())
    }

    #[test]
    fn texts_and_how_their_vectors_are_written() {
        let one = read(r#"{"model":"e","input":"caf\u00e9"}"#).unwrap();
        assert_eq!(one.texts, ["café"]);
        assert_eq!(one.encoding, EmbeddingEncoding::Float);
        let several =
            r#"{"model":"e","input":["a","b"],"encoding_format":"base64","dimensions":384}"#;
        let several = read(several).unwrap();
        assert_eq!(several.texts, ["a", "b"]);
        assert_eq!(several.encoding, EmbeddingEncoding::Base64);
        assert_eq!(several.check_dimensions(384), Ok(()));
        assert!(several.check_dimensions(768).is_err());
    }

    #[test]
    fn what_cannot_be_embedded_is_named() {
        let refusals: Vec<_> = [
            r#"{"model":"e","input":[1,2]}"#,
            r#"{"model":"e","input":["a",[1,2]]}"#,
            r#"{"model":"e","input":"a","encoding_format":"int8"}"#,
            r#"{"model":"e","input":"a","dimensions":"many"}"#,
        ]
        .map(|body| read(body).unwrap_err().to_string())
        .into();
        insta::assert_snapshot!(refusals.join("\n"), @"
        input[0]: text given as tokens is not supported by a text model
        input[1]: text given as tokens is not supported by a text model
        encoding_format: expected `float` or `base64`, found a string at byte 43
        dimensions: expected a whole number from 0 on, found a string at byte 38
        ");
    }
}
