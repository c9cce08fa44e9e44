//! Changes to tenant files that leave everything else in them as it was written, comments included.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use crate::{
    file::FileError,
    key::{KeyId, VirtualKey},
    tenant::{BudgetScope, PolicyFile, TenantId},
};

/// The folder of tenant files, as the command line edits it.
#[derive(Debug)]
pub struct PolicyFolder {
    path: PathBuf,
}

/// Why a tenant file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// A tenant file is already wrong; it is not touched.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No tenant file has the key.
    #[error("no tenant has a key `{0}`")]
    UnknownKey(KeyId),
}

// === impl PolicyFolder ===

impl PolicyFolder {
    /// The folder at `path`, which need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Adds a key's hash to its tenant's file, which is made if there is none; returns the file.
    pub fn add_key(&self, tenant: &TenantId, key: &VirtualKey) -> Result<PathBuf, EditError> {
        let known = self
            .files()?
            .into_iter()
            .find(|file| file.tenant.id == *tenant);
        let path = match known {
            Some(file) => file.path,
            None => self.path.join(format!("{tenant}.toml")),
        };
        let mut document = if path.exists() {
            read(&path)?
        } else {
            // A tenant's name has no character that TOML would have to escape.
            parse(&path, &format!("[tenant]\nid = \"{tenant}\"\n"))?
        };
        let keys = document["tenant"]["keys"].or_insert(value(Array::new()));
        let record = InlineTable::from_iter([
            ("id", Value::from(key.id.as_str())),
            ("hash", Value::from(key.hash().to_string())),
        ]);
        match keys {
            Item::ArrayOfTables(tables) => tables.push(Table::from_iter(record)),
            other => {
                if let Some(array) = other.as_array_mut() {
                    array.push(record);
                }
            }
        }
        write(&path, &document)?;
        Ok(path)
    }

    /// Takes a key out of whichever file has it, with the budgets that were for that key alone; returns the file.
    pub fn revoke_key(&self, id: &KeyId) -> Result<PathBuf, EditError> {
        let file = self
            .files()?
            .into_iter()
            .find(|file| file.keys.iter().any(|key| key.id == *id))
            .ok_or_else(|| EditError::UnknownKey(id.clone()))?;
        let mut document = read(&file.path)?;
        let is_other = |found: Option<&str>| found != Some(id.as_str());
        match &mut document["tenant"]["keys"] {
            Item::ArrayOfTables(tables) => {
                tables.retain(|table| is_other(table.get("id").and_then(Item::as_str)));
            }
            other => {
                if let Some(array) = other.as_array_mut() {
                    array.retain(|record| {
                        let table = record.as_inline_table();
                        is_other(table.and_then(|table| table.get("id")?.as_str()))
                    });
                }
            }
        }
        drop_budgets(&mut document, &BudgetScope::Key(id.clone()).to_string());
        write(&file.path, &document)?;
        Ok(file.path)
    }

    fn files(&self) -> Result<Vec<PolicyFile>, FileError> {
        if self.path.is_dir() {
            PolicyFile::load_all(&self.path)
        } else {
            Ok(Vec::new())
        }
    }
}

/// Takes out the budgets of a scope. One for a key that is gone would make the file wrong, and the gateway would go on with the old one.
fn drop_budgets(document: &mut DocumentMut, scope: &str) {
    let is_other = |found: Option<&str>| found != Some(scope);
    match document.get_mut("budget") {
        Some(Item::ArrayOfTables(tables)) => {
            tables.retain(|table| is_other(table.get("scope").and_then(Item::as_str)));
        }
        Some(other) => {
            if let Some(array) = other.as_array_mut() {
                array.retain(|record| {
                    let table = record.as_inline_table();
                    is_other(table.and_then(|table| table.get("scope")?.as_str()))
                });
            }
        }
        None => {}
    }
}

fn read(path: &Path) -> Result<DocumentMut, EditError> {
    let text = std::fs::read_to_string(path).map_err(|source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        EditError::from(FileError::Wrong {
            path: path.to_owned(),
            line: 1,
            field: String::new(),
            message: error.message().to_owned(),
        })
    })
}

/// Writes a new file beside the old one and puts it in its place, so that a reader never sees half a file.
fn write(path: &Path, document: &DocumentMut) -> Result<(), EditError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let put = || -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(document.to_string().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    put().map_err(|source| EditError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::Tenants;

    fn tenant() -> TenantId {
        TenantId::parse("acme").unwrap()
    }

    #[test]
    fn a_key_authenticates_from_when_it_is_added_until_it_is_revoked() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("policies");
        let folder = PolicyFolder::new(&path);
        let keys = [
            VirtualKey::generate().unwrap(),
            VirtualKey::generate().unwrap(),
        ];
        for key in &keys {
            folder.add_key(&tenant(), key).unwrap();
        }
        let accepted = || {
            let tenants = Tenants::load(&path).unwrap();
            keys.each_ref()
                .map(|key| tenants.authenticate(key.text.expose_secret()).is_ok())
        };
        assert_eq!(accepted(), [true, true]);
        folder.revoke_key(&keys[0].id).unwrap();
        assert_eq!(accepted(), [false, true]);
        let again = folder.revoke_key(&keys[0].id).unwrap_err();
        assert!(matches!(again, EditError::UnknownKey(_)));
    }

    #[test]
    fn what_else_stands_in_a_file_stays() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("customers.toml");
        let before = "# our best customer\n[tenant]\nid = \"acme\" # do not rename\n\n[[tenant.keys]]\nid = \"old\"\nhash = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"\n";
        std::fs::write(&path, before).unwrap();
        let folder = PolicyFolder::new(root.path());
        let key = VirtualKey::generate().unwrap();
        assert_eq!(folder.add_key(&tenant(), &key).unwrap(), path);
        let after = std::fs::read_to_string(&path).unwrap();
        assert!(after.starts_with(before), "{after}");
        assert_eq!(PolicyFile::load(&path).unwrap().keys.len(), 2);
        folder.revoke_key(&key.id).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    }

    #[test]
    fn the_budgets_of_a_key_go_with_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = PolicyFolder::new(root.path());
        let key = VirtualKey::generate().unwrap();
        let path = folder.add_key(&tenant(), &key).unwrap();
        let budget = |scope: &str| {
            format!("[[budget]]\nscope = \"{scope}\"\nwindow = \"day\"\nlimit_usd = 1\n")
        };
        let text = std::fs::read_to_string(&path).unwrap();
        let of_key = budget(&format!("key:{}", key.id));
        std::fs::write(&path, format!("{text}{of_key}{}", budget("key"))).unwrap();
        assert_eq!(PolicyFile::load(&path).unwrap().tenant.budgets.len(), 2);
        folder.revoke_key(&key.id).unwrap();
        let file = PolicyFile::load(&path).unwrap();
        assert_eq!(file.keys.len(), 0);
        assert_eq!(file.tenant.budgets[0].scope, BudgetScope::EachKey);
        assert_eq!(file.tenant.budgets.len(), 1);
    }
}
