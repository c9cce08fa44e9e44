//! Tenants and their keys, one TOML file each.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

use crate::{
    file::{FileError, Invalid, Source},
    key::{KeyError, KeyHash, KeyId},
};

/// The name of a tenant: ASCII letters, digits, `-`, `_` and `.`, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

/// One customer of the gateway.
#[derive(Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// What becomes of a provider credential that its clients send along.
    pub client_credentials: ClientCredentials,
}

/// Whether a client's own provider key or OAuth token may be passed on to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCredentials {
    /// Dropped; only the key configured for the upstream is used.
    #[default]
    Never,
    /// Passed on if the upstream has no key of its own.
    WhenUnset,
    /// Passed on whenever the client sends one.
    Always,
}

/// A key as its policy file lists it.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// Its public part.
    pub id: KeyId,
    /// SHA-256 of the whole key.
    pub hash: KeyHash,
}

/// All tenants, looked up by key.
#[derive(Debug)]
pub struct Tenants {
    by_key: HashMap<KeyId, (KeyHash, Arc<Tenant>)>,
    /// Who calls without a key; nobody may once a tenant is described, even if its last key is revoked.
    keyless: Option<Arc<Tenant>>,
}

/// One tenant file, read and checked.
#[derive(Debug)]
pub struct PolicyFile {
    /// Where it stands.
    pub path: PathBuf,
    /// The tenant it describes.
    pub tenant: Arc<Tenant>,
    /// The keys that authenticate as this tenant.
    pub keys: Vec<KeyRecord>,
}

/// The presented key is malformed, revoked, or was never issued; which of these is not told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key")]
pub struct UnknownKey(());

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    tenant: RawTenant,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTenant {
    id: String,
    #[serde(default)]
    keys: Vec<RawKey>,
    #[serde(default)]
    client_credentials: ClientCredentials,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    id: String,
    hash: String,
}

/// Longest tenant name: it becomes a metric label and a file name.
const MAX_ID_LEN: usize = 64;
/// Who calls a gateway that has no keys.
const KEYLESS: &str = "default";

// === impl TenantId ===

impl TenantId {
    /// Reads a tenant's name; `None` if it is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let sound = (1..=MAX_ID_LEN).contains(&text.len())
            && !text.starts_with('.')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        sound.then(|| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Tenants ===

impl Tenants {
    /// Reads every `*.toml` of a folder.
    ///
    /// Two files that name the same tenant, or the same key id, are an error: neither could be told to win.
    pub fn load(folder: &Path) -> Result<Self, FileError> {
        let mut by_key = HashMap::new();
        let mut seen: HashMap<TenantId, PathBuf> = HashMap::new();
        for path in toml_files(folder)? {
            let file = PolicyFile::load(&path)?;
            if let Some(other) = seen.insert(file.tenant.id.clone(), path.clone()) {
                let message = format!(
                    "tenant `{}` is already described by {}",
                    file.tenant.id,
                    other.display()
                );
                return Err(Source::read(&path)?.locate(Invalid::new("tenant.id", message)));
            }
            for (index, key) in file.keys.into_iter().enumerate() {
                let taken = by_key.insert(key.id.clone(), (key.hash, file.tenant.clone()));
                if let Some((_, holder)) = taken {
                    let message = format!("key id `{}` is already used by `{}`", key.id, holder.id);
                    let field = format!("tenant.keys[{index}].id");
                    return Err(Source::read(&path)?.locate(Invalid::new(field, message)));
                }
            }
        }
        if seen.is_empty() {
            return Ok(Self::none());
        }
        Ok(Self {
            by_key,
            keyless: None,
        })
    }

    /// No tenant file: every caller is the tenant `default`, and may bring its own provider key.
    pub fn none() -> Self {
        Self {
            by_key: HashMap::new(),
            keyless: Some(Arc::new(Tenant {
                id: TenantId(KEYLESS.into()),
                client_credentials: ClientCredentials::WhenUnset,
            })),
        }
    }

    /// The tenant of callers without a key, if no tenant is described.
    pub fn keyless(&self) -> Option<&Arc<Tenant>> {
        self.keyless.as_ref()
    }

    /// The tenant whose key this is: looked up by the public id, compared in constant time.
    pub fn authenticate(&self, presented: &str) -> Result<Arc<Tenant>, UnknownKey> {
        let (hash, tenant) = KeyId::of(presented)
            .and_then(|id| self.by_key.get(&id))
            .ok_or(UnknownKey(()))?;
        if hash.matches(presented) {
            Ok(tenant.clone())
        } else {
            Err(UnknownKey(()))
        }
    }
}

/// The folder's `*.toml` files by name, so that errors do not depend on the order of the directory.
fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // In a checkout of Skinflint itself this folder is a crate too.
        let is_manifest = path.file_name().is_some_and(|name| name == "Cargo.toml");
        let is_toml = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        if is_toml && !is_manifest {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

// === impl PolicyFile ===

impl PolicyFile {
    /// Reads and checks one tenant file.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let source = Source::read(path)?;
        let raw: RawFile = source.parse()?;
        let (tenant, keys) =
            validate(&raw.tenant).map_err(|invalid| source.locate(invalid.under("tenant")))?;
        Ok(Self {
            path: path.to_owned(),
            tenant: Arc::new(tenant),
            keys,
        })
    }

    /// Reads every tenant file of a folder, in the order of their names.
    pub fn load_all(folder: &Path) -> Result<Vec<Self>, FileError> {
        toml_files(folder)?
            .iter()
            .map(|path| Self::load(path))
            .collect()
    }
}

fn validate(raw: &RawTenant) -> Result<(Tenant, Vec<KeyRecord>), Invalid> {
    let id = TenantId::parse(&raw.id).ok_or_else(|| {
        Invalid::new(
            "id",
            "expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`, not starting with `.`",
        )
    })?;
    let mut keys: Vec<KeyRecord> = Vec::with_capacity(raw.keys.len());
    for (index, key) in raw.keys.iter().enumerate() {
        let wrong = |field: &str, error: KeyError| {
            Invalid::new(format!("keys[{index}].{field}"), error.to_string())
        };
        keys.push(KeyRecord {
            id: KeyId::parse(&key.id).map_err(|error| wrong("id", error))?,
            hash: KeyHash::parse(&key.hash).map_err(|error| wrong("hash", error))?,
        });
    }
    let tenant = Tenant {
        id,
        client_credentials: raw.client_credentials,
    };
    Ok((tenant, keys))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::key::VirtualKey;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn refusal(files: &[(&str, &str)]) -> String {
        let folder = folder(files);
        let error = Tenants::load(folder.path()).unwrap_err().to_string();
        error.replace(folder.path().to_str().unwrap(), "policies")
    }

    #[test]
    fn a_key_names_its_tenant_and_a_near_miss_names_nobody() {
        let key = VirtualKey::generate().unwrap();
        let text = format!(
            "[tenant]\nid = 'acme'\nkeys = [{{ id = '{}', hash = '{}' }}]\n",
            key.id,
            key.hash()
        );
        let folder = folder(&[("acme.toml", &text)]);
        let tenants = Tenants::load(folder.path()).unwrap();
        let presented = key.text.expose_secret();
        let tenant = tenants.authenticate(presented).unwrap();
        assert_eq!(tenant.id.as_str(), "acme");
        assert_eq!(tenant.client_credentials, ClientCredentials::Never);
        for wrong in [
            &presented[..presented.len() - 1],
            &key.hash().to_string(),
            "",
        ] {
            assert_eq!(tenants.authenticate(wrong), Err(UnknownKey(())), "{wrong}");
        }
    }

    #[test]
    fn errors_name_file_line_and_field() {
        let hash = format!("sha256:{}", "0".repeat(64));
        insta::assert_snapshot!(refusal(&[("a.toml", "[tenant]\nid = 'a b'\n")]), @"policies/a.toml:2: `tenant.id`: expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`, not starting with `.`");
        insta::assert_snapshot!(refusal(&[("a.toml", "[tenant]\nid = 'a'\nbudgets = 3\n")]), @"policies/a.toml:3: `tenant.budgets`: unknown field `budgets`, expected one of `id`, `keys`, `client_credentials`");
        insta::assert_snapshot!(refusal(&[("a.toml", "[tenant]\nid = 'a'\nclient_credentials = 'maybe'\n")]), @"policies/a.toml:3: `tenant.client_credentials`: unknown variant `maybe`, expected one of `never`, `when-unset`, `always`");
        insta::assert_snapshot!(refusal(&[("a.toml", "[tenant]\nid = 'a'\nkeys = [\n  { id = 'k1', hash = 'sk-skf-k1-secret' },\n]\n")]), @"policies/a.toml:4: `tenant.keys[0].hash`: this is a key in clear text: revoke it, and store the hash that `skinflint keys new` writes");
        insta::assert_snapshot!(refusal(&[("a.toml", "[tenant]\nid = 'a'\n"), ("b.toml", "[tenant]\nid = 'a'\n")]), @"policies/b.toml:2: `tenant.id`: tenant `a` is already described by policies/a.toml");
        let key = format!("[[tenant.keys]]\nid = 'k'\nhash = '{hash}'\n");
        insta::assert_snapshot!(refusal(&[("a.toml", &format!("[tenant]\nid = 'a'\n{key}")), ("b.toml", &format!("[tenant]\nid = 'b'\n{key}"))]), @"policies/b.toml:4: `tenant.keys[0].id`: key id `k` is already used by `a`");
    }

    #[test]
    fn a_tenant_without_keys_locks_the_door() {
        let folder = folder(&[("acme.toml", "[tenant]\nid = 'acme'\n")]);
        assert!(Tenants::load(folder.path()).unwrap().keyless().is_none());
    }

    #[test]
    fn what_is_no_tenant_file_is_passed_over() {
        let folder = folder(&[("Cargo.toml", "[package]"), ("notes.txt", "?")]);
        assert!(Tenants::load(folder.path()).unwrap().keyless().is_some());
    }

    #[test]
    fn without_files_everyone_is_the_default_tenant() {
        let tenants = Tenants::none();
        assert_eq!(tenants.keyless().unwrap().id.as_str(), "default");
    }
}
