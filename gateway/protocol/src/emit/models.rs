//! Lists of models.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::Serialize;

use crate::endpoint::Dialect;
use crate::json::encode;

/// A model to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// What requests call it.
    pub id: String,
    /// Who serves it.
    pub owned_by: String,
    /// When it was released, in seconds since 1970; 0 when that is not known.
    pub created_unix: u64,
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
    lifecycle: &'static str,
}

/// What `GET /v1/models` answers, all models on one page.
pub fn models_body(dialect: Dialect, models: &[ModelEntry]) -> Bytes {
    let body = match dialect {
        Dialect::OpenAi => encode(&OpenAiList {
            object: "list",
            data: models.iter().map(openai).collect(),
        }),
        Dialect::Anthropic => encode(&AnthropicList {
            data: models.iter().map(anthropic).collect(),
            has_more: false,
            first_id: models.first().map(|model| model.id.as_str()),
            last_id: models.last().map(|model| model.id.as_str()),
        }),
    };
    Bytes::from(body)
}

fn openai(model: &ModelEntry) -> OpenAiModel<'_> {
    OpenAiModel {
        id: &model.id,
        object: "model",
        created: model.created_unix,
        owned_by: &model.owned_by,
    }
}

fn anthropic(model: &ModelEntry) -> AnthropicModel<'_> {
    AnthropicModel {
        r#type: "model",
        id: &model.id,
        display_name: &model.id,
        created_at: rfc3339(model.created_unix),
        lifecycle: "active",
    }
}

/// A Unix time as RFC 3339 in UTC; what lies after the year 9999, which that cannot write, as its end.
fn rfc3339(unix: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(unix.min(LAST));
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn dates_of_all_times_can_be_written() {
        for (unix, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(unix), date);
        }
    }
}
