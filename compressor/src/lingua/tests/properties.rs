use std::ops::Range;

use proptest::prelude::*;

use super::super::atoms::{Rules, atoms, join};
use super::super::baselines;
use super::super::classified::{self, ClassifiedText, ClassifiedToken, chunks};
use super::super::sentences::sentences;
use super::super::tags::parse;
use super::super::*;
use super::{by_words, context, mixed, run, small};

fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => "[a-z]{1,8}",
        1 => "[A-Za-z0-9_./:-]{1,12}",
        1 => "\\PC{1,6}",
        1 => Just("東京".to_owned()),
        1 => Just("👩\u{200d}💻".to_owned()),
        1 => Just("<llmlingua, rate=0.5>".to_owned()),
        1 => Just("</llmlingua>".to_owned()),
    ];
    let space = prop_oneof![6 => Just(" "), 1 => Just("\n"), 1 => Just("\n\n"), 1 => Just(""), 1 => Just("\u{3000}")];
    let words = prop::collection::vec((word, space), 0..60);
    prop_oneof![
        5 => words.prop_map(|words| words.into_iter().map(|(word, space)| word + space).collect()),
        1 => any::<String>(),
    ]
}

/// Ranges that may be anything.
fn ranges() -> impl Strategy<Value = Vec<Range<usize>>> {
    prop::collection::vec((0..400_usize, 0..20_usize), 0..30).prop_map(|pairs| {
        let mut ranges: Vec<_> = pairs
            .into_iter()
            .map(|(at, length)| at..at + length)
            .collect();
        ranges.sort_by_key(|range| range.start);
        ranges
    })
}

fn options() -> impl Strategy<Value = LinguaOptions> {
    (0.0..=1.0, any::<[bool; 4]>(), 1..50_usize, any::<bool>()).prop_map(
        |(rate, [digits, drops, split, compares], iterative_size, forces)| LinguaOptions {
            rate,
            force_reserve_digit: digits,
            drop_consecutive: drops,
            keep_split: split,
            condition_compare: compares,
            iterative_size,
            force_tokens: if forces {
                vec!["a".to_owned(), "\n".to_owned()]
            } else {
                Vec::new()
            },
            ..LinguaOptions::default()
        },
    )
}

/// Spans that are in the text.
fn valid(text: &str, ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    let fits = |range: &&Range<usize>| text.get((*range).clone()).is_some_and(|t| !t.is_empty());
    ranges.iter().filter(fits).cloned().collect()
}

fn check(text: &str, kept: &Kept, protected: &[Range<usize>]) -> Result<(), TestCaseError> {
    let mut end = None;
    for range in kept.ranges() {
        prop_assert!(range.start < range.end);
        prop_assert!(end.is_none_or(|end| end < range.start));
        prop_assert!(text.get(range.clone()).is_some());
        end = Some(range.end);
    }
    for span in valid(text, protected) {
        let survives = kept
            .ranges()
            .iter()
            .any(|range| range.start <= span.start && span.end <= range.end);
        prop_assert!(survives, "{:?} is cut", &text[span]);
    }
    Ok(())
}

fn before() -> Before {
    Before {
        conditioned: vec![1, 2],
        plain: vec![1],
        separator: vec![3],
    }
}

proptest! {
    #[test]
    fn atoms_have_all_of_a_text(text in text(), tokens in ranges(), protected in ranges(), options in options()) {
        let rules = Rules { protected: &protected, options: &options };
        let atoms = atoms(&text, &tokens, rules);
        let mut end = 0;
        for atom in &atoms {
            prop_assert_eq!(atom.range.start, end);
            prop_assert!(text.get(atom.range.clone()).is_some_and(|part| !part.is_empty()));
            end = atom.range.end;
        }
        prop_assert_eq!(end, text.len());
        prop_assert_eq!(join(&text, &atoms, &vec![true; atoms.len()]), Kept::all(&text));
    }

    #[test]
    fn classified_texts_keep_what_they_must(
        text in text(),
        ranges in ranges(),
        keep in prop::collection::vec(0.0..1.0_f32, 30),
        protected in ranges(),
        window in 1..20_usize,
        options in options(),
    ) {
        let protected = valid(&text, &protected);
        let tokens: Vec<ClassifiedToken> = valid(&text, &ranges)
            .into_iter()
            .zip(keep)
            .map(|(range, keep)| ClassifiedToken { range, keep })
            .collect();
        let ranges: Vec<_> = tokens.iter().map(|token| token.range.clone()).collect();
        let chunks = chunks(&text, &ranges, window, &options.chunk_end_tokens, &protected);
        let ends: Vec<usize> = chunks.iter().map(|chunk| chunk.end).collect();
        prop_assert_eq!(ends.last().copied().unwrap_or(0), text.len());
        let input = ClassifiedText { text: &text, chunks: &chunks, tokens: &tokens, protected: &protected };
        let kept = classified::compress(input, options.rate, &options, &by_words);
        check(&text, &kept, &protected)?;
        prop_assert_eq!(classified::compress(input, options.rate, &options, &by_words), kept);
    }

    #[test]
    fn windows_keep_what_they_must(
        text in text(),
        protected in ranges(),
        rate in 0.0..=1.0,
        limit in 8..200_usize,
        options in options(),
    ) {
        let mut first = context(&text, rate);
        first.protected = protected.clone();
        let contexts = vec![first, context("and another one", 0.5)];
        let score = |_, read: &[u32], token| mixed(read, token);
        let (kept, _) = run(contexts.clone(), before(), limit, &options, &score);
        prop_assert_eq!(kept.len(), 2);
        check(&text, &kept[0], &protected)?;
        prop_assert_eq!(run(contexts, before(), limit, &options, &score).0, kept);
    }

    #[test]
    fn the_rate_is_kept(words in prop::collection::vec("[a-z]{1,6}", 1..200), rate in 0.0..=1.0, size in 1..60_usize) {
        let text = words.join(" ");
        let options = LinguaOptions { iterative_size: size, ..LinguaOptions::default() };
        let score = |_, read: &[u32], token| mixed(read, token);
        let (kept, _) = run(vec![context(&text, rate)], before(), 1000, &options, &score);
        let wanted = rate * small(words.len());
        let rules = Rules { protected: &[], options: &options };
        let random = baselines::random(&text, rate, 7, rules, &by_words);
        for kept in [&kept[0], &random] {
            prop_assert!((small(by_words(&kept.text(&text))) - wanted).abs() <= 1.0);
        }
    }

    #[test]
    fn what_is_ours_is_left_alone(text in text(), rate in 0.0..=1.0) {
        let ours = format!("{text} [skinflint: 1 of 2 words omitted] {text}");
        let options = LinguaOptions::default();
        let score = |_, _: &[u32], _| -> f32 { panic!("scored") };
        let (kept, _) = run(vec![context(&ours, rate)], before(), 100, &options, &score);
        prop_assert_eq!(&kept[0], &Kept::all(&ours));
        let input = ClassifiedText { text: &ours, chunks: &[], tokens: &[], protected: &[] };
        prop_assert_eq!(classified::compress(input, rate, &options, &by_words), Kept::all(&ours));
    }

    #[test]
    fn whatever_is_read_does_not_panic(text in text(), spans in ranges(), rate in 0.0..=1.0) {
        if let Ok(sections) = parse(&text) {
            prop_assert!(sections.iter().all(|section| text.get(section.content.clone()).is_some()));
        }
        let parts: String = sentences(&text, &spans).into_iter().map(|range| &text[range]).collect();
        prop_assert_eq!(&parts, &text);
        let options = LinguaOptions::default();
        let rules = Rules { protected: &spans, options: &options };
        let kept = baselines::best_sentences(&text, rate, &text, rules, &by_words);
        check(&text, &kept, &spans)?;
    }
}
