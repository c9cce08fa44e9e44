//! Where a hub may lead.

use std::net::IpAddr;

use http::{StatusCode, header};
use skinflint_policies::ModelHub;
use url::{Host, Origin, Url};

use super::DownloadError;
use crate::guard::is_public;

/// How many are followed.
pub(super) const MOST: usize = 5;

/// The rules for one hub.
#[derive(Debug)]
pub(super) struct Redirects {
    hub: Origin,
    /// Whether the hub itself is asked without TLS.
    plain: bool,
    /// Whether private addresses are meant.
    private_network: bool,
    /// Whether the token may be sent to the hub: not readable by the network in between.
    token: bool,
}

// === impl Redirects ===

impl Redirects {
    pub(super) fn of(hub: &ModelHub) -> Self {
        let plain = hub.endpoint.scheme() == "http";
        Self {
            hub: hub.endpoint.origin(),
            plain,
            private_network: hub.is_named,
            token: !plain || is_loopback(&hub.endpoint),
        }
    }

    /// The address that a redirect leads to, if it is followed.
    pub(super) fn next(&self, from: &Url, location: &str) -> Result<Url, DownloadError> {
        let refused = |to: String, reason| DownloadError::Redirect {
            from: shown(from),
            to,
            reason,
        };
        let Ok(to) = from.join(location) else {
            return Err(refused("no address".to_owned(), "it cannot be read"));
        };
        match to.scheme() {
            "https" => {}
            "http" if self.plain => {}
            _ => return Err(refused(shown(&to), "only HTTPS is")),
        }
        if !self.private_network && address(&to).is_some_and(|ip| !is_public(ip)) {
            return Err(refused(shown(&to), "the address is not public"));
        }
        Ok(to)
    }

    /// Whether the hub's token may be sent there.
    pub(super) fn may_have_token(&self, url: &Url) -> bool {
        self.token && url.origin() == self.hub
    }
}

/// Where an answer leads.
pub(super) fn location(response: &reqwest::Response) -> Option<&str> {
    let leads = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    leads.then_some(location)
}

/// An address without what may be secret in it.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Only a URL without a host has no place for them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(_) => None,
    }
}

fn is_loopback(url: &Url) -> bool {
    match address(url) {
        Some(ip) => ip.is_loopback(),
        None => url.host_str() == Some("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(endpoint: &str, is_named: bool) -> Redirects {
        Redirects::of(&ModelHub {
            endpoint: endpoint.parse().unwrap(),
            is_named,
            token: None,
        })
    }

    fn leads(rules: &Redirects, from: &str, location: &str) -> Result<String, String> {
        let from = from.parse().unwrap();
        let next = rules.next(&from, location);
        next.map(String::from).map_err(|error| error.to_string())
    }

    #[test]
    fn the_public_hub_leads_to_public_https_alone() {
        let rules = rules("https://hub.example", false);
        let from = "https://hub.example/a/b?secret=1";
        for (location, to) in [
            ("https://cdn.example/x?sig=2", "https://cdn.example/x?sig=2"),
            ("/api/cache/x", "https://hub.example/api/cache/x"),
            ("//cdn.example/x", "https://cdn.example/x"),
        ] {
            assert_eq!(leads(&rules, from, location), Ok(to.to_owned()));
        }
        for (location, reason) in [
            (
                "http://cdn.example/x?sig=2",
                "http://cdn.example/x, which is not followed: only HTTPS is",
            ),
            ("file:///etc/passwd", "only HTTPS is"),
            ("https://127.0.0.1/x", "the address is not public"),
            ("https://[::ffff:10.0.0.1]/x", "the address is not public"),
            ("https://169.254.169.254/x", "the address is not public"),
            ("https://", "it cannot be read"),
        ] {
            let error = leads(&rules, from, location).unwrap_err();
            assert!(error.ends_with(reason), "{location}: {error}");
            assert!(
                !error.contains("secret") && !error.contains("sig"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_hub_that_the_operator_named_may_be_on_any_network() {
        let secure = rules("https://10.0.0.1", true);
        assert!(leads(&secure, "https://10.0.0.1/", "https://10.0.0.2/x").is_ok());
        assert!(leads(&secure, "https://10.0.0.1/", "http://10.0.0.2/x").is_err());
        let plain = rules("http://127.0.0.1:1", true);
        assert!(leads(&plain, "http://127.0.0.1:1/", "http://127.0.0.1:2/x").is_ok());
        assert!(leads(&plain, "http://127.0.0.1:1/", "ftp://127.0.0.1:2/x").is_err());
    }

    #[test]
    fn the_token_goes_to_the_hub_alone_and_never_readable() {
        let may = |rules: &Redirects, url: &str| rules.may_have_token(&url.parse().unwrap());
        let hub = rules("https://hub.example/mirror", false);
        assert!(may(&hub, "https://hub.example/a/b"));
        assert!(may(&hub, "https://hub.example:443/a/b"));
        for other in [
            "http://hub.example/a",
            "https://hub.example:8443/a",
            "https://cdn.hub.example/a",
            "https://hub.example.evil/a",
        ] {
            assert!(!may(&hub, other), "{other}");
        }
        assert!(may(
            &rules("http://127.0.0.1:8080", true),
            "http://127.0.0.1:8080/a"
        ));
        assert!(may(
            &rules("http://localhost:8080", true),
            "http://localhost:8080/a"
        ));
        assert!(!may(&rules("http://10.0.0.1", true), "http://10.0.0.1/a"));
    }
}
