//! Secrets come from the environment and from nowhere else.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::file::Invalid;

/// Where named secrets are looked up; the process environment, or a map in tests.
pub trait Environment {
    /// The value of `name`, if it is set and not empty.
    fn secret(&self, name: &str) -> Option<SecretString>;

    /// The name of this machine, if it has one.
    fn host_name(&self) -> Option<String> {
        None
    }
}

/// The environment of this process.
#[derive(Debug, Clone, Copy)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where secrets are read from the environment"
    )]
    fn secret(&self, name: &str) -> Option<SecretString> {
        std::env::var(name)
            .ok()
            .filter(|value| !value.is_empty())
            .map(SecretString::from)
    }

    fn host_name(&self) -> Option<String> {
        nix::unistd::gethostname().ok()?.into_string().ok()
    }
}

/// The secret in the environment variable `name`, which `field` gives.
pub(crate) fn named(
    field: &str,
    name: &str,
    environment: &impl Environment,
) -> Result<SecretString, Invalid> {
    environment.secret(name).ok_or_else(|| {
        Invalid::new(
            field,
            format!("the environment variable `{name}` is not set"),
        )
    })
}

/// The URL in the environment variable `name`; a secret, for it may hold a password. It has a host and one of the schemes.
pub(crate) fn named_url(
    field: &str,
    name: &str,
    schemes: &[&str],
    environment: &impl Environment,
) -> Result<SecretString, Invalid> {
    let secret = named(field, name, environment)?;
    let sound = Url::parse(secret.expose_secret())
        .is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host());
    if sound {
        return Ok(secret);
    }
    let schemes: Vec<String> = schemes
        .iter()
        .map(|scheme| format!("`{scheme}://`"))
        .collect();
    Err(Invalid::new(
        field,
        format!(
            "the value of the environment variable `{name}` is no URL that begins with {}",
            schemes.join(" or ")
        ),
    ))
}

#[cfg(test)]
impl<const N: usize> Environment for [(&str, &str); N] {
    fn secret(&self, name: &str) -> Option<SecretString> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| SecretString::from(*value))
    }
}
