use super::*;
use crate::{Config, TenantId};

const NOTHING: [(&str, &str); 0] = [];
const ACME: &str =
    "[tenant]\nid = 'acme'\n[[budget]]\nscope = 'tenant'\nwindow = 'day'\nlimit_usd = 5\n";

/// A gateway's files, as its operator edits them.
struct Files {
    folder: tempfile::TempDir,
    source: PolicySource,
    last: Policies,
}

impl Files {
    fn start(config: &str, tenants: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("skinflint.toml", config);
        for (name, text) in tenants {
            write(&format!("policies/{name}"), text);
        }
        let loaded = Config::load(&folder.path().join("skinflint.toml"), &NOTHING).unwrap();
        Self {
            source: loaded.policies,
            last: Policies {
                tenants: loaded.tenants,
                prices: loaded.prices,
                generation: 0,
            },
            folder,
        }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    fn reload(&self) -> Result<Reload, String> {
        self.source.reload(&self.last).map_err(|error| {
            let folder = self.folder.path().to_str().unwrap();
            error.to_string().replace(folder, "")
        })
    }

    fn refusal(&self) -> String {
        self.reload().unwrap_err()
    }
}

#[test]
fn a_changed_tenant_holds_from_the_next_generation() {
    let mut files = Files::start("", &[("acme.toml", ACME)]);
    let limit = |policies: &Policies| {
        let acme = TenantId::parse("acme").unwrap();
        policies.tenants.get(&acme).unwrap().budgets[0].limit
    };
    let before = limit(&files.last);
    files.write("policies/acme.toml", &ACME.replace('5', "7"));
    let reload = files.reload().unwrap();
    assert_eq!(reload.policies.generation, 1);
    assert!(reload.needs_restart.is_empty());
    assert_eq!(limit(&reload.policies).get() * 5, before.get() * 7);
    files.last = reload.policies;
    assert_eq!(files.reload().unwrap().policies.generation, 2);
}

#[test]
fn a_changed_price_holds_from_the_next_generation() {
    let mut files = Files::start("", &[]);
    let price = |policies: &Policies| policies.prices.find(None, "mine").is_some();
    assert!(!price(&files.last));
    files.write(
        "skinflint.toml",
        "[[price]]\nmodel = 'mine'\ninput = 1\noutput = 2\n",
    );
    let reload = files.reload().unwrap();
    assert!(price(&reload.policies) && reload.needs_restart.is_empty());
    assert_ne!(
        reload.policies.prices.version(),
        files.last.prices.version()
    );
    files.last = reload.policies;
    files.write(
        "skinflint.toml",
        "\n[[price]]\nmodel = 'mine'\ninput = -1\noutput = 2\n",
    );
    insta::assert_snapshot!(files.refusal(), @"/skinflint.toml:4: `price[0].input`: expected an amount that is not negative");
}

#[test]
fn a_bad_file_says_path_line_and_field() {
    let files = Files::start("", &[("acme.toml", ACME)]);
    files.write("policies/acme.toml", &ACME.replace('5', "-5"));
    insta::assert_snapshot!(files.refusal(), @"/policies/acme.toml:6: `budget[0].limit_usd`: expected an amount that is not negative");
    files.write("policies/acme.toml", "[tenant]\nid = 'ac");
    insta::assert_snapshot!(files.refusal(), @"/policies/acme.toml:2: invalid literal string, expected `'`");
    files.write("policies/acme.toml", "");
    insta::assert_snapshot!(files.refusal(), @"/policies/acme.toml:1: missing field `tenant`");
    files.write("policies/acme.toml", ACME);
    files.write("skinflint.toml", "[listen]\ncalls = ");
    insta::assert_snapshot!(files.refusal(), @"/skinflint.toml:2: string values must be quoted, expected literal string");
    files.remove("skinflint.toml");
    assert!(
        files
            .refusal()
            .starts_with("/skinflint.toml: cannot be read")
    );
}

#[test]
fn the_door_does_not_open_when_the_last_tenant_goes() {
    let mut files = Files::start("", &[]);
    files.write("policies/acme.toml", ACME);
    files.last = files.reload().unwrap().policies;
    assert!(files.last.tenants.keyless().is_none());
    files.remove("policies/acme.toml");
    insta::assert_snapshot!(files.refusal(), @"/policies: no tenant file is left; if callers are to need no key, restart the gateway");
    std::fs::remove_dir(files.folder.path().join("policies")).unwrap();
    insta::assert_snapshot!(files.refusal(), @"/policies: no tenant file is left; if callers are to need no key, restart the gateway");
}

#[test]
fn tenants_are_checked_against_what_runs_and_not_against_what_is_written() {
    let files = Files::start("[local]\nenabled = false\n", &[("acme.toml", ACME)]);
    files.write("skinflint.toml", "[local]\nenabled = true\n");
    files.write(
        "policies/acme.toml",
        &format!("{ACME}on_exceed = 'downgrade'\n"),
    );
    insta::assert_snapshot!(files.refusal(), @"/policies/acme.toml:7: `budget[0].on_exceed`: there is no local model to answer instead: it is switched off by `local.enabled`");
}

#[test]
fn what_needs_a_restart_is_named() {
    let files = Files::start("[limits]\nin_flight = 5\n[local]\nqueue = 3\n", &[]);
    files.write(
        "skinflint.toml",
        "policies = 'policies'\n[limits]\nin_flight = 6\n[local]\nqueue = 3\n",
    );
    let reload = files.reload().unwrap();
    assert_eq!(reload.needs_restart, ["limits", "policies"]);
    let defaults = Config::defaults(&NOTHING).unwrap();
    assert_eq!(defaults.policies.watched().count(), 0);
    assert_eq!(files.source.watched().count(), 2);
}
