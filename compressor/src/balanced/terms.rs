//! What a question asks for: [`Terms`].

use std::collections::HashMap;

/// Words of questions that ask for nothing.
const STOP_WORDS: [&str; 48] = [
    "all", "and", "any", "are", "but", "can", "did", "does", "for", "from", "get", "give", "had",
    "has", "have", "her", "him", "his", "how", "into", "its", "list", "many", "much", "not", "our",
    "out", "please", "see", "she", "show", "tell", "that", "the", "their", "them", "then", "there",
    "they", "this", "was", "were", "what", "when", "where", "which", "who", "why",
];

/// Longer words are cut, in bytes.
const MAX_TERM: usize = 40;

/// Words of at least three letters and numbers of at least two digits, in lower case and without the endings of
/// plurals and tenses.
#[derive(Debug, Default)]
pub(super) struct Terms {
    words: HashMap<String, usize>,
}

impl Terms {
    pub(super) fn of(question: &str) -> Self {
        let mut words = HashMap::new();
        each_term(question, |term| {
            let next = words.len();
            words.entry(term.to_owned()).or_insert(next);
        });
        Self { words }
    }

    /// The texts, as places in the list, that have what the question asks for and few others have: a term that is in
    /// more than a tenth of them, and in more than three, tells none apart. Of more texts than `most` only those
    /// with the highest sum of inverse frequencies, the first of equal ones. In order.
    ///
    /// The weight is the inverse document frequency of Spärck Jones ("A statistical interpretation of term specificity
    /// and its application in retrieval", 1972), without its logarithm.
    pub(super) fn matches<'t>(
        &self,
        texts: impl Iterator<Item = &'t str>,
        most: usize,
    ) -> Vec<usize> {
        if self.words.is_empty() {
            return Vec::new();
        }
        let mut counts = vec![0_usize; self.words.len()];
        let mut seen_in = vec![usize::MAX; self.words.len()];
        let mut found: Vec<Vec<usize>> = Vec::new();
        for (place, text) in texts.enumerate() {
            let mut terms = Vec::new();
            each_term(text, |term| {
                if let Some(&term) = self.words.get(term)
                    && seen_in[term] != place
                {
                    seen_in[term] = place;
                    terms.push(term);
                    counts[term] += 1;
                }
            });
            found.push(terms);
        }
        let all = found.len();
        let bound = (all / 10).max(3);
        let mut matches: Vec<(usize, usize)> = Vec::new();
        for (place, terms) in found.iter().enumerate() {
            let told_apart = terms.iter().filter(|term| counts[**term] <= bound);
            let weight: usize = told_apart.map(|term| all * 16 / counts[*term]).sum();
            if weight > 0 {
                matches.push((weight, place));
            }
        }
        matches.sort_by_key(|&(weight, place)| (std::cmp::Reverse(weight), place));
        matches.truncate(most);
        let mut places: Vec<usize> = matches.into_iter().map(|(_, place)| place).collect();
        places.sort_unstable();
        places
    }
}

/// Calls with each term of a text.
fn each_term(text: &str, mut call: impl FnMut(&str)) {
    each_word(text, |word| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        if word.len() >= 3 || digits >= 2 {
            let term = stem(word);
            if digits > 0 || !STOP_WORDS.contains(&term) {
                call(term);
            }
        }
    });
}

/// Calls with each run of letters and digits, in lower case.
fn each_word(text: &str, mut call: impl FnMut(&str)) {
    let mut lower = String::with_capacity(MAX_TERM);
    for word in text.split(|symbol: char| !symbol.is_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        lower.clear();
        for symbol in word.chars() {
            if lower.len() >= MAX_TERM {
                break;
            }
            lower.extend(symbol.to_lowercase());
        }
        call(&lower);
    }
}

/// A word without its ending.
fn stem(word: &str) -> &str {
    for ending in ["ings", "ing", "ies", "ed", "es", "s", "e", "y"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() >= 3
        {
            return stem;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_terms_match_and_common_ones_do_not() {
        let texts: Vec<String> = (0..40)
            .map(|at| match at {
                7 => "order 4711 was delayed".to_owned(),
                _ => format!("order {at} was sent"),
            })
            .collect();
        let matches =
            |question: &str| Terms::of(question).matches(texts.iter().map(String::as_str), 5);
        assert_eq!(matches("Why are orders delaying?"), [7]);
        assert_eq!(matches("What about 4711?"), [7]);
        assert_eq!(matches("What was sent?"), [0_usize; 0]);
        assert_eq!(matches("13 and 17 and 4711"), [7, 13, 17]);
        assert_eq!(matches(""), [0_usize; 0]);
    }
}
