//! What a request uses, by the rules of the providers' prompt caches.
//!
//! A token is four bytes. OpenAI: the longest prefix that the conversation's last prompt shares, from 1,024 tokens on in steps of 128. Anthropic: up to the
//! last place that the client has marked, what an earlier request has written is read, and the rest is written, for as long as the mark says.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::Value;

use crate::{Answer, Usage};

/// What a provider has kept of a conversation.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// OpenAI: the last prompt.
    last: String,
    /// Anthropic: the prefixes that were written.
    written: HashSet<u64>,
}

/// A part of an Anthropic prompt.
#[derive(Debug)]
struct Block {
    text: String,
    mark: Option<Ttl>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ttl {
    Short,
    Long,
}

/// A place in a prompt: after a block.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Of all blocks up to here.
    hash: u64,
    tokens: u64,
    mark: Option<Ttl>,
}

const BYTES_PER_TOKEN: usize = 4;
/// The shortest prefix that either provider caches (Anthropic: of the model that is replayed), in tokens.
const SHORTEST: u64 = 1_024;
const STEP: u64 = 128;
/// Blocks before a mark in which Anthropic looks for an earlier entry.
const LOOK_BACK: usize = 20;

/// What the request `body` and its answer use; the cache is what it is after that.
pub(super) fn usage(body: &[u8], answer: &Answer, cache: &mut Cache) -> Usage {
    let asked: Value = serde_json::from_slice(body).expect("a request in JSON");
    let prompt = match &asked["system"] {
        Value::Null => openai(&asked, cache),
        _ => anthropic(&blocks(&asked), cache),
    };
    Usage {
        output: Some(output(answer)),
        ..prompt
    }
}

fn output(answer: &Answer) -> u64 {
    let calls = answer
        .tool_calls
        .iter()
        .map(|call| call.name.len() + call.arguments.to_string().len());
    tokens(answer.text.len() + calls.sum::<usize>()).max(1)
}

fn openai(asked: &Value, cache: &mut Cache) -> Usage {
    let parts = [&asked["tools"], &asked["messages"]];
    let parts = parts
        .into_iter()
        .flat_map(|part| part.as_array().expect("a list"));
    let prompt: String = parts.map(ToString::to_string).collect();
    let known = cache
        .last
        .bytes()
        .zip(prompt.bytes())
        .take_while(|(one, other)| one == other);
    let known = tokens(known.count());
    let cached = match known.checked_sub(SHORTEST) {
        Some(beyond) => SHORTEST + beyond / STEP * STEP,
        None => 0,
    };
    let input = tokens(prompt.len()) - cached;
    cache.last = prompt;
    Usage {
        input: Some(input),
        cached,
        ..Usage::default()
    }
}

fn anthropic(blocks: &[Block], cache: &mut Cache) -> Usage {
    let places = places(blocks);
    let marked = |place: &&Place| place.mark.is_some() && place.tokens >= SHORTEST;
    let marks: Vec<usize> = (0..places.len())
        .filter(|at| marked(&&places[*at]))
        .collect();
    let is_known = |at: &usize| cache.written.contains(&places[*at].hash);
    let look = |mark: &usize| {
        (mark.saturating_sub(LOOK_BACK)..=*mark)
            .rev()
            .find(is_known)
    };
    let read = marks.iter().rev().find_map(look);
    let read = read.map_or(0, |at| places[at].tokens);
    let up_to = |ttl: &[Ttl]| {
        let last = places
            .iter()
            .filter(marked)
            .rfind(|place| place.mark.is_some_and(|mark| ttl.contains(&mark)));
        last.map_or(0, |place| place.tokens).max(read)
    };
    let long = up_to(&[Ttl::Long]);
    let short = up_to(&[Ttl::Long, Ttl::Short]);
    let all = places.last().map_or(0, |place| place.tokens);
    cache
        .written
        .extend(marks.iter().map(|at| places[*at].hash));
    Usage {
        input: Some(all - short),
        cached: read,
        write_1h: long - read,
        write_5m: short - long,
        ..Usage::default()
    }
}

fn places(blocks: &[Block]) -> Vec<Place> {
    let mut hasher = DefaultHasher::new();
    let mut bytes = 0;
    let place = |block: &Block| {
        block.text.hash(&mut hasher);
        bytes += block.text.len();
        Place {
            hash: hasher.finish(),
            tokens: tokens(bytes),
            mark: block.mark,
        }
    };
    blocks.iter().map(place).collect()
}

/// The prompt in the order in which it is cached: tools, system, messages.
fn blocks(asked: &Value) -> Vec<Block> {
    let list = |of: &Value| of.as_array().cloned().unwrap_or_default();
    let mut blocks: Vec<Block> = Vec::new();
    let mut push = |role: &str, mut block: Value| {
        let fields = block.as_object_mut().expect("a block is an object");
        let mark = fields.remove("cache_control");
        blocks.push(Block {
            text: format!("{role}{block}"),
            mark: mark.map(|mark| {
                if mark["ttl"] == "1h" {
                    Ttl::Long
                } else {
                    Ttl::Short
                }
            }),
        });
    };
    for part in list(&asked["tools"])
        .into_iter()
        .chain(list(&asked["system"]))
    {
        push("", part);
    }
    for message in list(&asked["messages"]) {
        let role = message["role"].as_str().unwrap_or_default();
        for part in list(&message["content"]) {
            push(role, part);
        }
    }
    blocks
}

fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes / BYTES_PER_TOKEN).expect("a prompt fits into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(tokens: usize, mark: Option<Ttl>) -> Block {
        Block {
            text: "x".repeat(tokens * BYTES_PER_TOKEN),
            mark,
        }
    }

    fn kinds(usage: &Usage) -> [u64; 4] {
        [
            usage.input.unwrap(),
            usage.cached,
            usage.write_5m,
            usage.write_1h,
        ]
    }

    #[test]
    fn what_one_turn_writes_the_next_one_reads() {
        let mut cache = Cache::default();
        let turn = |said: &[usize], cache: &mut Cache| {
            let mut blocks = vec![block(2_000, Some(Ttl::Long))];
            blocks.extend(said.iter().map(|tokens| block(*tokens, None)));
            blocks.last_mut().unwrap().mark = Some(Ttl::Short);
            // After the last mark nothing is cached.
            blocks.push(block(7, None));
            kinds(&anthropic(&blocks, cache))
        };
        assert_eq!(turn(&[10], &mut cache), [7, 0, 10, 2_000]);
        assert_eq!(turn(&[10, 20, 30], &mut cache), [7, 2_010, 50, 0]);
        let far = [&[10, 20, 30][..], &[1; 21]].concat();
        assert_eq!(turn(&far, &mut cache), [7, 2_000, 81, 0]);
    }

    #[test]
    fn short_prompts_are_not_cached() {
        let mut cache = Cache::default();
        for _ in 0..2 {
            let blocks = [block(1_000, Some(Ttl::Short))];
            assert_eq!(kinds(&anthropic(&blocks, &mut cache)), [1_000, 0, 0, 0]);
        }
    }

    #[test]
    fn a_shared_prefix_is_cached_in_steps() {
        let mut cache = Cache::default();
        let turn = |said: usize, cache: &mut Cache| {
            let text = "x".repeat(said * BYTES_PER_TOKEN);
            kinds(&openai(
                &serde_json::json!({ "tools": [], "messages": [text] }),
                cache,
            ))
        };
        assert_eq!(turn(900, &mut cache)[1], 0);
        assert_eq!(turn(1_500, &mut cache)[1], 0);
        // The closing quotation mark of the shorter one is not shared.
        let [input, cached, ..] = turn(1_600, &mut cache);
        assert_eq!((input + cached, cached), (1_600, 1_024 + 3 * 128));
    }
}
