//! Texts of a wanted number of tokens: [`Words`].

use std::path::Path;

use super::BenchError;
use crate::prompts;

/// Words in an endless row.
#[derive(Debug)]
pub(super) struct Words {
    words: Vec<String>,
}

impl Words {
    /// Those of the longest prompt.
    pub(super) fn read(folder: &Path) -> Result<Self, BenchError> {
        let prompts = prompts::read(folder)?;
        let longest = prompts
            .iter()
            .map(prompts::Prompt::whole)
            .max_by_key(String::len);
        let words = longest
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        Ok(Self { words })
    }

    /// So many words from word `start` on.
    pub(super) fn row(&self, start: usize, length: usize) -> String {
        let words: Vec<&str> = self
            .words
            .iter()
            .cycle()
            .skip(start)
            .take(length)
            .map(String::as_str)
            .collect();
        words.join(" ")
    }

    /// The longest text from word `start` on that has at most `tokens` tokens by `count`. Another start makes another
    /// text, so that nothing which an engine keeps of earlier ones helps.
    pub(super) fn text<E>(
        &self,
        start: usize,
        tokens: usize,
        count: impl Fn(&str) -> Result<usize, E>,
    ) -> Result<String, E> {
        // A word has at least one token. The number of tokens grows with that of words.
        let (mut fits, mut too_long) = (0, tokens + 1);
        while fits + 1 < too_long {
            let middle = usize::midpoint(fits, too_long);
            if count(&self.row(start, middle))? <= tokens {
                fits = middle;
            } else {
                too_long = middle;
            }
        }
        Ok(self.row(start, fits))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn a_text_is_as_long_as_it_may_be() {
        let words = Words {
            words: ["a", "bb", "ccc"].map(str::to_owned).to_vec(),
        };
        // As though each letter was a token.
        let text = |start, tokens| {
            words
                .text(start, tokens, |text| {
                    Ok::<_, Infallible>(text.replace(' ', "").len())
                })
                .unwrap()
        };
        assert_eq!(text(0, 6), "a bb ccc");
        assert_eq!(text(0, 8), "a bb ccc a");
        assert_eq!(text(1, 4), "bb");
        assert_eq!(text(1, 6), "bb ccc a");
    }
}
