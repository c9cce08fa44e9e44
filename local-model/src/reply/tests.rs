use proptest::prelude::*;

use super::*;

fn run(syntax: ToolSyntax, pieces: &[&str]) -> Vec<Part> {
    let mut reply = Reply::new(syntax, true);
    let mut parts: Vec<Part> = pieces.iter().flat_map(|piece| reply.push(piece)).collect();
    let has_calls = reply.has_calls();
    parts.extend(reply.finish());
    assert_eq!(
        has_calls,
        parts.iter().any(|part| matches!(part, Part::Call(_)))
    );
    join(parts)
}

fn join(parts: Vec<Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
            (_, part) => joined.push(part),
        }
    }
    joined
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn call(name: &str, arguments: &str) -> Part {
    Part::Call(ToolCall {
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    })
}

#[test]
fn text_goes_out_at_once() {
    let mut reply = Reply::new(ToolSyntax::Hermes, true);
    assert_eq!(reply.push("Let me"), [text("Let me")]);
    assert_eq!(reply.push(" see < 3"), [text(" see < 3")]);
    assert_eq!(reply.push(".\n\n<tool"), [text(".")]);
    assert_eq!(reply.push("box>"), [text("\n\n<toolbox>")]);
    assert_eq!(reply.push(" "), []);
    assert_eq!(reply.finish(), [text(" ")]);
}

#[test]
fn calls_come_out_as_they_are_written() {
    let answer = "I look. \n<tool_call>\n{\"name\": \"find\", \"arguments\": {\"b\": 1.50, \
                  \"a\": \"</tool_call> \\\" }\"}}\n</tool_call>\n<tool_call>\
                  {\"arguments\":{},\"name\":\"g\"}</tool_call>\n";
    assert_eq!(
        run(ToolSyntax::Hermes, &[answer]),
        [
            text("I look."),
            call("find", r#"{"b": 1.50, "a": "</tool_call> \" }"}"#),
            call("g", "{}"),
        ]
    );
}

#[test]
fn what_is_no_call_is_text() {
    for answer in [
        "<tool_call>\n{\"name\": \"find\", \"argum",
        "<tool_call>{\"name\": \"find\"}</tool_call>",
        "<tool_call>{\"name\": \"find\", \"arguments\": \"{}\"}</tool_call>",
        "<tool_call>{\"name\": 1, \"arguments\": {}}</tool_call> then",
        "<tool_call>{name}</tool_call>",
        "<tool_call>[]</tool_call>",
        "a <tool_call> b",
        "  ",
    ] {
        assert_eq!(run(ToolSyntax::Hermes, &[answer]), [text(answer)]);
    }
}

#[test]
fn a_call_is_found_after_what_is_none() {
    let good = r#"{"name":"f","arguments":{}}"#;
    let answer = format!("<tool_call>no\n<tool_call>{good} <tool_call>{good}</tool_call>");
    assert_eq!(
        run(ToolSyntax::Hermes, &[&answer]),
        [
            text(&format!("<tool_call>no\n<tool_call>{good}")),
            call("f", "{}"),
        ]
    );
}

#[test]
fn text_after_a_call_is_kept() {
    let answer = "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n\n so it is ";
    assert_eq!(
        run(ToolSyntax::Hermes, &[answer]),
        [call("f", "{}"), text("so it is ")]
    );
}

#[test]
fn llama_calls_with_the_whole_answer() {
    let answer = " {\n \"name\" : \"f\", \"parameters\": {\"x\": [1, {}]}}\n";
    assert_eq!(
        run(ToolSyntax::Llama, &[answer]),
        [call("f", r#"{"x": [1, {}]}"#)]
    );
    for answer in [
        "{\"name\": \"Bob\", \"age\": 3}",
        "{\"names\": []}",
        "{ } {\"name\": \"f\", \"parameters\": {}}",
        "No {\"name\": \"f\", \"parameters\": {}}",
        "{\"name\": \"f\", \"parameters\": {",
        "",
    ] {
        let parts = run(ToolSyntax::Llama, &[answer]);
        assert_eq!(
            parts,
            if answer.is_empty() {
                vec![]
            } else {
                vec![text(answer)]
            }
        );
    }
}

#[test]
fn llama_text_goes_out_at_once() {
    let mut reply = Reply::new(ToolSyntax::Llama, true);
    assert_eq!(reply.push(" {"), []);
    assert_eq!(reply.push("\"na"), []);
    assert_eq!(reply.push("tion\": "), [text(" {\"nation\": ")]);
    assert_eq!(reply.push("{\"name\""), [text("{\"name\"")]);
}

#[test]
fn without_tools_all_is_text() {
    let answer = "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call> ";
    let mut reply = Reply::new(ToolSyntax::Hermes, false);
    assert_eq!(reply.push(answer), [text(answer)]);
    assert_eq!(reply.finish(), []);
}

/// Answers made of what matters, in any order.
fn answer() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<tool_call>",
        "</tool_call>",
        "<tool",
        "_call>",
        "{\"name\": \"f\", \"arguments\": {\"x\": \"é}\\\"\"}}",
        "{\"name\": \"f\", \"parameters\": {}}",
        "{\"name\"",
        "{",
        "}",
        "\"",
        "\\",
        " ",
        "\n",
        "ü",
        "text",
        "<",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn cuts_make_no_difference(answer in answer(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut ends: Vec<usize> = cuts
            .iter()
            .map(|cut| answer.floor_char_boundary(cut.index(answer.len() + 1)))
            .collect();
        ends.push(answer.len());
        ends.sort_unstable();
        let mut start = 0;
        let pieces: Vec<&str> = ends
            .into_iter()
            .map(|end| {
                let piece = &answer[start..end];
                start = end;
                piece
            })
            .collect();
        for syntax in [ToolSyntax::Hermes, ToolSyntax::Llama] {
            prop_assert_eq!(run(syntax, &pieces), run(syntax, &[&answer]));
        }
    }

    #[test]
    fn nothing_is_lost(answer in answer()) {
        for syntax in [ToolSyntax::Hermes, ToolSyntax::Llama] {
            // All that is not white space or a call's marks comes out in the same order.
            let parts = run(syntax, &[&answer]);
            let mut rest = answer.as_str();
            for part in parts {
                let (said, name) = match part {
                    Part::Text(text) => (text, None),
                    Part::Call(call) => (call.arguments, Some(call.name)),
                };
                let at = rest.find(&said).unwrap();
                let skipped = &rest[..at];
                match name {
                    None => prop_assert!(
                        skipped.trim().is_empty() || skipped.trim() == "}</tool_call>"
                            || skipped.trim() == "}", "lost {skipped:?}"),
                    Some(name) => prop_assert!(skipped.contains(&name)),
                }
                rest = &rest[at + said.len()..];
            }
            let rest = rest.trim();
            prop_assert!(["", "}", "}</tool_call>"].contains(&rest), "lost {rest:?}");
        }
    }
}
