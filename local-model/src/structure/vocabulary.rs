//! The tokens as the grammar's engine needs them: a trie over their bytes.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use hashbrown::{HashMap, hash_map::Entry};
use llguidance::{ParserFactory, panic_utils};
use toktrie::{ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie};

use super::{limits, schema::short};
use crate::tokenizer::TokenId;

/// Sets of tokens whose place in a mask is worked out once: where a grammar allows all texts of
/// such a form, as within a JSON string or in plain text, it allows all of these tokens. `<` is left
/// out, for a tool call's mark may start with it. The first is part of the second and serves strings
/// that have a limit. Each costs three tries.
const SLICES: [&str; 2] = [r#"[^"\\<\x00-\x1F\x7F]{1,12}"#, r#"[^"\\<\x00-\x1F\x7F]+"#];

/// Compiles grammars for one vocabulary.
pub(super) struct Vocabulary {
    pub(super) parsers: ParserFactory,
    pub(super) ends: Arc<[TokenId]>,
    /// Tokens with the same bytes as one of a lower id, which stands for them in the trie: bytes of
    /// their own that some normal token has too.
    twins: HashMap<TokenId, TokenId>,
}

impl Vocabulary {
    /// Builds the trie of all tokens, in the order of their ids. Special tokens, whose bytes are
    /// never text, are in no mask; `ends` are, where an answer may end. The error says what is wrong
    /// with them.
    pub(super) fn new(
        tokens: impl Iterator<Item = (Vec<u8>, bool)>,
        ends: Arc<[TokenId]>,
    ) -> Result<Self, String> {
        let mut words: Vec<Vec<u8>> = tokens
            .map(|(bytes, is_special)| if is_special { Vec::new() } else { bytes })
            .collect();
        for &end in &*ends {
            match words.get_mut(end as usize) {
                Some(word) => word.clear(),
                None => return Err(format!("the end token {end} is not one of {}", words.len())),
            }
        }
        let &[end, ..] = &*ends else {
            return Err("no token ends an answer".to_owned());
        };
        let size = u32::try_from(words.len()).map_err(|_| "too many tokens".to_owned())?;
        let twins = take_twins(&mut words);
        // The trie's limits on sizes are assertions.
        panic_utils::catch_unwind(AssertUnwindSafe(|| {
            let trie = TokTrie::from(&TokRxInfo::new(size, end), &words).with_eos_tokens(&ends);
            drop(words);
            let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
            let slices = SLICES.map(str::to_owned);
            let mut parsers = ParserFactory::new(&env, InferenceCapabilities::default(), &slices)?;
            parsers.quiet();
            *parsers.limits_mut() = limits();
            Ok(parsers)
        }))
        .map(|parsers| Self {
            parsers,
            ends,
            twins,
        })
        .map_err(|error| short(&error.to_string()))
    }

    /// The token that stands for `token` in the trie.
    pub(super) fn representative(&self, token: TokenId) -> TokenId {
        self.twins.get(&token).copied().unwrap_or(token)
    }

    /// Allows the tokens whose representatives are.
    pub(super) fn add_twins(&self, mask: &mut SimpleVob) {
        for (&token, &representative) in &self.twins {
            if mask.is_allowed(representative) {
                mask.allow_token(token);
            }
        }
    }
}

/// Empties each word that an earlier one equals, and says which that is.
fn take_twins(words: &mut [Vec<u8>]) -> HashMap<TokenId, TokenId> {
    let mut twins = HashMap::new();
    let mut first: HashMap<&[u8], TokenId> = HashMap::with_capacity(words.len());
    for (id, word) in (0..).zip(words.iter()) {
        if !word.is_empty() {
            match first.entry(word) {
                Entry::Occupied(earlier) => {
                    twins.insert(id, *earlier.get());
                }
                Entry::Vacant(place) => {
                    place.insert(id);
                }
            }
        }
    }
    drop(first);
    for &token in twins.keys() {
        words[token as usize].clear();
    }
    twins
}
