//! A `tokenizer.json` of Hugging Face's `tokenizers` library, for a decoder.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

use super::byte_level::bytes_of;
use super::library::Library;
use super::special::Special;
use super::table::{Table, Use};
use super::{SPACE_MARK, TokenId};
use crate::error::LoadFault;

/// More ids than any vocabulary has: a file that claims more is damaged.
const MAX_SIZE: usize = 1 << 22;

/// What the file comes to.
#[derive(Debug)]
pub(super) struct TokenizerJson {
    pub(super) library: Library,
    pub(super) specials: Vec<(String, Special)>,
    /// What the file's own rule puts before a text.
    pub(super) start: Option<TokenId>,
}

/// The parts of the file that say what the library does not tell.
#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    decoder: Value,
    model: ModelPart,
}

#[derive(Deserialize)]
struct ModelPart {
    unk_token: Option<String>,
    unk_id: Option<TokenId>,
}

impl TokenizerJson {
    pub(super) fn load(path: &Path) -> Result<Self, LoadFault> {
        let file = std::fs::read(path).map_err(|source| LoadFault::Read {
            path: path.to_path_buf(),
            source,
        })?;
        let parts: Parts = serde_json::from_slice(&file).map_err(|source| LoadFault::Json {
            path: path.to_path_buf(),
            source,
        })?;
        let tokenizer = parse(path, &file)?;
        build(tokenizer, parts).map_err(|reason| LoadFault::TokenizerFile {
            path: path.to_path_buf(),
            reason,
        })
    }
}

/// Reads the file with the library: no padding, no truncation, special tokens never found in text.
pub(super) fn parse(path: &Path, file: &[u8]) -> Result<Tokenizer, LoadFault> {
    let fault = |reason: String| LoadFault::TokenizerFile {
        path: path.to_path_buf(),
        reason,
    };
    // The library indexes without looking where merges do not fit the vocabulary.
    let mut tokenizer = catch_unwind(AssertUnwindSafe(|| Tokenizer::from_bytes(file)))
        .map_err(|_| fault("its parts do not fit each other".to_owned()))?
        .map_err(|error| fault(error.to_string()))?;
    tokenizer
        .with_truncation(None)
        .map_err(|error| fault(error.to_string()))?;
    tokenizer.with_padding(None);
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}

fn build(whole: Tokenizer, mut parts: Parts) -> Result<TokenizerJson, String> {
    let alphabet = Alphabet::of(&parts.decoder)?;
    let (table, specials) = tabulate(&whole, alphabet)?;
    let unk_token = parts.model.unk_token.take();
    let unknown = parts
        .model
        .unk_id
        .or_else(|| whole.token_to_id(&unk_token?));
    let mut prefix = Prefix::default();
    prefix.take_out(&mut parts.normalizer);
    prefix.take_out(&mut parts.pre_tokenizer);
    let bare = if prefix.found {
        Some(without_prefix(&whole, parts)?)
    } else {
        None
    };
    Ok(TokenizerJson {
        start: start(&whole)?,
        library: Library {
            whole,
            bare,
            prefix_once: prefix.once,
            unknown,
            table,
        },
        specials,
    })
}

/// How tokens are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    /// A character a byte.
    Bytes,
    /// U+2581 for a space, and `<0x0A>` for a byte.
    Pieces,
}

impl Alphabet {
    fn of(decoder: &Value) -> Result<Self, String> {
        let mut types = Vec::new();
        collect_types(decoder, &mut types);
        if types.contains(&"ByteLevel") {
            Ok(Self::Bytes)
        } else if types.contains(&"ByteFallback") || types.contains(&"Metaspace") {
            Ok(Self::Pieces)
        } else {
            Err(format!(
                "a decoder of {types:?} is not supported (supported: ByteLevel, ByteFallback, Metaspace)"
            ))
        }
    }

    fn bytes(self, token: &str) -> Vec<u8> {
        if self == Self::Bytes {
            return bytes_of(token);
        }
        let byte = token
            .strip_prefix("<0x")
            .and_then(|rest| rest.strip_suffix('>'))
            .filter(|digits| digits.len() == 2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => vec![byte],
            None => token.replace(SPACE_MARK, " ").into_bytes(),
        }
    }
}

fn collect_types<'a>(part: &'a Value, types: &mut Vec<&'a str>) {
    if let Some(name) = part.get("type").and_then(Value::as_str) {
        types.push(name);
    }
    if let Some(steps) = part.get("decoders").and_then(Value::as_array) {
        for step in steps {
            collect_types(step, types);
        }
    }
}

/// What every id stands for, and how special tokens are written.
fn tabulate(
    tokenizer: &Tokenizer,
    alphabet: Alphabet,
) -> Result<(Table, Vec<(String, Special)>), String> {
    let mut entries: Vec<Option<(Vec<u8>, Use)>> = Vec::new();
    let mut set = |id: TokenId, bytes: Vec<u8>, used: Use| {
        let id = id as usize;
        if id >= MAX_SIZE {
            return Err(format!("token number {id} is too high"));
        }
        if entries.len() <= id {
            entries.resize(id + 1, None);
        }
        entries[id] = Some((bytes, used));
        Ok(())
    };
    for (token, id) in tokenizer.get_vocab(false) {
        set(id, alphabet.bytes(&token), Use::Text)?;
    }
    let mut specials = Vec::new();
    for (id, added) in tokenizer.get_added_tokens_decoder() {
        if added.special {
            set(id, added.content.clone().into_bytes(), Use::Special)?;
            let special = Special {
                id,
                takes_left: added.lstrip,
                takes_right: added.rstrip,
            };
            specials.push((added.content, special));
        } else {
            set(id, added.content.into_bytes(), Use::Text)?;
        }
    }
    let mut table = Table::with_capacity(entries.len());
    for entry in entries {
        match entry {
            Some((bytes, used)) => table.push(&bytes, used),
            None => table.push(&[], Use::Absent),
        }
    }
    Ok((table, specials))
}

/// What the file's post-processor puts before a text.
fn start(tokenizer: &Tokenizer) -> Result<Option<TokenId>, String> {
    let encoding = tokenizer
        .encode("a", true)
        .map_err(|error| error.to_string())?;
    let first = encoding.get_ids().first().copied();
    let added = encoding.get_special_tokens_mask().first() == Some(&1);
    Ok(first.filter(|_| added))
}

/// The space that is put before a text.
#[derive(Default)]
struct Prefix {
    found: bool,
    /// At the start of a prompt alone.
    once: bool,
}

impl Prefix {
    /// Changes a normalizer or pre-tokenizer so that it puts no space before a text.
    fn take_out(&mut self, part: &mut Value) {
        let name = part.get("type").and_then(Value::as_str).unwrap_or_default();
        match name {
            "Prepend" => {
                self.found = true;
                *part = json!({"type": "Sequence", "normalizers": []});
            }
            "ByteLevel" if part["add_prefix_space"] == json!(true) => {
                self.found = true;
                part["add_prefix_space"] = json!(false);
            }
            "Metaspace" => {
                let never = part["add_prefix_space"] == json!(false)
                    || part["prepend_scheme"] == json!("never");
                if !never {
                    self.found = true;
                    self.once = part["prepend_scheme"] == json!("first");
                    part["prepend_scheme"] = json!("never");
                    part["add_prefix_space"] = json!(false);
                }
            }
            "Sequence" => {
                for key in ["normalizers", "pretokenizers"] {
                    let steps = part.get_mut(key).and_then(Value::as_array_mut);
                    for step in steps.into_iter().flatten() {
                        self.take_out(step);
                    }
                }
            }
            _ => {}
        }
    }
}

fn without_prefix(whole: &Tokenizer, parts: Parts) -> Result<Tokenizer, String> {
    let mut bare = whole.clone();
    let normalizer: Option<NormalizerWrapper> =
        serde_json::from_value(parts.normalizer).map_err(|error| error.to_string())?;
    let pre_tokenizer: Option<PreTokenizerWrapper> =
        serde_json::from_value(parts.pre_tokenizer).map_err(|error| error.to_string())?;
    bare.with_normalizer(normalizer)
        .map_err(|error| error.to_string())?;
    bare.with_pre_tokenizer(pre_tokenizer);
    Ok(bare)
}

#[cfg(test)]
mod tests;
