//! Lists of models.

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

/// A Unix time as RFC 3339 in UTC.
///
/// Years are counted from March, so that the leap day comes last, in eras of 400 years
/// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn rfc3339(unix: u64) -> String {
    const DAY: u64 = 24 * 60 * 60;
    const ERA_DAYS: u64 = 146_097;
    let (days, seconds) = (unix / DAY + 719_468, unix % DAY);
    let day_of_era = days % ERA_DAYS;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = days / ERA_DAYS * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn dates_are_right_around_leap_days_and_centuries() {
        for (unix, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(unix), date);
        }
    }
}
