//! Where models are fetched from, and with whose leave.

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{file::Invalid, secret::Environment};

/// A model hub: Hugging Face, or another that speaks its API.
#[derive(Debug, Clone)]
pub struct ModelHub {
    /// Its address.
    pub endpoint: Url,
    /// Whether the operator named the address, which then may be on any network.
    pub is_named: bool,
    /// What models can be had with that are not open to all.
    pub token: Option<SecretString>,
}

/// The variables have the names that the tools of Hugging Face give them.
const ENDPOINT: &str = "HF_ENDPOINT";
const TOKEN: &str = "HF_TOKEN";

const HUGGING_FACE: &str = "https://huggingface.co";

// === impl ModelHub ===

impl ModelHub {
    /// The hub that the environment names, or else Hugging Face.
    pub fn of(environment: &impl Environment) -> Result<Self, Invalid> {
        let named = environment.secret(ENDPOINT);
        let text = named
            .as_ref()
            .map_or(HUGGING_FACE, |named| named.expose_secret());
        // The address is shown in messages, so it must hold no secret.
        let sound = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        let endpoint = Url::parse(text).ok().filter(sound).ok_or_else(|| {
            Invalid::new(
                ENDPOINT,
                "the environment variable is no URL such as `https://huggingface.co`, without user, password and query",
            )
        })?;
        let token = environment.secret(TOKEN);
        let sendable = |token: &SecretString| HeaderValue::from_str(token.expose_secret()).is_ok();
        if token.as_ref().is_some_and(|token| !sendable(token)) {
            return Err(Invalid::new(
                TOKEN,
                "the value of the environment variable has characters that no header may have",
            ));
        }
        Ok(Self {
            endpoint,
            is_named: named.is_some(),
            token,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_hub_and_token() {
        let nothing: [(&str, &str); 0] = [];
        let hub = ModelHub::of(&nothing).unwrap();
        assert_eq!(hub.endpoint.as_str(), "https://huggingface.co/");
        assert!(!hub.is_named && hub.token.is_none());
        let hub = ModelHub::of(&[
            ("HF_ENDPOINT", "http://127.0.0.1:8080/mirror"),
            ("HF_TOKEN", "hf_canary"),
        ])
        .unwrap();
        assert_eq!(hub.endpoint.as_str(), "http://127.0.0.1:8080/mirror");
        assert!(hub.is_named && hub.token.is_some());
        assert!(!format!("{hub:?}").contains("canary"));
    }

    #[test]
    fn an_address_that_cannot_be_used_or_shown_is_refused_unseen() {
        for text in [
            "huggingface.co",
            "file:///models",
            "https://user:canary@hub.example",
            "https://hub.example?token=canary",
        ] {
            let invalid = ModelHub::of(&[("HF_ENDPOINT", text)]).unwrap_err();
            assert_eq!(invalid.field, "HF_ENDPOINT");
            assert!(!invalid.message.contains("canary"), "{}", invalid.message);
        }
        let invalid = ModelHub::of(&[("HF_TOKEN", "canary\n")]).unwrap_err();
        assert_eq!(invalid.field, "HF_TOKEN");
    }
}
