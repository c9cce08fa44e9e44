//! The pieces of a `SentencePiece` vocabulary, packed: a quarter of a million strings in one buffer.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{SPACE_MARK, TokenId};

/// GGUF's numbers for the kinds of pieces (`llama_token_type`).
pub(super) const TYPE_NORMAL: i32 = 1;
pub(super) const TYPE_UNKNOWN: i32 = 2;
pub(super) const TYPE_CONTROL: i32 = 3;
pub(super) const TYPE_USER_DEFINED: i32 = 4;
pub(super) const TYPE_UNUSED: i32 = 5;
const TYPE_BYTE: i32 = 6;

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Found by merging.
    Normal,
    /// Cut out of the text before merging.
    UserDefined,
    /// One byte of a character that no piece covers.
    Byte(u8),
    /// Never in text: start, end, unknown, padding.
    Control,
    /// Of no use, in text or out of it.
    Unused,
}

/// All pieces with their scores and kinds.
pub(super) struct Vocabulary {
    /// Every piece, one after another.
    text: String,
    /// Where each piece ends in `text`.
    ends: Vec<u32>,
    scores: Vec<f32>,
    kinds: Vec<Kind>,
    /// Ids of normal pieces, by the hash of their text.
    normal: HashTable<TokenId>,
    hasher: DefaultHashBuilder,
    /// User-defined pieces by their first byte, the longest first.
    user_defined: Vec<Vec<TokenId>>,
    bytes: Vec<TokenId>,
    /// Characters that come right before a space within some normal piece.
    before_space: Vec<char>,
}

impl Vocabulary {
    /// Checks and packs the three arrays of the file. The error says what is wrong with them.
    pub(super) fn new(pieces: &[String], scores: Vec<f32>, types: &[i32]) -> Result<Self, String> {
        if scores.len() != pieces.len() || types.len() != pieces.len() {
            return Err(format!(
                "{} tokens, {} scores and {} types",
                pieces.len(),
                scores.len(),
                types.len()
            ));
        }
        let bytes_in_all: usize = pieces.iter().map(String::len).sum();
        if u32::try_from(bytes_in_all).is_err() || u32::try_from(pieces.len()).is_err() {
            return Err(format!("{bytes_in_all} bytes of tokens are too many"));
        }
        let mut vocabulary = Self {
            text: String::with_capacity(bytes_in_all),
            ends: Vec::with_capacity(pieces.len()),
            scores,
            kinds: Vec::with_capacity(pieces.len()),
            normal: HashTable::with_capacity(pieces.len()),
            hasher: DefaultHashBuilder::default(),
            user_defined: vec![Vec::new(); 256],
            bytes: Vec::new(),
            before_space: Vec::new(),
        };
        let mut bytes = vec![None; 256];
        for (id, (piece, &number)) in (0..).zip(pieces.iter().zip(types)) {
            let kind = kind_of(piece, number)?;
            vocabulary.add(id, piece, kind);
            if let Kind::Byte(byte) = kind {
                bytes[usize::from(byte)] = Some(id);
            }
        }
        vocabulary.bytes = bytes
            .into_iter()
            .enumerate()
            .map(|(byte, id)| id.ok_or_else(|| format!("no token for byte 0x{byte:02X}")))
            .collect::<Result<_, _>>()?;
        vocabulary.sort_user_defined();
        Ok(vocabulary)
    }

    fn add(&mut self, id: TokenId, piece: &str, kind: Kind) {
        self.text.push_str(piece);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the whole text was checked to fit"
        )]
        self.ends.push(self.text.len() as u32);
        self.kinds.push(kind);
        match kind {
            Kind::Normal => {
                if self.find(piece).is_none() {
                    let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
                    self.normal
                        .insert_unique(hasher.hash_one(piece), id, |&other| {
                            hasher.hash_one(slice(text, ends, other))
                        });
                }
                self.note_inner_spaces(piece);
            }
            Kind::UserDefined => {
                if let Some(&first) = piece.as_bytes().first() {
                    self.user_defined[usize::from(first)].push(id);
                }
            }
            Kind::Byte(_) | Kind::Control | Kind::Unused => {}
        }
    }

    fn note_inner_spaces(&mut self, piece: &str) {
        for (character, next) in piece.chars().zip(piece.chars().skip(1)) {
            if next == SPACE_MARK && !self.spans_space_after(character) {
                self.before_space.push(character);
            }
        }
    }

    fn sort_user_defined(&mut self) {
        let mut buckets = std::mem::take(&mut self.user_defined);
        for bucket in &mut buckets {
            bucket.sort_by_key(|&id| std::cmp::Reverse(self.piece(id).len()));
        }
        self.user_defined = buckets;
    }

    pub(super) fn size(&self) -> usize {
        self.ends.len()
    }

    /// The text of a piece; empty for a token that is not in the vocabulary.
    pub(super) fn piece(&self, id: TokenId) -> &str {
        slice(&self.text, &self.ends, id)
    }

    /// The kind of a piece; [`Kind::Unused`] for a token that is not in the vocabulary.
    pub(super) fn kind(&self, id: TokenId) -> Kind {
        self.kinds.get(id as usize).copied().unwrap_or(Kind::Unused)
    }

    /// The normal piece of this text and its score: the higher, the earlier it is merged.
    pub(super) fn normal(&self, piece: &str) -> Option<(TokenId, f32)> {
        let id = self.find(piece)?;
        Some((id, self.scores[id as usize]))
    }

    fn find(&self, piece: &str) -> Option<TokenId> {
        self.normal
            .find(self.hasher.hash_one(piece), |&id| self.piece(id) == piece)
            .copied()
    }

    /// The token of a byte that no piece covers.
    pub(super) fn byte(&self, byte: u8) -> TokenId {
        self.bytes[usize::from(byte)]
    }

    /// The longest user-defined piece that `text` starts with, and its length in bytes.
    pub(super) fn user_defined_at(&self, text: &str) -> Option<(TokenId, usize)> {
        let first = *text.as_bytes().first()?;
        self.user_defined[usize::from(first)]
            .iter()
            .map(|&id| (id, self.piece(id)))
            .find(|(_, piece)| text.starts_with(piece))
            .map(|(id, piece)| (id, piece.len()))
    }

    /// Whether some piece goes on over a space after this character. After any other, words can be
    /// merged apart without changing the result.
    pub(super) fn spans_space_after(&self, character: char) -> bool {
        character == SPACE_MARK || self.before_space.contains(&character)
    }
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vocabulary")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

fn slice<'a>(text: &'a str, ends: &[u32], id: TokenId) -> &'a str {
    let id = id as usize;
    let Some(&end) = ends.get(id) else {
        return "";
    };
    let start = id.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start as usize..end as usize]
}

fn kind_of(piece: &str, number: i32) -> Result<Kind, String> {
    match number {
        TYPE_NORMAL => Ok(Kind::Normal),
        TYPE_USER_DEFINED => Ok(Kind::UserDefined),
        TYPE_UNKNOWN | TYPE_CONTROL => Ok(Kind::Control),
        TYPE_UNUSED => Ok(Kind::Unused),
        TYPE_BYTE => piece
            .strip_prefix("<0x")
            .and_then(|rest| rest.strip_suffix('>'))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .map(Kind::Byte)
            .ok_or_else(|| format!("{piece:?} is no byte token")),
        other => Err(format!("token {piece:?} is of unknown type {other}")),
    }
}
