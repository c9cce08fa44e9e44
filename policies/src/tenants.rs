//! All tenants, and which of them a caller is.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    file::{FileError, Invalid, fault},
    key::{KeyHash, KeyId},
    tenant::{PolicyFile, Tenant, TenantId},
};

/// All tenants, looked up by key.
#[derive(Debug)]
pub struct Tenants {
    all: BTreeMap<TenantId, Arc<Tenant>>,
    by_key: HashMap<KeyId, (KeyHash, Arc<Tenant>)>,
    /// Who calls without a key; nobody may once a tenant is described, unless that tenant says so.
    keyless: Option<Arc<Tenant>>,
    described: bool,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// The key that was presented; none for a caller without one.
    pub key: Option<KeyId>,
}

/// The presented key is malformed, revoked, or was never issued; which of these is not told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key")]
pub struct UnknownKey(());

// === impl Tenants ===

impl Tenants {
    /// Reads every `*.toml` of a folder.
    ///
    /// Two files that name the same tenant or the same key id, or that both say `keyless`, are an error: neither could be told to win.
    pub fn load(folder: &Path) -> Result<Self, FileError> {
        Self::of(&PolicyFile::load_all(folder)?)
    }

    /// The tenants of these files, checked against one another.
    pub(crate) fn of(files: &[PolicyFile]) -> Result<Self, FileError> {
        if files.is_empty() {
            return Ok(Self::none());
        }
        let mut tenants = Self {
            all: BTreeMap::new(),
            by_key: HashMap::new(),
            keyless: None,
            described: true,
        };
        let mut seen: HashMap<TenantId, PathBuf> = HashMap::new();
        for file in files {
            let id = &file.tenant.id;
            if let Some(other) = seen.insert(id.clone(), file.path.clone()) {
                let other = other.display();
                let message = format!("tenant `{id}` is already described by {other}");
                return Err(fault(&file.path, Invalid::new("tenant.id", message)));
            }
            tenants
                .add(file)
                .map_err(|invalid| fault(&file.path, invalid.under("tenant")))?;
        }
        Ok(tenants)
    }

    fn add(&mut self, file: &PolicyFile) -> Result<(), Invalid> {
        let tenant = &file.tenant;
        for (index, key) in file.keys.iter().enumerate() {
            let taken = self
                .by_key
                .insert(key.id.clone(), (key.hash, tenant.clone()));
            if let Some((_, holder)) = taken {
                let message = format!("key id `{}` is already used by `{}`", key.id, holder.id);
                return Err(Invalid::new(format!("keys[{index}].id"), message));
            }
        }
        if file.keyless
            && let Some(other) = self.keyless.replace(tenant.clone())
        {
            let message = format!("callers without a key are already tenant `{}`", other.id);
            return Err(Invalid::new("keyless", message));
        }
        self.all.insert(tenant.id.clone(), tenant.clone());
        Ok(())
    }

    /// No tenant file: every caller is the tenant `default`, and may bring its own provider key.
    pub fn none() -> Self {
        let everybody = Arc::new(Tenant::of_everybody());
        Self {
            all: BTreeMap::from([(everybody.id.clone(), everybody.clone())]),
            by_key: HashMap::new(),
            keyless: Some(everybody),
            described: false,
        }
    }

    /// The tenant of callers without a key: the one that says so, or everybody's while no tenant is described.
    pub fn keyless(&self) -> Option<&Arc<Tenant>> {
        self.keyless.as_ref()
    }

    /// Whether there is a tenant file.
    pub fn are_described(&self) -> bool {
        self.described
    }

    /// The tenants, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.all.values()
    }

    /// The tenant of this name.
    pub fn get(&self, id: &TenantId) -> Option<&Arc<Tenant>> {
        self.all.get(id)
    }

    /// Whose key this is: looked up by the public id, compared in constant time.
    pub fn authenticate(&self, presented: &str) -> Result<Identity, UnknownKey> {
        let unknown = || UnknownKey(());
        let id = KeyId::of(presented).ok_or_else(unknown)?;
        let (hash, tenant) = self.by_key.get(&id).ok_or_else(unknown)?;
        if hash.matches(presented) {
            Ok(Identity {
                tenant: tenant.clone(),
                key: Some(id),
            })
        } else {
            Err(unknown())
        }
    }
}

#[cfg(test)]
mod tests;
