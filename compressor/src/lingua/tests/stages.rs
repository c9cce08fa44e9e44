//! Options, tags, ranks, budgets and sentences.

use super::super::rank::{bm25, order, reorder};
use super::super::sentences::{select, sentences};
use super::super::tags::{Section, TagFault, parse};
use super::super::*;

#[test]
fn options_out_of_range_are_named() {
    let refuse = |change: fn(&mut LinguaOptions)| {
        let mut options = LinguaOptions::default();
        change(&mut options);
        options.validated().unwrap_err().to_string()
    };
    assert_eq!(refuse(|o| o.rate = 1.5), "`rate` is 1.5; allowed: 0 to 1");
    assert_eq!(
        refuse(|o| o.rate = f64::NAN),
        "`rate` is NaN; allowed: 0 to 1"
    );
    let told = refuse(|o| o.iterative_size = 0);
    assert_eq!(told, "`iterative_size` is 0; allowed: 1 to 4096");
    let told = refuse(|o| o.token_budget_ratio = 0.9);
    assert_eq!(told, "`token_budget_ratio` is 0.9; allowed: 1 to 10");
    let told = refuse(|o| o.force_tokens = vec![String::new()]);
    assert!(
        told.starts_with("`force_tokens` is a list with a string of 0 bytes"),
        "{told}"
    );
    let told = refuse(|o| o.force_tokens = vec!["a".to_owned(); 101]);
    assert_eq!(
        told,
        "`force_tokens` is a list of 101; allowed: at most 100 strings"
    );
    let told = refuse(|o| o.target_token = Some(0));
    assert_eq!(told, "`target_token` is 0; allowed: 1 or more, or none");
    assert!(refuse(|o| o.context_level_rate = Some(-0.1)).contains("context_level_rate"));
    assert!(refuse(|o| o.context_budget = ContextBudget::Times(0.0)).contains("context_budget"));
    assert!(LinguaOptions::with_rate(0.3).is_ok());
}

#[test]
fn context_budgets_are_read_not_run() {
    let budget = |text: &str| text.parse::<ContextBudget>();
    assert_eq!(budget("+100"), Ok(ContextBudget::Plus(100.0)));
    assert_eq!(budget(" *1.5 "), Ok(ContextBudget::Times(1.5)));
    assert_eq!(budget("-20"), Ok(ContextBudget::Plus(-20.0)));
    assert_eq!(budget("/2"), Ok(ContextBudget::Times(0.5)));
    let bad = [
        "",
        "+",
        "100",
        "+1e9",
        "*-1",
        "**2",
        "+__import__('os')",
        "/0",
        "*0",
        "+inf",
        "+99999999",
    ];
    for bad in bad {
        assert!(budget(bad).is_err(), "{bad}");
    }
    assert!((ContextBudget::Plus(-20.0).of(10.0)).abs() < 1e-9);
    assert_eq!(ContextBudget::Plus(100.0).to_string(), "+100");
    assert_eq!("two_stage".parse(), Ok(Reorder::TwoStage));
    assert_eq!("after".parse(), Ok(ConditionInQuestion::After));
    assert_eq!("bm25".parse(), Ok(RankMethod::Bm25));
    let told = "best".parse::<RankMethod>().unwrap_err().to_string();
    assert_eq!(
        told,
        "`rank_method` is \"best\"; allowed: llmlingua, longllmlingua, bm25"
    );
}

#[test]
fn sections_are_read_in_either_order() {
    let prompt = "in <llmlingua, rate=0.4, compress=False>a < b</llmlingua>\
        <llmlingua,compress=True , rate=1>x<b></llmlingua><llmlingua></llmlingua> <llmlinguas> end";
    let read: Vec<_> = parse(prompt)
        .unwrap()
        .into_iter()
        .map(
            |Section {
                 content,
                 rate,
                 compress,
             }| (prompt[content].to_owned(), rate, compress),
        )
        .collect();
    let expected = [
        ("in ", None, true),
        ("a < b", Some(0.4), false),
        ("x<b>", Some(1.0), true),
        (" <llmlinguas> end", None, true),
    ];
    assert_eq!(
        read,
        expected.map(|(text, rate, compress)| (text.to_owned(), rate, compress))
    );
    assert_eq!(parse("").unwrap(), []);
}

#[test]
fn broken_tags_are_told_with_their_place() {
    let told = |prompt: &str| parse(prompt).unwrap_err().to_string();
    assert_eq!(
        told("a\n </llmlingua>"),
        "</llmlingua> closes nothing at line 2 column 2"
    );
    assert_eq!(
        told("<llmlingua>x"),
        "nothing closes the tag <llmlingua> at line 1 column 1"
    );
    assert_eq!(
        told("é<llmlingua, rate=0.4"),
        "the tag <llmlingua has no end at line 1 column 2"
    );
    assert_eq!(
        told("<llmlingua>a<llmlingua>b</llmlingua></llmlingua>"),
        "a tag <llmlingua> stands within another at line 1 column 13"
    );
    let fault = |attributes: &str| {
        parse(&format!("<llmlingua{attributes}>x</llmlingua>"))
            .unwrap_err()
            .fault
    };
    assert_eq!(fault(", rate=2"), TagFault::Rate("2".to_owned()));
    assert_eq!(fault(", rate=NaN"), TagFault::Rate("NaN".to_owned()));
    assert_eq!(fault(", compress=no"), TagFault::Compress("no".to_owned()));
    assert_eq!(fault(", rate=0, rate=1"), TagFault::Twice("rate"));
    assert_eq!(
        fault(", speed=1"),
        TagFault::Attribute("speed=1".to_owned())
    );
}

#[test]
fn ranks_and_orders() {
    assert_eq!(
        order(&[1.0, 3.0, 2.0, 3.0], RankMethod::Llmlingua),
        [1, 3, 2, 0]
    );
    assert_eq!(
        order(&[1.0, 3.0, 2.0, 3.0], RankMethod::Longllmlingua),
        [0, 2, 1, 3]
    );
    assert_eq!(
        reorder(&[4, 1, 3, 0, 2], Reorder::Original),
        [0, 1, 2, 3, 4]
    );
    assert_eq!(reorder(&[4, 1, 3, 0, 2], Reorder::Sort), [4, 1, 3, 0, 2]);
    assert_eq!(
        reorder(&[4, 1, 3, 0, 2], Reorder::TwoStage),
        [4, 3, 2, 0, 1]
    );
    let scores = bm25(&["the cat sat", "dogs and cats", "a cat, a cat"], "Cat?");
    // By hand: idf ln(1 + 1.5 / 2.5), texts of 3, 3 and 4 words.
    let idf = (1.0_f64 + 1.5 / 2.5).ln();
    let norm = |length: f64| 1.5 * (0.25 + 0.75 * length / (10.0 / 3.0));
    assert!((scores[0] - idf * 2.5 / (1.0 + norm(3.0))).abs() < 1e-9);
    assert!((scores[2] - idf * 5.0 / (2.0 + norm(4.0))).abs() < 1e-9);
    assert!(scores[1].abs() < 1e-9);
    assert!(bm25(&[], "x").is_empty());
}

#[test]
fn budgets_by_hand() {
    let options = LinguaOptions::default();
    // Half of 400, of which 100 are not to be touched.
    assert!((budget::target(&options, 60, 40, &[100, 200]) - 100.0).abs() < 1e-9);
    assert!(budget::target(&options, 600, 40, &[100]).abs() < 1e-9);
    let tight = LinguaOptions {
        context_budget: ContextBudget::Plus(0.0),
        force_context_ids: vec![0],
        ..options.clone()
    };
    // 90 and the one that overflows, and the forced one.
    assert_eq!(
        budget::select(&[2, 1, 3, 0], &[10, 60, 50, 40], 90.0, &tight),
        [2, 1, 0]
    );
    let dynamic = LinguaOptions {
        dynamic_context_compression_ratio: 0.3,
        ..options
    };
    let rates = budget::rates(&[2, 1, 0], &[100, 100, 100], 150.0, &dynamic);
    for (rate, expected) in rates.iter().zip([0.8, 0.5, 0.2]) {
        assert!((rate - expected).abs() < 1e-9);
    }
    assert_eq!(budget::rates(&[0], &[0], 5.0, &dynamic), [1.0]);
}

#[test]
fn sentences_end_where_they_should() {
    let cut = |text: &str| {
        let ranges = sentences(text, &[]);
        ranges
            .into_iter()
            .map(|range| text[range].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        cut("One 3.5 x. Two!\n\nThree? "),
        ["One 3.5 x.", " Two!", "\n\nThree? "]
    );
    assert_eq!(cut("甲。乙"), ["甲。", "乙"]);
    assert_eq!(cut(""), [""; 0]);
    let name = 0..5;
    let whole = std::slice::from_ref(&name);
    assert_eq!(sentences("Mr. X. Y", whole), [0..6, 6..8]);
    assert_eq!(
        select(&[1.0, 5.0, 3.0, 2.0], &[10; 4], 15.0, 0, 0),
        [false, true, true, false]
    );
    assert_eq!(
        select(&[1.0, 5.0, 3.0, 2.0], &[10; 4], 15.0, 1, 1),
        [true, false, false, true]
    );
}
