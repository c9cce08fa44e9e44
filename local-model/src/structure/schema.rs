//! JSON schemas: what is let through to the compiler, and where in one a fault lies.

use std::collections::HashSet;

use llguidance::api::{GrammarInit, TopLevelGrammar, ValidationResult};
use llguidance::panic_utils;
use serde_json::{Map, Value, json};

use super::limits;

/// Arrays and objects that the schemas of one call may have together. The compiler follows a chain
/// of references by recursion: see [`STACK_BYTES`](super::STACK_BYTES).
const MAX_CONTAINERS: usize = 10_000;

/// Properties that one object may list. The parser keeps an item for each that may come next: what
/// a token takes grows with their square, to some milliseconds at this number.
const MAX_PROPERTIES: usize = 512;

/// How deep they may be nested; what `serde_json` reads.
const MAX_DEPTH: usize = 128;

/// Bytes of all their strings and names.
const MAX_TEXT_BYTES: usize = 512 * 1024;

/// White space that may stand between two parts of a JSON text: a space, or a line break and an
/// indentation. A model that does not know how to go on would otherwise write spaces without end.
const WHITE_SPACE: &str = r" |\n[ ]{0,24}|\n\t{1,8}";

/// Subschemas that are compiled by themselves to find the one at fault.
const MAX_PROBES: usize = 32;

/// Bytes of a reason that are passed on.
const MAX_REASON_BYTES: usize = 300;

/// Keywords whose value is one schema, and those whose value is a list or a map of schemas.
const ONE: [&str; 3] = ["items", "additionalProperties", "additionalItems"];
const SEVERAL: [&str; 7] = [
    "properties",
    "patternProperties",
    "prefixItems",
    "items",
    "anyOf",
    "allOf",
    "oneOf",
];

/// Where shared parts of a schema are.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// Adds up what the schemas of a call take.
#[derive(Debug, Default)]
pub(super) struct Size {
    containers: usize,
    text: usize,
}

impl Size {
    /// Adds one. The error says what is too much; no recursion, for nothing is known of the depth.
    pub(super) fn add(&mut self, schema: &Value) -> Result<(), String> {
        let mut open = vec![(schema, 1)];
        while let Some((value, depth)) = open.pop() {
            if depth > MAX_DEPTH {
                return Err(format!("nested more than {MAX_DEPTH} deep"));
            }
            match value {
                Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
                Value::Object(members) => {
                    let listed = members.get("properties").and_then(Value::as_object);
                    if listed.is_some_and(|listed| listed.len() > MAX_PROPERTIES) {
                        return Err(format!(
                            "more than {MAX_PROPERTIES} properties of one object"
                        ));
                    }
                    self.text += members.keys().map(String::len).sum::<usize>();
                    open.extend(members.values().map(|member| (member, depth + 1)));
                }
                Value::String(text) => self.text += text.len(),
                Value::Null | Value::Bool(_) | Value::Number(_) => continue,
            }
            self.containers += usize::from(!value.is_string());
            if self.containers > MAX_CONTAINERS {
                return Err(format!("more than {MAX_CONTAINERS} arrays and objects"));
            }
            if self.text > MAX_TEXT_BYTES {
                return Err(format!("more than {MAX_TEXT_BYTES} bytes of text"));
            }
        }
        Ok(())
    }
}

/// The schema of a tool's arguments, which are an object; a tool without a schema takes none.
pub(super) fn of_arguments(parameters: &Value) -> Value {
    let mut schema = match parameters {
        Value::Null => return json!({"type": "object", "additionalProperties": false}),
        Value::Bool(true) => Map::new(),
        Value::Object(schema) => schema.clone(),
        other => return other.clone(),
    };
    let is_object_among_others = match schema.get("type") {
        None => true,
        Some(Value::Array(types)) => types.iter().any(|name| name == "object"),
        Some(_) => false,
    };
    if is_object_among_others {
        schema.insert("type".to_owned(), "object".into());
    }
    Value::Object(schema)
}

/// Whether a schema is of nothing but objects, as [`of_arguments`] makes it where it can be.
pub(super) fn is_of_objects(schema: &Value) -> bool {
    schema.get("type").is_some_and(|name| name == "object")
}

/// The schema with the compiler's options; any that came with it have no say.
pub(super) fn with_options(schema: Value) -> Value {
    let mut schema = match schema {
        Value::Object(schema) => schema,
        Value::Bool(true) => Map::new(),
        other => return other,
    };
    let options = json!({"whitespace_pattern": WHITE_SPACE});
    schema.insert("x-guidance".to_owned(), options);
    Value::Object(schema)
}

/// A reference that leads to nothing but references, and so back to itself: the compiler takes it,
/// but no text fits it.
pub(super) fn endless_reference(schema: &Value) -> Option<&str> {
    let mut followed = HashSet::new();
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        let mut way = HashSet::new();
        let mut reference = target(value);
        while let Some(pointer) = reference {
            if !way.insert(pointer) {
                return Some(pointer);
            }
            if !followed.insert(pointer) {
                break;
            }
            reference = schema.pointer(pointer).and_then(target);
        }
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
    None
}

/// What a schema refers to within its document, as a JSON pointer.
fn target(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix('#')
}

/// Where the fault lies in a schema that does not compile, as a JSON pointer, and what it is;
/// `None` where the schema compiles by itself.
pub(super) fn fault(schema: &Value) -> Option<(String, String)> {
    let mut reason = probe(schema)?;
    let mut path = String::new();
    let mut at = schema;
    let mut probes = 0;
    let mut seen = HashSet::new();
    while let Some((child_path, child)) = children(schema, at, &path).into_iter().find(|child| {
        probes += 1;
        if probes > MAX_PROBES || !seen.insert(child.0.clone()) {
            return false;
        }
        match probe(&with_definitions(child.1, schema)) {
            // A part that points elsewhere cannot be judged by itself.
            Some(child_reason) if !child_reason.contains("Reference segment") => {
                reason = child_reason;
                true
            }
            _ => false,
        }
    }) {
        path = child_path;
        at = child;
    }
    Some((path, reason))
}

/// Why a schema does not compile.
fn probe(schema: &Value) -> Option<String> {
    let grammar = TopLevelGrammar::from_json_schema(with_options(schema.clone()));
    let result = panic_utils::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Ok(GrammarInit::Serialized(grammar).validate(None, limits()))
    }));
    match result {
        Ok(ValidationResult::Error(reason)) => Some(short(&reason)),
        Ok(ValidationResult::Valid | ValidationResult::Warnings(_)) => None,
        Err(panic) => Some(short(&panic.to_string())),
    }
}

/// What the compiler says, in one line: of a regular expression's error, which comes in several,
/// the one that names it.
pub(super) fn short(reason: &str) -> String {
    let named = reason
        .lines()
        .find_map(|line| line.trim().strip_prefix("error: "));
    let line = named.or_else(|| reason.lines().next()).unwrap_or_default();
    let line = line
        .rsplit_once("(in regex): ")
        .map_or(line, |(_, rest)| rest);
    let line = match line.trim() {
        "NoExtensionBias" => "nothing satisfies it",
        line => line.trim_end_matches(':'),
    };
    let end = line.floor_char_boundary(MAX_REASON_BYTES);
    line[..end].to_owned()
}

fn with_definitions(schema: &Value, root: &Value) -> Value {
    let mut schema = schema.clone();
    if let (Some(schema), Some(root)) = (schema.as_object_mut(), root.as_object()) {
        for keyword in DEFINITIONS {
            if let (Some(definitions), false) = (root.get(keyword), schema.contains_key(keyword)) {
                schema.insert(keyword.to_owned(), definitions.clone());
            }
        }
    }
    schema
}

/// The schemas right within one, and their pointers from the root; for a reference within the
/// document, what it refers to.
fn children<'a>(root: &'a Value, schema: &'a Value, path: &str) -> Vec<(String, &'a Value)> {
    let Some(members) = schema.as_object() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if let Some(pointer) = target(schema) {
        found.extend(root.pointer(pointer).map(|to| (pointer.to_owned(), to)));
    }
    for keyword in ONE {
        let one = members.get(keyword).filter(|value| !value.is_array());
        found.extend(one.map(|value| (format!("{path}/{keyword}"), value)));
    }
    for keyword in SEVERAL {
        match members.get(keyword) {
            Some(Value::Array(items)) => found.extend(
                (0..)
                    .zip(items)
                    .map(|(index, item): (usize, _)| (format!("{path}/{keyword}/{index}"), item)),
            ),
            Some(Value::Object(map)) if keyword != "items" => {
                found.extend(map.iter().map(|(name, value)| {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    (format!("{path}/{keyword}/{name}"), value)
                }));
            }
            _ => {}
        }
    }
    found
}
