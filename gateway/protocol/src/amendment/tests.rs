use bytes::Bytes;

use super::*;
use crate::corpus;
use crate::json::JsonLimits;

use Endpoint::{ChatCompletions, CountTokens, Embeddings, Messages, Responses};
use LimitSpelling::{MaxCompletionTokens, MaxTokens};

fn view(endpoint: Endpoint, body: &str) -> RequestView {
    RequestView::parse(endpoint, body.as_bytes(), JsonLimits::default()).unwrap()
}

/// The body as amended, after checking that it is read as meant.
fn amended(
    endpoint: Endpoint,
    body: &str,
    amend: impl Fn(&RequestView, &[u8], &mut EditList) -> Result<bool, EditError>,
) -> String {
    let mut edits = EditList::new();
    let is_amended = amend(&view(endpoint, body), body.as_bytes(), &mut edits).unwrap();
    assert_eq!(is_amended, !edits.is_empty());
    let edited = edits.apply(&Bytes::from(body.to_owned())).unwrap();
    let edited = String::from_utf8(edited.to_vec()).unwrap();
    view(endpoint, &edited);
    edited
}

fn clamped(endpoint: Endpoint, body: &str, spelling: LimitSpelling) -> String {
    amended(endpoint, body, |view, body, edits| {
        clamp_output(view, body, 500, spelling, edits)
    })
}

fn asked(endpoint: Endpoint, body: &str) -> String {
    amended(endpoint, body, ask_for_usage)
}

const CHAT: &str = r#""messages":[{"role":"user","content":"a"}]"#;

#[test]
fn a_limit_is_only_lowered_and_where_it_stands() {
    for (limit, expected) in [
        (r#""max_tokens" : 501 "#, r#""max_tokens" : 500 "#),
        (r#""max_tokens":1e3"#, r#""max_tokens":500"#),
        (r#""max_tokens":500"#, r#""max_tokens":500"#),
        (r#""max_tokens":0"#, r#""max_tokens":0"#),
        (
            r#""max_completion_tokens":18446744073709551615"#,
            r#""max_completion_tokens":500"#,
        ),
    ] {
        for spelling in [MaxTokens, MaxCompletionTokens] {
            let body = |limit: &str| {
                format!("{{\r\n\t{limit}, \"model\":\"a\", \"x\":1.50, \"x\":-0, {CHAT} }}\n")
            };
            let found = clamped(ChatCompletions, &body(limit), spelling);
            assert_eq!(found, body(expected), "{limit}");
        }
    }
}

#[test]
fn a_limit_that_is_missing_is_added_at_the_end() {
    for (endpoint, spelling, key) in [
        (ChatCompletions, MaxTokens, "max_tokens"),
        (
            ChatCompletions,
            MaxCompletionTokens,
            "max_completion_tokens",
        ),
        (Messages, MaxCompletionTokens, "max_tokens"),
    ] {
        let body = format!("{{\"model\":\"a\",{CHAT}\n }}\n");
        let expected = format!("{{\"model\":\"a\",{CHAT}\n ,\"{key}\":500}}\n");
        assert_eq!(clamped(endpoint, &body, spelling), expected);
    }
    let body = r#"{"input":"a","model":"b"}"#;
    assert_eq!(
        clamped(Responses, body, MaxTokens),
        r#"{"input":"a","model":"b","max_output_tokens":500}"#
    );
}

#[test]
fn a_limit_that_is_null_gives_way() {
    let nulls = r#""max_tokens": null,"max_completion_tokens":null"#;
    let body = format!(r#"{{"model":"a",{nulls},{CHAT}}}"#);
    assert_eq!(
        clamped(ChatCompletions, &body, MaxTokens),
        body.replace(r#""max_tokens": null"#, r#""max_tokens": 500"#)
    );
    assert_eq!(
        clamped(ChatCompletions, &body, MaxCompletionTokens),
        body.replace(r#"completion_tokens":null"#, r#"completion_tokens":500"#)
    );
    let body = format!(r#"{{"max_tokens":null,"model":"a",{CHAT}}}"#);
    assert_eq!(
        clamped(Messages, &body, MaxTokens),
        body.replace("null", "500")
    );
    let body = r#"{"model":"a","max_output_tokens":null,"input":"a"}"#;
    assert_eq!(
        clamped(Responses, body, MaxTokens),
        body.replace("null", "500")
    );
}

#[test]
fn what_generates_nothing_has_no_limit() {
    let body = format!(r#"{{"model":"a",{CHAT}}}"#);
    assert_eq!(clamped(CountTokens, &body, MaxTokens), body);
    let body = r#"{"model":"a","input":"a"}"#;
    assert_eq!(clamped(Embeddings, body, MaxTokens), body);
}

#[test]
fn usage_is_asked_for_in_every_spelling_of_not_asking() {
    for (options, expected) in [
        ("", r#","stream_options":{"include_usage":true}"#),
        (
            r#","stream_options": null"#,
            r#","stream_options": {"include_usage":true}"#,
        ),
        (
            r#","stream_options":{ }"#,
            r#","stream_options":{ "include_usage":true}"#,
        ),
        (
            r#","stream_options":{"include_obfuscation":false}"#,
            r#","stream_options":{"include_obfuscation":false,"include_usage":true}"#,
        ),
        (
            r#","stream_options":{"include_usage" : false, "x":1}"#,
            r#","stream_options":{"include_usage" : true, "x":1}"#,
        ),
        (
            r#","stream_options":{"include_usage":null}"#,
            r#","stream_options":{"include_usage":true}"#,
        ),
    ] {
        let body = |options: &str| format!(r#"{{"model":"a",{CHAT},"stream":true{options}}}"#);
        let found = asked(ChatCompletions, &body(options));
        assert_eq!(found, body(expected), "{options}");
        assert!(view(ChatCompletions, &found).include_usage);
    }
}

#[test]
fn usage_is_not_asked_for_twice_or_where_it_comes_anyway() {
    let bodies = [
        (
            ChatCompletions,
            r#","stream":true,"stream_options":{"include_usage":true}"#,
        ),
        (ChatCompletions, r#","stream":false"#),
        (ChatCompletions, ""),
        (Messages, r#","stream":true"#),
    ];
    for (endpoint, more) in bodies {
        let body = format!(r#"{{"model":"a",{CHAT}{more}}}"#);
        assert_eq!(asked(endpoint, &body), body, "{more}");
    }
    let body = r#"{"model":"a","input":"a","stream":true}"#;
    assert_eq!(asked(Responses, body), body);
}

#[test]
fn both_amendments_go_together() {
    let body = format!(r#"{{"model":"a",{CHAT},"stream":true}}"#);
    let found = amended(ChatCompletions, &body, |view, body, edits| {
        Ok(clamp_output(view, body, 9, MaxTokens, edits)? | ask_for_usage(view, body, edits)?)
    });
    let expected = format!(
        r#"{{"model":"a",{CHAT},"stream":true,"max_tokens":9,"stream_options":{{"include_usage":true}}}}"#
    );
    assert_eq!(found, expected);
}

#[test]
fn agents_requests_change_in_nothing_else() {
    for (endpoint, body) in corpus::agents() {
        let found = clamped(endpoint, &body, MaxTokens);
        let expected = match endpoint {
            Messages => body.replace(r#""max_tokens":32000"#, r#""max_tokens":500"#),
            Responses => format!("{},\"max_output_tokens\":500}}", &body[..body.len() - 1]),
            _ => body.replace(
                r#""max_completion_tokens":4096"#,
                r#""max_completion_tokens":500"#,
            ),
        };
        assert!(found == expected, "{endpoint}");
    }
}
