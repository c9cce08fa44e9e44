//! How a model writes that it calls a tool.

/// The marks around a call, and the names of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolSyntax {
    /// `<tool_call>`, a line with `{"name": …, "arguments": {…}}`, `</tool_call>`; any number of
    /// them after the text. What Qwen 2.5 and 3 were trained on, and many others (it comes from the
    /// Hermes models); also what the transcript of a base model shows.
    Hermes,
    /// The whole answer is `{"name": …, "parameters": {…}}`. What Llama 3 was trained on.
    Llama,
}
