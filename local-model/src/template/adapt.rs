//! Conversations made to fit what a template takes.

use super::tools::{describe, with_calls};
use crate::request::{Role, Tool, Turn};

/// Says the tools, their calls and results in words of ours, for a template that has none.
pub(super) fn without_tools(turns: &[Turn], tools: &[Tool]) -> Vec<Turn> {
    let mut adapted = Vec::with_capacity(turns.len() + 1);
    if !tools.is_empty() {
        let manual = format!(
            "These tools can be called:\n{}\
             To call one, write exactly this and nothing after it:\n\
             <tool_call>\n{{\"name\": TOOL, \"arguments\": {{ARGUMENTS}}}}\n</tool_call>\n\
             The result comes in the next message.",
            describe(tools)
        );
        adapted.push(Turn::new(Role::System, manual));
    }
    for turn in turns {
        let (role, text) = match turn.role {
            Role::Tool => {
                let name = turn.tool.as_deref().unwrap_or_default();
                let label = if name.is_empty() { "" } else { ": " };
                let text = format!(
                    "<tool_response>\n{name}{label}{}\n</tool_response>",
                    turn.text
                );
                (Role::User, text)
            }
            Role::Assistant if !turn.calls.is_empty() => {
                (Role::Assistant, with_calls(&turn.text, &turn.calls))
            }
            role => (role, turn.text.clone()),
        };
        // The system text that follows the manual, and results that follow each other.
        match adapted.last_mut() {
            Some(last) if last.role == role => join(last, &text),
            _ => adapted.push(Turn::new(role, text)),
        }
    }
    adapted
}

/// One call a turn, each followed by its result: Llama 3's template takes no more.
pub(super) fn one_call_a_turn(turns: &[Turn]) -> Vec<Turn> {
    let mut adapted = Vec::with_capacity(turns.len());
    let mut rest = turns.iter().peekable();
    while let Some(turn) = rest.next() {
        if turn.calls.len() < 2 {
            adapted.push(turn.clone());
            continue;
        }
        for (index, call) in turn.calls.iter().enumerate() {
            let said = if index == 0 { turn.text.as_str() } else { "" };
            let mut single = Turn::new(Role::Assistant, said);
            single.calls = vec![call.clone()];
            adapted.push(single);
            adapted.extend(rest.next_if(|next| next.role == Role::Tool).cloned());
        }
    }
    adapted
}

/// The system text within the first user's turn, and turns of one speaker in a row as one.
pub(super) fn merged(turns: &[Turn]) -> Vec<Turn> {
    let system: Vec<&str> = turns
        .iter()
        .filter(|turn| turn.role == Role::System)
        .map(|turn| turn.text.trim())
        .filter(|text| !text.is_empty())
        .collect();
    let mut adapted: Vec<Turn> = Vec::with_capacity(turns.len());
    for turn in turns.iter().filter(|turn| turn.role != Role::System) {
        match adapted.last_mut() {
            Some(last) if last.role == turn.role && turn.role != Role::Tool => {
                join(last, &turn.text);
                last.calls.extend(turn.calls.iter().cloned());
            }
            _ => adapted.push(turn.clone()),
        }
    }
    if !system.is_empty() {
        let system = system.join("\n\n");
        match adapted.iter_mut().find(|turn| turn.role == Role::User) {
            Some(first) => first.text = format!("{system}\n\n{}", first.text),
            None => adapted.insert(0, Turn::new(Role::User, system)),
        }
    }
    adapted
}

fn join(turn: &mut Turn, text: &str) {
    if !turn.text.is_empty() && !text.is_empty() {
        turn.text.push_str("\n\n");
    }
    turn.text.push_str(text);
}
