//! Where words are.

use std::ops::Range;

/// Signs that do not end a word that goes on behind them: `don't`, `e-mail`, `3.14`, `https://a.b/c_d?e=f`.
const JOINERS: &str = "-'’._/:@&+#%=~\\$*?,";
/// The most of them in a row.
const MAX_JOINERS: usize = 3;

/// What a character is to a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Word,
    /// A letter of a script that is written without spaces.
    Alone,
    /// Goes with what is before it.
    Mark,
    Sign,
}

/// The words of a text, letters of scripts without spaces, and signs, each sort of sign in a row as one: all that is
/// not white space, in order and without overlap.
pub(super) fn words(text: &str) -> Vec<Range<usize>> {
    let symbols: Vec<(usize, char)> = text.char_indices().collect();
    let end_of = |index: usize| symbols.get(index).map_or(text.len(), |(at, _)| *at);
    let class = |index: usize| symbols.get(index).map(|(_, symbol)| Class::of(*symbol));
    let mut words = Vec::new();
    let mut index = 0;
    while index < symbols.len() {
        let first = index;
        index += 1;
        match Class::of(symbols[first].1) {
            Class::Space => continue,
            Class::Word => loop {
                while matches!(class(index), Some(Class::Word | Class::Mark)) {
                    index += 1;
                }
                match joined(&symbols, index) {
                    Some(next) => index = next,
                    None => break,
                }
            },
            Class::Sign => {
                while symbols.get(index).map(|(_, symbol)| symbol) == Some(&symbols[first].1) {
                    index += 1;
                }
            }
            Class::Alone | Class::Mark => {}
        }
        while class(index) == Some(Class::Mark) {
            // What a joiner of emoji is followed by is part of the picture.
            let joins = symbols[index].1 == '\u{200d}';
            index += 1;
            if joins && class(index).is_some_and(|class| class != Class::Space) {
                index += 1;
            }
        }
        words.push(symbols[first].0..end_of(index));
    }
    words
}

/// Where a word goes on behind the joiners at `index`.
fn joined(symbols: &[(usize, char)], index: usize) -> Option<usize> {
    let rest = symbols.get(index..)?;
    let joiners = rest
        .iter()
        .take_while(|(_, symbol)| JOINERS.contains(*symbol))
        .count();
    let (_, next) = rest.get(joiners)?;
    let before = symbols
        .get(index.checked_sub(1)?)
        .map(|(_, symbol)| *symbol)?;
    let fits = (1..=MAX_JOINERS).contains(&joiners) && Class::of(*next) == Class::Word;
    // A comma joins digits alone: 1,000 but not "one,two".
    let comma = rest[..joiners].iter().any(|(_, symbol)| *symbol == ',');
    let digits = before.is_numeric() && next.is_numeric() && joiners == 1;
    (fits && (!comma || digits)).then_some(index + joiners)
}

/// Whether a character is part of a word that is written with spaces around it.
pub(super) fn is_word(symbol: char) -> bool {
    Class::of(symbol) == Class::Word
}

impl Class {
    fn of(symbol: char) -> Self {
        if symbol.is_whitespace() {
            return Self::Space;
        }
        match u32::from(symbol) {
            // Combining marks, joiners, variation selectors, skin tones.
            0x300..=0x36f | 0x200c | 0x200d | 0xfe00..=0xfe0f | 0x1_f3fb..=0x1_f3ff => Self::Mark,
            // Thai, Lao, Tibetan, Burmese, Khmer; Chinese and Japanese.
            0x0e00..=0x109f
            | 0x1780..=0x17ff
            | 0x2e80..=0x9fff
            | 0xf900..=0xfaff
            | 0xff66..=0xff9f
            | 0x2_0000..=0x3_ffff
                if symbol.is_alphanumeric() =>
            {
                Self::Alone
            }
            _ if symbol.is_alphanumeric() || symbol == '_' => Self::Word,
            _ => Self::Sign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        words(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn words_keep_what_joins_them() {
        assert_eq!(
            cut("Don't (re-do) U.S.-based 3.14, 1,000!"),
            [
                "Don't",
                "(",
                "re-do",
                ")",
                "U.S.-based",
                "3.14",
                ",",
                "1,000",
                "!"
            ]
        );
        assert_eq!(cut("https://a.b/c_d?e=f."), ["https://a.b/c_d?e=f", "."]);
        assert_eq!(
            cut("one,two -- x..."),
            ["one", ",", "two", "--", "x", "..."]
        );
        assert_eq!(cut("a\u{301}b é"), ["a\u{301}b", "é"]);
    }

    #[test]
    fn letters_of_scripts_without_spaces_stand_alone() {
        assert_eq!(cut("東京 tower。"), ["東", "京", "tower", "。"]);
        assert_eq!(cut("👩\u{200d}💻👍"), ["👩\u{200d}💻", "👍"]);
        assert_eq!(cut(" \n\u{a0}"), [""; 0]);
    }
}
