//! A byte-level BPE vocabulary out of a GGUF file (`tokenizer.ggml.model` is `gpt2`).
//!
//! Text is cut into words by a regular expression that each model family has its own of, and a
//! word's bytes, written as printable characters, are merged in the order that the merges were
//! learnt (Radford et al., 2019).

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use super::TokenId;
use super::library::Library;
use super::special::Special;
use super::table::{Table, Use};
use super::vocabulary::{TYPE_CONTROL, TYPE_NORMAL, TYPE_UNKNOWN, TYPE_UNUSED, TYPE_USER_DEFINED};
use crate::error::LoadFault;
use crate::gguf::GgufFile;

/// How a model family prepares text for merging.
struct Family {
    /// The file's `tokenizer.ggml.pre`.
    names: &'static [&'static str],
    /// Cut words out, one after the other: each cuts the pieces that those before it left.
    splits: &'static [&'static str],
    /// Whether characters are composed first (Unicode's NFC).
    composes: bool,
    /// Whether a word that is a token is that token, whatever its merges say.
    ignores_merges: bool,
    /// Whether a prompt starts with the start token where the file does not say.
    adds_start: bool,
}

/// GPT-2's words.
const GPT_2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// GPT-4's words as Llama 3 has them: numbers of up to three digits.
const LLAMA_3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// The same as Qwen has them: each digit is a word.
const QWEN_2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// What is known of the families. `default` is what converters wrote before they told families
/// apart.
const FAMILIES: [Family; 5] = [
    Family {
        names: &["qwen2", "deepseek-r1-qwen"],
        splits: &[QWEN_2],
        composes: true,
        ignores_merges: false,
        adds_start: false,
    },
    Family {
        names: &["llama-bpe", "llama3", "llama-v3"],
        splits: &[LLAMA_3],
        composes: false,
        ignores_merges: true,
        adds_start: true,
    },
    Family {
        names: &["gpt-2"],
        splits: &[GPT_2],
        composes: false,
        ignores_merges: false,
        adds_start: false,
    },
    Family {
        names: &["smollm"],
        splits: &[r"\p{N}", GPT_2],
        composes: false,
        ignores_merges: false,
        adds_start: false,
    },
    Family {
        names: &["default"],
        splits: &[
            r"[\p{P}\$\+<=>\^~\|]+",
            GPT_2,
            r"\p{N}+",
            r"[0-9][0-9][0-9]",
        ],
        composes: false,
        ignores_merges: false,
        adds_start: false,
    },
];

/// What a file's byte-level vocabulary comes to.
#[derive(Debug)]
pub(super) struct ByteLevelBpe {
    pub(super) library: Library,
    pub(super) specials: Vec<(String, Special)>,
    /// Whether a prompt starts with the start token where the file does not say.
    pub(super) adds_start: bool,
}

impl ByteLevelBpe {
    pub(super) fn load(gguf: &mut GgufFile) -> Result<Self, LoadFault> {
        let name = gguf
            .string_if_given("tokenizer.ggml.pre")?
            .unwrap_or("default");
        let family = family(name)?;
        let tokens = gguf.take_strings("tokenizer.ggml.tokens")?;
        let types = gguf.take_integers("tokenizer.ggml.token_type")?;
        let merges = gguf.take_strings("tokenizer.ggml.merges")?;
        // The library indexes without looking where merges lead to longer tokens than there are.
        catch_unwind(AssertUnwindSafe(|| build(family, &tokens, &types, &merges)))
            .unwrap_or_else(|_| Err("the merges do not fit the tokens".to_owned()))
            .map_err(|reason| LoadFault::Vocabulary { reason })
    }
}

fn family(name: &str) -> Result<&'static Family, LoadFault> {
    let known = || FAMILIES.iter().flat_map(|family| family.names);
    FAMILIES
        .iter()
        .find(|family| family.names.contains(&name))
        .ok_or_else(|| LoadFault::Vocabulary {
            reason: format!(
                "pre-tokenizer {name:?} is not supported (supported: {})",
                known().copied().collect::<Vec<_>>().join(", ")
            ),
        })
}

fn build(
    family: &Family,
    tokens: &[String],
    types: &[i32],
    merges: &[String],
) -> Result<ByteLevelBpe, String> {
    if tokens.len() != types.len() || TokenId::try_from(tokens.len()).is_err() {
        return Err(format!("{} tokens and {} types", tokens.len(), types.len()));
    }
    let mut table = Table::with_capacity(tokens.len());
    let mut vocabulary = Vocab::new();
    let mut specials = Vec::new();
    let mut added = Vec::new();
    for (id, (token, &number)) in (0..).zip(tokens.iter().zip(types)) {
        match number {
            TYPE_NORMAL => {
                table.push(&bytes_of(token), Use::Text);
                vocabulary.insert(token.clone(), id);
            }
            TYPE_USER_DEFINED => {
                table.push(token.as_bytes(), Use::Text);
                vocabulary.insert(token.clone(), id);
                added.push(AddedToken::from(token.clone(), false).normalized(false));
            }
            TYPE_CONTROL | TYPE_UNKNOWN => {
                table.push(token.as_bytes(), Use::Special);
                specials.push((token.clone(), Special::new(id)));
            }
            TYPE_UNUSED => table.push(token.as_bytes(), Use::Special),
            other => return Err(format!("token {token:?} is of unknown type {other}")),
        }
    }
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, pairs(merges)?)
        .ignore_merges(family.ignores_merges)
        .build()
        .map_err(|error| error.to_string())?;
    let mut whole = Tokenizer::new(model);
    if family.composes {
        whole
            .with_normalizer(Some(NFC))
            .map_err(|error| error.to_string())?;
    }
    whole.with_pre_tokenizer(Some(words(family.splits)?));
    whole.add_tokens(added).map_err(|error| error.to_string())?;
    Ok(ByteLevelBpe {
        library: Library {
            whole,
            bare: None,
            prefix_once: false,
            unknown: None,
            table,
        },
        specials,
        adds_start: family.adds_start,
    })
}

fn words(splits: &[&str]) -> Result<PreTokenizerWrapper, String> {
    let mut steps = Vec::with_capacity(splits.len() + 1);
    for &split in splits {
        let pattern = SplitPattern::Regex(split.to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
            .map_err(|error| error.to_string())?;
        steps.push(PreTokenizerWrapper::Split(split));
    }
    let bytes = ByteLevel::new(false, true, false);
    steps.push(PreTokenizerWrapper::ByteLevel(bytes));
    Ok(PreTokenizerWrapper::Sequence(Sequence::new(steps)))
}

/// Merges are written as two tokens with a space between.
fn pairs(merges: &[String]) -> Result<Merges, String> {
    merges
        .iter()
        .map(|merge| {
            let (left, right) = merge
                .split_once(' ')
                .ok_or_else(|| format!("{merge:?} merges nothing"))?;
            Ok((left.to_owned(), right.to_owned()))
        })
        .collect()
}

/// The bytes that a token's characters stand for. A character that stands for no byte stands for
/// itself.
pub(super) fn bytes_of(token: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(token.len());
    for character in token.chars() {
        match byte_of(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// The byte that a character stands for: printable ones of Latin-1 for themselves, and the 68
/// others, in order, are U+0100 and those after it.
fn byte_of(character: char) -> Option<u8> {
    /// Bytes that are not printable: 0 to 32, 127 to 160 and 173.
    const HIDDEN: [(u32, u32); 3] = [(0, 33), (127, 34), (173, 1)];
    let number = u32::from(character);
    let Some(mut rank) = number.checked_sub(0x100) else {
        let hidden = |&(first, count): &(u32, u32)| (first..first + count).contains(&number);
        return u8::try_from(number)
            .ok()
            .filter(|_| !HIDDEN.iter().any(hidden));
    };
    for (first, count) in HIDDEN {
        if rank < count {
            return u8::try_from(first + rank).ok();
        }
        rank -= count;
    }
    None
}

#[cfg(test)]
mod tests;
