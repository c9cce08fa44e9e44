//! Forms that cannot be.

use super::*;

fn error(format: &Format, tools: &[Tool], choice: &ToolChoice) -> StructureError {
    let factory = factory();
    factory
        .build(format, tools, choice, ToolSyntax::Hermes, false)
        .unwrap_err()
}

fn of_schema(schema: Value) -> StructureError {
    error(&Format::JsonSchema(schema), &[], &ToolChoice::Auto)
}

#[track_caller]
fn assert_path(error: &StructureError, expected: &str, says: &str) {
    match error {
        StructureError::Schema { path, reason } | StructureError::Tool { path, reason, .. } => {
            assert_eq!(path, expected, "{error}");
            assert!(reason.contains(says), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fault_in_a_schema_is_found() {
    let schema = json!({
        "type": "object",
        "properties": {
            "good": {"type": "string"},
            "a/b": {"type": "array", "items": {"type": "text"}},
        },
    });
    assert_path(&of_schema(schema), "/properties/a~1b/items", "text");
    let schema = json!({
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/t"}, "b": {"$ref": "#/$defs/bad"}},
        "$defs": {"t": {"type": "null"}, "bad": {"type": "array", "uniqueItems": true}},
    });
    assert_path(&of_schema(schema), "/$defs/bad", "uniqueItems");
    assert_path(
        &of_schema(json!({"type": "string", "pattern": "("})),
        "",
        "",
    );
    assert_path(&of_schema(json!({"$ref": "#/nowhere"})), "", "nowhere");
    assert_path(
        &of_schema(json!({"$ref": "https://example.com/a"})),
        "",
        "ref",
    );
    assert_path(&of_schema(json!(7)), "", "object or boolean");
}

#[test]
fn what_nothing_satisfies_is_refused() {
    assert_path(&of_schema(json!(false)), "", "");
    let schema = json!({
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 2}},
        "required": ["n"],
    });
    assert_path(&of_schema(schema), "/properties/n", "");
    assert_path(&of_schema(json!({"enum": []})), "", "");
    let regex = Format::Regex("a&&".to_owned());
    let built = factory().build(&regex, &[], &ToolChoice::Auto, ToolSyntax::Hermes, false);
    assert!(built.is_ok(), "an ampersand is no operator");
}

#[test]
fn a_tool_at_fault_is_named() {
    let mut tools = tools();
    tools.push(tool("broken", json!({"properties": {"x": {"not": {}}}})));
    let error = error(&Format::Text, &tools, &ToolChoice::Auto);
    assert!(
        matches!(&error, StructureError::Tool { name, .. } if name == "broken"),
        "{error}"
    );
    assert_path(&error, "/properties/x", "not");
    for parameters in [json!({"type": "array"}), json!("object"), json!(false)] {
        let tools = [tool("broken", parameters)];
        let error = super::faults::error(&Format::Text, &tools, &ToolChoice::Required);
        assert!(matches!(error, StructureError::Tool { .. }), "{error:?}");
    }
    for parameters in [json!(true), json!({}), json!({"type": ["null", "object"]})] {
        let tools = [tool("whole", parameters)];
        let choice = ToolChoice::Required;
        let built = factory().build(&Format::Text, &tools, &choice, ToolSyntax::Hermes, false);
        assert!(built.is_ok(), "{built:?}");
    }
}

#[test]
fn a_choice_without_its_tool_is_refused() {
    assert_eq!(
        error(&Format::Text, &[], &ToolChoice::Required),
        StructureError::NoTools
    );
    let named = ToolChoice::Named("other".to_owned());
    assert_eq!(
        error(&Format::Text, &tools(), &named),
        StructureError::UnknownTool {
            name: "other".to_owned()
        }
    );
}

#[test]
fn a_regex_that_is_none_is_refused() {
    for regex in ["(", "[", "a{3", "*", "(?=a)b", r"(a)\1", "x^y", r"\q"] {
        let error = error(&Format::Regex(regex.to_owned()), &[], &ToolChoice::Auto);
        assert!(
            matches!(error, StructureError::Regex { .. }),
            "{regex}: {error:?}"
        );
    }
}

#[test]
fn a_vocabulary_that_cannot_be_used_is_an_error_not_a_panic() {
    let build = |tokens: Vec<(Vec<u8>, bool)>, ends: &[TokenId]| {
        let factory = StructureFactory::new(move || tokens.clone(), ends);
        let built = factory.build(
            &Format::JsonObject,
            &[],
            &ToolChoice::Auto,
            ToolSyntax::Hermes,
            false,
        );
        assert!(
            matches!(built, Err(StructureError::Vocabulary { .. })),
            "{built:?}"
        );
    };
    build(Vec::new(), &[]);
    build(tokens(), &[]);
    build(tokens(), &[999]);
    build(vec![(vec![b'a'; 5000], false), (Vec::new(), true)], &[1]);
}

/// A reference to a definition.
fn to(number: usize) -> Value {
    json!({"$ref": format!("#/$defs/d{number}")})
}

/// A reference to the first of so many definitions, which `define` makes; the last is null.
fn defined(count: usize, define: impl Fn(usize) -> Value) -> Value {
    let mut schema = to(0);
    schema["$defs"] = (0..count)
        .map(|number| (format!("d{number}"), define(number)))
        .collect();
    schema["$defs"][format!("d{count}")] = json!({"type": "null"});
    schema
}

fn wide(count: usize) -> Value {
    let properties: Value = (0..count)
        .map(|number| {
            let schema = json!({"type": "string", "maxLength": number});
            (format!("p{number}"), schema)
        })
        .collect();
    json!({"type": "object", "properties": properties})
}

/// Schemas that are small to send and large to compile: they must be refused, or compile within
/// the limits. What is tested is that neither stack nor memory runs out.
#[test]
fn hostile_schemas_do_no_harm() {
    let chain = defined(9_900, |number| to(number + 1));
    let objects = defined(
        2_400,
        |number| json!({"required": ["x"], "properties": {"x": to(number + 1)}}),
    );
    let doubling = defined(39, |number| {
        let either = json!({"anyOf": [to(number + 1), to(number + 1)]});
        json!({"allOf": [either, either]})
    });
    let deep = (0..2_000).fold(json!({}), |deep, _| json!({"items": deep}));
    let classes = "(.*a|.*b){50}".repeat(30);
    let pattern = |pattern: &str| json!({"type": "string", "pattern": pattern});
    let lookback = "^(.*a.{60}|.*b.{61}|.*c.{59})$";
    for (schema, refused) in [
        (chain, None),
        (objects, None),
        (deep, Some("nested more than 128 deep")),
        (wide(512), None),
        (wide(513), Some("more than 512 properties")),
        (doubling, Some("schema too large")),
        (json!({"$ref": "#"}), Some("leads back to itself")),
        (
            json!({"allOf": [{"$ref": "#"}], "type": "object"}),
            Some("circular"),
        ),
        (
            json!({"type": "string", "minLength": 4_000_000_000_u64}),
            None,
        ),
        (json!({"type": "string", "minLength": u64::MAX}), Some("")),
        (
            json!({"type": "array", "minItems": 1_000_000_000_u64}),
            None,
        ),
        (pattern("((((a{1000}){1000}){1000}){1000})"), None),
        (pattern(&format!("^{classes}$")), None),
        (pattern(lookback), None),
        (pattern(&"a".repeat(600_000)), Some("bytes of text")),
        (json!({"enum": vec![0; 20_000]}), None),
        (
            json!({"enum": vec![json!([]); 20_000]}),
            Some("arrays and objects"),
        ),
    ] {
        let shown = schema.to_string().chars().take(60).collect::<String>();
        let built = factory().build(
            &Format::JsonSchema(schema),
            &[],
            &ToolChoice::Auto,
            ToolSyntax::Hermes,
            false,
        );
        match (built, refused) {
            // A fault in the middle of an answer is right as well.
            (Ok(structure), None) => drop(try_babble(structure.unwrap(), 1, 0.0)),
            (Err(error), Some(says)) if error.to_string().contains(says) => {}
            (built, _) => panic!("{shown}: {built:?}"),
        }
    }
}

#[test]
fn a_cycle_of_references_is_found_wherever_it_is() {
    let schema = json!({
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/x"}, "b": {"$ref": "#/$defs/tree"}},
        "$defs": {
            "tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
            "x": {"$ref": "#/$defs/y"},
            "y": {"$ref": "#/$defs/z"},
            "z": {"$ref": "#/$defs/y"},
        },
    });
    let error = of_schema(schema.clone());
    let StructureError::Schema { path, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(["/$defs/y", "/$defs/z"].contains(&path.as_str()), "{error}");
    let mut fine = schema;
    fine["$defs"]["z"] = json!({"type": "null"});
    let built = factory().build(
        &Format::JsonSchema(fine),
        &[],
        &ToolChoice::Auto,
        ToolSyntax::Hermes,
        false,
    );
    assert!(built.is_ok(), "{built:?}");
}
