//! Pictures, documents and sound: bounds on what they cost.

use skinflint_protocol::JsonLimits;
use skinflint_protocol::json::Document;

use crate::count::{Certainty, Count, tokens};
use crate::encoding::Encoding;

/// OpenAI's largest patch budget, 10,000 patches of 32 × 32 pixels, at 1.2 tokens a patch, which is
/// not documented: users were billed 10,609 tokens for 3000 × 3000 pixels. Above every other rule of
/// theirs (8 tiles of 170 and 85 more, 1,536 patches times 2.46), one model aside.
const OPENAI_IMAGE: u64 = 12_000;
/// gpt-4o-mini multiplies: 2,833 tokens and 5,667 for each of at most eight tiles.
const GPT_4O_MINI_IMAGE: u64 = 2_833 + 8 * 5_667;
/// Anthropic resizes to 2576 pixels on the long side and 92 × 52 patches of 28 × 28 pixels (earlier
/// models: to about 1,600 tokens).
const CLAUDE_IMAGE: u64 = 92 * 52;
/// The largest default that a model with open weights documents (Qwen-VL); Gemini stays below.
const OTHER_IMAGE: u64 = 16_384;
/// A page that is read both as text and as a picture.
const PAGE: u64 = 3_000 + CLAUDE_IMAGE;
/// Base64 bytes of sound for a token. Models read 10 (OpenAI) to 32 (Google) tokens a second, and
/// speech is not coded below 5 kbit/s, which is 833 bytes of base64 a second.
const SOUND_BYTES_PER_TOKEN: usize = 16;
/// Around a medium: its name, its place, its type.
const CAPTION: u64 = 64;

/// A picture, at the size that costs most: its real size is in its bytes, or at an address.
pub(crate) fn image(encoding: &Encoding, model: &str) -> Count {
    Count::at_most(match encoding {
        Encoding::O200k | Encoding::Cl100k if model.contains("4o-mini") => GPT_4O_MINI_IMAGE,
        Encoding::O200k | Encoding::Cl100k => OPENAI_IMAGE,
        Encoding::Claude => CLAUDE_IMAGE,
        Encoding::Bounded | Encoding::Own(_) => OTHER_IMAGE,
    })
}

/// A document; none where it is text, which is to be counted like text.
///
/// A page of a PDF costs up to 3,000 tokens of text and a picture. How many there are does not follow
/// from the file's length, as pages can be packed together; but a page with something on it takes more
/// bytes than tokens. So: a token for a byte of base64, and a page on top. A file of next to empty
/// pages can exceed that.
pub(crate) fn document(json: &[u8]) -> Option<Count> {
    match Form::read(json) {
        Form::Text => None,
        Form::File => Some(Count::at_most(
            tokens(json.len()).saturating_add(PAGE + CAPTION),
        )),
        Form::Elsewhere => Some(ELSEWHERE),
    }
}

/// Sound, or the name of an answer that the provider has spoken before.
pub(crate) fn sound(json: &[u8]) -> Count {
    match Form::read(json) {
        Form::Elsewhere => ELSEWHERE,
        Form::File | Form::Text => Count::at_most(
            tokens(json.len().div_ceil(SOUND_BYTES_PER_TOKEN)).saturating_add(CAPTION),
        ),
    }
}

/// What is only named.
pub(crate) const ELSEWHERE: Count = Count {
    tokens: CAPTION,
    certainty: Certainty::Unknown,
};

/// How a medium is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    File,
    /// By a name or an address.
    Elsewhere,
}

impl Form {
    /// Deeper members say nothing about the form.
    const LIMITS: JsonLimits = JsonLimits {
        max_depth: 64,
        max_values: 1_000_000,
        kept_depth: 3,
    };

    /// Reads the JSON of a document or a sound.
    ///
    /// Anthropic has a `source` of type `base64`, `text`, `content`, `url` or `file`, or the `content` of a
    /// search result. OpenAI has `file_data` or an address of the file in `file` or in the item, and
    /// sound as `data` in `input_audio`.
    fn read(json: &[u8]) -> Self {
        let Ok(document) = Document::parse(json, Self::LIMITS) else {
            return Self::File;
        };
        let root = document.root();
        if let Some(kind) = root.get("source").and_then(|source| source.get("type")) {
            return match kind.as_str().as_deref() {
                Some("text" | "content") => Self::Text,
                Some("base64") => Self::File,
                _ => Self::Elsewhere,
            };
        }
        let holder = ["file", "input_audio"]
            .into_iter()
            .find_map(|key| root.get(key))
            .unwrap_or(root);
        if ["file_data", "data"]
            .into_iter()
            .any(|key| holder.non_null(key).is_some())
        {
            Self::File
        } else if root.get("content").is_some() {
            Self::Text
        } else {
            Self::Elsewhere
        }
    }
}
