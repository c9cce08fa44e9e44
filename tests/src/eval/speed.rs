//! How fast texts are compressed, on one core. See [`evaluate`].

use std::{fmt::Write as _, hint::black_box};

use skinflint_compressor::{Origin, Stage, compress_safely, jton::Notation};
use tokio::time::Instant;

use super::at_least;
use crate::figure::Figure;

/// Rounds of which the fastest counts.
const ROUNDS: usize = 5;

/// Values of each text, some 80 bytes each.
const VALUES: usize = 50_000;

/// Megabytes a second that go into [`compress_safely`], in the best of five rounds, of JSON that becomes tables and of
/// minified JSON that has none: the slower one of long strings and of small objects under names. It is all that it does but
/// counting tokens, which is the tokenizer's affair: telling the kind of text, minifying, and writing tables. Lengths in
/// bytes stand for tokens.
pub(super) fn evaluate() -> Vec<Figure> {
    let (mut strings, mut objects) = (String::from("{\"blocks\":["), String::from("{"));
    let mut rows = String::from("[");
    for at in 0..VALUES {
        let mark = if at == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(
            strings,
            r#"{mark}"Some text of a line or so, \"quoted\" here and there, and number {at} of many.",{at}"#
        );
        let value = format!(
            r#"{{"id":{at},"name":"Employee{at}","email":"e{at}@company.com","salary":{at}.5,"active":true}}"#
        );
        let _ = write!(objects, r#"{mark}"e{at}":{value}"#);
        let _ = write!(rows, "{mark}{value}");
    }
    strings.push_str("]}");
    objects.push('}');
    rows.push(']');
    let stages = compress(&rows).unwrap_or_default();
    let is_table = |stage: &Stage| matches!(stage, Stage::Tables | Stage::UnionTables);
    // The speed of something else must not pass for one of these.
    let fits = compress(&strings).or(compress(&objects)).is_none() && stages.iter().any(is_table);
    let speed = |text: &str| if fits { speed(text) } else { f64::NAN };
    let passthrough = speed(&strings).min(speed(&objects));
    vec![
        at_least("compress_speed_passthrough", passthrough, "MB/s", 100.0),
        at_least("compress_speed_tables", speed(&rows), "MB/s", 30.0),
    ]
}

fn compress(text: &str) -> Option<Vec<Stage>> {
    let compressed = compress_safely(text, Origin::Other, Notation::default(), &str::len);
    compressed.map(|compressed| compressed.stages)
}

fn speed(text: &str) -> f64 {
    let megabytes = u32::try_from(text.len()).map_or(f64::NAN, f64::from) / 1e6;
    let fastest = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            black_box(compress(black_box(text)));
            start.elapsed().as_secs_f64()
        })
        .fold(f64::MAX, f64::min);
    megabytes / fastest
}
