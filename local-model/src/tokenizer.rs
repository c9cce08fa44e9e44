//! Text to tokens and back, by the vocabulary that a model brings: `SentencePiece` or byte-level BPE
//! out of a GGUF file, or a `tokenizer.json`.

mod byte_level;
pub(crate) mod encoder;
mod json;
mod library;
mod merge;
pub(crate) mod pieces;
mod sentencepiece;
pub(crate) mod settings;
pub(crate) mod special;
mod stream;
mod table;
mod vocabulary;

use std::path::Path;

use crate::error::LoadFault;
use crate::gguf::GgufFile;
use crate::template::Rendered;
use byte_level::ByteLevelBpe;
use json::TokenizerJson;
use library::Library;
use sentencepiece::SentencePiece;
use settings::CheckpointSettings;
use special::{Special, Spellings, unguard};
pub(crate) use stream::Detokenizer;
use table::Use;

/// What stands for a space inside pieces (U+2581).
const SPACE_MARK: char = '\u{2581}';

/// Special tokens that end an answer wherever a vocabulary has them: files often name one end token
/// where the model was trained to write several (of a turn, of a message to a tool, of a text).
const END_SPELLINGS: [&str; 6] = [
    "<end_of_turn>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|endoftext|>",
];

/// A token's number: its row in the embedding table.
pub(crate) type TokenId = u32;

/// Where a piece of text stands. Some vocabularies read a text as if a space stood before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start of a prompt.
    Start,
    /// After a special token.
    AfterSpecial,
    /// After other text.
    Inside,
}

/// Encodes and decodes; never written after loading.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    model: Model,
    spellings: Spellings,
    /// What every prompt starts with.
    start: Option<TokenId>,
    /// How the start token is written, whether or not prompts start with it.
    bos: Option<String>,
    eos: Option<String>,
    /// What ends an answer.
    ends: Vec<TokenId>,
}

#[derive(Debug)]
enum Model {
    SentencePiece(Box<SentencePiece>),
    Library(Box<Library>),
}

impl Tokenizer {
    /// Takes the vocabulary out of the file's metadata.
    pub(crate) fn load(gguf: &mut GgufFile) -> Result<Self, LoadFault> {
        let (model, specials, adds_start) = match gguf.string("tokenizer.ggml.model")? {
            "llama" => {
                let model = SentencePiece::load(gguf)?;
                let specials = model.specials();
                (Model::SentencePiece(Box::new(model)), specials, true)
            }
            "gpt2" => {
                let loaded = ByteLevelBpe::load(gguf)?;
                let model = Model::Library(Box::new(loaded.library));
                (model, loaded.specials, loaded.adds_start)
            }
            other => {
                return Err(LoadFault::Vocabulary {
                    reason: format!(
                        "tokenizer model {other:?} is not supported (supported: llama, gpt2)"
                    ),
                });
            }
        };
        let adds_start = gguf
            .bool_if_given("tokenizer.ggml.add_bos_token")?
            .unwrap_or(adds_start);
        let id = |key: &str| gguf.integer_if_given(&format!("tokenizer.ggml.{key}_token_id"));
        let (bos, eos) = (id("bos")?, id("eos")?);
        let ends = eos
            .into_iter()
            .chain(id("eot")?)
            .chain(id("eom")?)
            .collect();
        let mut tokenizer = Self::new(model, specials, ends);
        tokenizer.start = bos.filter(|_| adds_start);
        tokenizer.check_marks()?;
        tokenizer.bos = bos.and_then(|id| tokenizer.text(id));
        tokenizer.eos = eos.and_then(|id| tokenizer.text(id));
        Ok(tokenizer)
    }

    /// Reads a decoder's `tokenizer.json`; `settings` are those of its folder.
    pub(crate) fn from_json_file(
        tokenizer_json: &Path,
        settings: &CheckpointSettings,
    ) -> Result<Self, LoadFault> {
        let loaded = TokenizerJson::load(tokenizer_json)?;
        let model = Model::Library(Box::new(loaded.library));
        let mut tokenizer = Self::new(model, loaded.specials, settings.ends.clone());
        let id = |text: &Option<String>| -> Result<Option<TokenId>, LoadFault> {
            let Some(text) = text else { return Ok(None) };
            let unknown = || LoadFault::TokenizerFile {
                path: tokenizer_json.to_path_buf(),
                reason: format!("{text:?}, of tokenizer_config.json, is not in the vocabulary"),
            };
            tokenizer.id_of(text).map(Some).ok_or_else(unknown)
        };
        let (bos, eos) = (id(&settings.bos)?, id(&settings.eos)?);
        tokenizer.start = match settings.add_bos {
            None => loaded.start,
            Some(true) => bos.or(loaded.start),
            Some(false) => None,
        };
        tokenizer.ends.extend(eos);
        tokenizer.check_marks()?;
        tokenizer.bos.clone_from(&settings.bos);
        tokenizer.eos.clone_from(&settings.eos);
        Ok(tokenizer)
    }

    fn new(model: Model, specials: Vec<(String, Special)>, mut ends: Vec<TokenId>) -> Self {
        let spellings = Spellings::new(specials);
        ends.extend(
            END_SPELLINGS
                .iter()
                .filter_map(|text| spellings.id_of(text)),
        );
        Self {
            model,
            spellings,
            start: None,
            bos: None,
            eos: None,
            ends,
        }
    }

    /// Refuses marks that the vocabulary does not have.
    fn check_marks(&self) -> Result<(), LoadFault> {
        let unknown = self
            .start
            .iter()
            .chain(&self.ends)
            .find(|&&id| id as usize >= self.size());
        match unknown {
            None => Ok(()),
            Some(id) => Err(LoadFault::Vocabulary {
                reason: format!("token {id} starts or ends a text but is not in the vocabulary"),
            }),
        }
    }

    /// The number of tokens in the vocabulary: the highest and one.
    pub(crate) fn size(&self) -> usize {
        match &self.model {
            Model::SentencePiece(model) => model.vocabulary.size(),
            Model::Library(model) => model.table.size(),
        }
    }

    /// Refuses a vocabulary that has tokens beyond the embedding table's rows.
    pub(crate) fn check_rows(&self, rows: usize) -> Result<(), LoadFault> {
        check_rows(self.size(), rows)
    }

    /// Whether this token ends an answer.
    pub(crate) fn is_end(&self, token: TokenId) -> bool {
        self.ends.contains(&token)
    }

    /// The tokens that end an answer.
    pub(crate) fn end_ids(&self) -> &[TokenId] {
        &self.ends
    }

    /// Whether the token is never part of text: a control token, an unused one, or none at all.
    pub(crate) fn is_special(&self, token: TokenId) -> bool {
        match &self.model {
            Model::SentencePiece(model) => model.is_special(token),
            Model::Library(model) => model.table.used(token) != Use::Text,
        }
    }

    /// The tokens that are never part of text, in order.
    #[cfg(test)]
    pub(crate) fn special_ids(&self) -> impl Iterator<Item = TokenId> {
        (0..)
            .take(self.size())
            .filter(|&token| self.is_special(token))
    }

    /// The special token that is written like this.
    pub(crate) fn id_of_special(&self, text: &str) -> Option<TokenId> {
        self.spellings.id_of(text)
    }

    /// How a special token is written; `None` for a token of text.
    pub(crate) fn special_text(&self, token: TokenId) -> Option<&str> {
        if !self.is_special(token) {
            return None;
        }
        match &self.model {
            Model::SentencePiece(model) => Some(model.vocabulary.piece(token)),
            Model::Library(model) => std::str::from_utf8(model.table.bytes(token)).ok(),
        }
    }

    /// How a token is written, special or not; `None` where it is no whole characters.
    fn text(&self, token: TokenId) -> Option<String> {
        match self.special_text(token) {
            Some(text) => Some(text.to_owned()),
            None => String::from_utf8(self.token_bytes(token)).ok(),
        }
    }

    fn id_of(&self, text: &str) -> Option<TokenId> {
        self.id_of_special(text).or_else(|| match &self.model {
            Model::SentencePiece(_) => None,
            Model::Library(model) => model.whole.token_to_id(text),
        })
    }

    /// How the start and end tokens are written: templates write them.
    pub(crate) fn marks(&self) -> (Option<&str>, Option<&str>) {
        (self.bos.as_deref(), self.eos.as_deref())
    }

    /// The special tokens by how they are written.
    pub(crate) fn spellings(&self) -> &Spellings {
        &self.spellings
    }

    /// What every prompt starts with, if anything.
    pub(crate) fn start(&self) -> Option<TokenId> {
        self.start
    }

    /// The tokens of a prompt: the start token, then those of the text. Text that spells a special
    /// token is text, so that nobody can forge one.
    pub(crate) fn encode_prompt(&self, text: &str) -> Vec<TokenId> {
        let mut tokens: Vec<TokenId> = self.start.into_iter().collect();
        self.encode_at(text, Place::Start, &mut tokens);
        tokens
    }

    /// The tokens of what a template made of a conversation: the special tokens that the template
    /// wrote, and text. The start token comes first, and once, whether the template writes it or
    /// not.
    pub(crate) fn encode_rendered(&self, rendered: &Rendered) -> Vec<TokenId> {
        if !rendered.has_specials {
            return self.encode_prompt(&rendered.text);
        }
        let text = rendered.text.as_str();
        let mut tokens = Vec::new();
        let mut place = Place::Start;
        let mut from = 0;
        while let Some(found) = self.spellings.find(text, from) {
            self.encode_at(&unguard(&text[from..found.range.start]), place, &mut tokens);
            tokens.push(found.id);
            place = Place::AfterSpecial;
            from = found.range.end;
        }
        self.encode_at(&unguard(&text[from..]), place, &mut tokens);
        if let Some(start) = self.start
            && tokens.first() != Some(&start)
        {
            tokens.insert(0, start);
        }
        tokens
    }

    /// Appends the tokens of `text` that goes on with what came before.
    #[cfg(test)]
    pub(crate) fn encode_into(&self, text: &str, tokens: &mut Vec<TokenId>) {
        self.encode_at(text, Place::Inside, tokens);
    }

    fn encode_at(&self, text: &str, place: Place, tokens: &mut Vec<TokenId>) {
        match &self.model {
            Model::SentencePiece(model) => model.encode(text, place, tokens),
            Model::Library(model) => model.encode(text, place, tokens),
        }
    }

    /// Appends the bytes that `token` stands for: nothing for a special token. They need not be
    /// whole characters: see [`Detokenizer`].
    pub(crate) fn decode_into(&self, token: TokenId, bytes: &mut Vec<u8>) {
        match &self.model {
            Model::SentencePiece(model) => model.decode_into(token, bytes),
            Model::Library(model) if model.table.used(token) == Use::Text => {
                bytes.extend_from_slice(model.table.bytes(token));
            }
            Model::Library(_) => {}
        }
    }

    /// The bytes that `token` stands for: none for a special token.
    pub(crate) fn token_bytes(&self, token: TokenId) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.decode_into(token, &mut bytes);
        bytes
    }
}

fn check_rows(tokens: usize, rows: usize) -> Result<(), LoadFault> {
    if tokens <= rows {
        return Ok(());
    }
    Err(LoadFault::WrongTokenizer { tokens, rows })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod trained;
