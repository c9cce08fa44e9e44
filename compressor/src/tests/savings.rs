use super::{o200k, samples};
use crate::lossless;
use crate::repeats::{self, Earlier, Passages};

#[test]
fn every_sample_gets_smaller_and_stays_so() {
    for (name, text) in samples::all() {
        let rewrite = lossless::rewrite(&text, &o200k).unwrap_or_else(|| panic!("{name}"));
        let (before, after) = (o200k(&text), o200k(&rewrite.text));
        let permille = 1000 - 1000 * after / before;
        println!(
            "{name:26} {before:6} -> {after:6} tokens (-{}.{}%) {:?} {:?}",
            permille / 10,
            permille % 10,
            rewrite.stages,
            rewrite.normalised
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
