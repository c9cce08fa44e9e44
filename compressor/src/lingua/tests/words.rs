//! Which words stay: the classifier's, the windows', the baselines'.

use super::super::atoms::{Force, Rules, atoms, join};
use super::super::baselines::{self, Unigrams};
use super::super::classified::{self, ClassifiedText, ClassifiedToken, chunks};
use super::super::*;
use super::{by_words, context, mixed, run, span, tokens};

fn classified(text: &str, keep: &[f32]) -> Vec<ClassifiedToken> {
    let tokens = tokens(text);
    assert_eq!(tokens.len(), keep.len());
    let pairs = tokens.into_iter().zip(keep);
    pairs
        .map(|(token, &keep)| ClassifiedToken {
            range: token.range,
            keep,
        })
        .collect()
}

fn compress(text: &str, keep: &[f32], rate: f64, options: &LinguaOptions) -> String {
    let whole = 0..text.len();
    let input = ClassifiedText {
        text,
        chunks: std::slice::from_ref(&whole),
        tokens: &classified(text, keep),
        protected: &[],
    };
    classified::compress(input, rate, options, &by_words).text(text)
}

#[test]
fn the_classifiers_best_words_stay() {
    let text = "the cat sat on a mat";
    let keep = [0.1, 0.9, 0.8, 0.2, 0.05, 0.95];
    let options = LinguaOptions::default();
    assert_eq!(compress(text, &keep, 0.5, &options), " cat sat mat");
    assert_eq!(compress(text, &keep, 0.34, &options), " cat mat");
    assert_eq!(compress(text, &keep, 1.0, &options), text);
    assert_eq!(compress(text, &keep, 0.0, &options), "");
    // Of equals the first, and not all or none of them.
    assert_eq!(compress(text, &[0.5; 6], 0.5, &options), "the cat sat");
}

#[test]
fn forced_strings_and_digits_stay_and_count() {
    let text = "the cat , 7 , x mats";
    let options = LinguaOptions {
        force_tokens: vec![",".to_owned()],
        force_reserve_digit: true,
        ..LinguaOptions::default()
    };
    let keep = [0.1, 0.9, 0.0, 0.0, 0.0, 0.3, 0.8];
    assert_eq!(compress(text, &keep, 0.5, &options), " cat , 7 ,");
    let drops = LinguaOptions {
        drop_consecutive: true,
        force_reserve_digit: false,
        ..options
    };
    // Nothing is kept between the commas.
    assert_eq!(compress(text, &keep, 0.5, &drops), " cat , mats");
    let lines = LinguaOptions {
        force_tokens: vec!["\n".to_owned()],
        ..LinguaOptions::default()
    };
    assert_eq!(
        compress("a b\nc d", &[0.9, 0.1, 0.1, 0.1], 0.25, &lines),
        "a\n"
    );
}

#[test]
fn parts_of_a_word_go_together() {
    // Three tokens of one word, the mean of which is below the other's.
    let text = "Röntgen won";
    let parts = [(0..1, 0.9), (1..4, 0.1), (4..8, 0.2), (9..12, 0.5)];
    let tokens = parts.map(|(range, keep)| ClassifiedToken { range, keep });
    let whole = 0..text.len();
    let input = ClassifiedText {
        text,
        chunks: std::slice::from_ref(&whole),
        tokens: &tokens,
        protected: &[],
    };
    let kept = classified::compress(input, 0.5, &LinguaOptions::default(), &by_words);
    assert_eq!(kept.text(text), " won");
    let protected = ClassifiedText {
        protected: &[span(text, "ö")],
        ..input
    };
    let kept = classified::compress(protected, 0.5, &LinguaOptions::default(), &by_words);
    assert_eq!(kept.text(text), "Röntgen");
}

#[test]
fn each_chunk_has_the_rate() {
    let text = "a b c d. e f g h";
    let tokens = classified(text, &[0.9, 0.9, 0.9, 0.9, 0.1, 0.2, 0.3, 0.4]);
    let ranges: Vec<_> = tokens.iter().map(|token| token.range.clone()).collect();
    let ends = [".".to_owned()];
    let chunks = chunks(text, &ranges, 6, &ends, &[]);
    assert_eq!(chunks, [0..8, 8..16]);
    let input = ClassifiedText {
        text,
        chunks: &chunks,
        tokens: &tokens,
        protected: &[],
    };
    let kept = classified::compress(input, 0.5, &LinguaOptions::default(), &by_words);
    assert_eq!(kept.text(text), "a b g h");
}

#[test]
fn chunks_end_behind_sentences_or_anywhere_but_in_a_span() {
    let ends = [".".to_owned(), "\n".to_owned()];
    let cut = |text: &str, window, part: &str| {
        let span = span(text, part);
        let ranges: Vec<_> = tokens(text).into_iter().map(|token| token.range).collect();
        let chunks = chunks(text, &ranges, window, &ends, std::slice::from_ref(&span));
        chunks
            .into_iter()
            .map(|range| text[range].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(cut("a b c", 3, ""), ["a b c"]);
    assert_eq!(cut("a b c", 2, ""), ["a b", " c"]);
    assert_eq!(cut("a. b c d", 3, ""), ["a.", " b c d"]);
    assert_eq!(cut("a b c d", 3, "b c d"), ["a", " b c d"]);
    assert_eq!(cut("a b c d e", 2, "a b c d"), ["a b c d", " e"]);
    assert_eq!(cut("", 2, ""), [""; 0]);
}

#[test]
fn contexts_are_left_out_by_their_mean() {
    let options = LinguaOptions::with_rate(0.4).unwrap();
    // (0.4 + 1) / 2 of 100 tokens: two of three, and then 40 of the 80 that are left.
    let (kept, rate) = classified::filter(&[0.2, 0.9, 0.5], &[20, 40, 40], &options);
    assert_eq!(kept, [1, 2]);
    assert!((rate - 0.5).abs() < 1e-9);
    let forced = LinguaOptions {
        force_context_ids: vec![0],
        target_context: Some(1),
        ..options
    };
    assert_eq!(
        classified::filter(&[0.2, 0.9, 0.5], &[20, 40, 40], &forced).0,
        [0, 1]
    );
}

/// How surprising a token is: its number, whatever stands before.
fn flat(text: &str, surprisals: &[f32]) -> impl Fn(Lane, &[u32], u32) -> f32 {
    let ids: Vec<u32> = tokens(text).into_iter().map(|token| token.id).collect();
    let surprisals = surprisals.to_vec();
    move |_, _, token| {
        let at = ids.iter().position(|&id| id == token);
        -at.map_or(0.0, |at| surprisals[at])
    }
}

#[test]
fn surprising_words_stay() {
    let text = "the cat sat on a mat";
    let score = flat(text, &[1.0, 9.0, 8.0, 2.0, 0.5, 9.5]);
    let options = LinguaOptions::default();
    let before = Before {
        conditioned: vec![1],
        ..Before::default()
    };
    let (kept, steps) = run(
        vec![context(text, 0.5)],
        before.clone(),
        100,
        &options,
        &score,
    );
    assert_eq!((kept[0].text(text).as_str(), steps), (" cat sat mat", 1));
    // Windows of two: one word of each.
    let windows = LinguaOptions {
        iterative_size: 2,
        ..options.clone()
    };
    let (kept, steps) = run(vec![context(text, 0.5)], before, 100, &windows, &score);
    assert_eq!((kept[0].text(text).as_str(), steps), (" cat sat mat", 3));
    // With nothing before it the first word has no score, and stays.
    let (kept, _) = run(
        vec![context(text, 0.5)],
        Before::default(),
        100,
        &options,
        &score,
    );
    assert_eq!(kept[0].text(text), "the cat mat");
}

#[test]
fn windows_are_scored_behind_what_is_kept() {
    let text = "one two three four";
    let ids: Vec<u32> = tokens(text).into_iter().map(|token| token.id).collect();
    let options = LinguaOptions {
        iterative_size: 2,
        ..LinguaOptions::default()
    };
    let before = Before {
        conditioned: vec![1],
        ..Before::default()
    };
    let mut machine = Iterative::new(vec![context(text, 0.5)], before, 100, &options);
    assert_eq!(machine.feed(&[]), Err(FeedError::NotAsked));
    let first = Step::Score {
        lane: Lane::Conditioned,
        keep: 0,
        tokens: vec![1, ids[0], ids[1]],
    };
    assert_eq!(machine.step(), first);
    assert_eq!(machine.step(), first);
    let error = FeedError::Count {
        expected: 2,
        got: 1,
    };
    assert_eq!(machine.feed(&[0.0]), Err(error));
    machine.feed(&[-1.0, -5.0]).unwrap();
    // "two" stays, "one" is forgotten.
    let second = Step::Score {
        lane: Lane::Conditioned,
        keep: 1,
        tokens: vec![ids[1], ids[2], ids[3]],
    };
    assert_eq!(machine.step(), second);
    machine.feed(&[-9.0, -2.0, -1.0]).unwrap();
    let Step::Done(kept) = machine.step() else {
        panic!("not done")
    };
    assert_eq!(kept[0].text(text), " two three");
}

#[test]
fn what_the_question_makes_likelier_stays() {
    let text = "the cat sat on a mat";
    let ids: Vec<u32> = tokens(text).into_iter().map(|token| token.id).collect();
    let score = |lane, _: &[u32], token| match lane {
        Lane::Conditioned if token == ids[5] => -1.0,
        // Surprising, with the question or without.
        _ if token == ids[1] => -20.0,
        _ => -5.0,
    };
    let options = LinguaOptions {
        condition_compare: true,
        ..LinguaOptions::default()
    };
    let before = Before {
        conditioned: vec![1, 2],
        plain: vec![1],
        separator: Vec::new(),
    };
    let (kept, steps) = run(vec![context(text, 0.17)], before, 100, &options, &score);
    assert_eq!((kept[0].text(text).as_str(), steps), (" mat", 2));
}

#[test]
fn a_full_model_forgets_the_middle() {
    let text = (0..300)
        .map(|at| format!("w{at}"))
        .collect::<Vec<_>>()
        .join(" ");
    let options = LinguaOptions {
        iterative_size: 20,
        ..LinguaOptions::default()
    };
    let before = Before {
        conditioned: vec![1, 2, 3],
        ..Before::default()
    };
    let score = |_, read: &[u32], token: u32| {
        assert_eq!(read[0], 1);
        mixed(read, token)
    };
    let (kept, _) = run(vec![context(&text, 0.5)], before, 64, &options, &score);
    assert_eq!(by_words(&kept[0].text(&text)), 150);
}

#[test]
fn words_do_not_run_together() {
    let options = LinguaOptions::default();
    let rules = Rules {
        protected: &[],
        options: &options,
    };
    let kept = |text: &str, words: &[&str]| {
        let atoms = atoms(text, &[], rules);
        let kept: Vec<bool> = atoms
            .iter()
            .map(|atom| words.contains(&text[atom.range.clone()].trim()))
            .collect();
        join(text, &atoms, &kept).text(text)
    };
    assert_eq!(kept("see (it)", &["see", "it"]), "see it");
    assert_eq!(kept("see\n(it)", &["see", "it"]), "see\nit");
    assert_eq!(kept("f(x)(y) z", &["f", "y"]), "f(y");
    assert_eq!(kept("a b c.", &["a", "."]), "a .");
    assert_eq!(kept("a b c", &["c"]), " c");
}

#[test]
fn protected_spans_are_one_thing() {
    let text = "go to New York City now\n\nok";
    let spans = [span(text, "York City now\n")];
    let options = LinguaOptions {
        keep_split: true,
        ..LinguaOptions::default()
    };
    let rules = Rules {
        protected: &spans,
        options: &options,
    };
    let cut: Vec<_> = atoms(text, &[], rules)
        .into_iter()
        .map(|atom| (text[atom.range].to_owned(), atom.force))
        .collect();
    let expected = [
        ("go", None),
        (" to", None),
        (" New", None),
        (" York City now\n", Some(Force::Protected)),
        ("\nok", None),
    ];
    assert_eq!(cut, expected.map(|(text, force)| (text.to_owned(), force)));
    let rules = Rules {
        protected: &[],
        ..rules
    };
    let split = atoms(text, &[], rules);
    assert_eq!(split[6].force, Some(Force::Split));
    assert_eq!(&text[split[6].range.clone()], "\n\n");
}

#[test]
fn baselines_keep_what_they_say() {
    let text = "The sky is blue. Cats sleep all day. Dogs bark.";
    let options = LinguaOptions::default();
    let rules = Rules {
        protected: &[],
        options: &options,
    };
    let best = |rate, question| {
        baselines::best_sentences(text, rate, question, rules, &by_words).text(text)
    };
    assert_eq!(best(0.4, "do cats sleep?"), " Cats sleep all day.");
    // All of the best, and the start of the next.
    assert_eq!(
        best(0.6, "do cats sleep?"),
        "The sky is Cats sleep all day."
    );
    let random = |seed| baselines::random(text, 0.5, seed, rules, &by_words).text(text);
    assert_eq!(random(1), random(1));
    assert_ne!(random(1), random(2));
    let unigrams = Unigrams::of(["the the the is is all", "day"]);
    assert!(unigrams.surprisal(" blue.") > unigrams.surprisal(" The"));
    assert!(unigrams.surprisal(".").abs() < 1e-9);
    let rare = baselines::unigram(text, 0.4, &unigrams, rules, &by_words).text(text);
    assert_eq!(rare, " sky blue Cats sleep Dogs");
}
