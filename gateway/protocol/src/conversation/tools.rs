//! Tools on offer, and whether one is to be called.

use super::{CallChoice, ConversationError, Function, Unsupported, is_messages, schema};
use crate::endpoint::Endpoint;
use crate::json::JsonKind;
use crate::request::{
    Block, BlockKind, Node, RequestView, ToolChoice, ViewError, runs_at_provider,
};

/// What a request offers its model to call.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) functions: Vec<Function>,
    pub(super) choice: CallChoice,
    pub(super) parallel: bool,
    pub(super) left_out: Vec<Unsupported>,
}

pub(super) fn read(view: &RequestView, root: &Node<'_, '_>) -> Result<Offer, ConversationError> {
    let mut offer = Offer {
        functions: Vec::new(),
        choice: CallChoice::Auto,
        parallel: true,
        left_out: Vec::new(),
    };
    let [tools] = root.fields(["tools"])?;
    if let Some(tools) = &tools {
        for tool in tools.elements("an array of tools")? {
            offer.take(view.endpoint, &tool)?;
        }
    }
    if view.endpoint == Endpoint::ChatCompletions {
        let [functions] = root.fields(["functions"])?;
        if let Some(functions) = functions {
            for function in functions.elements("an array of functions")? {
                let what = "a function outside `tools`";
                offer
                    .left_out
                    .push(Unsupported::new(function.place(), what));
            }
        }
    }
    if view
        .blocks
        .iter()
        .any(|block| block.kind == BlockKind::Tools)
    {
        offer.take_within(view, root)?;
    }
    let [choice] = root.fields(["tool_choice"])?;
    offer.limit(view.endpoint, root, choice.as_ref())?;
    offer.choose(view.tool_choice, choice.as_ref())?;
    Ok(offer)
}

impl Offer {
    /// Takes in one of `tools`.
    fn take(&mut self, endpoint: Endpoint, tool: &Node<'_, '_>) -> Result<(), ConversationError> {
        let Some(function) = function(endpoint, tool)? else {
            let [kind] = tool.fields(["type"])?;
            let kind = kind.map(|kind| kind.owned_string()).transpose()?;
            let what = if kind.as_deref().is_some_and(runs_at_provider) {
                "a tool of the provider"
            } else {
                "a tool that is no function"
            };
            self.left_out.push(Unsupported::new(tool.place(), what));
            return Ok(());
        };
        if self
            .functions
            .iter()
            .any(|known| known.name == function.name)
        {
            let what = "a second function of the same name";
            return Err(Unsupported::new(tool.place(), what).into());
        }
        self.functions.push(function);
        Ok(())
    }

    /// Takes in the functions of items of the input that offer tools. A later one of the same name
    /// takes the place of an earlier one; what is no function is passed over.
    fn take_within(
        &mut self,
        view: &RequestView,
        root: &Node<'_, '_>,
    ) -> Result<(), ConversationError> {
        let [input] = root.fields(["input"])?;
        let Some(input) = &input else { return Ok(()) };
        for (index, item) in input.elements("an array of items")?.enumerate() {
            let offers = |block: &Block| block.kind == BlockKind::Tools && block.message == index;
            if !view.blocks.iter().any(offers) {
                continue;
            }
            let [tools] = item.fields(["tools"])?;
            let Some(tools) = &tools else { continue };
            for tool in tools.elements("an array of tools")? {
                if let Some(function) = function(view.endpoint, &tool)? {
                    self.functions.retain(|known| known.name != function.name);
                    self.functions.push(function);
                }
            }
        }
        Ok(())
    }

    /// Takes in whether several calls may be made, and which functions are left to be called.
    fn limit(
        &mut self,
        endpoint: Endpoint,
        root: &Node<'_, '_>,
        choice: Option<&Node<'_, '_>>,
    ) -> Result<(), ViewError> {
        if !is_messages(endpoint) {
            let [parallel] = root.fields(["parallel_tool_calls"])?;
            if let Some(parallel) = parallel {
                self.parallel = parallel.boolean()?;
            }
        }
        let Some(choice) = choice.filter(|choice| choice.kind() == JsonKind::Object) else {
            return Ok(());
        };
        if is_messages(endpoint) {
            let [single] = choice.fields(["disable_parallel_tool_use"])?;
            if let Some(single) = single {
                self.parallel = !single.boolean()?;
            }
            return Ok(());
        }
        let [kind, allowed] = choice.fields(["type", "allowed_tools"])?;
        if kind.map(|kind| kind.string()).transpose()?.as_deref() == Some("allowed_tools") {
            self.restrict(allowed.as_ref().unwrap_or(choice))?;
        }
        Ok(())
    }

    /// Takes in whether, and what, the model is to call.
    fn choose(
        &mut self,
        choice: ToolChoice,
        spelled: Option<&Node<'_, '_>>,
    ) -> Result<(), ConversationError> {
        let refused = |what| Err(Unsupported::new("tool_choice", what).into());
        self.choice = match (choice, spelled) {
            (ToolChoice::Auto, _) => CallChoice::Auto,
            (ToolChoice::None, _) => CallChoice::None,
            (ToolChoice::Required, _) if self.functions.is_empty() => {
                return refused("a forced call with no function on offer");
            }
            (ToolChoice::Required, _) => CallChoice::Required,
            (ToolChoice::Named, None) => {
                let what = "a forced call of a function outside `tools`";
                return Err(Unsupported::new("function_call", what).into());
            }
            (ToolChoice::Named, Some(spelled)) => match chosen(spelled)? {
                None => return refused("a forced call of a tool that is no function"),
                Some(name) if self.functions.iter().all(|known| known.name != name) => {
                    return refused("a forced call of a function that is not on offer");
                }
                Some(name) => CallChoice::Named(name),
            },
        };
        Ok(())
    }

    /// Leaves only the functions that may be called.
    fn restrict(&mut self, allowed: &Node<'_, '_>) -> Result<(), ViewError> {
        let [tools] = allowed.fields(["tools"])?;
        let Some(tools) = &tools else { return Ok(()) };
        let mut names = Vec::new();
        for tool in tools.elements("an array of tools")? {
            names.extend(chosen(&tool)?);
        }
        self.functions
            .retain(|function| names.contains(&function.name));
        Ok(())
    }
}

/// The name of the function that is spoken of; none where it is a tool of another kind.
fn chosen(choice: &Node<'_, '_>) -> Result<Option<String>, ViewError> {
    let [kind, name, function] = choice.fields(["type", "name", "function"])?;
    let kind = kind.map(|kind| kind.string()).transpose()?;
    if !matches!(kind.as_deref(), Some("function" | "tool")) {
        return Ok(None);
    }
    match &function {
        Some(function) => {
            let [name] = function.fields(["name"])?;
            let name = function.require(name, "name", "a function name")?;
            name.owned_string().map(Some)
        }
        None => choice
            .require(name, "name", "a function name")?
            .owned_string()
            .map(Some),
    }
}

/// A tool as a function; none where it is something else.
fn function(
    endpoint: Endpoint,
    tool: &Node<'_, '_>,
) -> Result<Option<Function>, ConversationError> {
    let [kind, wrapped] = tool.fields(["type", "function"])?;
    let kind = kind.map(|kind| kind.string()).transpose()?;
    match endpoint {
        Endpoint::ChatCompletions => match &wrapped {
            Some(definition) => define(definition, "parameters").map(Some),
            None => Ok(None),
        },
        Endpoint::Messages | Endpoint::CountTokens => match kind.as_deref() {
            None | Some("custom") => define(tool, "input_schema").map(Some),
            Some(_) => Ok(None),
        },
        Endpoint::Responses | Endpoint::Embeddings => match kind.as_deref() {
            Some("function") => define(tool, "parameters").map(Some),
            _ => Ok(None),
        },
    }
}

fn define(
    definition: &Node<'_, '_>,
    parameters: &'static str,
) -> Result<Function, ConversationError> {
    let [name, description, parameters] = definition.fields(["name", "description", parameters])?;
    let name = definition.require(name, "name", "a function name")?;
    let parameters = match parameters {
        Some(parameters) => schema(&parameters)?,
        // No parameters are an empty list of them.
        None => serde_json::json!({ "type": "object", "properties": {} }),
    };
    Ok(Function {
        name: name.non_empty_string()?,
        description: description.map(|text| text.owned_string()).transpose()?,
        parameters,
    })
}
