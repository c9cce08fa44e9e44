use super::*;

fn id(provider: Option<&str>, model: &str) -> String {
    Encoding::of(provider, model).id().to_owned()
}

#[test]
fn openai_models_are_known_by_name() {
    for (model, encoding) in [
        ("gpt-4o", "o200k"),
        ("gpt-4o-mini-2024-07-18", "o200k"),
        ("gpt-4.1-nano", "o200k"),
        ("gpt-5", "o200k"),
        ("gpt-5.2-codex", "o200k"),
        ("o1", "o200k"),
        ("o3-mini", "o200k"),
        ("o4-mini", "o200k"),
        ("openai/gpt-4o:extended", "o200k"),
        ("ft:gpt-4o-2024-08-06:acme::abc", "o200k"),
        ("gpt-4", "cl100k"),
        ("gpt-4-turbo-2024-04-09", "cl100k"),
        ("gpt-3.5-turbo", "cl100k"),
        ("gpt-35-turbo", "cl100k"),
        ("text-embedding-3-small", "cl100k"),
        ("text-embedding-ada-002", "cl100k"),
    ] {
        assert_eq!(id(Some("openai"), model), encoding, "{model}");
        assert_eq!(id(None, model), encoding, "{model}");
    }
}

#[test]
fn claudes_are_known_by_name_or_provider() {
    for (provider, model) in [
        (None, "claude-sonnet-4-5"),
        (Some("openrouter"), "anthropic/claude-opus-4.7"),
        (Some("bedrock"), "us.anthropic.claude-haiku-4-5-v1:0"),
        (Some("anthropic"), "gpt-4o"),
    ] {
        assert_eq!(id(provider, model), "claude", "{model}");
    }
}

#[test]
fn what_is_not_known_is_bounded() {
    for model in [
        "gemini-2.5-pro",
        "mistral-large-latest",
        "deepseek-chat",
        "grok-4",
        "gpt-oss-120b",
        "gpt-9",
        "davinci",
        "",
        "/",
        "ft:",
    ] {
        assert_eq!(id(None, model), "bounded", "{model}");
    }
}

#[test]
fn an_encoding_is_ready_once_it_is_loaded() {
    for encoding in [
        Encoding::O200k,
        Encoding::Cl100k,
        Encoding::Claude,
        Encoding::Bounded,
    ] {
        encoding.load();
        assert!(encoding.is_ready(), "{encoding:?}");
    }
}
