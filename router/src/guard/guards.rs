//! The guards of many techniques.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Guard, Judgement, Policy, Verdict};

/// What is judged on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What can change answers.
    pub technique: String,
    /// The kind of call.
    pub class: String,
    /// Whose calls.
    pub tenant: String,
}

/// One [`Guard`] per key. Kept by the caller as pairs: [`Guards::iter`] and `collect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards<K = Key> {
    guards: BTreeMap<K, Guard>,
}

// === impl Guards ===

impl<K: Ord> Guards<K> {
    /// Takes in one judgement of this key, and says what follows for it.
    pub fn apply(&mut self, key: K, judgement: &Judgement, policy: &Policy) -> Verdict {
        let new = || Guard::new(judgement.fingerprint.clone(), *policy);
        self.guard_or(key, new).apply(judgement, policy)
    }

    /// The guard of a key, at first `new`.
    pub fn guard_or(&mut self, key: K, new: impl FnOnce() -> Guard) -> &mut Guard {
        self.guards.entry(key).or_insert_with(new)
    }

    /// Whether answers of this version may be served. What was never judged may not.
    pub fn serves(&self, key: &K, fingerprint: &str, policy: &Policy) -> bool {
        self.get(key)
            .is_some_and(|guard| guard.serves(fingerprint, policy))
    }

    /// The guard of a key, if anything was judged.
    pub fn get(&self, key: &K) -> Option<&Guard> {
        self.guards.get(key)
    }

    /// All guards, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Guard)> {
        self.guards.iter()
    }
}

impl<K> Default for Guards<K> {
    fn default() -> Self {
        Self {
            guards: BTreeMap::new(),
        }
    }
}

impl<K: Ord> FromIterator<(K, Guard)> for Guards<K> {
    fn from_iter<I: IntoIterator<Item = (K, Guard)>>(guards: I) -> Self {
        Self {
            guards: guards.into_iter().collect(),
        }
    }
}
