use super::{o200k, rough, samples};
use crate::lossless;
use crate::repeats::{self, Earlier, Passages};

#[test]
fn every_sample_gets_smaller_and_stays_so() {
    for (name, text) in samples::all() {
        let rewrite = lossless::rewrite(&text, &o200k).unwrap_or_else(|| panic!("{name}"));
        let (before, after) = (o200k(&text), o200k(&rewrite.text));
        let percent = 100.0 - 100.0 * after as f64 / before as f64;
        println!(
            "{name:26} {before:6} -> {after:6} tokens (-{percent:.1}%) {:?} {:?}",
            rewrite.stages, rewrite.normalised
        );
        println!(
            "{}\n",
            rewrite.text.lines().take(9).collect::<Vec<_>>().join("\n")
        );
        assert!(after < before, "{name}");
        assert_eq!(lossless::rewrite(&rewrite.text, &o200k), None, "{name}");
        let restored = lossless::restore(&rewrite.text).unwrap();
        if rewrite.normalised.is_empty() {
            assert_eq!(restored, text, "{name}");
        }
    }
}

#[test]
fn a_block_that_was_there_before_is_a_line() {
    let first = samples::grep();
    let second = format!("again:\n{first}and more\n");
    let earlier = [Earlier {
        label: "block 2",
        text: &first,
    }];
    let short = repeats::encode(&second, &earlier, Passages::default()).unwrap();
    println!("{} -> {}\n{short}", o200k(&second), o200k(&short));
    assert!(o200k(&short) < 60);
    assert_eq!(repeats::restore(&short, &earlier).unwrap(), second);
}

/// Not a benchmark: shows the order of magnitude with `--nocapture --release`.
#[test]
fn texts_with_nothing_to_do_are_left_quickly() {
    let code = "    let value = compute(&input)?;\n    output.push(value);\n".repeat(200_000);
    let prose =
        "The quick brown fox jumps over the lazy dog. It does so every day.\n".repeat(150_000);
    for (name, text) in [
        ("code", code),
        ("prose", prose),
        ("log", samples::service_log().repeat(200)),
    ] {
        let start = tokio_free_clock();
        let rewrite = lossless::rewrite(&text, &rough);
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{name}: {} MB/s, {}",
            text.len() as f64 / 1e6 / seconds,
            rewrite.is_some()
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn tokio_free_clock() -> std::time::Instant {
    std::time::Instant::now()
}
