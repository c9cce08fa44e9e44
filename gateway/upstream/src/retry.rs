//! When a request may be sent a second time.

use std::time::Duration;

use http::{HeaderMap, Response, StatusCode, header};

use crate::{body::ProviderBody, error::SendError};

/// The longest wait that a client does not notice as a hang; what asks for more is the client's own decision.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// Before trying again when the provider does not say: overload passes in moments or not at all.
const DEFAULT_WAIT: Duration = Duration::from_millis(250);
/// Anthropic's "overloaded".
const OVERLOADED: u16 = 529;

/// How long to wait before a request is sent once more; `None` if that could bill it twice, or would not help.
pub fn wait_before_retry(sent: &Result<Response<ProviderBody>, SendError>) -> Option<Duration> {
    match sent {
        Ok(response) => after_answer(response.status(), response.headers()),
        Err(error) => after_error(error),
    }
}

fn after_error(error: &SendError) -> Option<Duration> {
    error.nothing_accepted().then_some(DEFAULT_WAIT)
}

fn after_answer(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let declined = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) || status.as_u16() == OVERLOADED;
    let final_word = headers
        .get("x-should-retry")
        .is_some_and(|value| value == "false");
    if !declined || final_word {
        return None;
    }
    let wait = match headers.get(header::RETRY_AFTER) {
        // An HTTP date or anything else unreadable is a longer wait than ours.
        Some(value) => Duration::from_secs_f64(value.to_str().ok()?.parse::<u32>().ok()?.into()),
        None => DEFAULT_WAIT,
    };
    (wait <= MAX_WAIT).then_some(wait)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wait(status: u16, headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        after_answer(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn only_a_refusal_with_a_short_wait_is_tried_again() {
        for status in [429, 503, 529] {
            assert_eq!(wait(status, &[]), Some(DEFAULT_WAIT));
            assert_eq!(wait(status, &[("retry-after", "0")]), Some(Duration::ZERO));
            assert_eq!(wait(status, &[("retry-after", "2")]), Some(MAX_WAIT));
            assert_eq!(wait(status, &[("retry-after", "3")]), None);
            let date = "Wed, 21 Oct 2026 07:28:00 GMT";
            assert_eq!(wait(status, &[("retry-after", date)]), None);
            assert_eq!(wait(status, &[("x-should-retry", "false")]), None);
        }
    }

    #[test]
    fn what_may_have_been_billed_is_not_tried_again() {
        for status in [200, 400, 401, 404, 408, 409, 500, 502, 504] {
            assert_eq!(wait(status, &[("retry-after", "0")]), None, "{status}");
        }
        assert_eq!(after_error(&SendError::FirstByte(Duration::ZERO)), None);
    }
}
