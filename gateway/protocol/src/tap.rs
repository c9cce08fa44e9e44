//! Reading an answer as it passes: usage, identity, how it ended.
//!
//! A tap never changes what it sees. It parses each event once and keeps a few words of it.

mod chat;
mod ending;
mod messages;
mod responses;
mod text;

use bytes::Bytes;

use crate::emit::Meta;
use crate::endpoint::{Dialect, Endpoint};
use crate::json::{Document, JsonError, JsonLimits, Value};
use crate::sse::Event;
use crate::usage::{Usage, UsageReport};
use ending::Ending;
pub use text::TakenText;
use text::Text;

/// Answers are bounded in bytes by whoever reads them. What is read stands near the surface; keeping
/// no more leaves out what an answer may have by the million, the numbers of embeddings and the log
/// probabilities of tokens, so that the limit on values does not hit them.
const fn answer_limits(endpoint: Endpoint) -> JsonLimits {
    JsonLimits {
        max_depth: 128,
        max_values: 1_000_000,
        kept_depth: match endpoint {
            // `usage.prompt_tokens_details.cached_tokens`; numbers stand below `data[0].embedding`.
            Endpoint::Embeddings => 3,
            // `response.usage.input_tokens_details.cache_write_tokens_details.ttl_30m_tokens`
            _ => 5,
        },
    }
}

/// Why an answer ended, in one vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The model was done.
    EndTurn,
    /// The limit on output, or the context window, was reached.
    MaxTokens,
    /// A stop sequence of the request came up.
    StopSequence,
    /// The model asks for a tool.
    ToolUse,
    /// The provider held the rest back, or the model declined.
    Refusal,
    /// The provider paused a long turn, to be sent back as it is.
    Pause,
    /// Something that this version does not know.
    Other,
}

impl StopReason {
    /// A stable label for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndTurn => "end_turn",
            Self::MaxTokens => "max_tokens",
            Self::StopSequence => "stop_sequence",
            Self::ToolUse => "tool_use",
            Self::Refusal => "refusal",
            Self::Pause => "pause",
            Self::Other => "other",
        }
    }
}

/// What an answer says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model that answered, which can be more precise than the one asked for.
    pub model: Option<String>,
    /// Why the answer ended.
    pub stop_reason: Option<StopReason>,
    /// Usage as reported so far.
    pub report: UsageReport,
    /// The service tier that the provider says it served, and bills.
    pub service_tier: Option<String>,
    /// Anthropic's speed mode, likewise.
    pub speed: Option<String>,
    /// Bytes of generated text that the client could see so far: content, reasoning, refusals, names
    /// and arguments of calls, of all choices. Hidden reasoning, sound and pictures are not in it.
    pub visible_bytes: u64,
    /// Whether the answer reached its end, good or bad.
    pub is_complete: bool,
    /// Whether the answer is, or turned into, an error.
    pub has_error: bool,
}

impl Outcome {
    fn new(dialect: Dialect) -> Self {
        Self {
            id: None,
            model: None,
            stop_reason: None,
            report: UsageReport::new(dialect),
            service_tier: None,
            speed: None,
            visible_bytes: 0,
            is_complete: false,
            has_error: false,
        }
    }

    /// Usage in normal form; none when the provider did not say.
    pub fn usage(&self) -> Option<Usage> {
        self.report.usage()
    }

    /// Keeps id and model where an answer names them, and the latest word on the tier: OpenAI starts
    /// with what was asked for.
    fn identify(&mut self, answer: Value<'_>) {
        keep(&mut self.id, answer.get("id"));
        keep(&mut self.model, answer.get("model"));
        renew(&mut self.service_tier, answer.get("service_tier"));
    }

    /// Takes in a `usage` member; false when it says nothing.
    fn account(&mut self, usage: Option<Value<'_>>) -> bool {
        let Some(usage) = usage else {
            return false;
        };
        if self.report.dialect() == Dialect::Anthropic {
            renew(&mut self.service_tier, usage.get("service_tier"));
            renew(&mut self.speed, usage.get("speed"));
        }
        let report = UsageReport::read(self.report.dialect(), usage);
        self.report.update(report);
        !report.is_empty()
    }
}

/// The first text stays; comparing spares a stream the copy at every event.
fn keep(slot: &mut Option<String>, value: Option<Value<'_>>) {
    if slot.is_none() {
        *slot = value
            .and_then(|value| value.as_str())
            .filter(|text| !text.is_empty())
            .map(String::from);
    }
}

/// The last text stays.
fn renew(slot: &mut Option<String>, value: Option<Value<'_>>) {
    let text = value.and_then(|value| value.as_str());
    if let Some(text) = text.filter(|text| slot.as_deref() != Some(text)) {
        *slot = Some(text.into_owned());
    }
}

fn has_text(value: Option<Value<'_>>) -> bool {
    value
        .and_then(|value| value.as_str())
        .is_some_and(|text| !text.is_empty())
}

/// What an event was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A piece of the answer: text, reasoning, a tool call.
    Delta,
    /// Usage and nothing else: the chunk that a chat stream has only when it was asked for.
    UsageOnly,
    /// Frame-work: starts, stops, pings.
    Other,
    /// The last event of the protocol.
    Terminal,
    /// The provider reports an error within the stream.
    Error,
}

/// An answer that is not in its protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TapError {
    /// Not JSON.
    #[error("the answer is not json")]
    NotJson(#[from] JsonError),
    /// JSON, but no object.
    #[error("the answer is {found}, expected an object")]
    NotAnObject {
        /// What it is instead.
        found: &'static str,
    },
}

/// Watches a streamed answer.
#[derive(Debug)]
pub struct StreamTap {
    endpoint: Endpoint,
    outcome: Outcome,
    choices: chat::Choices,
    text: Text,
    last_sequence: Option<u64>,
    has_ended: bool,
    ending: Option<Box<Ending>>,
}

impl StreamTap {
    /// A tap at the start of an answer.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            outcome: Outcome::new(endpoint.dialect()),
            choices: chat::Choices::default(),
            text: Text::default(),
            last_sequence: None,
            has_ended: false,
            ending: None,
        }
    }

    /// A tap that also keeps what [`Self::finish_early`] needs: of a responses stream the items that
    /// it has said, of the others next to nothing.
    pub fn stoppable(endpoint: Endpoint) -> Self {
        Self {
            ending: Ending::new(endpoint).map(Box::new),
            ..Self::new(endpoint)
        }
    }

    /// Reads the next event. Events after the terminal one count: some providers send usage there.
    pub fn observe(&mut self, event: &Event) -> Result<Progress, TapError> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(Progress::Other);
        }
        if data == b"[DONE]" {
            return Ok(match self.endpoint {
                Endpoint::ChatCompletions => {
                    self.outcome.is_complete = true;
                    self.has_ended = true;
                    Progress::Terminal
                }
                _ => Progress::Other,
            });
        }
        let document = Document::parse(data, answer_limits(self.endpoint))?;
        let root = object(&document)?;
        if let Some(ending) = &mut self.ending {
            ending.observe(root);
        }
        let progress = self.read(root);
        self.outcome.visible_bytes = self.text.visible_bytes();
        self.has_ended |= matches!(progress, Progress::Terminal | Progress::Error);
        Ok(progress)
    }

    fn read(&mut self, root: Value<'_>) -> Progress {
        let (outcome, text) = (&mut self.outcome, &mut self.text);
        match self.endpoint {
            Endpoint::Responses => {
                let sequence = root.get("sequence_number").and_then(|n| n.as_u64());
                // One without a successor could not be gone on from.
                if let Some(sequence) = sequence.filter(|n| *n < u64::MAX) {
                    self.last_sequence = Some(sequence);
                }
                responses::event(outcome, text, root)
            }
            Endpoint::Messages | Endpoint::CountTokens => messages::event(outcome, text, root),
            Endpoint::ChatCompletions | Endpoint::Embeddings => {
                chat::event(outcome, &mut self.choices, text, root)
            }
        }
    }

    /// From now on keeps the text that passes, `limit` bytes of it at most between two calls of
    /// [`Self::take_text`].
    pub fn keep_text(&mut self, limit: usize) {
        self.text.keep(limit);
    }

    /// The text that has passed since it was last taken; nothing unless [`Self::keep_text`] was
    /// called.
    pub fn take_text(&mut self) -> TakenText {
        self.text.take()
    }

    /// The events that end the stream here, as the protocol's own stop at the limit on output: open
    /// blocks are closed, what was said stays said, a call that is cut does not look complete.
    ///
    /// `meta` names the answer where the stream has not done so yet, and says whether the client
    /// asked for usage; `usage` is what the call has used, if that is known better than the provider
    /// has told. Nothing, if the stream has ended already, well or with an error, or if the tap is not
    /// [`Self::stoppable`]. A stop reason that the provider has given is not overruled.
    pub fn finish_early(&self, meta: &Meta, usage: Option<&Usage>) -> Bytes {
        let Some(ending) = self.ending.as_deref().filter(|_| !self.has_ended) else {
            return Bytes::new();
        };
        let told = self.outcome.usage();
        ending.finish(self, meta, usage.or(told.as_ref()))
    }

    /// All that the answer has said about itself.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Usage in normal form; none while the provider has not said.
    pub fn usage(&self) -> Option<Usage> {
        self.outcome.usage()
    }

    /// The provider's id of the answer.
    pub fn response_id(&self) -> Option<&str> {
        self.outcome.id.as_deref()
    }

    /// The model that answers.
    pub fn model(&self) -> Option<&str> {
        self.outcome.model.as_deref()
    }

    /// Why the answer ended.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.outcome.stop_reason
    }

    /// Whether the answer has ended: its terminal event came, or every choice is finished.
    pub fn is_complete(&self) -> bool {
        self.outcome.is_complete
    }

    /// Whether the provider reported an error within the stream.
    pub fn saw_error(&self) -> bool {
        self.outcome.has_error
    }

    /// The last `sequence_number` of a responses stream, which an added event goes on from: never
    /// `u64::MAX`.
    pub fn last_sequence(&self) -> Option<u64> {
        self.last_sequence
    }
}

/// Reads an answer that came as one body.
pub fn body_tap(endpoint: Endpoint, body: &[u8]) -> Result<Outcome, TapError> {
    let document = Document::parse(body, answer_limits(endpoint))?;
    let root = object(&document)?;
    let mut outcome = Outcome::new(endpoint.dialect());
    outcome.is_complete = true;
    outcome.has_error = root.non_null("error").is_some();
    outcome.identify(root);
    // The token count that count_tokens answers with is no usage: nothing is billed.
    outcome.account(root.get("usage"));
    let mut text = Text::default();
    match endpoint {
        Endpoint::ChatCompletions => chat::body(&mut outcome, &mut text, root),
        Endpoint::Responses => responses::whole(&mut outcome, &mut text, root),
        Endpoint::Messages => messages::body(&mut outcome, &mut text, root),
        Endpoint::CountTokens | Endpoint::Embeddings => {}
    }
    outcome.visible_bytes = text.visible_bytes();
    Ok(outcome)
}

fn object<'d>(document: &'d Document<'_>) -> Result<Value<'d>, TapError> {
    let root = document.root();
    match root.as_object() {
        Some(_) => Ok(root),
        None => Err(TapError::NotAnObject {
            found: root.kind().as_str(),
        }),
    }
}

#[cfg(test)]
mod tests;
