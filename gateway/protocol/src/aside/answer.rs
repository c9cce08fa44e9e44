//! An answer on its way to the client, without the calls that the gateway answers: [`AsideAnswer`].

use bytes::Bytes;

use super::{
    Aside, AsideCall, AsideResult, HiddenRound, chat, chat_stream, messages, messages_stream, name,
};
use crate::edit::{EditError, EditList};
use crate::endpoint::Endpoint;
use crate::json::{Document, JsonError, JsonLimits};
use crate::sse::Frame;

/// Reads the answer to one call of the client's, which may take several of ours.
#[derive(Debug)]
pub struct AsideAnswer {
    pub(super) endpoint: Endpoint,
    pub(super) tool: &'static str,
    /// What earlier rounds have said.
    pub(super) earlier: Vec<Round>,
    pub(super) round: Round,
    aside: Aside,
    stream: Stream,
}

/// What comes of the end of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The answer is whole; of one that came in one piece, what the client gets.
    Done(Bytes),
    /// These calls have to be answered before the provider goes on.
    Calls(Vec<AsideCall>),
}

/// What an answer says, for comparing it with another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// All of its text.
    pub text: String,
    /// Its calls, but those of the gateway's tool.
    pub calls: Vec<AsideCall>,
}

/// An answer, or a request, that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AsideError {
    /// It is no JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It cannot be put together.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Something is not there that its protocol has.
    #[error("there is no {0}")]
    Missing(&'static str),
}

/// What the provider says in one go.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) parts: Vec<Part>,
    /// As billed.
    pub(super) output_tokens: u64,
    /// Whether it ended so that its tools be called.
    pub(super) calls_tools: bool,
}

/// A part of an answer.
#[derive(Debug)]
pub(super) struct Part {
    /// As it is sent back to the provider.
    pub(super) json: String,
    pub(super) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    Text(String),
    Reasoning,
    Call(AsideCall),
    AsideCall(AsideCall),
    Other,
}

#[derive(Debug)]
enum Stream {
    Chat(chat_stream::Stream),
    Messages(messages_stream::Stream),
}

/// Answers are bounded by whoever reads them.
pub(super) const LIMITS: JsonLimits = JsonLimits {
    max_depth: 256,
    max_values: 1_000_000,
    kept_depth: 8,
};

// === impl Round ===

impl Round {
    pub(super) fn aside_calls(&self) -> impl Iterator<Item = (&Part, &AsideCall)> {
        self.parts.iter().filter_map(|part| match &part.what {
            What::AsideCall(call) => Some((part, call)),
            _ => None,
        })
    }

    /// Whether it waits for results.
    fn has_calls(&self) -> bool {
        self.calls_tools && self.aside_calls().next().is_some()
    }

    fn calls_the_client(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part.what, What::Call(_)))
    }

    /// Whether it waits for results that the gateway alone can give.
    pub(super) fn must_go_on(&self) -> bool {
        self.has_calls() && !self.calls_the_client()
    }

    /// What the client sees of it.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Part> {
        let parts = self.parts.iter();
        parts.filter(|part| !matches!(part.what, What::AsideCall(_)))
    }

    pub(super) fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match &part.what {
            What::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }
}

// === impl AsideAnswer ===

impl AsideAnswer {
    /// At the start of an answer to a request that offers the tool of this name.
    pub fn new(endpoint: Endpoint, tool: &'static str) -> Self {
        Self {
            endpoint,
            tool,
            earlier: Vec::new(),
            round: Round::default(),
            aside: Aside::default(),
            stream: match endpoint {
                Endpoint::ChatCompletions => Stream::Chat(chat_stream::Stream::default()),
                _ => Stream::Messages(messages_stream::Stream::default()),
            },
        }
    }

    /// Hears a round that came in one piece.
    pub fn hear(&mut self, body: &Bytes) -> Result<Heard, AsideError> {
        let document = Document::parse(body, LIMITS)?;
        let root = document.root();
        self.round = match self.endpoint {
            Endpoint::ChatCompletions => chat::read(root, self.tool)?,
            _ => messages::read(root, self.tool)?,
        };
        if self.round.must_go_on() {
            return Ok(Heard::Calls(self.calls()));
        }
        if self.earlier.is_empty() && self.round.aside_calls().next().is_none() {
            return Ok(Heard::Done(body.clone()));
        }
        let mut edits = EditList::new();
        match self.endpoint {
            Endpoint::ChatCompletions => chat::join(root, &self.earlier, &self.round, &mut edits),
            _ => messages::join(root, &self.earlier, &self.round, &mut edits),
        }?;
        Ok(Heard::Done(edits.apply(body)?))
    }

    /// What the client gets of the next frame of a stream; nothing of most that is taken out.
    pub fn pass(&mut self, frame: Frame) -> Bytes {
        let Self {
            stream,
            round,
            earlier,
            tool,
            ..
        } = self;
        match stream {
            Stream::Chat(stream) => stream.pass(frame, tool, earlier, round),
            Stream::Messages(stream) => stream.pass(frame, tool, earlier, round),
        }
    }

    /// What is left where a stream ends: the last bytes for the client, or calls to be answered.
    pub fn end(&mut self) -> Heard {
        let Self { stream, round, .. } = self;
        let rest = match stream {
            Stream::Chat(stream) => stream.end(round),
            Stream::Messages(stream) => stream.end(round),
        };
        match rest {
            Some(rest) => Heard::Done(rest),
            None => Heard::Calls(self.calls()),
        }
    }

    /// The calls of the round that has ended: those that are to be answered now, or, in one that calls the client's
    /// tools too, with the client's results.
    pub fn calls(&self) -> Vec<AsideCall> {
        if !self.round.has_calls() {
            return Vec::new();
        }
        self.round
            .aside_calls()
            .map(|(_, call)| call.clone())
            .collect()
    }

    /// Takes the results of a round's calls, in their order.
    pub fn answered(&mut self, results: &[AsideResult]) {
        let json = self
            .round
            .aside_calls()
            .zip(results)
            .map(|((_, call), result)| match self.endpoint {
                Endpoint::ChatCompletions => chat::result(call, result),
                _ => messages::result(call, result),
            });
        let results = json.collect();
        let before = self.earlier.iter().flat_map(Round::shown);
        let own = self.round.parts.iter();
        let own = own.take_while(|part| !matches!(part.what, What::AsideCall(_)));
        let shown: Vec<_> = before.chain(own).collect();
        let solid = shown.iter().filter(|part| part.what != What::Reasoning);
        self.aside.rounds.push(HiddenRound {
            after: shown.len(),
            after_solid: solid.count(),
            said: self.round.text(),
            calls: self
                .round
                .aside_calls()
                .map(|(part, _)| part.json.clone())
                .collect(),
            results,
            is_mixed: self.round.calls_the_client(),
        });
    }

    /// The request from which the provider goes on, once the calls are answered: `body` with the round and its results
    /// behind it.
    pub fn go_on(&mut self, body: &Bytes) -> Result<Bytes, AsideError> {
        let document = Document::parse(body, LIMITS)?;
        let list = document.root().get("messages");
        let list = list.filter(|list| {
            list.as_array()
                .is_some_and(|mut list| list.next().is_some())
        });
        let list = list.ok_or(AsideError::Missing("list of messages"))?;
        let round = std::mem::take(&mut self.round);
        let hidden = self.aside.rounds.last();
        let results = hidden
            .map(|round| round.results.join(","))
            .unwrap_or_default();
        let turn = match self.endpoint {
            Endpoint::ChatCompletions => chat::turn(&round, &results),
            _ => messages::turn(&round, &results),
        };
        self.earlier.push(round);
        let end = list.span().end - 1;
        let mut edits = EditList::new();
        edits.replace(end..end, format!(",{turn}"));
        Ok(edits.apply(body)?)
    }

    /// Whether all of the answer has gone to the client.
    pub fn is_whole(&self) -> bool {
        match &self.stream {
            Stream::Chat(stream) => stream.has_ended(),
            Stream::Messages(stream) => stream.has_ended(),
        }
    }

    /// What has been said so far, in all rounds.
    pub fn said(&self) -> Said {
        let rounds = || self.earlier.iter().chain([&self.round]);
        let calls = rounds().flat_map(|round| &round.parts);
        Said {
            text: rounds().map(Round::text).collect(),
            calls: calls
                .filter_map(|part| match &part.what {
                    What::Call(call) => Some(call.clone()),
                    _ => None,
                })
                .collect(),
        }
    }

    /// What the client has not seen, once the answer is whole, and the name of what it has.
    pub fn take_aside(&mut self) -> Option<(Vec<u8>, Aside)> {
        let mut aside = std::mem::take(&mut self.aside);
        if aside.rounds.is_empty() {
            return None;
        }
        let rounds = self.earlier.iter().chain([&self.round]);
        let text: String = rounds.clone().map(Round::text).collect();
        let shown: Vec<_> = rounds.flat_map(Round::shown).collect();
        let ids: Vec<_> = shown
            .iter()
            .filter_map(|part| match &part.what {
                What::Call(call) => Some(call.id.as_str()),
                _ => None,
            })
            .collect();
        aside.shown = shown.len();
        Some((name::name(&text, &ids), aside))
    }
}
