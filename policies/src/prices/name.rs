//! The names of providers and models.

use std::borrow::Cow;

/// Other names of providers, as prefixes of model names and as names of upstreams.
const SYNONYMS: [(&str, &str); 19] = [
    ("alibaba", "qwen"),
    ("claude", "anthropic"),
    ("cohere_chat", "cohere"),
    ("dashscope", "qwen"),
    ("fireworks-ai", "fireworks"),
    ("fireworks_ai", "fireworks"),
    ("gemini", "google"),
    // Google's API names its models `models/gemini-2.5-pro`.
    ("models", "google"),
    ("meta_llama", "meta"),
    ("mistralai", "mistral"),
    ("moonshotai", "moonshot"),
    ("together-ai", "together"),
    ("together_ai", "together"),
    ("togetherai", "together"),
    ("x-ai", "xai"),
    ("x.ai", "xai"),
    ("z-ai", "zai"),
    ("z.ai", "zai"),
    ("zhipu", "zai"),
];

/// The hosts that providers answer on, each with everything below it.
const HOSTS: [(&str, &str); 20] = [
    ("api.openai.com", "openai"),
    ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "google"),
    ("api.mistral.ai", "mistral"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "xai"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("dashscope-intl.aliyuncs.com", "qwen"),
    ("dashscope.aliyuncs.com", "qwen"),
    ("api.llama.com", "meta"),
    ("api.moonshot.ai", "moonshot"),
    ("api.z.ai", "zai"),
    ("api.minimax.io", "minimax"),
    ("api.groq.com", "groq"),
    ("api.cerebras.ai", "cerebras"),
    ("api.sambanova.ai", "sambanova"),
    ("api.together.xyz", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("api.deepinfra.com", "deepinfra"),
];

/// The provider of the shipped table that answers on a host; `None` for any other host.
pub fn provider_of_host(host: &str) -> Option<&'static str> {
    HOSTS.iter().find_map(|(known, provider)| {
        let (rest, end) = host.split_at_checked(host.len().checked_sub(known.len())?)?;
        let whole = rest.is_empty() || rest.ends_with('.');
        (whole && end.eq_ignore_ascii_case(known)).then_some(*provider)
    })
}

/// The one name of a provider that goes by several.
pub(super) fn canonical_provider(name: &str) -> Cow<'_, str> {
    let name = lowercase(name);
    match SYNONYMS.iter().find(|(synonym, _)| *synonym == name) {
        Some((_, provider)) => Cow::Borrowed(*provider),
        None => name,
    }
}

pub(super) fn lowercase(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// The name without the date of its snapshot: `-2025-08-07`, `-20250929` or `@20250929`.
pub(super) fn undated(model: &str) -> Option<&str> {
    let dashed = || {
        let (base, date) = cut(model, 11)?;
        let [b'-', year @ .., b'-', m1, m2, b'-', d1, d2] = date else {
            return None;
        };
        is_date(year, [*m1, *m2], [*d1, *d2]).then_some(base)
    };
    let compact = || {
        let (base, date) = cut(model, 9)?;
        let [b'-' | b'@', year @ .., m1, m2, d1, d2] = date else {
            return None;
        };
        is_date(year, [*m1, *m2], [*d1, *d2]).then_some(base)
    };
    dashed().or_else(compact).filter(|base| !base.is_empty())
}

fn cut(model: &str, length: usize) -> Option<(&str, &[u8])> {
    let (base, date) = model.split_at_checked(model.len().checked_sub(length)?)?;
    Some((base, date.as_bytes()))
}

fn is_date(year: &[u8], month: [u8; 2], day: [u8; 2]) -> bool {
    let number = |digits: &[u8]| {
        std::str::from_utf8(digits)
            .ok()
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse::<u32>().ok())
    };
    number(year).is_some_and(|year| (2020..2100).contains(&year))
        && number(&month).is_some_and(|month| (1..=12).contains(&month))
        && number(&day).is_some_and(|day| (1..=31).contains(&day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_at_the_end_is_cut_off() {
        for (model, expected) in [
            ("gpt-5-2025-08-07", Some("gpt-5")),
            ("claude-sonnet-4-5-20250929", Some("claude-sonnet-4-5")),
            ("claude-sonnet-4-5@20250929", Some("claude-sonnet-4-5")),
            ("gpt-5-2025-13-07", None),
            ("gpt-5-2025-08-32", None),
            ("gpt-5-1999-08-07", None),
            ("gpt-5-2025-08", None),
            ("model-12345678", None),
            ("-20250929", None),
            ("gpt-5", None),
            ("é-2025-08-07", Some("é")),
            ("éé-025-08-07", None),
            ("", None),
        ] {
            assert_eq!(undated(model), expected, "{model}");
        }
    }

    #[test]
    fn a_host_belongs_to_a_provider_as_a_whole_or_as_a_subdomain() {
        for (host, expected) in [
            ("api.openai.com", Some("openai")),
            ("eu.api.openai.com", Some("openai")),
            ("API.Anthropic.com", Some("anthropic")),
            ("evilapi.openai.com", None),
            ("api.openai.com.example", None),
            ("", None),
        ] {
            assert_eq!(provider_of_host(host), expected, "{host}");
        }
    }
}
