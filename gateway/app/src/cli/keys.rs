//! `skinflint keys`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use skinflint_policies::{KeyId, PolicyFile, PolicyFolder, TenantId, VirtualKey};

use super::{Outcome, out};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Folder of tenant files
    #[arg(long, global = true, value_name = "FOLDER", default_value = "policies")]
    policies: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a key for a tenant, and the tenant's file if there is none; the key is shown once
    New {
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// List key ids by tenant
    List,
    /// Take a key out of its tenant's file
    Revoke {
        /// The key's id: the part after `sk-skf-`
        id: String,
    },
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let folder = PolicyFolder::new(&arguments.policies);
    match &arguments.verb {
        Verb::New { tenant } => make(&folder, tenant),
        Verb::List => list(&arguments.policies),
        Verb::Revoke { id } => revoke(&folder, id),
    }
}

fn make(folder: &PolicyFolder, tenant: &str) -> Outcome {
    let tenant = TenantId::parse(tenant).ok_or_else(|| {
        format!(
            "`{tenant}` is no tenant name: expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`"
        )
    })?;
    let key = VirtualKey::generate()?;
    let path = folder.add_key(&tenant, &key)?;
    out::note(format_args!(
        "added key {} to {}; it is shown this once, and a gateway that runs with a configuration file knows it at once",
        key.id,
        path.display()
    ));
    out::line(key.text.expose_secret());
    Ok(())
}

fn list(policies: &std::path::Path) -> Outcome {
    for file in PolicyFile::load_all(policies)? {
        for key in &file.keys {
            out::line(format_args!("{}  {}", key.id, file.tenant.id));
        }
    }
    Ok(())
}

fn revoke(folder: &PolicyFolder, id: &str) -> Outcome {
    let id = KeyId::of(id).map_or_else(|| KeyId::parse(id), Ok)?;
    let path = folder.revoke_key(&id)?;
    out::note(format_args!(
        "took key {id} out of {}; a gateway that runs with a configuration file forgets it at once",
        path.display()
    ));
    Ok(())
}
