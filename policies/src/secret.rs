//! Secrets come from the environment and from nowhere else.

use secrecy::SecretString;

/// Where named secrets are looked up; the process environment, or a map in tests.
pub trait Environment {
    /// The value of `name`, if it is set and not empty.
    fn secret(&self, name: &str) -> Option<SecretString>;
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
}

#[cfg(test)]
impl<const N: usize> Environment for [(&str, &str); N] {
    fn secret(&self, name: &str) -> Option<SecretString> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| SecretString::from(*value))
    }
}
