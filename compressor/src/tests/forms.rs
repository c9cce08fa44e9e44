use std::fmt::Write as _;

use super::rough;
use crate::log::normalise::{self, Normalisation};
use crate::log::{dates, runs, templates};
use crate::repeats::{self, Earlier, Passages, RepeatError};
use crate::{FormError, StageName, lossless, marker, search};

#[test]
fn runs_are_said_once() {
    let text = format!("start\n{}stop", "waiting for database\n".repeat(14));
    let form = runs::encode(&text).unwrap();
    insta::assert_snapshot!(form, @r#"
    [skinflint:runs (xN) = line above N times]
    start
    waiting for database
    (x14)
    stop
    "#);
    assert_eq!(runs::decode(&form).unwrap(), text);
}

#[test]
fn runs_of_several_lines_are_said_once() {
    let text = "connection refused by upstream\n  at connect (net.js:12)\n".repeat(9);
    let form = runs::encode(&text).unwrap();
    insta::assert_snapshot!(form, @r#"
    [skinflint:runs (xN) = line above N times, (p lines xN) = p lines above N times]
    connection refused by upstream
      at connect (net.js:12)
    (2 lines x9)
    "#);
    assert_eq!(runs::decode(&form).unwrap(), text);
}

#[test]
fn runs_do_not_touch_lines_that_look_like_theirs() {
    let text = format!("{}(x3)\n", "waiting for database\n".repeat(14));
    assert_eq!(runs::encode(&text), None);
    assert_eq!(runs::encode("one\ntwo\n"), None);
    assert_eq!(runs::encode(""), None);
}

#[test]
fn forged_runs_are_errors() {
    let hint = runs::encode(&"waiting for database\n".repeat(14)).unwrap();
    let hint = hint.lines().next().unwrap();
    assert_eq!(runs::decode("plain"), Err(FormError::Hint));
    assert_eq!(
        runs::decode(&format!("{hint}\n(x3)")),
        Err(FormError::Line(1))
    );
    let bomb = format!("{hint}\n{}\n(x9999999)\n(x9999999)", "x".repeat(100));
    assert_eq!(runs::decode(&bomb), Err(FormError::TooLarge));
}

#[test]
fn dates_are_said_once() {
    let text = "[2026-03-01 12:00:01] started\n\
                [2026-03-01 12:00:02] listening\n  on port 80\n\
                09:30 is no line of its own\n\
                [2026-03-01 12:00:07] stopped\n\
                [2026-03-02 00:00:01] started\n\
                [2026-03-01 12:00:02] listening\n\
                [2026-03-01 12:00:02] listening\n";
    let form = dates::encode(text).unwrap();
    insta::assert_snapshot!(form, @r#"
    [skinflint:date "[2026-03-01 " before each leading hh:mm]
    12:00:01] started
    12:00:02] listening
      on port 80
    \09:30 is no line of its own
    12:00:07] stopped
    [2026-03-02 00:00:01] started
    12:00:02] listening
    12:00:02] listening
    "#);
    assert_eq!(dates::decode(&form).unwrap(), text);
    assert_eq!(dates::encode("10:00:01 a\n10:00:02 b\n10:00:03 c\n"), None);
}

#[test]
fn templates_are_said_once() {
    let mut text = String::from("service starts\n");
    for second in 0..8 {
        let _ = writeln!(
            text,
            "12:00:0{second}.5 INFO [worker-{}] request to /api/orders/{} finished in {} ms",
            second % 3,
            second * 77,
            second * 13
        );
        if second % 2 == 0 {
            let _ = writeln!(
                text,
                "12:00:0{second}.7 WARN cache for tenant t{second} is nearly full and will be emptied"
            );
        }
    }
    let form = templates::encode(&text).unwrap();
    insta::assert_snapshot!(form, @r#"
    [skinflint:templates 2; "A|x|y" = A with <*> filled by x, y]
    A=12:00:<*>.5 INFO [worker-<*>] request to /api/orders/<*> finished in <*> ms
    B=12:00:<*>.7 WARN cache for tenant t<*> is nearly full and will be emptied
    service starts
    A|00|0|0|0
    B|00|0
    A|01|1|77|13
    A|02|2|154|26
    B|02|2
    A|03|0|231|39
    A|04|1|308|52
    B|04|4
    A|05|2|385|65
    A|06|0|462|78
    B|06|6
    A|07|1|539|91
    "#);
    assert_eq!(templates::decode(&form).unwrap(), text);
}

#[test]
fn templates_find_another_separator() {
    let mut text = String::new();
    for index in 0..9 {
        let _ = write!(
            text,
            "INFO the value of the setting is now a|b{index}|c for everyone\nA|{index}\n"
        );
    }
    let form = templates::encode(&text).unwrap();
    assert!(
        form.starts_with("[skinflint:templates 1; \"A,x,y\""),
        "{form}"
    );
    assert_eq!(templates::decode(&form).unwrap(), text);
}

#[test]
fn forged_templates_are_errors() {
    let hint = "[skinflint:templates 1; \"A|x|y\" = A with <*> filled by x, y]";
    let decode = |body: &str| templates::decode(&format!("{hint}\n{body}"));
    assert_eq!(decode("A=a <*> b\nA|1"), Ok("a 1 b".to_owned()));
    assert_eq!(decode("A=a <*> b\nA|1|2"), Err(FormError::Line(2)));
    assert_eq!(decode("A=a <*> b\nA"), Err(FormError::Line(2)));
    assert_eq!(decode("B=a"), Err(FormError::Line(1)));
    assert_eq!(
        templates::decode("[skinflint:templates 9999999;\n"),
        Err(FormError::Hint)
    );
}

#[test]
fn search_results_stand_under_their_paths() {
    let text = "src/main-2-x.rs-11-use a;\n\
                src/main-2-x.rs:12:fn main() {\n\
                src/main-2-x.rs-13-    run();\n\
                --\n\
                C:\\src\\lib.rs:3:pub fn run() {\r\n\
                C:\\src\\lib.rs:9:}\n\
                Binary file x.bin matches\n\
                \x20indented\n\
                \n\
                12:no path\n\
                src/main-2-x.rs:40:// a:1:b\n\
                src/main-2-x.rs:41:";
    let form = search::encode(text).unwrap();
    insta::assert_snapshot!(form, @r#"
    [skinflint:grep each path once, above its lines]
    src/main-2-x.rs
    11-use a;
    12:fn main() {
    13-    run();
    --
    C:\src\lib.rs
    3:pub fn run() {
    9:}
     Binary file x.bin matches
      indented

     12:no path
    src/main-2-x.rs
    40:// a:1:b
    41:
    "#);
    assert_eq!(search::decode(&form).unwrap(), text);
    assert_eq!(search::encode("a.rs:1:x"), None);
    assert_eq!(
        search::decode("[skinflint:grep each path once, above its lines]\n3:x"),
        Err(FormError::Line(1))
    );
}

#[test]
fn terminal_output_is_normalised() {
    let text = "\u{1b}]0;title\u{7}\u{1b}[1;32mok\u{1b}[0m  \r\n 10%\r 50%\r100%\ncaf\u{e9}\t \n\u{1b}\u{e9}\u{1b}[";
    let (plain, done) = normalise::normalise(text).unwrap();
    assert_eq!(plain, "ok\r\n100%\ncaf\u{e9}\n\u{e9}[");
    assert_eq!(
        done,
        [
            Normalisation::AnsiCodes,
            Normalisation::TrailingSpace,
            Normalisation::ProgressStates
        ]
    );
    assert_eq!(normalise::normalise(&plain), None);
    let (plain, _) = normalise::normalise("0\rm\r \n1\rx  \r\r\n").unwrap();
    assert_eq!(plain, "m\nx\r\n");
    assert_eq!(normalise::normalise(&plain), None);
    // Lines of old Macs are not states of a progress.
    assert_eq!(normalise::normalise("let x\rlet y\rlet z\r"), None);
}

#[test]
fn stages_are_undone_by_their_hints() {
    let mut text = "2026-03-01 12:00:00 INFO waiting for the database to come up\n".repeat(20);
    for second in 10..40 {
        let _ = writeln!(
            text,
            "2026-03-01 12:00:{second} INFO request {} finished with status 200",
            second * 31
        );
    }
    let rewrite = lossless::rewrite(&text, &rough).unwrap();
    assert_eq!(
        rewrite.stages,
        [StageName::Runs, StageName::Dates, StageName::Templates]
    );
    assert_eq!(lossless::restore(&rewrite.text).unwrap(), text);
    assert_eq!(lossless::rewrite(&rewrite.text, &rough), None);
    assert_eq!(lossless::restore("plain").unwrap(), "plain");
    assert_eq!(
        lossless::restore("[skinflint:none of ours]\nx"),
        Err(FormError::Hint)
    );
}

#[test]
fn a_stage_that_gains_no_tokens_is_dropped() {
    let text = "2026-03-01 12:00:00 INFO waiting for the database to come up\n".repeat(20);
    assert_eq!(lossless::rewrite(&text, &|_| 7), None);
}

#[test]
fn passages_of_earlier_blocks_become_references() {
    let passage = "\nThe agent reads the policy first.\nIt then asks for the order's number.\nIt answers in one sentence, and never\npromises a refund that the policy does not allow.\nThen it ends the conversation.\n";
    let first = format!("intro{passage}outro\n");
    let second = format!("other{passage}end");
    let earlier = [
        Earlier {
            label: "block 1",
            text: "nothing",
        },
        Earlier {
            label: "block 4",
            text: &first,
        },
    ];
    let short = repeats::encode(&second, &earlier, Passages::default()).unwrap();
    insta::assert_snapshot!(short, @r#"
    other
    [skinflint:same as lines 2-6 of block 4: "The agent reads the policy"]
    end
    "#);
    assert_eq!(repeats::restore(&short, &earlier).unwrap(), second);
    assert_eq!(repeats::encode(&short, &earlier, Passages::default()), None);
    assert_eq!(
        repeats::encode(&second, &earlier[..1], Passages::default()),
        None
    );
    assert_eq!(
        repeats::restore(&short, &earlier[..1]),
        Err(RepeatError::NoBlock("block 4".to_owned()))
    );
    let cut = [Earlier {
        label: "block 4",
        text: "short",
    }];
    assert!(matches!(
        repeats::restore(&short, &cut),
        Err(RepeatError::NoLines { .. })
    ));
}

#[test]
fn whole_blocks_and_last_lines_become_references() {
    let text = "a line that is long enough to be worth something to somebody\n".repeat(2)
        + &"another line of the same length as the first one, or nearly so\n".repeat(2);
    for (earlier, new) in [
        (text.clone(), text.clone()),
        (text.trim_end().to_owned(), text.trim_end().to_owned()),
        (text.clone(), format!("{text}x")),
        (text.trim_end().to_owned(), text.clone()),
    ] {
        let earlier = [Earlier {
            label: "7",
            text: &earlier,
        }];
        let short = repeats::encode(&new, &earlier, Passages::default()).unwrap();
        assert!(short.lines().count() <= 3, "{short}");
        assert_eq!(repeats::restore(&short, &earlier).unwrap(), new);
    }
}

#[test]
fn texts_with_markers_are_left_alone() {
    let text = format!("{}[skinflint:x]\n", "waiting for database\n".repeat(14));
    assert!(marker::contains_marker(&text));
    assert_eq!(runs::encode(&text), None);
    assert_eq!(lossless::rewrite(&text, &rough), None);
    let earlier = [Earlier {
        label: "1",
        text: &text,
    }];
    assert_eq!(repeats::encode(&text, &earlier, Passages::default()), None);
}
