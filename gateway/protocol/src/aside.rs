//! A tool that the gateway offers beside the client's own and answers itself, unseen by the client.
//!
//! [`offer`] puts its definition into a request. [`AsideAnswer`] reads the provider's answer, whole or as it streams:
//! it takes the calls of the tool out, says which of them have to be answered, makes the request that the provider
//! goes on from, and joins what comes then to what the client has already. What the client has not seen is an
//! [`Aside`]; [`Aside::splice`] puts it back into every later request, so that the provider reads the conversation as it
//! was.
//!
//! A turn that calls the tool alone is answered and gone on from within one call of the client. In a turn that calls
//! the client's tools too, the client's results are waited for: its next request gets the other ones put beside them.

mod answer;
mod chat;
mod chat_stream;
mod frame;
mod messages;
mod messages_stream;
mod name;
mod splice;

use serde::{Deserialize, Serialize};

pub use answer::{AsideAnswer, AsideError, Heard, Said};
pub use name::{NamedAnswer, named_answers};

use crate::edit::EditList;
use crate::endpoint::Endpoint;
use crate::json::literal;
use crate::request::RequestView;

/// What such a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsideTool {
    /// Its name, which no tool of the client may have.
    pub name: &'static str,
    /// What it is for, in the words that the model reads.
    pub description: &'static str,
    /// The JSON Schema of its arguments, as JSON.
    pub schema: &'static str,
}

/// A call of the tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideCall {
    /// The provider's id of the call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments, as JSON.
    pub arguments: String,
}

/// What a call of the tool gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideResult {
    /// The text.
    pub text: String,
    /// Whether it says that the call was wrong.
    pub is_error: bool,
}

/// What a client has not seen of an answer, and where it belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    rounds: Vec<HiddenRound>,
    /// Parts that the client has seen.
    shown: usize,
}

/// Calls of the tool, and their results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HiddenRound {
    /// Parts that the client has seen before the first call.
    after: usize,
    /// The same, without reasoning, which some clients do not send back.
    after_solid: usize,
    /// The text that the model said in the round.
    said: String,
    /// The calls and their results, as JSON in the protocol of the endpoint.
    calls: Vec<String>,
    results: Vec<String>,
    /// Whether the round called the client's tools, too, and so was the last one.
    is_mixed: bool,
}

impl Aside {
    /// About what it takes up.
    pub fn bytes(&self) -> usize {
        let texts = self.rounds.iter().flat_map(|round| {
            let lists = round.calls.iter().chain(&round.results);
            lists.chain([&round.said]).map(String::len)
        });
        texts.sum()
    }
}

/// Whether the tool may be offered in a request: there are tools, none of that name, and one answer is asked for.
pub fn may_offer(view: &RequestView, name: &str) -> bool {
    let answers = matches!(
        view.endpoint,
        Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::CountTokens
    );
    answers
        && !view.tools.is_empty()
        && view.tools.iter().all(|tool| tool.name != name)
        && view.sampling.n.is_none_or(|n| n == 1)
}

/// Puts the tool behind the client's own. Nothing is done to a request without tools.
pub fn offer(view: &RequestView, tool: &AsideTool, edits: &mut EditList) {
    let Some(last) = view.tools.last() else {
        return;
    };
    let (name, description) = (literal(tool.name), literal(tool.description));
    let schema = tool.schema;
    let definition = match view.endpoint {
        Endpoint::ChatCompletions => format!(
            r#"{{"type":"function","function":{{"name":{name},"description":{description},"parameters":{schema}}}}}"#
        ),
        _ => format!(r#"{{"name":{name},"description":{description},"input_schema":{schema}}}"#),
    };
    edits.replace(last.span.end..last.span.end, format!(",{definition}"));
}

#[cfg(test)]
mod tests;
