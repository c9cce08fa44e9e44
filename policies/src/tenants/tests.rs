use secrecy::ExposeSecret;

use super::*;
use crate::{ClientCredentials, VirtualKey};

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
    let Identity { tenant, key: used } = tenants.authenticate(presented).unwrap();
    assert_eq!(tenant.id.as_str(), "acme");
    assert_eq!(tenant.client_credentials, ClientCredentials::Never);
    assert_eq!(used, Some(key.id.clone()));
    for wrong in [
        &presented[..presented.len() - 1],
        &key.hash().to_string(),
        "",
    ] {
        assert_eq!(tenants.authenticate(wrong), Err(UnknownKey(())), "{wrong}");
    }
}

#[test]
fn no_two_files_may_claim_the_same() {
    insta::assert_snapshot!(refusal(&[("a.toml", "[tenant]\nid = 'a'\n"), ("b.toml", "[tenant]\nid = 'a'\n")]), @"policies/b.toml:2: `tenant.id`: tenant `a` is already described by policies/a.toml");
    let key = format!(
        "[[tenant.keys]]\nid = 'k'\nhash = 'sha256:{}'\n",
        "0".repeat(64)
    );
    insta::assert_snapshot!(refusal(&[("a.toml", &format!("[tenant]\nid = 'a'\n{key}")), ("b.toml", &format!("[tenant]\nid = 'b'\n{key}"))]), @"policies/b.toml:4: `tenant.keys[0].id`: key id `k` is already used by `a`");
    insta::assert_snapshot!(refusal(&[("a.toml", "[tenant]\nid = 'a'\nkeyless = true\n"), ("b.toml", "[tenant]\nid = 'b'\nkeyless = true\n")]), @"policies/b.toml:3: `tenant.keyless`: callers without a key are already tenant `a`");
}

#[test]
fn a_tenant_without_keys_locks_the_door() {
    let folder = folder(&[("acme.toml", "[tenant]\nid = 'acme'\n")]);
    let tenants = Tenants::load(folder.path()).unwrap();
    assert!(tenants.keyless().is_none());
    assert!(tenants.are_described());
}

#[test]
fn a_tenant_may_be_that_of_callers_without_a_key() {
    let folder = folder(&[
        ("acme.toml", "[tenant]\nid = 'acme'\n"),
        ("me.toml", "[tenant]\nid = 'me'\nkeyless = true\n"),
    ]);
    let tenants = Tenants::load(folder.path()).unwrap();
    let me = TenantId::parse("me").unwrap();
    assert_eq!(tenants.keyless().unwrap().id, me);
    assert_eq!(tenants.get(&me).unwrap().id, me);
    let names: Vec<&str> = tenants.all().map(|tenant| tenant.id.as_str()).collect();
    assert_eq!(names, ["acme", "me"]);
}

#[test]
fn what_is_no_tenant_file_is_passed_over() {
    let checkout = folder(&[
        ("Cargo.toml", "[package]"),
        ("prices.toml", "[[price]]"),
        ("notes.txt", "?"),
    ]);
    let tenants = Tenants::load(checkout.path()).unwrap();
    assert!(!tenants.are_described());
    let own = folder(&[("prices.toml", "[tenant]\nid = 'prices'\n")]);
    assert!(Tenants::load(own.path()).unwrap().are_described());
}

#[test]
fn without_files_everyone_is_the_default_tenant() {
    let tenants = Tenants::none();
    let everybody = tenants.keyless().unwrap();
    assert_eq!(everybody.id.as_str(), "default");
    assert_eq!(tenants.get(&everybody.id), Some(everybody));
    assert!(everybody.allows("anything") && everybody.budgets.is_empty());
}
