//! What passes between the two connections, and what belongs to one of them.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Meant for one connection, by RFC 9110 §7.6.1; also what `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Written anew by the client library for the connection to the provider.
const FRAMING: [HeaderName; 4] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::TRAILER,
];

/// Where clients of the two APIs put their keys.
pub(crate) const CREDENTIALS: [HeaderName; 3] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
];

/// Ours, in either direction: a client's controls are not the provider's business, and a provider must not speak in our name.
const OWN_PREFIX: &str = "x-skinflint-";

/// Removes from a client's request headers what must not reach the provider.
pub(crate) fn strip_request(headers: &mut HeaderMap, keep_credentials: bool) {
    strip_hop_by_hop(headers);
    for name in &FRAMING {
        headers.remove(name);
    }
    if !keep_credentials {
        for name in &CREDENTIALS {
            headers.remove(name);
        }
    }
    // The body was decoded on arrival; a page's origin and cookies were for us.
    for name in [
        header::CONTENT_ENCODING,
        header::COOKIE,
        header::ORIGIN,
        header::REFERER,
    ] {
        headers.remove(name);
    }
    // Usage and the end of a stream are read from the bytes as they pass: they must come uncompressed.
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    strip_own(headers);
}

/// Removes from a provider's response headers what must not reach the client.
pub fn relay_response_headers(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    // The gateway's own server frames the body and knows its length.
    headers.remove(header::TRAILER);
    // A provider's cookies and alternative addresses would lead clients around the gateway.
    headers.remove(header::SET_COOKIE);
    headers.remove(header::ALT_SVC);
    strip_own(headers);
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn strip_own(headers: &mut HeaderMap) {
    let own: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(OWN_PREFIX))
        .cloned()
        .collect();
    for name in own {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_request_keeps_the_providers_headers_and_loses_ours() {
        let mut headers = map(&[
            ("anthropic-beta", "a,b"),
            ("anthropic-version", "2023-06-01"),
            ("authorization", "Bearer x"),
            ("connection", "close, x-per-hop"),
            ("content-length", "3"),
            ("content-type", "application/json"),
            ("host", "localhost"),
            ("te", "trailers"),
            ("user-agent", "sdk/1"),
            ("x-api-key", "y"),
            ("x-per-hop", "1"),
            ("x-skinflint-key", "z"),
            ("x-stainless-lang", "python"),
        ]);
        strip_request(&mut headers, false);
        assert_eq!(
            names(&headers),
            [
                "accept-encoding",
                "anthropic-beta",
                "anthropic-version",
                "content-type",
                "user-agent",
                "x-stainless-lang"
            ]
        );
    }

    #[test]
    fn credentials_stay_only_when_they_are_meant_to() {
        let mut headers = map(&[("authorization", "Bearer x"), ("x-skinflint-key", "z")]);
        strip_request(&mut headers, true);
        assert_eq!(names(&headers), ["accept-encoding", "authorization"]);
    }

    #[test]
    fn a_response_keeps_rate_limits_and_request_ids() {
        let mut headers = map(&[
            ("anthropic-ratelimit-unified-status", "allowed"),
            ("connection", "keep-alive"),
            ("content-type", "text/event-stream"),
            ("request-id", "req_1"),
            ("set-cookie", "a=b"),
            ("transfer-encoding", "chunked"),
            ("x-ratelimit-remaining-tokens", "3"),
            ("x-should-retry", "true"),
            ("x-skinflint-cost-usd", "0"),
        ]);
        relay_response_headers(&mut headers);
        assert_eq!(
            names(&headers),
            [
                "anthropic-ratelimit-unified-status",
                "content-type",
                "request-id",
                "x-ratelimit-remaining-tokens",
                "x-should-retry"
            ]
        );
    }
}
