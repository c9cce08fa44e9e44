//! Whether a request without a key comes from this machine, and from a program on it rather than from a page in its browser.
//!
//! A page can send requests to this machine, under a name of its own by DNS rebinding; the request's headers give it away.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Uri, header, uri::Authority};

use crate::error::AccessError;

/// Refuses a request whose target, `Host` or `Origin` names another machine.
pub(crate) fn refuse_others(uri: &Uri, headers: &HeaderMap) -> Result<(), AccessError> {
    let host = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => text(headers, header::HOST),
    };
    if !host.is_some_and(is_this_machine) {
        return Err(AccessError::Foreign {
            header: "host",
            value: host.unwrap_or_default().to_owned(),
        });
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let host = origin.split_once("://").map(|(_, host)| host);
        if !host.is_some_and(is_this_machine) {
            return Err(AccessError::Foreign {
                header: "origin",
                value: origin.to_owned(),
            });
        }
    }
    Ok(())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
