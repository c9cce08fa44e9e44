use proptest::prelude::*;

use super::*;

/// A result as it may come, with what a reference to it needs.
#[derive(Debug, Clone)]
struct Sample {
    text: String,
    tokens: u64,
    behind: u64,
    turn: usize,
    call: Option<(String, String)>,
    failed: bool,
    elided: bool,
    has_handle: bool,
}

fn call() -> impl Strategy<Value = (String, String)> {
    let tool = prop_oneof![
        4 => Just("Read".to_owned()),
        2 => Just("Edit".to_owned()),
        2 => Just("Bash".to_owned()),
        1 => any::<String>(),
    ];
    let arguments = prop_oneof![
        4 => "[ab]".prop_map(|path| format!(r#"{{"file_path":"{path}"}}"#)),
        1 => "[ab]".prop_map(|path| format!(r#"{{"file_path":"{path}","offset":3}}"#)),
        1 => "[ab]".prop_map(|path| format!(r#"{{"command":"cat {path}"}}"#)),
        1 => "[a-z'\"& |$-]{0,20}".prop_map(|text| format!(r#"{{"command":{text:?}}}"#)),
        1 => any::<String>(),
    ];
    (tool, arguments)
}

fn sample() -> impl Strategy<Value = Sample> {
    let text = prop_oneof![
        3 => "[a-z ]{0,400}",
        1 => Just("Tables:\n[1]".repeat(30)),
        1 => Just(format!("Tables: [rows:columns;row;row]\n{LONG}")),
        1 => any::<String>(),
    ];
    let number = || prop_oneof![4 => 0..5_000_u64, 1 => any::<u64>()];
    (
        (text, number(), number(), 0..60_usize),
        (proptest::option::of(call()), any::<bool>()),
        (proptest::bool::weighted(0.1), proptest::bool::weighted(0.2)),
    )
        .prop_map(
            |((text, tokens, behind, turn), (call, has_handle), (failed, elided))| Sample {
                text,
                tokens,
                behind,
                turn,
                call,
                failed,
                elided,
                has_handle,
            },
        )
}

fn occasion() -> impl Strategy<Value = Occasion> {
    let number = || prop_oneof![3 => 0..100_000_u64, 1 => any::<u64>()];
    let rate = || prop_oneof![3 => 0..3_000_u32, 1 => any::<u32>()];
    prop_oneof![
        (number(), number()).prop_map(|(tokens, window)| Occasion::Overflow { tokens, window }),
        Just(Occasion::ColdCache),
        Just(Occasion::Compacted),
        (rate(), rate(), number()).prop_map(|(read, write, turns_left)| Occasion::Warm {
            rates: CacheRates { read, write },
            turns_left,
        }),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    (0..10_usize, 0..30_usize, 0..400_u64, any::<u8>()).prop_map(
        |(keep_turns, old_turns, min_tokens, headroom_percent)| Options {
            keep_turns,
            old_turns,
            min_tokens,
            headroom_percent,
        },
    )
}

fn results(samples: &[Sample]) -> Vec<OldResult<'_>> {
    samples
        .iter()
        .map(|sample| OldResult {
            text: &sample.text,
            tokens: sample.tokens,
            behind: sample.behind,
            turn: sample.turn,
            call: sample
                .call
                .as_ref()
                .map(|(tool, arguments)| (tool.as_str(), arguments.as_str())),
            failed: sample.failed,
            elided: sample.elided,
            handle: sample.has_handle.then(|| Handle::of(&sample.text)),
        })
        .collect()
}

/// What holds of every plan.
fn check(
    plan: &Plan,
    results: &[OldResult<'_>],
    turns: usize,
    options: &Options,
) -> Result<(), TestCaseError> {
    prop_assert!(!plan.elided.is_empty());
    prop_assert!(
        plan.elided
            .is_sorted_by(|one, other| one.index < other.index)
    );
    let mut saved: u64 = 0;
    for elision in &plan.elided {
        let result = &results[elision.index];
        prop_assert!(!result.elided);
        prop_assert!(turns.saturating_sub(result.turn) > options.keep_turns);
        prop_assert!(result.tokens >= options.min_tokens);
        prop_assert!(elision.stub.len() < result.text.len());
        prop_assert!(!elision.stub.contains('\n'));
        prop_assert!(elision.stub.contains("omitted"));
        prop_assert!(contains_marker(&elision.stub));
        prop_assert_eq!(&elision.stub, &stub(result, elision.why));
        let tokens = rough(&elision.stub) as u64;
        prop_assert!(elision.saved_tokens > 0);
        prop_assert_eq!(result.tokens - tokens, elision.saved_tokens);
        saved = saved.saturating_add(elision.saved_tokens);
    }
    prop_assert_eq!(plan.saved_tokens, saved);
    prop_assert!(!plan.to_string().contains('\n'));
    Ok(())
}

proptest! {
    #[test]
    fn plans_keep_the_rules(
        samples in prop::collection::vec(sample(), 0..30),
        turns in 0..80_usize,
        occasion in occasion(),
        options in options(),
    ) {
        let results = results(&samples);
        let made = plan(&results, turns, occasion, &options, &rough);
        prop_assert_eq!(&made, &plan(&results, turns, occasion, &options, &rough));
        // What may go at all when nothing else counts.
        let most = Occasion::Overflow { tokens: u64::MAX, window: 0 };
        let all = plan(&results, turns, most, &options, &rough);
        let Some(made) = made else {
            match occasion {
                Occasion::Overflow { tokens, window } => prop_assert!(tokens <= window || all.is_none()),
                Occasion::Warm { rates, turns_left } => {
                    // No place to begin pays, among those that cost nothing.
                    let free = plan(&results, turns, Occasion::ColdCache, &options, &rough);
                    let free = free.map_or_else(Vec::new, |plan| plan.elided);
                    let mut saved: u64 = 0;
                    for elision in free.iter().rev() {
                        saved = saved.saturating_add(elision.saved_tokens);
                        let written = rewritten(&results[elision.index], saved);
                        prop_assert_eq!(rates.net_thousandths(written, saved, turns_left), None);
                    }
                }
                Occasion::ColdCache | Occasion::Compacted => {}
            }
            return Ok(());
        };
        check(&made, &results, turns, &options)?;
        match made.reason {
            Reason::Overflow { tokens, window, missing } => {
                let headroom = u128::from(window) * u128::from(options.headroom_percent.min(100)) / 100;
                let needed = u128::from(tokens - window) + headroom;
                let is_met = u128::from(made.saved_tokens) >= needed || made.saved_tokens == u64::MAX;
                prop_assert!(is_met || Some(&made.elided) == all.as_ref().map(|plan| &plan.elided));
                prop_assert_eq!(missing, tokens.saturating_sub(made.saved_tokens).saturating_sub(window));
            }
            Reason::Warm { rates, turns_left, net_thousandths } => {
                prop_assert!(net_thousandths > 0);
                let pays = rates.break_even(made.rewritten_tokens, made.saved_tokens);
                prop_assert!(pays.is_some_and(|pays| pays <= turns_left));
            }
            Reason::ColdCache | Reason::Compacted => {}
        }
    }

    #[test]
    fn the_rule_and_the_account_agree(
        read in 0..3_000_u32,
        write in 0..3_000_u32,
        rewritten in 0..1_000_000_u64,
        saved in 0..1_000_000_u64,
    ) {
        let rates = CacheRates { read, write };
        if let Some(requests) = rates.break_even(rewritten, saved) {
            prop_assert!(rates.net_thousandths(rewritten, saved, requests).is_some());
            prop_assert_eq!(rates.net_thousandths(rewritten, saved, requests - 1), None);
        } else {
            prop_assert_eq!(rates.net_thousandths(rewritten, saved, u64::MAX), None);
        }
    }
}
