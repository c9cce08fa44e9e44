use proptest::prelude::*;

use super::rough;
use crate::log::{dates, normalise, runs, templates};
use crate::repeats::{self, Earlier, Passages};
use crate::{FormError, lossless, search};

type Encode = fn(&str) -> Option<String>;
type Decode = fn(&str) -> Result<String, FormError>;

const STAGES: [(Encode, Decode); 4] = [
    (runs::encode, runs::decode),
    (dates::encode, dates::decode),
    (templates::encode, templates::decode),
    (search::encode, search::decode),
];

/// Lines of which many are alike, as programs write them, with odd ones and things of ours between.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0..60_u32, 0..4_u32, 0..9999_u32).prop_map(|(second, worker, took)| format!(
            "2026-03-01 12:00:{second:02} INFO worker-{worker} finished the job in {took} ms"
        )),
        3 => (0..60_u32, "[a-z|,;]{0,6}").prop_map(|(second, user)| format!(
            "2026-03-01 12:01:{second:02} WARN user {user} failed to log in from 10.0.0.{second}"
        )),
        2 => Just("waiting for the database to come up".to_owned()),
        1 => Just(String::new()),
        3 => ("[a-c]", 0..40_u32, "[ a-z:-]{0,20}").prop_map(|(path, line, text)| format!(
            "src/some/where/{path}-1-x.rs:{line}:{text}"
        )),
        2 => ("[a-c]", 0..40_u32, "[ a-z:-]{0,20}").prop_map(|(path, line, text)| format!(
            "src/some/where/{path}-1-x.rs-{line}-{text}"
        )),
        1 => "[A-C]([|,;=][0-9]{0,2}){0,3}",
        1 => "\\\\{0,2}[0-2][0-9]:[0-5][0-9]:[0-5][0-9] [a-z]{0,5}",
        1 => prop_oneof![Just("--"), Just("(x3)"), Just("(2 lines x3)"), Just("<*>{}"), Just(" x"), Just("C:\\a.rs:1:x"), Just("a.b:1:2")]
            .prop_map(str::to_owned),
        1 => "[\u{1b}\r \t\\[m0-9K%é]{0,12}",
        1 => "\\PC{0,30}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (prop::collection::vec((line(), 1..4_usize), 0..40), prop_oneof![Just("\n"), Just("\r\n")], any::<bool>()).prop_map(
            |(lines, end, ends)| {
                let mut text = String::new();
                for (line, times) in lines {
                    for _ in 0..times {
                        text.push_str(&line);
                        text.push_str(end);
                    }
                }
                if !ends {
                    text.truncate(text.trim_end().len());
                }
                text
            }
        ),
        1 => any::<String>(),
    ]
}

/// Text with hits alone, so that it is taken for search results.
fn hits() -> impl Strategy<Value = String> {
    prop::collection::vec(
        (
            "[ab]/[xy]{1,2}-[0-9]{1,2}-\\.c",
            0..500_u32,
            "[:-]",
            "\\PC{0,20}",
        ),
        3..40,
    )
    .prop_map(|hits| {
        let lines: Vec<String> = hits
            .into_iter()
            .map(|(path, line, mark, text)| format!("{path}{mark}{line}{mark}{text}"))
            .collect();
        lines.join("\n")
    })
}

fn check_rewrite(text: &str) -> Result<(), TestCaseError> {
    let Some(rewrite) = lossless::rewrite(text, &rough) else {
        return Ok(());
    };
    prop_assert!(rough(&rewrite.text) < rough(text));
    prop_assert_eq!(lossless::rewrite(&rewrite.text, &rough), None);
    let restored = lossless::restore(&rewrite.text);
    if rewrite.normalised.is_empty() {
        prop_assert_eq!(restored.as_deref(), Ok(text));
    } else {
        prop_assert!(restored.is_ok());
    }
    prop_assert_eq!(lossless::rewrite(text, &rough), Some(rewrite));
    Ok(())
}

proptest! {
    #[test]
    fn every_form_leads_back_and_is_smaller(text in text()) {
        for (encode, decode) in STAGES {
            if let Some(form) = encode(&text) {
                prop_assert!(form.len() < text.len());
                prop_assert_eq!(encode(&form), None);
                prop_assert_eq!(decode(&form), Ok(text.clone()));
            }
        }
    }

    #[test]
    fn rewrites_lead_back_and_are_not_rewritten(text in text()) {
        check_rewrite(&text)?;
    }

    #[test]
    fn search_results_lead_back(text in hits()) {
        if let Some(form) = search::encode(&text) {
            prop_assert_eq!(search::decode(&form), Ok(text.clone()));
        }
        check_rewrite(&text)?;
    }

    #[test]
    fn normalising_is_done_once(text in text()) {
        if let Some((plain, done)) = normalise::normalise(&text) {
            prop_assert!(plain.len() < text.len());
            prop_assert!(!done.is_empty());
            prop_assert_eq!(normalise::normalise(&plain), None);
        }
    }

    #[test]
    fn whatever_is_decoded_does_not_panic(
        hint in prop_oneof![
            Just("[skinflint:runs (xN) = line above N times, (p lines xN) = p lines above N times]"),
            Just("[skinflint:date \"2026-03-01 \" before each leading hh:mm]"),
            Just("[skinflint:templates 2; \"A|x|y\" = A with <*> filled by x, y]"),
            Just("[skinflint:grep each path once, above its lines]"),
            Just("[skinflint:same as lines 1-2 of b: \"x\"]"),
        ],
        text in text(),
    ) {
        let forged = format!("{hint}\n{text}");
        let _ = lossless::restore(&forged);
        let _ = lossless::restore(&text);
        let _ = repeats::restore(&forged, &[Earlier { label: "b", text: &text }]);
        prop_assert_eq!(lossless::rewrite(&forged, &rough), None);
    }

    #[test]
    fn references_lead_back(
        blocks in prop::collection::vec(text(), 1..4),
        cut in any::<prop::sample::Index>(),
        fresh in text(),
        min_lines in 0..5_usize,
    ) {
        let labels: Vec<String> = (0..blocks.len()).map(|index| format!("block {index}")).collect();
        let earlier: Vec<Earlier<'_>> = labels
            .iter()
            .zip(&blocks)
            .map(|(label, text)| Earlier { label, text })
            .collect();
        let lines: Vec<&str> = blocks[0].split('\n').collect();
        let from = cut.index(lines.len());
        let new = format!("{fresh}{}\n{}", lines[from..].join("\n"), blocks[blocks.len() - 1]);
        let passages = Passages { min_lines, min_bytes: 60 };
        if let Some(short) = repeats::encode(&new, &earlier, passages) {
            prop_assert!(short.len() < new.len());
            prop_assert_eq!(repeats::encode(&short, &earlier, passages), None);
            prop_assert_eq!(repeats::restore(&short, &earlier), Ok(new));
        }
    }
}
