//! The providers that calls may go to.

mod disconnect;

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderValue;
use secrecy::SecretString;
use serde::Deserialize;
use url::{Host, Url};

pub use self::disconnect::{DrainCaps, OnDisconnect};
use crate::{
    file::Invalid,
    name,
    prices::provider_of_host,
    secret::{self, Environment},
};

/// One provider origin.
#[derive(Debug)]
pub struct Upstream {
    /// The name by which models refer to it.
    pub name: String,
    /// The wire format that it speaks.
    pub protocol: UpstreamProtocol,
    /// Origin and path prefix, without the `/v1` that request paths begin with.
    pub base_url: Url,
    /// The provider key that replaces the client's; none if clients bring their own or none is needed.
    pub api_key: Option<SecretString>,
    /// Whether its host name may resolve to a private address.
    pub private_network: bool,
    /// Paths beyond the viewed endpoints that are passed through as they are; each ends a path segment.
    pub passthrough: Vec<String>,
    /// Whose prices its calls have: the provider that the configuration or else the host names, or the upstream's own name.
    pub provider: String,
    /// Whether chat streams are asked for usage on behalf of clients that do not ask.
    pub ask_usage: bool,
    /// What becomes of its answer when the client is gone.
    pub on_disconnect: OnDisconnect,
}

/// Which API an upstream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamProtocol {
    /// Chat completions, responses, embeddings.
    OpenAi,
    /// Messages.
    Anthropic,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    name: String,
    protocol: UpstreamProtocol,
    base_url: String,
    api_key_env: Option<String>,
    #[serde(default)]
    private_network: bool,
    #[serde(default)]
    passthrough: Vec<String>,
    provider: Option<String>,
    #[serde(default = "yes")]
    ask_usage: bool,
    #[serde(default)]
    on_disconnect: disconnect::Raw,
}

fn yes() -> bool {
    true
}

/// What `upstream = "local"` means in the model table.
pub(super) const LOCAL: &str = "local";

pub(super) fn validate(
    raw: Vec<Raw>,
    environment: &impl Environment,
) -> Result<Vec<Upstream>, Invalid> {
    let mut upstreams: Vec<Upstream> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let upstream = Upstream::validate(raw, environment)
            .and_then(|upstream| {
                if upstreams.iter().any(|other| other.name == upstream.name) {
                    let message = format!("an upstream named `{}` already exists", upstream.name);
                    return Err(Invalid::new("name", message));
                }
                Ok(upstream)
            })
            .map_err(|invalid| invalid.under(format_args!("upstream[{index}]")))?;
        upstreams.push(upstream);
    }
    Ok(upstreams)
}

// === impl Upstream ===

impl Upstream {
    fn validate(raw: Raw, environment: &impl Environment) -> Result<Self, Invalid> {
        let sound = !raw.name.is_empty()
            && raw
                .name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !sound {
            return Err(Invalid::new(
                "name",
                "expected ASCII letters, digits, `-`, `_` or `.`",
            ));
        }
        if raw.name == LOCAL {
            return Err(Invalid::new(
                "name",
                "`local` is the model in this process; choose another name",
            ));
        }
        for (index, path) in raw.passthrough.iter().enumerate() {
            if !path.starts_with('/') || path.ends_with('/') || path.contains(['?', '*', '%']) {
                return Err(Invalid::new(
                    format!("passthrough[{index}]"),
                    "expected a path such as \"/v1/files\", which covers everything below it",
                ));
            }
        }
        let base_url = base_url(&raw.base_url, raw.private_network)?;
        let provider = match raw.provider {
            Some(provider) if name::is_one(&provider) => provider,
            Some(_) => return Err(Invalid::new("provider", name::EXPECTED)),
            None => base_url
                .host_str()
                .and_then(provider_of_host)
                .unwrap_or(&raw.name)
                .to_owned(),
        };
        Ok(Self {
            base_url,
            provider,
            ask_usage: raw.ask_usage,
            on_disconnect: OnDisconnect::validate(raw.on_disconnect)
                .map_err(|invalid| invalid.under("on_disconnect"))?,
            api_key: api_key(raw.api_key_env, environment)?,
            name: raw.name,
            protocol: raw.protocol,
            private_network: raw.private_network,
            passthrough: raw.passthrough,
        })
    }

    /// Whether `path` is one that the configuration lets through to this upstream unviewed.
    ///
    /// A path with dot segments is never: it would name another place once it is resolved.
    pub fn passes(&self, path: &str) -> bool {
        let climbs = path.split('/').any(|segment| {
            matches!(
                segment.to_ascii_lowercase().replace("%2e", ".").as_str(),
                "." | ".."
            )
        });
        !climbs
            && self.passthrough.iter().any(|prefix| {
                path.strip_prefix(prefix.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    }
}

fn base_url(text: &str, private_network: bool) -> Result<Url, Invalid> {
    let wrong = |message: &str| Invalid::new("base_url", message);
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| wrong("expected a URL such as \"https://api.openai.com\""))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "expected no user name or password; use `api_key_env`",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("expected no query and no fragment"));
    }
    if url.path().trim_end_matches('/').ends_with("/v1") {
        return Err(wrong(
            "expected the URL without its `/v1`, which request paths begin with",
        ));
    }
    let forbidden = address(&url).filter(|address| !may_be_written_out(*address));
    if let Some(address) = forbidden
        && !private_network
    {
        return Err(wrong(&format!(
            "{address} is a link-local or metadata address; set `private_network = true` if it is meant"
        )));
    }
    Ok(url)
}

fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(_) => None,
    }
}

/// Whether an address written out in the configuration may be dialled: all but link-local, where clouds keep their metadata services.
fn may_be_written_out(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_unspecified() && ip != AWS_METADATA,
    }
}

/// The metadata service of EC2 over IPv6.
const AWS_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn api_key(
    name: Option<String>,
    environment: &impl Environment,
) -> Result<Option<SecretString>, Invalid> {
    let Some(name) = name else { return Ok(None) };
    let key = secret::named("api_key_env", &name, environment)?;
    // Checked here, so that a stray newline in a secret shows at start and not as an error on each call.
    let sendable = HeaderValue::from_str(secrecy::ExposeSecret::expose_secret(&key)).is_ok();
    if sendable {
        Ok(Some(key))
    } else {
        Err(Invalid::new(
            "api_key_env",
            format!("the value of the environment variable `{name}` cannot be sent as a header"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_may_be_written_out_but_metadata_may_not() {
        for address in ["127.0.0.1", "10.1.2.3", "::1", "8.8.8.8"] {
            assert!(may_be_written_out(address.parse().unwrap()), "{address}");
        }
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "0.0.0.0",
        ] {
            assert!(!may_be_written_out(address.parse().unwrap()), "{address}");
        }
    }
}
