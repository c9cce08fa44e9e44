//! Virtual keys: what a client of the gateway authenticates with.
//!
//! A key reads `sk-skf-<id>-<secret>`. The id is public: it names the record to look up. The secret is 256 random bits.
//! Only the SHA-256 of the whole key is ever stored; a fast hash is enough because the secret is random, not chosen.

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const PREFIX: &str = "sk-skf-";
const HASH_PREFIX: &str = "sha256:";
/// Public part: 60 bits, so that ids of one installation do not collide.
const ID_LEN: usize = 12;
/// Secret part: 52 characters of 5 bits, 260 bits.
const SECRET_LEN: usize = 52;
/// 32 characters without those that are misread for one another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A freshly made key; shown once, never stored.
#[derive(Debug)]
pub struct VirtualKey {
    /// The public part.
    pub id: KeyId,
    /// The whole key, as a client sends it.
    pub text: SecretString,
}

/// The public part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Arc<str>);

/// SHA-256 of a whole key. It is not a credential: presenting it does not authenticate.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

/// Why a text is no key or no hash of one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A key id has other characters than ASCII letters and digits, or none.
    #[error("a key id is made of ASCII letters and digits")]
    Id,
    /// Not `sha256:` and 64 hexadecimal digits.
    #[error("expected `sha256:` and 64 hexadecimal digits")]
    Hash,
    /// A whole key stands where its hash belongs.
    #[error(
        "this is a key in clear text: revoke it, and store the hash that `skinflint keys new` writes"
    )]
    ClearText,
    /// The system gave no random bytes.
    #[error("no random bytes to be had: {0}")]
    Random(getrandom::Error),
}

// === impl VirtualKey ===

impl VirtualKey {
    /// Makes a key from the system's random source.
    pub fn generate() -> Result<Self, KeyError> {
        let id = random_text(ID_LEN)?;
        let secret = random_text(SECRET_LEN)?;
        Ok(Self {
            text: SecretString::from(format!("{PREFIX}{id}-{secret}")),
            id: KeyId(id.into()),
        })
    }

    /// What a policy file stores of the key.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(self.text.expose_secret())
    }

    /// Whether a credential has the look of one of our keys, so that a provider's own key is told apart.
    pub fn is_one(presented: &str) -> bool {
        presented.starts_with(PREFIX)
    }
}

fn random_text(len: usize) -> Result<String, KeyError> {
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect())
}

// === impl KeyId ===

impl KeyId {
    /// Reads an id as a policy file or a command line gives it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        sound.then(|| Self(text.into())).ok_or(KeyError::Id)
    }

    /// The id within a presented key; `None` if it is not one of ours.
    pub fn of(presented: &str) -> Option<Self> {
        let (id, secret) = presented.strip_prefix(PREFIX)?.split_once('-')?;
        if secret.is_empty() {
            return None;
        }
        Self::parse(id).ok()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl KeyHash ===

impl KeyHash {
    /// The hash of a whole key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Reads `sha256:<64 hex digits>`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if VirtualKey::is_one(text) {
            return Err(KeyError::ClearText);
        }
        let hex = text.strip_prefix(HASH_PREFIX).ok_or(KeyError::Hash)?;
        if hex.len() != 64 {
            return Err(KeyError::Hash);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Ok(Self(bytes))
    }

    /// Compares in constant time.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.ct_eq(&Self::of(presented).0).into()
    }
}

fn hex_digit(digit: u8) -> Result<u8, KeyError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(KeyError::Hash),
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HASH_PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    /// Not even the hash is printed: it names the key to whoever can read a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_carries_its_id_and_matches_its_stored_hash() {
        let key = VirtualKey::generate().unwrap();
        let text = key.text.expose_secret();
        assert_eq!(KeyId::of(text), Some(key.id.clone()));
        let stored = KeyHash::parse(&key.hash().to_string()).unwrap();
        assert!(stored.matches(text));
        assert!(!stored.matches(&text[..text.len() - 1]));
        assert!(!stored.matches(&stored.to_string()), "the hash is no key");
    }

    #[test]
    fn a_key_in_clear_text_is_refused_as_a_hash() {
        assert_eq!(
            KeyHash::parse("sk-skf-abc-def").unwrap_err(),
            KeyError::ClearText
        );
        assert_eq!(KeyHash::parse("sha256:12").unwrap_err(), KeyError::Hash);
        assert_eq!(
            KeyHash::parse(&format!("sha256:{}", "zz".repeat(32))).unwrap_err(),
            KeyError::Hash
        );
    }

    #[test]
    fn other_credentials_have_no_id() {
        for text in [
            "",
            "sk-ant-api03-x",
            "sk-skf-",
            "sk-skf-ab",
            "sk-skf-ab-",
            "sk-skf--x",
        ] {
            assert_eq!(KeyId::of(text), None, "{text}");
        }
    }
}
