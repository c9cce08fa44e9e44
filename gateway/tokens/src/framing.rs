//! What a request costs besides its texts.

use skinflint_protocol::{Endpoint, ResponseFormat};

use crate::count::Count;
use crate::encoding::Encoding;

/// Tokens around the texts of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framing {
    /// Around each message, its role included.
    pub(crate) message: Count,
    /// Around each block of a message, and each text to be embedded.
    pub(crate) block: Count,
    /// Around each tool.
    pub(crate) tool: u64,
    /// What stands before the tools, if there are any.
    pub(crate) tools: u64,
    /// Once a request.
    pub(crate) request: Count,
}

impl Framing {
    /// The framing of an endpoint's requests.
    pub(crate) fn of(encoding: &Encoding, endpoint: Endpoint) -> Self {
        match (encoding, endpoint) {
            // OpenAI's cookbook, "How to count tokens with tiktoken": each text by itself.
            (_, Endpoint::Embeddings) if encoding.is_openai() => Self {
                message: Count::NONE,
                block: Count::NONE,
                tool: 0,
                tools: 0,
                request: Count::NONE,
            },
            // The same: three tokens and the role for a message, three to begin the answer. For tools
            // there is no public rule. The model is known to read them in a form shorter than their JSON,
            // which is counted; users report a framing of 7 a function and 12 in all.
            (_, Endpoint::ChatCompletions) if encoding.is_openai() => Self {
                message: Count::exact(4),
                block: Count::NONE,
                tool: 16,
                tools: 32,
                request: Count::exact(3),
            },
            // Not documented: twice what chat completions take, and more.
            _ if encoding.is_openai() => Self {
                message: Count::at_most(8),
                block: Count::NONE,
                tool: 16,
                tools: 64,
                request: Count::at_most(16),
            },
            // Not documented but for the prompt that explains tools: 159 to 530 tokens before the
            // tokenizer that makes a third more.
            (Encoding::Claude, _) => Self {
                message: Count::at_most(8),
                block: Count::at_most(2),
                tool: 32,
                tools: 1024,
                request: Count::at_most(32),
            },
            // Marks of a text's start and end.
            (_, Endpoint::Embeddings) => Self {
                message: Count::NONE,
                block: Count::at_most(2),
                tool: 0,
                tools: 0,
                request: Count::at_most(0),
            },
            // Chat templates; some bring a system prompt of their own, or a long one for tools.
            _ => Self {
                message: Count::at_most(16),
                block: Count::at_most(2),
                tool: 32,
                tools: 1024,
                request: Count::at_most(128),
            },
        }
    }
}

/// What asking for a form of answer costs besides its schema.
pub(crate) fn format(format: ResponseFormat) -> Count {
    match format {
        ResponseFormat::Text => Count::NONE,
        _ => Count::at_most(256),
    }
}
