//! How fast it is; run by hand: `cargo test --release -p skinflint-compressor speed -- --ignored --nocapture`.

use std::fmt::Write;
use std::hint::black_box;

use crate::jton::{Profile, decode, encode, minify};

/// Says how many megabytes a second go in, in the best of five runs.
fn measure(name: &str, text: &str, run: impl Fn(&str) -> String) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        #[expect(
            clippy::disallowed_methods,
            reason = "no runtime here whose clock could be paused"
        )]
        let start = std::time::Instant::now();
        black_box(run(black_box(text)));
        best = best.min(start.elapsed().as_secs_f64());
    }
    let megabytes = f64::from(u32::try_from(text.len()).unwrap()) / 1e6;
    println!("{name}: {:.0} MB/s of {megabytes:.1} MB", megabytes / best);
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let mut rows = String::from("[");
    let mut prose = String::from("{\"blocks\":[");
    for at in 0..50_000 {
        let mark = if at == 0 { "" } else { "," };
        write!(rows, r#"{mark}{{"id":{at},"name":"Employee{at}","email":"e{at}@company.com","salary":{at}.5,"active":true,"manager":null"#).unwrap();
        rows.push_str(if at % 3 == 0 { r#","phone":"1"}"# } else { "}" });
        write!(prose, r#"{mark}"Some text of a line or so, \"quoted\" here and there, and number {at} of many.",{at}"#).unwrap();
    }
    rows.push(']');
    prose.push_str("]}");
    let uniform = rows.replace(r#","phone":"1""#, "");
    let pretty =
        serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&uniform).unwrap())
            .unwrap();
    let nested = uniform
        .replace(r#""salary":"#, r#""pay":{"salary":"#)
        .replace(r#","manager""#, r#"},"manager""#);
    let groups = encode(&nested, Profile::Union).unwrap();
    assert!(groups.contains("pay{salary,active},"));
    let encoded = encode(&uniform, Profile::Standard).unwrap();
    let union = encode(&rows, Profile::Union).unwrap();
    let standard = |text: &str| encode(text, Profile::Standard).unwrap();
    let optional = |text: &str| encode(text, Profile::Union).unwrap();
    measure("minify prose", &prose, |text| minify(text).unwrap());
    measure("minify rows", &uniform, |text| minify(text).unwrap());
    measure("minify pretty rows", &pretty, |text| minify(text).unwrap());
    measure("encode prose", &prose, standard);
    measure("encode irregular rows as they are", &rows, standard);
    measure("encode rows", &uniform, standard);
    measure("encode pretty rows", &pretty, standard);
    measure("encode irregular rows", &rows, optional);
    measure("encode rows with groups", &nested, optional);
    measure("decode rows", &encoded, |text| decode(text).unwrap());
    measure("decode irregular rows", &union, |text| {
        decode(text).unwrap()
    });
    measure("decode rows with groups", &groups, |text| {
        decode(text).unwrap()
    });
}
