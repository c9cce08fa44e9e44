//! A configuration that is made of a command's arguments: one local model and nothing else.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
};

use super::{Config, Raw, Source, ledger, listen, local};
use crate::{file::Invalid, secret::Environment};

/// What a server of one local model is told.
#[derive(Debug, Clone)]
pub struct LocalServing {
    /// A name or path as `local.model`; the default one if not given.
    pub model: Option<String>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Threads that compute.
    pub threads: Option<NonZeroUsize>,
    /// As `local.embedder`.
    pub embedder: Option<String>,
}

/// Admin pages: on this machine, at any port that is free.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Config {
    /// One local model, served to this machine without keys: no provider, no ledger, no tenant files.
    pub fn of_local(
        serving: LocalServing,
        environment: &impl Environment,
    ) -> Result<Self, Invalid> {
        if !serving.listen.ip().is_loopback() {
            return Err(Invalid::new(
                "listen",
                "expected an address of this machine such as 127.0.0.1: a public listener needs keys, which `skinflint serve` has",
            ));
        }
        let raw = Raw {
            listen: listen::Raw::at(serving.listen, ADMIN),
            local: local::Raw {
                model: serving.model,
                threads: serving.threads,
                embedder: serving.embedder.map(local::RawEmbedder::Model),
                ..local::Raw::default()
            },
            ledger: ledger::Raw::off(),
            ..Raw::default()
        };
        let mut config = Self::validate(raw, Source::Defaults, environment)?;
        config.listen.health = true;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ledger, Local};

    fn serving(listen: &str) -> Result<Config, Invalid> {
        let serving = LocalServing {
            model: Some("./models/tiny.gguf".to_owned()),
            listen: listen.parse().unwrap(),
            threads: NonZeroUsize::new(3),
            embedder: Some("off".to_owned()),
        };
        let environment: [(&str, &str); 0] = [];
        Config::of_local(serving, &environment)
    }

    #[test]
    fn a_served_model_is_all_there_is() {
        let config = serving("127.0.0.1:4100").unwrap();
        assert!(matches!(config.ledger, Ledger::Off));
        assert!(config.upstreams.is_empty() && config.listen.health);
        let Local::On(settings) = &config.local else {
            panic!("off")
        };
        assert_eq!(settings.names().collect::<Vec<_>>(), ["tiny"]);
        assert!(config.tenants.keyless().is_some());
    }

    #[test]
    fn a_server_without_keys_is_for_this_machine() {
        let refused = serving("0.0.0.0:4100").unwrap_err();
        assert_eq!(refused.field, "listen");
    }
}
