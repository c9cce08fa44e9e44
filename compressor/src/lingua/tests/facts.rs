//! Prompts of the reference's own tests, as far as they do not hang on weights.

use serde_json::Value;

use super::super::tags::parse;
use super::super::*;
use super::{by_words, context, mixed, run};
use crate::data;

fn prompts() -> Option<Value> {
    let text = data::read("llmlingua/test_prompts.json")?;
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn structured_prompts_have_the_sections_that_they_show() {
    let Some(prompts) = prompts() else { return };
    for class in ["test_llmlingua", "test_longllmlingua"] {
        let prompt = prompts[class]["JSON_PROMPT"].as_str().unwrap();
        let sections = parse(prompt).unwrap();
        assert_eq!(sections.len(), prompt.matches("</llmlingua>").count());
        let plain: String = sections
            .iter()
            .map(|s| &prompt[s.content.clone()])
            .collect();
        // What may not be compressed is the frame, so that the whole is JSON.
        let json: Value = serde_json::from_str(&plain).unwrap();
        assert_eq!(json["id"], "987654");
        let frame = sections.iter().filter(|section| !section.compress);
        assert!(frame.clone().all(|section| section.rate.is_none()));
        let compressed = prompts[class]["JSON_COMPRESSED_PROMPT"].as_str().unwrap();
        let mut rest = compressed;
        // The frame is in what the reference makes of it, byte by byte.
        for section in frame {
            let part = prompt[section.content.clone()].trim();
            let at = rest
                .find(part)
                .unwrap_or_else(|| panic!("{part:?} is not in {rest:?}"));
            rest = &rest[at + part.len()..];
        }
        let meeting = prompts[class]["MEETINGBANK_TRANSCRIPT_0_PROMPT"]
            .as_str()
            .unwrap();
        let rates: Vec<_> = parse(meeting)
            .unwrap()
            .into_iter()
            .map(|s| s.rate)
            .collect();
        assert_eq!(rates[..4], [None, Some(0.4), None, Some(0.2)]);
    }
}

#[test]
fn prompts_of_all_kinds_come_to_their_rate() {
    let Some(prompts) = prompts() else { return };
    let options = LinguaOptions::default();
    let before = || Before {
        conditioned: vec![1],
        ..Before::default()
    };
    let score = |_, read: &[u32], token| mixed(read, token);
    for name in ["PROMPT", "GSM8K_PROMPT", "MEETINGBANK_PROMPT"] {
        let text = prompts["test_llmlingua2"][name].as_str().unwrap();
        let (kept, _) = run(vec![context(text, 0.5)], before(), 4096, &options, &score);
        let (before, after) = (by_words(text), by_words(&kept[0].text(text)));
        assert!(
            (before / 2).abs_diff(after) <= 2,
            "{name}: {after} of {before}"
        );
    }
}
