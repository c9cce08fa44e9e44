use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::*;
use crate::reply::{Part, Reply};
use crate::request::{Sampling, ToolCall};
use crate::sampler::Sampler;

/// The tokens that end an answer.
const ENDS: [TokenId; 2] = [256, 258];

/// A vocabulary of all bytes, some special tokens, and pieces of JSON and of calls. The last piece
/// is one of the bytes again.
fn tokens() -> Vec<(Vec<u8>, bool)> {
    let bytes = (0..=255).map(|byte| (vec![byte], false));
    let special = ["<eos>", "<bos>", "<end_of_turn>"].map(|text| (text.into(), true));
    let pieces = [
        "{\"",
        "\": ",
        "\":",
        "\",",
        ", \"",
        "\"}",
        "}}",
        "\n</tool_call>",
        "<tool_call>",
        "<tool",
        "<tool_call>\n",
        "_call>",
        "{\"name\"",
        "{\"name\": \"",
        "arguments",
        "true",
        "null",
        " the",
        "ing",
        "12",
        "  ",
        "\n\n",
        "    ",
        "é",
        "日本",
        "[]",
        "[[",
        "</",
        "x",
    ]
    .map(|text| (text.into(), false));
    bytes.chain(special).chain(pieces).collect()
}

fn factory() -> StructureFactory {
    StructureFactory::new(tokens, ENDS)
}

fn tool(name: &str, parameters: Value) -> Tool {
    Tool {
        name: name.to_owned(),
        description: None,
        parameters,
    }
}

fn tools() -> Vec<Tool> {
    vec![
        tool(
            "get_weather",
            json!({
                "type": "object",
                "properties": {
                    "city": {"type": "string", "maxLength": 6},
                    "unit": {"enum": ["C", "F"]},
                    "days": {"type": "integer", "minimum": 1, "maximum": 14},
                },
                "required": ["city", "unit"],
                "additionalProperties": false,
            }),
        ),
        tool("ping \"é\"", Value::Null),
    ]
}

/// What a model without any sense says, and whether it ended by itself.
struct Babble {
    text: String,
    is_complete: bool,
}

/// Draws an answer from random logits. The higher `urge`, the sooner it ends where it may.
fn babble(structure: Structure, seed: u64, urge: f32) -> Babble {
    try_babble(structure, seed, urge).unwrap()
}

fn try_babble(structure: Structure, seed: u64, urge: f32) -> Result<Babble, StructureFault> {
    let tokens = tokens();
    let sampling = Sampling {
        temperature: Some(1.0),
        top_k: Some(0),
        top_p: Some(1.0),
        seed: Some(seed),
        ..Sampling::default()
    };
    let mut sampler = Sampler::new(&sampling, None, Some(structure));
    let mut random = StdRng::seed_from_u64(seed);
    let mut bytes = Vec::new();
    let mut is_complete = false;
    for _ in 0..400 {
        // The last rows are those of a matrix that is larger than the vocabulary.
        let mut logits: Vec<f32> = (0..tokens.len() + 7)
            .map(|_| random.random::<f32>() * 4.0)
            .collect();
        for token in [b'"', b'}', b']']
            .map(usize::from)
            .into_iter()
            .chain(ENDS.map(|end| end as usize))
        {
            logits[token] += urge;
        }
        let drawn = sampler.sample(&mut logits)?;
        is_complete = drawn.is_complete;
        if !ENDS.contains(&drawn.token) {
            bytes.extend_from_slice(&tokens[drawn.token as usize].0);
        }
        if is_complete {
            break;
        }
    }
    let text = if is_complete {
        String::from_utf8(bytes).unwrap()
    } else {
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Babble { text, is_complete })
}

fn of_format(format: &Format) -> Structure {
    factory()
        .build(format, &[], &ToolChoice::Auto, ToolSyntax::Hermes, false)
        .unwrap()
        .unwrap()
}

fn parts(syntax: ToolSyntax, text: &str) -> Vec<Part> {
    let mut reply = Reply::new(syntax, true);
    let mut parts = reply.push(text);
    parts.extend(reply.finish());
    parts
}

/// The answers that were complete, of many.
fn complete(structure: impl Fn() -> Structure, least: usize) -> Vec<String> {
    let answers: Vec<String> = (0..60)
        .map(|seed| babble(structure(), seed, 3.0))
        .filter(|answer| answer.is_complete)
        .map(|answer| answer.text)
        .collect();
    assert!(answers.len() >= least, "{} complete", answers.len());
    answers
}

#[test]
fn free_text_needs_no_structure() {
    let factory = factory();
    for choice in [ToolChoice::Auto, ToolChoice::None] {
        let built = factory.build(&Format::Text, &[], &choice, ToolSyntax::Hermes, false);
        assert!(built.unwrap().is_none());
    }
    let tools = tools();
    let built = factory.build(
        &Format::Text,
        &tools,
        &ToolChoice::None,
        ToolSyntax::Llama,
        false,
    );
    assert!(built.unwrap().is_none());
    assert!(factory.vocabulary.get().is_none(), "nothing was loaded");
}

#[test]
fn json_objects_parse() {
    for text in complete(|| of_format(&Format::JsonObject), 40) {
        let value: Value = serde_json::from_str(&text).unwrap();
        assert!(value.is_object(), "{text}");
    }
}

#[test]
fn answers_are_of_the_schema() {
    let schema = json!({
        "type": "object",
        "properties": {
            "kind": {"enum": ["cat", "dog", 3]},
            "age": {"type": "integer", "minimum": 0, "maximum": 40},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 3},
            "note": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[a-f]{2}$"}]},
        },
        "required": ["kind", "age", "tags", "note"],
        "additionalProperties": false,
        "$defs": {"tag": {"type": "string", "minLength": 1, "maxLength": 4}},
    });
    let factory = factory();
    let build = || {
        factory
            .build(
                &Format::JsonSchema(schema.clone()),
                &[],
                &ToolChoice::Auto,
                ToolSyntax::Hermes,
                false,
            )
            .unwrap()
            .unwrap()
    };
    for text in complete(build, 50) {
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 4, "{text}");
        assert!(
            [json!("cat"), json!("dog"), json!(3)].contains(&value["kind"]),
            "{text}"
        );
        assert!(value["age"].as_u64().unwrap() <= 40, "{text}");
        let tags = value["tags"].as_array().unwrap();
        assert!((1..=3).contains(&tags.len()), "{text}");
        for tag in tags {
            let length = tag.as_str().unwrap().chars().count();
            assert!((1..=4).contains(&length), "{text}");
        }
        let note = value["note"].as_str();
        assert!(
            value["note"].is_null()
                || note.is_some_and(|note| {
                    note.len() == 2 && note.bytes().all(|byte| (b'a'..=b'f').contains(&byte))
                }),
            "{text}"
        );
    }
}

#[test]
fn a_regex_is_matched_as_a_whole() {
    let format = Format::Regex("^(ab|ba)+/[0-9]{2,3}$".to_owned());
    for text in complete(|| of_format(&format), 50) {
        let (letters, digits) = text.split_once('/').unwrap();
        assert!(!letters.is_empty() && letters.len() % 2 == 0, "{text}");
        assert!(
            letters
                .as_bytes()
                .chunks(2)
                .all(|pair| pair == b"ab" || pair == b"ba")
        );
        assert!((2..=3).contains(&digits.len()), "{text}");
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{text}");
    }
}

#[test]
fn an_enumeration_may_be_long() {
    let names: Vec<String> = (0..2000)
        .map(|i| format!("item {}", i * 7919 % 100_003))
        .collect();
    let format = Format::JsonSchema(json!({"enum": names}));
    for text in complete(|| of_format(&format), 55).into_iter().take(5) {
        let name: String = serde_json::from_str(&text).unwrap();
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn white_space_has_an_end() {
    let mut structure = of_format(&Format::JsonObject);
    let tokens = tokens();
    let mut spaces = 0;
    for byte in b"{" {
        structure.commit(TokenId::from(*byte)).unwrap();
    }
    loop {
        let mut logits = vec![0.0; tokens.len()];
        structure.mask(&mut logits).unwrap();
        let is_space = |token: usize| tokens[token].0.iter().all(u8::is_ascii_whitespace);
        let space = (0..tokens.len()).find(|&token| {
            !tokens[token].1 && is_space(token) && logits[token] > f32::NEG_INFINITY
        });
        let Some(space) = space else { break };
        structure.commit(TokenId::try_from(space).unwrap()).unwrap();
        spaces += 1;
        assert!(spaces < 50);
    }
    assert!(spaces > 0);
}

#[test]
fn an_answer_is_complete_at_its_last_byte() {
    let mut structure = of_format(&Format::JsonObject);
    let complete: Vec<bool> = b"{\"a\":1}"
        .iter()
        .map(|&byte| {
            let mut logits = vec![0.0; tokens().len()];
            structure.mask(&mut logits).unwrap();
            assert!(logits[usize::from(byte)] > f32::NEG_INFINITY);
            structure.commit(byte.into()).unwrap()
        })
        .collect();
    assert_eq!(complete, [false, false, false, false, false, false, true]);
    // Whoever asks again may end, with any of the ends.
    let mut logits = vec![0.0; tokens().len()];
    structure.mask(&mut logits).unwrap();
    let allowed: Vec<usize> = (0..logits.len())
        .filter(|&at| logits[at] > f32::NEG_INFINITY)
        .collect();
    assert_eq!(allowed, ENDS.map(|end| end as usize));
    assert!(structure.commit(ENDS[1]).unwrap());
}

#[test]
fn a_token_with_the_bytes_of_another_is_allowed_too() {
    let mut structure = of_format(&Format::Regex("xx".to_owned()));
    let twin = tokens().len() - 1;
    let mut logits = vec![0.0; tokens().len()];
    structure.mask(&mut logits).unwrap();
    let allowed: Vec<usize> = (0..logits.len())
        .filter(|&at| logits[at] > f32::NEG_INFINITY)
        .collect();
    assert_eq!(allowed, [usize::from(b'x'), twin]);
    assert!(!structure.commit(TokenId::try_from(twin).unwrap()).unwrap());
    structure.mask(&mut vec![0.0; tokens().len()]).unwrap();
    assert!(structure.commit(b'x'.into()).unwrap());
}

/// Checks a call of one of [`tools`].
fn check_call(call: &ToolCall) {
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
    let members = arguments.as_object().unwrap();
    if call.name == "ping \"é\"" {
        assert!(members.is_empty(), "{call:?}");
        return;
    }
    assert_eq!(call.name, "get_weather");
    assert!(arguments["city"].as_str().unwrap().chars().count() <= 6);
    assert!(["C", "F"].contains(&arguments["unit"].as_str().unwrap()));
    let days = members.get("days").map(|days| days.as_u64().unwrap());
    assert!(days.is_none_or(|days| (1..=14).contains(&days)), "{call:?}");
    assert_eq!(members.len(), 2 + usize::from(days.is_some()), "{call:?}");
}

#[test]
fn required_calls_are_calls() {
    let factory = factory();
    let tools = tools();
    for syntax in [ToolSyntax::Hermes, ToolSyntax::Llama] {
        let build = || {
            let choice = ToolChoice::Required;
            let built = factory.build(&Format::JsonObject, &tools, &choice, syntax, false);
            built.unwrap().unwrap()
        };
        let mut names = BTreeSet::new();
        for text in complete(build, 50) {
            for part in parts(syntax, &text) {
                let Part::Call(call) = part else {
                    panic!("{text:?} has text");
                };
                check_call(&call);
                names.insert(call.name);
            }
        }
        assert_eq!(names.len(), 2, "both tools are called");
    }
}

#[test]
fn a_named_tool_is_called_once() {
    let factory = factory();
    let tools = tools();
    for syntax in [ToolSyntax::Hermes, ToolSyntax::Llama] {
        let choice = ToolChoice::Named("get_weather".to_owned());
        let build = || {
            let built = factory.build(&Format::Text, &tools, &choice, syntax, false);
            built.unwrap().unwrap()
        };
        for text in complete(build, 50) {
            match &parts(syntax, &text)[..] {
                [Part::Call(call)] => {
                    assert_eq!(call.name, "get_weather");
                    check_call(call);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Commits the tokens of a text, one for each byte, and says whether each was allowed.
fn allows(structure: &mut Structure, text: &str) -> bool {
    text.bytes().all(|byte| {
        let mut logits = vec![0.0; tokens().len()];
        structure.mask(&mut logits).unwrap();
        logits[usize::from(byte)] > f32::NEG_INFINITY && structure.commit(byte.into()).is_ok()
    })
}

fn may_end(structure: &mut Structure) -> bool {
    let mut logits = vec![0.0; tokens().len()];
    structure.mask(&mut logits).unwrap();
    ENDS.iter()
        .all(|&end| logits[end as usize] > f32::NEG_INFINITY)
}

#[test]
fn where_calls_are_optional_text_is_free_until_one_begins() {
    let factory = factory();
    let tools = tools();
    let build = |syntax| {
        let built = factory.build(&Format::Text, &tools, &ToolChoice::Auto, syntax, false);
        built.unwrap().unwrap()
    };
    let said = "Is 3 < 4?\n <tool_box> {\"name\": 日本";
    let mut hermes = build(ToolSyntax::Hermes);
    assert!(may_end(&mut hermes), "an empty answer is one");
    assert!(allows(&mut hermes, said));
    assert!(may_end(&mut hermes));
    assert!(allows(&mut hermes, "\n<tool_call"));
    assert!(may_end(&mut hermes));
    assert!(allows(&mut hermes, ">"));
    assert!(!may_end(&mut hermes));
    assert!(allows(
        &mut hermes,
        "\n{\"name\": \"get_weather\", \"arguments\": {\"city\":\"\",\"unit\""
    ));
    assert!(allows(&mut hermes, ": \"C\"}}\n</tool_call>"));
    assert!(may_end(&mut hermes), "it may be the last call");
    assert!(allows(&mut hermes, "\n<tool_call>{\"name\":\"ping"));
    let mut other = build(ToolSyntax::Hermes);
    assert!(!allows(&mut other, "x<tool_call>\n{\"name\": \"set"));

    let mut llama = build(ToolSyntax::Llama);
    assert!(may_end(&mut llama));
    assert!(allows(&mut llama, &format!("So: {said}")));
    assert!(may_end(&mut llama));
    let mut llama = build(ToolSyntax::Llama);
    assert!(allows(&mut llama, "{\"nation\": \"name\"}"));
    assert!(may_end(&mut llama));
    let mut llama = build(ToolSyntax::Llama);
    assert!(allows(&mut llama, "{\"name"));
    assert!(may_end(&mut llama));
    assert!(allows(
        &mut llama,
        "\": \"get_weather\", \"parameters\": {\"city\":\"\""
    ));
    assert!(!may_end(&mut llama));
    let mut llama = build(ToolSyntax::Llama);
    assert!(!allows(&mut llama, "{\"name\": 1"));
}

#[test]
fn a_mark_that_is_one_token_opens_a_call() {
    let built = factory().build(
        &Format::Text,
        &tools(),
        &ToolChoice::Auto,
        ToolSyntax::Hermes,
        false,
    );
    let mut structure = built.unwrap().unwrap();
    let id = |text: &str| {
        let at = tokens()
            .iter()
            .position(|(bytes, _)| bytes == text.as_bytes());
        TokenId::try_from(at.unwrap()).unwrap()
    };
    let mut logits = vec![0.0; tokens().len()];
    structure.mask(&mut logits).unwrap();
    for mark in ["<tool_call>", "<tool_call>\n", "<tool"] {
        assert!(logits[id(mark) as usize] > f32::NEG_INFINITY);
    }
    structure.commit(id("<tool_call>\n")).unwrap();
    structure.mask(&mut logits).unwrap();
    assert!(logits[id("{\"name\": \"") as usize] > f32::NEG_INFINITY);
    assert!(logits[id("[]") as usize].is_infinite());
}

#[test]
fn without_a_call_the_text_has_its_format() {
    let factory = factory();
    let tools = tools();
    let schema = json!({"type": "array", "items": {"type": "boolean"}});
    let format = Format::JsonSchema(schema);
    let mut kinds = BTreeSet::new();
    for syntax in [ToolSyntax::Hermes, ToolSyntax::Llama] {
        let build = || {
            let built = factory.build(&format, &tools, &ToolChoice::Auto, syntax, false);
            built.unwrap().unwrap()
        };
        for text in complete(build, 40) {
            match &parts(syntax, &text)[..] {
                [Part::Text(text)] => {
                    let value: Vec<bool> = serde_json::from_str(text).unwrap();
                    kinds.insert(format!("{syntax:?} {}", value.len().min(1)));
                }
                calls => {
                    for part in calls {
                        let Part::Call(call) = part else {
                            panic!("{text:?} has text beside a call");
                        };
                        check_call(call);
                    }
                    kinds.insert(format!("{syntax:?} call"));
                }
            }
        }
    }
    assert_eq!(kinds.len(), 6, "{kinds:?}");
}

#[test]
fn a_seed_repeats_the_answer() {
    let once = |seed| babble(of_format(&Format::JsonObject), seed, 2.0).text;
    assert_eq!(once(3), once(3));
    assert_ne!(once(3), once(4));
}

#[test]
fn masks_are_the_same_each_time() {
    let masks = || {
        let mut structure = of_format(&Format::JsonObject);
        b"{\"a\": [1, null"
            .iter()
            .map(|&byte| {
                let mut logits = vec![0.0; tokens().len()];
                structure.mask(&mut logits).unwrap();
                let first = logits.clone();
                // Asking twice changes nothing.
                structure.mask(&mut logits).unwrap();
                assert_eq!(first, logits);
                structure.commit(byte.into()).unwrap();
                logits
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(masks(), masks());
}

#[test]
fn the_default_repetition_penalty_stays_away() {
    // A penalty of 1.1 would take the second x below y.
    let structure = of_format(&Format::Regex("[xy]{9}".to_owned()));
    let mut sampler = Sampler::new(&Sampling::default(), None, Some(structure));
    for _ in 0..9 {
        let mut logits = vec![0.0; tokens().len()];
        logits[usize::from(b'x')] = 1.0;
        logits[usize::from(b'y')] = 0.99;
        assert_eq!(
            sampler.sample(&mut logits).unwrap().token,
            TokenId::from(b'x')
        );
    }
}

#[test]
fn logits_that_are_not_numbers_keep_the_form() {
    let structure = of_format(&Format::Regex("[ab]{3}".to_owned()));
    let mut sampler = Sampler::new(&Sampling::default(), Some(2), Some(structure));
    for _ in 0..3 {
        let drawn = sampler.sample(&mut vec![f32::NAN; 280]).unwrap();
        assert_eq!(drawn.token, TokenId::from(b'a'));
    }
}

#[test]
fn a_token_out_of_place_is_a_fault_not_a_panic() {
    let mut structure = of_format(&Format::JsonObject);
    let fault = structure.commit(b'x'.into()).unwrap_err();
    assert!(!fault.to_string().contains('\n'), "{fault}");
    assert!(structure.mask(&mut [0.0; 300]).is_err());
    let mut structure = of_format(&Format::JsonObject);
    assert!(structure.commit(1_000_000).is_err());
}

mod faults;
