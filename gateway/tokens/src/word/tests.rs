use super::*;

fn words(json: &str) -> Vec<&str> {
    Words(json.as_bytes())
        .map(|word| std::str::from_utf8(word).unwrap())
        .collect()
}

#[test]
fn strings_are_found_between_quotes() {
    assert_eq!(
        words(r#"},{"role" : "user","n":1,"content":"#),
        ["role", "user", "n", "content"]
    );
    assert_eq!(
        words(r#"],"a":"say \"hi\"","b":"\\","c":"""#),
        ["a", r#"say \"hi\""#, "b", r"\\", "c", ""]
    );
    assert!(words("}]}").is_empty());
}

#[test]
fn a_string_that_does_not_end_goes_to_the_end() {
    assert_eq!(words(r#""abc\"#), [r"abc\"]);
}

#[test]
fn words_of_the_protocols_say_nothing() {
    assert!(is_protocol(b"role"));
    assert!(is_protocol(b"max_tokens"));
    assert!(!is_protocol(b"name"));
    assert!(!is_protocol(b"r\\u006fle"));
}
