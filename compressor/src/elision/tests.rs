mod properties;
mod reads;

use super::*;
use crate::marker::contains_marker;
use crate::tests::rough;

/// A result that is long enough to go.
const LONG: &str = "x y z w v u t s r q p o n m l k j i h g f e d c b a \
    x y z w v u t s r q p o n m l k j i h g f e d c b a x y z w v u t s r q p o n m l k j i h g f e d c b a \
    x y z w v u t s r q p o n m l k j i h g f e d c b a x y z w v u t s r q p o n m l k j i h g f e d c b a";

/// Every stub counts as ten tokens.
fn ten(_: &str) -> usize {
    10
}

/// Results of 1,010 tokens, of one turn each, that follow one another and are followed by `rest` tokens.
fn results(number: u64, rest: u64) -> Vec<OldResult<'static>> {
    (0..number)
        .zip(0..)
        .map(|(at, turn)| OldResult {
            text: LONG,
            tokens: 1010,
            behind: (number - 1 - at) * 1010 + rest,
            turn,
            call: Some(("Bash", r#"{"command":"cargo test"}"#)),
            failed: false,
            elided: false,
            handle: None,
        })
        .collect()
}

/// The results at hand, after so many turns.
fn at(results: &[OldResult<'_>], turns: usize, occasion: Occasion) -> Option<Plan> {
    plan(results, turns, occasion, &Options::default(), &ten)
}

fn indices(plan: Option<&Plan>) -> Vec<usize> {
    plan.into_iter().flat_map(Plan::indices).collect()
}

const fn warm(rates: CacheRates, turns_left: u64) -> Occasion {
    Occasion::Warm { rates, turns_left }
}

#[test]
fn a_warm_cache_is_given_up_where_the_requests_to_come_pay_for_it() {
    // Two results of 25 and 24 turns ago are old; each saves 1,000 tokens. From the first on, 4,000 tokens are written:
    // 2,020 + 3,980 − 2,000. 11.5 · 4,000 / 2,000 = 23.
    let mut results = results(2, 3980);
    results[0].turn = 5;
    results[1].turn = 6;
    let anthropic = CacheRates::ANTHROPIC_5_MINUTES;
    assert_eq!(at(&results, 30, warm(anthropic, 23)), None);
    let plan = at(&results, 30, warm(anthropic, 24)).unwrap();
    assert_eq!((plan.saved_tokens, plan.rewritten_tokens), (2000, 4000));
    assert_eq!(plan.indices().collect::<Vec<_>>(), [0, 1]);
    // 24 · 0.1 · 2,000 − 1.15 · 4,000 = 4,800 − 4,600.
    assert_eq!(
        plan.reason,
        Reason::Warm {
            rates: anthropic,
            turns_left: 24,
            net_thousandths: 200_000,
        }
    );
    assert_eq!(
        plan.to_string(),
        "2 results omitted, 2,000 tokens saved per request: 4,000 tokens are written at 1.25 instead of read at 0.1, \
         which pays from request 24 on; 24 are expected and save the price of 200 tokens"
    );
    // 9 · 4,000 / 2,000 = 18.
    assert_eq!(at(&results, 30, warm(CacheRates::OPENAI, 18)), None);
    assert!(at(&results, 30, warm(CacheRates::OPENAI, 19)).is_some());
    assert!(at(&results, 30, warm(CacheRates::NO_CACHE, 1)).is_some());
    assert_eq!(at(&results, 30, warm(CacheRates::NO_CACHE, 0)), None);
}

#[test]
fn the_edit_begins_where_it_saves_the_most() {
    // A long answer stands between the first result and the others: 100,000 tokens that an edit of the first would write
    // anew, at 1.15 · 100,000 = 115,000 for 0.1 · 1,000 a request.
    let mut results = results(4, 1000);
    results[0].behind += 100_000;
    let plan = at(&results, 30, warm(CacheRates::ANTHROPIC_5_MINUTES, 100)).unwrap();
    assert_eq!(plan.indices().collect::<Vec<_>>(), [1, 2, 3]);
    // 3,030 + 1,000 − 3,000.
    assert_eq!((plan.saved_tokens, plan.rewritten_tokens), (3000, 1030));
    let plan = at(&results, 30, warm(CacheRates::ANTHROPIC_5_MINUTES, 1200));
    assert_eq!(indices(plan.as_ref()), [0, 1, 2, 3]);
}

#[test]
fn a_cold_cache_lets_go_of_what_is_old() {
    let results = results(30, 0);
    for occasion in [Occasion::ColdCache, Occasion::Compacted] {
        let plan = at(&results, 30, occasion).unwrap();
        // More than 20 turns ago.
        assert_eq!(
            plan.indices().collect::<Vec<_>>(),
            (0..10).collect::<Vec<_>>()
        );
        assert_eq!(plan.saved_tokens, 10_000);
        assert_eq!(plan.elided[3].why, Why::Old);
    }
    assert_eq!(at(&results[..20], 20, Occasion::ColdCache), None);
    let plan = at(&results, 30, Occasion::ColdCache).unwrap();
    assert_eq!(
        plan.to_string(),
        "10 results omitted, 10,000 tokens saved per request: the prompt cache was cold"
    );
}

#[test]
fn an_overflow_takes_the_oldest_until_there_is_room() {
    let results = results(30, 0);
    let overflow = |tokens, window| Occasion::Overflow { tokens, window };
    assert_eq!(at(&results, 30, overflow(20_000, 20_000)), None);
    // 1 too many, and a tenth of the window: 2,001 of 1,000 each.
    let plan = at(&results, 30, overflow(20_001, 20_000)).unwrap();
    assert_eq!(plan.indices().collect::<Vec<_>>(), [0, 1, 2]);
    // Not even all but the last four turns are enough.
    let plan = at(&results, 30, overflow(90_000, 20_000)).unwrap();
    assert_eq!(plan.elided.len(), 26);
    assert_eq!(
        plan.to_string(),
        "26 results omitted, 26,000 tokens saved per request: 90,000 tokens do not fit into 20,000, \
         44,000 are too many even so"
    );
}

#[test]
fn what_is_small_or_new_or_gone_stays() {
    let mut results = results(5, 0);
    results[1].tokens = 199;
    results[2].elided = true;
    results[3].text =
        "[skinflint: result of Bash omitted (1,010 tokens); call the tool again if needed]";
    results[4].text = "short";
    let plan = at(&results, 100, Occasion::ColdCache);
    assert_eq!(indices(plan.as_ref()), [0]);
    let overflow = Occasion::Overflow {
        tokens: u64::MAX,
        window: 0,
    };
    // Turns 0 to 4: the fourth last is turn 1.
    assert_eq!(indices(at(&results, 5, overflow).as_ref()), [0]);
    assert_eq!(at(&results, 4, overflow), None);
    assert_eq!(at(&[], 4, overflow), None);
}

#[test]
fn the_explanation_of_tables_stays_as_long_as_it_is_relied_on() {
    let text = format!("Tables: [rows:columns;row;row]\n{LONG}");
    let reliant = format!("Tables:\n{LONG}");
    let mut results = results(4, 0);
    results[0].text = &text;
    results[1].text = &text;
    results[2].text = &reliant;
    assert_eq!(
        indices(at(&results, 30, Occasion::ColdCache).as_ref()),
        [2, 3]
    );
    results[2].elided = true;
    assert_eq!(
        indices(at(&results, 30, Occasion::ColdCache).as_ref()),
        [0, 1, 3]
    );
}

#[test]
fn stubs_say_what_stood_there_and_how_to_get_it_back() {
    let mut result = results(1, 0)[0];
    let bash = stub(&result, Why::Old);
    assert_eq!(
        bash,
        "[skinflint: result of Bash omitted (1,010 tokens); call the tool again if needed]"
    );
    assert!(contains_marker(&bash));
    result.handle = Some(Handle::of("the whole text"));
    assert_eq!(
        stub(&result, Why::Old),
        format!(
            "[skinflint: result of Bash omitted (1,010 tokens); source intact; skinflint_fetch id {} gives all]",
            Handle::of("the whole text")
        )
    );
    result.call = Some(("Read", r#"{"file_path":"src/main.rs"}"#));
    assert_eq!(
        stub(&result, Why::Edited),
        "[skinflint: read of src/main.rs omitted, it was edited later; read it again if needed]"
    );
    assert_eq!(
        stub(&result, Why::ReadAgain),
        "[skinflint: read of src/main.rs omitted, it was read again later; read it again if needed]"
    );
    result.handle = None;
    result.tokens = 1_234_567;
    assert_eq!(
        stub(&result, Why::Old),
        "[skinflint: read of src/main.rs omitted (1,234,567 tokens); read it again if needed]"
    );
    result.call = None;
    result.tokens = 0;
    assert_eq!(
        stub(&result, Why::Old),
        "[skinflint: result omitted (0 tokens); call the tool again if needed]"
    );
}

#[test]
fn names_cannot_break_the_line() {
    let mut result = results(1, 0)[0];
    let call = format!(r#"{{"path":"{}/b\nc.rs"}}"#, "a".repeat(200));
    result.call = Some(("Read", &call));
    let line = stub(&result, Why::Edited);
    assert!(!line.contains('\n'));
    assert!(line.contains("…a") && line.contains("/b c.rs omitted"));
    assert!(line.chars().count() < 220);
}

#[test]
fn a_plan_carried_out_leaves_nothing_to_plan() {
    let mut results = results(30, 0);
    let plan = at(&results, 30, Occasion::ColdCache).unwrap();
    for elision in &plan.elided {
        let result = &mut results[elision.index];
        result.text = &elision.stub;
        result.tokens -= elision.saved_tokens;
        result.elided = true;
    }
    assert_eq!(at(&results, 30, Occasion::ColdCache), None);
    // One turn later one more is old.
    assert_eq!(
        indices(at(&results, 31, Occasion::ColdCache).as_ref()),
        [10]
    );
}
