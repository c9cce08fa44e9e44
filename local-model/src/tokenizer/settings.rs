//! What the files beside a checkpoint's `tokenizer.json` say: start and end tokens, and templates.

use std::io;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::TokenId;
use crate::error::LoadFault;

/// The name of a template that stands alone.
const DEFAULT_TEMPLATE: &str = "default";

/// The settings of a checkpoint in the layout of Hugging Face's `transformers`.
#[derive(Debug, Default)]
pub(crate) struct CheckpointSettings {
    pub(super) bos: Option<String>,
    pub(super) eos: Option<String>,
    /// Whether a prompt starts with the start token; the tokenizer's own rule where it is not said.
    pub(super) add_bos: Option<bool>,
    /// Tokens that end an answer.
    pub(super) ends: Vec<TokenId>,
    /// Chat templates by name.
    pub(crate) templates: Vec<(String, String)>,
}

impl CheckpointSettings {
    /// Reads `tokenizer_config.json`, `generation_config.json`, `config.json` and
    /// `chat_template.jinja` in `folder`, those that are there.
    pub(crate) fn read(folder: &Path) -> Result<Self, LoadFault> {
        let tokenizer: TokenizerConfig = read_json(&folder.join("tokenizer_config.json"))?;
        let generation: EndConfig = read_json(&folder.join("generation_config.json"))?;
        let model: EndConfig = read_json(&folder.join("config.json"))?;
        let ends = [generation, model]
            .into_iter()
            .filter_map(|config| config.eos_token_id)
            .flat_map(Ids::list)
            .collect();
        let mut templates = match tokenizer.chat_template {
            None => Vec::new(),
            Some(ChatTemplate::One(text)) => vec![(DEFAULT_TEMPLATE.to_owned(), text)],
            Some(ChatTemplate::Named(list)) => list
                .into_iter()
                .map(|named| (named.name, named.template))
                .collect(),
        };
        if let Some(text) = read_text(&folder.join("chat_template.jinja"))? {
            templates.retain(|(name, _)| name != DEFAULT_TEMPLATE);
            templates.push((DEFAULT_TEMPLATE.to_owned(), text));
        }
        Ok(Self {
            bos: tokenizer.bos_token.map(TokenText::text),
            eos: tokenizer.eos_token.map(TokenText::text),
            add_bos: tokenizer.add_bos_token,
            ends,
            templates,
        })
    }
}

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    bos_token: Option<TokenText>,
    eos_token: Option<TokenText>,
    add_bos_token: Option<bool>,
    chat_template: Option<ChatTemplate>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TokenText {
    Text(String),
    Added { content: String },
}

impl TokenText {
    fn text(self) -> String {
        match self {
            Self::Text(text) | Self::Added { content: text } => text,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ChatTemplate {
    One(String),
    Named(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

#[derive(Default, Deserialize)]
struct EndConfig {
    eos_token_id: Option<Ids>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(TokenId),
    Many(Vec<TokenId>),
}

impl Ids {
    fn list(self) -> Vec<TokenId> {
        match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        }
    }
}

/// The file's text; `None` where there is no file.
fn read_text(path: &Path) -> Result<Option<String>, LoadFault> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LoadFault::Read {
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// The file's values; every default where there is no file.
fn read_json<T: DeserializeOwned + Default>(path: &Path) -> Result<T, LoadFault> {
    let Some(text) = read_text(path)? else {
        return Ok(T::default());
    };
    serde_json::from_str(&text).map_err(|source| LoadFault::Json {
        path: path.to_path_buf(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn read(files: &[(&str, &str)]) -> CheckpointSettings {
        CheckpointSettings::read(folder(files).path()).unwrap()
    }

    #[test]
    fn an_empty_folder_says_nothing() {
        let settings = read(&[]);
        assert!(settings.ends.is_empty() && settings.templates.is_empty());
        assert_eq!(
            (settings.bos, settings.eos, settings.add_bos),
            (None, None, None)
        );
    }

    #[test]
    fn tokens_come_as_text_or_described_and_ends_as_one_or_many() {
        let settings = read(&[
            (
                "tokenizer_config.json",
                r#"{"bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": false},
                    "eos_token": "</s>", "add_bos_token": true, "model_max_length": 1e30}"#,
            ),
            ("generation_config.json", r#"{"eos_token_id": [7, 9]}"#),
            ("config.json", r#"{"eos_token_id": 5, "hidden_size": 64}"#),
        ]);
        assert_eq!(settings.bos.as_deref(), Some("<s>"));
        assert_eq!(settings.eos.as_deref(), Some("</s>"));
        assert_eq!(settings.add_bos, Some(true));
        assert_eq!(settings.ends, [7, 9, 5]);
        let none = read(&[
            ("tokenizer_config.json", r#"{"bos_token": null}"#),
            ("config.json", r#"{"eos_token_id": null}"#),
        ]);
        assert!(none.bos.is_none() && none.ends.is_empty());
    }

    #[test]
    fn templates_come_alone_or_named_or_in_a_file() {
        let one = ("tokenizer_config.json", r#"{"chat_template": "one"}"#);
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(read(&[one]).templates, [pair("default", "one")]);
        let named = (
            "tokenizer_config.json",
            r#"{"chat_template": [{"name": "default", "template": "a"},
                                  {"name": "tool_use", "template": "b"}]}"#,
        );
        assert_eq!(
            read(&[named]).templates,
            [pair("default", "a"), pair("tool_use", "b")]
        );
        assert_eq!(
            read(&[named, ("chat_template.jinja", "c")]).templates,
            [pair("tool_use", "b"), pair("default", "c")]
        );
    }

    #[test]
    fn a_damaged_file_is_named() {
        let folder = folder(&[("generation_config.json", r#"{"eos_token_id": "x"}"#)]);
        let fault = CheckpointSettings::read(folder.path()).unwrap_err();
        assert!(
            fault
                .to_string()
                .contains("generation_config.json is damaged"),
            "{fault}"
        );
        assert!(fault.source().is_some());
    }
}
